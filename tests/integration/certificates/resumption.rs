//! Sessions are not resumed where certificates count (S6.1).

use std::path::Path;
use std::sync::Arc;

use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption};
use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, NamedGroup, SupportedProtocolVersion};

use crate::stage::{Stage, get};
use crate::support::tool::{run, s_client};
use crate::support::{Client, ClientCertificate, Edge, HOST, TlsOptions, Tunnel, Upstream, ok};

use super::{VERSIONS, over_tls};

const OPEN: &str = "open.t.example.test";

/// One open tunnel beside one that takes certificates.
fn stage(registered: &ClientCertificate) -> Stage {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = over_tls()
        .tunnel(Tunnel::public(OPEN, &upstream))
        .tunnel(Tunnel::certified(HOST, &upstream))
        .tables(&registered.credential("laptop"))
        .start();
    Stage { edge, upstream }
}

fn to(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// One visit with openssl.
fn visit(
    stage: &Stage,
    host: &str,
    certificate: Option<&ClientCertificate>,
    more: &[&str],
) -> String {
    let mut command = s_client(&stage.edge, host, certificate);
    let said = run(command.arg("-ign_eof").args(more), &to(host));
    stage.edge.log_line();
    said
}

fn has_ticket(said: &str) -> bool {
    said.contains("New Session Ticket arrived") || said.contains("TLS session ticket:")
}

#[test]
fn openssl_gets_no_ticket_and_its_session_is_of_no_use() {
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered);
    let path = |name: &str| stage.edge.folder().join(name);
    for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let (open, own) = (
            path(&format!("{version}-open")),
            path(&format!("{version}-own")),
        );
        let [open, own] = [&open, &own].map(|path| path.to_str().unwrap());
        // The twin: what an open tunnel gives.
        let said = visit(&stage, OPEN, None, &[option, "-sess_out", open]);
        assert!(has_ticket(&said), "{said}");
        let said = visit(&stage, OPEN, None, &[option, "-sess_in", open]);
        assert!(said.contains(&format!("Reused, {version}")), "{said}");

        let said = visit(&stage, HOST, Some(&registered), &[option, "-sess_out", own]);
        assert!(
            said.contains("HTTP/1.1 200 ") && !has_ticket(&said),
            "{said}"
        );
        if Path::new(own).exists() {
            let said = visit(&stage, HOST, None, &[option, "-sess_in", own]);
            assert!(said.contains(&format!("New, {version}")), "{said}");
            assert!(said.contains("HTTP/1.1 401 "), "{said}");
        }
        // The ticket of an open tunnel at one that takes certificates.
        for (certificate, status) in [(None, 401), (Some(&registered), 200)] {
            let said = visit(&stage, HOST, certificate, &[option, "-sess_in", open]);
            assert!(said.contains(&format!("New, {version}")), "{said}");
            assert!(said.contains("Requested Signature Algorithms"), "{said}");
            assert!(said.contains(&format!("HTTP/1.1 {status} ")), "{said}");
        }
    }
}

#[test]
fn openssl_may_send_no_early_data() {
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered);
    let [session, early] = ["session", "early"].map(|name| stage.edge.folder().join(name));
    std::fs::write(&early, to(OPEN)).unwrap();
    let [session, early] = [&session, &early].map(|path| path.to_str().unwrap());
    let said = visit(&stage, OPEN, None, &["-tls1_3", "-sess_out", session]);
    assert!(said.contains("Max Early Data: 0"), "{said}");
    stage.upstream.next_request();
    for (host, kind) in [(OPEN, "Reused"), (HOST, "New")] {
        let more = ["-tls1_3", "-sess_in", session, "-early_data", early];
        let said = visit(&stage, host, Some(&registered), &more);
        assert!(said.contains("Early data was not sent"), "{said}");
        assert!(said.contains(&format!("{kind}, TLSv1.3")), "{said}");
        let recorded = stage.upstream.next_request();
        assert_eq!(recorded.field("host"), Some(host));
    }
}

/// Keeps what it learns for any name under one.
#[derive(Debug)]
struct OneName(ClientSessionMemoryCache);

