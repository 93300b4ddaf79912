//! TLS towards clients: which certificate, which versions, and no byte lost or believed too early.

use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, HandshakeKind, ProtocolVersion};

use crate::stage::{bearer, get};
use crate::support::edge::BASE_HOST;
use crate::support::{Client, Edge, HOST, Setup, TlsOptions, Tunnel, Upstream, ok};

mod bytes;
mod minimum;
mod suites;
mod tools;

pub fn setup(upstream: &Upstream) -> Setup {
    Edge::setup()
        .https()
        .tunnel(Tunnel::public("*.t.example.test", upstream))
}

fn with(change: impl FnOnce(&mut TlsOptions)) -> TlsOptions {
    let mut options = TlsOptions::new(HOST);
    change(&mut options);
    options
}

/// The alert that ended a handshake.
fn alert(outcome: io::Result<Client>) -> AlertDescription {
    let error = outcome.err().expect("the handshake fails");
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        other => panic!("{error}: {other:?}"),
    }
}

#[test]
fn both_versions_are_spoken_and_the_newer_one_preferred() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    for (versions, expected) in [
        (vec![&rustls::version::TLS12], ProtocolVersion::TLSv1_2),
        (vec![&rustls::version::TLS13], ProtocolVersion::TLSv1_3),
        (rustls::ALL_VERSIONS.to_vec(), ProtocolVersion::TLSv1_3),
    ] {
        let mut client = edge
            .tls_client_with(&with(|options| options.versions = versions))
            .unwrap();
        assert_eq!(client.negotiated.as_ref().unwrap().version, expected);
        assert_eq!(client.ask(get("/", "")).text(), "inside");
        let recorded = upstream.next_request();
        assert_eq!(recorded.field("x-forwarded-proto"), Some("https"));
    }
}

#[test]
fn a_minimum_of_tls_1_3_refuses_1_2() {
    let upstream = Upstream::fixed("inside");
    let edge = Edge::setup()
        .https_with("tls_min_version = \"tls1.3\"")
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    let old = with(|options| options.versions = vec![&rustls::version::TLS12]);
    assert_eq!(
        alert(edge.tls_client_with(&old)),
        AlertDescription::ProtocolVersion
    );
    let mut client = edge.tls_client(HOST);
    assert_eq!(client.ask(get("/", "")).status, 200);
}

#[test]
fn the_server_name_picks_the_certificate() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream)
        .certificate(&["exact.t.example.test", "solo.example.test"])
        .certificate(&["*.solo.example.test", "exact.t.example.test"])
        .start();
    let certificate = |name: &str| {
        let client = edge.tls_client(name);
        client.negotiated.unwrap().certificate
    };
    let wildcard = certificate(HOST);
    assert_eq!(certificate("APP.T.EXAMPLE.TEST"), wildcard);
    assert_eq!(certificate("other.t.example.test"), wildcard);
    assert_eq!(certificate(BASE_HOST), wildcard);
    // An exact name before a wildcard, the first of two.
    let exact = certificate("exact.t.example.test");
    assert_ne!(exact, wildcard);
    assert_eq!(certificate("solo.example.test"), exact);
    let under_solo = certificate("a.solo.example.test");
    assert!(under_solo != exact && under_solo != wildcard);
    // Without a name, the first.
    let nameless = TlsOptions::without_server_name(HOST);
    let client = edge.tls_client_with(&nameless).unwrap();
    assert_eq!(client.negotiated.unwrap().certificate, wildcard);
}

#[test]
fn a_name_without_a_certificate_gets_an_alert() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    for name in [
        "example.test",
        "t.example.test",
        "a.b.t.example.test",
        "app.t.example.test.evil.example",
        "xn--evil.example",
    ] {
        for versions in [vec![&rustls::version::TLS12], vec![&rustls::version::TLS13]] {
            let options = TlsOptions {
                versions,
                ..TlsOptions::new(name)
            };
            assert_eq!(
                alert(edge.tls_client_with(&options)),
                AlertDescription::UnrecognisedName,
                "{name}"
            );
        }
    }
    let reports = edge.engine().reports();
    assert_eq!(reports[0].1.handshakes_unknown_name, 10);
    upstream.assert_untouched();
    assert_eq!(edge.tls_client(HOST).ask(get("/", "")).status, 200);
}

/// A client that speaks HTTP/2 alone would send it; it learns before that nobody understands it.
#[test]
fn http_1_1_is_agreed_or_nothing() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    let offering = |protocols: &[&str]| {
        edge.tls_client_with(&with(|options| {
            options.alpn = protocols
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect();
        }))
    };
    for protocols in [
        &["http/1.1"][..],
        &["h2", "http/1.1"],
        &["http/1.0", "http/1.1"],
    ] {
        let mut client = offering(protocols).unwrap();
        let agreed = client.negotiated.as_ref().unwrap().alpn.clone();
        assert_eq!(agreed.as_deref(), Some(&b"http/1.1"[..]), "{protocols:?}");
        assert_eq!(client.ask(get("/", "")).status, 200);
    }
    let mut client = offering(&[]).unwrap();
    assert_eq!(client.negotiated.as_ref().unwrap().alpn, None);
    assert_eq!(client.ask(get("/", "")).status, 200);
    for protocols in [&["h2"][..], &["h3", "h2"], &["http/1.0"]] {
        assert_eq!(
            alert(offering(protocols)),
            AlertDescription::NoApplicationProtocol,
            "{protocols:?}"
        );
    }
}

