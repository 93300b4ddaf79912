//! A token whose key is not there: it may be waited for where the issuer publishes its keys, and nowhere else.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::token::{Algorithm, Issuer, KeySet};

const ISSUER: &str = "https://idp.example.com";

fn with_issuer(fetched: bool) -> Policy {
    let issuer = Issuer {
        audience: Vec::new(),
        max_lifetime: None,
        algorithms: vec![Algorithm::EdDsa],
        keys: KeySet::default(),
        fetched,
        bounds: Arc::new(Bounds::connect_within(&["p1"])),
        resources_claim: None,
        subject_claim: "sub".to_owned(),
    };
    let policy = policy();
    let keys = policy.keys.clone().unwrap();
    Policy {
        keys: Some(keys.with_issuers([(ISSUER.into(), issuer)])),
        ..policy
    }
}

/// A token that nobody signed: no key is there to tell.
fn token(header: &str) -> String {
    let claims = format!(r#"{{"iss":"{ISSUER}","exp":{}}}"#, NOW + 60);
    let [header, claims] = [header, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.AAAA")
}

fn verdict(policy: &Policy, host: &str, token: &str) -> String {
    let head = format!(
        "GET / HTTP/1.1\r\nHost: {host}.t.example.com\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    word(&judge_with(policy, plain(), &head, &mut memory()))
}

#[test]
fn keys_are_waited_for_where_the_issuer_publishes_them() {
    let named = token(r#"{"alg":"EdDSA","kid":"k1"}"#);
    let (fetched, fixed) = (with_issuer(true), with_issuer(false));
    let wanted = format!("keys of {ISSUER} for k1");
    assert_eq!(verdict(&fetched, "app", &named), wanted);
    assert_eq!(verdict(&fixed, "app", &named), "401 issuer_keys_missing");
    // No key could make it good.
    let other = token(r#"{"alg":"ES256","kid":"k1"}"#);
    assert_eq!(verdict(&fetched, "app", &other), "401 token_algorithm");
    // On a tunnel that asks for no token nothing is waited for, and what is an issuer's goes nowhere.
    assert_eq!(verdict(&fetched, "open", &named), "forward none withheld");
    assert_eq!(verdict(&fetched, "own", &named), "401 token_for_edge");
}
