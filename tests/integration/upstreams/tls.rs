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

/// S8: what an upstream says beyond its answer is nobody's, wherever it waits by then: on the socket, as a record that
/// nobody has decrypted, or as half of one.
#[test]
fn bytes_beyond_an_answer_belong_to_nobody_over_tls_either() {
    let authority = Authority::new();
    let poison = |size: usize| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
        head + &"x".repeat(size)
    };
    for size in [1, 40, 1000, 4000, 4096, 5000, 9000, 16_000, 40_000] {
        let server = authority.leaf(&["127.0.0.1"]).server_config();
        let upstream = Upstream::scripted_tls(server, move |mut peer| {
            while let Some(request) = peer.request() {
                // A record for the answer, and another one for what is beyond it.
                let number = peer.number.to_string();
                let (answer, beyond) = if request.line().starts_with("HEAD") {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nX-Number: {number}\r\nContent-Length: 9\r\n\r\n"
                    );
                    (head.into_bytes(), poison(size))
                } else {
                    let body = format!("{number}{}", "y".repeat(size));
                    (ok(body), poison(40))
                };
                let together = [answer.as_slice(), beyond.as_bytes()];
                if peer.try_send_together(&together).is_err() {
                    return;
                }
            }
        });
        let (edge, _folder) = over_tls(&upstream, &authority, "");
        let mut client = edge.client();
        for round in 0..6 {
            let number = round.to_string();
            if round % 2 == 0 {
                client.send(get("/").replace("GET", "HEAD"));
                let answer = client.response_to_head();
                assert_eq!(answer.field("x-number"), Some(number.as_str()), "{size}");
            } else {
                let body = client.ask(get("/")).text().to_owned();
                assert_eq!(body.trim_end_matches('y'), number, "{size}");
            }
        }
    }
}
