//! WebSockets, and nothing else that upgrades (S4.3).

use std::time::Duration;

use crate::support::certificate::Authority;
use crate::support::{
    Client, Edge, Ending, HOST, Peer, Setup, Tunnel, Upstream, eventually, gate, ok,
};

mod endings;

/// The example of RFC 6455 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn handshake() -> String {
    format!(
        "GET /chat?room=1 HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate; x=\"1\"\r\n\r\n"
    )
}

fn switching() -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: superchat\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

/// Switches, then hands every byte back until the client has ended.
fn echo(mut peer: Peer) {
    if peer.request().is_none() {
        return;
    }
    peer.send(switching());
    while let Ok(bytes) = peer.some() {
        if peer.try_send(&bytes).is_err() {
            return;
        }
    }
    peer.finish();
}

fn setup(upstream: &Upstream) -> Setup {
    Edge::setup().https().tunnel(Tunnel::public(HOST, upstream))
}

fn opened(edge: &Edge, tls: bool) -> Client {
    let mut client = if tls {
        edge.tls_client(HOST)
    } else {
        edge.client()
    };
    client.send(handshake());
    let head = String::from_utf8(client.head().unwrap()).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client
}

#[test]
fn the_handshake_passes_with_its_fields_untouched() {
    let upstream = Upstream::scripted(echo);
    let edge = setup(&upstream).start();
    for tls in [false, true] {
        let mut client = if tls {
            edge.tls_client(HOST)
        } else {
            edge.client()
        };
        client.send(handshake());
        let answer = client.response();
        assert_eq!(answer.status, 101);
        for (name, value) in [
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-accept", ACCEPT),
            ("sec-websocket-protocol", "superchat"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ] {
            assert_eq!(answer.field(name), Some(value), "{name}");
        }
        let seen = upstream.next_request();
        assert_eq!(seen.line(), "GET /chat?room=1 HTTP/1.1");
        for (name, value) in [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat, superchat"),
            ("sec-websocket-extensions", "permessage-deflate; x=\"1\""),
        ] {
            assert_eq!(seen.field(name), Some(value), "{name}");
        }
        client.send("GET /not-a-request HTTP/1.1\r\n\r\n\0\u{ff}");
        assert_eq!(
            client.exactly(34).unwrap(),
            b"GET /not-a-request HTTP/1.1\r\n\r\n\0\xc3\xbf"
        );
        client.finish();
        assert_eq!(client.read_to_end(), (Vec::new(), Ending::Clean));
        let line = edge.log_line();
        assert_eq!(
            (
                &line["status"],
                &line["reason"],
                &line["ended_by"],
                &line["phase"]
            ),
            (
                &101.into(),
                &"forwarded".into(),
                &"complete".into(),
                &"done".into()
            )
        );
        assert_eq!(
            (&line["bytes_in"], &line["bytes_out"]),
            (&34.into(), &34.into())
        );
    }
}

#[test]
fn bytes_before_the_answer_wait_for_it() {
    let (go, wait) = gate();
    let upstream = Upstream::scripted(move |mut peer| {
        peer.request();
        wait.wait();
        // The first bytes of the other protocol come with the answer.
        peer.send(switching() + "hello");
        assert_eq!(peer.exactly(5).unwrap(), b"early");
        peer.finish();
    });
    let edge = setup(&upstream).start();
    let mut client = edge.client();
    client.send(handshake() + "early");
    upstream.next_request();
    edge.settle();
    assert!(
        upstream.bytes(0).ends_with(b"\r\n\r\n"),
        "nothing follows the head before a 101"
    );
    go.open();
    assert_eq!(client.response().status, 101);
    assert_eq!(client.exactly(5).unwrap(), b"hello");
    assert_eq!(client.read_to_end(), (Vec::new(), Ending::Clean));
}

#[test]
fn an_upstream_with_tls_is_relayed_too() {
    let authority = Authority::new();
    let config = authority.leaf(&["127.0.0.1"]).server_config();
    let upstream = Upstream::scripted_tls(config, echo);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let trust = format!("upstream_ca_file = \"{}\"", file.display());
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream).line(&trust))
        .start();
    for tls in [false, true] {
        let mut client = opened(&edge, tls);
        let long: Vec<u8> = (0..300_000u32).map(|at| at as u8).collect();
        for piece in long.chunks(20_000) {
            client.send(piece);
            assert_eq!(client.exactly(piece.len()).unwrap(), piece);
        }
        client.finish();
        assert_eq!(client.read_to_end(), (Vec::new(), Ending::Clean));
        assert_eq!(edge.log_line()["bytes_out"], 300_000);
    }
}