#[test]
fn a_session_of_one_core_resumes_on_every_other() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).cores(2).start();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let options = with(|options| options.versions = vec![version]);
        let config = options.config(edge.authority().roots());
        let mut seen = std::collections::BTreeSet::new();
        let mut last = None;
        for number in 0..40 {
            let mut client = Client::tls(edge.https(), config.clone(), HOST).unwrap();
            assert_eq!(client.ask(get("/", "")).status, 200);
            let kind = client.negotiated.as_ref().unwrap().kind;
            let expected = match number {
                0 => HandshakeKind::Full,
                _ => HandshakeKind::Resumed,
            };
            assert_eq!(kind, expected, "{number}");
            let core = edge.log_line()["core"].as_u64();
            seen.insert((last, core));
            last = core;
        }
        // From each core to each.
        for pair in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!(seen.contains(&(Some(pair.0), Some(pair.1))), "{seen:?}");
        }
    }
}

/// A resumed session keeps the name it was made for: a ticket of one tunnel opens no other.
#[test]
fn a_resumed_session_is_judged_like_a_new_one() {
    let upstream = Upstream::fixed("inside");
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tunnel(Tunnel::guarded("guarded.t.example.test", &upstream))
        .start();
    let config = TlsOptions::new(HOST).config(edge.authority().roots());
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut client = Client::tls(edge.https(), config.clone(), HOST).unwrap();
        assert_eq!(client.negotiated.as_ref().unwrap().kind, kind);
        let other = "GET / HTTP/1.1\r\nHost: guarded.t.example.test\r\n\r\n";
        assert_eq!(client.ask(other).status, 421);
        assert_eq!(client.ask(get("/", "")).status, 200);
        edge.log_line();
        edge.log_line();
    }
    let mut client = Client::tls(edge.https(), config, "guarded.t.example.test").unwrap();
    let request = "GET / HTTP/1.1\r\nHost: guarded.t.example.test\r\n";
    assert_eq!(client.ask(format!("{request}\r\n")).status, 401);
    let token = bearer(&edge.token(|_| ()));
    assert_eq!(client.ask(format!("{request}{token}\r\n")).status, 200);
}

#[test]
fn large_bodies_go_both_ways() {
    let upstream = Upstream::serving(|request| ok(&request.body));
    let edge = setup(&upstream).start();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut client = edge
            .tls_client_with(&with(|options| options.versions = vec![version]))
            .unwrap();
        for size in [0, 1, 16_383, 16_384, 16_385, 100_000, 4_000_000] {
            let body: Vec<u8> = (0..size).map(|at: usize| (at * 31 / 8) as u8).collect();
            let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {size}\r\n\r\n");
            let answer = client.ask([head.as_bytes(), &body].concat());
            assert_eq!(answer.status, 200);
            assert!(answer.body == body, "{size} bytes over {version:?}");
        }
    }
}

#[test]
fn the_end_is_announced_on_both_sides() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    let mut client = edge.tls_client(HOST);
    let answer = client.ask(get("/", "Connection: close\r\n"));
    assert!(answer.closes());
    // `assert_closed` wants a `close_notify` and not a byte more.
    client.assert_closed();
    let mut client = edge.tls_client(HOST);
    assert_eq!(client.ask(get("/", "")).status, 200);
    client.finish();
    client.assert_closed();
    // Nobody says anything for long enough.
    let mut client = edge.tls_client(HOST);
    assert_eq!(client.ask(get("/", "")).status, 200);
    let minute = std::time::Duration::from_secs(60);
    edge.pass_until(minute, "the edge ends it", || client.has_news());
    client.assert_closed();
    // Cut off without a word, in the middle of a body: nothing that looks whole reaches the upstream.
    let mut client = edge.tls_client(HOST);
    client.send(format!(
        "POST /cut HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 10\r\n\r\n12345"
    ));
    client.socket().shutdown(std::net::Shutdown::Both).unwrap();
    for _ in 0..3 {
        edge.log_line();
    }
    assert_eq!(edge.reason(), "client_closed");
}

#[test]
fn a_handshake_has_its_time() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    let config = TlsOptions::new(HOST).config(edge.authority().roots());
    let name = rustls::pki_types::ServerName::try_from(HOST).unwrap();
    let hello = {
        let mut session = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
        let mut bytes = Vec::new();
        session.write_tls(&mut bytes).unwrap();
        bytes
    };
    let prefixes = [0, 1, 5, 6, 100, hello.len() - 1, hello.len()];
    let mut waiting: Vec<Client> = prefixes
        .iter()
        .map(|length| {
            let mut client = Client::plain(edge.https());
            client.send(&hello[..*length]);
            client
        })
        .collect();
    let failed = || edge.engine().reports()[0].1.handshakes_failed;
    assert_eq!(failed(), 0);
    let step = std::time::Duration::from_secs(6);
    edge.pass_until(step, "every half handshake ends", || {
        failed() == prefixes.len() as u64
    });
    for client in &mut waiting {
        let (_, ending) = client.read_to_end();
        assert_ne!(ending, crate::support::Ending::Silent);
    }
    upstream.assert_untouched();
    assert_eq!(edge.tls_client(HOST).ask(get("/", "")).status, 200);
}
