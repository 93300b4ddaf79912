//! The page of the keys, and the keys over the life of an edge.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::{BASE_HOST, HOST, KEYS, ON, is_believed, key_set_after, kids, setup, verified};
use crate::stage::{Stage, bearer, clients_of_every_core, get};
use crate::support::{Client, Edge, Tunnel, Upstream, ok};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn page(method: &str, target: &str, lines: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: {BASE_HOST}\r\n{lines}\r\n")
}

#[test]
fn the_page_is_for_everybody_who_reads() {
    let stage = super::stage();
    let edge = &stage.edge;
    let mut client = edge.tls_client(BASE_HOST);
    for target in [KEYS, &format!("{KEYS}?at=1")] {
        let answer = client.ask(page("GET", target, ""));
        assert_eq!((answer.status, edge.reason().as_str()), (200, "answered"));
        for (name, value) in [
            ("content-type", "application/jwk-set+json"),
            ("cache-control", "public, max-age=3600"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.field(name), Some(value));
        }
        let set: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(kids(&set).len(), 1);
        client.send(page("HEAD", target, ""));
        let head = client.response_to_head();
        assert_eq!(head.field("content-length"), answer.field("content-length"));
        assert_eq!(edge.log_line()["status"], 200);
    }
    // S5.12 holds here too.
    let answer = client.ask(page("GET", &format!("{KEYS}?rstream.token=x"), ""));
    assert_eq!(answer.field("cache-control"), Some("private, no-store"));
    edge.reason();
    // A body is read over, and the connection stays in step.
    let answer = client.ask(page("GET", KEYS, "Content-Length: 5\r\n") + "hello");
    assert_eq!(answer.status, 200);
    edge.reason();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get"] {
        let answer = client.ask(page(method, KEYS, "Content-Length: 0\r\n"));
        assert_eq!(
            (answer.status, answer.field("allow")),
            (405, Some("GET, HEAD"))
        );
        assert_eq!(edge.reason(), "edge_page_read_only");
    }
    stage.upstream.assert_untouched();
}

/// Everything that is not quite the page is what it was, and `explain` says the same.
#[test]
fn nothing_beside_the_page_is_answered() {
    let stage = super::stage();
    let edge = &stage.edge;
    for (request, status, reason) in [
        (page("GET", KEYS, ""), 200, "answered"),
        (
            page("GET", KEYS, "").replace("edge.", "EDGE."),
            200,
            "answered",
        ),
        (page("POST", KEYS, ""), 405, "edge_page_read_only"),
        (page("GET", "/", ""), 404, "host_unknown"),
        (page("GET", &format!("{KEYS}/"), ""), 404, "host_unknown"),
        (
            page("GET", "/.well-known/rstream/jwks%2ejson", ""),
            404,
            "host_unknown",
        ),
        (
            page("POST", "/.well-known/rstream/", ""),
            404,
            "host_unknown",
        ),
        (
            page("GET", KEYS, "").replace(BASE_HOST, "nobody.test"),
            404,
            "host_unknown",
        ),
        (get(KEYS, ""), 404, "edge_path_unknown"),
        (
            get("/.well-known/rstream/jwks%2ejson", ""),
            404,
            "edge_path_unknown",
        ),
        (
            page("GET", &format!("https://{BASE_HOST}{KEYS}"), ""),
            421,
            "scheme_mismatch",
        ),
    ] {
        let answer = edge.client().ask(&request);
        assert_eq!(
            (answer.status, edge.reason().as_str()),
            (status, reason),
            "{request}"
        );
        assert_eq!(
            edge.explained(request.as_bytes()),
            (status, reason),
            "{request}"
        );
    }
    // S1.3: through a connection for a tunnel, no page of the base host.
    let answer = edge.tls_client(HOST).ask(page("GET", KEYS, ""));
    assert_eq!(
        (answer.status, edge.reason().as_str()),
        (421, "sni_mismatch")
    );
    let answered: u64 = edge.engine().reports()[0]
        .1
        .requests()
        .filter(|(_, verdict, ..)| verdict.as_str() == "answered")
        .map(|(.., count)| count)
        .sum();
    assert_eq!(answered, 2);
    stage.upstream.assert_untouched();
    // Where no tunnel asks, there is none.
    let silent = Stage::guarded();
    let answer = silent.edge.client().ask(page("GET", KEYS, ""));
    assert_eq!(
        (answer.status, silent.edge.reason().as_str()),
        (404, "host_unknown")
    );
}

