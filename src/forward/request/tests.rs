use proptest::prelude::*;

use super::*;
use crate::authz;
use crate::http::HeadLimits;
use crate::http::request::RequestHead;

mod generated;
mod referer;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 64 * 1024,
    header_fields: 64,
    target_bytes: 16 * 1024,
};

const ORIGIN: Origin<'_> = Origin {
    client: "192.0.2.7",
    scheme: "https",
    request_id: "id-1",
    websocket: false,
    trailers: false,
    identity: b"",
};

/// The head that leaves for this head.
fn forwarded_with(head: &str, withholds_authorization: bool) -> String {
    let mut parsed = RequestHead::new();
    parsed
        .parse(head.as_bytes(), &LIMITS)
        .unwrap_or_else(|error| panic!("{}: {head:?}", error.reason()));
    let request = Request {
        bytes: head.as_bytes(),
        head: &parsed,
    };
    let mut out = Vec::new();
    write(
        authz::public(0, withholds_authorization),
        request,
        ORIGIN,
        &mut out,
    )
    .unwrap();
    String::from_utf8(out).unwrap()
}

fn forwarded(head: &str) -> String {
    forwarded_with(head, false)
}

/// What becomes of these field lines between `Host` and what the edge adds.
fn left(lines: &str) -> String {
    let head = forwarded(&format!("GET / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n"));
    let (start, end) = (
        "GET / HTTP/1.1\r\nHost: a.example\r\n",
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\nX-Request-Id: id-1\r\n\r\n",
    );
    let rest = head.strip_prefix(start).unwrap_or_else(|| panic!("{head}"));
    let middle = rest.strip_suffix(end).unwrap_or_else(|| panic!("{head}"));
    middle.to_owned()
}

proptest! {
    /// Lines that leave together, in one piece, and lines that leave alone are the same lines.
    #[test]
    fn each_line_leaves_as_if_it_were_alone(
        lines in proptest::collection::vec(
            prop::sample::select(vec![
                "A: 1\r\n", "B: two words\r\n", "C:3\r\n", "D:  4\r\n", "E: 5 \r\n", "F:\r\n", "G: \r\n", "X-Adit-H: 8\r\n",
                "Keep-Alive: 9\r\n", "Cookie: rstream_auth=x; a=1\r\n", "Cookie: rstream_auth=x\r\n", "Cookie: b=2\r\n",
                "Referer: http://a/?rstream.token=x\r\n", "Max-Forwards: 1\r\n", "Accept: */*\r\n",
            ]),
            0..12,
        )
    ) {
        let alone: String = lines.iter().map(|line| left(line)).collect();
        prop_assert_eq!(left(&lines.concat()), alone);
    }
}

