//! `identity_headers` in the process as it is run: which files it makes, what it refuses, and what shows where.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use adit::token::sha256_hex;

use crate::support::folder::{BASE_HOST, serving, signed, token_of};
use crate::support::http::{bearer, get, plain, request, tls};
use crate::support::{Finished, Folder, HOST, Origin, Process, SECRET, adit};

const KEYS: &str = "/.well-known/rstream/jwks.json";
const FILE: &str = "state/assertion-keys.json";

/// One guarded tunnel whose upstream is told who sends.
fn folder(origin: &Origin) -> Folder {
    let folder = Folder::new();
    let state = folder.path("state");
    let text = serving(
        origin.address,
        "identity_headers = true\n[admin]\nlisten = \"127.0.0.1:0\"\n",
    );
    let name = "name = \"node-1\"\n";
    folder.configure(&text.replace(
        name,
        &format!("{name}state_dir = \"{}\"\n", state.display()),
    ));
    folder
}

fn of_the_folder(command: &str, folder: &Folder, more: &[&str]) -> Finished {
    let file = folder.path("adit.toml");
    adit(&[&[command, "--config", file.to_str().unwrap()], more].concat())
}

fn open(folder: &Folder, mode: u32) {
    fs::set_permissions(folder.path(FILE), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_only_looks_writes_nothing_and_says_what_would_be() {
    let folder = folder(&Origin::start());
    let checked = of_the_folder("check", &folder, &[]);
    assert_eq!((checked.code, checked.err.as_str()), (0, ""));
    let url = format!("https://{BASE_HOST}{KEYS}");
    for (more, step, verdict) in [
        (
            &["--url", &*url][..],
            "endpoint    the base host's page of the keys of assertions",
            "200 answered",
        ),
        (
            &["--url", &url, "--method", "POST"],
            "endpoint    the base host's page of the keys of assertions, for GET and HEAD alone",
            "405 edge_page_read_only",
        ),
        (
            &["--url", &url, "--server-name", HOST],
            "tunnel      TLS was made for",
            "421 sni_mismatch",
        ),
    ] {
        let explained = of_the_folder("explain", &folder, more);
        assert!(explained.out.contains(step), "{}", explained.out);
        assert!(
            explained.out.ends_with(&format!("verdict     {verdict}\n")),
            "{}",
            explained.out
        );
    }
    let url = format!("https://{HOST}/");
    let told = "identity    the upstream is told who it is";
    for (subject, step, verdict) in [
        ("ana".to_owned(), format!("{told}\n"), "forwarded"),
        (
            "s".repeat(256),
            format!("{told}, and its sub is too long for that\n"),
            "403 subject_too_long",
        ),
    ] {
        let field = format!("Authorization: Bearer {}", token_of(&subject));
        let explained = of_the_folder("explain", &folder, &["--url", &url, "-H", &field]);
        let ends = format!("{step}verdict     {verdict}\n");
        assert!(explained.out.ends_with(&ends), "{}", explained.out);
    }
    let reached = of_the_folder(
        "check",
        &folder,
        &["--who-can-reach", &format!("https://{BASE_HOST}{KEYS}")],
    );
    assert_eq!(reached.out, "everybody\n");
    assert!(!folder.path("state").exists());
}

#[test]
fn the_keys_are_made_at_the_start_and_their_secret_is_in_their_file_alone() {
    let origin = Origin::start();
    let folder = folder(&origin);
    let mut process = Process::run(&folder);
    let keys = fs::read_to_string(folder.path(FILE)).unwrap();
    let secret = keys.split('"').nth(5).unwrap().to_owned();
    let page = tls(
        &folder,
        process.address("https"),
        BASE_HOST,
        &get(BASE_HOST, KEYS, &[]),
    );
    assert_eq!(page.status(), 200);
    let token = bearer(&token_of("ana"));
    let answer = plain(process.address("http"), &get(HOST, "/told", &[&token]));
    assert_eq!(answer.status(), 200);
    let record = process.record("/told");
    assert_eq!(record["credential"], "ana");
    let record = process.record(KEYS);
    assert_eq!(
        (&record["reason"], &record["status"], &record["mechanism"]),
        (&"answered".into(), &200.into(), &"none".into())
    );
    let metrics = plain(process.address("admin"), &get("localhost", "/metrics", &[]));
    let counted = "adit_requests_total{code=\"200\",mechanism=\"none\",result=\"answered\"} 1\n";
    assert!(metrics.body().contains(counted), "{}", metrics.body());
    let head = request("POST", BASE_HOST, KEYS, &["Content-Length: 0"]);
    assert_eq!(plain(process.address("http"), &head).status(), 405);
    process.signal("TERM");
    let finished = process.finish();
    assert_eq!(finished.code, 0);
    for text in [page.body(), metrics.body(), &finished.out, &finished.err] {
        assert!(!text.contains(&secret[30..]) && !text.contains(SECRET));
    }
    // Another start has the same.
    let process = Process::run(&folder);
    let again = tls(
        &folder,
        process.address("https"),
        BASE_HOST,
        &get(BASE_HOST, KEYS, &[]),
    );
    assert_eq!(again.body(), page.body());
}

#[test]
fn keys_that_others_can_read_refuse_the_start_and_the_reload() {
    let origin = Origin::start();
    let folder = folder(&origin);
    let mut process = Process::run(&folder);
    open(&folder, 0o644);
    process.signal("HUP");
    let refused = process.event("config_refused");
    let said = "can be read by other users: chmod 600";
    assert!(refused.to_string().contains(said), "{refused}");
    let token = bearer(&signed(SECRET, None, 3600));
    let answer = plain(process.address("http"), &get(HOST, "/", &[&token]));
    assert_eq!(answer.status(), 200, "what was in force goes on");
    process.signal("TERM");
    assert_eq!(process.finish().code, 0);

    let finished = Process::begin(&folder, |_| ()).finish();
    assert_eq!(finished.code, 1);
    assert!(
        finished
            .err
            .contains("the keys that identity_headers needs: ")
            && finished.err.contains(said),
        "{}",
        finished.err
    );
    open(&folder, 0o600);
    let file = folder.path(FILE);
    fs::write(&file, "no keys").unwrap();
    let finished = Process::begin(&folder, |_| ()).finish();
    assert_eq!(finished.code, 1);
    assert!(finished.err.contains("holds no keys of this version"));
    assert_eq!(fs::read(&file).unwrap(), b"no keys", "it is left alone");
}

/// S10.1: neither the reload that is refused for its keys nor what comes after it may keep a token good.
#[test]
fn a_revocation_counts_while_the_keys_cannot_be_read() {
    let origin = Origin::start();
    let folder = folder(&origin);
    let text = fs::read_to_string(folder.path("adit.toml")).unwrap();
    let listed = "revocations_file = \"revoked\"\nhs256_secret_file";
    folder.configure(&text.replace("hs256_secret_file", listed));
    folder.write("revoked", 0o600, "");
    let mut process = Process::run(&folder);
    let tokens = [token_of("ana"), token_of("bo")];
    let status = |process: &Process, token: &str| {
        plain(process.address("http"), &get(HOST, "/", &[&bearer(token)])).status()
    };
    assert_eq!(status(&process, &tokens[0]), 200);
    open(&folder, 0o644);
    let hash = sha256_hex(tokens[0].as_bytes());
    folder.write("revoked", 0o600, format!("sha256:{hash}\n"));
    process.event("config_refused");
    process.event("revocations_reloaded");
    assert_eq!(status(&process, &tokens[0]), 401);
    assert_eq!(status(&process, &tokens[1]), 200, "with the keys in force");
}
