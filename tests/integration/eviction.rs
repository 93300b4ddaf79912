//! A full core ends a connection that only waits, in a fixed order, and never one with a request under way (S9).

use std::time::Duration;

use adit::limits::LONG_HEADS_MAX;

use crate::support::{Client, Edge, Go, HOST, Tunnel, Upstream, eventually, gate, ok};

const SECOND: Duration = Duration::from_secs(1);
const GUARDED: &str = "guarded.t.example.test";

fn get(host: &str, fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
}

/// An edge with room for three connections.
fn narrow(upstream: &Upstream) -> Edge {
    Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, upstream))
        .tunnel(Tunnel::guarded(GUARDED, upstream))
        .tables("[limits]\nconnections_per_core = 3")
        .start()
}

fn evicted(edge: &Edge) -> u64 {
    edge.engine().reports()[0].1.connections_evicted
}

/// One that was answered and waits, a second longer than whatever comes next.
fn idle(edge: &Edge, fields: &str) -> Client {
    let host = if fields.is_empty() { HOST } else { GUARDED };
    let mut client = edge.client();
    assert_eq!(client.ask(get(host, fields)).status, 200);
    edge.pass(SECOND);
    client
}

fn bearer(edge: &Edge) -> String {
    format!("Authorization: Bearer {}\r\n", edge.token(|_| {}))
}

#[test]
fn the_one_that_has_waited_longest_makes_way() {
    let upstream = Upstream::fixed("ok");
    let edge = narrow(&upstream);
    let mut clients: Vec<_> = (0..3).map(|_| idle(&edge, "")).collect();
    // The first one was used last.
    assert_eq!(clients[0].ask(get(HOST, "")).status, 200);
    edge.pass(SECOND);
    let mut late = edge.client();
    assert_eq!(late.ask(get(HOST, "")).status, 200);
    clients[1].assert_closed();
    for kept in [0, 2] {
        assert_eq!(clients[kept].ask(get(HOST, "")).status, 200);
    }
    assert_eq!(evicted(&edge), 1);
}

#[test]
fn whoever_proved_itself_stays_longer() {
    let upstream = Upstream::fixed("ok");
    let edge = narrow(&upstream);
    let token = bearer(&edge);
    let mut proven = idle(&edge, &token);
    // A token that is refused is no proof.
    let mut refused = edge.client();
    let wrong = token.replace("Bearer ", "Bearer x");
    assert_eq!(refused.ask(get(GUARDED, &wrong)).status, 401);
    edge.pass(SECOND);
    let mut open = idle(&edge, "");
    let mut first = edge.client();
    assert_eq!(first.ask(get(HOST, "")).status, 200);
    refused.assert_closed();
    let mut second = edge.client();
    assert_eq!(second.ask(get(GUARDED, &token)).status, 200);
    open.assert_closed();
    edge.pass(SECOND);
    assert_eq!(proven.ask(get(GUARDED, &token)).status, 200);
    edge.pass(SECOND);
    let mut third = edge.client();
    assert_eq!(third.ask(get(GUARDED, &token)).status, 200);
    first.assert_closed();
    edge.pass(SECOND);
    // Now all have proved themselves, and the one that has waited longest makes way after all.
    assert_eq!(edge.client().ask(get(HOST, "")).status, 200);
    second.assert_closed();
    assert_eq!(evicted(&edge), 4);
}

/// An upstream that answers when the gate is opened.
fn held() -> (Go, Upstream) {
    let (go, hold) = gate();
    let upstream = Upstream::serving(move |_| {
        hold.wait();
        ok("late")
    });
    (go, upstream)
}

#[test]
fn a_request_under_way_is_never_ended_for_another() {
    let (go, upstream) = held();
    let edge = narrow(&upstream);
    let mut busy = [edge.client(), edge.client(), edge.tls_client(HOST)];
    for client in &mut busy {
        client.send(get(HOST, ""));
        upstream.next_request();
    }
    let mut late = edge.client();
    let _ = late.try_send(get(HOST, "").as_bytes());
    assert_eq!(late.read_to_end().0, b"");
    assert_eq!(edge.engine().reports()[0].1.connections_shed, 1);
    assert_eq!(evicted(&edge), 0);
    for _ in 0..6 {
        go.open();
    }
    for client in &mut busy {
        assert_eq!(client.response().text(), "late");
        client.send(get(HOST, ""));
        assert_eq!(client.response().text(), "late");
    }
}

