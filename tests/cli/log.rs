//! The access log: where it goes, who may read it, its two formats.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::folder::{bounded_token, serving, token, token_of};
use crate::support::http::{bearer, connect, get, plain};
use crate::support::{Folder, HOST, Origin, Process};

#[test]
fn a_json_line_says_who_asked_for_what_and_what_came_of_it() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    let address = process.address("http");
    let answer = plain(
        address,
        &get(HOST, "/in/yes?q=1", &[&bearer(&bounded_token())]),
    );
    assert_eq!(answer.status(), 200);
    let line = process.record("/in/yes");
    for (field, value) in [
        ("node", "node-1"),
        ("client", "127.0.0.1"),
        ("method", "GET"),
        ("scheme", "http"),
        ("host", HOST),
        ("tunnel", HOST),
        ("reason", "forwarded"),
        ("mechanism", "token"),
        ("credential", "ci-bot"),
        ("ended_by", "complete"),
        ("phase", "done"),
    ] {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    assert_eq!(
        (line["status"].as_u64(), line["bytes_out"].as_u64()),
        (Some(200), Some(19))
    );
    let refused = plain(address, &get(HOST, "/out", &[&bearer(&bounded_token())]));
    let line = process.record("/out");
    for (field, value) in [
        ("reason", "path_outside_boundary"),
        ("mechanism", "token"),
        ("credential", "ci-bot"),
        ("ended_by", "edge"),
        ("phase", "decision"),
    ] {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    assert_eq!(refused.status(), 403);
    assert_eq!(
        refused.field("x-request-id"),
        line["request_id"].as_str(),
        "the client can name its request"
    );
}

#[test]
fn a_file_is_appended_to_and_closed_to_others() {
    let origin = Origin::start();
    let folder = Folder::new();
    let log = folder.path("access.log");
    folder.configure(&serving(
        origin.address,
        &format!("[log]\naccess = \"{}\"\n", log.display()),
    ));
    for path in ["/first", "/second"] {
        let process = Process::run(&folder);
        plain(
            process.address("http"),
            &get(HOST, path, &[&bearer(&token())]),
        );
        process.signal("TERM");
        let finished = process.finish();
        assert_eq!((finished.code, finished.out.as_str()), (0, ""));
    }
    let mode = fs::metadata(&log).unwrap().permissions().mode();
    assert_eq!(mode & 0o777 & !0o640, 0, "{mode:o}");
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("\"path\":\"/first\"") && lines[1].contains("\"path\":\"/second\""));
}

#[test]
fn a_file_that_cannot_be_opened_refuses_the_start() {
    let origin = Origin::start();
    let folder = Folder::new();
    folder.configure(&serving(
        origin.address,
        "[log]\naccess = \"/nowhere/access.log\"\n",
    ));
    let finished = Process::begin(&folder, |_| ()).finish();
    assert_eq!(finished.code, 1);
    let expected = "adit: cannot open the access log ([log] access): /nowhere/access.log: No such file or directory (os error 2)\n";
    assert!(finished.err.ends_with(expected), "{}", finished.err);
}

#[test]
fn text_is_one_line_of_names_and_values_and_escapes_what_a_terminal_would_obey() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "[log]\nformat = \"text\"\n");
    let mut process = Process::begin(&folder, |_| ());
    let line = process
        .err
        .until(|line| line.contains("entry=\"http\""), "the clear listener");
    let port = line
        .split_once("127.0.0.1:")
        .unwrap()
        .1
        .split(' ')
        .next()
        .unwrap();
    process
        .err
        .until(|line| line.contains("started"), "the start");
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    // A token may call its bearer anything.
    let fields = [bearer(&token_of("\u{1b}[31m\"\n reason=\"x\" ä"))];
    let answer = plain(address, &get(HOST, "/%1b", &[&fields[0]]));
    assert_eq!(answer.status(), 200);
    let line = process
        .out
        .until(|line| line.contains("node=\"node-1\""), "the line");
    assert!(line.is_ascii() && line.starts_with("time=\"2"), "{line}");
    assert!(
        line.contains(" path=\"/%1b\" ") && line.contains(" status=200 reason=\"forwarded\" "),
        "{line}"
    );
    let credential = r#" credential="?[31m\"? reason=\"x\" ?" "#;
    assert!(line.contains(credential), "{line}");
}

#[test]
fn off_means_that_nothing_is_written() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "[log]\naccess = \"off\"\n");
    let process = Process::run(&folder);
    plain(process.address("http"), &get(HOST, "/", &[]));
    process.signal("TERM");
    assert_eq!(process.finish().out, "");
}

/// Sends numbered requests on one connection until it is told to stop; answers how many.
fn load(address: SocketAddr, name: &str, stop: &AtomicBool) -> usize {
    let mut stream = connect(address);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let authorization = bearer(&token());
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return number;
        }
        let head =
            format!("GET /{name}/{number} HTTP/1.1\r\nHost: {HOST}\r\n{authorization}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut length = 0;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
    }
    unreachable!()
}

