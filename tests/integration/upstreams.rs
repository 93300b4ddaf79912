//! The far side: connections made, kept, trusted and given up.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::support::{Edge, HOST, PATIENCE, Peer, Tunnel, Upstream, gate, ok};

mod several;
mod tls;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

fn post(body: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn sequential_requests_share_one_connection() {
    let upstream = Upstream::fixed("ok");
    let edge = Edge::before(&upstream);
    for _ in 0..3 {
        let mut client = edge.client();
        for _ in 0..3 {
            assert_eq!(client.ask(get("/")).status, 200);
            assert_eq!(client.ask(post("x")).status, 200);
        }
        for _ in 0..6 {
            assert_eq!(edge.reason(), "forwarded");
        }
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn tunnels_do_not_share_connections() {
    let upstream = Upstream::fixed("ok");
    let edge = Edge::setup()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tunnel(Tunnel::public("b.t.example.test", &upstream))
        .start();
    let mut client = edge.client();
    for _ in 0..2 {
        client.ask(get("/"));
        client.ask(get("/").replace("app.", "b."));
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn the_connection_used_last_is_used_first() {
    let (go, hold) = gate();
    let (arrived, arrivals) = channel();
    let upstream = Upstream::serving(move |request| {
        let _ = arrived.send(());
        if request.line().contains("/hold") {
            hold.wait();
        }
        ok(request.connection.to_string())
    });
    let edge = Edge::before(&upstream);
    let (mut first, mut second) = (edge.client(), edge.client());
    first.send(get("/hold"));
    arrivals.recv_timeout(PATIENCE).unwrap();
    second.send(get("/"));
    assert_eq!(second.response().text(), "1");
    edge.log_line();
    go.open();
    assert_eq!(first.response().text(), "0");
    edge.log_line();
    for _ in 0..3 {
        assert_eq!(second.ask(get("/")).text(), "0");
        edge.log_line();
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn an_unused_connection_is_closed_in_time() {
    let upstream = Upstream::serving(|request| ok(request.connection.to_string()));
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    for (passed, number) in [(0, "0"), (55, "0"), (55, "0"), (61, "1")] {
        edge.pass(Duration::from_secs(passed));
        assert_eq!(client.ask(get("/")).text(), number);
    }
}

#[test]
fn bytes_beyond_an_answer_belong_to_nobody() {
    // Where they were another answer, the next client would get it.
    let extra = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let at_once = Upstream::serving(move |request| {
        let mut answer = ok(request.connection.to_string());
        answer.extend(extra.as_bytes());
        answer
    });
    let edge = Edge::before(&at_once);
    let mut client = edge.client();
    for number in ["0", "1", "2"] {
        assert_eq!(client.ask(get("/")).text(), number);
    }
    let (go, hold) = gate();
    let (sent, is_sent) = channel();
    let later = Upstream::scripted(move |mut peer| {
        let number = peer.number;
        while peer.request().is_some() {
            peer.send(ok(number.to_string()));
            if peer.number == 0 {
                hold.wait();
                peer.send(extra);
                let _ = sent.send(());
            }
        }
    });
    let edge = Edge::before(&later);
    let mut client = edge.client();
    assert_eq!(client.ask(get("/")).text(), "0");
    go.open();
    is_sent.recv_timeout(PATIENCE).unwrap();
    assert_eq!(client.ask(get("/")).text(), "1");
    // A body where there can be none is beyond the answer too.
    let bodies = Upstream::serving(|request| {
        let status = if request.line().starts_with("HEAD") {
            "200 OK"
        } else {
            "304 Not"
        };
        format!(
            "HTTP/1.1 {status}\r\nX-Number: {}\r\nContent-Length: 4\r\n\r\nbody",
            request.connection
        )
        .into()
    });
    let edge = Edge::before(&bodies);
    let mut client = edge.client();
    for (number, method) in [("0", "HEAD"), ("1", "GET"), ("2", "HEAD")] {
        client.send(get("/").replace("GET", method));
        assert_eq!(client.response_to_head().field("x-number"), Some(number));
    }
}

/// Answers the first request of each connection, and leaves the second one unanswered on the first `stale` connections.
fn leaving(stale: usize, reset: bool) -> Upstream {
    Upstream::scripted(move |mut peer: Peer| {
        let number = peer.number;
        let mut served = 0;
        while let Some(request) = peer.request() {
            if served > 0 && peer.number < stale {
                if reset {
                    peer.reset();
                }
                return;
            }
            served += 1;
            peer.send(ok(format!("{number} {}", request.body.len())));
        }
    })
}

#[test]
fn a_request_on_a_stale_connection_is_sent_once_more_if_that_does_no_harm() {
    for reset in [false, true] {
        for method in ["GET", "HEAD", "OPTIONS", "DELETE", "PUT"] {
            let upstream = leaving(1, reset);
            let edge = Edge::before(&upstream);
            let mut client = edge.client();
            assert_eq!(client.ask(get("/")).text(), "0 0");
            client.send(get("/").replace("GET", method));
            let answer = match method {
                "HEAD" => client.response_to_head(),
                _ => client.response(),
            };
            assert_eq!(answer.status, 200, "{method}");
            assert_eq!(upstream.connections(), 2, "{method}");
        }
        for method in ["POST", "PATCH", "BREW"] {
            let upstream = leaving(1, reset);
            let edge = Edge::before(&upstream);
            let mut client = edge.client();
            assert_eq!(client.ask(get("/")).text(), "0 0");
            let answer = client.ask(get("/").replace("GET", method));
            assert_eq!((answer.status, answer.closes()), (502, false), "{method}");
            assert_eq!(edge.reason(), "forwarded");
            assert_eq!(edge.reason(), "upstream_closed");
            assert_eq!(upstream.connections(), 1, "{method}: sent once");
            assert_eq!(client.ask(get("/")).text(), "1 0");
        }
    }
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let (gone, is_gone) = channel();
    let upstream = Upstream::scripted(move |mut peer| {
        let number = peer.number;
        if peer.request().is_some() {
            peer.send(ok(number.to_string()));
            drop(peer);
            let _ = gone.send(());
        }
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    for number in ["0", "1", "2"] {
        assert_eq!(client.ask(post("body")).text(), number);
        is_gone.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_request_is_not_sent_again_on_a_new_connection_nor_a_third_time() {
    let upstream = Upstream::scripted(|mut peer| {
        peer.request();
    });
    let edge = Edge::before(&upstream);
    assert_eq!(edge.client().ask(get("/")).status, 502);
    assert_eq!(upstream.connections(), 1);
    // A second connection that fails too is the end of it.
    let upstream = Upstream::scripted(|mut peer| {
        peer.request();
        if peer.number == 0 {
            peer.send(ok("0"));
            peer.request();
        }
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    assert_eq!(client.ask(get("/")).text(), "0");
    let answer = client.ask(get("/"));
    assert_eq!((answer.status, answer.closes()), (502, false));
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn an_answer_that_began_is_never_asked_for_again() {
    for part in [
        "H",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 103 Hints\r\n\r\n",
    ] {
        let upstream = Upstream::scripted(move |mut peer| {
            peer.request();
            if peer.number == 0 {
                peer.send(ok("0"));
                peer.request();
            }
            peer.send(part);
        });
        let edge = Edge::before(&upstream);
        let mut client = edge.client();
        assert_eq!(client.ask(get("/")).text(), "0");
        let mut answer = client.ask(get("/"));
        if answer.status == 103 {
            answer = client.response();
        }
        assert_eq!((answer.status, answer.closes()), (502, false), "{part:?}");
        assert_eq!(upstream.connections(), 1, "{part:?}");
    }
}

#[test]
fn an_upstream_that_leaves_is_a_bad_gateway_at_every_phase() {
    let table: &[(&[u8], &str)] = &[
        (b"", "upstream_closed"),
        (b"HTT", "upstream_truncated"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
            "upstream_truncated",
        ),
    ];
    for (part, reason) in table {
        for reset in [false, true] {
            for request in [get("/"), post("body")] {
                let upstream = Upstream::scripted(move |mut peer| {
                    peer.request();
                    if !part.is_empty() {
                        peer.send(part);
                    }
                    if reset {
                        peer.reset();
                    }
                });
                let edge = Edge::before(&upstream);
                let answer = edge.client().ask(&request);
                assert_eq!(
                    (answer.status, answer.closes()),
                    (502, false),
                    "{reason} {reset}"
                );
                let found = edge.reason();
                // A reset may overtake the bytes before it.
                assert!(
                    found == *reason || (reset && found == "upstream_closed"),
                    "{found}"
                );
            }
        }
    }
    // Before it has read anything, too.
    for reset in [false, true] {
        let upstream = Upstream::scripted(move |peer| {
            if reset {
                peer.reset()
            }
        });
        let edge = Edge::before(&upstream);
        let mut client = edge.client();
        assert_eq!(client.ask(get("/")).status, 502);
        assert_eq!(client.ask(post("body")).status, 502);
    }
}

#[test]
fn connections_that_carry_their_own_authentication_are_not_shared() {
    let table = [
        ("", "401 No\r\nWWW-Authenticate: NTLM", false),
        ("", "401 No\r\nWWW-Authenticate: Negotiate abc", false),
        (
            "",
            "401 No\r\nWWW-Authenticate: Basic\r\nwww-authenticate: nTLM",
            false,
        ),
        (
            "",
            "401 No\r\nWWW-Authenticate: Basic realm=\"x\", NTLM",
            false,
        ),
        ("Authorization: Negotiate abc\r\n", "200 OK", false),
        ("authorization: ntlm abc\r\n", "200 OK", false),
        ("Authorization: Basic eA==\r\n", "200 OK", true),
        ("", "401 No\r\nWWW-Authenticate: Basic", true),
    ];
    for (field, status, shared) in table {
        let upstream = Upstream::serving(move |_| {
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into()
        });
        let edge = Edge::before(&upstream);
        let mut client = edge.client();
        for _ in 0..2 {
            client.ask(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{field}\r\n"));
        }
        let connections = if shared { 1 } else { 2 };
        assert_eq!(upstream.connections(), connections, "{field:?} {status:?}");
    }
}

#[test]
fn an_upstream_that_is_not_there_is_a_bad_gateway() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let edge = Edge::setup()
        .tunnel(Tunnel::to(HOST, &url).line("public = true"))
        .start();
    let mut client = edge.client();
    for request in [get("/"), post("body"), get("/")] {
        let answer = client.ask(request);
        assert_eq!((answer.status, answer.closes()), (502, false));
        assert_eq!(edge.reason(), "upstream_connect");
    }
}

#[test]
fn an_upstream_that_does_not_accept_is_given_up() {
    // A full queue of connections: the kernel answers no further one.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let _filling = TcpStream::connect(address).unwrap();
    let edge = Edge::setup()
        .tunnel(Tunnel::to(HOST, &format!("http://{address}")).line("public = true"))
        .start();
    let mut client = edge.client();
    client.send(get("/"));
    edge.pass_until(Duration::from_secs(6), "the connect is given up", || {
        client.has_news()
    });
    let answer = client.response();
    assert_eq!((answer.status, answer.closes()), (504, false));
    assert_eq!(edge.reason(), "upstream_connect_timeout");
}
