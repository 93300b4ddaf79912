//! Every bound refuses in its own designed way, one step beyond and not before.

use crate::support::{Client, Edge, HOST, Tunnel, Upstream, ok};

fn edge(upstream: &Upstream, limits: &str) -> Edge {
    Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, upstream))
        .tables(&format!("[limits]\n{limits}"))
        .start()
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n")
}

/// The refusal of a request, which `explain` foresees, after which the connection ends.
fn refused(edge: &Edge, mut client: Client, request: &str, status: u16, reason: &str) {
    let answer = client.ask(request);
    assert_eq!((answer.status, answer.closes()), (status, true), "{reason}");
    client.assert_closed();
    assert_eq!(edge.reason(), reason);
    // Chunks tell their length too late for that.
    if !request.contains("chunked") {
        let explained = edge.explained(request.as_bytes());
        assert_eq!(explained, (status, reason));
    }
}

#[test]
fn a_target_of_so_many_bytes_and_one_more() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream, "target_bytes = 100");
    let long = |length: usize| format!("/{}", "a".repeat(length - 1));
    refused(
        &edge,
        edge.client(),
        &get(&long(101), ""),
        414,
        "target_too_long",
    );
    refused(
        &edge,
        edge.tls_client(HOST),
        &get(&long(5000), ""),
        414,
        "target_too_long",
    );
    upstream.assert_untouched();
    assert_eq!(edge.client().ask(get(&long(100), "")).status, 200);
}

/// RFC 9112 3 asks for so much.
#[test]
fn without_a_word_in_the_configuration_a_request_line_may_have_8000_bytes() {
    let upstream = Upstream::fixed("");
    let edge = Edge::before(&upstream);
    let line = format!(
        "GET /{} HTTP/1.1",
        "a".repeat(8000 - "GET / HTTP/1.1".len())
    );
    let answer = edge.client().ask(format!("{line}\r\nHost: {HOST}\r\n\r\n"));
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.next_request().line(), line);
}

#[test]
fn a_target_without_an_end_is_refused_without_waiting_for_it() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream, "target_bytes = 100");
    let endless = format!("GET /{}", "a".repeat(1000));
    refused(&edge, edge.client(), &endless, 414, "target_too_long");
}

#[test]
fn a_head_of_so_many_bytes_and_one_more() {
    let upstream = Upstream::fixed("ok");
    for limit in [1024, 65_536, 131_072] {
        let edge = edge(&upstream, &format!("head_bytes = {limit}"));
        let rest = get("/", "X: \r\n").len();
        let long = |length: usize| get("/", &format!("X: {}\r\n", "a".repeat(length - rest)));
        let mut client = edge.client();
        assert_eq!(client.ask(long(limit)).status, 200, "{limit}");
        assert_eq!(edge.reason(), "forwarded");
        assert!(upstream.next_request().head.len() > limit);
        refused(&edge, edge.client(), &long(limit + 1), 431, "head_too_long");
    }
}

#[test]
fn so_many_fields_and_one_more() {
    let upstream = Upstream::fixed("ok");
    for limit in [4, 256] {
        let edge = edge(&upstream, &format!("header_fields = {limit}"));
        let many = |count: usize| get("/", &"X: 1\r\n".repeat(count - 1));
        assert_eq!(edge.client().ask(many(limit)).status, 200);
        assert_eq!(edge.reason(), "forwarded");
        refused(
            &edge,
            edge.client(),
            &many(limit + 1),
            431,
            "too_many_fields",
        );
    }
}

#[test]
fn a_body_of_so_many_bytes_and_one_more() {
    let upstream = Upstream::serving(|request| ok(request.body.len().to_string()));
    let edge = edge(&upstream, "body_bytes = 1000");
    let by_length = |length: usize| {
        let body = "a".repeat(length);
        format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    refused(
        &edge,
        edge.client(),
        &by_length(1001),
        413,
        "body_too_large",
    );
    refused(
        &edge,
        edge.tls_client(HOST),
        &by_length(100_000),
        413,
        "body_too_large",
    );
    // Told of it, a client that waits sends nothing.
    let waiting = format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"
    );
    refused(&edge, edge.client(), &waiting, 413, "body_too_large");
    upstream.assert_untouched();
    assert_eq!(edge.client().ask(by_length(1000)).text(), "1000");

    let in_chunks = |chunk: usize, count: usize| {
        let chunks = format!("{chunk:x}\r\n{}\r\n", "a".repeat(chunk)).repeat(count);
        format!(
            "POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
        )
    };
    assert_eq!(edge.reason(), "forwarded");
    assert_eq!(edge.client().ask(in_chunks(10, 100)).text(), "1000");
    assert_eq!(edge.reason(), "forwarded");
    for (chunk, count) in [(1001, 1), (10, 101), (1, 1001), (100_000, 5)] {
        refused(
            &edge,
            edge.client(),
            &in_chunks(chunk, count),
            413,
            "body_too_large",
        );
    }
    // No body that was too large became a whole request.
    assert_eq!(upstream.next_request().body.len(), 1000);
    assert_eq!(upstream.next_request().body.len(), 1000);
    assert_eq!(edge.client().ask(by_length(7)).text(), "7");
    assert_eq!(upstream.next_request().body.len(), 7);
}

#[test]
fn so_many_connections_of_an_address_and_one_more() {
    let upstream = Upstream::fixed("ok");
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables("[limits]\nconnections_per_address = 2")
        .start();
    let mut held = [edge.client(), edge.tls_client(HOST)];
    for client in &mut held {
        assert_eq!(client.ask(get("/", "")).status, 200);
    }
    for address in [edge.http(), edge.https()] {
        let mut late = Client::plain(address);
        assert_eq!(late.read_to_end().0, b"");
    }
    let report = &edge.engine().reports()[0].1;
    assert_eq!(report.connections_over_address, 2);
    assert_eq!(report.connections_evicted, 0);
    // Somebody else comes in, and so does the next one of those when one has left.
    let mut other = Client::from("127.0.0.2", edge.http());
    assert_eq!(other.ask(get("/", "")).status, 200);
    let [first, mut second] = held;
    drop(first);
    crate::support::eventually("there is room again", || {
        let mut client = edge.client();
        client.try_send(get("/", "").as_bytes()).is_ok() && client.try_response().is_ok()
    });
    assert_eq!(second.ask(get("/", "")).status, 200);
}
