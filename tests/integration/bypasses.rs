//! Ways around other edges that were published, one row each: by the number of the weakness, or by the name that the
//! research gave it. Whatever the row, there is one request or none, and the bytes behind a refusal are nobody's.

use std::sync::mpsc::channel;

use crate::support::wire::Delimited;
use crate::support::{Edge, HOST, PATIENCE, Upstream};

/// Behind every row; never a request of its own where the row is refused.
const BEHIND: &str = "GET /behind HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n";

/// Name, first line and fields after `Host` (`|` ends a line), body, reason. All are 400 and close.
type Refused = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const REFUSED: &[Refused] = &[
    // Names that only some readers take for framing.
    ("CVE-2023-25725 HAProxy: an empty name hides the rest", "POST / HTTP/1.1|: x|Content-Length: 5", "0\r\n\r\n", "bad_field_name"),
    ("CVE-2019-16276 Go: white space before the colon", "POST / HTTP/1.1|Transfer-Encoding : chunked|Content-Length: 5", "0\r\n\r\n", "bad_field_name"),
    ("CVE-2021-22959 llhttp: the same with the length", "POST / HTTP/1.1|Content-Length : 5", "hello", "bad_field_name"),
    ("CVE-2015-5739 Go: a space within the name", "POST / HTTP/1.1|Content Length: 5", "hello", "bad_field_name"),
    ("CVE-2020-8201 Node: a CR read as a hyphen", "POST / HTTP/1.1|Content\rLength: 5", "hello", "bad_line_end"),
    ("CVE-2019-20444 Netty: a line without a colon", "POST / HTTP/1.1|Transfer-Encoding chunked|Content-Length: 5", "hello", "bad_field_name"),
    ("CVE-2020-7238 Netty: white space on both sides of the name", "POST / HTTP/1.1| Transfer-Encoding : chunked|Content-Length: 5", "hello", "bad_field_name"),
    ("CVE-2024-27982 Node: white space before a length", "POST / HTTP/1.1| Content-Length: 5", "hello", "bad_field_name"),
    ("TE.TE: a NUL behind the name", "POST / HTTP/1.1|Transfer-Encoding\0: chunked|Content-Length: 5", "hello", "bad_field_name"),
    ("TE.TE: a letter beyond ASCII", "POST / HTTP/1.1|Tr\u{e0}nsfer-Encoding: chunked|Content-Length: 5", "hello", "bad_field_name"),
    ("TE.TE: an underscore", "POST / HTTP/1.1|Transfer_Encoding: chunked|Content-Length: 5", "hello", "underscore_field_name"),
    ("http-garden: an underscore in the length's name", "POST / HTTP/1.1|Content_Length: 5", "hello", "underscore_field_name"),
    // Codings that only some readers take for chunked.
    ("CVE-2019-18277 HAProxy: a vertical tab", "POST / HTTP/1.1|Transfer-Encoding: \x0bchunked|Content-Length: 5", "0\r\n\r\n", "bad_field_value"),
    ("CVE-2022-1705 Go: a vertical tab without a length", "POST / HTTP/1.1|Transfer-Encoding: \x0bchunked", "0\r\n\r\n", "bad_field_value"),
    ("CVE-2022-24801 Twisted: a vertical tab behind", "POST / HTTP/1.1|Transfer-Encoding: chunked\x0b", "0\r\n\r\n", "bad_field_value"),
    ("CVE-2022-32213 llhttp: chunkedchunked", "POST / HTTP/1.1|Transfer-Encoding: chunkedchunked", "0\r\n\r\n", "bad_transfer_encoding"),
    ("CVE-2022-32215 llhttp: a folded coding", "POST / HTTP/1.1|Transfer-Encoding: chunked| , identity", "0\r\n\r\n", "bad_field_name"),
    ("CVE-2020-8287 Node: two codings, the second unknown", "POST / HTTP/1.1|Transfer-Encoding: chunked|Transfer-Encoding: eee", "0\r\n\r\n", "bad_transfer_encoding"),
    ("CVE-2024-1135 gunicorn: an unknown coding behind chunked", "POST / HTTP/1.1|Transfer-Encoding: chunked,gzip", "0\r\n\r\n", "bad_transfer_encoding"),
    ("CVE-2020-11076 Puma: identity behind chunked", "POST / HTTP/1.1|Transfer-Encoding: chunked, identity", "0\r\n\r\n", "bad_transfer_encoding"),
    ("CVE-2021-21299 hyper: the first of two lines", "POST / HTTP/1.1|Transfer-Encoding: chunked|Transfer-Encoding: cow|Content-Length: 5", "0\r\n\r\n", "bad_transfer_encoding"),
    ("CVE-2026-2835 Pingora: chunked in version 1.0", "POST / HTTP/1.0|Transfer-Encoding: chunked", "0\r\n\r\n", "bad_transfer_encoding"),
    ("TE.TE: x before chunked", "POST / HTTP/1.1|Transfer-Encoding: xchunked", "0\r\n\r\n", "bad_transfer_encoding"),
    ("TE.TE: in quotes", "POST / HTTP/1.1|Transfer-Encoding: \"chunked\"", "0\r\n\r\n", "bad_transfer_encoding"),
    ("TE.TE: a control before it", "POST / HTTP/1.1|Transfer-Encoding: \x01chunked", "0\r\n\r\n", "bad_field_value"),
    ("TE.TE: no-break space before it", "POST / HTTP/1.1|Transfer-Encoding: \u{a0}chunked", "0\r\n\r\n", "bad_transfer_encoding"),
    ("http-garden: an empty element of the list", "POST / HTTP/1.1|Transfer-Encoding: ,chunked", "0\r\n\r\n", "bad_transfer_encoding"),
    ("http-garden: a parameter", "POST / HTTP/1.1|Transfer-Encoding: chunked;a=b", "0\r\n\r\n", "bad_transfer_encoding"),
    // Lengths that only some readers take for a number, or for this one.
    ("CVE-2023-40225 HAProxy: an empty length", "POST / HTTP/1.1|Content-Length:", "GET / HTTP/1.1\r\nX: ", "bad_content_length"),
    ("CVE-2023-40225 HAProxy: an empty length beside a full one", "POST / HTTP/1.1|Content-Length: |Content-Length: 5", "hello", "bad_content_length"),
    ("CVE-2021-32715 hyper: a sign", "POST / HTTP/1.1|Content-Length: +5", "hello", "bad_content_length"),
    ("CVE-2020-10108 Twisted: two lengths", "POST / HTTP/1.1|Content-Length: 5|Content-Length: 0", "hello", "bad_content_length"),
    ("CVE-2020-10109 Twisted: a length beside chunked", "POST / HTTP/1.1|Content-Length: 5|Transfer-Encoding: chunked", "0\r\n\r\n", "length_and_coding"),
    ("CL.TE", "POST / HTTP/1.1|Content-Length: 6|Transfer-Encoding: chunked", "0\r\n\r\nG", "length_and_coding"),
    ("TE.CL", "POST / HTTP/1.1|Transfer-Encoding: chunked|Content-Length: 4", "5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n", "length_and_coding"),
    ("http-garden: hexadecimal", "POST / HTTP/1.1|Content-Length: 0x5", "hello", "bad_content_length"),
    ("http-garden: digits of another script", "POST / HTTP/1.1|Content-Length: \u{665}", "hello", "bad_content_length"),
    ("http-garden: an underscore between digits", "POST / HTTP/1.1|Content-Length: 1_0", "hellohello", "bad_content_length"),
    ("http-garden: minus zero", "POST / HTTP/1.1|Content-Length: -0", "", "bad_content_length"),
    ("CVE-2022-42252 Tomcat: letters", "POST / HTTP/1.1|Content-Length: 5a", "hello", "bad_content_length"),
    // Line ends that only some readers see.
    ("CVE-2022-32214 llhttp: a bare LF ends a field", "POST / HTTP/1.1|X: y\nContent-Length: 5", "hello", "bad_line_end"),
    ("CVE-2023-30589 llhttp: a bare CR ends a field", "POST / HTTP/1.1|X:\rTransfer-Encoding: chunked", "0\r\n\r\n", "bad_line_end"),
    ("CVE-2019-9900 Envoy: a NUL in a value", "GET / HTTP/1.1|X: a\0b", "", "bad_field_value"),
    ("CVE-2025-32094 Akamai: OPTIONS, an expectation and a fold", "OPTIONS / HTTP/1.1|Expect: 100-continue|Content-Length:| 5", "hello", "bad_field_name"),
    ("0.CL: a length that is folded", "GET / HTTP/1.1|Content-Length:| 30", "", "bad_field_name"),
    ("Foo: bar and a CR before a coding", "POST / HTTP/1.1|Foo: bar|\rTransfer-Encoding: chunked", "0\r\n\r\n", "bad_line_end"),
    // Targets and hosts that name two places.
    ("CVE-2023-45539 HAProxy: a fragment", "GET /static#.png HTTP/1.1|X: y", "", "bad_target"),
    ("CVE-2021-32779 Envoy: a fragment behind a query", "GET /a?b#/c HTTP/1.1|X: y", "", "bad_target"),
    ("host: a second line", "GET / HTTP/1.1|Host: other.example.test", "", "host_repeated"),
    ("host: a second line with white space before it", "GET / HTTP/1.1| Host: other.example.test", "", "bad_field_name"),
    ("host: another one in the target", "GET http://other.example.test/ HTTP/1.1|X: y", "", "target_host_mismatch"),
    ("host: an at sign in the target", "GET @other.example.test/ HTTP/1.1|X: y", "", "bad_target"),
    // Fields that the edge adds, dropped again by naming them.
    ("CVE-2022-31813 Apache: Connection names X-Forwarded-For", "GET / HTTP/1.1|Connection: close, X-Forwarded-For", "", "connection_names_protected"),
    ("CVE-2024-45410 Traefik: Connection names X-Forwarded-Host", "GET / HTTP/1.1|Connection: X-Forwarded-Host", "", "connection_names_protected"),
    ("hop-by-hop: Connection names Cookie", "GET / HTTP/1.1|Connection: keep-alive, Cookie", "", "connection_names_protected"),
];

