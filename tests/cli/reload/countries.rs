//! A database of countries is read again when it changes; a bad one leaves the last good one in force.

use std::fs;

use crate::support::countries::database;
use crate::support::folder::{serving, token};
use crate::support::http::{bearer, get, plain};
use crate::support::{Folder, HOST, Origin, Process};

const LISTS: &str = "geoip = [\"DE\"]\n[geoip]\ndatabase = \"countries.mmdb\"\n";

/// This machine is in this country.
fn here(code: &str) -> Vec<u8> {
    database(&[("::127.0.0.0/104", code), ("2001:db8::/32", "DE")])
}

fn status(process: &Process) -> u16 {
    let request = get(HOST, "/", &[&bearer(&token())]);
    plain(process.address("http"), &request).status()
}

#[test]
fn a_changed_database_is_in_force_and_a_bad_one_changes_nothing() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    folder.write("countries.mmdb", 0o644, here("DE"));
    folder.configure(&serving(origin.address, LISTS));
    let mut process = Process::run(&folder);
    assert_eq!(status(&process), 200);
    folder.write("countries.mmdb", 0o644, here("FR"));
    process.event("config_reloaded");
    assert_eq!(status(&process), 403);
    // Cut off in the middle, gone, about something else: each is told, and France stays.
    let german = here("DE");
    folder.write("countries.mmdb", 0o644, &german[..german.len() / 2]);
    process.event_saying(
        "config_refused",
        "countries.mmdb: no MaxMind database, or damaged",
    );
    assert_eq!(status(&process), 403);
    fs::remove_file(folder.path("countries.mmdb")).unwrap();
    process.event_saying(
        "config_refused",
        "countries.mmdb cannot be opened: there is no such file",
    );
    assert_eq!(status(&process), 403);
    folder.write(
        "countries.mmdb",
        0o644,
        database(&[("::127.0.0.0/104", "")]),
    );
    process.event_saying("config_refused", "no record in it has country.iso_code");
    assert_eq!(status(&process), 403);
    folder.write("countries.mmdb", 0o644, german);
    process.event("config_reloaded");
    assert_eq!(status(&process), 200);
    assert_eq!(origin.heads().len(), 2);
}