/// What log rotation does: rename, signal, and nothing is lost meanwhile.
#[test]
fn a_rotated_file_is_opened_anew_at_a_hangup_and_no_line_is_lost() {
    let origin = Origin::start();
    let folder = Folder::new();
    let log = folder.path("access.log");
    let access = format!("[log]\naccess = \"{}\"\n", log.display());
    folder.configure(&serving(origin.address, &access));
    let mut process = Process::run(&folder);
    let address = process.address("http");
    let stop = AtomicBool::new(false);
    let old = ["access.log.1", "access.log.2", "access.log.3"].map(|name| folder.path(name));
    let sent = std::thread::scope(|scope| {
        let clients = ["a", "b"].map(|name| {
            let stop = &stop;
            scope.spawn(move || load(address, name, stop))
        });
        for old in &old {
            plain(address, &get(HOST, "/before", &[&bearer(&token())]));
            fs::rename(&log, old).unwrap();
            process.signal("HUP");
            process.event("log_reopened");
        }
        stop.store(true, Ordering::Relaxed);
        clients.map(|client| client.join().unwrap())
    });
    plain(address, &get(HOST, "/after", &[&bearer(&token())]));
    process.signal("TERM");
    assert_eq!(process.finish().code, 0);
    let new = fs::read_to_string(&log).unwrap();
    assert!(new.contains("\"path\":\"/after\"") && !new.contains("\"path\":\"/before\""));
    let all: String = old
        .iter()
        .map(|old| fs::read_to_string(old).unwrap())
        .chain([new])
        .collect();
    for (name, sent) in ["a", "b"].into_iter().zip(sent) {
        assert!(sent > 0);
        for number in 0..sent {
            let path = format!("\"path\":\"/{name}/{number}\"");
            assert_eq!(all.matches(&path).count(), 1, "{path}");
        }
    }
    assert_eq!(all.matches("\"path\":\"/before\"").count(), old.len());
    let whole = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert!(all.lines().all(whole), "every line is whole");
}

#[test]
fn a_file_that_cannot_be_opened_anew_goes_on_in_the_old_one() {
    let origin = Origin::start();
    let folder = Folder::new();
    fs::create_dir(folder.path("logs")).unwrap();
    let log = folder.path("logs/access.log");
    let access = format!("[log]\naccess = \"{}\"\n", log.display());
    folder.configure(&serving(origin.address, &access));
    let mut process = Process::run(&folder);
    fs::rename(folder.path("logs"), folder.path("moved")).unwrap();
    process.signal("HUP");
    let event = process.event("log_reopen_failed");
    assert_eq!(event["level"], "ERROR");
    plain(process.address("http"), &get(HOST, "/later", &[]));
    process.signal("TERM");
    assert_eq!(process.finish().code, 0);
    let text = fs::read_to_string(folder.path("moved/access.log")).unwrap();
    assert!(text.contains("\"path\":\"/later\""), "{text}");
}

#[test]
fn a_trace_passes_as_it_came_and_its_id_is_logged_where_it_is_one() {
    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    let address = process.address("http");
    let good = format!("traceparent: 00-{ID}-00f067aa0ba902b7-01");
    let other = format!("TraceParent: 00-{}-00f067aa0ba902b7-00", "b".repeat(32));
    let state = "tracestate: congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";
    let malformed = good.to_uppercase().replace("TRACEPARENT", "traceparent");
    let cases: [(&str, Vec<&str>, Option<&str>); 5] = [
        ("/one", vec![&good, state, "tracestate: more=1"], Some(ID)),
        ("/none", vec![state], None),
        ("/two", vec![&good, &other], None),
        ("/malformed", vec![&malformed], None),
        ("/hop", vec![&good, "Connection: traceparent"], None),
    ];
    for (path, fields, id) in cases {
        let token = bearer(&token());
        let all = [fields.as_slice(), &[&token]].concat();
        let asked = get(HOST, path, &all).replace("Connection: close\r\n", "");
        let asked = asked.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        assert_eq!(plain(address, &asked).status(), 200, "{path}");
        let line = process.record(path);
        assert_eq!(
            line.get("trace_id").and_then(|id| id.as_str()),
            id,
            "{path}"
        );
        let heads = origin.heads();
        let head = heads
            .iter()
            .find(|head| head.starts_with(&format!("GET {path} ")));
        let is_trace = |line: &&str| line.to_lowercase().starts_with("trace");
        let passed: Vec<&str> = head.unwrap().lines().filter(is_trace).collect();
        let expected: Vec<&str> = fields.iter().copied().filter(is_trace).collect();
        // What `Connection` names ends at the edge (RFC 9110 7.6.1).
        let expected = if path == "/hop" { vec![] } else { expected };
        assert_eq!(passed, expected, "{path}");
    }
    // A refused request has its trace too.
    plain(address, &get(HOST, "/refused", &[&good]));
    assert_eq!(process.record("/refused")["trace_id"], ID);
}
