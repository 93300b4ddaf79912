use super::*;
use crate::http::scan::ScanError;
use proptest::prelude::*;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 8192,
    header_fields: 16,
    target_bytes: 1024,
};

fn parse(head: &[u8]) -> Result<RequestHead, RequestError> {
    let mut request = RequestHead::new();
    request.parse(head, &LIMITS)?;
    Ok(request)
}

/// A request with these field lines beside its `Host`.
fn with(fields: &str) -> Result<RequestHead, RequestError> {
    parse(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes())
}

fn reason(head: impl AsRef<[u8]>) -> &'static str {
    match parse(head.as_ref()) {
        Ok(_) => "accepted",
        Err(error) => error.reason(),
    }
}

/// What httparse makes of line ends is relied on; so no place of a head is left out.
#[test]
fn every_byte_in_every_place() {
    let head = b"POST /a?b HTTP/1.1\r\nHost: a\r\nX-A:  a value longer than a vector of the widest kind \r\n\
        Connection: x-a\r\nEmpty:\r\nContent-Length: 1\r\n\r\n";
    for at in 0..head.len() {
        for byte in 0..=u8::MAX {
            let mut head = head.to_vec();
            head[at] = byte;
            fuzz_request(&head);
            let pairs = head.windows(2).filter(|pair| *pair == b"\r\n").count();
            let count = |wanted| head.iter().filter(|byte| **byte == wanted).count();
            if [count(b'\r'), count(b'\n')] != [pairs; 2] || !head.ends_with(b"\r\n\r\n") {
                let result = parse(&head).map(|_| ());
                assert_eq!(
                    result,
                    Err(HeadError::LineEnd.into()),
                    "{}",
                    head.escape_ascii()
                );
            }
        }
    }
}

#[test]
fn a_request_becomes_spans() {
    let head = b"POST /a%20b?c=d HTTP/1.1\r\nHost: App.Example.com:8443\r\nX-One:  1 \t\r\nx-one:2\r\nEmpty:\r\n\
        Cookie: a=b\r\nContent-Length: 12\r\n\r\n";
    let parsed = parse(head).unwrap();
    let request = Request {
        bytes: head,
        head: &parsed,
    };
    assert_eq!(parsed.method, Method::Post);
    assert_eq!(request.method_name(), b"POST");
    assert_eq!(request.path(), b"/a%20b");
    assert_eq!(request.query(), Some(b"c=d".as_slice()));
    assert_eq!(parsed.host.as_str(), "app.example.com");
    assert_eq!(parsed.host_port, Some(8443));
    assert_eq!(parsed.framing, Framing::Length(12));
    assert!(parsed.persistent && !parsed.upgrade && !parsed.expects_continue);
    let cookies: Vec<&[u8]> = request.values(FieldKind::Cookie).collect();
    assert_eq!(cookies, [b"a=b"]);
    let ones: Vec<&[u8]> = request.values_named(b"X_ONE").collect();
    assert_eq!(ones, [b"1", b"2"]);
    let names: Vec<&[u8]> = parsed
        .fields
        .iter()
        .map(|field| request.name(field))
        .collect();
    let expected: [&[u8]; 6] = [
        b"Host",
        b"X-One",
        b"x-one",
        b"Empty",
        b"Cookie",
        b"Content-Length",
    ];
    assert_eq!(names, expected);
    assert_eq!(request.value(&parsed.fields[3]), b"");
}

#[test]
fn methods_keep_their_case() {
    let method = |name: &str| {
        let head = format!("{name} / HTTP/1.1\r\nHost: a\r\n\r\n");
        parse(head.as_bytes()).map(|head| head.method)
    };
    assert_eq!(method("GET"), Ok(Method::Get));
    assert_eq!(method("PATCH"), Ok(Method::Patch));
    assert_eq!(method("get"), Ok(Method::Other));
    assert_eq!(method("M-SEARCH"), Ok(Method::Other));
    assert_eq!(method("CONNECT"), Err(RequestError::Connect));
    assert_eq!(method("connect"), Ok(Method::Other));
    assert_eq!(method("G(T"), Err(RequestError::Method));
    assert_eq!(method(&"A".repeat(32)), Ok(Method::Other));
    assert_eq!(method(&"A".repeat(33)), Err(RequestError::Method));
}

