//! SIGHUP reads the configuration again: a good one is in force at the next request, a bad one changes nothing.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::folder::{serving, signed, token, tunnel};
use crate::support::http::{Answer, bearer, connect, get, plain, tls};
use crate::support::{Folder, HOST, Origin, Process, SECRET};

mod countries;
mod load;
mod revocations;
mod watch;

const OTHER: &str = "other.t.edge.example";

fn status(process: &Process, host: &str, token: &str) -> u16 {
    plain(process.address("http"), &get(host, "/", &[&bearer(token)])).status()
}

/// One request on a connection that stays open.
fn keep_alive(client: &mut TcpStream, token: &str) -> Answer {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {HOST}\r\n{}\r\n\r\n",
        bearer(token)
    );
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"origin: /") && !answer.ends_with(b"}") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    Answer(String::from_utf8(answer).unwrap())
}

#[test]
fn a_new_tunnel_appears_and_a_removed_one_is_gone() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    assert_eq!(
        (
            status(&process, HOST, &token()),
            status(&process, OTHER, &token())
        ),
        (200, 404)
    );
    folder.configure(&serving(origin.address, &tunnel(OTHER, origin.address)));
    process.signal("HUP");
    process.event_saying("config_reloaded", "\"tunnels\":2");
    assert_eq!(
        (
            status(&process, HOST, &token()),
            status(&process, OTHER, &token())
        ),
        (200, 200)
    );
    folder.configure(&serving(origin.address, "").replace(HOST, OTHER));
    process.signal("HUP");
    process.event_saying("config_reloaded", &format!("tunnel {HOST} removed"));
    assert_eq!(
        (
            status(&process, HOST, &token()),
            status(&process, OTHER, &token())
        ),
        (404, 200)
    );
}

#[test]
fn tokens_of_a_replaced_secret_are_refused_at_the_next_request_of_an_open_connection() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    let old = token();
    let new = signed("another-secret-that-is-long-enough-0123456789", None, 3600);
    // Several connections, so that every core has the old token in its cache.
    let mut clients: Vec<_> = (0..16).map(|_| connect(process.address("http"))).collect();
    for client in &mut clients {
        assert_eq!(keep_alive(client, &old).status(), 200);
        assert_eq!(keep_alive(client, &new).status(), 401);
    }
    folder.write(
        "secret",
        0o600,
        "another-secret-that-is-long-enough-0123456789",
    );
    process.signal("HUP");
    process.event("config_reloaded");
    for client in &mut clients {
        assert_eq!(keep_alive(client, &old).status(), 401);
        assert_eq!(keep_alive(client, &new).status(), 200);
    }
}

#[test]
fn projects_taken_from_tokens_are_refused_at_the_next_request() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    let mut client = connect(process.address("http"));
    assert_eq!(keep_alive(&mut client, &token()).status(), 200);
    let project = "[[project]]\nid = \"proj-2\"\nworkspace = \"ws-1\"\n";
    let text = serving(origin.address, project)
        .replace("projects = [\"proj-1\"]", "projects = [\"proj-2\"]");
    folder.configure(&text);
    process.signal("HUP");
    process.event("config_reloaded");
    assert_eq!(keep_alive(&mut client, &token()).status(), 403);
}

#[test]
fn a_bad_file_is_refused_whole_and_the_last_good_one_goes_on() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    // A good new tunnel beside the fault must not come into force either.
    let bad = serving(
        origin.address,
        &format!("{}pubilc = true\n", tunnel(OTHER, origin.address)),
    );
    folder.configure(&bad);
    process.signal("HUP");
    let refused = process.event("config_refused");
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("adit.toml:")
            && message.contains("tunnel[2].pubilc: unknown key; did you mean \"public\"?"),
        "{message}"
    );
    assert_eq!(
        (
            status(&process, HOST, &token()),
            status(&process, OTHER, &token())
        ),
        (200, 404)
    );
    // A secret that everybody can read is a fault too (S10.1).
    folder.write("secret", 0o644, SECRET);
    folder.configure(&serving(origin.address, ""));
    process.signal("HUP");
    process.event_saying("config_refused", "can be read by other users: chmod 600");
    assert_eq!(status(&process, HOST, &token()), 200);
    // And it recovers.
    folder.write("secret", 0o600, SECRET);
    process.signal("HUP");
    process.event("config_reloaded");
    assert_eq!(status(&process, HOST, &token()), 200);
}

#[test]
fn what_needs_a_restart_is_said_and_the_rest_is_in_force() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    let text = serving(origin.address, &tunnel(OTHER, origin.address));
    folder.configure(&text.replace("count = 2", "count = 1"));
    process.signal("HUP");
    let warning = process.event("restart_needed");
    assert!(
        warning["message"].as_str().unwrap().contains("[cores]"),
        "{warning}"
    );
    process.event("config_reloaded");
    assert_eq!(status(&process, OTHER, &token()), 200);
}

#[test]
fn a_new_certificate_is_shown_to_the_next_connection() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    let request = get(HOST, "/", &[&bearer(&token())]);
    let address = process.address("https");
    assert_eq!(tls(&folder, address, HOST, &request).status(), 200);
    let new = Folder::new();
    for (name, mode) in [("cert.pem", 0o644), ("key.pem", 0o600)] {
        folder.write(name, mode, std::fs::read(new.path(name)).unwrap());
    }
    process.signal("HUP");
    process.event("config_reloaded");
    // The folder's certificate is the only one this client trusts.
    assert_eq!(tls(&new, address, HOST, &request).status(), 200);
}
