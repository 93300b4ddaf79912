//! Key sets that come from a URL: which key a token waits for, and that a new set replaces the old one (S4.6).

use super::issuers::{ISSUER, PLAIN, Signer, claims, ed25519, issuer, judged, keys_with, token};
use super::*;

/// An issuer whose keys are fetched, and which may sign with EdDSA alone.
fn fetched(set: &str) -> TokenKeys {
    keys_with(Issuer {
        algorithms: vec![Algorithm::EdDsa],
        fetched: true,
        ..issuer(parsed(set, &[Algorithm::EdDsa]))
    })
}

fn parsed(set: &str, algorithms: &[Algorithm]) -> KeySet {
    KeySet::parse(set.as_bytes(), algorithms).unwrap()
}

fn set_of(signer: &Signer, kid: &str) -> String {
    format!(r#"{{"keys":[{{{},"kid":"{kid}"}}]}}"#, signer.jwk)
}

fn signed(signer: &Signer, kid: &str) -> String {
    let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#);
    token(&header, &claims(""), &signer.sign)
}

#[test]
fn a_set_replaces_the_one_before_and_nothing_of_that_stays() {
    let (old, new) = (ed25519(), ed25519());
    let keys = fetched(r#"{"keys":[]}"#);
    let (by_old, by_new) = (signed(&old, "a"), signed(&new, "b"));
    assert_eq!(judged(&by_old, &keys), Err(TokenError::NoKeys));
    let with =
        |keys: &TokenKeys, set: &str| keys.with_key_set(ISSUER, &parsed(set, &[Algorithm::EdDsa]));
    let keys = with(&keys, &set_of(&old, "a")).unwrap();
    assert!(judged(&by_old, &keys).is_ok());
    assert_eq!(judged(&by_new, &keys), Err(TokenError::UnknownKey));
    let keys = with(&keys, &set_of(&new, "b")).unwrap();
    assert!(judged(&by_new, &keys).is_ok());
    assert_eq!(judged(&by_old, &keys), Err(TokenError::UnknownKey));
    let renamed = signed(&old, "b");
    assert_eq!(judged(&renamed, &keys), Err(TokenError::BadSignature));
    let keys = with(&keys, r#"{"keys":[]}"#).unwrap();
    assert_eq!(judged(&by_new, &keys), Err(TokenError::NoKeys));
}

#[test]
fn only_keys_that_are_fetched_are_replaced() {
    let empty = KeySet::default();
    let fixed = keys_with(issuer(empty.clone()));
    assert!(fixed.with_key_set(ISSUER, &empty).is_none());
    let keys = fetched(r#"{"keys":[]}"#);
    assert!(
        keys.with_key_set("https://other.example.com", &empty)
            .is_none()
    );
    assert!(keys.with_key_set(ISSUER, &empty).is_some());
}

#[test]
fn what_a_token_waits_for_is_said_by_its_issuer_and_kid() {
    let signer = ed25519();
    let keys = fetched(&set_of(&signer, "a"));
    let wanted = |token: &str| keys.wanted_key(token.as_bytes());
    let named = |kid: Option<&str>| {
        Some(WantedKey {
            issuer: ISSUER.into(),
            kid: kid.map(Into::into),
        })
    };
    assert_eq!(wanted(&signed(&signer, "b")), named(Some("b")));
    let nameless = token(r#"{"alg":"EdDSA"}"#, &claims(""), &signer.sign);
    assert_eq!(wanted(&nameless), named(None));
    // Nothing that a fetch could cure.
    for header in [
        r#"{"alg":"ES256","kid":"b"}"#,
        r#"{"alg":"none","kid":"b"}"#,
        r#"{"alg":"EdDSA","kid":7}"#,
        r#"{"alg":"EdDSA","kid":"b","crit":["x"]}"#,
    ] {
        let token = token(header, &claims(""), &signer.sign);
        assert_eq!(wanted(&token), None, "{header}");
        assert!(
            judged(&token, &keys) != Err(TokenError::UnknownKey),
            "{header}"
        );
    }
    let stranger = claims("").replace(ISSUER, "https://other.example.com");
    assert_eq!(wanted(&token(PLAIN, &stranger, &signer.sign)), None);
    assert_eq!(wanted("no token"), None);
    let fixed = keys_with(issuer(parsed(&set_of(&signer, "a"), &[Algorithm::EdDsa])));
    assert_eq!(fixed.wanted_key(signed(&signer, "b").as_bytes()), None);
}