#[test]
fn the_request_line_is_exact() {
    let cases: &[(&str, &str)] = &[
        ("GET / HTTP/1.1", "accepted"),
        ("GET  / HTTP/1.1", "bad_request_line"),
        ("GET /  HTTP/1.1", "bad_request_line"),
        ("GET / HTTP/1.1 ", "bad_request_line"),
        (" GET / HTTP/1.1", "bad_request_line"),
        ("GET /a b HTTP/1.1", "bad_request_line"),
        ("GET /", "bad_request_line"),
        ("GET", "bad_request_line"),
        ("GET\t/\tHTTP/1.1", "bad_request_line"),
        ("GET /\tHTTP/1.1 HTTP/1.1", "bad_target"),
        ("GET / ", "version_malformed"),
        ("GET / HTTP/1.1\t", "version_malformed"),
        ("GET / http/1.1", "version_malformed"),
        ("GET / HTTP/1", "version_malformed"),
        ("GET / HTTP/11", "version_malformed"),
        ("GET / HTTP/1.10", "version_malformed"),
        ("GET / HTTP/01.1", "version_malformed"),
        ("GET / HTTP/1.x", "version_malformed"),
        ("GET / HTTPS/1.1", "version_malformed"),
        ("GET / HTTP/0.9", "version_unsupported"),
        ("GET / HTTP/1.2", "version_unsupported"),
        ("GET / HTTP/2.0", "version_unsupported"),
        ("GET / HTTP/3.0", "version_unsupported"),
        ("GET /#a HTTP/1.1", "bad_target"),
        ("GET /\u{e9} HTTP/1.1", "bad_target"),
        ("GET /\0 HTTP/1.1", "bad_target"),
        ("GET /\x7f HTTP/1.1", "bad_target"),
        ("GET a HTTP/1.1", "bad_target"),
        ("GET * HTTP/1.1", "bad_target"),
        ("OPTIONS * HTTP/1.1", "accepted"),
        ("CONNECT a:443 HTTP/1.1", "connect_refused"),
    ];
    for (line, expected) in cases {
        let head = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(reason(&head), *expected, "{line:?}");
    }
    assert_eq!(reason("PRI * HTTP/2.0\r\n\r\n"), "version_unsupported");
    assert_eq!(
        reason("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        "version_unsupported"
    );
}

#[test]
fn every_byte_in_a_target_is_taken_or_refused_alike() {
    for byte in 0..=u8::MAX {
        let mut head = b"GET /a".to_vec();
        head.push(byte);
        head.extend_from_slice(b"b HTTP/1.1\r\nHost: a\r\n\r\n");
        let allowed = byte.is_ascii_graphic() && byte != b'#';
        assert_eq!(parse(&head).is_ok(), allowed, "{byte:#x}");
    }
}

#[test]
fn line_ends_are_crlf_and_the_head_ends_once() {
    for head in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
        "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a",
        "",
    ] {
        assert_eq!(reason(head), "bad_line_end", "{head:?}");
    }
    // httparse would skip the empty line; the caller does, once, before the parse.
    assert_eq!(
        reason("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        "bad_request_line"
    );
}

#[test]
fn field_lines_are_exact() {
    let cases: &[(&str, &str)] = &[
        ("X-A: b\r\n", "accepted"),
        ("X-A:b\r\n", "accepted"),
        ("X-A:\t b\t \r\n", "accepted"),
        ("X-A: b\tc \u{e9}\r\n", "accepted"),
        ("!#$%&'*+-.^_`|~09az: b\r\n", "accepted"),
        ("X-A : b\r\n", "bad_field_name"),
        ("X-A\t: b\r\n", "bad_field_name"),
        ("X A: b\r\n", "bad_field_name"),
        (" X-A: b\r\n", "bad_field_name"),
        ("X-A: b\r\n c\r\n", "bad_field_name"),
        ("X-A: b\r\n\tc\r\n", "bad_field_name"),
        ("X-A:\r\n b\r\n", "bad_field_name"),
        (": b\r\n", "bad_field_name"),
        ("X-A\r\n", "bad_field_name"),
        ("X-\u{e9}: b\r\n", "bad_field_name"),
        ("X\0: b\r\n", "bad_field_name"),
        ("\"X\": b\r\n", "bad_field_name"),
        ("X(A): b\r\n", "bad_field_name"),
        ("X-A: \0\r\n", "bad_field_value"),
        ("X-A: b\x01c\r\n", "bad_field_value"),
        ("X-A: b\x0bc\r\n", "bad_field_value"),
        ("X-A: b\x7f\r\n", "bad_field_value"),
        ("X-A: \x1b[0m\r\n", "bad_field_value"),
        ("Content_Length: 1\r\n", "underscore_field_name"),
        ("TRANSFER_ENCODING: chunked\r\n", "underscore_field_name"),
        ("X_Forwarded_For: b\r\n", "accepted"),
    ];
    for (fields, expected) in cases {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(reason(&head), *expected, "{fields:?}");
    }
    // A fold right after the request line, where some readers take it for a part of it.
    assert_eq!(
        reason("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        "bad_field_name"
    );
}

#[test]
fn every_byte_in_a_name_or_value_is_taken_or_refused_by_the_grammar() {
    for byte in 0..=u8::MAX {
        let head = |before: &[u8], after: &[u8]| {
            [
                b"GET / HTTP/1.1\r\nHost: a\r\n",
                before,
                &[byte],
                after,
                b"\r\n\r\n",
            ]
            .concat()
        };
        // Long and short neighbours, since vectorised scans have their own edges.
        for fill in [0, 1, 7, 8, 15, 16, 31, 32, 33] {
            let filler = vec![b'x'; fill];
            let name = head(
                &[b"a", filler.as_slice()].concat(),
                &[&filler, b"b: c".as_slice()].concat(),
            );
            let in_name = super::is_token_byte(byte) || (byte == b':');
            assert_eq!(parse(&name).is_ok(), in_name, "name {byte:#x} {fill}");
            let value = head(
                &[b"a: b", filler.as_slice()].concat(),
                &[&filler, b"c".as_slice()].concat(),
            );
            assert_eq!(
                parse(&value).is_ok(),
                crate::http::is_text_byte(byte),
                "value {byte:#x} {fill}"
            );
        }
    }
}

#[test]
fn lengths_are_one_plain_number() {
    let framing = |fields: &str| with(fields).map(|head| head.framing);
    assert_eq!(framing(""), Ok(Framing::None));
    assert_eq!(framing("Content-Length: 0\r\n"), Ok(Framing::None));
    assert_eq!(framing("Content-Length: 7\r\n"), Ok(Framing::Length(7)));
    assert_eq!(framing("content-length:007\r\n"), Ok(Framing::Length(7)));
    assert_eq!(
        framing("Content-Length: 9223372036854775807\r\n"),
        Ok(Framing::Length(i64::MAX as u64))
    );
    for value in [
        "",
        "+7",
        "-7",
        "7,7",
        "7, 7",
        "7 7",
        "0x7",
        "7.0",
        "7a",
        "seven",
        "1e3",
        "٧",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551623",
        "00000000000000000007",
    ] {
        assert_eq!(
            framing(&format!("Content-Length: {value}\r\n")),
            Err(HeadError::ContentLength.into()),
            "{value}"
        );
    }
    for fields in [
        "Content-Length: 7\r\nContent-Length: 7\r\n",
        "Content-Length: 7\r\ncontent-length: 8\r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n",
    ] {
        assert_eq!(
            framing(fields),
            Err(HeadError::ContentLength.into()),
            "{fields:?}"
        );
    }
}

#[test]
fn the_only_coding_is_one_chunked() {
    let framing = |fields: &str| with(fields).map(|head| head.framing);
    assert_eq!(
        framing("Transfer-Encoding: chunked\r\n"),
        Ok(Framing::Chunked)
    );
    assert_eq!(
        framing("transfer-encoding:\tCHUNKED \r\n"),
        Ok(Framing::Chunked)
    );
    for fields in [
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunkedx\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \u{a0}chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    ] {
        assert_eq!(
            framing(fields),
            Err(HeadError::TransferEncoding.into()),
            "{fields:?}"
        );
    }
    assert_eq!(
        with("Transfer-Encoding: \x0bchunked\r\n")
            .unwrap_err()
            .reason(),
        "bad_field_value"
    );
    for fields in [
        "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 7\r\n",
    ] {
        assert_eq!(
            framing(fields),
            Err(HeadError::LengthAndCoding.into()),
            "{fields:?}"
        );
    }
    let old = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(reason(old), "bad_transfer_encoding");
}

#[test]
fn there_is_one_host() {
    let cases: &[(&str, &str)] = &[
        ("Host: a\r\n", "accepted"),
        ("Host: a.:443\r\n", "accepted"),
        ("", "host_missing"),
        ("X-Host: a\r\n", "host_missing"),
        ("Host: a\r\nHost: a\r\n", "host_repeated"),
        ("Host: a\r\nhOST: b\r\n", "host_repeated"),
        ("Host:\r\n", "host_malformed"),
        ("Host: a, b\r\n", "host_malformed"),
        ("Host: a b\r\n", "host_malformed"),
        ("Host: http://a\r\n", "host_malformed"),
        ("Host: a/b\r\n", "host_malformed"),
        ("Host: u@a\r\n", "host_malformed"),
        ("Host: a:\r\n", "host_malformed"),
        ("Host: a:65536\r\n", "host_malformed"),
        ("Host: a:80:80\r\n", "host_malformed"),
        ("Host: a..\r\n", "host_malformed"),
        ("Host: \u{e9}\r\n", "host_malformed"),
        ("Host: a%00\r\n", "host_malformed"),
    ];
    for (fields, expected) in cases {
        for version in ["1.1", "1.0"] {
            let head = format!("GET / HTTP/{version}\r\n{fields}\r\n");
            assert_eq!(reason(&head), *expected, "{fields:?}");
        }
    }
}

#[test]
fn absolute_form_agrees_with_host_or_is_refused() {
    let cases: &[(&str, &str, &str)] = &[
        ("http://a/x", "a", "accepted"),
        ("http://A./x", "a", "accepted"),
        ("https://a/x", "A.", "accepted"),
        ("http://a:8080/x", "a:8080", "accepted"),
        ("http://a", "a", "accepted"),
        ("http://b/x", "a", "target_host_mismatch"),
        ("http://a:80/x", "a", "target_host_mismatch"),
        ("http://a/x", "a:80", "target_host_mismatch"),
        ("http://a:80/x", "a:81", "target_host_mismatch"),
        ("http://a@b/x", "b", "bad_target"),
        ("http:///x", "a", "bad_target"),
    ];
    for (target, host, expected) in cases {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(reason(&head), *expected, "{target} {host}");
    }
    for authority in [
        "", "?a", "u@a", "u:p@a", "a:", "a:99999", "a\\b", "a@b", "[::1",
    ] {
        let head = format!("GET http://{authority}/ HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(reason(&head), "bad_target", "{authority:?}");
    }
    let missing = "GET http://a/ HTTP/1.1\r\n\r\n";
    assert_eq!(reason(missing), "host_missing");

    let head = b"GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n";
    let parsed = parse(head).unwrap();
    let request = Request {
        bytes: head,
        head: &parsed,
    };
    assert_eq!(request.path(), b"/");
    assert_eq!(request.query(), Some(b"b".as_slice()));
}

#[test]
fn connection_nominates_and_decides_who_stays() {
    let nominated = |fields: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let parsed = parse(head.as_bytes()).unwrap();
        let of = |field: &Field| field.name.of(head.as_bytes()).to_vec();
        let names = parsed.fields.iter().filter(|field| field.nominated).map(of);
        String::from_utf8(names.collect::<Vec<_>>().join(&b' ')).unwrap()
    };
    assert_eq!(nominated("X-A: 1\r\nX-B: 2\r\n"), "");
    assert_eq!(nominated("X-A: 1\r\nX-B: 2\r\nConnection: x-a\r\n"), "X-A");
    assert_eq!(
        nominated("Connection: close , x_a,,\r\nX-A: 1\r\nX-A: 2\r\n"),
        "X-A X-A"
    );
    assert_eq!(
        nominated("X-A: 1\r\nConnection: x-a\r\nTE: a\r\nConnection: te\r\n"),
        "X-A TE"
    );

    let persistent = |version: &str, connection: &str| {
        let head = format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n");
        parse(head.as_bytes()).unwrap().persistent
    };
    assert!(persistent("1.1", ""));
    assert!(persistent("1.1", "Connection: keep-alive\r\n"));
    assert!(!persistent("1.1", "Connection: Close\r\n"));
    assert!(!persistent(
        "1.1",
        "Connection: keep-alive\r\nConnection: close\r\n"
    ));
    assert!(!persistent("1.0", ""));
    assert!(persistent("1.0", "Connection: Keep-Alive\r\n"));
    assert!(!persistent("1.0", "Connection: keep-alive, close\r\n"));
}

#[test]
fn connection_may_not_take_away_what_others_decide_by() {
    for name in [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Authorization",
        "Cookie",
        "cookie",
        "X-Forwarded-For",
        "x_forwarded_for",
        "Forwarded",
        "X-Real-IP",
        "X-Adit-Subject",
        "Rstream-Authorization",
        "X-Request-Id",
        "X-Original-URL",
        "X-HTTP-Method-Override",
        "Content_Length",
    ] {
        let error = with(&format!("Connection: close, {name}\r\n")).unwrap_err();
        assert_eq!(error, HeadError::ConnectionNames.into(), "{name}");
        assert_eq!(error.status(), 400);
        // Its twin: a name one letter longer before it is anybody's.
        assert!(
            with(&format!("Connection: close, A{name}\r\n")).is_ok(),
            "{name}"
        );
    }
    for value in ["a b", "a;b", "\"close\"", "clo\u{e9}se", "a/b"] {
        let error = with(&format!("Connection: {value}\r\n")).unwrap_err();
        assert_eq!(error, HeadError::Connection.into(), "{value}");
    }
    let options = |count: usize| with(&format!("Connection: {}\r\n", vec!["a"; count].join(",")));
    assert!(options(crate::limits::CONNECTION_OPTIONS_MAX).is_ok());
    assert_eq!(
        options(crate::limits::CONNECTION_OPTIONS_MAX + 1).unwrap_err(),
        HeadError::Connection.into()
    );
}

#[test]
fn an_upgrade_is_one_that_connection_names() {
    let upgrade = |version: &str, fields: &str| {
        let head = format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        parse(head.as_bytes()).unwrap().upgrade
    };
    assert!(upgrade(
        "1.1",
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    ));
    assert!(!upgrade("1.1", "Upgrade: websocket\r\n"));
    assert!(!upgrade("1.1", "Connection: Upgrade\r\n"));
    assert!(!upgrade(
        "1.1",
        "Connection: Upgrades\r\nUpgrade: websocket\r\n"
    ));
    assert!(!upgrade(
        "1.0",
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    ));
}

#[test]
fn the_only_expectation_is_100_continue() {
    let expects = |version: &str, fields: &str| {
        let head = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        parse(head.as_bytes()).map(|head| head.expects_continue)
    };
    let body = "Content-Length: 1\r\n";
    assert_eq!(
        expects("1.1", &format!("{body}Expect: 100-Continue\r\n")),
        Ok(true)
    );
    assert_eq!(
        expects("1.1", &format!("Expect: 100-continue\r\n{body}")),
        Ok(true)
    );
    assert_eq!(expects("1.1", "Expect: 100-continue\r\n"), Ok(false));
    assert_eq!(expects("1.1", body), Ok(false));
    assert_eq!(
        expects("1.0", &format!("{body}Expect: 100-continue\r\n")),
        Ok(false)
    );
    for value in ["", "200-ok", "100-continue, x", "100-continue;a=b"] {
        let error = expects("1.1", &format!("{body}Expect: {value}\r\n")).unwrap_err();
        assert_eq!(
            (error, error.status()),
            (RequestError::Expectation, 417),
            "{value}"
        );
    }
}

#[test]
fn bounds_hold_to_the_byte() {
    let target = |length: usize| {
        let path = "a".repeat(length - 1);
        parse(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
    };
    assert!(target(LIMITS.target_bytes).is_ok());
    assert_eq!(target(LIMITS.target_bytes + 1).unwrap_err().status(), 414);

    let fields = |count: usize| with(&"X: y\r\n".repeat(count - 1));
    assert_eq!(
        fields(LIMITS.header_fields).unwrap().fields.len(),
        LIMITS.header_fields
    );
    assert_eq!(fields(LIMITS.header_fields + 1).unwrap_err().status(), 431);

    let head = |length: usize| {
        let rest = "POST / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n".len();
        with(&format!("X:{}\r\n", "a".repeat(length - rest)))
    };
    assert!(head(LIMITS.head_bytes).is_ok());
    assert_eq!(head(LIMITS.head_bytes + 1).unwrap_err().status(), 431);
}

#[test]
fn statuses_follow_the_refusal() {
    let cases: &[(&str, u16)] = &[
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET / HTTP/x.y\r\nHost: a\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            400,
        ),
    ];
    for (head, status) in cases {
        assert_eq!(
            parse(head.as_bytes()).unwrap_err().status(),
            *status,
            "{head:?}"
        );
    }
    assert_eq!(RequestError::from(ScanError::TargetTooLong).status(), 414);
    assert_eq!(RequestError::from(ScanError::HeadTooLong).status(), 431);
    assert_eq!(RequestError::from(ScanError::Malformed).status(), 400);
}

#[test]
fn a_refused_head_leaves_nothing_and_storage_is_kept() {
    let mut request = RequestHead::new();
    let long = format!(
        "POST /secret HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n{}\r\n",
        "X: y\r\n".repeat(9)
    );
    request.parse(long.as_bytes(), &LIMITS).unwrap();
    let (storage, capacity) = (request.fields.as_ptr(), request.fields.capacity());

    let refused = request.parse(b"GET /b HTTP/1.1\r\nHost: b\r\nHost: c\r\n\r\n", &LIMITS);
    assert_eq!(refused, Err(RequestError::HostRepeated));
    assert_eq!(format!("{request:?}"), format!("{:?}", RequestHead::new()));

    request
        .parse(b"GET /b HTTP/1.1\r\nHost: b\r\n\r\n", &LIMITS)
        .unwrap();
    assert_eq!(request.framing, Framing::None);
    assert_eq!(
        (request.fields.as_ptr(), request.fields.capacity()),
        (storage, capacity)
    );
}

proptest! {
    #[test]
    fn what_is_accepted_is_accepted_again(
        line in prop::sample::select(vec![
            "GET / HTTP/1.1", "POST /a?b HTTP/1.1", "GET http://a HTTP/1.0", "OPTIONS * HTTP/1.1", "GET  / HTTP/1.1", "X",
        ]),
        fields in proptest::collection::vec(
            prop::sample::select(vec![
                "Host: a", "Host: A.", "Host: b", "Content-Length: 3", "Content-Length: 0", "Transfer-Encoding: chunked",
                "Connection: x, close", "Connection: keep-alive", "Connection: upgrade", "Upgrade: y", "X: y", "x:  ",
                "Expect: 100-continue", " fold", "Bad : name", "Bare: \n", "Cookie: a", "",
            ]),
            0..6,
        )
    ) {
        let head = format!("{line}\r\n{}\r\n\r\n", fields.join("\r\n"));
        fuzz_request(head.as_bytes());
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        fuzz_request(&bytes);
        fuzz_request(&[b"GET / HTTP/1.1\r\nHost: a\r\n", bytes.as_slice(), b"\r\n\r\n"].concat());
    }
}