#[test]
fn half_a_head_and_half_a_handshake_make_way() {
    let upstream = Upstream::fixed("ok");
    let edge = narrow(&upstream);
    let mut head = edge.client();
    head.send(&get(HOST, "")[..20]);
    accepted(&edge, 1);
    edge.pass(SECOND);
    let mut handshake = Client::plain(edge.https());
    handshake.send(b"\x16\x03\x01\x02\x00\x01");
    accepted(&edge, 2);
    edge.pass(SECOND);
    let mut kept = idle(&edge, "");
    let _later = [idle(&edge, ""), idle(&edge, "")];
    assert_eq!(head.read_to_end().0, b"");
    assert_eq!(handshake.read_to_end().0, b"");
    assert_eq!(kept.ask(get(HOST, "")).status, 200);
    let line = eventually_evicted(&edge);
    assert_eq!(
        (&line["status"], &line["ended_by"], &line["phase"]),
        (&0.into(), &"edge".into(), &"head".into())
    );
}

/// So many connections are with the edge.
fn accepted(edge: &Edge, count: u64) {
    eventually("the connection is accepted", || {
        edge.engine().reports()[0].1.connections_total == count
    });
}

/// The record of the one that was ended.
fn eventually_evicted(edge: &Edge) -> serde_json::Value {
    loop {
        let line = edge.log_line();
        if line["reason"] == "evicted" {
            return line;
        }
    }
}

#[test]
fn a_flood_of_silent_connections_ends_itself() {
    let upstream = Upstream::fixed("ok");
    let edge = Edge::setup()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tunnel(Tunnel::guarded(GUARDED, &upstream))
        .tables("[limits]\nconnections_per_core = 50")
        .start();
    let token = bearer(&edge);
    let mut proven = idle(&edge, &token);
    let flood: Vec<_> = (0..300)
        .map(|_| {
            let mut client = edge.client();
            client.send("GET / HT");
            client
        })
        .collect();
    assert_eq!(proven.ask(get(GUARDED, &token)).status, 200);
    assert_eq!(edge.client().ask(get(HOST, "")).status, 200);
    eventually("those ended are gone", || {
        edge.engine().reports()[0].1.connections_open <= 50
    });
    let report = &edge.engine().reports()[0].1;
    assert!(report.connections_evicted + report.connections_shed >= 250);
    drop(flood);
}

/// The deadline of an idle connection is over when a request comes, even where the request was read at once.
#[test]
fn a_long_exchange_is_not_idle() {
    let (go, hold) = gate();
    let upstream = Upstream::serving(move |request| {
        if request.line().contains("/slow") {
            hold.wait();
        }
        ok("late")
    });
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables("[timeouts]\nidle = \"5s\"")
        .start();
    for tls in [false, true] {
        let mut client = if tls {
            edge.tls_client(HOST)
        } else {
            edge.client()
        };
        for path in ["/", "/slow", "/"] {
            client.send(get(HOST, "").replacen("GET /", &format!("GET {path}"), 1));
            upstream.next_request();
            if path == "/slow" {
                edge.pass(10 * SECOND);
                go.open();
            }
            assert_eq!(client.response().text(), "late");
        }
    }
}

/// A head that is longer than an ordinary buffer takes a large one: so many may, and one more ends the oldest.
#[test]
fn long_heads_are_bounded_and_the_oldest_makes_way() {
    let upstream = Upstream::fixed("ok");
    let edge = Edge::before(&upstream);
    let start = get(HOST, &format!("X-Long: {}\r\n", "x".repeat(20_000)));
    let start = &start[..start.len() - 2];
    let begin = |_| {
        let mut client = edge.client();
        client.send(start);
        client
    };
    let mut heads: Vec<_> = (0..1).map(begin).collect();
    accepted(&edge, 1);
    edge.pass(SECOND);
    heads.extend((1..LONG_HEADS_MAX).map(begin));
    accepted(&edge, LONG_HEADS_MAX as u64);
    edge.settle();
    assert!(!heads[0].has_news());
    heads.push(begin(0));
    assert_eq!(heads[0].read_to_end().0, b"");
    assert_eq!(edge.reason(), "evicted");
    for client in heads.iter_mut().skip(1) {
        assert_eq!(client.ask("\r\n").status, 200);
    }
}

/// A client that has ended its direction may wait for its answer, or be gone: it is ended for another one, after all others.
#[test]
fn a_client_that_may_have_left_makes_way_at_last() {
    let (go, upstream) = held();
    let edge = narrow(&upstream);
    let mut clients: Vec<Client> = (0..3).map(|_| edge.client()).collect();
    for client in &mut clients {
        client.send(get(HOST, ""));
        upstream.next_request();
    }
    clients[1].finish();
    // So long that it is looked at, and no longer.
    edge.pass(Duration::from_millis(300));
    edge.pass(Duration::from_millis(300));
    let mut other = edge.client();
    other.send(get("nobody.example", ""));
    assert_eq!(other.response().status, 404);
    assert_eq!(clients[1].read_to_end().0, b"");
    let line = eventually_evicted(&edge);
    assert_eq!(line["ended_by"], "edge");
    assert_eq!(evicted(&edge), 1);
    // The others are served.
    go.open();
    go.open();
    go.open();
    for index in [0, 2] {
        assert_eq!(clients[index].response().status, 200);
    }
}
