//! Keys of an issuer that publishes them at a URL (S4.6): how they come, stay and go.

mod idp;

use std::path::PathBuf;

use crate::support::folder::{serving, token};
use crate::support::http::{Answer, bearer, connect, get, plain};
use crate::support::{Folder, HOST, Origin, Process};
use idp::{Idp, Key, Reply, set_of};

/// Enough connections to reach every core.
const EVERY_CORE: usize = 16;

/// An edge that takes tokens of an issuer, in a folder of its own.
struct Bench {
    folder: Folder,
    idp: Idp,
    _origin: Origin,
}

impl Bench {
    fn new(reply: Reply) -> Bench {
        Bench::with(Idp::start(reply), "")
    }

    fn with(idp: Idp, more: &str) -> Bench {
        let (origin, folder) = (Origin::start(), Folder::new());
        let issuer = idp.issuer(more);
        let admin = "[admin]\nlisten = \"127.0.0.1:0\"\n";
        folder.configure(&(serving(origin.address, &issuer) + admin));
        Bench {
            folder,
            idp,
            _origin: origin,
        }
    }

    fn run(&self) -> Process {
        let state = self.folder.path("state");
        Process::run_with(&self.folder, |command| {
            command.env("ADIT_ENGINE__STATE_DIR", state);
        })
    }

    /// Runs it, once the first set is in force.
    fn ready(&self) -> Process {
        let mut process = self.run();
        process.event("key_set_renewed");
        process
    }

    /// The one copy of a set on disk.
    fn copy(&self) -> PathBuf {
        let folder = self.folder.path("state").join("key-sets");
        let mut files = std::fs::read_dir(folder).unwrap();
        let file = files.next().expect("a copy was kept").unwrap().path();
        assert!(files.next().is_none());
        file
    }
}

fn ask(process: &Process, token: &str) -> Answer {
    plain(process.address("http"), &get(HOST, "/", &[&bearer(token)]))
}

fn status(process: &Process, token: &str) -> u16 {
    ask(process, token).status()
}

/// The one status that every core answers.
fn everywhere(process: &Process, token: &str) -> u16 {
    let mut answers: Vec<u16> = (0..EVERY_CORE).map(|_| status(process, token)).collect();
    answers.dedup();
    assert_eq!(answers.len(), 1, "cores differ: {answers:?}");
    answers[0]
}

fn reasons(process: &mut Process) -> Vec<String> {
    let line = process.record("/");
    vec![line["reason"].as_str().unwrap().to_owned()]
}

fn metric(process: &Process, name: &str) -> u64 {
    let page = plain(process.address("admin"), &get("localhost", "/metrics", &[]));
    let mut lines = page.body().lines();
    let line = lines.find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} in {}", page.0))
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn the_first_request_waits_for_the_keys_and_others_go_on() {
    let key = Key::new("a");
    let bench = Bench::new(Reply::Held(set_of(&[&key])));
    let process = bench.run();
    bench.idp.asked(1);
    let early: Vec<_> = (0..4)
        .map(|_| {
            let mut client = connect(process.address("http"));
            let request = get(HOST, "/", &[&bearer(&bench.idp.token(&key))]);
            std::io::Write::write_all(&mut client, request.as_bytes()).unwrap();
            client
        })
        .collect();
    // Meanwhile every core serves whoever needs no key.
    assert_eq!(everywhere(&process, &token()), 200);
    bench.idp.release();
    for client in early {
        assert_eq!(crate::support::http::rest(client).status(), 200);
    }
    assert_eq!(everywhere(&process, &bench.idp.token(&key)), 200);
    let other = Key::new("a");
    assert_eq!(everywhere(&process, &bench.idp.token(&other)), 401);
    assert_eq!(bench.idp.requests(), 1, "all of them waited for one fetch");
}

