//! Which tunnel a request belongs to, and what belongs to none.

use std::sync::Arc;

use crate::support::edge::BASE_HOST;
use crate::support::{Client, Edge, Response, TlsOptions, Tunnel, Upstream, ok};

/// Answers with the name it was given; the upstream's fields stay visible in `next_request`.
fn named(name: &'static str) -> Upstream {
    Upstream::serving(move |_| ok(name))
}

fn ask(client: &mut Client, host: &str) -> Response {
    client.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))
}

struct Town {
    edge: Edge,
    exact: Upstream,
    wildcard: Upstream,
    guarded: Upstream,
}

fn town() -> Town {
    let (exact, wildcard, guarded) = (named("exact"), named("wildcard"), named("guarded"));
    let edge = Edge::setup()
        .https()
        .certificate(&["*.x.t.example.test"])
        .tunnel(Tunnel::public("*.t.example.test", &wildcard))
        .tunnel(Tunnel::public("app.t.example.test", &exact))
        .tunnel(Tunnel::guarded("guarded.t.example.test", &guarded))
        .start();
    Town {
        edge,
        exact,
        wildcard,
        guarded,
    }
}

#[test]
fn exact_before_wildcard_whatever_case_dot_and_port() {
    let town = town();
    let mut client = town.edge.client();
    for (host, name, forwarded) in [
        ("app.t.example.test", "exact", "app.t.example.test"),
        ("APP.T.EXAMPLE.TEST", "exact", "app.t.example.test"),
        ("app.t.example.test.", "exact", "app.t.example.test"),
        ("app.t.example.test:1", "exact", "app.t.example.test:1"),
        (
            "App.T.Example.Test.:65535",
            "exact",
            "app.t.example.test:65535",
        ),
        ("other.t.example.test", "wildcard", "other.t.example.test"),
        ("appx.t.example.test", "wildcard", "appx.t.example.test"),
        ("-.t.example.test", "wildcard", "-.t.example.test"),
    ] {
        let answer = ask(&mut client, host);
        assert_eq!((answer.status, answer.text()), (200, name), "{host}");
        let upstream = if name == "exact" {
            &town.exact
        } else {
            &town.wildcard
        };
        let recorded = upstream.next_request();
        assert_eq!(recorded.field("host"), Some(forwarded));
        assert_eq!(
            recorded.field("x-forwarded-host"),
            forwarded.split(':').next()
        );
        let line = town.edge.log_line();
        assert_eq!(line["reason"], "forwarded");
    }
}

#[test]
fn unknown_hosts_and_the_base_host_are_404() {
    let town = town();
    let mut client = town.edge.client();
    for host in [
        BASE_HOST,
        "EDGE.example.test.",
        "a.app.t.example.test",
        "a.b.t.example.test",
        "t.example.test",
        "example.test",
        "app.t.example.test.evil.example",
        "127.0.0.1",
        "[::1]",
        "localhost",
    ] {
        let answer = ask(&mut client, host);
        assert_eq!(answer.status, 404, "{host}");
        assert_eq!(answer.text(), "{\"error\":\"Not Found.\"}");
        assert_eq!(town.edge.reason(), "host_unknown");
    }
    assert_eq!(ask(&mut client, "app.t.example.test").status, 200);
    town.wildcard.assert_untouched();
    town.guarded.assert_untouched();
}

#[test]
fn what_is_no_host_is_400() {
    let town = town();
    for lines in [
        "",
        "Host:\r\n",
        "Host: app.t.example.test,evil.example\r\n",
        "Host: app.t.example.test/x\r\n",
        "Host: user@app.t.example.test\r\n",
        "Host: app.t.example.test:\r\n",
        "Host: app.t.example.test:99999\r\n",
        "Host: app..t.example.test\r\n",
        "Host: %61pp.t.example.test\r\n",
        "Host: app.t.example.test\r\nHost: app.t.example.test\r\n",
    ] {
        let answer = town
            .edge
            .client()
            .ask(format!("GET / HTTP/1.1\r\n{lines}\r\n"));
        assert_eq!(answer.status, 400, "{lines:?}");
        assert!(answer.closes());
    }
    let other = "GET http://guarded.t.example.test/ HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n";
    assert_eq!(town.edge.client().ask(other).status, 400);
    let same = "GET http://APP.t.example.test./x?y HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n";
    town.guarded.assert_untouched();
    town.exact.assert_untouched();
    assert_eq!(town.edge.client().ask(same).status, 200);
    assert_eq!(town.exact.next_request().line(), "GET /x?y HTTP/1.1");
}

