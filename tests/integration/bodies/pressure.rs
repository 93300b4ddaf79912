//! Nobody sends faster than the other side takes: the edge holds one buffer for each direction.

use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Edge, Upstream, eventually, gate, ok};

use super::{get, post};

/// More than all socket buffers between two ends hold.
const MUCH: usize = 96 * 1024 * 1024;
/// Less than that, and more than they hold.
const HELD_MAX: usize = 48 * 1024 * 1024;

/// Waits until a count no longer grows.
fn settled(count: &AtomicUsize) -> usize {
    let (mut last, mut same) = (0, 0);
    eventually("a sender is held back", || {
        let now = count.load(Ordering::Relaxed);
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        same > 200
    });
    last
}

#[test]
fn an_upstream_waits_for_a_slow_reader() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let upstream = Upstream::scripted(move |mut peer| {
        peer.request();
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n"));
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..MUCH / piece.len() {
            peer.send(&piece);
            counted.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    client.send(get());
    assert!(settled(&sent) < HELD_MAX);
    let answer = client.response();
    assert_eq!(answer.body.len(), MUCH);
    assert_eq!(edge.log_line()["bytes_out"], MUCH);
}

#[test]
fn a_client_waits_for_a_slow_upstream() {
    let (go, hold) = gate();
    let upstream = Upstream::scripted(move |mut peer| {
        let head = peer.request_head().unwrap();
        hold.wait();
        let length = peer.body(head.delimited).unwrap().len();
        peer.send(ok(length.to_string()));
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    client.send(post(&format!("Content-Length: {MUCH}")));
    let sent = Arc::new(AtomicUsize::new(0));
    let (counted, mut sender) = (sent.clone(), client.socket().try_clone().unwrap());
    let sending = std::thread::spawn(move || {
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..MUCH / piece.len() {
            std::io::Write::write_all(&mut sender, &piece).unwrap();
            counted.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    assert!(settled(&sent) < HELD_MAX);
    go.open();
    assert_eq!(client.response().text(), MUCH.to_string());
    sending.join().unwrap();
    let _ = client.socket().shutdown(Shutdown::Both);
}