fn one() -> ServerName<'static> {
    ServerName::try_from("one.example").unwrap()
}

impl ClientSessionStore for OneName {
    fn set_kx_hint(&self, _name: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(one(), group);
    }

    fn kx_hint(&self, _name: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&one())
    }

    fn set_tls12_session(&self, _name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(one(), value);
    }

    fn tls12_session(&self, _name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&one())
    }

    fn remove_tls12_session(&self, _name: &ServerName<'static>) {
        self.0.remove_tls12_session(&one());
    }

    fn insert_tls13_ticket(&self, _name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(one(), value);
    }

    fn take_tls13_ticket(&self, _name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&one())
    }
}

/// A client that shows its tickets to everybody.
fn careless(
    edge: &Edge,
    version: &'static SupportedProtocolVersion,
    certificate: Option<&ClientCertificate>,
) -> Arc<ClientConfig> {
    let options = TlsOptions::new(HOST).version(version);
    let options = match certificate {
        Some(certificate) => options.showing(certificate),
        None => options,
    };
    let mut config = (*options.config(edge.authority().roots())).clone();
    let store = OneName(ClientSessionMemoryCache::new(32));
    config.resumption = Resumption::store(Arc::new(store));
    config.enable_early_data = true;
    Arc::new(config)
}

/// How a connection was made, and what its request came to.
fn arrival(stage: &Stage, config: &Arc<ClientConfig>, host: &str) -> (HandshakeKind, u16) {
    let mut client = Client::tls(stage.edge.https(), config.clone(), host).unwrap();
    let kind = client.negotiated.as_ref().unwrap().kind;
    let (status, _) = stage.judges(&mut client, &to(host));
    (kind, status)
}

#[test]
fn the_ticket_of_one_tunnel_opens_no_other() {
    use HandshakeKind::{Full, Resumed};
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered);
    for version in VERSIONS {
        for (certificate, status) in [(None, 401), (Some(&registered), 200)] {
            let config = careless(&stage.edge, version, certificate);
            assert_eq!(arrival(&stage, &config, OPEN), (Full, 200));
            assert_eq!(arrival(&stage, &config, OPEN), (Resumed, 200));
            for _ in 0..3 {
                assert_eq!(arrival(&stage, &config, HOST), (Full, status));
            }
        }
    }
}

/// Sessions outlive a reload; not the change to a tunnel that asks.
#[test]
fn a_ticket_from_before_the_change_gives_a_full_handshake_with_a_request() {
    use HandshakeKind::{Full, Resumed};
    let registered = ClientCertificate::self_signed();
    let mut stage = stage(&registered);
    for version in VERSIONS {
        let configs = [None, Some(&registered)]
            .map(|certificate| careless(&stage.edge, version, certificate));
        for config in &configs {
            assert_eq!(arrival(&stage, config, OPEN), (Full, 200));
        }
        stage.edge.reload(|setup| setup);
        for config in &configs {
            assert_eq!(arrival(&stage, config, OPEN), (Resumed, 200));
        }
        let upstream = &stage.upstream;
        let (asks, open) = (
            Tunnel::certified(OPEN, upstream),
            Tunnel::public(OPEN, upstream),
        );
        let asked = Tunnel::certified(HOST, upstream);
        let with = |tunnel: &Tunnel| {
            let (tunnel, asked) = (tunnel.clone(), asked.clone());
            move |setup: crate::support::Setup| setup.without_tunnels().tunnel(asked).tunnel(tunnel)
        };
        stage.edge.reload(with(&asks));
        for (config, status) in configs.iter().zip([401, 200]) {
            assert_eq!(arrival(&stage, config, OPEN), (Full, status));
            assert_eq!(arrival(&stage, config, OPEN), (Full, status));
        }
        stage.edge.reload(with(&open));
        for config in &configs {
            arrival(&stage, config, OPEN);
            assert_eq!(arrival(&stage, config, OPEN), (Resumed, 200));
        }
    }
    // A resumed session is not asked for, so it may not carry a certificate either.
    let mut client = stage.edge.tls_client(OPEN);
    assert_eq!(client.ask(get("/", "").replace(HOST, OPEN)).status, 200);
}
