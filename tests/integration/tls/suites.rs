//! The cipher suite is the edge's choice, but for a client that asks for ChaCha20-Poly1305 before all others.

use rustls::crypto::ring::cipher_suite::*;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedCipherSuite};

use crate::stage::get;
use crate::support::{ClientCertificate, Edge, HOST, TlsOptions, Tunnel, Upstream, ok};

const OPEN: &str = "open.t.example.test";
const CERTIFIED: &str = "certified.t.example.test";

const NEW: [SupportedCipherSuite; 3] = [
    TLS13_AES_128_GCM_SHA256,
    TLS13_AES_256_GCM_SHA384,
    TLS13_CHACHA20_POLY1305_SHA256,
];
const OLD: [SupportedCipherSuite; 3] = [
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Names with configurations of their own: nothing is asked for, TLS 1.3, a certificate.
fn edge(upstream: &Upstream) -> Edge {
    Edge::setup()
        .https()
        .without_http()
        .tunnel(Tunnel::public(OPEN, upstream))
        .tunnel(Tunnel::public(HOST, upstream).line("tls_min_version = \"tls1.3\""))
        .tunnel(Tunnel::certified(CERTIFIED, upstream))
        .tables(&ClientCertificate::self_signed().credential("laptop"))
        .start()
}

fn chosen(edge: &Edge, name: &str, offered: Vec<SupportedCipherSuite>) -> CipherSuite {
    let options = TlsOptions {
        versions: vec![if offered[0].tls13().is_some() {
            &TLS13
        } else {
            &TLS12
        }],
        suites: offered,
        ..TlsOptions::new(name)
    };
    let mut client = edge.tls_client_with(&options).unwrap();
    let suite = client.negotiated.as_ref().unwrap().suite;
    let status = client.ask(get("/", "").replace(HOST, name)).status;
    assert_eq!(status, if name == CERTIFIED { 401 } else { 200 });
    suite
}

#[test]
fn aes_128_is_chosen_wherever_it_is_offered_and_chacha_not_asked_for_first() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = edge(&upstream);
    for (name, [small, large, chacha]) in [
        (OPEN, NEW),
        (OPEN, OLD),
        (HOST, NEW),
        (CERTIFIED, NEW),
        (CERTIFIED, OLD),
    ] {
        for (offered, expected) in [
            (vec![small, large, chacha], small),
            (vec![large, chacha, small], small),
            (vec![small], small),
            (vec![large, chacha], large),
            (vec![large], large),
            (vec![chacha, small, large], chacha),
            (vec![chacha], chacha),
        ] {
            let suite = chosen(&edge, name, offered.clone());
            assert_eq!(suite, expected.suite(), "{name}: {offered:?}");
        }
    }
}