/// Name, chunks, reason. All are 400 and close, and the upstream sees no end of the body.
#[rustfmt::skip]
const CHUNKS: &[(&str, &str, &str)] = &[
    ("CVE-2025-22871 Go: a bare LF ends the size", "5\nhello\r\n0\r\n\r\n", "bad_chunk_line_end"),
    ("CVE-2021-22960 llhttp: an extension with a bare LF", "2;\nxx\r\n4c\r\n0\r\n\r\n", "bad_chunk_extension"),
    ("CVE-2021-32714 hyper: a size beyond 64 bits", "f0000000000000003\r\nabc\r\n0\r\n\r\n", "chunk_too_large"),
    ("CVE-2022-24801 Twisted: a size with 0x", "0x3\r\nabc\r\n0\r\n\r\n", "bad_chunk_size"),
    ("CVE-2022-24801 Twisted: a size with a sign", "+3\r\nabc\r\n0\r\n\r\n", "bad_chunk_size"),
    ("CVE-2021-41136 Puma: a bare LF ends a trailer", "3\r\nabc\r\n0\r\nX: y\n\r\n", "bad_chunk_line_end"),
    ("CVE-2023-45648 Tomcat: a trailer that is no field", "3\r\nabc\r\n0\r\nX y\r\n\r\n", "bad_trailer"),
    ("TERM.EXT", "2;\nxx\r\n22\r\n0\r\n\r\n", "bad_chunk_extension"),
    ("EXT.TERM", "2;\rxx\r\n22\r\n0\r\n\r\n", "bad_chunk_extension"),
    ("TERM.SPILL", "5\r\nhello\n2\r\nxx\r\n0\r\n\r\n", "bad_chunk_line_end"),
    ("SPILL.TERM", "5\r\nhelloAB2\r\nxx\r\n0\r\n\r\n", "bad_chunk_line_end"),
    ("ONE.TWO", "5\r\nhello\r2\r\nxx\r\n0\r\n\r\n", "bad_chunk_line_end"),
    ("http-garden: an underscore between digits", "1_0\r\nhello world!!!!!\r\n0\r\n\r\n", "bad_chunk_size"),
    ("http-garden: white space before the size", " 3\r\nabc\r\n0\r\n\r\n", "bad_chunk_size"),
    ("http-garden: minus zero", "-0\r\n\r\n", "bad_chunk_size"),
    ("http-garden: no digits, an extension", ";a\r\n\r\n", "bad_chunk_size"),
    ("trailers: a length", "0\r\nContent-Length: 5\r\n\r\n", "forbidden_trailer"),
    ("trailers: a host", "0\r\nHost: other.example.test\r\n\r\n", "forbidden_trailer"),
];

