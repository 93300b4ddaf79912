//! Several cores behind one address.

use std::io;
use std::net::SocketAddr;

use adit::control::start::StartError;

use crate::stage::{Stage, bearer, get};
use crate::support::{Client, Edge, HOST, Setup, Tunnel, Upstream, eventually};

/// More connections than the kernel would ever send to one of two sockets by chance.
const CONNECTIONS: usize = 64;

fn two_cores(upstream: &Upstream) -> Setup {
    Edge::setup()
        .cores(2)
        .https()
        .tunnel(Tunnel::guarded(HOST, upstream))
}

/// Requests that each core has answered.
fn served(edge: &Edge) -> Vec<u64> {
    let reports = edge.engine().reports();
    assert_eq!(reports.len(), 2);
    reports
        .iter()
        .map(|(_, counters)| counters.connections_total)
        .collect()
}

#[test]
fn both_cores_serve_and_judge_alike() {
    let upstream = Upstream::fixed("inside");
    let edge = two_cores(&upstream).start();
    assert_eq!(edge.engine().drivers().len(), 2);
    let stage = Stage { edge, upstream };
    let good = bearer(&stage.edge.token(|_| ()));
    let mut cores = std::collections::BTreeSet::new();
    for _ in 0..CONNECTIONS {
        let mut client = stage.edge.client();
        assert_eq!(client.ask(get("/", &good)).status, 200);
        let line = stage.edge.log_line();
        cores.insert(line["core"].as_u64().unwrap());
        assert_eq!(client.ask(get("/", &bearer("x"))).status, 401);
        assert_eq!(stage.edge.log_line()["core"], line["core"]);
    }
    assert_eq!(cores.into_iter().collect::<Vec<_>>(), [0, 1]);
    assert!(served(&stage.edge).iter().all(|count| *count > 0));
    assert_eq!(served(&stage.edge).iter().sum::<u64>(), CONNECTIONS as u64);
}

#[test]
fn many_clients_at_once_and_not_one_panic() {
    let upstream = Upstream::serving(|request| crate::support::ok(&request.body));
    let edge = two_cores(&upstream).start();
    let good = bearer(&edge.token(|_| ()));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (edge, good) = (&edge, &good);
            scope.spawn(move || {
                for round in 0..20 {
                    let mut client = if number % 2 == 0 {
                        edge.client()
                    } else {
                        edge.tls_client(HOST)
                    };
                    let body = format!("{number}-{round}");
                    for _ in 0..3 {
                        let answer = client.ask(format!(
                            "POST / HTTP/1.1\r\nHost: {HOST}\r\n{good}Content-Length: {}\r\n\r\n{body}",
                            body.len()
                        ));
                        assert_eq!((answer.status, answer.text()), (200, &*body));
                    }
                    if round % 5 == 0 {
                        client.reset();
                    }
                }
            });
        }
    });
    let reports = edge.engine().reports();
    assert!(reports.iter().all(|(_, counters)| counters.panics == 0));
    eventually("every connection ends", || {
        edge.engine()
            .reports()
            .iter()
            .all(|(_, counters)| counters.connections_open == 0)
    });
}

/// A second process would take half of the connections.
#[test]
fn a_second_start_on_the_same_address_is_refused() {
    let upstream = Upstream::fixed("inside");
    for cores in [1, 2] {
        // No other test is on this address: it stays free when the first edge has gone.
        let first = Edge::setup()
            .cores(cores)
            .http_at(([127, 0, 0, 9], 0).into())
            .tunnel(Tunnel::public(HOST, &upstream))
            .start();
        let address = first.http();
        let again = |address: SocketAddr| {
            Edge::setup()
                .cores(2)
                .http_at(address)
                .tunnel(Tunnel::public(HOST, &upstream))
                .try_start()
        };
        match again(address) {
            Err(StartError::Bind(refused, error)) => {
                assert_eq!((refused, error.kind()), (address, io::ErrorKind::AddrInUse));
                let text = StartError::Bind(refused, error).to_string();
                assert!(text.contains("another process listens there"), "{text}");
            }
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("a second edge listens on {address}"),
        }
        // The first one did not notice.
        assert_eq!(Client::plain(address).ask(get("/", "")).status, 200);
        drop(first);
        let next = again(address).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(Client::plain(next.http()).ask(get("/", "")).status, 200);
    }
}
