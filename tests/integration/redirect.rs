//! The plain listener sends everybody to https; it judges nothing and forwards nothing.

use crate::support::edge::BASE_HOST;
use crate::support::{Edge, HOST, Response, Tunnel, Upstream};

struct Town {
    edge: Edge,
    upstream: Upstream,
}

fn town(public_port: u16) -> Town {
    let upstream = Upstream::fixed("inside");
    let edge = Edge::setup()
        .https_with(&format!("public_port = {public_port}"))
        .redirect()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tunnel(Tunnel::guarded("*.t.example.test", &upstream))
        .start();
    Town { edge, upstream }
}

impl Town {
    fn ask(&self, line: &str, host: &str) -> Response {
        let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut client = self.edge.client();
        client.send(head);
        if line.starts_with("HEAD") {
            client.response_to_head()
        } else {
            client.response()
        }
    }

    fn location(&self, target: &str, host: &str) -> String {
        let answer = self.ask(&format!("GET {target}"), host);
        assert_eq!(answer.status, 301, "{target} {host}");
        assert_eq!(self.edge.reason(), "redirected");
        answer.field("location").unwrap().to_owned()
    }
}

#[test]
fn the_location_is_absolute_with_the_public_port() {
    let town = town(8443);
    for (target, host, location) in [
        ("/", HOST, "https://app.t.example.test:8443/"),
        (
            "/a%20b/../c?d=%2F&e",
            HOST,
            "https://app.t.example.test:8443/a%20b/../c?d=%2F&e",
        ),
        (
            "/",
            "APP.T.example.test.:80",
            "https://app.t.example.test:8443/",
        ),
        (
            "/x",
            "other.t.example.test:8080",
            "https://other.t.example.test:8443/x",
        ),
        ("/x", BASE_HOST, "https://edge.example.test:8443/x"),
        (
            "//evil.example/x",
            HOST,
            "https://app.t.example.test:8443//evil.example/x",
        ),
        (
            "/\\evil.example",
            HOST,
            "https://app.t.example.test:8443/\\evil.example",
        ),
        (
            "http://app.t.example.test/x",
            HOST,
            "https://app.t.example.test:8443/x",
        ),
        (
            "http://app.t.example.test?x",
            HOST,
            "https://app.t.example.test:8443/?x",
        ),
        (
            "/.well-known/acme-challenge/x",
            HOST,
            "https://app.t.example.test:8443/.well-known/acme-challenge/x",
        ),
    ] {
        assert_eq!(town.location(target, host), location);
    }
    town.upstream.assert_untouched();
}

#[test]
fn port_443_is_not_written() {
    let town = town(443);
    assert_eq!(
        town.location("/x?y", HOST),
        "https://app.t.example.test/x?y"
    );
}

#[test]
fn a_token_does_not_go_along() {
    let town = town(443);
    for (target, left) in [
        ("/?rstream.token=t", "/"),
        ("/x?a&rstream%2Etoken=t&b=%41", "/x?a&b=%41"),
        ("/?rstream.token=t&%72stream.token=u&c", "/?c"),
    ] {
        let answer = town.ask(&format!("GET {target}"), HOST);
        let location = format!("https://app.t.example.test{left}");
        assert_eq!(answer.field("location"), Some(&*location));
        assert_eq!(answer.field("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.field("cache-control"), Some("private, no-store"));
    }
    let answer = town.ask("GET /?rstream.tokens=t", HOST);
    assert_eq!(
        answer.field("location"),
        Some("https://app.t.example.test/?rstream.tokens=t")
    );
}

#[test]
fn the_method_stays_where_it_matters() {
    let town = town(443);
    for (line, status) in [
        ("GET /", 301),
        ("HEAD /", 301),
        ("POST /", 308),
        ("PUT /", 308),
        ("DELETE /", 308),
        ("OPTIONS /", 308),
        ("get /", 308),
    ] {
        let answer = town.ask(line, HOST);
        assert_eq!(answer.status, status, "{line}");
        assert_eq!(
            answer.field("location"),
            Some("https://app.t.example.test/")
        );
    }
    let answer = town.ask("OPTIONS *", HOST);
    assert_eq!(answer.field("location"), Some("https://app.t.example.test"));
    town.upstream.assert_untouched();
}

/// S5.5: an edge that redirected any host would lend its name to everybody.
#[test]
fn unknown_hosts_are_404() {
    let town = town(443);
    for host in [
        "evil.example",
        "a.b.t.example.test",
        "t.example.test",
        "[::1]",
    ] {
        let answer = town.ask("GET /", host);
        assert_eq!(
            (answer.status, answer.field("location")),
            (404, None),
            "{host}"
        );
        assert_eq!(town.edge.reason(), "host_unknown");
    }
}

#[test]
fn a_body_is_not_waited_for_and_a_kept_connection_goes_on() {
    let town = town(443);
    let mut client = town.edge.client();
    for _ in 0..3 {
        let answer = client.ask(format!("GET /x HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
        assert_eq!((answer.status, answer.closes()), (301, false));
    }
    let answer = client.ask(format!(
        "POST /x HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000000\r\n\r\nhalf"
    ));
    assert_eq!((answer.status, answer.closes()), (308, true));
    client.finish();
    client.assert_closed();
    town.upstream.assert_untouched();
}

#[test]
fn a_bad_head_is_no_redirect() {
    let town = town(443);
    for head in [
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET /x y HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.t.example.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let answer = town.edge.client().ask(head);
        assert_eq!(
            (answer.status, answer.field("location")),
            (400, None),
            "{head}"
        );
    }
}
