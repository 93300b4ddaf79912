use super::*;
use crate::http::HeadLimits;
use crate::http::request::Method;
use crate::http::response::ResponseHead;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 64 * 1024,
    header_fields: 64,
    target_bytes: 16 * 1024,
};

const TERMS: Terms<'_> = Terms {
    host: "app.t.example.com",
    client: Version::Http11,
    persistent: true,
    token_in_query: false,
    for_one: false,
    from_edge: false,
    trailers: false,
    date: HttpDate::new_const(),
};

fn parsed(head: &str, method: Method) -> ResponseHead {
    let mut parsed = ResponseHead::new();
    parsed
        .parse(head.as_bytes(), method, &LIMITS)
        .unwrap_or_else(|error| panic!("{}: {head:?}", error.reason()));
    parsed
}

fn answered(head: &str, method: Method, terms: Terms<'_>) -> (String, Delivery, bool) {
    let parsed = parsed(head, method);
    let response = Response {
        bytes: head.as_bytes(),
        head: &parsed,
    };
    let mut out = Vec::new();
    let (delivery, persistent) = write(response, terms, &mut out).unwrap();
    let mut out = String::from_utf8(out).unwrap();
    // `TERMS` knows no time, and most answers here say none.
    if !head.contains("Date: ") {
        out = out.replacen("Date: \r\n", "", 1);
    }
    (out, delivery, persistent)
}

/// What becomes of these field lines.
fn left_under(lines: &str, terms: Terms<'_>) -> String {
    let head = format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n");
    let (text, ..) = answered(&head, Method::Get, terms);
    let rest = text.strip_prefix("HTTP/1.1 200 OK\r\n").unwrap();
    rest.replacen("Content-Length: 0\r\n", "", 1)
        .strip_suffix("\r\n")
        .unwrap()
        .to_owned()
}

fn left(lines: &str) -> String {
    left_under(lines, TERMS)
}

#[test]
fn fields_of_this_hop_and_of_the_edge_are_removed_in_every_spelling() {
    const REMOVED: [&str; 12] = [
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "X-Adit-Subject",
        "X-Adit-",
        "Alt-Svc",
        "X-Adit-Assertion",
    ];
    for name in REMOVED {
        let (upper, under) = (name.to_uppercase(), name.replace('-', "_").to_lowercase());
        for spelling in [name, &upper, &under] {
            assert_eq!(left(&format!("{spelling}: 1\r\n")), "", "{spelling}");
        }
    }
    assert_eq!(left("Connection: keep-alive, x-mine\r\nX_Mine: 1\r\n"), "");
}

#[test]
fn fields_of_the_upstream_stay_as_they_are() {
    const KEPT: [&str; 16] = [
        "Content-Type",
        "ETag",
        "Location",
        "WWW-Authenticate",
        "Server",
        "Date",
        "Via",
        "Cache-Control",
        "Referrer-Policy",
        "Strict-Transport-Security",
        "X-Adit",
        "Alt-Svcs",
        "X-Request-Id",
        "X-Forwarded-For",
        "Vary",
        "Authorization",
    ];
    for name in KEPT {
        let lines = format!("{name}: a, \"b\"; c\r\n{name}: \r\n");
        assert_eq!(left(&lines), lines, "{name}");
    }
}

/// S5.2.
#[test]
fn an_upstream_sets_cookies_of_its_own_for_its_own_host() {
    for line in [
        "rstream_auth=x; Path=/",
        "__Host-rstream_auth=x",
        "__HOST-RSTREAM_CHALLENGE=x",
        " RSTREAM_AUTH =x",
        "=rstream_auth=x",
        "rstream_auth",
        "__host-rstream_state_1=x",
    ] {
        assert_eq!(left(&format!("Set-Cookie: {line}\r\n")), "", "{line}");
        assert_eq!(left(&format!("set_COOKIE: {line}\r\n")), "", "{line}");
    }
    for (line, kept) in [
        ("sid=1; Path=/; HttpOnly", "sid=1; Path=/; HttpOnly"),
        ("sid=rstream_auth", "sid=rstream_auth"),
        ("rstream_authx=1", "rstream_authx=1"),
        (
            "sid=1; Domain=app.t.example.com",
            "sid=1; Domain=app.t.example.com",
        ),
        ("sid=1; Domain=t.example.com; Secure", "sid=1; Secure"),
        ("sid=1; domain=.example.com", "sid=1"),
    ] {
        let expected = format!("Set-Cookie: {kept}\r\n");
        assert_eq!(left(&format!("Set-Cookie: {line}\r\n")), expected, "{line}");
    }
}

/// S5.12.
#[test]
fn an_answer_to_a_token_in_the_query_is_neither_kept_nor_tells_its_address() {
    let terms = Terms {
        token_in_query: true,
        ..TERMS
    };
    let added = "Referrer-Policy: no-referrer\r\nCache-Control: private, no-store\r\n";
    for lines in [
        "",
        "Cache-Control: public, max-age=9\r\n",
        "cache_control: public\r\nReferrer-Policy: unsafe-url\r\nREFERRER-POLICY: origin\r\n",
    ] {
        assert_eq!(left_under(lines, terms), added, "{lines:?}");
    }
    assert_eq!(
        left_under("ETag: 1\r\n", terms),
        format!("ETag: 1\r\n{added}")
    );
}