/// Name, first line and fields, body; what the head at the upstream has (`!`: and has not), and the body there.
type Passed = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
);

#[rustfmt::skip]
const PASSED: &[Passed] = &[
    ("CVE-2019-20372 nginx: a request in a body", "GET / HTTP/1.1|Content-Length: 26", "GET /hidden HTTP/1.1\r\nX: y", &["Content-Length: 26"], "GET /hidden HTTP/1.1\r\nX: y"),
    ("CVE-2023-25690 Apache: an escaped CRLF in the target", "GET /a%20HTTP/1.1%0d%0aHost:%20b HTTP/1.1|X: y", "", &["GET /a%20HTTP/1.1%0d%0aHost:%20b HTTP/1.1"], ""),
    ("CVE-2023-27487 Envoy: fields that name another target", "GET / HTTP/1.1|X-Original-Url: /admin|X-Rewrite-Url: /admin|x-envoy-original-path: /a", "", &["GET / HTTP/1.1", "!X-Original", "!X-Rewrite"], ""),
    ("CVE-2017-7561: a method in a field", "GET / HTTP/1.1|X-HTTP-Method-Override: DELETE", "", &["GET / HTTP/1.1", "!DELETE"], ""),
    ("CVE-2016-5385 httpoxy", "GET / HTTP/1.1|Proxy: http://evil.example", "", &["!Proxy: "], ""),
    ("h2c smuggling", "GET / HTTP/1.1|Connection: Upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings: AAMA", "", &["!Upgrade", "!HTTP2-Settings"], ""),
    ("WebSocket smuggling: a version that nobody speaks", "GET / HTTP/1.1|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Version: 1337|Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", &["!Upgrade: "], ""),
    ("hop-by-hop: a field that Connection names goes", "GET / HTTP/1.1|Connection: X-Internal|X-Internal: 1", "", &["!X-Internal"], ""),
    ("chunks leave as new ones", "POST / HTTP/1.1|Transfer-Encoding: chunked", "3;a=b\r\nabc\r\n00\r\nX: y\r\n\r\n", &["Transfer-Encoding: chunked", "!X: y"], "abc"),
    ("a length leaves in one spelling", "POST / HTTP/1.1|Content-Length: 0000005", "hello", &["Content-Length: 5"], "hello"),
    ("CL.0: a body where none is expected", "HEAD / HTTP/1.1|Content-Length: 5", "hello", &["Content-Length: 5"], "hello"),
    ("X-Forwarded-Host names another host", "GET / HTTP/1.1|X-Forwarded-Host: other.example.test|X-Forwarded-For: 127.0.0.1", "", &["X-Forwarded-Host: app.t.example.test", "!other"], ""),
];

