//! What changes with the configuration, from the next request on, and what goes on undisturbed (S11: asked of every core).

use std::sync::atomic::{AtomicBool, Ordering};

use crate::stage::{bearer, clients_of_every_core, get};
use crate::support::edge::SECRET;
use crate::support::{Client, Edge, HOST, TlsOptions, Tunnel, Upstream};

const OTHER_SECRET: &str = "a new secret of the tests, which has more than thirty-two bytes";

fn status(client: &mut Client, lines: &str) -> u16 {
    client.ask(get("/", lines)).status
}

#[test]
fn a_new_secret_ends_old_tokens_on_every_core_and_connection() {
    let upstream = Upstream::fixed("inside");
    let mut edge = Edge::setup()
        .cores(2)
        .tunnel(Tunnel::guarded(HOST, &upstream))
        .start();
    let old = bearer(&edge.token(|_| ()));
    let mut clients = clients_of_every_core(&edge);
    for client in &mut clients {
        // Warm: it is in the cache of that core.
        assert_eq!([status(client, &old), status(client, &old)], [200, 200]);
    }
    edge.reload(|setup| setup.secret(OTHER_SECRET));
    let new = bearer(&edge.token(|_| ()));
    for client in &mut clients {
        assert_eq!(status(client, &old), 401);
        assert_eq!(status(client, &new), 200);
    }
    edge.reload(|setup| setup.secret(SECRET));
    for client in &mut clients {
        assert_eq!(status(client, &new), 401);
        assert_eq!(status(client, &old), 200);
    }
}

/// Same secret, narrower bounds: a cache that outlived the reload would still know the wider ones.
#[test]
fn the_cache_of_verified_tokens_dies_with_its_configuration() {
    let upstream = Upstream::fixed("inside");
    let wide = Tunnel::guarded(HOST, &upstream);
    let mut edge = Edge::setup().tunnel(wide.clone()).start();
    let token = bearer(&edge.token(|_| ()));
    let mut client = edge.client();
    assert_eq!(status(&mut client, &token), 200);
    let entries = |edge: &Edge| edge.engine().reports()[0].1.token_cache_entries;
    assert_eq!(entries(&edge), 1);
    edge.reload(|setup| setup);
    assert_eq!(entries(&edge), 0);
    assert_eq!(status(&mut client, &token), 200);
    assert_eq!(entries(&edge), 1);
}

#[test]
fn tunnels_come_go_and_change() {
    let (first, second) = (Upstream::fixed("first"), Upstream::fixed("second"));
    let mut edge = Edge::setup().tunnel(Tunnel::public(HOST, &first)).start();
    let other = "other.t.example.test";
    let mut client = edge.client();
    let mut ask = |host: &str| {
        let answer = client.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        (answer.status, answer.text().to_owned())
    };
    let ok = |body: &str| (200, body.to_owned());
    assert_eq!(ask(HOST), ok("first"));
    assert_eq!(ask(other).0, 404);

    edge.reload(|setup| setup.tunnel(Tunnel::public(other, &second)));
    assert_eq!((ask(HOST), ask(other)), (ok("first"), ok("second")));
    assert_eq!(edge.engine().tunnels(), 2);

    // The same host before another upstream: no pooled connection to the old one is used.
    edge.reload(|setup| {
        setup
            .without_tunnels()
            .tunnel(Tunnel::public(HOST, &second))
    });
    assert_eq!(ask(HOST), ok("second"));
    assert_eq!(ask(other).0, 404);

    edge.reload(|setup| {
        setup
            .without_tunnels()
            .tunnel(Tunnel::guarded(HOST, &second))
    });
    assert_eq!(ask(HOST).0, 401);

    edge.reload(|setup| setup.without_tunnels());
    assert_eq!(ask(HOST).0, 404);
    drop(edge.engine().take_unused());
}

#[test]
fn a_new_certificate_is_for_new_handshakes() {
    let upstream = Upstream::fixed("inside");
    let mut edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    let mut open = edge.tls_client(HOST);
    assert_eq!(status(&mut open, ""), 200);
    let before = open.negotiated.clone().unwrap().certificate;
    edge.reload(|setup| setup.certificate(&["a.new.example.test"]));
    assert_eq!(status(&mut open, ""), 200);
    let mut fresh = edge.tls_client(HOST);
    assert_ne!(fresh.negotiated.clone().unwrap().certificate, before);
    assert_eq!(status(&mut fresh, ""), 200);
    let added = edge.tls_client("a.new.example.test");
    assert_ne!(added.negotiated.unwrap().certificate, before);
}

/// A ticket of before is good after: keys outlive the configuration.
#[test]
fn sessions_resume_over_a_reload() {
    let upstream = Upstream::fixed("inside");
    let mut edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    let config = TlsOptions::new(HOST).config(edge.authority().roots());
    let resumed = |edge: &Edge| {
        let mut client = Client::tls(edge.https(), config.clone(), HOST).unwrap();
        assert_eq!(status(&mut client, ""), 200);
        client.negotiated.unwrap().kind == rustls::HandshakeKind::Resumed
    };
    assert!(!resumed(&edge));
    assert!(resumed(&edge));
    edge.reload(|setup| setup);
    assert!(resumed(&edge));
    let counters = &edge.engine().reports()[0].1;
    let counted = (counters.handshakes_ok, counters.handshakes_resumed);
    assert_eq!(counted, (3, 2));
}

#[test]
fn requests_under_way_do_not_notice() {
    let upstream = Upstream::fixed("inside");
    let mut edge = Edge::setup()
        .cores(2)
        .tunnel(Tunnel::guarded(HOST, &upstream))
        .start();
    let good = bearer(&edge.token(|_| ()));
    let (address, stop) = (edge.http(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::plain(address);
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        assert_eq!(status(&mut client, &good), 200);
                        // Without a token: bad ones are counted, and a fast machine would reach 429.
                        assert_eq!(status(&mut client, ""), 401);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for number in 0..25 {
            let name = format!("extra-{number}.t.example.test");
            edge.reload(|setup| setup.tunnel(Tunnel::public(&name, &upstream)));
        }
        stop.store(true, Ordering::Relaxed);
        for thread in running {
            assert!(thread.join().unwrap() > 0);
        }
    });
    assert_eq!(edge.engine().tunnels(), 26);
    let reports = edge.engine().reports();
    assert!(reports.iter().all(|(_, counters)| counters.panics == 0));
}
