use super::*;
use proptest::prelude::*;

#[test]
fn one_spelling_per_host() {
    let cases: &[(&str, &str)] = &[
        ("app.example.com", "app.example.com"),
        ("APP.Example.COM", "app.example.com"),
        ("app.example.com.", "app.example.com"),
        ("a_b-c.t", "a_b-c.t"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"),
        ("[::ffff:127.0.0.1]", "[::ffff:127.0.0.1]"),
    ];
    for (host, canonical) in cases {
        let parsed = CanonicalHost::parse(host.as_bytes()).unwrap();
        assert_eq!(parsed.as_str(), *canonical, "{host}");
    }
}

#[test]
fn refuses_what_is_no_host() {
    let cases: &[(&[u8], HostError)] = &[
        (b"", HostError::Empty),
        (b".", HostError::Empty),
        (b"..", HostError::BadName),
        (b"a..", HostError::BadName),
        (b".a", HostError::BadName),
        (b"a..b", HostError::BadName),
        (b"a b", HostError::BadName),
        (b"a/b", HostError::BadName),
        (b"a\\b", HostError::BadName),
        (b"user@a", HostError::BadName),
        (b"a:80", HostError::BadName),
        (b"a%2eb", HostError::BadName),
        (b"a,b", HostError::BadName),
        (b"a\0", HostError::BadName),
        ("bücher.example".as_bytes(), HostError::BadName),
        (b"::1", HostError::BadName),
        (b"[::1", HostError::BadAddress),
        (b"[]", HostError::BadAddress),
        (b"[fe80::1%25eth0]", HostError::BadAddress),
        (b"[fe80::1%1]", HostError::BadAddress),
        (b"[127.0.0.1]", HostError::BadAddress),
        (b"[v1.x]", HostError::BadAddress),
        (b"[::1].", HostError::BadAddress),
    ];
    for (host, error) in cases {
        let shown = String::from_utf8_lossy(host);
        assert_eq!(CanonicalHost::parse(host), Err(*error), "{shown:?}");
    }
}

#[test]
fn lengths_hold_to_the_byte() {
    let label = "a".repeat(63);
    assert!(CanonicalHost::parse(label.as_bytes()).is_ok());
    assert_eq!(
        CanonicalHost::parse(format!("{label}a.b").as_bytes()),
        Err(HostError::BadName)
    );
    let name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(name.len(), HOST_BYTES_MAX);
    assert!(CanonicalHost::parse(name.as_bytes()).is_ok());
    assert!(CanonicalHost::parse(format!("{name}.").as_bytes()).is_ok());
    assert_eq!(
        CanonicalHost::parse(format!("{name}a").as_bytes()),
        Err(HostError::TooLong)
    );
}

#[test]
fn the_port_is_digits_up_to_65535() {
    let parse = |value: &str| {
        CanonicalHost::parse_authority(value.as_bytes())
            .map(|(host, port)| (host.as_str().to_owned(), port))
    };
    assert_eq!(parse("A.b"), Ok(("a.b".into(), None)));
    assert_eq!(parse("A.b.:443"), Ok(("a.b".into(), Some(443))));
    assert_eq!(parse("a:0"), Ok(("a".into(), Some(0))));
    assert_eq!(parse("a:65535"), Ok(("a".into(), Some(65535))));
    assert_eq!(parse("[::1]:8443"), Ok(("[::1]".into(), Some(8443))));
    for bad in [
        "a:", "a:65536", "a:99999", "a:000080", "a:+80", "a:-1", "a:8 0", "a:80:80", "a:80a",
        "a:0x50", "[::1]:", "a:８０",
    ] {
        assert_eq!(parse(bad), Err(HostError::BadPort), "{bad}");
    }
    assert_eq!(parse("[::1]80"), Err(HostError::BadAddress));
    assert_eq!(parse("[::1"), Err(HostError::BadAddress));
    assert_eq!(parse(":80"), Err(HostError::Empty));
    assert_eq!(parse("user:pass@a"), Err(HostError::BadPort));
}

proptest! {
    #[test]
    fn canonical_twice_is_canonical_once(text in "\\[?[a-zA-Z0-9.:_-]{0,40}\\]?(:[0-9]{0,6})?") {
        fuzz_host(text.as_bytes());
    }

    #[test]
    fn a_name_is_labels_of_known_bytes(text in "[a-zA-Z0-9._-]{0,20}[ -~]?[a-z.]{0,30}[a-z]{0,70}") {
        let name = text.strip_suffix('.').unwrap_or(&text);
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_name = name
            .split('.')
            .all(|label| (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(known));
        let parsed = CanonicalHost::parse(text.as_bytes());
        prop_assert_eq!(parsed.is_ok(), is_name, "{}", text);
        if let Ok(host) = parsed {
            prop_assert_eq!(host.as_str(), name.to_ascii_lowercase());
        }
    }
}
