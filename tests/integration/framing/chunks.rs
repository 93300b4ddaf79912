//! A body whose chunk lines readers could read differently.

use std::sync::mpsc::channel;
use std::time::Duration;

use crate::support::wire::Delimited;
use crate::support::{Edge, HOST, PATIENCE, Upstream, eventually};

use super::BEHIND;

#[test]
fn a_broken_chunk_ends_the_request_on_both_sides() {
    for chunks in [
        "z\r\n",
        "-1\r\n",
        "0x5\r\nhello\r\n",
        "5\nhello\r\n",
        "5\r\nhello\n",
        "5\r\nhelloX\r\n",
        " 5\r\nhello\r\n",
        "5;\r\nhello\r\n",
        "5;a=\"\r\nhello\r\n",
        "5;a=b\nhello\r\n",
        "fffffffffffffffff\r\n",
        "0\r\nContent-Length: 5\r\n\r\n",
        "0\r\nAuthorization: x\r\n\r\n",
        "0\r\nX A: 1\r\n\r\n",
        "0\r\nX-A: 1\n\r\n",
        "0\r\n\n",
    ] {
        let (sender, ended) = channel();
        let upstream = Upstream::scripted(move |mut peer| {
            peer.request_head();
            let _ = sender.send(peer.body(Delimited::Chunked));
        });
        let edge = Edge::before(&upstream);
        let mut client = edge.client();
        let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n");
        let answer = client.ask([&head, "3\r\nabc\r\n", chunks, BEHIND].concat());
        assert_eq!((answer.status, answer.closes()), (400, true), "{chunks:?}");
        client.assert_closed();
        let line = edge.log_line();
        assert_eq!(line["status"], 400, "{chunks:?}");
        let reason = line["reason"].as_str().unwrap();
        assert!(
            reason.contains("chunk") || reason.contains("trailer"),
            "{chunks:?}: {reason}"
        );
        // Whatever the upstream had by then: it must not take it for a whole body, nor see what came behind.
        let body = ended.recv_timeout(PATIENCE).unwrap();
        assert!(body.is_err(), "{chunks:?}: {body:?}");
        assert_eq!(memchr::memmem::find(&upstream.bytes(0), b"/behind"), None);
    }
}

/// RFC 9112 9.6: a client that goes on sending behind the fault still gets to read what was wrong; bytes that arrive on a
/// closed socket would be answered with a reset, which overtakes it.
#[test]
fn a_client_that_goes_on_sending_behind_a_broken_chunk_reads_its_refusal() {
    let upstream = Upstream::scripted(|mut peer| {
        peer.request_head();
        let _ = peer.body(Delimited::Chunked);
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(head + "3\r\nabc\r\nz\r\n");
    eventually("the refusal is sent", || client.has_news());
    for _ in 0..3 {
        edge.pass(Duration::from_millis(500));
        client.send([b'x'; 4096]);
    }
    edge.settle();
    client.send("the end");
    let answer = client.response();
    assert_eq!((answer.status, answer.closes()), (400, true));
    client.finish();
    client.assert_closed();
}
