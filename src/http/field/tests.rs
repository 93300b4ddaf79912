use super::*;
use proptest::prelude::*;

/// The whole list of names that are not `Other`.
const TABLE: &[(&str, FieldKind)] = &[
    ("Host", FieldKind::Host),
    ("Content-Length", FieldKind::ContentLength),
    ("Transfer-Encoding", FieldKind::TransferEncoding),
    ("Connection", FieldKind::Connection),
    ("Keep-Alive", FieldKind::KeepAlive),
    ("Proxy-Connection", FieldKind::ProxyConnection),
    ("TE", FieldKind::Te),
    ("Trailer", FieldKind::Trailer),
    ("Upgrade", FieldKind::Upgrade),
    ("HTTP2-Settings", FieldKind::Http2Settings),
    ("Expect", FieldKind::Expect),
    ("Max-Forwards", FieldKind::MaxForwards),
    ("Authorization", FieldKind::Authorization),
    ("Rstream-Authorization", FieldKind::RstreamAuthorization),
    ("Proxy-Authorization", FieldKind::ProxyAuthorization),
    ("Proxy-Authenticate", FieldKind::ProxyAuthenticate),
    ("Cookie", FieldKind::Cookie),
    ("Set-Cookie", FieldKind::SetCookie),
    ("Referer", FieldKind::Referer),
    ("Origin", FieldKind::Origin),
    ("X-Request-Id", FieldKind::RequestId),
    ("Cache-Control", FieldKind::CacheControl),
    ("Alt-Svc", FieldKind::AltSvc),
    ("Forwarded", FieldKind::Protected),
    ("Proxy", FieldKind::Protected),
    ("X-Forwarded-For", FieldKind::Protected),
    ("X-Forwarded-Host", FieldKind::Protected),
    ("X-Forwarded-Proto", FieldKind::Protected),
    (
        "X-Forwarded-Anything-At-All-However-Long-It-Is",
        FieldKind::Protected,
    ),
    ("X-Real-IP", FieldKind::Protected),
    ("True-Client-IP", FieldKind::Protected),
    ("CF-Connecting-IP", FieldKind::Protected),
    ("X-Client-Cert", FieldKind::Protected),
    ("X-Client-Certificate-Fingerprint", FieldKind::Protected),
    ("X-SSL-Client-DN", FieldKind::Protected),
    ("X-Tls-Version", FieldKind::Protected),
    ("X-Original-URL", FieldKind::Protected),
    ("X-Original-URI", FieldKind::Protected),
    ("X-Rewrite-URL", FieldKind::Protected),
    ("X-Original-Host", FieldKind::Protected),
    ("X-Host", FieldKind::Protected),
    ("X-Path", FieldKind::Protected),
    ("X-Script-Name", FieldKind::Protected),
    ("X-Adit-Subject", FieldKind::Adit),
    ("X-Adit-", FieldKind::Adit),
    ("X-HTTP-Method-Override", FieldKind::MethodOverride),
    ("X-HTTP-Method", FieldKind::MethodOverride),
    ("X-Method-Override", FieldKind::MethodOverride),
];

#[test]
fn the_table_holds_in_every_spelling() {
    for (name, kind) in TABLE {
        let upper = name.to_uppercase();
        let underscored = name.to_lowercase().replace('-', "_");
        for spelling in [*name, &upper, &underscored] {
            assert_eq!(classify(spelling.as_bytes()), *kind, "{spelling}");
        }
    }
}

#[test]
fn one_byte_more_or_less_is_another_name() {
    for (name, kind) in TABLE {
        let shorter = &name[1..];
        assert_ne!(classify(shorter.as_bytes()), *kind, "{shorter}");
        let before = format!("A{name}");
        assert_eq!(classify(before.as_bytes()), FieldKind::Other, "{before}");
        let name_of_family = name.to_lowercase();
        let behind_x = name_of_family.strip_prefix("x-").unwrap_or_default();
        let family = FAMILIES
            .iter()
            .any(|(start, _)| behind_x.as_bytes().starts_with(start));
        if !family {
            let after = format!("{name}A");
            assert_eq!(classify(after.as_bytes()), FieldKind::Other, "{after}");
        }
    }
    for name in [
        "",
        "X-",
        "X-Forwarded",
        "X-Forwarded.For",
        "X-Adit",
        "X-SSL",
        "X-Client-Cer",
    ] {
        assert_eq!(classify(name.as_bytes()), FieldKind::Other, "{name}");
    }
}

#[test]
fn families_fit_the_buffer() {
    let families = FAMILIES.iter();
    assert!(families.map(|(start, _)| b"x-".len() + start.len()).max() < Some(KNOWN_NAME_BYTES));
}

#[test]
fn same_name_ignores_case_and_underscores_alone() {
    assert!(same_name(b"X-A_b", b"x_a-B"));
    assert!(!same_name(b"X-A", b"X-AB"));
    assert!(!same_name(b"X-A", b"X.A"));
}

proptest! {
    #[test]
    fn spelling_changes_nothing(name in "[!-~]{0,40}") {
        fuzz_field(name.as_bytes());
    }
}
