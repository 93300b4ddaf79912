//! Bodies arrive whole and in order, however they were cut; what is not whole never looks whole.

use std::sync::mpsc::channel;
use std::time::Duration;

use crate::support::head;
use crate::support::wire::Delimited;
use crate::support::{Edge, Ending, HOST, PATIENCE, Tunnel, Upstream, eventually, gate, ok};

mod pressure;
mod trailers;

fn get() -> String {
    format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

fn post(framing: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{framing}\r\n\r\n")
}

const CHUNKED: &str = "Transfer-Encoding: chunked";

/// Bytes that do not repeat in step with any buffer.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at % 251) as u8 ^ (at / 65_536) as u8)
        .collect()
}

fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    for chunk in body.chunks(size) {
        wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

/// Gives each request its own body back, framed as the request was.
fn echo() -> Upstream {
    Upstream::serving(|request| match request.delimited {
        Delimited::Chunked => {
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            [&head[..], &chunks(&request.body, 1000)].concat()
        }
        Delimited::Nothing | Delimited::Length(_) | Delimited::Close => ok(&request.body),
    })
}

#[test]
fn every_size_around_every_buffer_comes_back_as_it_was() {
    let upstream = echo();
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    for mut client in [edge.client(), edge.tls_client(HOST)] {
        for size in [
            1, 2, 15, 16, 255, 4096, 8191, 8192, 8193, 15_871, 15_872, 16_383, 16_384, 16_385,
            32_768, 65_536, 262_143, 262_144, 262_145, 3_000_000, 10, 16_384, 40_000, 1,
        ] {
            let body = pattern(size);
            let answer =
                client.ask([post(&format!("Content-Length: {size}")).as_bytes(), &body].concat());
            assert!(answer.body == body, "{size} by length");
            for chunk in [1000, 16_384, 400_000] {
                let answer = client.ask([post(CHUNKED).as_bytes(), &chunks(&body, chunk)].concat());
                assert!(answer.body == body, "{size} in chunks of {chunk}");
            }
        }
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_body_that_comes_byte_by_byte_comes_back_as_it_was() {
    let upstream = Upstream::scripted(|mut peer| {
        while let Some(request) = peer.request() {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            peer.dribble([head.as_bytes(), &chunks(&request.body, 3)].concat());
        }
    });
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    let body = b"a few bytes, one at a time";
    for mut client in [edge.client(), edge.tls_client(HOST)] {
        client.dribble([post(CHUNKED).as_bytes(), &chunks(body, 5)].concat());
        assert_eq!(client.response().body, body);
        client.dribble([post("Content-Length: 26").as_bytes(), body].concat());
        assert_eq!(client.response().body, body);
    }
}

#[test]
fn chunk_extensions_and_trailers_of_an_answer_are_dropped() {
    let upstream = Upstream::serving(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
          3;a=1;b=\"x;y\"\r\nabc\r\n4 ;c\r\ndefg\r\n0;last\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n"
            .to_vec()
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    for _ in 0..2 {
        // The reader of answers takes digits alone for a chunk's size, and no trailers.
        assert_eq!(client.ask(get()).text(), "abcdefg");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole() {
    let table: &[(&[u8], &str)] = &[
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "1.0"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            "1.1",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
            "1.1",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
            "1.1",
        ),
        // Here only the manner of the end can tell.
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            "1.0",
        ),
    ];
    for (sent, version) in table {
        let (go, hold) = gate();
        let upstream = Upstream::scripted(move |mut peer| {
            if peer.request().is_some() {
                peer.send(sent);
                hold.wait();
            }
        });
        let edge = Edge::setup()
            .https()
            .tunnel(Tunnel::public(HOST, &upstream))
            .start();
        for (mut client, cut) in [
            (edge.client(), Ending::Reset),
            (edge.tls_client(HOST), Ending::Cut),
        ] {
            let shown = format!("{} for {version}", sent.escape_ascii());
            client.send(get().replace("1.1", version));
            let head = client.head().unwrap();
            assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{shown}");
            // The client has what there is before the upstream leaves.
            let part = client.until(b"half").unwrap();
            assert!(part.ends_with(b"half"), "{shown}");
            go.open();
            let (rest, ending) = client.read_to_end();
            assert!(!rest.ends_with(b"0\r\n\r\n"), "{shown}");
            if head::value(&head, "content-length").is_none() && *version == "1.0" {
                assert_eq!(ending, cut, "{shown}");
            }
            let line = edge.log_line();
            assert_eq!(line["reason"], "upstream_body_truncated", "{shown}");
            assert_eq!(line["ended_by"], "upstream", "{shown}");
            assert_eq!(line["status"], 200, "{shown}");
        }
    }
}

#[test]
fn an_answer_whose_chunks_break_the_rules_does_not_look_whole() {
    // The bad line comes in a packet of its own, after the client has the head.
    let (go, hold) = gate();
    let upstream = Upstream::scripted(move |mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        hold.wait();
        peer.send("z\r\n");
        let _ = peer.request_head();
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    client.send(get());
    client.until(b"half").unwrap();
    go.open();
    let (rest, _) = client.read_to_end();
    assert!(!rest.ends_with(b"0\r\n\r\n"));
    assert_eq!(edge.reason(), "upstream_body");
}

#[test]
fn an_upload_that_breaks_off_does_not_look_whole() {
    let (sender, seen) = channel();
    let upstream = Upstream::scripted(move |mut peer| {
        let head = peer.request_head().unwrap();
        let _ = sender.send(peer.body(head.delimited));
    });
    let edge = Edge::before(&upstream);
    for (framing, body) in [
        ("Content-Length: 10", "half"),
        (CHUNKED, "4\r\nhalf\r\n"),
        (CHUNKED, "9\r\nhalf"),
        (CHUNKED, "4\r\nhalf\r\n0\r\n"),
    ] {
        for hard in [false, true] {
            let mut client = edge.client();
            client.send(post(framing) + body);
            eventually("half of the body is with the upstream", || {
                let number = upstream.connections();
                number > 0 && memchr::memmem::find(&upstream.bytes(number - 1), b"half").is_some()
            });
            if hard {
                client.reset();
            } else {
                client.finish();
            }
            let body = seen.recv_timeout(PATIENCE).unwrap();
            assert!(body.is_err(), "{framing}, {hard}: {body:?}");
            let line = edge.log_line();
            assert_eq!(line["reason"], "client_closed", "{framing}, {hard}");
            assert_eq!(line["ended_by"], "client", "{framing}, {hard}");
        }
    }
}

#[test]
fn a_client_that_has_finished_sending_still_gets_its_answer() {
    let (go, hold) = gate();
    let upstream = Upstream::serving(move |request| {
        hold.wait();
        ok(&request.body)
    });
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    for mut client in [edge.client(), edge.tls_client(HOST)] {
        client.send(post("Content-Length: 4") + "body");
        client.finish();
        go.open();
        assert_eq!(client.response().text(), "body");
        client.assert_closed();
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_an_answer_ends_it_for_the_upstream() {
    let (sender, ended) = channel();
    let upstream = Upstream::scripted(move |mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\n\r\n");
        while peer.try_send(&[b'x'; 4096]).is_ok() {}
        let _ = sender.send(());
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    client.send(get());
    client.head().unwrap();
    client.reset();
    ended.recv_timeout(PATIENCE).expect("the upstream is told");
    assert_eq!(edge.reason(), "client_closed");
}

#[test]
fn an_answer_before_the_end_of_the_request_arrives() {
    let upstream = Upstream::scripted(|mut peer| {
        peer.request_head();
        peer.exactly(4).unwrap();
        peer.send("HTTP/1.1 413 Enough\r\nContent-Length: 3\r\n\r\nnow");
        let _ = peer.read_to_end();
    });
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    for mut client in [edge.client(), edge.tls_client(HOST)] {
        client.send(post("Content-Length: 1000000") + "half");
        let answer = client.response();
        assert_eq!((answer.status, answer.text()), (413, "now"));
        // The rest of the body would be read as the next request.
        assert!(answer.closes());
        let behind = get().repeat(3);
        let _ = client.try_send(behind.as_bytes());
        let (bytes, _) = client.read_to_end();
        assert_eq!(bytes, b"");
    }
    for _ in 0..2 {
        let line = edge.log_line();
        assert_eq!(
            (&line["status"], &line["reason"]),
            (&413.into(), &"forwarded".into())
        );
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_fault_before_the_end_of_the_request_is_told_to_a_client_that_is_still_sending() {
    for reset in [false, true] {
        let upstream = Upstream::scripted(move |mut peer| {
            peer.request_head();
            peer.exactly(4).unwrap();
            if reset {
                peer.reset();
            }
        });
        let edge = Edge::setup()
            .https()
            .tunnel(Tunnel::public(HOST, &upstream))
            .start();
        for mut client in [edge.client(), edge.tls_client(HOST)] {
            client.send(post("Content-Length: 100000000") + "half");
            let mut rounds = 0;
            while !client.has_news() {
                client.send(vec![b'x'; 10_000]);
                rounds += 1;
                assert!(rounds < 5000, "nothing is told");
            }
            let answer = client.response();
            assert_eq!((answer.status, answer.closes()), (502, true), "{reset}");
            assert_eq!(edge.reason(), "upstream_closed");
        }
    }
}

#[test]
fn a_client_that_leaves_while_it_waits_is_noticed_at_the_answer() {
    let (go, hold) = gate();
    let upstream = Upstream::serving(move |_| {
        hold.wait();
        ok(vec![b'x'; 10_000_000])
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    client.send(get());
    upstream.next_request();
    client.reset();
    go.open();
    let line = edge.log_line();
    assert_eq!(line["reason"], "client_closed");
    go.open();
    assert_eq!(edge.client().ask(get()).body.len(), 10_000_000);
    assert_eq!(
        upstream.connections(),
        2,
        "half an answer is on the first one"
    );
}

/// RFC 9112 9.5: nothing is read from a client that waits for its answer, and yet its reset ends the exchange, on both
/// sides, long before any deadline.
#[test]
fn a_reset_while_the_answer_is_awaited_ends_the_exchange() {
    let upstream = Upstream::scripted(|mut peer| {
        while let Some(request) = peer.request() {
            if request.line().contains("/begun") {
                peer.send("HTTP/1.1 200 OK\r\n\r\nhalf");
            }
            // Ends with the connection.
            peer.read_to_end();
        }
    });
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    let begun = get().replace("GET /", "GET /begun");
    for (tls, request, status) in [
        (false, get(), 0),
        (true, get(), 0),
        (false, post("Content-Length: 2") + "ab", 0),
        (false, begun.clone(), 200),
        (true, begun, 200),
    ] {
        let mut client = if tls {
            edge.tls_client(HOST)
        } else {
            edge.client()
        };
        client.send(&request);
        upstream.next_request();
        if status == 200 {
            client.until(b"half").unwrap();
        }
        client.reset();
        edge.pass_until(Duration::from_millis(300), "it is noticed", || {
            edge.engine().reports()[0].1.connections_open == 0
        });
        let line = edge.log_line();
        assert_eq!(
            (&line["reason"], &line["ended_by"], &line["status"]),
            (&"client_closed".into(), &"client".into(), &status.into())
        );
    }
}

#[test]
fn both_directions_flow_at_the_same_time() {
    let upstream = Upstream::scripted(echo_piece_by_piece);
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    for mut client in [edge.client(), edge.tls_client(HOST)] {
        client.send(post("Content-Length: 400000"));
        let head = client.head().unwrap();
        assert!(
            head.starts_with(b"HTTP/1.1 200 "),
            "{}",
            head.escape_ascii()
        );
        for round in 0..20 {
            let piece = pattern(20_000 + round)[round..].to_vec();
            client.send(&piece);
            assert!(client.exactly(20_000).unwrap() == piece, "{round}");
        }
    }
}

/// Answers before the body is there, then gives each piece back as it comes.
pub fn echo_piece_by_piece(mut peer: crate::support::Peer) {
    while let Some(request) = peer.request_head() {
        let Delimited::Length(mut left) = request.delimited else {
            panic!("a length")
        };
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n\r\n"));
        while left > 0 {
            let Ok(piece) = peer.some() else { return };
            left -= piece.len();
            peer.send(piece);
        }
    }
}
