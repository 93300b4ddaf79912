//! A request is framed in one way, or refused before anything is made of it.

use crate::support::{Client, Edge, HOST, Tunnel, Upstream};

mod chunks;

/// What comes behind every refused head: it must never be read as a request.
const BEHIND: &str = "GET /behind HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n";

type Refused<'t> = (&'t [u8], u16, &'t str);

/// Sends each head with more behind it; each is answered once, the connection ends, the upstream hears nothing, and `explain` says
/// the same.
fn refuse_all(heads: &[Refused<'_>]) {
    let upstream = Upstream::fixed("never");
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    for (head, status, reason) in heads {
        for client in [edge.client(), edge.tls_client(HOST)] {
            refuse(client, head, *status);
            assert_eq!(edge.reason(), *reason, "{}", head.escape_ascii());
        }
        let explained = edge.explained(&[head, BEHIND.as_bytes()].concat());
        assert_eq!(explained, (*status, *reason), "{}", head.escape_ascii());
    }
    upstream.assert_untouched();
    assert_eq!(edge.log_text().lines().count(), 2 * heads.len());
}

fn refuse(mut client: Client, head: &[u8], status: u16) {
    let answer = client.ask([head, BEHIND.as_bytes()].concat());
    let shown = head.escape_ascii().to_string();
    let shown = &shown[..shown.len().min(200)];
    assert_eq!(answer.status, status, "{shown}");
    assert!(answer.closes(), "{shown}");
    client.assert_closed();
}

/// A POST with these field lines, and a body that is a request to whoever frames it otherwise.
fn post(fields: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n0\r\n\r\n").into_bytes()
}

fn refuse_posts(reason: &str, fields: &[&str]) {
    let heads: Vec<_> = fields.iter().map(|fields| post(fields)).collect();
    let rows: Vec<Refused<'_>> = heads.iter().map(|head| (&head[..], 400, reason)).collect();
    refuse_all(&rows);
}

#[test]
fn a_content_length_is_one_plain_number() {
    refuse_posts(
        "bad_content_length",
        &[
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\ncontent-length: 5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: 5,6\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5.0\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length: 5;\r\n",
            "Content-Length: \"5\"\r\n",
            "Content-Length:\r\n",
            "Content-Length: \r\n",
            "Content-Length: 9223372036854775808\r\n",
            "Content-Length: 18446744073709551621\r\n",
            "Content-Length: 00000000000000000005\r\n",
        ],
    );
}

#[test]
fn a_length_beside_a_coding_is_refused() {
    refuse_posts(
        "length_and_coding",
        &[
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        ],
    );
}

#[test]
fn the_only_coding_is_one_chunked() {
    refuse_posts(
        "bad_transfer_encoding",
        &[
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, gzip\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: chunked;q=1\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: ,chunked\r\n",
            "Transfer-Encoding:\r\n",
        ],
    );
}

#[test]
fn a_coding_needs_a_version_that_knows_codings() {
    refuse_all(&[(
        b"POST / HTTP/1.0\r\nHost: app.t.example.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "bad_transfer_encoding",
    )]);
}

#[test]
fn framing_names_have_one_spelling() {
    refuse_posts(
        "underscore_field_name",
        &[
            "Content_Length: 5\r\n",
            "Content-Length: 5\r\nTransfer_Encoding: chunked\r\n",
            "Transfer_encoding: chunked\r\n",
            "Connection_: x\r\nHOST_: b\r\ncontent_length: 5\r\n",
        ],
    );
}

#[test]
fn a_field_line_is_a_name_a_colon_and_a_value() {
    let row = |lines: &str| format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n").into_bytes();
    let names = [
        "Content-Length : 5\r\n",
        "Content-Length\t: 5\r\n",
        "X-A: 1\r\n folded\r\n",
        "X-A: 1\r\n\tfolded\r\n",
        "X-A: 1\r\n : b\r\n",
        ": no name\r\n",
        "no colon\r\n",
        "X A: 1\r\n",
        "X-\u{e4}: 1\r\n",
        "X-A\0: 1\r\n",
        "X(A): 1\r\n",
    ];
    let values = ["X-A: a\0b\r\n", "X-A: a\x01b\r\n", "X-A: a\x7fb\r\n"];
    let line_ends = [
        "X-A: 1\n",
        "X-A: 1\rX-B: 2\r\n",
        "X-A: 1\r\r\n",
        "X-A: 1\n\n",
    ];
    let heads: Vec<_> = names
        .iter()
        .map(|lines| (row(lines), "bad_field_name"))
        .chain(values.iter().map(|lines| (row(lines), "bad_field_value")))
        .collect();
    let mut rows: Vec<Refused<'_>> = heads
        .iter()
        .map(|(head, reason)| (&head[..], 400, *reason))
        .collect();
    let ends: Vec<_> = line_ends.iter().map(|lines| row(lines)).collect();
    for head in &ends {
        rows.push((head, 400, "bad_line_end"));
    }
    refuse_all(&rows);
}

#[test]
fn a_first_line_is_method_target_and_version_with_one_space_between() {
    const REST: &str = "\r\nHost: app.t.example.test\r\n\r\n";
    let row = |line: &str| [line, REST].concat().into_bytes();
    let table = [
        ("GET /", 400, "bad_request_line"),
        ("GET", 400, "bad_request_line"),
        ("GET  / HTTP/1.1", 400, "bad_request_line"),
        ("GET /  HTTP/1.1", 400, "bad_request_line"),
        ("GET / HTTP/1.1 ", 400, "bad_request_line"),
        ("GET / x HTTP/1.1", 400, "bad_request_line"),
        ("GET\t/ HTTP/1.1", 400, "bad_request_line"),
        (" GET / HTTP/1.1", 400, "bad_request_line"),
        ("G@T / HTTP/1.1", 400, "bad_request_line"),
        ("GET / HTTP/1.2", 505, "version_unsupported"),
        ("GET / HTTP/2.0", 505, "version_unsupported"),
        ("GET / HTTP/0.9", 505, "version_unsupported"),
        ("GET / HTTP/1.11", 400, "version_malformed"),
        ("GET / HTTP/1", 400, "version_malformed"),
        ("GET / http/1.1", 400, "version_malformed"),
        ("GET / HTTP/1,1", 400, "version_malformed"),
        ("GET / HTTPS/1.1", 400, "version_malformed"),
        ("GET /a#b HTTP/1.1", 400, "bad_target"),
        ("GET a HTTP/1.1", 400, "bad_target"),
        ("GET * HTTP/1.1", 400, "bad_target"),
        ("GET /\u{e4} HTTP/1.1", 400, "bad_target"),
        ("GET /\x7f HTTP/1.1", 400, "bad_target"),
        (
            "GET http://u:p@app.t.example.test/ HTTP/1.1",
            400,
            "bad_target",
        ),
        ("GET http:/app.t.example.test/ HTTP/1.1", 400, "bad_target"),
        ("GET ftp://app.t.example.test/ HTTP/1.1", 400, "bad_target"),
        (
            "GET http://other.t.example.test/ HTTP/1.1",
            400,
            "target_host_mismatch",
        ),
        (
            "GET http://app.t.example.test:81/ HTTP/1.1",
            400,
            "target_host_mismatch",
        ),
        (
            "CONNECT app.t.example.test:443 HTTP/1.1",
            405,
            "connect_refused",
        ),
        ("CONNECT / HTTP/1.1", 405, "connect_refused"),
    ];
    let heads: Vec<_> = table.iter().map(|(line, _, _)| row(line)).collect();
    let rows: Vec<Refused<'_>> = table
        .iter()
        .zip(&heads)
        .map(|((_, status, reason), head)| (&head[..], *status, *reason))
        .collect();
    refuse_all(&rows);
}

#[test]
fn the_edge_says_what_it_allows() {
    let upstream = Upstream::fixed("never");
    let edge = Edge::before(&upstream);
    let connect = format!("CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let answer = edge.client().ask(connect);
    assert_eq!(answer.status, 405);
    let allowed = answer.field("allow").unwrap();
    assert!(allowed.split(", ").any(|method| method == "GET") && !allowed.contains("CONNECT"));
    upstream.assert_untouched();
}

#[test]
fn other_protocols_are_refused_at_their_first_bytes() {
    refuse_all(&[
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            505,
            "version_unsupported",
        ),
        (b"GET /\r\n", 400, "bad_request_line"),
        (b"\x16\x03\x01\x02\x00\x01", 400, "bad_request_line"),
        (b"\r\n\r\n", 400, "bad_request_line"),
        (b"\n", 400, "bad_request_line"),
        (
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
            400,
            "bad_request_line",
        ),
    ]);
}

#[test]
fn there_is_one_host_and_it_is_a_name() {
    let table = [
        ("", "host_missing"),
        ("X-Host: app.t.example.test\r\n", "host_missing"),
        (
            "Host: app.t.example.test\r\nHost: app.t.example.test\r\n",
            "host_repeated",
        ),
        (
            "Host: app.t.example.test\r\nhost: b.t.example.test\r\n",
            "host_repeated",
        ),
        ("Host:\r\n", "host_malformed"),
        ("Host: a b\r\n", "host_malformed"),
        ("Host: app.t.example.test:x\r\n", "host_malformed"),
        ("Host: app.t.example.test:99999\r\n", "host_malformed"),
        ("Host: app.t.example.test, b\r\n", "host_malformed"),
        ("Host: app.t.example.test/x\r\n", "host_malformed"),
        ("Host: u@app.t.example.test\r\n", "host_malformed"),
        ("Host: app.t.example.test..\r\n", "host_malformed"),
        ("Host: .app.t.example.test\r\n", "host_malformed"),
        ("Host: app%2et.example.test\r\n", "host_malformed"),
        ("Host: [::1\r\n", "host_malformed"),
    ];
    let heads: Vec<_> = table
        .iter()
        .map(|(fields, _)| format!("GET / HTTP/1.1\r\n{fields}\r\n").into_bytes())
        .collect();
    let rows: Vec<Refused<'_>> = table
        .iter()
        .zip(&heads)
        .map(|((_, reason), head)| (&head[..], 400, *reason))
        .collect();
    refuse_all(&rows);
    refuse_all(&[
        (
            b"GET / HTTP/1.1\r\nHost: app.t.example.test\r\nConnection: host\r\n\r\n",
            400,
            "connection_names_protected",
        ),
        (
            b"GET http://app.t.example.test/ HTTP/1.1\r\n\r\n",
            400,
            "host_missing",
        ),
        (b"GET / HTTP/1.0\r\n\r\n", 400, "host_missing"),
    ]);
}

#[test]
fn connection_names_nothing_that_the_edge_or_the_upstream_decides_by() {
    let names = [
        "Host",
        "Content-Length",
        "transfer-encoding",
        "Authorization",
        "cookie",
        "X-Forwarded-For",
        "x_forwarded_proto",
        "X-Real-IP",
        "close, X-Adit-Subject",
        "X-Request-Id",
    ];
    let heads: Vec<_> = names
        .iter()
        .map(|name| format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: {name}\r\n\r\n"))
        .collect();
    let rows: Vec<Refused<'_>> = heads
        .iter()
        .map(|head| (head.as_bytes(), 400, "connection_names_protected"))
        .collect();
    refuse_all(&rows);
}

/// The twins of all the above: the same requests, one step inside.
#[test]
fn what_every_reader_reads_alike_goes_through() {
    let upstream = Upstream::fixed("fine");
    let edge = Edge::before(&upstream);
    let requests: &[&[u8]] = &[
        b"POST / HTTP/1.1\r\nHost: app.t.example.test\r\nContent-Length: 5\r\n\r\n12345",
        b"POST / HTTP/1.1\r\nHost: app.t.example.test\r\nContent-Length: 0005\r\n\r\n12345",
        b"POST / HTTP/1.1\r\nHost: app.t.example.test\r\ncontent-LENGTH:5\r\n\r\n12345",
        b"POST / HTTP/1.1\r\nHost: app.t.example.test\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: app.t.example.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: app.t.example.test\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:app.t.example.test:65535\r\n\r\n",
        b"GET http://app.t.example.test HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
        b"GET HTTP://APP.t.example.test./ HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: app.t.example.test\r\nX-A:\r\nX-B: \t b\x80\xff \t\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: app.t.example.test\r\nConnection: x-hop, keep-alive\r\n\r\n",
        b"BREW /%23 HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: app.t.example.test\r\n\r\n",
    ];
    for request in requests {
        let answer = edge.client().ask(request);
        let shown = request.escape_ascii();
        assert_eq!((answer.status, answer.text()), (200, "fine"), "{shown}");
        assert_eq!(edge.reason(), "forwarded", "{shown}");
    }
}

#[test]
fn a_refused_head_is_refused_byte_by_byte_too() {
    let upstream = Upstream::fixed("never");
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    let head = post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n");
    client.dribble(&head[..head.len() - 5]);
    let answer = client.response();
    assert_eq!((answer.status, answer.closes()), (400, true));
    client.assert_closed();
    assert_eq!(edge.reason(), "length_and_coding");
    upstream.assert_untouched();
}

/// RFC 9110 9.3.2: a refusal of a HEAD is a head too, however early it is refused.
#[test]
fn a_refused_head_request_gets_no_body() {
    let upstream = Upstream::fixed("never");
    let edge = Edge::before(&upstream);
    let long = "x".repeat(70_000);
    for (request, status) in [
        (
            format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\nExpect: x\r\n\r\n"),
            417,
        ),
        (
            format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\nA B: x\r\n\r\n"),
            400,
        ),
        (format!("HEAD / HTTP/2.0\r\nHost: {HOST}\r\n\r\n"), 505),
        (format!("HEAD /{long} HTTP/1.1\r\n"), 414),
        (
            format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\nA: {long}\r\n"),
            431,
        ),
    ] {
        let mut client = edge.client();
        client.send(&request);
        assert_eq!(client.response_to_head().status, status);
        client.assert_closed();
        // Its twin has one.
        let answer = edge.client().ask(request.replacen("HEAD", "GET", 1));
        assert_eq!(answer.status, status);
        assert!(answer.text().starts_with("{\"error\":"));
    }
}
