//! Upstreams over TLS: who they are, and bodies to and from them.

use crate::bodies::echo_piece_by_piece;
use crate::support::certificate::Authority;
use crate::support::{Edge, HOST, Tunnel, Upstream, ok};

use super::{get, post};

/// An edge before an upstream with TLS, whose certificate is for `names` and under `authority`; trusted is `trusted`.
fn over_tls(upstream: &Upstream, trusted: &Authority, lines: &str) -> (Edge, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, trusted.pem()).unwrap();
    let tunnel = Tunnel::public(HOST, upstream)
        .line(&format!("upstream_ca_file = \"{}\"", file.display()))
        .line(lines);
    (Edge::setup().tunnel(tunnel).start(), folder)
}

#[test]
fn an_upstream_proves_who_it_is() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let table = [
        (&ours, "127.0.0.1", "", true),
        (
            &ours,
            "inner.example.test",
            "upstream_server_name = \"inner.example.test\"",
            true,
        ),
        (&ours, "inner.example.test", "", false),
        (
            &ours,
            "127.0.0.1",
            "upstream_server_name = \"inner.example.test\"",
            false,
        ),
        (&theirs, "127.0.0.1", "", false),
    ];
    for (signer, name, lines, good) in table {
        let upstream = Upstream::serving_tls(signer.leaf(&[name]).server_config(), |request| {
            ok(&request.body)
        });
        let (edge, _folder) = over_tls(&upstream, &ours, lines);
        let mut client = edge.client();
        for _ in 0..2 {
            let answer = client.ask(post("body"));
            if good {
                assert_eq!(
                    (answer.status, answer.text()),
                    (200, "body"),
                    "{name} {lines}"
                );
                assert_eq!(edge.reason(), "forwarded");
            } else {
                assert_eq!(
                    (answer.status, answer.closes()),
                    (502, false),
                    "{name} {lines}"
                );
                assert_eq!(edge.reason(), "upstream_tls");
            }
        }
        assert_eq!(upstream.connections(), if good { 1 } else { 2 });
        if !good {
            assert_eq!(
                upstream.bytes(0),
                b"",
                "not a byte of the request before the proof"
            );
        }
    }
}

#[test]
fn an_upstream_that_should_speak_tls_and_does_not_is_a_bad_gateway() {
    let upstream = Upstream::scripted(|mut peer| {
        let _ = peer.some();
        let _ = peer.try_send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let ours = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, ours.pem()).unwrap();
    let tunnel = Tunnel::to(HOST, &upstream.url().replace("http:", "https:"))
        .line("public = true")
        .line(&format!("upstream_ca_file = \"{}\"", file.display()));
    let edge = Edge::setup().tunnel(tunnel).start();
    assert_eq!(edge.client().ask(get("/")).status, 502);
    assert_eq!(edge.reason(), "upstream_tls");
}

#[test]
fn bodies_flow_both_ways_at_once_over_tls() {
    let ours = Authority::new();
    let config = ours.leaf(&["127.0.0.1"]).server_config();
    let upstream = Upstream::scripted_tls(config, echo_piece_by_piece);
    let (edge, _folder) = over_tls(&upstream, &ours, "");
    for size in [1, 1000, 16_384, 100_000] {
        let mut client = edge.client();
        let length = size * 20;
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n"
        ));
        client.head().unwrap();
        for round in 0..20 {
            let piece = vec![round; size];
            client.send(&piece);
            assert!(client.exactly(size).unwrap() == piece, "{size} {round}");
        }
    }
}

#[test]
fn large_bodies_pass_over_tls_and_an_upstream_cut_off_is_noticed() {
    let ours = Authority::new();
    let config = ours.leaf(&["127.0.0.1"]).server_config();
    let upstream = Upstream::scripted_tls(config, |mut peer| {
        while let Some(request) = peer.request() {
            if request.line().contains("/cut") {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
                return;
            }
            peer.send(ok(&request.body));
        }
    });
    let (edge, _folder) = over_tls(&upstream, &ours, "");
    let mut client = edge.client();
    let body = "0123456789".repeat(400_000);
    assert!(client.ask(post(&body)).text() == body);
    client.send(get("/cut"));
    let broken = client.try_response().unwrap_err();
    assert_eq!(broken.part, b"half");
    assert_eq!(edge.reason(), "forwarded");
    assert_eq!(edge.reason(), "upstream_body_truncated");
    assert_eq!(edge.client().ask(post("x")).text(), "x");
}

#[test]
fn an_answer_until_the_end_of_tls_needs_that_end() {
    let ours = Authority::new();
    let config = ours.leaf(&["127.0.0.1"]).server_config();
    let upstream = Upstream::scripted_tls(config, |mut peer| {
        let Some(request) = peer.request() else {
            return;
        };
        peer.send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
        if request.line().contains("/whole") {
            peer.finish();
        }
    });
    let (edge, _folder) = over_tls(&upstream, &ours, "");
    let mut client = edge.client();
    assert_eq!(client.ask(get("/whole")).text(), "until the end");
    assert_eq!(edge.reason(), "forwarded");
    client.send(get("/cut"));
    let broken = client.try_response().unwrap_err();
    assert_eq!(broken.part, b"until the end");
    assert_eq!(edge.reason(), "upstream_body_truncated");
}
