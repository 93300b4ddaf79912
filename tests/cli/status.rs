//! `/status` and the page that shows it: who may see them, and what they say (S10.4).

use serde_json::{Value, json};

use crate::support::folder::{bounded_token, serving, token};
use crate::support::http::{Answer, bearer, get, plain, request, unix};
use crate::support::{Folder, HOST, Origin, Process};

const CLOSED: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";
pub const OPEN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\nopen_on_loopback = true\n";
const GUARDED: &str = "[admin]\nlisten = \"127.0.0.1:0\"\nbearer_token_file = \"admin\"\n";
pub const ADMIN_TOKEN: &str = "canary-admin-token-0123456789";

/// An edge with this `[admin]` and a file of the token beside it.
pub fn edge(origin: &Origin, admin: &str) -> (Folder, Process) {
    let folder = Folder::new();
    folder.write("admin", 0o600, ADMIN_TOKEN);
    folder.configure(&serving(origin.address, admin));
    let process = Process::run(&folder);
    (folder, process)
}

fn ask(process: &Process, target: &str, fields: &[&str]) -> Answer {
    plain(process.address("admin"), &get("localhost", target, fields))
}

pub fn status(process: &Process) -> Value {
    let answer = ask(process, "/status", &[]);
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.field("content-type"), Some("application/json"));
    serde_json::from_str(answer.body()).unwrap()
}

#[test]
fn status_and_page_need_the_token_and_nothing_else_will_do() {
    let origin = Origin::start();
    let (_folder, process) = edge(&origin, GUARDED);
    let right = bearer(ADMIN_TOKEN);
    for target in ["/", "/status"] {
        assert_eq!(ask(&process, target, &[&right]).status(), 200, "{target}");
        let wrong = bearer("canary-admin-token-012345678");
        let basic = format!("Authorization: Basic {ADMIN_TOKEN}");
        let cookie = format!("Cookie: token={ADMIN_TOKEN}");
        for fields in [
            vec![],
            vec![wrong.as_str()],
            vec![basic.as_str()],
            vec![cookie.as_str()],
            vec![right.as_str(), right.as_str()],
        ] {
            let answer = ask(&process, target, &fields);
            assert_eq!(answer.status(), 401, "{target} {fields:?}");
            let challenge = answer.field("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer "), "{challenge}");
            // Whoever has none sees a field for it, and no data.
            assert_eq!(answer.body().contains("id=\"token\""), target == "/");
            assert!(!answer.body().contains("node-1"), "{}", answer.body());
        }
        let in_the_address = format!("{target}?token={ADMIN_TOKEN}&bearer_token={ADMIN_TOKEN}");
        assert_eq!(ask(&process, &in_the_address, &[]).status(), 401);
    }
}

#[test]
fn without_a_token_they_are_closed_and_open_only_where_that_is_written() {
    let origin = Origin::start();
    let (_folder, closed) = edge(&origin, CLOSED);
    let page = ask(&closed, "/", &[]);
    assert_eq!(page.status(), 401);
    assert!(page.body().contains("open_on_loopback = true"));
    assert!(!page.body().contains("<script") && !page.body().contains("<form"));
    for fields in [vec![], vec![bearer("")], vec![bearer(ADMIN_TOKEN)]] {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        assert_eq!(ask(&closed, "/status", &fields).status(), 401);
    }
    assert_eq!(ask(&closed, "/metrics", &[]).status(), 200);
    let (_folder, open) = edge(&origin, OPEN);
    assert_eq!(ask(&open, "/", &[]).status(), 200);
    assert_eq!(ask(&open, "/status", &[]).status(), 200);
    // Open to this machine, and not to pages of others that a browser on it shows.
    for host in ["evil.example", "127.0.0.2", HOST] {
        for target in ["/", "/status", "/assets/live.js"] {
            let answer = plain(open.address("admin"), &get(host, target, &[]));
            assert_eq!((answer.status(), answer.body()), (421, ""), "{host}");
        }
    }
}

#[test]
fn a_unix_socket_needs_no_token_for_them() {
    let origin = Origin::start();
    let folder = Folder::new();
    folder.write("admin", 0o600, ADMIN_TOKEN);
    let path = folder.path("admin.sock");
    let listen = format!("listen = \"unix:{}\"", path.display());
    let admin = format!("[admin]\n{listen}\nbearer_token_file = \"admin\"\n");
    folder.configure(&serving(origin.address, &admin));
    let _process = Process::run(&folder);
    assert_eq!(unix(&path, &get("any.example", "/", &[])).status(), 200);
    assert_eq!(unix(&path, &get("x", "/status", &[])).status(), 200);
    assert_eq!(unix(&path, &get("x", "/metrics", &[])).status(), 401);
}

#[test]
fn configured_names_are_its_own_too_and_their_neighbours_are_not() {
    let origin = Origin::start();
    let hosts = format!("{OPEN}hosts = [\"admin.example\", \"192.0.2.7\"]\n");
    let (_folder, process) = edge(&origin, &hosts);
    let asked = |host: &str| plain(process.address("admin"), &get(host, "/status", &[])).status();
    for host in [
        "admin.example",
        "ADMIN.example:9090",
        "192.0.2.7",
        "localhost",
    ] {
        assert_eq!(asked(host), 200, "{host}");
    }
    for host in [
        "www.admin.example",
        "example",
        "192.0.2.8",
        "admin.example.evil.example",
    ] {
        assert_eq!(asked(host), 421, "{host}");
    }
}

