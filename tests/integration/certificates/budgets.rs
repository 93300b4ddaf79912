//! Asking a CA takes signatures: who makes the edge do it for nothing is told to wait, and nobody else is (S9).

use crate::stage::{Stage, get};
use crate::support::client_certificate::dns;
use crate::support::{
    Client, ClientAuthority, ClientCertificate, Edge, HOST, PATIENCE, TlsOptions, Tunnel, Upstream,
    ok,
};

use super::{named, showing};

const LAPTOP: &str = "laptop.corp.test";

fn stage(corp: &ClientAuthority, exact: &ClientCertificate) -> Stage {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = Edge::setup()
        .without_http()
        .https()
        .tunnel(Tunnel::certified(HOST, &upstream))
        .file("corp.pem", &corp.pem())
        .tables("[limits]\nfailed_verifications_per_second = 2")
        .tables("[timeouts]\nidle = \"24h\"")
        .tables("[[client_ca]]\nname = \"corp\"\nca_file = \"corp.pem\"")
        .tables(&named("laptop", "corp", &format!("san_dns = \"{LAPTOP}\"")))
        .tables(&exact.credential("exact"))
        .start();
    Stage { edge, upstream }
}

const WAIT: &str = "too_many_verifications";

/// A certificate that some other CA of the same name has signed.
fn forged() -> ClientCertificate {
    ClientAuthority::new("corp CA").issue(&[dns(LAPTOP)])
}

#[test]
fn who_fails_too_often_waits_and_what_is_remembered_is_served() {
    let corp = ClientAuthority::new("corp CA");
    let exact = ClientCertificate::self_signed();
    let stage = stage(&corp, &exact);
    let judged = |client: &mut Client| stage.judges(client, &get("/", ""));
    let remembered = corp.issue(&[dns(LAPTOP)]);
    let mut good = showing(&stage.edge, Some(&remembered));
    assert_eq!(judged(&mut good).0, 200);
    // A rate of two, and four seconds of it at once.
    let mut bad = showing(&stage.edge, Some(&forged()));
    let wait = (429, WAIT.to_owned());
    let mut fail = || {
        let mut failures = 0;
        while judged(&mut bad) != wait {
            failures += 1;
            assert!(failures < 100, "there is an end");
        }
        failures
    };
    let failures = fail();
    assert!(failures >= 8, "{failures}");
    // From this address nothing is asked of a CA any more, good or bad. Time goes on, so now and then one more is.
    let waits = (0..PATIENCE.as_secs()).find_map(|_| {
        fail();
        let mut new = showing(&stage.edge, Some(&corp.issue(&[dns(LAPTOP)])));
        (judged(&mut new) == wait).then_some(new)
    });
    let mut new = waits.expect("one that waits");
    // What is known already, or takes no signature, is.
    assert_eq!(judged(&mut good).0, 200);
    assert_eq!(judged(&mut showing(&stage.edge, Some(&remembered))).0, 200);
    assert_eq!(judged(&mut showing(&stage.edge, Some(&exact))).0, 200);
    let nobody = (401, "certificate_missing".to_owned());
    assert_eq!(judged(&mut showing(&stage.edge, None)), nobody);
    // Nor does somebody else wait.
    let options = TlsOptions::new(HOST).showing(&corp.issue(&[dns(LAPTOP)]));
    let elsewhere = from("127.0.0.7", &stage.edge);
    let mut other = stage.edge.tls_client_on(elsewhere, &options).unwrap();
    assert_eq!(judged(&mut other).0, 200);
    // And it passes.
    stage.edge.pass(std::time::Duration::from_secs(60));
    assert_eq!(judged(&mut new).0, 200);
}

/// A connection from another address of this machine.
fn from(local: &str, edge: &Edge) -> std::net::TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let local: std::net::IpAddr = local.parse().unwrap();
    socket
        .bind(&std::net::SocketAddr::new(local, 0).into())
        .unwrap();
    socket.connect(&edge.https().into()).unwrap();
    socket.into()
}
