use proptest::prelude::*;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_700_000_000;

const CLAIMS: Claims<'_> = Claims {
    now_unix: NOW,
    request_id: "id-1",
    subject: Some("ana"),
    credential: Some("ci-bot"),
    mechanism: "token",
    project: "proj-1",
    method: "GET",
    host: "app.t.example.test",
    path: "/a%20b/../c",
};

fn keys() -> Keys {
    let mut keys = Keys::default();
    keys.rotate(NOW, keys::tests::make).unwrap();
    keys
}

fn signer(port: u16) -> Signer {
    Signer::new(&keys(), NOW, "edge.example.test", port).unwrap()
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// Header and claims, once the only key of the set has verified the signature.
fn verified(signer: &Signer, token: &str) -> (Value, Value) {
    let set: Value = serde_json::from_str(signer.key_set()).unwrap();
    let [key] = set["keys"].as_array().unwrap().as_slice() else {
        panic!("{set}");
    };
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let x = decoded(key["x"].as_str().unwrap());
    UnparsedPublicKey::new(&ED25519, x)
        .verify(signed.as_bytes(), &decoded(signature))
        .unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let [header, claims] =
        [header, claims].map(|part| serde_json::from_slice::<Value>(&decoded(part)).unwrap());
    assert_eq!(header["kid"], key["kid"]);
    (header, claims)
}

fn signed(signer: &Signer, claims: &Claims<'_>) -> (Value, Value) {
    let mut out = b"before ".to_vec();
    signer.sign(claims, &mut b"old".to_vec(), &mut out);
    let text = String::from_utf8(out).unwrap();
    verified(signer, text.strip_prefix("before ").unwrap())
}

#[test]
fn a_whole_assertion() {
    let signer = signer(443);
    let (header, claims) = signed(&signer, &CLAIMS);
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("EdDSA"), &json!("adit-assertion+jwt"))
    );
    assert_eq!(header.as_object().unwrap().len(), 3);
    assert_eq!(
        claims,
        json!({
            "iss": "https://edge.example.test",
            "aud": "https://app.t.example.test",
            "iat": NOW,
            "exp": NOW + 60,
            "jti": "id-1",
            "sub": "ana",
            "credential": "ci-bot",
            "mechanism": "token",
            "project": "proj-1",
            "method": "GET",
            "host": "app.t.example.test",
            "path": "/a%20b/../c",
        })
    );
    let nobody = Claims {
        subject: None,
        credential: None,
        ..CLAIMS
    };
    let (_, claims) = signed(&signer, &nobody);
    assert_eq!(claims.as_object().unwrap().len(), 10);
    assert!(claims.get("sub").is_none() && claims.get("credential").is_none());
    let (_, claims) = signed(&self::signer(8443), &CLAIMS);
    assert_eq!(claims["iss"], "https://edge.example.test:8443");
    assert_eq!(claims["aud"], "https://app.t.example.test:8443");
}

#[test]
fn the_public_set_has_public_halves_alone() {
    let signer = signer(443);
    let set: Value = serde_json::from_str(signer.key_set()).unwrap();
    let members = set["keys"][0].as_object().unwrap();
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
    assert!(signer.is_like(&signer) && !signer.is_like(&self::signer(443)));
}

/// The vector of RFC 8037 A.3.
#[test]
fn a_key_is_named_by_its_thumbprint() {
    let seed = decoded("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let public = decoded("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let pkcs8 = [
        &decoded("MFECAQEwBQYDK2VwBCIEIA")[..],
        &seed,
        &[0x81, 0x21, 0],
        &public,
    ]
    .concat();
    let text = json!([{ "created_at": 1, "pkcs8": URL_SAFE_NO_PAD.encode(pkcs8) }]).to_string();
    let keys = Keys::parse(text.as_bytes()).unwrap();
    let key = keys.signing(1).unwrap();
    assert_eq!(
        key.thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}

fn encoded(text: &str) -> String {
    let mut out = Vec::new();
    percent_encode(text, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_subject_becomes_a_field_that_nothing_else_becomes() {
    for (subject, field) in [
        ("ana@example.com", "ana@example.com"),
        ("100%", "100%25"),
        ("100%25", "100%2525"),
        ("\u{fc}", "%C3%BC"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil:%201"),
        (" a ", "%20a%20"),
        ("\u{7f}\t\0", "%7F%09%00"),
        ("", ""),
    ] {
        assert_eq!(encoded(subject), field);
    }
}

proptest! {
    #[test]
    fn every_text_is_claimed_as_it_is(subject in any::<String>(), credential in any::<String>()) {
        let claims = Claims { subject: Some(&subject), credential: Some(&credential), ..CLAIMS };
        let mut json = Vec::new();
        signer(443).write(&claims, &mut json);
        let read: Value = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(read["sub"].as_str(), Some(&*subject));
        prop_assert_eq!(read["credential"].as_str(), Some(&*credential));
        prop_assert_eq!(read["path"].as_str(), Some(CLAIMS.path));
    }

    /// It can be decoded, so no two are the same; and no reader of a field cuts or joins anything.
    #[test]
    fn every_text_can_be_had_back_from_its_field(text in any::<String>()) {
        let field = encoded(&text);
        prop_assert!(field.bytes().all(|byte| byte.is_ascii_graphic()));
        let mut bytes = Vec::new();
        let mut rest = field.as_bytes();
        while let [first, more @ ..] = rest {
            if *first == b'%' {
                let digits = std::str::from_utf8(&more[..2]).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &more[2..];
            } else {
                bytes.push(*first);
                rest = more;
            }
        }
        prop_assert_eq!(bytes, text.into_bytes());
    }
}
