//! Whom the edge asks for a certificate, and that nobody must show one.

use crate::stage::{Stage, get};
use crate::support::tool::{run, s_client};
use crate::support::{ClientCertificate, HOST, TlsOptions, Tunnel, Upstream, ok};

use super::{VERSIONS, over_tls};

const OTHER: &str = "other.t.example.test";

/// Whether openssl was asked for a certificate, and what it was answered.
fn asked(stage: &Stage, name: &str, host: &str) -> (bool, Vec<String>) {
    let certificate = ClientCertificate::self_signed();
    let mut answers = Vec::new();
    let mut was_asked = Vec::new();
    for version in ["-tls1_2", "-tls1_3"] {
        for certificate in [None, Some(&certificate)] {
            let mut command = s_client(&stage.edge, name, certificate);
            if name.is_empty() {
                command = without_name(command);
            }
            command.args(["-ign_eof", "-msg", version]);
            let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let said = run(&mut command, &request);
            let is_asked = said.contains(", CertificateRequest");
            assert_eq!(
                is_asked,
                said.contains("Requested Signature Algorithms"),
                "{said}"
            );
            assert_eq!(
                is_asked,
                said.contains(">>> TLS 1.") && sent_certificate(&said),
                "{said}"
            );
            was_asked.push(is_asked);
            answers.push(stage.edge.reason());
        }
    }
    was_asked.dedup();
    answers.dedup();
    let [was_asked] = was_asked[..] else {
        panic!("{was_asked:?}")
    };
    (was_asked, answers)
}

/// Whether a message Certificate, full or empty, went out.
fn sent_certificate(said: &str) -> bool {
    said.lines()
        .any(|line| line.starts_with(">>>") && line.ends_with(", Certificate"))
}

/// The same command without a server name.
fn without_name(command: std::process::Command) -> std::process::Command {
    let mut other = std::process::Command::new(command.get_program());
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let at = arguments
        .iter()
        .position(|one| one == "-servername")
        .unwrap();
    other.args(&arguments[..at]).args(&arguments[at + 2..]);
    other.arg("-noservername");
    other
}

fn stage(tunnels: impl Fn(&Upstream) -> Vec<Tunnel>) -> Stage {
    let upstream = Upstream::serving(|_| ok("inside"));
    let registered = ClientCertificate::self_signed();
    let setup = tunnels(&upstream)
        .into_iter()
        .fold(over_tls(), |setup, tunnel| setup.tunnel(tunnel));
    let edge = setup.tables(&registered.credential("laptop")).start();
    Stage { edge, upstream }
}

#[test]
fn an_exact_tunnel_is_asked_for_its_own_and_the_wildcard_beside_it_for_none() {
    let stage = stage(|upstream| {
        vec![
            Tunnel::public("*.t.example.test", upstream),
            Tunnel::certified(HOST, upstream),
        ]
    });
    let refused = [
        "certificate_missing",
        "certificate_unknown",
        "certificate_missing",
        "certificate_unknown",
    ];
    assert_eq!(
        asked(&stage, HOST, HOST),
        (true, refused.map(str::to_owned).to_vec())
    );
    let refused = refused.map(str::to_owned).to_vec();
    assert_eq!(asked(&stage, "APP.t.Example.TEST", HOST), (true, refused));
    stage.upstream.assert_untouched();
    assert_eq!(
        asked(&stage, OTHER, OTHER),
        (false, vec!["forwarded".to_owned()])
    );
    let unknown = (false, vec!["host_unknown".to_owned()]);
    assert_eq!(
        asked(&stage, "edge.example.test", "edge.example.test"),
        unknown
    );
}

#[test]
fn a_wildcard_tunnel_is_asked_for_and_the_exact_one_beside_it_is_not() {
    let stage = stage(|upstream| {
        vec![
            Tunnel::certified("*.t.example.test", upstream),
            Tunnel::public(HOST, upstream),
        ]
    });
    assert_eq!(
        asked(&stage, HOST, HOST),
        (false, vec!["forwarded".to_owned()])
    );
    let (was_asked, _) = asked(&stage, OTHER, OTHER);
    assert!(was_asked);
    // An open name in the handshake, the guarded one in the request.
    let misdirected = vec!["sni_mismatch".to_owned()];
    assert_eq!(asked(&stage, HOST, OTHER), (false, misdirected.clone()));
    assert_eq!(asked(&stage, OTHER, HOST), (true, misdirected));
}

#[test]
fn without_a_server_name_nobody_is_asked_and_no_guarded_tunnel_reached() {
    let stage = stage(|upstream| {
        vec![
            Tunnel::certified(HOST, upstream),
            Tunnel::public(OTHER, upstream),
        ]
    });
    assert_eq!(
        asked(&stage, "", HOST),
        (false, vec!["sni_mismatch".to_owned()])
    );
    stage.upstream.assert_untouched();
    assert_eq!(
        asked(&stage, "", OTHER),
        (false, vec!["forwarded".to_owned()])
    );
    for version in VERSIONS {
        let nameless = TlsOptions::without_server_name(HOST).version(version);
        let mut client = stage.edge.tls_client_with(&nameless).unwrap();
        let judged = stage.judges(&mut client, &get("/", ""));
        assert_eq!(judged, (421, "sni_mismatch".to_owned()));
    }
}