/// The target that leaves for this target.
fn target_left(target: &str) -> String {
    let head = forwarded(&format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    let line = head.split("\r\n").next().unwrap();
    line["GET ".len()..line.len() - " HTTP/1.1".len()].to_owned()
}

#[test]
fn a_whole_head() {
    let head = forwarded(
        "POST /a%20b/../c?x=1&rstream.token=t&y= HTTP/1.0\r\nX-One:  1 \t\r\nHost: A.Example.:8443\r\nx-one:2\r\n\
         Content-Length: 003\r\nconnection: keep-alive, X-Mine\r\nX-Mine: 1\r\n\r\n",
    );
    assert_eq!(
        head,
        "POST /a%20b/../c?x=1&y= HTTP/1.1\r\nHost: a.example:8443\r\nX-One: 1\r\nx-one: 2\r\n\
         Content-Length: 3\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Host: a.example\r\nX-Request-Id: id-1\r\n\r\n"
    );
}

/// The whole table of what goes, beside what stays though it looks alike.
#[test]
fn fields_are_removed_in_every_spelling() {
    const REMOVED: [&str; 34] = [
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
        "Proxy-Authorization",
        "Proxy-Authenticate",
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Real-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Client-Cert",
        "X-Client-Cert-Chain",
        "X-SSL-Client-Verify",
        "X-Tls-Version",
        "X-Adit-Subject",
        "X-Adit-Assertion",
        "X-Original-URL",
        "X-Original-URI",
        "X-Rewrite-URL",
        "X-Original-Host",
        "X-Host",
        "X-Path",
        "X-Script-Name",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "Rstream-Authorization",
    ];
    for name in REMOVED {
        let (upper, under) = (name.to_uppercase(), name.replace('-', "_"));
        let mixed = under.to_lowercase().replacen('_', "-", 1);
        for spelling in [name, &upper, &under, &mixed] {
            let lines = format!("{spelling}: 1\r\n{spelling}: 2\r\n");
            assert_eq!(left(&lines), "", "{spelling}");
        }
    }
    assert_eq!(left("X-Request-Id: chosen\r\nx_request_id: chosen\r\n"), "");
    assert_eq!(left("Connection: close\r\n"), "");
    assert_eq!(left("Expect: 100-continue\r\n"), "");
}

#[test]
fn fields_of_the_application_stay_as_they_are() {
    const KEPT: [&str; 20] = [
        "Accept",
        "Authorization",
        "Cookie",
        "Origin",
        "Referer",
        "Set-Cookie",
        "Cache-Control",
        "Alt-Svc",
        "Via",
        "X-Forwarded",
        "X-Forwardedfor",
        "X-Real",
        "X-Adit",
        "XAdit-Subject",
        "X-Ssl",
        "X-Clientcert",
        "X-Original",
        "Sec-WebSocket-Key",
        "X_Custom",
        "Content-Type",
    ];
    for name in KEPT {
        let lines = format!("{name}: a=1; b, \u{7f0}\"c\"\r\n");
        assert_eq!(left(&lines), lines, "{name}");
    }
    assert_eq!(
        left("X-Empty:\r\nX-Tab:\ta\tb\t\r\n"),
        "X-Empty: \r\nX-Tab: a\tb\r\n"
    );
}

#[test]
fn what_connection_names_ends_here() {
    assert_eq!(
        left(
            "Connection: x-one , close,X_Two\r\nX-One: 1\r\nx_one: 2\r\nX-Two: 3\r\nX-Three: 4\r\n"
        ),
        "X-Three: 4\r\n"
    );
}

/// RFC 9112 7.4 and 7.8: no upgrade and no trailers go on, so nothing may announce them.
#[test]
fn an_upgrade_becomes_an_ordinary_request() {
    assert_eq!(
        left(
            "Connection: Upgrade, HTTP2-Settings, TE\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nTE: trailers\r\n"
        ),
        ""
    );
}

#[test]
fn a_withheld_authorization_is_gone_in_every_line_and_spelling() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\naUTHORIZATION: Basic y\r\nX: 1\r\n\r\n";
    let without = forwarded_with(head, true);
    assert!(!without.to_lowercase().contains("authorization") && without.contains("\r\nX: 1\r\n"));
    let with = forwarded_with(head, false);
    assert!(with.contains("Authorization: Bearer x\r\naUTHORIZATION: Basic y\r\n"));
}

