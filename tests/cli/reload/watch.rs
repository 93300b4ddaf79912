//! Changed files are read again by themselves, however they were exchanged; noise beside them is none.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::folder::{serving, signed, token, tunnel};
use crate::support::http::{bearer, get, plain};
use crate::support::{Folder, HOST, Origin, Process, SECRET};

const OTHER: &str = "other.t.edge.example";
const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";

fn status(process: &Process, host: &str, token: &str) -> u16 {
    plain(process.address("http"), &get(host, "/", &[&bearer(token)])).status()
}

fn metric(process: &Process, name: &str) -> u64 {
    let page = plain(process.address("admin"), &get("localhost", "/metrics", &[]));
    let line = page.body().lines().find(|line| line.starts_with(name));
    let number = line.expect(name).rsplit(' ').next().unwrap();
    number.parse().unwrap()
}

/// What the next reload says that it changed.
fn changes(process: &mut Process) -> String {
    let event = process.event("config_reloaded");
    event["changes"].as_str().unwrap().to_owned()
}

#[test]
fn a_file_that_is_written_or_exchanged_is_read_again() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    assert_eq!(status(&process, OTHER, &token()), 404);
    // Written in place.
    let more = serving(origin.address, &tunnel(OTHER, origin.address));
    fs::write(folder.path("adit.toml"), more).unwrap();
    assert_eq!(changes(&mut process), format!("tunnel {OTHER} added"));
    assert_eq!(status(&process, OTHER, &token()), 200);
    // Exchanged in one step, as editors and configuration managers do.
    folder.configure(&serving(origin.address, "").replace("token_auth", "public"));
    assert_eq!(
        changes(&mut process),
        format!("tunnel {HOST}: token_auth, public; tunnel {OTHER} removed")
    );
    assert_eq!(status(&process, HOST, "none"), 200);
}

#[test]
fn secrets_and_certificates_are_read_again_and_never_told() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    let other = "another-secret-that-is-long-enough-0123456789";
    let new = signed(other, None, 3600);
    assert_eq!(status(&process, HOST, &new), 401);
    folder.write("secret", 0o600, other);
    assert_eq!(changes(&mut process), "the secret of tokens");
    assert_eq!(
        (
            status(&process, HOST, &new),
            status(&process, HOST, &token())
        ),
        (200, 401)
    );
    let fresh = Folder::new();
    // The key comes first: until the certificate follows, the pair does not match and the old one goes on.
    fs::rename(fresh.path("key.pem"), folder.path("key.pem")).unwrap();
    process.event("config_refused");
    fs::rename(fresh.path("cert.pem"), folder.path("cert.pem")).unwrap();
    assert_eq!(changes(&mut process), "certificates");
    process.signal("TERM");
    let said = process.finish();
    assert!(!said.err.contains(other) && !said.err.contains(SECRET));
}

