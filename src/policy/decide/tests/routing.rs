//! Hosts, server names, and paths that belong to the edge.

use super::*;

fn over_tls(server_name: Option<&str>, host: &str, path: &str) -> String {
    let name = server_name.map(|name| CanonicalHost::parse(name.as_bytes()).unwrap());
    let connection = Connection {
        scheme: Scheme::Https,
        server_name: name.as_ref(),
        ..plain()
    };
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\r\n",
        good()
    );
    word(&judge_with(&policy(), connection, &head, &mut memory()))
}

/// S1.3: the name of an open tunnel in TLS, a guarded one in `Host`.
#[test]
fn the_host_must_be_the_name_that_tls_was_made_for() {
    for (server_name, host, verdict) in [
        (
            "app.t.example.com",
            "app.t.example.com",
            "forward token withheld",
        ),
        (
            "app.t.example.com",
            "APP.t.Example.com.:8443",
            "forward token withheld",
        ),
        (
            "open.t.example.com",
            "app.t.example.com",
            "421 sni_mismatch",
        ),
        (
            "app.t.example.com",
            "open.t.example.com",
            "421 sni_mismatch",
        ),
        ("x.t.example.com", "y.t.example.com", "421 sni_mismatch"),
        ("app.t.example.com", "example.com", "421 sni_mismatch"),
        (
            "app.t.example.com",
            "nobody.example.net",
            "421 sni_mismatch",
        ),
        (
            "nobody.example.net",
            "nobody.example.net",
            "404 host_unknown",
        ),
    ] {
        assert_eq!(
            over_tls(Some(server_name), host, "/"),
            verdict,
            "{server_name} and {host}"
        );
    }
    assert_eq!(
        over_tls(None, "app.t.example.com", "/"),
        "forward token withheld"
    );
    assert_eq!(over_tls(None, "example.com", "/"), "404 host_unknown");
}

#[test]
fn an_exact_name_beats_a_wildcard_of_one_label() {
    let tunnel = |host: &str| match judged(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")) {
        Decision::Forward(permit) => Some(permit.tunnel()),
        Decision::Refuse(refused) => refused.tunnel,
        Decision::NeedsKeys(needs) => needs.otherwise.tunnel,
        Decision::NeedsSignIn(tunnel) | Decision::NeedsChallenge(tunnel) => Some(tunnel),
        Decision::Endpoint(_) => None,
    };
    for (host, expected) in [
        ("app.t.example.com", Some(0)),
        ("APP.T.EXAMPLE.COM.", Some(0)),
        ("app.t.example.com:1", Some(0)),
        ("open.t.example.com", Some(1)),
        ("appx.t.example.com", Some(3)),
        ("a.app.t.example.com", None),
        ("t.example.com", None),
        ("example.com", None),
        ("app.t.example.com.example.net", None),
        ("[::1]", None),
        ("127.0.0.1", None),
    ] {
        assert_eq!(tunnel(host), expected, "{host}");
    }
}

/// Of the base host alone, in one spelling, for who reads; and never through a connection for somebody else (S1.3).
#[test]
fn the_keys_of_assertions_are_a_page_of_the_base_host() {
    let path = crate::policy::ASSERTION_KEYS_PATH;
    let page = "answer AssertionKeys";
    for (server_name, host, path, verdict) in [
        (Some("example.com"), "example.com", path, page),
        (Some("example.com"), "Example.COM.:8443", path, page),
        (None, "example.com", path, page),
        (Some("example.com"), "example.com", "/", "404 host_unknown"),
        (
            Some("app.t.example.com"),
            "example.com",
            path,
            "421 sni_mismatch",
        ),
        (
            Some("example.com"),
            "app.t.example.com",
            path,
            "421 sni_mismatch",
        ),
        (None, "app.t.example.com", path, "404 edge_path_unknown"),
        (None, "t.example.com", path, "404 host_unknown"),
    ] {
        let found = over_tls(server_name, host, path);
        assert_eq!(found, verdict, "{server_name:?} {host} {path}");
    }
    let verdict = |policy: &Policy, method: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: example.com\r\n\r\n");
        word(&judge_with(policy, plain(), &head, &mut memory()))
    };
    for (method, expected) in [
        ("GET", page),
        ("HEAD", page),
        ("POST", "405 edge_page_read_only"),
        ("OPTIONS", "405 edge_page_read_only"),
        ("get", "405 edge_page_read_only"),
    ] {
        assert_eq!(verdict(&policy(), method), expected);
    }
    let silent = Policy {
        shows_assertion_keys: false,
        ..policy()
    };
    for method in ["GET", "POST"] {
        assert_eq!(verdict(&silent, method), "404 host_unknown");
    }
}

/// S1.4.
#[test]
fn paths_of_the_edge_are_its_own_in_every_spelling_and_on_every_tunnel() {
    let guarded = format!("Authorization: Bearer {}\r\n", good());
    let verdict = |host: &str, path: &str| {
        word(&judged(&format!(
            "GET {path} HTTP/1.1\r\nHost: {host}.t.example.com\r\n{guarded}\r\n"
        )))
    };
    for path in [
        "/.well-known/rstream",
        "/.well-known/rstream/",
        "/.well-known/rstream/logout",
        "/.well-known/rstream?x",
        "/.well-known/rstream/../x",
        "/%2ewell-known/rstream/session",
        "/.well-known/%72stream/session",
        "/.well-known%2Frstream/session",
        "/.well-known/rstream%2fsession",
        "/.well-known/acme-challenge",
        "/.well-known/acme-challenge/token",
        "/.well-known/acme%2Dchallenge/token",
    ] {
        for host in ["app", "open"] {
            assert_eq!(
                verdict(host, path),
                "404 edge_path_unknown",
                "{host} {path}"
            );
        }
    }
    for path in [
        "/.well-known/rstreams",
        "/.well-known/rstream-x/session",
        "/.well-known/acme-challenges/x",
        "/.well-known/",
        "/x/.well-known/rstream/session",
        "/?/.well-known/rstream/session",
    ] {
        assert_eq!(verdict("app", path), "forward token withheld", "{path}");
        assert_eq!(verdict("open", path), "forward none withheld", "{path}");
    }
}
