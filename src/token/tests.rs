use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::*;
use crate::boundary::Boundary;
use crate::limits::TOKEN_BYTES_MAX;

mod cache;
mod claims;
mod families;
mod form;
mod issuers;
mod key_sets;
mod mint;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const NOW: u64 = 1_700_000_000;
const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn bounds() -> Bounds {
    let permissions = [CONNECT_PERMISSION, "tunnels.resources.read-only"];
    Bounds {
        permissions: Some(permissions.map(Into::into).into()),
        ..Bounds::connect_within(&["p1", "p2"])
    }
}

fn keys() -> TokenKeys {
    TokenKeys::new(SECRET, Some(bounds()), "edge.example.com")
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn sign_with(secret: &[u8], header: &str, payload: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

fn sign(payload: impl AsRef<[u8]>) -> String {
    sign_with(SECRET, HS256, payload)
}

fn checked(token: &str) -> Result<VerifiedToken, TokenError> {
    verify(token.as_bytes(), &keys(), NOW)
}

fn refusal(token: &str) -> Option<TokenError> {
    checked(token).err()
}

fn verified(payload: &str) -> VerifiedToken {
    checked(&sign(payload)).unwrap_or_else(|error| panic!("{error}: {payload}"))
}

#[test]
fn a_good_token_and_its_twins_signed_otherwise() {
    assert_eq!(refusal(&sign("{}")), None);
    let other = sign_with(b"another secret of thirty-two byte", HS256, "{}");
    assert_eq!(refusal(&other), Some(TokenError::BadSignature));

    // One byte changed in each part.
    let token = sign(r#"{"sub":"a"}"#);
    let parts: Vec<&str> = token.split('.').collect();
    let [header, _, signature] = parts[..] else {
        panic!("three parts");
    };
    let swapped = format!("{header}.{}.{signature}", encode(r#"{"sub":"b"}"#));
    assert_eq!(refusal(&swapped), Some(TokenError::BadSignature));
    let header = encode(r#"{"typ":"JWT","alg":"HS256"}"#);
    let swapped = format!("{header}.{}.{signature}", parts[1]);
    assert_eq!(refusal(&swapped), Some(TokenError::BadSignature));
    let (header, payload) = (parts[0], parts[1]);
    for cut in [&signature[..42], &signature[..40], &signature[..4]] {
        let cut = format!("{header}.{payload}.{cut}");
        let error = refusal(&cut).unwrap();
        assert!(matches!(
            error,
            TokenError::BadSignature | TokenError::Malformed
        ));
    }
}

/// Case 18, as far as the key is concerned.
#[test]
fn the_sender_chooses_neither_algorithm_nor_key() {
    use TokenError::{BadAlgorithm, BadHeader, CriticalHeader, Malformed, TypeUnsupported};
    for (header, error) in [
        (r#"{"alg":"none"}"#, BadAlgorithm),
        (r#"{"alg":"None"}"#, BadAlgorithm),
        (r#"{"alg":"hs256"}"#, BadAlgorithm),
        (r#"{"alg":"HS512"}"#, BadAlgorithm),
        (r#"{"alg":"ES512"}"#, BadAlgorithm),
        (r#"{"alg":["HS256"]}"#, BadAlgorithm),
        (r#"{"alg":null}"#, BadAlgorithm),
        (r#"{"typ":"JWT"}"#, BadAlgorithm),
        (r#"{"alg":"HS256","typ":"at+jwt"}"#, BadHeader),
        (r#"{"alg":"HS256","typ":"jwt"}"#, BadHeader),
        (r#"{"alg":"HS256","typ":null}"#, BadHeader),
        (r#""HS256""#, BadHeader),
        (r#"["HS256"]"#, BadHeader),
        (r#"{"alg":"HS256","crit":[]}"#, CriticalHeader),
        (
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            CriticalHeader,
        ),
        (
            r#"{"alg":"HS256","alg":"HS256"}"#,
            TokenError::BadJson(JsonError::DuplicateKey),
        ),
    ] {
        assert_eq!(
            refusal(&sign_with(SECRET, header, "{}")),
            Some(error),
            "{header}"
        );
    }
    let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode("{}"));
    assert_eq!(refusal(&unsigned), Some(Malformed));
    // Signed with the very secret, and of no family.
    for payload in [
        r#"{"type":"ce"}"#,
        r#"{"\u0074ype":"PAT"}"#,
        r#"{"type":""}"#,
        r#"{"type":null}"#,
        r#"{"type":["pat"]}"#,
    ] {
        assert_eq!(refusal(&sign(payload)), Some(TypeUnsupported), "{payload}");
    }
    // Twins: these choose nothing.
    for header in [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","kid":"x","jku":"https://evil.example/","jwk":{"kty":"oct","k":"AA"}}"#,
    ] {
        assert_eq!(refusal(&sign_with(SECRET, header, "{}")), None, "{header}");
    }
}

#[test]
fn a_short_or_missing_secret_proves_nothing() {
    for secret in [&b""[..], b"short", &SECRET[1..]] {
        let keys = TokenKeys::new(secret, Some(bounds()), "edge.example.com");
        let token = sign_with(secret, HS256, "{}");
        assert_eq!(
            verify(token.as_bytes(), &keys, NOW).err(),
            Some(TokenError::BadSignature)
        );
    }
}

#[test]
fn three_canonical_parts_and_nothing_else() {
    let token = sign(r#"{"sub":"ab"}"#);
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("three parts");
    };
    // 32 bytes end in a character with two unused bits; any other value of them is a second spelling.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    assert_eq!(place % 4, 0);
    let respelt = &alphabet[place + 1..place + 2];
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}.{payload}=.{signature}"),
        format!(
            "{header}.{payload}.{}{respelt}",
            &signature[..signature.len() - 1]
        ),
        token.replacen('.', "%2e", 1),
        token.replacen('e', "+", 1),
        token.replacen('e', "/", 1),
        token.replacen('e', "\u{e9}", 1),
    ] {
        assert_eq!(refusal(&bad), Some(TokenError::Malformed), "{bad}");
    }
    assert_eq!(refusal(&token), None);
}

#[test]
fn length_is_bounded_before_anything_is_read() {
    let sized = |bytes: usize| {
        let empty = sign(r#"{"x":""}"#).len();
        (0..)
            .map(|more| {
                sign(format!(
                    r#"{{"x":"{}"}}"#,
                    "a".repeat((bytes - empty) / 4 * 3 - 3 + more)
                ))
            })
            .find(|token| token.len() >= bytes)
            .unwrap()
    };
    let longest = sized(TOKEN_BYTES_MAX - 1);
    assert!(longest.len() <= TOKEN_BYTES_MAX, "{}", longest.len());
    assert_eq!(refusal(&longest), None);
    assert_eq!(
        refusal(&sized(TOKEN_BYTES_MAX + 1)),
        Some(TokenError::TooLong)
    );
    assert_eq!(refusal(&"a".repeat(1 << 20)), Some(TokenError::TooLong));
}

#[test]
fn json_is_read_strictly() {
    use JsonError::{DuplicateKey, NotUtf8, Syntax, TooDeep};
    let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(32), "]".repeat(32));
    for (payload, error) in [
        (&b"\xef\xbb\xbf{}"[..], Syntax),
        (b"{}{}", Syntax),
        (b"{\"sub\":\"\xff\"}", NotUtf8),
        (br#"{"sub":"\ud800"}"#, Syntax),
        (br#"{"permissions":[],"permissions":null}"#, DuplicateKey),
        (
            br#"{"permissions":[],"permission\u0073":null}"#,
            DuplicateKey,
        ),
        (
            br#"{"resources":{"tunnels":{"projects":["a"],"projects":["b"]}}}"#,
            DuplicateKey,
        ),
        (deep.as_bytes(), TooDeep),
    ] {
        assert_eq!(refusal(&sign(payload)), Some(TokenError::BadJson(error)));
    }
    for payload in ["[]", "null", r#""{}""#, "1"] {
        assert_eq!(
            refusal(&sign(payload)),
            Some(TokenError::Malformed),
            "{payload}"
        );
    }
    assert_eq!(refusal(&sign(" {} \n")), None);
}

/// What costs most comes last: none of these reaches the patterns, or the error would name them.
#[test]
fn nothing_is_compiled_for_a_token_that_does_not_count() {
    let payload = |claims: &str| {
        format!(
            r#"{{{claims}"resources":{{"tunnels":{{"scopes":{{"tunnels":{{"connect":{{"params":{{"path":{{"regex":"[ab]*a[ab]{{15}}"}}}}}}}}}}}}}}}}"#
        )
    };
    let forged = sign_with(b"another secret of thirty-two byte", HS256, payload(""));
    assert_eq!(refusal(&forged), Some(TokenError::BadSignature));
    assert_eq!(
        refusal(&sign(payload(r#""exp":1,"#))),
        Some(TokenError::Expired)
    );
    assert_eq!(
        refusal(&sign(payload(r#""sub":1,"#))),
        Some(TokenError::BadClaims)
    );
    assert_eq!(
        refusal(&sign(payload(""))),
        Some(TokenError::PatternTooLarge)
    );
}

#[test]
fn reasons_are_distinct_and_say_whose_token_it_was() {
    let reasons: Vec<&str> = ERRORS.iter().map(|(error, _)| error.reason()).collect();
    let mut distinct = reasons.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), reasons.len());
    assert!(reasons.iter().all(|reason| reason.starts_with("token_")));
    for (error, ours) in ERRORS {
        assert_eq!(error.signed_by_us(), *ours, "{error}");
    }
}

const ERRORS: &[(TokenError, bool)] = &[
    (TokenError::TooLong, false),
    (TokenError::Malformed, false),
    (TokenError::BadHeader, false),
    (TokenError::BadAlgorithm, false),
    (TokenError::CriticalHeader, false),
    (TokenError::BadJson(JsonError::Syntax), false),
    (TokenError::BadSignature, false),
    (TokenError::TypeUnsupported, false),
    (TokenError::BadClaims, true),
    (TokenError::Expired, true),
    (TokenError::NotYetValid, true),
    (TokenError::IssuedInFuture, true),
    (TokenError::CeNotAllowed, true),
    (TokenError::LegacyClaims, true),
    (TokenError::OtherEngine, true),
    (TokenError::BadBoundary(BoundaryError::Empty), true),
    (TokenError::PatternTooLarge, true),
];

#[test]
fn keys_and_verified_tokens_may_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<TokenKeys>();
    check::<VerifiedToken>();
}