#[test]
fn the_target_keeps_its_bytes_and_loses_our_parameter() {
    for (target, expected) in [
        ("/", "/"),
        ("/?", "/?"),
        ("/a/./../b//c;d%2e%2E%zz", "/a/./../b//c;d%2e%2E%zz"),
        ("/?a=%7e&&=&b+c&%zz", "/?a=%7e&&=&b+c&%zz"),
        ("/?rstream.token=t", "/"),
        ("/?rstream.token", "/"),
        ("/?rstream.token=t&", "/?"),
        ("/?a&rstream.token=t&b", "/?a&b"),
        ("/?rstream.token=t&a", "/?a"),
        ("/?a&rstream%2Etoken=t", "/?a"),
        ("/?%72stream.toke%6e=t&rstream.token=u&a=?", "/?a=?"),
        ("/?&rstream.token=t&", "/?&"),
        ("/rstream.token=t?x", "/rstream.token=t?x"),
        (
            "/?Rstream.token=t&rstream.token2=t&x=rstream.token",
            "/?Rstream.token=t&rstream.token2=t&x=rstream.token",
        ),
        ("http://a.example/x?y", "/x?y"),
        ("http://A.EXAMPLE?rstream.token=t", "/"),
        ("https://a.example", "/"),
    ] {
        assert_eq!(target_left(target), expected, "{target}");
    }
    assert!(
        forwarded("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("OPTIONS * HTTP/1.1\r\n")
    );
}

#[test]
fn cookies_of_the_edge_are_cut_out() {
    for (value, expected) in [
        ("a=1; b=2", "Cookie: a=1; b=2\r\n"),
        ("a=1;b=2 ; c", "Cookie: a=1;b=2 ; c\r\n"),
        ("rstream_auth=x", ""),
        ("a=1; rstream_auth=x; b=2", "Cookie: a=1; b=2\r\n"),
        (
            "__Host-rstream_auth=x;__HOST-RSTREAM_CHALLENGE=y;a=\"b c\"",
            "Cookie: a=\"b c\"\r\n",
        ),
        ("rstream_challenge=x; ;", ""),
        (" RSTREAM_AUTH =x; a", "Cookie: a\r\n"),
        ("rstream_auth", ""),
        (
            "rstream_authx=1; __Host-rstreamauth=2",
            "Cookie: rstream_authx=1; __Host-rstreamauth=2\r\n",
        ),
    ] {
        assert_eq!(left(&format!("Cookie: {value}\r\n")), expected, "{value}");
    }
    assert_eq!(
        left("Cookie: a=1\r\ncookie: rstream_auth=x\r\nCOOKIE: b; rstream_auth=y\r\n"),
        "Cookie: a=1\r\nCOOKIE: b\r\n"
    );
}

#[test]
fn framing_is_written_anew_and_once() {
    let framed = |lines: &str| {
        let head = forwarded(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
        let framing: Vec<&str> = head
            .split("\r\n")
            .filter(|line| {
                let line = line.to_lowercase();
                line.starts_with("content-length") || line.starts_with("transfer-encoding")
            })
            .collect();
        framing.join("|")
    };
    for (lines, expected) in [
        ("", ""),
        ("Content-Length: 0\r\n", "Content-Length: 0"),
        ("content-length: 000\r\n", "Content-Length: 0"),
        ("Content-Length: 0012\r\n", "Content-Length: 12"),
        (
            "TRANSFER-encoding: Chunked\r\n",
            "Transfer-Encoding: chunked",
        ),
    ] {
        assert_eq!(framed(lines), expected, "{lines:?}");
    }
}

#[test]
fn the_host_is_canonical_and_keeps_the_port_of_the_client() {
    let host = |value: &str| {
        let head = forwarded(&format!("GET / HTTP/1.1\r\nX: 1\r\nHost: {value}\r\n\r\n"));
        let lines: Vec<&str> = head.split("\r\n").collect();
        assert_eq!(head.to_lowercase().matches("\r\nhost:").count(), 1);
        (lines[1].to_owned(), lines[4].to_owned())
    };
    for (value, line, forwarded_host) in [
        (
            "a.example",
            "Host: a.example",
            "X-Forwarded-Host: a.example",
        ),
        (
            "A.Example.",
            "Host: a.example",
            "X-Forwarded-Host: a.example",
        ),
        (
            "a.example:0443",
            "Host: a.example:443",
            "X-Forwarded-Host: a.example",
        ),
        ("[::0001]:80", "Host: [::1]:80", "X-Forwarded-Host: [::1]"),
    ] {
        let (first, last) = host(value);
        assert_eq!(first, line, "{value}");
        assert!(last.starts_with("X-Forwarded-Proto"), "{last}");
        let head = forwarded(&format!("GET / HTTP/1.1\r\nHost: {value}\r\n\r\n"));
        assert!(
            head.contains(&format!("\r\n{forwarded_host}\r\n")),
            "{head}"
        );
    }
}

#[test]
fn an_unknown_client_is_not_spoken_of() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    let mut parsed = RequestHead::new();
    parsed.parse(head.as_bytes(), &LIMITS).unwrap();
    let request = Request {
        bytes: head.as_bytes(),
        head: &parsed,
    };
    let mut out = Vec::new();
    let origin = Origin {
        client: "",
        ..ORIGIN
    };
    write(authz::public(0, false), request, origin, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("X-Forwarded-For"), "{text}");
}

#[test]
fn a_head_that_does_not_fit_is_an_error() {
    struct Narrow(usize);
    impl Room for Narrow {
        fn append_all<const N: usize>(&mut self, pieces: [&[u8]; N]) -> bool {
            let length = pieces.concat().len();
            let fits = length <= self.0;
            self.0 -= if fits { length } else { 0 };
            fits
        }
    }
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n";
    let mut parsed = RequestHead::new();
    parsed.parse(head.as_bytes(), &LIMITS).unwrap();
    let request = Request {
        bytes: head.as_bytes(),
        head: &parsed,
    };
    let needed = forwarded(head).len();
    let fits = |bytes| write(authz::public(0, false), request, ORIGIN, &mut Narrow(bytes)).is_ok();
    assert!(fits(needed) && !fits(needed - 1) && !fits(0));
}
