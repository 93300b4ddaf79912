//! Whoever is too slow is cut off, by a clock that the tests move.

use std::time::Duration;

use crate::support::{Client, Edge, Ending, HOST, Tunnel, Upstream, eventually, gate, ok};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn get() -> String {
    format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

fn both(upstream: &Upstream) -> Edge {
    Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, upstream))
        .start()
}

/// Opened when it is needed: an idle one would not outlive the time that others pass.
fn connect(edge: &Edge, tls: bool) -> Client {
    if tls {
        edge.tls_client(HOST)
    } else {
        edge.client()
    }
}

/// Reads all, then holds its answer.
fn silent() -> Upstream {
    Upstream::scripted(|mut peer| {
        peer.request();
        let _ = peer.request_head();
    })
}

#[test]
fn a_head_is_finished_in_time() {
    let upstream = Upstream::fixed("ok");
    let edge = both(&upstream);
    for tls in [false, true] {
        let mut client = connect(&edge, tls);
        client.send(&get()[..30]);
        edge.pass_until(seconds(11), "the head is given up", || client.has_news());
        let answer = client.response();
        assert_eq!((answer.status, answer.closes()), (408, true));
        client.assert_closed();
        assert_eq!(edge.reason(), "head_timeout");
    }
    // A trickle does not buy time.
    let mut client = edge.client();
    let text = get();
    let mut bytes = text.bytes();
    edge.pass_until(seconds(4), "the trickle is given up", || {
        if let Some(byte) = bytes.next() {
            let _ = client.try_send(&[byte]);
        }
        client.has_news()
    });
    assert_eq!(client.response().status, 408);
    upstream.assert_untouched();
    // One step inside.
    let mut client = edge.client();
    client.send(&get()[..30]);
    edge.pass(seconds(9));
    client.send(&get()[30..]);
    assert_eq!(client.response().status, 200);
}

#[test]
fn an_idle_connection_ends_in_order() {
    let upstream = Upstream::fixed("ok");
    let edge = both(&upstream);
    for tls in [false, true] {
        let mut client = connect(&edge, tls);
        assert_eq!(client.ask(get()).status, 200);
        edge.pass(seconds(85));
        assert_eq!(client.ask(get()).status, 200);
        edge.pass_until(seconds(91), "the connection ends", || client.has_news());
        client.assert_closed();
    }
    // One that never said a word, too.
    let mut client = edge.client();
    edge.pass_until(seconds(91), "the connection ends", || client.has_news());
    client.assert_closed();
}

#[test]
fn a_body_goes_on_in_time() {
    let upstream = Upstream::scripted(|mut peer| {
        while let Some(head) = peer.request_head() {
            let Ok(body) = peer.body(head.delimited) else {
                return;
            };
            peer.send(ok(&body));
        }
    });
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables("[limits]\nbody_min_rate = 0")
        .start();
    let post = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 8\r\n\r\nhalf");
    // So that no connect is under way when time moves.
    let half_is_there = |connection: usize| {
        eventually("half of the body is with the upstream", || {
            upstream.connections() > connection && upstream.bytes(connection).ends_with(b"half")
        });
    };
    for (number, tls) in [false, true].into_iter().enumerate() {
        let mut client = connect(&edge, tls);
        client.send(&post);
        half_is_there(number);
        edge.pass_until(seconds(31), "the body is given up", || client.has_news());
        let answer = client.response();
        assert_eq!((answer.status, answer.closes()), (408, true));
        client.assert_closed();
        let line = edge.log_line();
        assert_eq!(line["reason"], "body_timeout");
    }
    let mut client = edge.client();
    client.send(&post);
    half_is_there(2);
    for sent in ["halfr", "halfre", "halfres", "halfrest"] {
        edge.pass(seconds(25));
        client.send(&sent[sent.len() - 1..]);
        eventually("the next byte is with the upstream", || {
            upstream.bytes(2).ends_with(sent.as_bytes())
        });
    }
    assert_eq!(client.response().text(), "halfrest");
}

#[test]
fn a_body_comes_fast_enough() {
    let upstream = Upstream::scripted(|mut peer| {
        // One request for each connection, so that they can be told apart.
        if let Some(head) = peer.request_head()
            && let Ok(body) = peer.body(head.delimited)
        {
            peer.send(ok(body.len().to_string()));
        }
    });
    let edge = both(&upstream);
    let start = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n");
    let by_length = |piece: &str| {
        (
            format!("{start}Content-Length: 100000\r\n\r\n"),
            piece.to_owned(),
        )
    };
    let chunked = |piece: &str| {
        let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
        (format!("{start}Transfer-Encoding: chunked\r\n\r\n"), chunk)
    };
    // Four seconds between pieces: 1024 bytes are what the rate asks for, less is too slow once ten seconds are over.
    let (enough, less) = ("x".repeat(1100), "x".repeat(500));
    let mut connections = 0;
    for tls in [false, true] {
        for (head, piece) in [by_length(&less), chunked(&less)] {
            let mut client = connect(&edge, tls);
            client.send(&head);
            for sent in 0..3 {
                client.send(&piece);
                eventually("a piece is with the upstream", || {
                    upstream.connections() > connections
                        && ends_with_pieces(&upstream, connections, 500 * (sent + 1))
                });
                edge.pass(seconds(4));
            }
            client.send(&piece);
            let answer = client.response();
            assert_eq!((answer.status, answer.closes()), (408, true));
            assert_eq!(edge.reason(), "body_too_slow");
            connections += 1;
        }
        let mut client = connect(&edge, tls);
        client.send(format!("{start}Content-Length: 6600\r\n\r\n"));
        for sent in 1..=6 {
            client.send(&enough);
            eventually("a piece is with the upstream", || {
                upstream.connections() > connections
                    && ends_with_pieces(&upstream, connections, 1100 * sent)
            });
            edge.pass(seconds(4));
        }
        assert_eq!(client.response().text(), "6600");
        assert_eq!(edge.reason(), "forwarded");
        connections += 1;
    }
}