fn head(lines: &str) -> String {
    let mut lines = lines.split('|');
    let first = lines.next().unwrap();
    let fields: String = lines.map(|line| format!("{line}\r\n")).collect();
    format!("{first}\r\nHost: {HOST}\r\n{fields}\r\n")
}

#[test]
fn a_request_that_others_read_in_two_ways_is_none() {
    let upstream = Upstream::fixed("never");
    let edge = Edge::before(&upstream);
    for (name, lines, body, reason) in REFUSED {
        let mut client = edge.client();
        let request = head(lines) + body + BEHIND;
        let answer = client.ask(&request);
        assert_eq!((answer.status, answer.closes()), (400, true), "{name}");
        client.assert_closed();
        assert_eq!(edge.reason(), *reason, "{name}");
        let explained = edge.explained(request.as_bytes());
        assert_eq!(explained, (400, *reason), "{name}");
    }
    upstream.assert_untouched();
    assert_eq!(edge.log_text().lines().count(), REFUSED.len());
}

#[test]
fn a_body_that_others_end_elsewhere_ends_nowhere() {
    let (sender, bodies) = channel();
    let upstream = Upstream::scripted(move |mut peer| {
        peer.request_head();
        let _ = sender.send(peer.body(Delimited::Chunked));
    });
    let edge = Edge::before(&upstream);
    for (connection, (name, chunks, reason)) in CHUNKS.iter().enumerate() {
        let mut client = edge.client();
        let post = head("POST / HTTP/1.1|Transfer-Encoding: chunked");
        let answer = client.ask(post + chunks + BEHIND);
        assert_eq!((answer.status, answer.closes()), (400, true), "{name}");
        client.assert_closed();
        assert_eq!(edge.reason(), *reason, "{name}");
        let body = bodies.recv_timeout(PATIENCE).unwrap();
        assert!(body.is_err(), "{name}: {body:?}");
        let seen = upstream.bytes(connection);
        assert_eq!(memchr::memmem::find(&seen, b"behind"), None, "{name}");
    }
}

#[test]
fn what_goes_through_means_one_thing() {
    let upstream = Upstream::fixed("");
    let edge = Edge::before(&upstream);
    for (name, lines, body, fields, expected) in PASSED {
        let mut client = edge.client();
        let request = head(lines) + body + BEHIND;
        client.send(&request);
        let explained = edge.explained(request.as_bytes());
        assert_eq!(explained, (200, "forwarded"), "{name}");
        let seen = upstream.next_request();
        let text = std::str::from_utf8(&seen.head).unwrap();
        for field in *fields {
            match field.strip_prefix('!') {
                Some(gone) => assert!(!text.contains(gone), "{name}: {text}"),
                None => assert!(text.contains(&format!("{field}\r\n")), "{name}: {text}"),
            }
        }
        assert_eq!(seen.body, expected.as_bytes(), "{name}");
        assert_eq!(edge.reason(), "forwarded", "{name}");
        // What comes behind is the next request, whole and on the same connection.
        let next = upstream.next_request();
        assert_eq!((next.line(), next.connection), ("GET /behind HTTP/1.1", 0));
        assert_eq!(edge.reason(), "forwarded", "{name}");
    }
}
