//! A connection between two requests: what it waits with is taken back from it, and nothing that it sends is lost.

use std::time::Duration;

use crate::support::{Client, Edge, HOST, Tunnel, Upstream};

fn edge(upstream: &Upstream) -> Edge {
    Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, upstream))
        .start()
}

fn get(path: usize) -> String {
    format!("GET /{path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

/// Longer than a waiting read keeps its buffer, shorter than any deadline.
const WHILE: Duration = Duration::from_millis(600);

#[test]
fn a_connection_goes_on_after_its_buffer_was_taken_back() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream);
    for mut client in [edge.client(), edge.tls_client(HOST)] {
        for path in 0..3 {
            assert_eq!(client.ask(get(path)).status, 200);
            assert_eq!(
                upstream.next_request().line(),
                format!("GET /{path} HTTP/1.1")
            );
            edge.pass(WHILE);
            edge.pass(WHILE);
        }
    }
}

/// The request and the taking back meet: whichever is first, the request arrives whole and once.
#[test]
fn a_request_that_comes_while_the_buffer_is_taken_back_is_not_lost() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream);
    for tls in [false, true] {
        let mut client = if tls {
            edge.tls_client(HOST)
        } else {
            edge.client()
        };
        for path in 0..300 {
            edge.clock().advance(WHILE);
            edge.engine().sweep();
            let status = client.ask(get(path)).status;
            assert_eq!(status, 200, "{:?}", edge.log_text().lines().last());
            assert_eq!(
                upstream.next_request().line(),
                format!("GET /{path} HTTP/1.1")
            );
        }
    }
}

/// The same with a request in two parts, between which the time passes.
#[test]
fn half_a_request_stays_where_it_is() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream);
    let halves = |client: &mut Client, path: usize| {
        let request = get(path);
        let (first, second) = request.split_at(12);
        client.send(first);
        edge.clock().advance(WHILE);
        edge.engine().sweep();
        client.send(second);
        assert_eq!(client.response().status, 200);
        assert_eq!(
            upstream.next_request().line(),
            format!("GET /{path} HTTP/1.1")
        );
    };
    for tls in [false, true] {
        let mut client = if tls {
            edge.tls_client(HOST)
        } else {
            edge.client()
        };
        for path in 0..50 {
            halves(&mut client, path);
        }
    }
}