#[test]
fn the_body_goes_as_the_client_can_read_it() {
    use Delivery::*;
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 03\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let open = "HTTP/1.1 200 OK\r\n\r\n";
    let none = "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n";
    for (head, method, version, delivery, persistent) in [
        (length, Method::Get, Version::Http11, Length, true),
        (length, Method::Get, Version::Http10, Length, true),
        (length, Method::Head, Version::Http11, Nothing, true),
        (chunked, Method::Get, Version::Http11, Chunked, true),
        (chunked, Method::Get, Version::Http10, UntilClose, false),
        (chunked, Method::Head, Version::Http11, Nothing, true),
        (open, Method::Get, Version::Http11, Chunked, true),
        (open, Method::Get, Version::Http10, UntilClose, false),
        (open, Method::Head, Version::Http10, Nothing, true),
        (none, Method::Get, Version::Http11, Nothing, true),
    ] {
        let terms = Terms {
            client: version,
            ..TERMS
        };
        let (text, found, keeps) = answered(head, method, terms);
        let what = format!("{head:?} to {method:?} in {version:?}: {text:?}");
        assert_eq!((found, keeps), (delivery, persistent), "{what}");
        assert_eq!(
            text.contains("Transfer-Encoding: chunked"),
            found == Chunked,
            "{what}"
        );
        assert_eq!(text.contains("Connection: close"), !keeps, "{what}");
        let is_old = version == Version::Http10;
        assert_eq!(
            text.contains("Connection: keep-alive"),
            keeps && is_old,
            "{what}"
        );
    }
    let last = Terms {
        persistent: false,
        ..TERMS
    };
    let (text, delivery, keeps) = answered(length, Method::Get, last);
    assert!(text.contains("Connection: close\r\n") && delivery == Length && !keeps);
}

/// RFC 9110 8.6: a reader that believed it would wait for bytes, or take the next answer for them.
#[test]
fn where_no_body_can_be_none_is_announced() {
    for status in ["103 Early Hints", "204 No Content"] {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 9\r\nX: 1\r\n\r\n");
        let parsed = parsed(&head, Method::Get);
        let response = Response {
            bytes: head.as_bytes(),
            head: &parsed,
        };
        let (last, ..) = answered(&head, Method::Get, TERMS);
        let mut interim = Vec::new();
        write_interim(response, TERMS, &mut interim).unwrap();
        let expected = format!("HTTP/1.1 {status}\r\nX: 1\r\n\r\n");
        assert_eq!(last, expected);
        assert_eq!(String::from_utf8(interim).unwrap(), expected);
    }
    // What HEAD and 304 announce is the length that GET would have.
    for (head, method) in [
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            Method::Get,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Method::Head),
    ] {
        let (text, ..) = answered(head, method, TERMS);
        assert_eq!(text, head);
    }
}

#[test]
fn an_interim_answer_carries_nothing_of_ours() {
    let head = "HTTP/1.0 103 Early Hints\r\nLink: </a>\r\nSet-Cookie: rstream_auth=x\r\nConnection: close\r\n\
        X-Adit-Subject: a\r\n\r\n";
    let parsed = parsed(head, Method::Get);
    let response = Response {
        bytes: head.as_bytes(),
        head: &parsed,
    };
    let terms = Terms {
        token_in_query: true,
        persistent: false,
        ..TERMS
    };
    let mut out = Vec::new();
    write_interim(response, terms, &mut out).unwrap();
    assert_eq!(out, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

#[test]
fn the_status_line_keeps_its_words() {
    for (line, expected) in [
        ("HTTP/1.1 200 OK", "HTTP/1.1 200 OK"),
        (
            "HTTP/1.0 599 Very  Odd, \"indeed\"",
            "HTTP/1.1 599 Very  Odd, \"indeed\"",
        ),
        ("HTTP/1.1 200 ", "HTTP/1.1 200 "),
        ("HTTP/1.1 200", "HTTP/1.1 200 "),
    ] {
        let (text, ..) = answered(
            &format!("{line}\r\nContent-Length: 0\r\n\r\n"),
            Method::Get,
            TERMS,
        );
        assert_eq!(text.split("\r\n").next(), Some(expected), "{line}");
    }
}

#[test]
fn an_answer_without_a_date_gets_one() {
    let date = crate::clock::http_date(std::time::Duration::from_secs(784_111_777));
    let terms = Terms { date, ..TERMS };
    for (line, dates) in [
        ("", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
        ("date: a\r\n", "date: a\r\n"),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{line}Content-Length: 0\r\n\r\n");
        let (written, _, _) = answered(&head, Method::Get, terms);
        let found: String = written
            .split_inclusive('\n')
            .filter(|line| line.to_ascii_lowercase().starts_with("date:"))
            .collect();
        assert_eq!(found, dates);
    }
}
