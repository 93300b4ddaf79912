//! What reaches the client is the upstream's answer, framed by the edge, or one refusal.

use std::time::{Duration, UNIX_EPOCH};

use crate::support::wire::Delimited;
use crate::support::{Edge, HOST, Tunnel, Upstream, head};

fn get() -> String {
    format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

/// An upstream that answers each request with these bytes and keeps its connection.
fn saying(bytes: &'static [u8]) -> Upstream {
    Upstream::serving(move |_| bytes.to_vec())
}

/// As [`saying`], then closing.
fn saying_and_closing(bytes: &'static [u8]) -> Upstream {
    Upstream::scripted(move |mut peer| {
        if peer.request().is_some() {
            peer.send(bytes);
        }
    })
}

#[test]
fn fields_of_an_answer_pass_but_for_those_of_the_hop_and_of_the_edge() {
    let upstream = saying(
        b"HTTP/1.1 299 Very  Fine\r\nServer: s\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nDate: d\r\n\
          Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTrailer: X\r\nUpgrade: h2c\r\n\
          Proxy-Authenticate: Basic\r\nAlt-Svc: h3=\":443\"\r\nX-Adit-Subject: me\r\nX_ADIT_x: me\r\n\
          X-Empty:\r\nContent-Length: 2\r\nX-Request-Id: theirs\r\n\r\nok",
    );
    let edge = Edge::before(&upstream);
    let answer = edge.client().ask(get());
    assert_eq!(
        head::text(&answer.head),
        "HTTP/1.1 299 Very  Fine\r\nServer: s\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nDate: d\r\n\
         X-Empty: \r\nContent-Length: 2\r\nX-Request-Id: theirs\r\n\r\n"
    );
    assert_eq!(answer.text(), "ok");
}

#[test]
fn answers_without_a_body_have_none_and_the_connection_goes_on() {
    let table: &[(&str, &[u8])] = &[
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        (
            "HEAD",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (
            "GET",
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        ),
        ("GET", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ];
    for (method, bytes) in table {
        let upstream = saying(bytes);
        let edge = Edge::before(&upstream);
        let mut client = edge.client();
        let request = get().replace("GET", method);
        for _ in 0..2 {
            client.send(&request);
            let answer = client.response_to_head();
            let shown = bytes.escape_ascii();
            assert!(!answer.closes(), "{shown}");
            let line = head::first_line(bytes);
            assert_eq!(head::first_line(&answer.head), line, "{shown}");
            let length = head::value(bytes, "content-length");
            assert_eq!(answer.field("content-length"), length, "{shown}");
        }
        assert_eq!(upstream.connections(), 1);
        client.finish();
        client.assert_closed();
    }
}

#[test]
fn answers_that_can_have_no_body_announce_none() {
    let upstream = saying(
        b"HTTP/1.1 103 Hints\r\nContent-Length: 9\r\nLink: a\r\n\r\n\
          HTTP/1.1 204 No Content\r\nContent-Length: 9\r\nDate: d\r\n\r\n",
    );
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    let interim = client.ask(get());
    assert_eq!(
        head::text(&interim.head),
        "HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"
    );
    let answer = client.response();
    assert_eq!(
        head::text(&answer.head),
        "HTTP/1.1 204 No Content\r\nDate: d\r\n\r\n"
    );
}

/// RFC 9110 6.6.1.
#[test]
fn an_answer_that_does_not_say_when_it_was_made_is_dated() {
    let upstream = Upstream::serving(|request| match request.line().contains("/dated") {
        true => b"HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n".to_vec(),
        false => b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n".to_vec(),
    });
    let edge = Edge::before(&upstream);
    let hour = Duration::from_secs(3600);
    for _ in 0..2 {
        let mut client = edge.client();
        let interim = client.ask(get());
        assert_eq!((interim.status, interim.field("date")), (103, None));
        let answer = client.response();
        let date = httpdate::parse_http_date(answer.field("date").unwrap()).unwrap();
        let now = UNIX_EPOCH + edge.clock().now().unix;
        assert!(now.duration_since(date).unwrap() < hour / 60);
        edge.pass(hour);
    }
    let dated = edge.client().ask(get().replace("GET /", "GET /dated"));
    assert_eq!(dated.field("date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    // A date that ends here, because Connection names it, is none for the client.
    let nominated = saying(b"HTTP/1.1 204 No Content\r\nConnection: date\r\nDate: x\r\n\r\n");
    let answer = Edge::before(&nominated).client().ask(get());
    assert!(httpdate::parse_http_date(answer.field("date").unwrap()).is_ok());
}

#[test]
fn a_body_until_the_close_is_chunked_for_a_client_that_knows_chunks() {
    let upstream = saying_and_closing(b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\nuntil the end");
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    for _ in 0..2 {
        let answer = client.ask(get());
        assert_eq!(answer.delimited, Delimited::Chunked);
        assert_eq!((answer.text(), answer.closes()), ("until the end", false));
        assert_eq!(edge.reason(), "forwarded");
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_client_of_version_1_0_gets_the_end_of_the_connection_instead_of_chunks() {
    let upstream = saying(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
    );
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    let request = get().replace("HTTP/1.1\r\n", "HTTP/1.0\r\nConnection: keep-alive\r\n");
    let answer = client.ask(request);
    assert_eq!(answer.delimited, Delimited::Close);
    assert_eq!((answer.text(), answer.closes()), ("abcd", true));
}

#[test]
fn version_1_0_keeps_its_connection_only_where_it_asks() {
    let upstream = Upstream::fixed("ok");
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    let asking = get().replace("HTTP/1.1\r\n", "HTTP/1.0\r\nConnection: Keep-Alive\r\n");
    for _ in 0..2 {
        let answer = client.ask(&asking);
        assert_eq!(answer.field("connection"), Some("keep-alive"));
        assert_eq!(answer.text(), "ok");
    }
    let answer = client.ask(get().replace("1.1", "1.0"));
    assert_eq!((answer.text(), answer.closes()), ("ok", true));
    client.assert_closed();
}

#[test]
fn an_upstream_of_version_1_0_is_understood() {
    let upstream = saying_and_closing(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    for _ in 0..2 {
        assert_eq!(client.ask(get()).text(), "ok");
    }
    assert_eq!(upstream.connections(), 2);
    let upstream =
        saying(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    for _ in 0..2 {
        assert_eq!(client.ask(get()).text(), "ok");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn interim_answers_pass_but_for_100_and_up_to_a_bound() {
    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\n\r\n";
    let sent = |count: usize| {
        let mut bytes = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
        bytes.extend(hints.repeat(count));
        bytes.extend(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        bytes
    };
    let upstream = Upstream::serving(move |request| {
        sent(if request.line().contains("/many") {
            8
        } else {
            7
        })
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    client.send(get());
    for _ in 0..7 {
        let interim = client.response();
        assert_eq!(
            head::text(&interim.head),
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        );
    }
    assert_eq!(client.response().text(), "ok");
    // One step outside.
    client.send(get().replace("/ ", "/many "));
    for _ in 0..7 {
        assert_eq!(client.response().status, 103);
    }
    assert_eq!(client.response().status, 502);
    assert_eq!(edge.reason(), "forwarded");
    assert_eq!(edge.reason(), "upstream_interim_flood");
    // A client of version 1.0 knows none of them.
    assert_eq!(edge.client().ask(get().replace("1.1", "1.0")).text(), "ok");
}

#[test]
fn nobody_switches_protocols_unasked() {
    let upstream = saying(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw bytes",
    );
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for fields in ["", upgrade] {
        let answer = client.ask(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n"));
        assert_eq!(
            (answer.status, answer.text()),
            (502, "{\"error\":\"Bad Gateway.\"}")
        );
        let reason = if fields.is_empty() {
            "upstream_switched_protocols"
        } else {
            "upstream_bad_upgrade"
        };
        assert_eq!(edge.reason(), reason);
        client.assert_closed();
        client = edge.client();
    }
}

/// Answers, and which rule each breaks.
const MALFORMED: &[(&[u8], &str)] = &[
    (b"garbage\r\n\r\n", "bad_status_line"),
    (b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "bad_line_end"),
    (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "bad_line_end"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", "bad_status"),
    (b"HTTP/1.1 20 OK\r\n\r\n", "bad_status"),
    (b"HTTP/1.1 099 OK\r\n\r\n", "bad_status"),
    (b"HTTP/1.1 600 OK\r\n\r\n", "bad_status"),
    (b"HTTP/1.1  200 OK\r\n\r\n", "bad_status"),
    (b"HTTP/1.1 200 O\x01K\r\n\r\n", "bad_status_line"),
    (b"HTTP/2 200 OK\r\n\r\n", "version_malformed"),
    (b"HTTP/1.2 200 OK\r\n\r\n", "version_unsupported"),
    (b"ICY 200 OK\r\n\r\n", "version_malformed"),
    (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "bad_content_length",
    ),
    (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        "bad_content_length",
    ),
    (
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        "bad_content_length",
    ),
    (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "length_and_coding",
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "bad_transfer_encoding",
    ),
    (
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "bad_transfer_encoding",
    ),
    (
        b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "coding_without_body",
    ),
    (
        b"HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "coding_without_body",
    ),
    (
        b"HTTP/1.1 200 OK\r\nContent_Length: 2\r\n\r\nok",
        "underscore_field_name",
    ),
    (
        b"HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n",
        "bad_field_name",
    ),
    (b"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", "bad_field_name"),
    (b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "bad_field_value"),
    (b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "bad_line_end"),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
        "bad_chunk_size",
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX Y: 1\r\n\r\n",
        "bad_trailer",
    ),
];

#[test]
fn an_answer_that_readers_could_read_differently_is_no_answer() {
    for (bytes, rule) in MALFORMED {
        let upstream = saying(bytes);
        let edge = Edge::before(&upstream);
        let mut client = edge.client();
        let shown = bytes.escape_ascii();
        // The client's connection stays in step, the upstream's is never used again.
        for round in 1..=2 {
            let answer = client.ask(get());
            assert_eq!((answer.status, answer.closes()), (502, false), "{shown}");
            assert_eq!(answer.text(), "{\"error\":\"Bad Gateway.\"}");
            let line = edge.log_line();
            let in_body = matches!(*rule, "bad_chunk_size" | "bad_trailer");
            let reason = if in_body {
                "upstream_body"
            } else {
                "upstream_malformed"
            };
            assert_eq!(line["reason"], reason, "{shown}");
            assert_eq!(line["detail"], *rule, "{shown}");
            assert_eq!(line["ended_by"], "upstream", "{shown}");
            assert_eq!(upstream.connections(), round, "{shown}");
        }
    }
}

#[test]
fn a_head_beyond_the_limits_is_no_answer() {
    let long = |bytes: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: {}\r\n\r\n",
            "a".repeat(bytes)
        )
    };
    let many = |count: usize| {
        let fields = "X: 1\r\n".repeat(count);
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n")
    };
    for (inside, outside, reason) in [
        (long(1900), long(2100), "upstream_head_too_long"),
        (many(7), many(8), "upstream_malformed"),
    ] {
        let upstream = Upstream::serving(move |request| {
            let inside = request.line().contains("/inside").then_some(&inside);
            inside.unwrap_or(&outside).as_bytes().to_vec()
        });
        let edge = Edge::setup()
            .tunnel(Tunnel::public(HOST, &upstream))
            .tables("[limits]\nhead_bytes = 2048\nheader_fields = 8")
            .start();
        let mut client = edge.client();
        assert_eq!(client.ask(get()).status, 502);
        assert_eq!(edge.reason(), reason);
        assert_eq!(client.ask(get().replace("/ ", "/inside ")).status, 200);
    }
}
