//! Many requests on one connection: in order, in step, or not at all.

use crate::support::{Edge, HOST, Tunnel, Upstream, eventually, gate, ok};

const GUARDED: &str = "b.t.example.test";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

/// Answers with the request line and the body's length.
fn telling() -> Upstream {
    Upstream::serving(|request| ok(format!("{} {}", request.line(), request.body.len())))
}

fn both_tunnels(upstream: &Upstream) -> Edge {
    Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, upstream))
        .tunnel(Tunnel::guarded(GUARDED, upstream))
        .start()
}

#[test]
fn requests_in_one_packet_are_answered_in_order() {
    let upstream = telling();
    let edge = both_tunnels(&upstream);
    let mut requests = String::new();
    let mut answers = Vec::new();
    for round in 0..50 {
        let path = format!("/{round}");
        requests += &get(&path);
        answers.push(format!("GET {path} HTTP/1.1 0"));
        requests +=
            &format!("POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\n12345");
        answers.push(format!("POST {path} HTTP/1.1 5"));
        requests += &format!(
            "\r\nPUT {path} HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n"
        );
        answers.push(format!("PUT {path} HTTP/1.1 3"));
    }
    for mut client in [edge.client(), edge.tls_client(HOST)] {
        client.send(&requests);
        for answer in &answers {
            assert_eq!(client.response().text(), answer);
        }
        client.finish();
        client.assert_closed();
    }
    assert_eq!(
        upstream.connections(),
        1,
        "one request at a time, on one connection"
    );
}