#[test]
fn a_new_key_counts_at_its_first_request_and_the_old_one_no_more() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let bench = Bench::new(Reply::Set(set_of(&[&old])));
    let mut process = bench.ready();
    let (by_old, by_new) = (bench.idp.token(&old), bench.idp.token(&new));
    assert_eq!(everywhere(&process, &by_old), 200);
    bench.idp.reply(Reply::Set(set_of(&[&new])));
    assert_eq!(status(&process, &by_new), 200);
    // The set replaces the one before, on every core, for tokens that were verified before too.
    assert_eq!(everywhere(&process, &by_old), 401);
    assert_eq!(everywhere(&process, &by_new), 200);
    // One for each of the two names.
    assert_eq!(bench.idp.requests(), 3);
    assert!(process.event("key_set_renewed")["keys"] == 1);
}

#[test]
fn names_that_are_made_up_cause_few_fetches_and_harm_nobody() {
    let key = Key::new("a");
    let bench = Bench::new(Reply::Set(set_of(&[&key])));
    let mut process = bench.ready();
    for number in 0..100 {
        let made_up = Key::new(&format!("made-up-{number}"));
        assert_eq!(status(&process, &bench.idp.token(&made_up)), 401);
    }
    assert_eq!(reasons(&mut process), ["issuer_key_unknown"]);
    let most = 1 + 4 + 2; // at the start, at once, and while this took its time
    assert!(bench.idp.requests() <= most, "{}", bench.idp.requests());
    assert_eq!(everywhere(&process, &bench.idp.token(&key)), 200);
}

#[test]
fn one_name_that_the_issuer_does_not_have_causes_one_fetch() {
    let (key, gone) = (Key::new("a"), Key::new("gone"));
    let bench = Bench::new(Reply::Set(set_of(&[&key])));
    let process = bench.ready();
    // The fetch at the start is over: nobody waits for that any more.
    assert_eq!(everywhere(&process, &bench.idp.token(&key)), 200);
    assert_eq!(everywhere(&process, &bench.idp.token(&gone)), 401);
    assert_eq!(bench.idp.requests(), 2);
}

#[test]
fn the_keys_outlive_an_outage_and_a_restart_within_it() {
    let key = Key::new("a");
    let bench = Bench::new(Reply::Set(set_of(&[&key])));
    let mut process = bench.ready();
    let token = bench.idp.token(&key);
    bench.idp.reply(Reply::Close);
    process.signal("HUP");
    process.event("key_set_fetch_failed");
    assert_eq!(everywhere(&process, &token), 200);
    assert_eq!(
        metric(&process, &idp_metric(&bench.idp, "adit_issuer_keys", "")),
        1
    );
    let failed = idp_metric(
        &bench.idp,
        "adit_issuer_key_set_fetches_total",
        ",result=\"failed\"",
    );
    assert!(metric(&process, &failed) >= 1);
    drop(process);
    let process = bench.run();
    assert_eq!(everywhere(&process, &token), 200);
    assert_eq!(everywhere(&process, &bench.idp.token(&Key::new("a"))), 401);
    drop(process);
    // What the issuer said more than a day ago does not count.
    let copy = bench.copy();
    let text = std::fs::read_to_string(&copy).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fetched_at = value["fetched_at"].as_u64().unwrap();
    value["fetched_at"] = (fetched_at - 24 * 60 * 60 - 1).into();
    std::fs::write(&copy, value.to_string()).unwrap();
    let mut process = bench.run();
    assert_eq!(everywhere(&process, &token), 401);
    assert_eq!(reasons(&mut process), ["issuer_keys_missing"]);
}

fn idp_metric(idp: &Idp, name: &str, more: &str) -> String {
    format!("{name}{{issuer=\"{}\"{more}}}", idp.name())
}

#[test]
fn without_a_copy_an_outage_refuses_until_the_issuer_is_back() {
    let key = Key::new("a");
    let bench = Bench::new(Reply::Close);
    let mut process = bench.run();
    let token = bench.idp.token(&key);
    process.event("key_set_fetch_failed");
    assert_eq!(status(&process, &token), 401);
    assert_eq!(reasons(&mut process), ["issuer_keys_missing"]);
    bench.idp.reply(Reply::Set(set_of(&[&key])));
    process.event("key_set_renewed");
    assert_eq!(everywhere(&process, &token), 200);
}

