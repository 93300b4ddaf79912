//! `adit check`: every problem, for people and for machines, and an exit code for scripts.

use serde_json::Value;

use crate::support::folder::serving;
use crate::support::{Finished, Folder, adit};

const MINIMAL: &str = include_str!("../../config/minimal.toml");
const REFERENCE: &str = include_str!("../../config/reference.toml");

fn check(folder: &Folder, more: &[&str]) -> Finished {
    let file = folder.path("adit.toml");
    adit(&[&["check", "--config", file.to_str().unwrap()], more].concat())
}

fn upstream() -> std::net::SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

#[test]
fn a_good_file_is_good_and_its_doubtful_parts_are_warned_of() {
    let folder = Folder::serving(upstream(), "");
    let finished = check(&folder, &[]);
    let good = format!("{}: good, 1 tunnel\n", folder.path("adit.toml").display());
    assert_eq!(
        (finished.code, finished.out.as_str(), finished.err.as_str()),
        (0, good.as_str(), "")
    );
    let text =
        serving(upstream(), "").replace("token_auth = true", "token_auth = false\npublic = true");
    folder.configure(&text);
    let finished = check(&folder, &[]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(
        finished.out.starts_with("warning: ") && finished.out.ends_with(&good),
        "{}",
        finished.out
    );
}

#[test]
fn a_bad_file_is_2_with_every_error_on_standard_error() {
    let folder = Folder::serving(upstream(), "[timeouts]\ndrain = 5\nidel = \"5s\"\n");
    let finished = check(&folder, &[]);
    assert_eq!((finished.code, finished.out.as_str()), (2, ""));
    let lines: Vec<&str> = finished.err.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines[0].contains(": timeouts.drain: ") && lines[0].contains("such as \"10s\""),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains(": timeouts.idel: unknown key; did you mean \"idle\"?"),
        "{}",
        lines[1]
    );
}

#[test]
fn json_is_one_object_with_places() {
    let folder = Folder::serving(upstream(), "");
    let good = check(&folder, &["--json"]);
    assert_eq!(good.code, 0);
    let good: Value = serde_json::from_str(&good.out).unwrap();
    assert_eq!(
        good,
        serde_json::json!({ "ok": true, "errors": [], "warnings": [] })
    );
    folder.configure(&format!("bogus = 1\n{}", serving(upstream(), "")));
    let bad = check(&folder, &["--json"]);
    assert_eq!((bad.code, bad.err.as_str()), (2, ""));
    let bad: Value = serde_json::from_str(&bad.out).unwrap();
    assert_eq!(bad["ok"], false);
    let error = &bad["errors"][0];
    assert_eq!(
        (error["line"].as_u64(), error["column"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(error["key"], "bogus");
    assert_eq!(error["file"], folder.path("adit.toml").to_str().unwrap());
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .starts_with("unknown key")
    );
}

#[test]
fn the_shipped_files_are_good_once_their_files_are_there() {
    for (text, tunnels) in [(MINIMAL, 1), (REFERENCE, 1)] {
        let folder = Folder::new();
        folder.write("admin", 0o600, "0123456789abcdef");
        folder.write("idp", 0o600, "0123456789abcdef0123456789abcdef");
        folder.write("seal", 0o600, "abcdef0123456789abcdef0123456789");
        let text = text
            .replace("/etc/adit/tls/", "")
            .replace("/etc/adit/secrets/hs256", "secret")
            .replace("/etc/adit/secrets/idp", "idp")
            .replace("/etc/adit/secrets/seal", "seal")
            .replace("/etc/adit/secrets/admin", "admin")
            .replace("*.t.edge.example.com", "*.t.edge.example")
            .replace("edge.example.com", "edge.example");
        folder.configure(&text);
        let finished = check(&folder, &[]);
        assert_eq!(finished.code, 0, "{}", finished.err);
        assert!(
            finished
                .out
                .ends_with(&format!(": good, {tunnels} tunnel\n")),
            "{}",
            finished.out
        );
    }
}

/// Each is reached by one and not by the other.
#[test]
fn it_says_whose_tokens_can_reach_a_place() {
    let credentials = r#"
[[credential]]
id = "in-only"
kind = "user"
projects = ["proj-1"]
resources.tunnels.scopes.tunnels.connect.params.path.regex = "^/in(/|$)"
[[credential]]
id = "out-only"
kind = "user"
projects = ["proj-1"]
resources.tunnels.scopes.tunnels.connect.params.path.regex = "^/out(/|$)"
[[credential]]
id = "gone"
kind = "user"
projects = ["proj-1"]
revoked = true
[[credential]]
id = "looks"
kind = "user"
projects = ["proj-1"]
permissions = ["tunnels.resources.read-only"]
"#;
    let folder = Folder::serving(upstream(), credentials);
    let who = |url: &str| check(&folder, &["--who-can-reach", url]).out;
    let ce = "tokens without a credential, by [tokens.ce]\n";
    for (path, others) in [
        ("/in/a?b", "credential in-only\n"),
        ("/out", "credential out-only\n"),
        ("/outer", ""),
        ("/in/../out", ""),
    ] {
        let url = format!("https://app.t.edge.example:8443{path}");
        assert_eq!(who(&url), format!("{ce}{others}"), "{path}");
    }
    for nobodys in [
        "https://edge.example/",
        "https://app.t.edge.example/.well-known/rstream/x",
    ] {
        assert_eq!(who(nobodys), "nobody\n");
    }
    let asked = [
        "--json",
        "--who-can-reach",
        "https://app.t.edge.example/out",
    ];
    let said: Value = serde_json::from_str(&check(&folder, &asked).out).unwrap();
    assert_eq!(
        said,
        serde_json::json!({ "who": [ce.trim(), "credential out-only"] })
    );
    for (url, problem) in [
        ("app", "needs https:// or http://"),
        ("https://a b/", "is refused: host_malformed"),
    ] {
        let finished = check(&folder, &["--who-can-reach", url]);
        assert_eq!((finished.code, finished.out.as_str()), (2, ""));
        assert!(finished.err.contains(problem), "{}", finished.err);
    }
    folder.configure(&serving(upstream(), "").replace("token_auth = true", "public = true"));
    assert_eq!(who("https://app.t.edge.example/"), "everybody\n");
}
