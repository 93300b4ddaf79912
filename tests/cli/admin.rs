//! The admin listener: health, readiness, metrics, and who may ask (S10.4).

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;

use crate::metrics::parse;
use crate::support::folder::{bounded_token, token};
use crate::support::http::{bearer, get, plain, request, tls, unix};
use crate::support::{Folder, HOST, Origin, Process};

const OPEN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";
const GUARDED: &str = "[admin]\nlisten = \"127.0.0.1:0\"\nbearer_token_file = \"admin\"\n";
const ADMIN_TOKEN: &str = "canary-admin-token-0123456789";

fn metrics(process: &Process) -> BTreeMap<String, f64> {
    let answer = plain(process.address("admin"), &get("localhost", "/metrics", &[]));
    assert_eq!(answer.status(), 200);
    let kind = answer.field("content-type").unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    parse(answer.body()).samples
}

#[test]
fn health_and_readiness_answer_in_a_word() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, OPEN);
    let process = Process::run(&folder);
    for (path, body) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = plain(process.address("admin"), &get("127.0.0.1", path, &[]));
        assert_eq!((answer.status(), answer.body()), (200, body));
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        let head = request("HEAD", "[::1]:1", path, &[]);
        let answer = plain(process.address("admin"), &head);
        assert_eq!((answer.status(), answer.body()), (200, ""));
    }
}

#[test]
fn metrics_follow_the_requests() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, OPEN);
    let process = Process::run(&folder);
    let before = metrics(&process);
    assert_eq!(before["adit_active_tunnels"], 1.0);
    assert_eq!(before["adit_node_info{node=\"node-1\"}"], 1.0);
    assert!(
        !before
            .keys()
            .any(|name| name.starts_with("adit_requests_total"))
    );
    let address = process.address("http");
    for fields in [vec![], vec![bearer(&token())], vec![bearer("a.b.c")]] {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        plain(address, &get(HOST, "/out", &fields));
    }
    plain(address, &get(HOST, "/out", &[&bearer(&bounded_token())]));
    tls(
        &folder,
        process.address("https"),
        HOST,
        &get(HOST, "/", &[]),
    );
    let after = metrics(&process);
    for (sample, count) in [
        (
            "adit_requests_total{code=\"200\",mechanism=\"token\",result=\"forwarded\"}",
            1,
        ),
        (
            "adit_requests_total{code=\"401\",mechanism=\"none\",result=\"refused\"}",
            3,
        ),
        (
            "adit_requests_total{code=\"403\",mechanism=\"token\",result=\"refused\"}",
            1,
        ),
        ("adit_auth_failures_total{reason=\"token_missing\"}", 2),
        ("adit_auth_failures_total{reason=\"token_malformed\"}", 1),
        (
            "adit_auth_failures_total{reason=\"path_outside_boundary\"}",
            1,
        ),
        ("adit_connections_total", 5),
        ("adit_tls_handshakes_total{result=\"ok\"}", 1),
        ("adit_upstream_connects_total", 1),
        ("adit_panics_total", 0),
    ] {
        assert_eq!(
            after.get(sample),
            Some(&f64::from(count)),
            "{sample} in {after:#?}"
        );
    }
}

#[test]
fn another_host_name_is_misdirected_and_another_method_is_not_allowed() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, OPEN);
    let process = Process::run(&folder);
    let address = process.address("admin");
    let own = address.to_string();
    for host in [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1",
        "[::1]",
        own.as_str(),
    ] {
        assert_eq!(
            plain(address, &get(host, "/metrics", &[])).status(),
            200,
            "{host}"
        );
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.2",
        HOST,
        "",
    ] {
        for path in ["/metrics", "/healthz", "/nothing"] {
            assert_eq!(
                plain(address, &get(host, path, &[])).status(),
                421,
                "{host} {path}"
            );
        }
    }
    let twice =
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(plain(address, twice).status(), 421);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = plain(
            address,
            &request(method, "localhost", "/metrics", &["Content-Length: 0"]),
        );
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.field("allow"), Some("GET, HEAD"));
        assert_eq!(answer.field("access-control-allow-origin"), None);
    }
}

#[test]
fn metrics_ask_for_the_bearer_token_where_there_is_one() {
    let origin = Origin::start();
    let folder = Folder::new();
    folder.write("admin", 0o600, ADMIN_TOKEN);
    folder.configure(&crate::support::folder::serving(origin.address, GUARDED));
    let process = Process::run(&folder);
    let address = process.address("admin");
    let ask = |target: &str, fields: &[&str]| plain(address, &get("localhost", target, fields));
    assert_eq!(ask("/metrics", &[&bearer(ADMIN_TOKEN)]).status(), 200);
    let right = bearer(ADMIN_TOKEN);
    let wrong = bearer("canary-admin-token-012345678");
    let basic = format!("Authorization: Basic {ADMIN_TOKEN}");
    for fields in [
        vec![],
        vec![wrong.as_str()],
        vec![basic.as_str()],
        vec![&right, &right],
    ] {
        let answer = ask("/metrics", &fields);
        assert_eq!(answer.status(), 401, "{fields:?}");
        let challenge = answer.field("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer "), "{challenge}");
    }
    assert_eq!(
        ask(&format!("/metrics?token={ADMIN_TOKEN}"), &[]).status(),
        401
    );
    assert_eq!(
        ask("/healthz", &[]).status(),
        200,
        "a load balancer has no token"
    );
    assert_eq!(ask("/readyz", &[]).status(), 200);
}

#[test]
fn a_unix_socket_serves_under_any_host_and_a_stale_one_is_replaced() {
    let origin = Origin::start();
    let folder = Folder::new();
    let path = folder.path("admin.sock");
    let admin = format!("[admin]\nlisten = \"unix:{}\"\n", path.display());
    folder.configure(&crate::support::folder::serving(origin.address, &admin));
    let first = Process::run(&folder);
    assert_eq!(first.listening("admin"), format!("unix:{}", path.display()));
    assert_eq!(unix(&path, &get("anything", "/metrics", &[])).status(), 200);
    assert_eq!(
        unix(
            &path,
            &request("POST", "x", "/metrics", &["Content-Length: 0"])
        )
        .status(),
        405
    );
    // A socket that somebody answers on is not taken away.
    let second = Process::begin(&folder, |_| ()).finish();
    assert_eq!(second.code, 1);
    assert!(
        second.err.contains("cannot listen on unix:/") && second.err.contains("([admin] listen)"),
        "{}",
        second.err
    );
    // One that nobody answers on is.
    drop(first);
    assert!(
        std::fs::symlink_metadata(&path)
            .unwrap()
            .file_type()
            .is_socket()
    );
    let _third = Process::run(&folder);
    assert_eq!(unix(&path, &get("x", "/readyz", &[])).status(), 200);
}

#[test]
fn a_file_at_the_place_of_the_unix_socket_is_left_alone() {
    let origin = Origin::start();
    let folder = Folder::new();
    folder.write("precious", 0o600, "keep me");
    let admin = format!(
        "[admin]\nlisten = \"unix:{}\"\n",
        folder.path("precious").display()
    );
    folder.configure(&crate::support::folder::serving(origin.address, &admin));
    let finished = Process::begin(&folder, |_| ()).finish();
    assert_eq!(finished.code, 1);
    assert!(
        finished
            .err
            .contains("there is a file that is not a socket"),
        "{}",
        finished.err
    );
    assert_eq!(
        std::fs::read_to_string(folder.path("precious")).unwrap(),
        "keep me"
    );
}