/// S1.3: in by the name of an open tunnel, on to a guarded one.
#[test]
fn the_host_must_be_the_server_name_of_tls() {
    let town = town();
    for (server_name, host) in [
        ("app.t.example.test", "guarded.t.example.test"),
        ("app.t.example.test", "other.t.example.test"),
        ("other.t.example.test", "app.t.example.test"),
        ("app.t.example.test", BASE_HOST),
        ("app.t.example.test", "unknown.example"),
        (BASE_HOST, "app.t.example.test"),
    ] {
        let mut client = town.edge.tls_client(server_name);
        let answer = ask(&mut client, host);
        assert_eq!(answer.status, 421, "{server_name} {host}");
        assert_eq!(answer.text(), "{\"error\":\"Misdirected Request.\"}");
        assert_eq!(town.edge.reason(), "sni_mismatch");
        // The connection itself is still good for its own name.
        let own = ask(&mut client, &format!("{}.:1", server_name.to_uppercase()));
        let expected = if server_name == BASE_HOST { 404 } else { 200 };
        assert_eq!(own.status, expected, "{server_name}");
        town.edge.log_line();
    }
    town.guarded.assert_untouched();
}

/// RFC 9110 7.4: whoever wrote https did not mean to be served in the clear.
#[test]
fn a_target_with_https_needs_tls() {
    let town = town();
    let host = "app.t.example.test";
    let request = |scheme: &str| format!("GET {scheme}://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut client = town.edge.client();
    let answer = client.ask(request("https"));
    assert_eq!((answer.status, answer.closes()), (421, false));
    assert_eq!(town.edge.reason(), "scheme_mismatch");
    assert_eq!(client.ask(request("http")).text(), "exact");
    let mut client = town.edge.tls_client(host);
    for scheme in ["https", "HTTPS", "http"] {
        assert_eq!(client.ask(request(scheme)).text(), "exact", "{scheme}");
    }
}

#[test]
fn without_a_server_name_every_tunnel_is_reached_and_guarded() {
    let town = town();
    let options = TlsOptions::without_server_name("app.t.example.test");
    let mut client = town.edge.tls_client_with(&options).unwrap();
    assert_eq!(ask(&mut client, "app.t.example.test").text(), "exact");
    assert_eq!(ask(&mut client, "other.t.example.test").text(), "wildcard");
    assert_eq!(ask(&mut client, "guarded.t.example.test").status, 401);
    assert_eq!(ask(&mut client, BASE_HOST).status, 404);
    town.guarded.assert_untouched();
}

/// A certificate for more names than there are tunnels.
#[test]
fn a_name_with_a_certificate_and_no_tunnel_is_404_after_the_handshake() {
    let town = town();
    let mut client = town.edge.tls_client("a.x.t.example.test");
    assert_eq!(ask(&mut client, "a.x.t.example.test").status, 404);
    assert_eq!(town.edge.reason(), "host_unknown");
}

/// S1.4.
#[test]
fn paths_of_the_edge_never_reach_an_upstream() {
    let town = town();
    let edge = Arc::new(&town.edge);
    for host in ["app.t.example.test", "guarded.t.example.test"] {
        for path in [
            "/.well-known/rstream/session/",
            "/.well-known/rstream/",
            "/.well-known/rstream",
            "/.well-known/rstream?x=/",
            "/.well-known/%72stream/logout",
            "/%2ewell-known/rstream/x",
            "/%2E%77%65%6C%6C-known%2Frstream%2fx",
            "/.well-known/rstream/%2e%2e/%2e%2e/x",
            "/.well-known/acme-challenge/token",
            "/.well-known/acme-challenge",
            "/.well-known/acme%2dchallenge/x",
        ] {
            for method in ["GET", "POST", "HEAD", "BREW"] {
                let mut client = edge.client();
                client.send(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
                let status = match method {
                    "HEAD" => client.response_to_head().status,
                    _ => client.response().status,
                };
                assert_eq!(status, 404, "{method} {host}{path}");
                assert_eq!(edge.reason(), "edge_path_unknown");
            }
        }
    }
    town.exact.assert_untouched();
    town.guarded.assert_untouched();
    for path in [
        "/.well-known/rstreams/x",
        "/.well-known/security.txt",
        "/x/.well-known/rstream/x",
    ] {
        let mut client = edge.client();
        let answer = client.ask(format!(
            "GET {path} HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n"
        ));
        assert_eq!(answer.status, 200, "{path}");
    }
}
