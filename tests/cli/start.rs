//! `adit run` starts with what was asked for, says what it got, or refuses and says why.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::support::folder::{serving, token};
use crate::support::http::{bearer, get, plain};
use crate::support::{Folder, HOST, Origin, Process, SECRET, adit};

/// The files of one kind that `/proc` has for each thread whose name starts so.
fn of_threads(id: u32, name: &str, file: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    let mut threads: Vec<(String, PathBuf)> = tasks
        .map(|task| task.unwrap().path())
        .map(|path| (fs::read_to_string(path.join("comm")).unwrap(), path))
        .filter(|(comm, _)| comm.starts_with(name))
        .collect();
    threads.sort();
    let read = |(_, path): &(String, PathBuf)| fs::read_to_string(path.join(file)).unwrap();
    threads.iter().map(read).collect()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim_start_matches(':').trim()
}

/// A configuration for one driver, whatever this run of the tests is for.
fn on_driver(folder: &Folder, driver: &str) {
    let text = fs::read_to_string(folder.path("adit.toml")).unwrap();
    let own = format!("driver = \"{}\"", crate::support::folder::driver());
    assert!(text.contains(&own));
    folder.configure(&text.replace(&own, &format!("driver = \"{driver}\"")));
}

#[test]
fn the_log_names_the_driver_of_each_core_and_why() {
    let origin = Origin::start();
    for (asked, got, reason) in [
        ("io_uring", "io_uring (", None),
        ("epoll", "epoll", Some("asked for in [cores] driver")),
    ] {
        let folder = Folder::serving(origin.address, "");
        on_driver(&folder, asked);
        let process = Process::run(&folder);
        let cores: Vec<_> = process
            .err
            .seen
            .iter()
            .filter(|line| line.contains("core_started"))
            .collect();
        assert_eq!(cores.len(), 2, "{cores:?}");
        for core in cores {
            let core: serde_json::Value = serde_json::from_str(core).unwrap();
            let driver = core["driver"].as_str().unwrap();
            assert!(driver.starts_with(got), "asked for {asked}, got {core}");
            let said = core["reason"].as_str().unwrap();
            assert!(
                !said.is_empty() && reason.is_none_or(|reason| said == reason),
                "{core}"
            );
        }
        let answer = plain(
            process.address("http"),
            &get(HOST, "/", &[&bearer(&token())]),
        );
        assert_eq!(answer.body(), "origin: /", "on {asked}");
    }
}

#[test]
fn each_core_is_a_thread_tied_to_the_cpu_that_cpus_names() {
    let origin = Origin::start();
    let allowed = adit::runtime::process::allowed_cpus().unwrap();
    let last = *allowed.last().unwrap();
    let text = serving(origin.address, "").replace("count = 2", &format!("cpus = [{last}]"));
    let folder = Folder::new();
    folder.configure(&text);
    let process = Process::run(&folder);
    let cores = of_threads(process.id(), "adit-core-", "status");
    assert_eq!(cores.len(), 1);
    assert_eq!(field(&cores[0], "Cpus_allowed_list"), last.to_string());
}

#[test]
fn count_is_the_number_of_cores_even_beyond_the_cpus() {
    let origin = Origin::start();
    let folder = Folder::new();
    folder.configure(&serving(origin.address, "").replace("count = 2", "count = 5"));
    let process = Process::run(&folder);
    assert_eq!(of_threads(process.id(), "adit-core-", "comm").len(), 5);
}

#[test]
fn a_cpu_that_is_not_there_refuses_the_start() {
    let origin = Origin::start();
    let folder = Folder::new();
    folder.configure(&serving(origin.address, "").replace("count = 2", "cpus = [1023]"));
    let finished = Process::begin(&folder, |_| ()).finish();
    assert_eq!(finished.code, 1);
    let allowed = adit::runtime::process::allowed_cpus().unwrap();
    let expected = format!(
        "adit: [cores]: cpus names 1023, which this process may not use; it may use {allowed:?}\n"
    );
    assert!(finished.err.ends_with(&expected), "{}", finished.err);
}

