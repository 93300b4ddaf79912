//! The TLS minimum of a name is kept in its handshake (S1.3, rstream 1.2), and other names on the listener go on.

use std::sync::Arc;

use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, HandshakeKind, ProtocolVersion};

use super::alert;
use crate::support::tool::{curl, run, s_client};
use crate::support::{Client, Edge, HOST, Setup, TlsOptions, Tunnel, Upstream, ok};

const OPEN: &str = "open.t.example.test";
const NEWER: &str = "tls_min_version = \"tls1.3\"";

fn to(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// `HOST` asks for TLS 1.3, `OPEN` for nothing.
fn setup(upstream: &Upstream) -> Setup {
    Edge::setup()
        .https()
        .without_http()
        .tunnel(Tunnel::public(OPEN, upstream))
        .tunnel(Tunnel::public(HOST, upstream).line(NEWER))
}

fn old(name: &str) -> TlsOptions {
    TlsOptions::new(name).version(&TLS12)
}

fn status(edge: &Edge, options: &TlsOptions, host: &str) -> (u16, String) {
    let answer = edge.tls_client_with(options).unwrap().ask(to(host));
    (answer.status, edge.reason())
}

fn is_too_old(edge: &Edge, name: &str) {
    let outcome = edge.tls_client_with(&old(name));
    assert_eq!(alert(outcome), AlertDescription::ProtocolVersion, "{name}");
}

#[test]
fn an_older_client_fails_at_the_name_that_asks_for_more_and_at_no_other() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = setup(&upstream).start();
    let good = (200, "forwarded".to_owned());
    for _ in 0..2 {
        is_too_old(&edge, HOST);
        is_too_old(&edge, "APP.T.EXAMPLE.TEST");
        for (options, host) in [
            (old(OPEN), OPEN),
            (TlsOptions::new(OPEN), OPEN),
            (TlsOptions::new(HOST), HOST),
            (TlsOptions::new(HOST).version(&TLS13), HOST),
            (TlsOptions::without_server_name(OPEN), OPEN),
        ] {
            assert_eq!(status(&edge, &options, host), good, "{host}");
        }
    }
    // Through another name, or none: whatever version was spoken.
    let misdirected = (421, "sni_mismatch".to_owned());
    for options in [
        old(OPEN),
        TlsOptions::new(OPEN),
        TlsOptions::without_server_name(HOST),
    ] {
        assert_eq!(status(&edge, &options, HOST), misdirected);
    }
    let bytes: Vec<u8> = (0..upstream.connections())
        .flat_map(|connection| upstream.bytes(connection))
        .collect();
    assert_eq!(memchr::memmem::find_iter(&bytes, "GET ").count(), 10);
}

#[test]
fn the_minimum_of_a_project_and_of_a_wildcard_count_too() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = Edge::setup()
        .https()
        .without_http()
        .project(NEWER)
        .tunnel(Tunnel::public(OPEN, &upstream).line("tls_min_version = \"tls1.2\""))
        .tunnel(Tunnel::public("*.t.example.test", &upstream))
        .start();
    for name in [OPEN, HOST, "else.t.example.test"] {
        is_too_old(&edge, name);
        let good = (200, "forwarded".to_owned());
        assert_eq!(status(&edge, &TlsOptions::new(name), name), good);
    }
    // The base host is in no project.
    let base = crate::support::edge::BASE_HOST;
    assert_eq!(status(&edge, &old(base), base).0, 404);
}

#[test]
fn a_tunnel_whose_minimum_has_changed_wants_another_handshake() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let with = |line: &str| {
        let open = Tunnel::public(OPEN, &upstream);
        let tunnel = Tunnel::public(HOST, &upstream).line(line);
        move |setup: Setup| setup.without_tunnels().tunnel(open).tunnel(tunnel)
    };
    let mut edge = setup(&upstream).cores(2).start();
    edge.reload(with(""));
    let clients = |edge: &Edge, options: &TlsOptions| -> Vec<Client> {
        let all = (0..8).map(|_| edge.tls_client_with(options).unwrap());
        all.collect()
    };
    let served = |edge: &Edge, clients: &mut [Client], host: &str| {
        for client in clients {
            assert_eq!(client.ask(to(host)).status, 200);
            assert_eq!(edge.reason(), "forwarded");
        }
    };
    let outdated = |edge: &Edge, clients: &mut [Client]| {
        for client in clients {
            let answer = client.ask(to(HOST));
            assert_eq!((answer.status, answer.closes()), (421, true));
            client.assert_closed();
            assert_eq!(edge.reason(), "handshake_outdated");
        }
    };
    for _ in 0..2 {
        let mut before = clients(&edge, &old(HOST));
        let mut newer = clients(&edge, &TlsOptions::new(HOST));
        let mut others = clients(&edge, &old(OPEN));
        served(&edge, &mut before, HOST);
        served(&edge, &mut newer, HOST);
        served(&edge, &mut others, OPEN);
        edge.reload(with(NEWER));
        outdated(&edge, &mut before);
        outdated(&edge, &mut newer);
        served(&edge, &mut others, OPEN);
        is_too_old(&edge, HOST);
        let mut after = clients(&edge, &TlsOptions::new(HOST));
        served(&edge, &mut after, HOST);
        edge.reload(with(""));
        outdated(&edge, &mut after);
    }
}

