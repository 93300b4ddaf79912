//! Hosts, server names, and paths that belong to the edge.

use super::*;

fn over_tls(server_name: Option<&str>, host: &str, path: &str) -> String {
    let name = server_name.map(|name| CanonicalHost::parse(name.as_bytes()).unwrap());
    let connection = Connection {
        scheme: Scheme::Https,
        server_name: name.as_ref(),
        client: None,
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
        "/.well-known/rstream/session",
        "/.well-known/rstream/session?x=1",
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
