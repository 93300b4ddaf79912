//! How an upgraded connection ends: each side, the clock, the limits, a reload.

use super::*;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The record of an upgraded connection.
fn ending(edge: &Edge) -> (String, String, String) {
    let line = edge.log_line();
    assert_eq!(line["status"], 101);
    let text = |key: &str| line[key].as_str().unwrap().to_owned();
    (text("ended_by"), text("reason"), text("phase"))
}

fn expected(by: &str, reason: &str) -> (String, String, String) {
    (by.to_owned(), reason.to_owned(), "upgraded".to_owned())
}

#[test]
fn an_end_on_one_side_leaves_the_other_direction_open() {
    let upstream = Upstream::scripted(|mut peer| {
        peer.request();
        peer.send(switching());
        let (bytes, ending) = peer.read_to_end();
        assert_eq!(
            (bytes.as_slice(), ending),
            (&b"question"[..], Ending::Clean)
        );
        peer.send("answer");
        peer.finish();
    });
    let edge = setup(&upstream).start();
    for tls in [false, true] {
        let mut client = opened(&edge, tls);
        client.send("question");
        client.finish();
        assert_eq!(client.read_to_end(), (b"answer".to_vec(), Ending::Clean));
    }
    // The other way round.
    let upstream = Upstream::scripted(|mut peer| {
        peer.request();
        peer.send(switching());
        peer.finish();
        assert_eq!(peer.exactly(5).unwrap(), b"later");
        peer.read_to_end();
    });
    let edge = setup(&upstream).start();
    for tls in [false, true] {
        let mut client = opened(&edge, tls);
        assert_eq!(client.read_to_end(), (Vec::new(), Ending::Clean));
        client.send("later");
        client.finish();
        let line = edge.log_line();
        assert_eq!(
            (&line["ended_by"], &line["bytes_in"]),
            (&"complete".into(), &5.into())
        );
    }
}

#[test]
fn a_reset_ends_both_sides() {
    let (go, wait) = gate();
    let upstream = Upstream::scripted(move |mut peer| {
        peer.request();
        peer.send(switching());
        wait.wait();
        peer.reset();
    });
    let edge = setup(&upstream).start();
    let mut client = opened(&edge, false);
    go.open();
    client.read_to_end();
    assert_eq!(ending(&edge), expected("upstream", "upstream_closed"));

    let upstream = Upstream::scripted(|mut peer| {
        peer.request();
        peer.send(switching());
        peer.read_to_end();
    });
    let edge = setup(&upstream).start();
    opened(&edge, false).reset();
    assert_eq!(ending(&edge), expected("client", "client_closed"));
}

#[test]
fn silence_ends_it_and_a_word_either_way_does_not() {
    let upstream = Upstream::scripted(echo);
    let edge = setup(&upstream)
        .tables("[timeouts]\nupstream_read_idle = \"60s\"")
        .start();
    for tls in [false, true] {
        let mut client = opened(&edge, tls);
        for _ in 0..3 {
            edge.pass(seconds(50));
            client.send("x");
            assert_eq!(client.exactly(1).unwrap(), b"x");
        }
        edge.pass_until(seconds(61), "silence is over", || client.has_news());
        assert_eq!(client.read_to_end().0, b"");
        assert_eq!(ending(&edge), expected("edge", "upgrade_idle"));
    }
}

#[test]
fn its_whole_life_is_bounded() {
    let upstream = Upstream::scripted(echo);
    let edge = setup(&upstream)
        .tables("[timeouts]\nupstream_read_idle = \"60s\"\nupgrade_lifetime = \"2m\"")
        .start();
    let mut client = opened(&edge, false);
    for _ in 0..2 {
        edge.pass(seconds(50));
        client.send("x");
        assert_eq!(client.exactly(1).unwrap(), b"x");
    }
    edge.pass(seconds(21));
    assert_eq!(client.read_to_end().0, b"");
    assert_eq!(ending(&edge), expected("edge", "upgrade_lifetime"));
}

#[test]
fn a_client_that_never_reads_stops_its_upstream_and_then_goes() {
    let (told, tell) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let upstream = Upstream::scripted(move |mut peer| {
        peer.request();
        peer.send(switching());
        let piece = [7; 64 * 1024];
        let mut sent = 0u64;
        while peer.try_send(&piece).is_ok() {
            sent += piece.len() as u64;
        }
        let _ = told.lock().unwrap().send(sent);
    });
    // While the pipe fills, neither side may count as silent.
    let edge = setup(&upstream)
        .tables("[timeouts]\nupstream_read_idle = \"12h\"")
        .start();
    let client = opened(&edge, false);
    edge.pass_until(seconds(10), "the client is given up", || {
        !edge.log_text().is_empty()
    });
    assert_eq!(ending(&edge), expected("client", "client_write_timeout"));
    let sent = tell.recv_timeout(crate::support::PATIENCE).unwrap();
    assert!(
        sent < 64 << 20,
        "back-pressure held the upstream after {sent} bytes"
    );
    drop(client);
}

#[test]
fn one_tunnel_cannot_take_all_places() {
    let upstream = Upstream::scripted(echo);
    let edge = setup(&upstream)
        .tunnel(Tunnel::public("other.t.example.test", &upstream))
        .tables("[limits]\nupgrades_per_tunnel = 2")
        .start();
    let mut first = opened(&edge, false);
    let _second = opened(&edge, true);
    let mut third = edge.client();
    let answer = third.ask(handshake());
    assert_eq!((answer.status, answer.closes()), (503, false));
    assert_eq!(edge.reason(), "too_many_upgrades");
    let other = handshake().replace(HOST, "other.t.example.test");
    third.send(&other);
    assert_eq!(
        third.response().status,
        101,
        "another tunnel has places of its own"
    );
    first.finish();
    first.read_to_end();
    assert_eq!(ending(&edge).0, "complete");
    eventually("the place is free again", || {
        let mut next = edge.client();
        next.send(handshake());
        next.response().status == 101
    });
}

#[test]
fn it_outlives_reloads_and_ends_with_the_process() {
    let upstream = Upstream::scripted(|peer| {
        let number = peer.number;
        match number {
            0 => echo(peer),
            _ => {
                let mut peer = peer;
                while peer.request().is_some() {
                    peer.send(ok("plain"));
                }
            }
        }
    });
    let mut edge = setup(&upstream).start();
    let mut socket = opened(&edge, true);
    let mut client = edge.client();
    for round in 0..20 {
        edge.reload(|setup| setup.tables(&format!("# {round}")));
        socket.send("still here");
        assert_eq!(socket.exactly(10).unwrap(), b"still here");
        assert_eq!(client.ask(get("/")).status, 200);
    }
    edge.engine().drain();
    edge.settle();
    socket.send("and now");
    assert_eq!(socket.exactly(7).unwrap(), b"and now");
    edge.engine().abort();
    assert_eq!(socket.read_to_end().0, b"");
    eventually("the record is there", || {
        edge.log_text().contains("drain_timeout")
    });
}
