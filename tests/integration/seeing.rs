//! What the edge itself adds to a request, by a clock that the tests move, so that every wait is as long as they say.

use std::time::Duration;

use adit::telemetry::latency::Histogram;

use crate::support::{Edge, HOST, Tunnel, Upstream, eventually, gate, ok};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// How slow a client is within its head. Whether the core has seen the first half by then is not known.
const SLOW_HEAD: Duration = seconds(5);

/// What was added so far, and the time to the first byte.
fn times(edge: &Edge) -> (Histogram, Histogram) {
    let counters = &edge.engine().reports()[0].1;
    (counters.added.clone(), counters.first_byte.clone())
}

/// `count` requests so far, which waited for `waited` in all, and not in the edge.
fn assert_waited(edge: &Edge, count: u64, waited: Duration) {
    eventually("the exchange is counted", || times(edge).0.count() == count);
    let (added, first_byte) = times(edge);
    assert_eq!((added.count(), first_byte.count()), (count, count));
    assert!(added.sum() > Duration::ZERO);
    assert!(added.sum() < seconds(1), "{:?}", added.sum());
    assert!(first_byte.sum() >= waited, "{:?}", first_byte.sum());
    let at_most = waited + seconds(1) + SLOW_HEAD * count as u32;
    assert!(first_byte.sum() < at_most, "{first_byte:?}");
}

#[test]
fn waiting_for_others_is_not_added() {
    let (go, gate) = gate();
    let upstream = Upstream::scripted(move |mut peer| {
        while let Some(head) = peer.request_head() {
            if peer.body(head.delimited).is_err() {
                return;
            }
            peer.record(head);
            gate.wait();
            peer.send(ok("x".repeat(100_000)));
        }
    });
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables("[limits]\nbody_min_rate = 0")
        .start();
    let get = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let (mut count, mut waited) = (0, Duration::ZERO);
    for tls in [false, true] {
        let mut client = if tls {
            edge.tls_client(HOST)
        } else {
            edge.client()
        };
        // A new connection to the upstream, and a pooled one.
        for _ in 0..2 {
            client.send(&get);
            upstream.next_request();
            edge.settle();
            edge.pass(seconds(30));
            go.open();
            assert_eq!(client.response().status, 200);
            (count, waited) = (count + 1, waited + seconds(30));
            assert_waited(&edge, count, waited);
        }
        // A client that is slow within its head, and one that is slow within its body.
        client.send(&get[..20]);
        edge.settle();
        edge.pass(SLOW_HEAD);
        client.send(&get[20..]);
        go.open();
        assert_eq!(client.response().status, 200);
        count += 1;
        assert_waited(&edge, count, waited);
        upstream.next_request();
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 8\r\n\r\nhalf"
        ));
        eventually("half of the body is with the upstream", || {
            (0..upstream.connections()).any(|at| upstream.bytes(at).ends_with(b"half"))
        });
        edge.settle();
        edge.pass(seconds(20));
        client.send("rest");
        go.open();
        assert_eq!(client.response().status, 200);
        (count, waited) = (count + 1, waited + seconds(20));
        assert_waited(&edge, count, waited);
        upstream.next_request();
    }
}

#[test]
fn what_no_upstream_answered_has_no_added_latency() {
    let upstream = Upstream::fixed("inside");
    let edge = Edge::setup()
        .tunnel(Tunnel::guarded(HOST, &upstream))
        .start();
    let mut client = edge.client();
    let get = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n");
    assert_eq!(client.ask(format!("{get}\r\n")).status, 401);
    assert_eq!(edge.reason(), "token_missing");
    assert_eq!(times(&edge).0.count(), 0);
    let token = edge.token(|_| ());
    let allowed = client.ask(format!("{get}Authorization: Bearer {token}\r\n\r\n"));
    assert_eq!(allowed.status, 200);
    assert_eq!(edge.reason(), "forwarded");
    assert_eq!(times(&edge).0.count(), 1);
}
