//! SIGTERM lets requests under way finish and no more begin; a second signal, or `[timeouts] drain`, ends it.

use std::io::Write;
use std::net::TcpStream;

use crate::support::folder::token;
use crate::support::http::{bearer, connect, get, plain, rest};
use crate::support::{Folder, HOST, Origin, Process};

const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";

/// A running edge, and a request that its upstream holds back.
fn with_a_request_under_way(more: &str) -> (Folder, Origin, Process, TcpStream) {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, more);
    let process = Process::run(&folder);
    let mut client = connect(process.address("http"));
    let request = format!(
        "GET /held HTTP/1.1\r\nHost: {HOST}\r\n{}\r\n\r\n",
        bearer(&token())
    );
    client.write_all(request.as_bytes()).unwrap();
    origin.wait_for_held();
    (folder, origin, process, client)
}

fn ready(process: &Process) -> u16 {
    plain(process.address("admin"), &get("localhost", "/readyz", &[])).status()
}

#[test]
fn a_request_under_way_finishes_and_no_other_begins() {
    let (_folder, origin, mut process, client) = with_a_request_under_way(ADMIN);
    let address = process.address("http");
    let idle = connect(address);
    assert_eq!(ready(&process), 200);
    process.signal("TERM");
    process.event("draining");
    // A connection between two requests ends; a new one finds nobody.
    assert_eq!(rest(idle).0, "");
    while ready(&process) != 503 {
        std::thread::yield_now();
    }
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    origin.release();
    let answer = rest(client);
    assert_eq!((answer.status(), answer.body()), (200, "origin: /held"));
    assert_eq!(answer.field("connection"), Some("close"));
    let stopped = process.event("stopped");
    assert_eq!(stopped["in_time"], true);
    let finished = process.finish();
    assert_eq!(finished.code, 0);
    assert!(
        finished.out.contains("\"path\":\"/held\""),
        "the last line is written"
    );
}

#[test]
fn who_has_just_connected_may_still_ask_once() {
    let (_folder, origin, mut process, client) = with_a_request_under_way("");
    let address = process.address("http");
    let mut fresh = connect(address);
    process.signal("TERM");
    process.event("draining");
    let token = bearer(&token());
    let request = format!("GET /fresh HTTP/1.1\r\nHost: {HOST}\r\n{token}\r\n\r\n");
    fresh.write_all(request.as_bytes()).unwrap();
    let answer = rest(fresh);
    assert_eq!((answer.status(), answer.body()), (200, "origin: /fresh"));
    assert_eq!(answer.field("connection"), Some("close"));
    origin.release();
    assert_eq!(rest(client).status(), 200);
    assert_eq!(process.event("stopped")["in_time"], true);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in [("TERM", "TERM"), ("TERM", "INT"), ("INT", "TERM")] {
        let (_folder, _origin, mut process, _client) = with_a_request_under_way("");
        process.signal(first);
        process.event("draining");
        process.signal(second);
        assert_eq!(process.event("stopped")["in_time"], false);
        assert_eq!(process.finish().code, 1, "{first} {second}");
    }
}

#[test]
fn what_outlasts_the_drain_time_is_cut() {
    let (_folder, origin, mut process, client) =
        with_a_request_under_way("[timeouts]\ndrain = \"50ms\"\n");
    process.signal("TERM");
    let stopped = process.event("stopped");
    assert_eq!(stopped["in_time"], false, "{stopped}");
    assert!(
        stopped["message"].as_str().unwrap().contains("cut off"),
        "{stopped}"
    );
    assert_eq!(rest(client).0, "", "no answer was there to be sent");
    assert_eq!(process.finish().code, 0);
    drop(origin);
}

#[test]
fn with_nothing_under_way_it_ends_at_once() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "[timeouts]\ndrain = \"365d\"\n");
    for signal in ["TERM", "INT"] {
        let mut process = Process::run(&folder);
        process.signal(signal);
        assert_eq!(process.event("stopped")["in_time"], true);
        assert_eq!(process.finish().code, 0);
    }
}
