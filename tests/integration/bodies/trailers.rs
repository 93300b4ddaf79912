//! Trailer fields: dropped, unless a tunnel wants them; and then never those that an edge or a server acts on (S3.1).

use super::{CHUNKED, HOST, post};
use crate::support::{Edge, Tunnel, Upstream};

const BODY: &str = "3\r\nabc\r\n0\r\n";
const HARMLESS: &str = "Server-Timing: db;dur=5\r\nX-Sum: 1\r\n";

fn edge(upstream: &Upstream, trailers: bool) -> Edge {
    let tunnel = Tunnel::public(HOST, upstream).line(&format!("trailers = {trailers}"));
    Edge::setup().https().tunnel(tunnel).start()
}

/// Reads a head, then what follows up to the empty line that ends a trailer section.
fn raw_bytes(peer: &mut crate::support::Peer) -> Option<String> {
    let head = peer.request_head()?;
    let start = peer.until(b"\r\n0\r\n").unwrap();
    let mut rest = peer.until(b"\r\n").unwrap();
    while rest != b"\r\n" && !rest.ends_with(b"\r\n\r\n") {
        rest.extend(peer.until(b"\r\n").unwrap());
    }
    let bytes = [head.head, start, rest].concat();
    Some(String::from_utf8(bytes).unwrap())
}

/// What the upstream gets of a request with these trailers.
fn forwarded(trailers: bool, fields: &str, section: &str) -> String {
    let (told, tell) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let upstream = Upstream::scripted(move |mut peer| {
        while let Some(bytes) = raw_bytes(&mut peer) {
            told.lock().unwrap().send(bytes).unwrap();
            peer.send(crate::support::ok("ok"));
        }
    });
    let edge = edge(&upstream, trailers);
    let mut client = edge.client();
    let request = post(CHUNKED).replacen("\r\n\r\n", &format!("\r\n{fields}\r\n"), 1);
    let request = format!("{request}{BODY}{section}\r\n");
    client.send(&request);
    assert_eq!(client.response().status, 200);
    let whole = tell.recv().unwrap();
    // Byte by byte it is the same, in however many chunks the body leaves.
    client.dribble(&request);
    assert_eq!(client.response().status, 200);
    let section = |bytes: &str| bytes.split_once("\r\n0\r\n").unwrap().1.to_owned();
    assert_eq!(section(&tell.recv().unwrap()), section(&whole));
    whole
}

#[test]
fn of_a_request_pass_where_they_are_wanted() {
    let fields = "Trailer: X-Sum\r\nTE: trailers, deflate\r\nConnection: TE\r\n";
    let seen = forwarded(true, fields, HARMLESS);
    assert!(
        seen.ends_with(&format!("\r\n\r\n3\r\nabc\r\n0\r\n{HARMLESS}\r\n")),
        "{seen}"
    );
    for line in [
        "\r\nTrailer: X-Sum\r\n",
        "\r\nTE: trailers\r\n",
        "\r\nConnection: TE\r\n",
    ] {
        assert_eq!(seen.matches(line).count(), 1, "{seen}");
    }
    let seen = forwarded(false, fields, HARMLESS);
    assert!(seen.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "{seen}");
    for name in ["\r\nTrailer:", "\r\nTE:", "\r\nConnection:"] {
        assert!(!seen.contains(name), "{seen}");
    }
}

#[test]
fn names_that_somebody_acts_on_never_pass() {
    let dropped = "X-Forwarded-For: 1.2.3.4\r\nx_real_ip: 1.2.3.4\r\nX-Adit-Subject: root\r\nTE: gzip\r\n\
        X-HTTP-Method-Override: PUT\r\nX-Original-URL: /admin\r\nSet-Cookie: a=b\r\nExpect: x\r\nX-Request-Id: a\r\n\
        Upgrade: websocket\r\nX-Client-Certificate-Of-A-Very-Long-Name: x\r\nReferer: x\r\nCache-Control: no-store\r\n\
        Content-Type: text/html\r\ncontent_encoding: gzip\r\nContent-Range: bytes 0-1/2\r\nRange: bytes=0-\r\nIf-Match: x\r\n\
        Date: x\r\nLocation: /\r\nWWW-Authenticate: Negotiate\r\nX-Accel-Redirect: /etc\r\nVary: *\r\n";
    let seen = forwarded(true, "", &format!("{dropped}X-Sum: 1\r\n{dropped}"));
    assert!(seen.ends_with("\r\n0\r\nX-Sum: 1\r\n\r\n"), "{seen}");
    let seen = forwarded(true, "", dropped);
    assert!(seen.ends_with("\r\n0\r\n\r\n"), "{seen}");
}

#[test]
fn names_that_frame_route_or_prove_are_refused_either_way() {
    for name in [
        "Host",
        "content_length",
        "Transfer-Encoding",
        "Authorization",
        "Cookie",
        "Rstream-Authorization",
    ] {
        for trailers in [false, true] {
            let upstream = Upstream::scripted(|mut peer| {
                peer.request_head();
                peer.read_to_end();
            });
            let edge = edge(&upstream, trailers);
            let mut client = edge.client();
            client.send(format!(
                "{}{BODY}X-Sum: 1\r\n{name}: x\r\n\r\n",
                post(CHUNKED)
            ));
            let answer = client.response();
            assert_eq!((answer.status, answer.closes()), (400, true), "{name}");
            assert_eq!(edge.reason(), "forbidden_trailer");
        }
    }
}

#[test]
fn of_an_answer_pass_where_they_are_wanted() {
    let upstream = Upstream::serving(|_| {
        format!(
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n{BODY}\
             Set-Cookie: a=b\r\n{HARMLESS}X-Adit-Subject: root\r\n\r\n"
        )
        .into_bytes()
    });
    for trailers in [false, true] {
        let edge = edge(&upstream, trailers);
        for mut client in [edge.client(), edge.tls_client(HOST)] {
            for _ in 0..2 {
                client.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
                let head = String::from_utf8(client.head().unwrap()).unwrap();
                assert_eq!(head.contains("\r\nTrailer: X-Sum\r\n"), trailers, "{head}");
                let section = if trailers { HARMLESS } else { "" };
                let rest = format!("3\r\nabc\r\n0\r\n{section}\r\n");
                assert_eq!(client.exactly(rest.len()).unwrap(), rest.as_bytes());
            }
            // A reader of HTTP/1.0 gets the body alone.
            client.send(format!("GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n"));
            let answer = client.response();
            assert_eq!((answer.text(), answer.field("trailer")), ("abc", None));
        }
    }
}