#[test]
fn a_bad_state_changes_nothing_and_the_cure_is_seen() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, ADMIN);
    let mut process = Process::run(&folder);
    assert_eq!(metric(&process, "adit_config_stale"), 0);
    folder.configure(&serving(
        origin.address,
        &format!("{ADMIN}[limits]\nhead_bytes = 1\n"),
    ));
    let refused = process.event("config_refused");
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("adit.toml:") && message.contains("limits.head_bytes"),
        "{message}"
    );
    assert_eq!(status(&process, HOST, &token()), 200);
    assert_eq!(metric(&process, "adit_config_stale"), 1);
    assert_eq!(
        metric(&process, "adit_config_reloads_total{result=\"refused\"}"),
        1
    );
    folder.configure(&serving(origin.address, ADMIN));
    assert_eq!(changes(&mut process), "nothing changed");
    assert_eq!(metric(&process, "adit_config_stale"), 0);
    assert_eq!(
        metric(&process, "adit_config_reloads_total{result=\"ok\"}"),
        1
    );
    // A file that the bad state names for the first time is watched too.
    let with_ca = serving(origin.address, ADMIN)
        .replace("http://", "https://")
        .replace(
            "token_auth = true",
            "token_auth = true\nupstream_ca_file = \"ca.pem\"",
        );
    folder.configure(&with_ca);
    process.event("config_refused");
    fs::copy(folder.path("cert.pem"), folder.path("ca.pem")).unwrap();
    assert_eq!(changes(&mut process), format!("tunnel {HOST}: upstream"));
    // Rights are a part of the state: a secret that others can read is refused, and chmod cures it.
    folder.write("secret", 0o644, SECRET);
    process.event("config_refused");
    fs::set_permissions(folder.path("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(changes(&mut process), "nothing changed");
}

#[test]
fn files_of_a_pattern_come_and_go() {
    let origin = Origin::start();
    let folder = Folder::new();
    fs::create_dir(folder.path("conf.d")).unwrap();
    let main = serving(origin.address, "");
    folder.configure(&format!("include = [\"conf.d/*.toml\"]\n{main}"));
    let mut process = Process::run(&folder);
    folder.write("conf.d/a.toml", 0o600, tunnel(OTHER, origin.address));
    assert_eq!(changes(&mut process), format!("tunnel {OTHER} added"));
    fs::remove_file(folder.path("conf.d/a.toml")).unwrap();
    assert_eq!(changes(&mut process), format!("tunnel {OTHER} removed"));
}

#[test]
fn links_are_followed_to_what_they_lead_to() {
    let origin = Origin::start();
    let folder = Folder::new();
    for (version, more) in [("v1", String::new()), ("v2", tunnel(OTHER, origin.address))] {
        fs::create_dir(folder.path(version)).unwrap();
        for name in ["cert.pem", "key.pem", "secret"] {
            fs::copy(folder.path(name), folder.path(version).join(name)).unwrap();
        }
        folder.write(
            &format!("{version}/adit.toml"),
            0o600,
            serving(origin.address, &more),
        );
    }
    symlink("v1", folder.path("data")).unwrap();
    for name in ["adit.toml", "cert.pem", "key.pem", "secret"] {
        let _ = fs::remove_file(folder.path(name));
        symlink(format!("data/{name}"), folder.path(name)).unwrap();
    }
    let mut process = Process::run(&folder);
    // The link in the middle is exchanged in one step.
    symlink("v2", folder.path("data.next")).unwrap();
    fs::rename(folder.path("data.next"), folder.path("data")).unwrap();
    assert_eq!(changes(&mut process), format!("tunnel {OTHER} added"));
    // What it leads to now is watched.
    folder.write("v2/adit.toml", 0o600, serving(origin.address, ""));
    assert_eq!(changes(&mut process), format!("tunnel {OTHER} removed"));
}

#[test]
fn noise_beside_the_files_reloads_nothing() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, ADMIN);
    let mut process = Process::run(&folder);
    for round in 0..50 {
        folder.write("noise.log", 0o644, round.to_string());
        folder.write("secret", 0o600, SECRET);
    }
    // A signal always reads: everything that was noticed before has been looked at by then.
    process.signal("HUP");
    process.event("config_reloaded");
    folder.write("noise.log", 0o644, "more");
    folder.configure(&serving(
        origin.address,
        &format!("{ADMIN}{}", tunnel(OTHER, origin.address)),
    ));
    assert_eq!(changes(&mut process), format!("tunnel {OTHER} added"));
    assert_eq!(
        metric(&process, "adit_config_reloads_total{result=\"ok\"}"),
        2
    );
}

#[test]
fn many_changes_are_told_in_short() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    let many: String = (0..30)
        .map(|number| tunnel(&format!("app-{number}.t.edge.example"), origin.address))
        .collect();
    folder.configure(&serving(origin.address, &many));
    let told = changes(&mut process);
    assert!(told.ends_with("; and 10 more"), "{told}");
    assert_eq!(told.matches("added").count(), 20);
}
