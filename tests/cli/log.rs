//! The access log: where it goes, who may read it, its two formats.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::folder::{bounded_token, serving, token, token_of};
use crate::support::http::{bearer, get, plain};
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