#[test]
fn anything_else_is_an_ordinary_request_without_its_upgrade() {
    for (from, to) in [
        ("GET", "HEAD"),
        (
            "Upgrade: websocket",
            "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
        ),
        ("Upgrade: websocket", "Upgrade: websocket, h2c"),
        (
            "Upgrade: websocket",
            "Upgrade: websocket\r\nUpgrade: websocket",
        ),
        ("keep-alive, Upgrade", "keep-alive"),
        ("Version: 13", "Version: 12"),
        ("Key: dGhl", "Key: dGh"),
        ("keep-alive, Upgrade", "Upgrade, Sec-WebSocket-Key"),
        ("keep-alive, Upgrade", "Upgrade, Sec-WebSocket-Version"),
    ] {
        let upstream = Upstream::fixed("plain");
        let edge = setup(&upstream).start();
        let mut client = edge.client();
        client.send(handshake().replacen(from, to, 1));
        let answer = if to == "HEAD" {
            client.response_to_head()
        } else {
            client.response()
        };
        assert_eq!(answer.status, 200, "{to}");
        let seen = upstream.next_request();
        for name in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(seen.field(name), None, "{to}");
        }
        assert_eq!(
            client.ask(get("/next")).text(),
            "plain",
            "the connection is in step"
        );
    }
}

#[test]
fn a_switch_that_was_not_asked_for_ends_everything() {
    let wrong = |from: &str, to: &str| switching().replacen(from, to, 1);
    let plain = get("/") + &get("/second");
    let table = [
        (plain, switching(), "upstream_switched_protocols"),
        (handshake(), wrong("s3pP", "S3pP"), "upstream_bad_upgrade"),
        (
            handshake(),
            wrong("websocket", "h2c"),
            "upstream_bad_upgrade",
        ),
        (
            handshake(),
            wrong("Connection: Upgrade\r\n", ""),
            "upstream_bad_upgrade",
        ),
        (
            handshake(),
            wrong(
                "Connection: Upgrade",
                "Connection: Upgrade, Sec-WebSocket-Accept",
            ),
            "upstream_bad_upgrade",
        ),
        (
            handshake(),
            wrong("HTTP/1.1 101", "HTTP/1.0 101"),
            "upstream_bad_upgrade",
        ),
        (
            handshake(),
            "HTTP/1.1 101 Switching\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            "upstream_malformed",
        ),
    ];
    for (request, answer, reason) in table {
        let upstream = Upstream::scripted(move |mut peer| {
            if peer.request().is_some() {
                peer.send(&answer);
                peer.read_to_end();
            }
        });
        let edge = setup(&upstream).start();
        let mut client = edge.client();
        client.send(&request);
        assert_eq!(client.response().status, 502, "{reason}");
        assert_eq!(edge.reason(), reason);
        if reason != "upstream_malformed" {
            client.assert_closed();
            assert_eq!(
                upstream.connections(),
                1,
                "what lay behind is not interpreted"
            );
        }
    }
}

#[test]
fn bytes_behind_a_handshake_that_fails_are_no_request() {
    let upstream = Upstream::serving(|_| {
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nno"
            .to_vec()
    });
    let edge = setup(&upstream)
        .tunnel(Tunnel::guarded("closed.t.example.test", &upstream))
        .start();
    let mut client = edge.client();
    client.send(handshake() + &get("/smuggled"));
    let answer = client.response();
    assert_eq!(
        (answer.status, answer.text(), answer.closes()),
        (426, "no", true)
    );
    client.assert_closed();
    // The edge's own no.
    let mut client = edge.client();
    client.send(handshake().replace(HOST, "closed.t.example.test") + &get("/smuggled"));
    let answer = client.response();
    assert_eq!((answer.status, answer.closes()), (401, true));
    client.assert_closed();
    assert_eq!(upstream.connections(), 1);
    // Without such bytes the connection goes on.
    let mut client = edge.client();
    for _ in 0..2 {
        let answer = client.ask(handshake());
        assert_eq!((answer.status, answer.closes()), (426, false));
    }
}

#[test]
fn a_token_opens_it_and_stays_with_the_edge() {
    let upstream = Upstream::scripted(echo);
    let edge = Edge::setup()
        .tunnel(Tunnel::guarded(HOST, &upstream))
        .start();
    let mut client = edge.client();
    assert_eq!(client.ask(handshake()).status, 401);
    upstream.assert_untouched();
    let token = edge.token(|_| ());
    let query = handshake().replace("?room=1", &format!("?room=1&rstream.token={token}"));
    client.send(query);
    assert_eq!(client.response().status, 101);
    let seen = upstream.next_request();
    assert_eq!(seen.line(), "GET /chat?room=1 HTTP/1.1");
    assert!(!seen.head.escape_ascii().to_string().contains(&token));
}

#[test]
fn interim_answers_come_before_the_switch() {
    let upstream = Upstream::scripted(|mut peer| {
        peer.request();
        peer.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_owned() + &switching());
        peer.finish();
    });
    let edge = setup(&upstream).start();
    let mut client = edge.client();
    client.send(handshake());
    assert_eq!(client.response().status, 103);
    assert_eq!(client.response().status, 101);
}