/// Whether so many bytes of body are with the upstream.
fn ends_with_pieces(upstream: &Upstream, connection: usize, bytes: usize) -> bool {
    let seen = upstream.bytes(connection);
    seen.iter().filter(|&&byte| byte == b'x').count() >= bytes
}

#[test]
fn a_refused_body_is_not_waited_for_without_end() {
    let upstream = Upstream::fixed("never");
    let edge = Edge::setup()
        .tunnel(Tunnel::guarded(HOST, &upstream))
        .start();
    let mut client = edge.client();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 8\r\n\r\nhalf"
    ));
    assert_eq!(client.response().status, 401);
    edge.pass_until(seconds(31), "the body is given up", || client.has_news());
    client.assert_closed();
    upstream.assert_untouched();
}

#[test]
fn an_upstream_answers_in_time() {
    let upstream = silent();
    let edge = both(&upstream);
    for request in [
        get(),
        format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody"),
    ] {
        let mut client = edge.client();
        client.send(&request);
        upstream.next_request();
        edge.pass_until(seconds(61), "the answer is given up", || client.has_news());
        let answer = client.response();
        assert_eq!((answer.status, answer.closes()), (504, false));
        assert_eq!(edge.reason(), "upstream_timeout");
    }
    let (go, hold) = gate();
    let upstream = Upstream::serving(move |_| {
        hold.wait();
        ok("late")
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    client.send(get());
    upstream.next_request();
    edge.pass(seconds(58));
    go.open();
    assert_eq!(client.response().text(), "late");
}

#[test]
fn an_answer_goes_on_in_time() {
    let (go, hold) = gate();
    let upstream = Upstream::scripted(move |mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
        hold.wait();
        peer.send("rest");
        let _ = peer.request_head();
    });
    let edge = both(&upstream);
    for tls in [false, true] {
        let mut client = connect(&edge, tls);
        client.send(get());
        client.until(b"half").unwrap();
        edge.pass(seconds(290));
        go.open();
        assert_eq!(client.exactly(4).unwrap(), b"rest");
        assert_eq!(edge.reason(), "forwarded");
    }
    for tls in [false, true] {
        let mut client = connect(&edge, tls);
        client.send(get());
        client.until(b"half").unwrap();
        edge.pass_until(seconds(301), "the answer is given up", || client.has_news());
        let (rest, ending) = client.read_to_end();
        assert_eq!(rest, b"");
        assert_ne!(ending, Ending::Silent);
        go.open();
        let line = edge.log_line();
        assert_eq!(
            (&line["reason"], &line["status"]),
            (&"upstream_timeout".into(), &200.into())
        );
    }
}

#[test]
fn a_client_takes_its_answer_in_time() {
    let (go, hold) = gate();
    let upstream = Upstream::scripted(move |mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\n\r\n");
        while peer.try_send(&[b'x'; 65_536]).is_ok() {}
        hold.wait();
    });
    // While the pipe fills, the edge also waits for the upstream: that wait must not be the one that is over first.
    let edge = Edge::setup()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables("[timeouts]\nupstream_read_idle = \"12h\"")
        .start();
    let mut client = edge.client();
    client.send(get());
    client.head().unwrap();
    edge.pass_until(seconds(31), "the client is given up", || {
        edge.engine().reports()[0].1.bytes_out > 0
    });
    let line = edge.log_line();
    assert_eq!(line["reason"], "client_write_timeout");
    assert_eq!(line["ended_by"], "client");
    go.open();
}

#[test]
fn an_upload_that_the_upstream_does_not_take_is_given_up() {
    let (go, hold) = gate();
    let upstream = Upstream::scripted(move |mut peer| {
        peer.request_head();
        hold.wait();
    });
    // While the pipe fills, the edge also waits for the client: that wait must not be the one that is over first.
    let edge = Edge::setup()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables("[timeouts]\nbody_idle = \"12h\"")
        .start();
    let mut client = edge.client();
    let length = 1_u64 << 40;
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n"
    ));
    let mut sender = client.socket().try_clone().unwrap();
    std::thread::spawn(
        move || while std::io::Write::write_all(&mut sender, &[b'x'; 65_536]).is_ok() {},
    );
    eventually("the upstream has the head", || upstream.connections() == 1);
    edge.pass_until(seconds(61), "the upload is given up", || client.has_news());
    assert_eq!(client.response().status, 504);
    assert_eq!(edge.reason(), "upstream_timeout");
    go.open();
}
