//! Cookies of the edge, which no upstream sees and none may set (S5.2).

use crate::authn::cookie::{is_ours, name, pairs};

pub(super) use crate::authn::cookie::holds_ours;

/// The pairs of a `Cookie` field value that are not ours. Each keeps its bytes.
pub(super) fn foreign_pairs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    pairs(value)
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !is_ours(name(pair)))
}

/// Whether a `Set-Cookie` field value sets a cookie of ours, the nameless form (`=rstream_auth=x`) included.
pub(super) fn sets_ours(value: &[u8]) -> bool {
    let pair = value.split(|&byte| byte == b';').next().unwrap_or_default();
    is_ours(name(pair))
}

/// A `Set-Cookie` field value's parts between its semicolons, without a `Domain` other than `host`: what is left holds
/// for this host alone. Each part keeps its bytes.
pub(super) fn without_foreign_domain<'a>(
    value: &'a [u8],
    host: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    let mut parts = value.split(|&byte| byte == b';');
    let pair = parts.next();
    let attributes = parts.filter(move |part| {
        let mut sides = part.splitn(2, |&byte| byte == b'=').map(<[u8]>::trim_ascii);
        let is_domain = sides
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(b"domain"));
        let domain = sides.next().unwrap_or_default();
        // RFC 6265 5.2.3: one leading dot means nothing.
        let domain = domain.strip_prefix(b".").unwrap_or(domain);
        !is_domain || domain.eq_ignore_ascii_case(host.as_bytes())
    });
    pair.into_iter().chain(attributes)
}

/// Any field value: no reader finds a cookie of ours in what leaves the edge, and none finds one for another host.
pub fn fuzz_cookie(value: &[u8]) {
    const HOST: &str = "app.t.example.com";
    let pairs: Vec<_> = foreign_pairs(value).collect();
    let written = pairs.join(&b"; "[..]);
    assert!(!holds_ours(&written));
    assert_eq!(
        holds_ours(value),
        pairs.len() < value.split(|&byte| byte == b';').count()
    );
    for pair in written.split(|&byte| byte == b';') {
        let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        let name = name.trim_ascii().to_ascii_lowercase();
        assert!(!name.starts_with(b"__host-rstream_") && name != b"rstream_auth");
    }

    let parts: Vec<_> = without_foreign_domain(value, HOST).collect();
    let written = parts.join(&b';');
    assert_eq!(
        sets_ours(&written),
        sets_ours(value),
        "the pair is untouched"
    );
    let again: Vec<_> = without_foreign_domain(&written, HOST).collect();
    assert_eq!(again, parts);
    let attributes = String::from_utf8_lossy(&written).to_ascii_lowercase();
    for attribute in attributes.split(';').skip(1) {
        if let Some((name, domain)) = attribute.split_once('=')
            && name.trim_ascii() == "domain"
        {
            assert_eq!(domain.trim_ascii().trim_start_matches('.'), HOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_for_other_hosts_becomes_one_for_this_host() {
        for (value, left) in [
            ("a=1", "a=1"),
            ("a=1; Path=/;  Secure", "a=1; Path=/;  Secure"),
            (
                "a=1; Domain=app.t.example.com; Secure",
                "a=1; Domain=app.t.example.com; Secure",
            ),
            (
                "a=1; domain = .APP.t.example.com",
                "a=1; domain = .APP.t.example.com",
            ),
            ("a=1; Domain=t.example.com; Secure", "a=1; Secure"),
            ("a=1;DOMAIN=.t.example.com", "a=1"),
            ("a=1;\tdomain\t=\texample.com;b", "a=1;b"),
            ("a=1; Domain=evil.t.example.com", "a=1"),
            (
                "a=1; Domain=app.t.example.com; Domain=t.example.com",
                "a=1; Domain=app.t.example.com",
            ),
            ("a=1; Domain=\"t.example.com\"", "a=1"),
            ("a=1; Domain=..app.t.example.com", "a=1"),
            ("a=1; Domain=; Domain", "a=1"),
            ("Domain=t.example.com", "Domain=t.example.com"),
            ("", ""),
        ] {
            let parts: Vec<_> =
                without_foreign_domain(value.as_bytes(), "app.t.example.com").collect();
            assert_eq!(parts.join(&b';'), left.as_bytes(), "{value}");
        }
    }

    #[test]
    fn ours_are_cut_and_the_rest_keeps_its_bytes() {
        for (value, left) in [
            (&b"a=1; rstream_auth=x; b=2"[..], "a=1; b=2"),
            (b"rstream_auth=x", ""),
            (b"__Host-rstream_auth=x; __host-RSTREAM_state_1=y; c", "c"),
            (
                b"rstream_authx=1; xrstream_auth=2",
                "rstream_authx=1; xrstream_auth=2",
            ),
            (b"rstream_auth; a=\"b;rstream_challenge=c\"", "a=\"b"),
        ] {
            let pairs: Vec<_> = foreign_pairs(value).collect();
            assert_eq!(
                pairs.join(&b"; "[..]),
                left.as_bytes(),
                "{}",
                value.escape_ascii()
            );
        }
        assert!(holds_ours(b"a=1;RSTREAM_AUTH =x") && !holds_ours(b"a=rstream_auth"));
        assert!(holds_ours(b"a; = =rstream_auth=x") && !holds_ours(b"=a=rstream_auth"));
    }

    #[test]
    fn an_upstream_sets_its_own_only() {
        for value in [
            &b"rstream_auth=x; Path=/"[..],
            b" __Host-rstream_auth =x",
            b"__HOST-Rstream_Challenge=1",
            b"=rstream_auth=x",
            b" == rstream_auth=x",
            b"rstream_auth",
        ] {
            assert!(sets_ours(value), "{}", value.escape_ascii());
        }
        for value in [
            &b"sid=rstream_authx"[..],
            b"a=1; rstream_auth=x",
            b"a=rstream_auth",
            b"rstream=1",
        ] {
            assert!(!sets_ours(value), "{}", value.escape_ascii());
        }
    }
}
