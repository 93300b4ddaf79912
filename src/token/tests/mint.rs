use serde_json::json;

use super::*;

fn request() -> MintRequest {
    MintRequest {
        issued_at: NOW,
        ..MintRequest::default()
    }
}

#[test]
fn what_is_minted_verifies_and_says_what_was_asked() {
    let token = mint_hs256(
        SECRET,
        &MintRequest {
            subject: Some("ci".into()),
            permissions: Some(vec![CONNECT_PERMISSION.into()]),
            boundary: Some(
                json!({"projects": ["p1"], "scopes": {"tunnels": {"connect": {
                "params": {"path": {"regex": "^/api"}}}}}}),
            ),
            not_before: Some(NOW - 5),
            expires_at: Some(NOW + 60),
            ..request()
        },
    )
    .unwrap();
    let verified = checked(&token).unwrap();
    assert_eq!(verified.subject(), "ci");
    assert!(verified.may(CONNECT_PERMISSION) && !verified.may("tunnels.resources.read-only"));
    assert!(verified.boundaries().any(Boundary::has_path_rule));
    assert_eq!(verified.check_time(NOW + 60), Err(TokenError::Expired));
    assert_eq!(verified.check_time(NOW - 6), Err(TokenError::NotYetValid));

    let plain = checked(&mint_hs256(SECRET, &request()).unwrap()).unwrap();
    assert_eq!(plain.subject(), "");
    assert!(plain.may("tunnels.resources.read-only") && plain.boundaries().next().is_none());
}

#[test]
fn boundaries_and_permissions_must_agree() {
    let mint = |permissions: Option<&[&str]>, boundary: serde_json::Value| {
        let request = MintRequest {
            permissions: permissions.map(|list| list.iter().map(|one| (*one).into()).collect()),
            boundary: Some(boundary),
            ..request()
        };
        mint_hs256(SECRET, &request).err()
    };
    let list_only = json!({"scopes": {"tunnels": {"list": true}}});
    let nowhere = |permission, action| Some(MintError::Nowhere { permission, action });
    let lists = |boundary| mint(Some(&["tunnels.resources.read-only"]), boundary);
    let creates = |boundary| mint(Some(&["tunnels.tunnels.create-delete"]), boundary);
    let both = json!({"OR": [
        {"projects": ["p1"], "scopes": {"tunnels": {"create": {"filters": {"name": "web"}}, "list": false}}},
        {"AND": [{"projects": ["p1"]}, {"projects": ["p2"], "scopes": {"tunnels": {"list": true}}}]},
    ]});
    assert_eq!(creates(both.clone()), None);
    assert_eq!(lists(both), nowhere("tunnels.resources.read-only", "list"));
    let everything = json!({"projects": ["p1"]});
    assert_eq!(
        (lists(everything.clone()), creates(everything)),
        (None, None)
    );
    assert_eq!(
        creates(list_only.clone()),
        nowhere("tunnels.tunnels.create-delete", "create")
    );
    let nowhere = nowhere(CONNECT_PERMISSION, "connect");
    assert_eq!(mint(None, list_only.clone()), nowhere);
    assert_eq!(
        mint(Some(&[CONNECT_PERMISSION]), list_only.clone()),
        nowhere
    );
    assert_eq!(
        mint(Some(&["tunnels.resources.read-only"]), list_only.clone()),
        None
    );
    assert_eq!(mint(Some(&[]), list_only), None);
    let two = json!({"AND": [{"projects": ["p1"]}, {"projects": ["p2"]}]});
    assert_eq!(mint(None, two), nowhere);
    assert_eq!(
        mint(
            None,
            json!({"OR": [{"projects": ["p1"]}, {"projects": ["p2"]}]})
        ),
        None
    );
    for bad in [
        json!([{"projects": ["p1"]}]),
        json!(null),
        json!({}),
        json!({"path": "/"}),
    ] {
        let error = mint(None, bad.clone());
        assert!(
            matches!(error, Some(MintError::BadBoundary(_))),
            "{bad}: {error:?}"
        );
    }
}

#[test]
fn what_the_edge_would_refuse_is_not_minted() {
    assert_eq!(
        mint_hs256(&SECRET[1..], &request()).err(),
        Some(MintError::SecretTooShort)
    );
    for (not_before, expires_at, expected) in [
        (None, Some(NOW), Some(MintError::BadDates)),
        (None, Some(NOW + 1), None),
        (Some(NOW + 5), Some(NOW + 5), Some(MintError::BadDates)),
        (Some(NOW + 5), Some(NOW + 6), None),
        (Some(1 << 53), None, Some(MintError::BadDates)),
        (None, Some((1 << 53) + 1), Some(MintError::BadDates)),
        (None, Some(1 << 53), None),
    ] {
        let request = MintRequest {
            not_before,
            expires_at,
            ..request()
        };
        assert_eq!(mint_hs256(SECRET, &request).err(), expected, "{request:?}");
    }
    let long = MintRequest {
        subject: Some("s".repeat(TOKEN_BYTES_MAX)),
        ..request()
    };
    assert_eq!(mint_hs256(SECRET, &long).err(), Some(MintError::TooLong));
}

#[test]
fn an_inspection_shows_everything_but_the_signature() {
    let token = sign("{\"sub\":\"a\u{202e}\u{1f600}\u{7f}\",\"exp\":18446744073709551615}");
    let signature = token.rsplit('.').next().unwrap();
    let inspection = inspect(&token).unwrap();
    let text = inspection.to_string();
    assert!(text.contains("signature not checked") && text.contains("HS256"));
    assert!(text.contains(r"a\u202e\ud83d\ude00\u007f") && text.is_ascii());
    assert!(text.contains("18446744073709551615"));
    assert!(!text.contains(signature) && !inspection.json().to_string().contains(signature));
    assert_eq!(inspection.json()["signature_checked"], false);
    assert_eq!(inspection.json()["header"]["alg"], "HS256");
    assert_eq!(
        inspection.json()["claims"]["sub"],
        "a\u{202e}\u{1f600}\u{7f}"
    );
}

#[test]
fn only_tokens_are_inspected() {
    for (token, error) in [
        ("a.b", TokenError::Malformed),
        (&sign("{}")[1..], TokenError::Malformed),
        (&sign("{"), TokenError::BadJson(JsonError::Syntax)),
        (
            &sign(r#"{"a":1,"a":2}"#),
            TokenError::BadJson(JsonError::DuplicateKey),
        ),
    ] {
        assert_eq!(inspect(token).err(), Some(error), "{token}");
    }
    // Anyone's token can be looked at.
    assert!(inspect(&sign_with(b"x", r#"{"alg":"none"}"#, "{}")).is_ok());
}
