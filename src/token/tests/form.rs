use super::*;

/// By its form alone, where only this other issuer is known.
fn form(token: &[u8]) -> TokenForm {
    super::form(token, |issuer| issuer == "https://idp.example.com")
}

use TokenForm::{Foreign, Ours, Unreadable};

fn form_of(payload: impl AsRef<[u8]>) -> TokenForm {
    form(format!("{}.{}.{}", encode(HS256), encode(payload), encode("s")).as_bytes())
}

#[test]
fn payloads() {
    for (payload, expected) in [
        (&br#"{"type":"pat"}"#[..], Ours),
        (br#"{"type":"app"}"#, Ours),
        (br#"{"x":[{"type":1}],"type":"auth"}"#, Ours),
        (br#"{"\u0074ype":"p\u0061t"}"#, Ours),
        (br#"{"type":"other","type":"pat"}"#, Unreadable),
        (br#"{"type":"other","type":"other"}"#, Unreadable),
        (b"[]", Unreadable),
        (br#""pat""#, Unreadable),
        (b"not json", Unreadable),
        (b"{}x", Unreadable),
        (b"\xef\xbb\xbf{}", Unreadable),
        (b"{\"x\":\"\xff\"}", Unreadable),
        (b"{}", Foreign),
        (br#"{"type":"PAT"}"#, Foreign),
        (br#"{"type":"pat "}"#, Foreign),
        (br#"{"x":{"type":"pat"}}"#, Foreign),
        (br#"{"type":1}"#, Foreign),
        (br#"{"type":-1}"#, Foreign),
        (br#"{"type":1.5}"#, Foreign),
        (br#"{"type":null}"#, Foreign),
        (br#"{"type":true}"#, Foreign),
        (br#"{"type":["pat",{}]}"#, Foreign),
        (br#"{"type":{"pat":[1]}}"#, Foreign),
        (br#"{"iss":"https://idp.example","sub":"1"}"#, Foreign),
        (br#"{"iss":"https://idp.example.com","sub":"1"}"#, Ours),
        (br#"{"type":"other","iss":"https://idp.example.com"}"#, Ours),
        (br#"{"iss":["https://idp.example.com"]}"#, Foreign),
        (
            br#"{"iss":"a","iss":"https://idp.example.com"}"#,
            Unreadable,
        ),
    ] {
        assert_eq!(form_of(payload), expected, "{}", payload.escape_ascii());
    }
}

#[test]
fn what_has_not_three_parts_is_not_ours() {
    let payload = encode(r#"{"type":"pat"}"#);
    for token in [
        String::new(),
        "application-token".into(),
        payload.clone(),
        format!("a.{payload}"),
        format!("a.{payload}."),
        format!("a.{payload}.s.t"),
        format!("a.{payload}=.s"),
        format!("a.{payload}.s s"),
    ] {
        assert_eq!(form(token.as_bytes()), Foreign, "{token}");
    }
    assert_eq!(form(format!("a.{payload}.s").as_bytes()), Ours);
    // Base64url by its characters, and yet not canonical: unreadable.
    assert_eq!(form(b"a.e31.s"), Unreadable);
    assert_eq!(form(b"a.a.s"), Unreadable);
    assert_eq!(form(b"a.e30.s"), Foreign);
}

/// An application's token may be longer than ours can be.
#[test]
fn length_does_not_matter() {
    let long = "x".repeat(2 * TOKEN_BYTES_MAX);
    assert_eq!(form_of(format!(r#"{{"a":"{long}"}}"#)), Foreign);
    assert_eq!(form_of(format!(r#"{{"a":"{long}","type":"pat"}}"#)), Ours);
    assert_eq!(form_of("[".repeat(4 * TOKEN_BYTES_MAX)), Unreadable);
}

/// Whatever verifies or may verify is told apart by its form, or by its signature.
#[test]
fn families_are_ours_and_ce_needs_its_signature() {
    assert_eq!(form(sign(r#"{"type":"pat"}"#).as_bytes()), Ours);
    assert_eq!(form(sign("{}").as_bytes()), Foreign);
    let later = refusal(&sign(format!(r#"{{"nbf":{}}}"#, NOW + 1))).unwrap();
    assert!(later.signed_by_us());
}