#[test]
fn the_keys_stay_over_reload_and_restart() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let mut edge = setup(&upstream).start();
    let first = key_set_after(&edge);
    let token = bearer(&edge.token(|_| ()));
    assert_eq!(edge.client().ask(get("/", &token)).status, 200);
    let recorded = upstream.next_request();
    edge.reload(|setup| setup);
    assert_eq!(key_set_after(&edge), first);
    let edge = edge.restart().unwrap();
    let after = key_set_after(&edge);
    assert_eq!(after, first);
    let assertion = recorded.field("x-adit-assertion").unwrap();
    assert!(verified(assertion, &after).is_some());
    let state = edge.folder().join("state");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(state.clone()), 0o700);
    assert_eq!(mode(state.join("assertion-keys.json")), 0o600);
    // Removed, they are no more: another one signs at once.
    let mut edge = edge;
    fs::remove_file(state.join("assertion-keys.json")).unwrap();
    edge.reload(|setup| setup);
    let other = key_set_after(&edge);
    assert_ne!(kids(&other), kids(&first));
    assert!(verified(assertion, &other).is_none());
    let token = bearer(&edge.token(|_| ()));
    ask(&mut edge.client(), &edge, &upstream, &token);
}

fn ask(client: &mut Client, edge: &Edge, upstream: &Upstream, token: &str) -> String {
    assert_eq!(client.ask(get("/", token)).status, 200);
    let recorded = upstream.next_request();
    let set = key_set_after(edge);
    assert!(is_believed(&recorded, HOST, edge, &set));
    let assertion = recorded.field("x-adit-assertion").unwrap();
    let header = assertion.split('.').next().unwrap();
    let header: serde_json::Value = serde_json::from_slice(&super::decoded(header)).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// On every core, and what was verified stays verified.
#[test]
fn a_new_key_is_shown_for_a_day_before_it_signs_and_the_old_one_after() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = setup(&upstream)
        .cores(2)
        .tables("[timeouts]\nidle = \"90d\"")
        .start();
    let token = bearer(&edge.token(|claims| {
        claims.remove("exp");
    }));
    let mut clients = clients_of_every_core(&edge);
    let mut kids_of_all = |edge: &Edge| {
        let kids: Vec<String> = clients
            .iter_mut()
            .map(|client| ask(client, edge, &upstream, &token))
            .collect();
        assert!(kids.iter().all(|kid| *kid == kids[0]), "{kids:?}");
        kids[0].clone()
    };
    let renew = |edge: &Edge| {
        let remembered = || -> u64 {
            let reports = edge.engine().reports();
            let entries = reports.iter().map(|(_, one)| one.token_cache_entries);
            entries.sum()
        };
        let before = remembered();
        edge.engine().renew_keys();
        assert_eq!((before, remembered()), (2, 2), "one on each core");
    };
    let first = kids_of_all(&edge);
    edge.pass(30 * DAY);
    renew(&edge);
    assert_eq!(kids_of_all(&edge), first);
    let set = key_set_after(&edge);
    let [old, new] = kids(&set)[..] else {
        panic!("{set}");
    };
    assert_eq!(old, first);
    edge.pass(DAY);
    renew(&edge);
    assert_eq!(kids_of_all(&edge), new);
    assert_eq!(kids(&key_set_after(&edge)), [old, new]);
    edge.pass(DAY + Duration::from_secs(3600));
    renew(&edge);
    assert_eq!(kids_of_all(&edge), new);
    assert_eq!(kids(&key_set_after(&edge)), [new]);
}

/// S10.1: with a key that others could read, others could speak for the edge.
#[test]
fn keys_that_others_can_read_refuse_start_and_reload() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let mut edge = setup(&upstream).start();
    let set = key_set_after(&edge);
    let file = edge.folder().join("state/assertion-keys.json");
    let open = |mode| fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    open(0o644);
    let error = edge.try_reload(|setup| setup).unwrap_err().to_string();
    assert!(
        error.contains("identity_headers") && error.contains("chmod 600"),
        "{error}"
    );
    // What was in force goes on; also when it is time to look again.
    edge.pass(31 * DAY);
    edge.engine().renew_keys();
    assert_eq!(key_set_after(&edge), set);
    let error = edge.restart().err().expect("it does not start").to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

/// A tunnel that comes to ask for it gets it with the reload, and the last one that asked takes the page with it.
#[test]
fn it_comes_and_goes_with_the_configuration() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let mut edge = Edge::setup()
        .https()
        .tunnel(Tunnel::guarded(HOST, &upstream))
        .start();
    let token = bearer(&edge.token(|_| ()));
    let mut client = edge.client();
    let mut told = |edge: &Edge| {
        assert_eq!(client.ask(get("/", &token)).status, 200);
        let recorded = upstream.next_request();
        let page = edge.client().ask(page("GET", KEYS, "")).status;
        (recorded.field("x-adit-assertion").is_some(), page)
    };
    assert_eq!(told(&edge), (false, 404));
    let asking = Tunnel::guarded(HOST, &upstream).line(ON);
    edge.reload(|setup| setup.without_tunnels().tunnel(asking));
    assert_eq!(told(&edge), (true, 200));
    let silent = Tunnel::guarded(HOST, &upstream);
    edge.reload(|setup| setup.without_tunnels().tunnel(silent));
    assert_eq!(told(&edge), (false, 404));
    edge.engine().renew_keys();
    assert_eq!(told(&edge), (false, 404));
}