#[test]
fn pipelined_requests_wait_for_the_answer_before_them() {
    let (go, hold) = gate();
    let upstream = Upstream::serving(move |request| {
        if request.line().contains("/slow") {
            hold.wait();
        }
        ok(request.line())
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    client.send(get("/slow") + &get("/fast"));
    assert_eq!(upstream.next_request().line(), "GET /slow HTTP/1.1");
    go.open();
    assert_eq!(client.response().text(), "GET /slow HTTP/1.1");
    assert_eq!(client.response().text(), "GET /fast HTTP/1.1");
}

#[test]
fn a_connection_stays_in_step_after_a_refusal_with_a_body() {
    let upstream = telling();
    let edge = both_tunnels(&upstream);
    let refused = |framing: &str, body: &str| {
        format!("POST /refused HTTP/1.1\r\nHost: {GUARDED}\r\n{framing}\r\n\r\n{body}")
    };
    let inner = get("/inside-the-body");
    let length = format!("Content-Length: {}", inner.len());
    let chunked = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    let mut client = edge.client();
    for (framing, body) in [
        (length.as_str(), inner.as_str()),
        ("Transfer-Encoding: chunked", &chunked),
        ("Content-Length: 0", ""),
        ("Content-Length: 65536", &"a".repeat(65_536)),
    ] {
        client.send(refused(framing, body) + &get("/after"));
        let answer = client.response();
        assert_eq!((answer.status, answer.closes()), (401, false), "{framing}");
        assert_eq!(
            client.response().text(),
            "GET /after HTTP/1.1 0",
            "{framing}"
        );
        assert_eq!(upstream.next_request().line(), "GET /after HTTP/1.1");
    }
    // One byte more is not worth reading.
    client.send(refused("Content-Length: 65537", &"a".repeat(65_537)) + &get("/after"));
    let answer = client.response();
    assert_eq!((answer.status, answer.closes()), (401, true));
    client.assert_closed();
    // Nor are chunks without an end, nor chunks that nobody can read.
    for (chunk, rounds) in [
        ("1000\r\n".to_owned() + &"a".repeat(4096) + "\r\n", 64),
        ("z\r\n".to_owned(), 1),
    ] {
        let mut client = edge.client();
        client.send(refused("Transfer-Encoding: chunked", ""));
        assert_eq!(client.response().status, 401);
        for _ in 0..rounds {
            let _ = client.try_send(chunk.as_bytes());
        }
        let _ = client.try_send(get("/after").as_bytes());
        assert_eq!(client.read_to_end().0, b"");
    }
    assert_eq!(upstream.connections(), 1);
    assert_eq!(edge.log_text().matches("/after").count(), 4);
}

#[test]
fn a_connection_stays_in_step_after_a_fault_of_the_upstream() {
    let upstream = Upstream::scripted(|mut peer| {
        while let Some(request) = peer.request() {
            if request.line().contains("/fault") {
                return;
            }
            peer.send(ok(request.line()));
        }
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    for _ in 0..3 {
        let fault = format!("POST /fault HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\n\r\nabc");
        client.send(fault + &get("/after"));
        let answer = client.response();
        assert_eq!((answer.status, answer.closes()), (502, false));
        assert_eq!(client.response().text(), "GET /after HTTP/1.1");
    }
}

#[test]
fn a_connection_ends_when_its_requests_are_counted_down() {
    let upstream = telling();
    let edge = Edge::setup()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables("[limits]\nrequests_per_connection = 3")
        .start();
    let mut client = edge.client();
    client.send(get("/1") + &get("/2") + &get("/3") + &get("/4"));
    for (number, closes) in [(1, false), (2, false), (3, true)] {
        let answer = client.response();
        assert_eq!(answer.text(), format!("GET /{number} HTTP/1.1 0"));
        assert_eq!(answer.closes(), closes);
    }
    client.assert_closed();
    assert_eq!(edge.client().ask(get("/4")).status, 200);
}

#[test]
fn a_client_that_asks_for_the_end_gets_it() {
    let upstream = telling();
    let edge = both_tunnels(&upstream);
    for host in [HOST, GUARDED] {
        let mut client = edge.client();
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: x, CLOSE\r\n\r\n{}",
            get("/behind")
        ));
        assert!(client.response().closes());
        client.assert_closed();
    }
    assert_eq!(edge.log_text().matches("/behind").count(), 0);
}

#[test]
fn what_follows_a_request_without_a_body_is_the_next_request() {
    let upstream = telling();
    let edge = both_tunnels(&upstream);
    let mut client = edge.client();
    client.send(get("/") + "body=1\r\n\r\n" + &get("/behind"));
    assert_eq!(client.response().status, 200);
    let answer = client.response();
    assert_eq!((answer.status, answer.closes()), (400, true));
    client.assert_closed();
    assert_eq!(edge.reason(), "forwarded");
    assert_eq!(edge.reason(), "bad_request_line");
    assert_eq!(edge.log_text().matches("/behind").count(), 0);
}

#[test]
fn an_upstream_that_closes_does_not_close_for_the_client() {
    let upstream = Upstream::serving(|_| {
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok".to_vec()
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    for round in 1..=3 {
        let answer = client.ask(get("/"));
        assert_eq!((answer.text(), answer.closes()), ("ok", false));
        assert_eq!(upstream.connections(), round);
    }
}

#[test]
fn draining_ends_idle_connections_and_lets_a_request_finish() {
    let (go, hold) = gate();
    let upstream = Upstream::serving(move |request| {
        if request.line().contains("/slow") {
            hold.wait();
        }
        ok(request.line())
    });
    let edge = both_tunnels(&upstream);
    let mut idle = [edge.client(), edge.tls_client(HOST), edge.client()];
    for client in &mut idle[..2] {
        assert_eq!(client.ask(get("/")).status, 200);
        upstream.next_request();
    }
    let mut busy = edge.client();
    busy.send(get("/slow") + &get("/behind"));
    assert_eq!(upstream.next_request().line(), "GET /slow HTTP/1.1");
    edge.engine().drain();
    for client in &mut idle {
        client.assert_closed();
    }
    assert!(!edge.engine().ended());
    go.open();
    let answer = busy.response();
    assert_eq!(
        (answer.text(), answer.closes()),
        ("GET /slow HTTP/1.1", true)
    );
    busy.assert_closed();
    drop(busy);
    eventually("the engine has drained", || {
        edge.engine().nudge();
        edge.engine().ended()
    });
    assert_eq!(edge.log_text().matches("/behind").count(), 0);
    assert!(std::net::TcpStream::connect(edge.http()).is_err());
}