#[test]
fn a_copy_that_others_could_have_written_is_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let key = Key::new("a");
    let bench = Bench::new(Reply::Set(set_of(&[&key])));
    drop(bench.ready());
    bench.idp.reply(Reply::Close);
    let rights = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(bench.copy(), rights).unwrap();
    let mut process = bench.run();
    assert_eq!(status(&process, &bench.idp.token(&key)), 401);
    let refused = process
        .err
        .find(|line| line.contains("key_set_copy_refused"), "refused");
    assert!(
        refused.contains("can be written by other users"),
        "{refused}"
    );
}

#[test]
fn what_is_no_key_set_is_not_taken_and_the_one_that_is_there_goes_on() {
    let key = Key::new("a");
    let bench = Bench::new(Reply::Set(set_of(&[&key])));
    let mut process = bench.ready();
    let token = bench.idp.token(&key);
    let many: Vec<Key> = (0..65)
        .map(|number| Key::new(&number.to_string()))
        .collect();
    let many: Vec<&Key> = many.iter().collect();
    for (reply, why) in [
        (Reply::Set("<html>".to_owned()), "it is no key set"),
        (Reply::Set(r#"{"keys":{}}"#.to_owned()), "it is no key set"),
        (Reply::Set(set_of(&many)), "it is no key set"),
        (
            Reply::Set(" ".repeat(256 * 1024 + 1)),
            "longer than 262144 bytes",
        ),
        (Reply::Status(500), "answered 500"),
        (Reply::Status(404), "answered 404"),
        (
            Reply::Redirect(format!("{}/elsewhere", bench.idp.name())),
            "redirects are not followed",
        ),
    ] {
        bench.idp.reply(reply);
        process.signal("HUP");
        process.event_saying("key_set_fetch_failed", why);
        assert_eq!(everywhere(&process, &token), 200, "{why}");
    }
    // None at all is a set: then the issuer has taken its keys back.
    bench.idp.reply(Reply::Set(r#"{"keys":[]}"#.to_owned()));
    process.signal("HUP");
    process.event("key_set_empty");
    assert_eq!(everywhere(&process, &token), 401);
}

#[test]
fn over_tls_the_server_must_be_who_it_says_and_the_network_one_that_is_meant() {
    let key = Key::new("a");
    for (more, event) in [
        (
            "jwks_private_addresses = true\njwks_ca_file = \"idp.pem\"",
            "key_set_renewed",
        ),
        ("jwks_private_addresses = true", "key_set_fetch_failed"),
        ("jwks_ca_file = \"idp.pem\"", "key_set_fetch_failed"),
    ] {
        let idp = Idp::start_tls(Reply::Set(set_of(&[&key])));
        let certificate = idp.certificate();
        let bench = Bench::with(idp, "");
        bench.folder.write("idp.pem", 0o644, certificate);
        let issuer = bench.idp.issuer(more);
        bench
            .folder
            .configure(&serving(bench._origin.address, &issuer));
        let mut process = bench.run();
        process.event(event);
        let expected = if event == "key_set_renewed" { 200 } else { 401 };
        assert_eq!(
            everywhere(&process, &bench.idp.token(&key)),
            expected,
            "{more}"
        );
    }
}

#[test]
fn explain_judges_by_the_set_that_was_kept() {
    let key = Key::new("a");
    let bench = Bench::new(Reply::Set(set_of(&[&key])));
    let process = bench.ready();
    assert_eq!(status(&process, &bench.idp.token(&key)), 200);
    let config = bench.folder.path("adit.toml");
    let state = bench.folder.path("state");
    let text = std::fs::read_to_string(&config).unwrap();
    let with_state = text.replace(
        "[cores]",
        &format!("state_dir = \"{}\"\n[cores]", state.display()),
    );
    bench.folder.configure(&with_state);
    for (token, said) in [
        (bench.idp.token(&key), "forwarded"),
        (bench.idp.token(&Key::new("b")), "issuer_key_unknown"),
    ] {
        let url = format!("https://{HOST}/");
        let header = bearer(&token);
        let finished = crate::support::adit(&[
            "explain",
            "--config",
            config.to_str().unwrap(),
            "--url",
            &url,
            "--header",
            &header,
        ]);
        assert!(
            finished.out.contains(said),
            "{} {}",
            finished.out,
            finished.err
        );
    }
}
