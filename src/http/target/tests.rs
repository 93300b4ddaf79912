use super::*;
use proptest::prelude::*;

fn parse(
    target: &str,
    method: Method,
) -> Result<(String, Option<String>, Option<String>), TargetError> {
    // An offset shows that spans count from the head's first byte.
    let head = format!("GET {target}");
    let (parsed, authority) = Target::parse(target.as_bytes(), 4, method)?;
    let text = |span: Span| String::from_utf8(span.of(head.as_bytes()).to_vec()).unwrap();
    let authority = authority.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
    Ok((text(parsed.path), parsed.query.map(text), authority))
}

#[test]
fn three_forms_become_one() {
    let cases: &[(&str, &str, Option<&str>, Option<&str>)] = &[
        ("/", "/", None, None),
        ("/a/b?c=d?e", "/a/b", Some("c=d?e"), None),
        ("/a?", "/a", Some(""), None),
        ("//a", "//a", None, None),
        ("/a|b\"{}^`<>\\", "/a|b\"{}^`<>\\", None, None),
        ("http://A.b/x?y", "/x", Some("y"), Some("A.b")),
        ("HTTPS://a.b:443/x", "/x", None, Some("a.b:443")),
        ("http://a.b", "", None, Some("a.b")),
        ("http://a.b?x", "", Some("x"), Some("a.b")),
        ("http://[::1]:80/", "/", None, Some("[::1]:80")),
    ];
    for (target, path, query, authority) in cases {
        let expected = (
            (*path).to_owned(),
            query.map(str::to_owned),
            authority.map(str::to_owned),
        );
        assert_eq!(parse(target, Method::Get), Ok(expected), "{target}");
    }
}

#[test]
fn the_asterisk_is_for_options_alone() {
    let expected = ("*".to_owned(), None, None);
    assert_eq!(parse("*", Method::Options), Ok(expected));
    for method in [Method::Get, Method::Post, Method::Other] {
        assert_eq!(parse("*", method), Err(TargetError::Asterisk));
    }
    for target in ["**", "*/", "*?a"] {
        assert_eq!(parse(target, Method::Options), Err(TargetError::Malformed));
    }
}

#[test]
fn refuses_what_is_no_target() {
    for target in [
        "",
        "a",
        "a/b",
        "?a",
        "/a#b",
        "/#",
        "http://a/#",
        "/a b",
        "/a\tb",
        "/a\0",
        "/a\u{7f}",
        "/é",
        "/a\r",
        "ftp://a/",
        "http:/a",
        "http:a",
        "a.b:443",
        "\\a",
        "javascript:alert(1)",
    ] {
        assert_eq!(
            parse(target, Method::Get),
            Err(TargetError::Malformed),
            "{target:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_byte_is_lost(target in "(https?://[a-z.:@0-9]{0,9})?[/?*a-z#%]{0,20}") {
        fuzz_target(target.as_bytes());
    }
}