#[test]
fn a_second_start_on_the_same_port_refuses_and_names_it() {
    let origin = Origin::start();
    let admin = "[admin]\nlisten = \"127.0.0.1:0\"\n";
    let folder = Folder::serving(origin.address, admin);
    let first = Process::run(&folder);
    for entry in ["https", "http", "admin"] {
        let taken = first.address(entry).to_string();
        let second = Folder::new();
        let text = serving(origin.address, admin);
        let listeners: Vec<&str> = text.split("127.0.0.1:0").collect();
        assert_eq!(listeners.len(), 4);
        let at = ["https", "http", "admin"]
            .iter()
            .position(|name| *name == entry)
            .unwrap();
        let mut moved = String::new();
        for (index, piece) in listeners.iter().enumerate() {
            moved.push_str(piece);
            if index < 3 {
                moved.push_str(if index == at { &taken } else { "127.0.0.1:0" });
            }
        }
        second.configure(&moved);
        let finished = Process::begin(&second, |_| ()).finish();
        assert_eq!(finished.code, 1, "{entry}");
        let last = finished.err.lines().last().unwrap();
        assert!(
            last.starts_with(&format!("adit: cannot listen on {taken}"))
                && last.ends_with(
                    "(perhaps adit itself, started before); --takeover serves beside it"
                ),
            "{last}"
        );
    }
    let answer = plain(first.address("http"), &get(HOST, "/", &[&bearer(&token())]));
    assert_eq!(answer.status(), 200, "the first one goes on");
}

#[test]
fn every_error_of_a_bad_configuration_is_printed_and_no_port_is_opened() {
    let folder = Folder::new();
    let upstream = "127.0.0.1:9".parse().unwrap();
    let text = serving(upstream, "[limits]\nhead_bites = 5\n")
        .replace("token_auth = true", "token_auht = true");
    folder.configure(&text);
    let finished = Process::begin(&folder, |_| ()).finish();
    assert_eq!((finished.code, finished.out.as_str()), (2, ""));
    let lines: Vec<&str> = finished.err.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let found = |part: &str| lines.iter().any(|line| line.contains(part));
    assert!(
        found("tunnel[1].token_auht: unknown key; did you mean \"token_auth\"?"),
        "{lines:#?}"
    );
    assert!(
        found("limits.head_bites: unknown key; did you mean \"head_bytes\"?"),
        "{lines:#?}"
    );
    assert!(!finished.err.contains("listening"));
}

#[test]
fn a_missing_file_is_named_once() {
    for command in ["run", "check"] {
        let finished = adit(&[command, "--config", "/nowhere/adit.toml"]);
        assert_eq!(finished.code, 2);
        assert_eq!(
            finished.err,
            "/nowhere/adit.toml: cannot be opened: there is no such file\n"
        );
    }
}

#[test]
fn a_secret_from_the_environment_works_and_is_gone_from_the_process() {
    let origin = Origin::start();
    let folder = Folder::new();
    let text = serving(origin.address, "").replace("hs256_secret_file = \"secret\"\n", "");
    folder.configure(&text);
    let process = Process::run_with(&folder, |command| {
        command.env("ADIT_TOKENS__HS256_SECRET", SECRET);
        command.env("ADIT_LOG__LEVEL", "debug");
    });
    let address = process.address("http");
    let answer = plain(address, &get(HOST, "/", &[&bearer(&token())]));
    assert_eq!(answer.status(), 200);
    match fs::read(format!("/proc/{}/environ", process.id())) {
        Ok(environment) => {
            let environment = String::from_utf8_lossy(&environment).into_owned();
            assert!(
                environment.contains("ADIT_LOG__LEVEL=debug"),
                "another variable stays"
            );
            assert!(!environment.contains("canary"), "{environment}");
        }
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
    // A reload needs the secret once more.
    let mut process = process;
    process.signal("HUP");
    process.event("config_reloaded");
    let answer = plain(address, &get(HOST, "/", &[&bearer(&token())]));
    assert_eq!(answer.status(), 200);
}

/// A process that is not dumpable hands its files in `/proc` to root, so an ordinary user must run it to show that.
#[test]
fn the_process_can_be_neither_dumped_nor_debugged_by_its_own_user() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let process = if is_root {
        const NOBODY: u32 = 65534;
        // The build's folder may be closed to that user.
        fs::copy(env!("CARGO_BIN_EXE_adit"), folder.path("adit")).unwrap();
        for name in [".", "adit", "adit.toml", "cert.pem", "key.pem", "secret"] {
            std::os::unix::fs::chown(folder.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = Command::new(folder.path("adit"));
        command
            .arg("run")
            .arg("--config")
            .arg(folder.path("adit.toml"));
        command.env_clear().uid(NOBODY).gid(NOBODY);
        let mut process = Process::spawn(command);
        process.event("started");
        process
    } else {
        Process::run(&folder)
    };
    let path = |file: &str| format!("/proc/{}/{file}", process.id());
    let status = fs::read_to_string(path("status")).unwrap();
    assert_ne!(field(&status, "Uid").split('\t').nth(1), Some("0"));
    assert_eq!(
        fs::metadata(path("environ")).unwrap().uid(),
        0,
        "not dumpable"
    );
    let limits = fs::read_to_string(path("limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let core: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"]);
}