#[test]
fn only_get_and_head_and_no_page_elsewhere_may_load_an_answer() {
    let origin = Origin::start();
    let (_folder, process) = edge(&origin, OPEN);
    let address = process.address("admin");
    let page = ask(&process, "/", &["Origin: https://evil.example"]);
    let script = page.body().split("<script defer src=\"").nth(1).unwrap();
    let script = script.split('"').next().unwrap();
    for target in ["/", "/status", script, "/nothing"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let fields = ["Content-Length: 0", "Origin: https://evil.example"];
            let answer = plain(address, &request(method, "localhost", target, &fields));
            assert_eq!(answer.status(), 405, "{method} {target}");
        }
        let head = plain(address, &request("HEAD", "localhost", target, &[]));
        let answer = ask(&process, target, &["Origin: https://evil.example"]);
        assert_eq!((head.status(), head.body()), (answer.status(), ""));
        assert_eq!(answer.field("access-control-allow-origin"), None);
        for (name, value) in [
            ("cross-origin-resource-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.field(name), Some(value), "{target}");
        }
    }
    assert_eq!(ask(&process, "/nothing", &[]).status(), 404);
    let policy = page.field("content-security-policy").unwrap();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
}

#[test]
fn the_status_counts_what_happened_and_names_no_secret() {
    let origin = Origin::start();
    let more = format!("{OPEN}[log]\naccess = \"off\"\n");
    let (_folder, process) = edge(&origin, &more);
    let before = status(&process);
    assert_eq!(
        before["requests"],
        json!({ "answered": 0, "forwarded": 0, "redirected": 0, "refused": 0 })
    );
    assert_eq!(before["added_latency"]["p50_us"], Value::Null);
    let address = process.address("http");
    for _ in 0..3 {
        plain(address, &get(HOST, "/in/yes", &[&bearer(&token())]));
    }
    let target = "/out/there?canary-query=1&rstream.token=canary-token";
    let refused = plain(address, &get(HOST, target, &["Cookie: canary-cookie"]));
    let outside = plain(address, &get(HOST, "/out", &[&bearer(&bounded_token())]));
    assert_eq!((refused.status(), outside.status()), (401, 403));
    let after = status(&process);
    assert_eq!(after["node"], "node-1");
    assert_eq!(after["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        after["requests"],
        json!({ "answered": 0, "forwarded": 3, "redirected": 0, "refused": 2 })
    );
    assert_eq!(
        after["refusals"],
        json!({ "path_outside_boundary": 1, "token_malformed": 1 })
    );
    assert_eq!(
        after["upstream"]["connects"].as_u64().unwrap()
            + after["upstream"]["reused"].as_u64().unwrap(),
        3
    );
    assert_eq!(
        after["tunnels"],
        json!([{
            "hostname": HOST, "project": "proj-1", "guards": ["token_auth"], "authorization": "edge", "servers": 1,
        }])
    );
    let cores = after["cores"].as_array().unwrap();
    assert_eq!(cores.len(), 2);
    let requests: u64 = cores
        .iter()
        .map(|core| core["requests"].as_u64().unwrap())
        .sum();
    assert_eq!(requests, 5);
    for name in ["added_latency", "first_byte"] {
        let times = &after[name];
        assert_eq!(times["count"], 3, "{name}");
        assert!(
            times["p50_us"].as_u64().unwrap() > 0
                && times["p50_us"].as_u64() <= times["p99_us"].as_u64()
        );
        let counts = times["counts"].as_array().unwrap();
        assert_eq!(
            counts.len(),
            after["bounds_us"].as_array().unwrap().len() + 1
        );
        assert_eq!(
            counts
                .iter()
                .map(|count| count.as_u64().unwrap())
                .sum::<u64>(),
            3
        );
    }
    let recent = after["recent_refusals"].as_array().unwrap();
    let told: Vec<_> = recent
        .iter()
        .map(|one| {
            (
                one["path"].as_str().unwrap(),
                one["reason"].as_str().unwrap(),
                one["request_id"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "/out",
                "path_outside_boundary",
                outside.field("x-request-id")
            ),
            (
                "/out/there",
                "token_malformed",
                refused.field("x-request-id")
            ),
        ]
    );
    assert_eq!(recent[0]["credential"], "ci-bot");
    assert_eq!(recent[0]["client"], "127.0.0.1");
    let text = after.to_string();
    assert!(!text.contains("canary") && !text.contains('?'), "{text}");
}

#[test]
fn the_last_refusals_are_kept_and_no_more() {
    let origin = Origin::start();
    let (_folder, process) = edge(&origin, OPEN);
    for number in 0..150 {
        plain(
            process.address("http"),
            &get(HOST, &format!("/{number}"), &[]),
        );
    }
    let status = status(&process);
    assert_eq!(status["requests"]["refused"], 150);
    let recent = status["recent_refusals"].as_array().unwrap();
    assert_eq!(recent.len(), 64);
    assert_eq!(recent[0]["path"], "/149");
}
