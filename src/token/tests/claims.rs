use super::*;
use crate::limits::{PATTERNS_MAX, SUBJECT_BYTES_MAX, TOLD_SUBJECT_BYTES_MAX};

/// Case 10.
#[test]
fn dates_are_exact() {
    use TokenError::{Expired, IssuedInFuture, NotYetValid};
    for (claim, at, expected) in [
        (format!(r#"{{"exp":{NOW}}}"#), NOW - 1, None),
        (format!(r#"{{"exp":{NOW}}}"#), NOW, Some(Expired)),
        (format!(r#"{{"exp":{NOW}}}"#), NOW + 1, Some(Expired)),
        (r#"{"exp":0}"#.into(), NOW, Some(Expired)),
        (format!(r#"{{"nbf":{NOW}}}"#), NOW - 1, Some(NotYetValid)),
        (format!(r#"{{"nbf":{NOW}}}"#), NOW, None),
        (format!(r#"{{"iat":{NOW}}}"#), NOW - 300, None),
        (
            format!(r#"{{"iat":{NOW}}}"#),
            NOW - 301,
            Some(IssuedInFuture),
        ),
        (r#"{"exp":9007199254740992}"#.into(), NOW, None),
        (
            r#"{"exp":9007199254740992}"#.into(),
            u64::MAX,
            Some(Expired),
        ),
    ] {
        let result = verify(sign(&claim).as_bytes(), &keys(), at);
        assert_eq!(result.err(), expected, "{claim} at {at}");
    }
    let token = verified(&format!(r#"{{"exp":{}}}"#, NOW + 10));
    assert_eq!(token.check_time(NOW + 9), Ok(()));
    assert_eq!(token.check_time(NOW + 10), Err(Expired));
}

#[test]
fn a_claim_of_the_wrong_type_is_invalid_and_never_absent() {
    for payload in [
        r#"{"exp":null}"#,
        r#"{"exp":"1800000000"}"#,
        r#"{"exp":1800000000.0}"#,
        r#"{"exp":18e8}"#,
        r#"{"exp":-1}"#,
        r#"{"exp":9007199254740993}"#,
        r#"{"exp":[1800000000]}"#,
        r#"{"nbf":null}"#,
        r#"{"nbf":0.5}"#,
        r#"{"iat":null}"#,
        r#"{"iat":-5}"#,
        r#"{"sub":null}"#,
        r#"{"sub":1}"#,
        r#"{"iss":null}"#,
        r#"{"iss":["a"]}"#,
        r#"{"jti":1}"#,
        r#"{"aud":null}"#,
        r#"{"aud":1}"#,
        r#"{"aud":["a",1]}"#,
        r#"{"permissions":"all"}"#,
        r#"{"permissions":true}"#,
        r#"{"permissions":{}}"#,
        r#"{"permissions":["tunnels.streams.create-delete",1]}"#,
        r#"{"permissions":[null]}"#,
        r#"{"metadata":null}"#,
        r#"{"metadata":"x"}"#,
        r#"{"metadata":{"engine":1}}"#,
        r#"{"metadata":{"engine":null}}"#,
        r#"{"metadata":{"other":"x"}}"#,
        r#"{"resources":null}"#,
        r#"{"resources":{}}"#,
        r#"{"resources":[]}"#,
        r#"{"resources":{"tunnels":{"projects":["p1"]},"webtty":{}}}"#,
        r#"{"resources":{"webtty":{}}}"#,
    ] {
        assert_eq!(
            refusal(&sign(payload)),
            Some(TokenError::BadClaims),
            "{payload}"
        );
    }
    for payload in [
        r#"{"exp":1800000000,"nbf":0,"iat":0,"sub":"","iss":"i","jti":"j","aud":"a"}"#,
        r#"{"aud":[],"permissions":null,"metadata":{}}"#,
        r#"{"aud":["a","b"],"name":"Ana","scope":{"any":[1.5,-1]}}"#,
    ] {
        assert_eq!(refusal(&sign(payload)), None, "{payload}");
    }
}

#[test]
fn older_restrictions_are_refused_not_ignored() {
    for payload in [
        r#"{"tunnelsGrants":[]}"#,
        r#"{"tunnelsGrants":null}"#,
        r#"{"metadata":{"scopes":{}}}"#,
        r#"{"metadata":{"scopes":null}}"#,
    ] {
        assert_eq!(
            refusal(&sign(payload)),
            Some(TokenError::LegacyClaims),
            "{payload}"
        );
    }
    assert_eq!(refusal(&sign(r#"{"scopes":{}}"#)), None);
}

#[test]
fn a_token_for_another_engine_is_refused() {
    for (engine, host, expected) in [
        ("edge.example.com", "edge.example.com", None),
        ("EDGE.example.com:443", "edge.example.com", None),
        ("edge.example.com", "Edge.Example.com:443", None),
        (
            "edge.example.com:8443",
            "edge.example.com",
            Some(TokenError::OtherEngine),
        ),
        (
            "edge.example.com:443:443",
            "edge.example.com",
            Some(TokenError::OtherEngine),
        ),
        (
            "other.example.com",
            "edge.example.com",
            Some(TokenError::OtherEngine),
        ),
        ("", "edge.example.com", Some(TokenError::OtherEngine)),
        ("", "", Some(TokenError::OtherEngine)),
    ] {
        let keys = TokenKeys::new(SECRET, Some(bounds()), host);
        let token = sign(format!(r#"{{"metadata":{{"engine":"{engine}"}}}}"#));
        assert_eq!(
            verify(token.as_bytes(), &keys, NOW).err(),
            expected,
            "{engine} at {host}"
        );
    }
}

/// Cases 11 and 12, and S4.4: what the configuration bounds, no claim widens.
#[test]
fn permissions_and_projects_are_bounded() {
    let list = "tunnels.resources.read-only";
    let create = "tunnels.tunnels.create-delete";
    for (payload, connects, lists, creates) in [
        (r#"{}"#.to_owned(), true, true, false),
        (r#"{"permissions":null}"#.into(), true, true, false),
        (r#"{"permissions":[]}"#.into(), false, false, false),
        (
            format!(r#"{{"permissions":["{list}"]}}"#),
            false,
            true,
            false,
        ),
        (
            format!(r#"{{"permissions":["{CONNECT_PERMISSION}","{create}"]}}"#),
            true,
            false,
            false,
        ),
        (
            format!(
                r#"{{"permissions":["{CONNECT_PERMISSION} ","*","TUNNELS.streams.create-delete"]}}"#
            ),
            false,
            false,
            false,
        ),
    ] {
        let token = verified(&payload);
        let may = [CONNECT_PERMISSION, list, create].map(|one| token.may(one));
        assert_eq!(may, [connects, lists, creates], "{payload}");
    }
    let token = verified("{}");
    assert!(token.owns_project("p2"));
    assert!(!token.owns_project("p3") && !token.owns_project(""));
}

#[test]
fn without_a_bound_there_are_no_ce_tokens() {
    let keys = TokenKeys::new(SECRET, None, "edge.example.com");
    assert_eq!(
        verify(sign("{}").as_bytes(), &keys, NOW).err(),
        Some(TokenError::CeNotAllowed)
    );
    let nothing = Bounds {
        permissions: Some([].into()),
        ..Bounds::default()
    };
    let keys = TokenKeys::new(SECRET, Some(nothing), "edge.example.com");
    let token = verify(sign("{}").as_bytes(), &keys, NOW).unwrap();
    assert!(!token.may(CONNECT_PERMISSION) && !token.owns_project("p1") && !token.may(""));
}

#[test]
fn boundaries_are_parsed_with_the_token() {
    let bounded = |boundary: &str| sign(format!(r#"{{"resources":{{"tunnels":{boundary}}}}}"#));
    let path = |rule: &str| {
        bounded(&format!(
            r#"{{"projects":["p1"],"scopes":{{"tunnels":{{"connect":{{"params":{{"path":{rule}}}}}}}}}}}"#
        ))
    };
    let rules = |token: &VerifiedToken| {
        let boundaries = token.boundaries();
        boundaries.map(Boundary::has_path_rule).collect::<Vec<_>>()
    };
    let token = checked(&path(r#"{"regex":"^/api"}"#)).unwrap();
    assert_eq!(rules(&token), [true]);
    let token = checked(&bounded(r#"{"projects":["p1"]}"#)).unwrap();
    assert_eq!(rules(&token), [false]);
    assert!(rules(&verified("{}")).is_empty());

    for bad in [
        "null",
        "{}",
        "[]",
        "true",
        r#"[{"projects":["p1"]}]"#,
        r#"{"project":["p1"]}"#,
    ] {
        let error = refusal(&bounded(bad));
        assert!(
            matches!(error, Some(TokenError::BadBoundary(_))),
            "{bad}: {error:?}"
        );
    }
    let error = refusal(&path(r#"{"regex":"("}"#));
    assert!(matches!(error, Some(TokenError::BadBoundary(_))));
    let many: Vec<String> = (0..=PATTERNS_MAX)
        .map(|n| format!(r#"{{"regex":"{n}"}}"#))
        .collect();
    for rule in [
        format!(r#"{{"OR":[{}]}}"#, many.join(",")),
        r#"{"regex":"[ab]*a[ab]{15}"}"#.into(),
        format!(r#"{{"regex":"{}"}}"#, "a".repeat(1025)),
    ] {
        assert_eq!(
            refusal(&path(&rule)),
            Some(TokenError::PatternTooLarge),
            "{rule}"
        );
    }
}

#[test]
fn subjects_are_safe_to_log() {
    let long = "s".repeat(SUBJECT_BYTES_MAX + 1);
    for (subject, expected) in [
        ("", ""),
        ("ana@example.com", "ana@example.com"),
        (r#"a\nb\u0000c\u001b[0m"#, "a?b?c?[0m"),
        ("\u{e9}\u{202e}x", "??x"),
        (r#"\u007f"#, "?"),
        (long.as_str(), &long[1..]),
    ] {
        let token = verified(&format!(r#"{{"sub":"{subject}"}}"#));
        assert_eq!(token.subject(), expected);
    }
    assert_eq!(verified("{}").subject(), "");
}

/// What is cut for a log must not be cut for who decides by it.
#[test]
fn subjects_are_kept_exactly_or_not_at_all() {
    let fits = "s".repeat(TOLD_SUBJECT_BYTES_MAX);
    for (subject, exact) in [
        ("", Some("")),
        (r#"a\nb\u0000"#, Some("a\nb\0")),
        ("\u{e9}\u{202e}", Some("\u{e9}\u{202e}")),
        (&fits, Some(&*fits)),
        (&format!("{fits}s"), None),
    ] {
        let token = verified(&format!(r#"{{"sub":"{subject}"}}"#));
        assert_eq!(token.exact_subject(), exact);
        assert_eq!(token.has_long_subject(), exact.is_none());
    }
    let nobody = verified("{}");
    assert_eq!(
        (nobody.exact_subject(), nobody.has_long_subject()),
        (None, false)
    );
}
