//! A hundred reloads while wrk asks as fast as it can and WebSockets are open: nobody notices.

use std::process::{Command, Stdio};

use crate::support::folder::{serving, token, tunnel};
use crate::support::http::{bearer, connect, tls_stream};
use crate::support::process::signal;
use crate::support::websocket::{echoes, open_websocket, service};
use crate::support::{Folder, HOST, Process};

const RELOADS: usize = 100;
const LOG: &str = "[log]\naccess = \"off\"\n";

#[test]
fn a_hundred_reloads_fail_no_request_and_drop_no_websocket() {
    let service = service();
    let folder = Folder::serving(service, LOG);
    let mut process = Process::run(&folder);
    let (http, https) = (process.address("http"), process.address("https"));
    let mut plain: Vec<_> = (0..4).map(|_| open_websocket(connect(http))).collect();
    let mut secure: Vec<_> = (0..2)
        .map(|_| open_websocket(tls_stream(&folder, https, HOST)))
        .collect();
    let wrk = Command::new("wrk")
        .args(["-t1", "-c16", "-d100s", "--timeout", "10s"])
        .args(["-H", &format!("Host: {HOST}"), "-H", &bearer(&token())])
        .arg(format!("http://{http}/"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    for round in 0..RELOADS {
        let name = format!("extra-{round}.t.edge.example");
        let more = format!("{LOG}{}", tunnel(&name, service));
        folder.configure(&serving(service, &more));
        process.signal("HUP");
        process.event_saying("config_reloaded", &format!("tunnel {name} added"));
        for socket in &mut plain {
            echoes(socket, &name);
        }
        for socket in &mut secure {
            echoes(socket, &name);
        }
    }
    signal(wrk.id(), "INT");
    let said = wrk.wait_with_output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    // Both lines are there only where their counts are not zero.
    assert!(
        !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "{said}"
    );
    let requests = said.lines().find(|line| line.contains(" requests in "));
    let count = requests.unwrap().split_whitespace().next().unwrap();
    assert!(count.parse::<usize>().unwrap() > RELOADS, "{said}");
    let stale = |line: &String| line.contains("config_refused");
    assert!(!process.err.seen.iter().any(stale));
    println!("{said}");
}