/// The minimum of the listener is that of every name, and changes like one.
#[test]
fn a_listener_whose_minimum_has_changed_wants_other_handshakes() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let mut edge = Edge::setup()
        .https()
        .without_http()
        .tunnel(Tunnel::public(OPEN, &upstream))
        .start();
    let mut named = edge.tls_client_with(&old(OPEN)).unwrap();
    let nameless = TlsOptions::without_server_name(OPEN).version(&TLS12);
    let mut nameless = edge.tls_client_with(&nameless).unwrap();
    for client in [&mut named, &mut nameless] {
        assert_eq!(client.ask(to(OPEN)).status, 200);
        assert_eq!(edge.reason(), "forwarded");
    }
    edge.reload(|setup| setup.https_with(NEWER));
    for client in [&mut named, &mut nameless] {
        assert_eq!(client.ask(to(OPEN)).status, 421);
        assert_eq!(edge.reason(), "handshake_outdated");
    }
    is_too_old(&edge, OPEN);
    assert_eq!(status(&edge, &TlsOptions::new(OPEN), OPEN).0, 200);
}

/// How a visit to `HOST` came about.
fn visit(
    edge: &Edge,
    config: &rustls::ClientConfig,
) -> std::io::Result<(HandshakeKind, ProtocolVersion)> {
    let mut client = Client::tls(edge.https(), Arc::new(config.clone()), HOST)?;
    assert_eq!(client.ask(to(HOST)).status, 200);
    let negotiated = client.negotiated.unwrap();
    Ok((negotiated.kind, negotiated.version))
}

/// A session of TLS 1.2 that was made while the name still took it is of no use there any more.
#[test]
fn an_older_session_is_not_resumed() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let with = |line: &str| {
        let tunnel = Tunnel::public(HOST, &upstream).line(line);
        move |setup: Setup| setup.without_tunnels().tunnel(tunnel)
    };
    let mut edge = setup(&upstream).start();
    edge.reload(with(""));
    let mut config = (*old(HOST).config(edge.authority().roots())).clone();
    let store = Arc::new(ClientSessionMemoryCache::new(8));
    config.resumption = Resumption::store(store.clone());
    let mut both = (*TlsOptions::new(HOST).config(edge.authority().roots())).clone();
    both.resumption = Resumption::store(store);
    // The twin: as long as the name takes TLS 1.2, its session is resumed.
    let (kind, version) = visit(&edge, &config).unwrap();
    assert_eq!(
        (kind, version),
        (HandshakeKind::Full, ProtocolVersion::TLSv1_2)
    );
    let (kind, _) = visit(&edge, &config).unwrap();
    assert_eq!(kind, HandshakeKind::Resumed);
    edge.reload(with(NEWER));
    let error =
        visit(&edge, &config).expect_err("an older client fails, with its session or without");
    assert_eq!(
        crate::support::wire::alert(&error),
        Some(AlertDescription::ProtocolVersion)
    );
    // Who speaks both is told to make a new session.
    let (kind, version) = visit(&edge, &both).unwrap();
    assert_eq!(
        (kind, version),
        (HandshakeKind::Full, ProtocolVersion::TLSv1_3)
    );
}

#[test]
fn openssl_and_curl_see_it_as_people_do() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = setup(&upstream).start();
    let session = edge.folder().join("session.pem");
    let session = session.to_str().unwrap();
    let visit = |name: &str, more: &[&str]| {
        let mut command = s_client(&edge, name, None);
        let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        run(command.arg("-ign_eof").args(more), &request)
    };
    let said = visit(OPEN, &["-tls1_2", "-sess_out", session]);
    assert!(
        said.contains("New, TLSv1.2") && said.contains("HTTP/1.1 200"),
        "{said}"
    );
    let said = visit(OPEN, &["-tls1_2", "-sess_in", session]);
    assert!(said.contains("Reused, TLSv1.2"), "{said}");
    // With a ticket of TLS 1.2 from another name or without.
    for more in [&["-tls1_2"][..], &["-tls1_2", "-sess_in", session]] {
        let said = visit(HOST, more);
        assert!(said.contains("alert protocol version"), "{said}");
        assert!(!said.contains("HTTP/1.1"), "{said}");
    }
    let said = visit(HOST, &["-sess_in", session]);
    assert!(!said.contains("Reused"), "{said}");
    let said = visit(HOST, &["-tls1_3"]);
    assert!(
        said.contains("New, TLSv1.3") && said.contains("HTTP/1.1 200"),
        "{said}"
    );
    let said = curl(&edge, None, &["--tls-max", "1.2"]);
    assert!(said.contains("protocol version"), "{said}");
    assert_eq!(curl(&edge, None, &[]), "200");
}
