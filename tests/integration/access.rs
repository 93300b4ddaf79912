//! Access policies (rstream 11): where a client comes from is asked before anything else, and nothing is learned or caused by
//! whoever may not come.
//!
//! 127.0.0.1 is a balancer that says whose connection it is, 127.0.0.2 a proxy that says whose request, 127.0.0.3 neither.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};

use serde_json::json;

use crate::client_address::{from, preamble};
use crate::stage::{bearer, get};
use crate::support::countries::database;
use crate::support::{Client, Edge, HOST, Response, Setup, TlsOptions, Tunnel, Upstream, ok};

mod balancer;
mod reloads;

const PROXY: &str = "127.0.0.2";
const STRANGER: &str = "127.0.0.3";
const TRUST: &str =
    "[client_address]\nproxy_protocol_from = [\"127.0.0.1\"]\nforwarded_from = [\"127.0.0.2\"]";

/// Networks of the documentation, in Germany and in France.
fn german_and_french() -> Vec<u8> {
    database(&[
        ("::192.0.2.0/120", "DE"),
        ("::198.51.100.0/120", "FR"),
        ("2001:db8:1::/48", "DE"),
        ("2001:db8:2::/48", "FR"),
    ])
}

fn setup(tunnels: impl IntoIterator<Item = Tunnel>) -> Setup {
    let setup = Edge::setup().tables(TRUST);
    tunnels.into_iter().fold(setup, Setup::tunnel)
}

fn with_countries(setup: Setup) -> Setup {
    setup
        .file("countries.mmdb", &german_and_french())
        .tables("[geoip]\ndatabase = \"countries.mmdb\"")
}

/// A connection for this client, through the balancer.
fn client(edge: &Edge, address: &str) -> Client {
    let mut client = edge.client();
    client.send(preamble_of(address));
    client
}

fn preamble_of(address: &str) -> Vec<u8> {
    match address.parse() {
        Ok(IpAddr::V4(address)) => from(Ipv4Addr::octets(&address)),
        Ok(IpAddr::V6(address)) => {
            let octets = Ipv6Addr::octets(&address);
            preamble(0x21, 0x21, &[&octets[..], &[0; 20]].concat())
        }
        // The balancer does not say.
        Err(_) => preamble(0x21, 0, b""),
    }
}

/// Status and reason.
fn asked(edge: &Edge, address: &str, request: &str) -> (u16, String) {
    let answer = client(edge, address).ask(request);
    (answer.status, edge.reason())
}

fn is_forbidden(answer: &Response) {
    assert_eq!(answer.status, 403);
    assert_eq!(answer.text(), "{\"error\":\"Forbidden.\"}");
    for field in ["location", "set-cookie", "www-authenticate"] {
        assert_eq!(answer.field(field), None);
    }
}

#[test]
fn case_37_a_good_token_from_elsewhere_is_403() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let tunnel = Tunnel::guarded(HOST, &upstream);
    let edge = setup([tunnel.line("trusted_ips = [\"192.0.2.0/25\", \"2001:db8::/32\"]")]).start();
    let request = get("/", &bearer(&edge.token(|_| ())));
    for outside in [
        "192.0.2.128",
        "192.0.1.255",
        "::ffff:192.0.2.128",
        "2001:db9::1",
        "::192.0.2.1",
    ] {
        is_forbidden(&client(&edge, outside).ask(&request));
        assert_eq!(edge.reason(), "address_not_trusted", "{outside}");
    }
    is_forbidden(&client(&edge, "unknown").ask(&request));
    assert_eq!(edge.reason(), "address_unknown");
    upstream.assert_untouched();
    for inside in [
        "192.0.2.0",
        "192.0.2.127",
        "::ffff:192.0.2.1",
        "2001:db8:ffff::1",
    ] {
        let good = (200, "forwarded".to_owned());
        assert_eq!(asked(&edge, inside, &request), good, "{inside}");
    }
    // Inside, the token is still asked for.
    let missing = (401, "token_missing".to_owned());
    assert_eq!(asked(&edge, "192.0.2.0", &get("/", "")), missing);
}

/// Who is refused has caused no connection to an upstream, whatever else the request has.
#[test]
fn case_38_whoever_is_refused_opens_no_connection_to_the_upstream() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let near = "trusted_ips = [\"192.0.2.0/24\"]";
    let hosts = ["guarded", "open", "signed"].map(|name| format!("{name}.t.example.test"));
    let [guarded, open, signed] = &hosts;
    let tables = "[sign_in]\nseal_key_file = \"seal\"\n[[sign_in.user]]\nname = \"ana\"\nprojects = [\"proj-1\"]\n\
         password_hash = \"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc\"\n[challenge]";
    let browsers = Tunnel::to(signed, &upstream.url())
        .line("rstream_auth = true\nchallenge_mode = true\nallowed_origins = [\"https://admin.example.test\"]");
    let edge = setup([
        Tunnel::guarded(guarded, &upstream).line(near),
        Tunnel::public(open, &upstream).line(near),
        browsers.line(near),
    ])
    .https()
    .file("seal", "a key of the tests that everything is sealed with")
    .tables(tables)
    .start();
    let good = bearer(&edge.token(|_| ()));
    let forged = bearer("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl");
    let expired = bearer(&edge.token(|claims| {
        claims.insert("exp".to_owned(), 1.into());
    }));
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let preflight = "Origin: https://admin.example.test\r\nAccess-Control-Request-Method: PUT\r\n";
    for host in &hosts {
        for (line, fields) in [
            ("GET /", ""),
            ("GET /", &*good),
            ("GET /", &forged),
            ("GET /", &expired),
            ("GET /?rstream.token=x", ""),
            (
                "GET /",
                "Cookie: __Host-rstream_auth=x; __Host-rstream_challenge=y\r\n",
            ),
            ("GET /", upgrade),
            ("OPTIONS /", preflight),
            ("POST /", "Content-Length: 4\r\n\r\nbody"),
            ("POST /", "Expect: 100-continue\r\nContent-Length: 4\r\n"),
            ("GET /.well-known/rstream/session", ""),
            ("POST /.well-known/rstream/logout", ""),
            ("GET /api/auth/callback?code=x", ""),
            ("GET /api/challenge/callback?code=x", ""),
        ] {
            let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
            let mut socket = TcpStream::connect(edge.https()).unwrap();
            socket.write_all(&preamble_of("198.51.100.1")).unwrap();
            let mut outside = edge.tls_client_on(socket, &TlsOptions::new(host)).unwrap();
            is_forbidden(&outside.ask(&request));
            assert_eq!(edge.reason(), "address_not_trusted", "{request}");
        }
    }
    // The other ways to be refused, from inside.
    for (host, target, fields, refused) in [
        (guarded, "/", "", (401, "token_missing")),
        (guarded, "/", &*forged, (401, "token_signature")),
        (guarded, "/", &expired, (401, "token_expired")),
        (
            guarded,
            "/.well-known/acme-challenge/x",
            &good,
            (404, "edge_path_unknown"),
        ),
        (
            &"nobody.t.example.test".to_owned(),
            "/",
            &good,
            (404, "host_unknown"),
        ),
        (
            open,
            "/",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            (400, "length_and_coding"),
        ),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        let (status, reason) = asked(&edge, "192.0.2.1", &request);
        assert_eq!((status, reason.as_str()), refused, "{request}");
    }
    upstream.assert_untouched();
}

/// The address is that of S7: a proxy speaks for each request, and a stranger's word counts for nothing.
#[test]
fn the_client_is_who_trusted_proxies_say_and_nobody_else() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let tunnel = Tunnel::public(HOST, &upstream);
    let lists = "trusted_ips = [\"192.0.2.0/24\", \"127.0.0.3\"]";
    let edge = setup([tunnel.line(lists)]).start();
    let spoken = |address: &str| get("/", &format!("X-Forwarded-For: {address}\r\n"));
    let mut proxied = Client::from(PROXY, edge.http());
    for (address, status, reason) in [
        ("192.0.2.1", 200, "forwarded"),
        ("198.51.100.1", 403, "address_not_trusted"),
        ("192.0.2.1, 198.51.100.1", 403, "address_not_trusted"),
        ("198.51.100.1, 192.0.2.1", 200, "forwarded"),
        ("::ffff:192.0.2.1", 200, "forwarded"),
        ("192.0.2.1, rubbish", 403, "address_unknown"),
        ("192.0.2.1", 200, "forwarded"),
    ] {
        assert_eq!(proxied.ask(spoken(address)).status, status, "{address}");
        assert_eq!(edge.reason(), reason, "{address}");
    }
    // The proxy itself is not in the list.
    assert_eq!(proxied.ask(get("/", "")).status, 403);
    assert_eq!(edge.reason(), "address_not_trusted");
    let mut stranger = Client::from("127.0.0.4", edge.http());
    assert_eq!(stranger.ask(spoken("192.0.2.1")).status, 403);
    assert_eq!(edge.reason(), "address_not_trusted");
    let mut listed = Client::from(STRANGER, edge.http());
    assert_eq!(listed.ask(spoken("198.51.100.1")).status, 200);
    assert_eq!(edge.reason(), "forwarded");
}

#[test]
fn a_country_is_looked_up_for_the_client_behind_the_proxies() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let near = "near.t.example.test";
    let edge = with_countries(setup([
        Tunnel::guarded(HOST, &upstream).line("geoip = [\"DE\"]"),
        Tunnel::public(near, &upstream)
            .line("geoip = [\"DE\"]\ntrusted_ips = [\"192.0.2.0/25\", \"198.51.100.0/24\"]"),
    ]))
    .start();
    let token = bearer(&edge.token(|_| ()));
    let request = get("/", &token);
    for (address, status, reason) in [
        ("192.0.2.1", 200, "forwarded"),
        ("::ffff:192.0.2.1", 200, "forwarded"),
        ("2001:db8:1::1", 200, "forwarded"),
        ("198.51.100.1", 403, "country_not_allowed"),
        ("2001:db8:2::1", 403, "country_not_allowed"),
        ("203.0.113.1", 403, "country_unknown"),
        ("2001:db8:3::1", 403, "country_unknown"),
        ("unknown", 403, "address_unknown"),
    ] {
        let verdict = asked(&edge, address, &request);
        assert_eq!(verdict, (status, reason.to_owned()), "{address}");
        let mut proxied = Client::from(PROXY, edge.http());
        let spoken = get("/", &format!("X-Forwarded-For: {address}\r\n{token}"));
        assert_eq!(proxied.ask(spoken).status, status, "{address}");
        assert_eq!(edge.reason(), reason, "{address}");
    }
    // The address is asked for before the country.
    let request = format!("GET / HTTP/1.1\r\nHost: {near}\r\n\r\n");
    for (address, status, reason) in [
        ("192.0.2.1", 200, "forwarded"),
        ("192.0.2.200", 403, "address_not_trusted"),
        ("198.51.100.1", 403, "country_not_allowed"),
    ] {
        let verdict = asked(&edge, address, &request);
        assert_eq!(verdict, (status, reason.to_owned()), "{address}");
    }
}

/// A project bounds its tunnels: what is in one list alone may not come.
#[test]
fn both_the_project_and_the_tunnel_must_let_a_client_come() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let own = "own.t.example.test";
    let edge = with_countries(setup([
        Tunnel::public(HOST, &upstream),
        Tunnel::public(own, &upstream).line(
            "trusted_ips = [\"192.0.2.128/25\", \"203.0.113.0/24\"]\ngeoip = [\"DE\", \"FR\"]",
        ),
    ]))
    .project("trusted_ips = [\"192.0.2.0/24\", \"198.51.100.0/24\"]\ngeoip = [\"DE\"]")
    .start();
    let to = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for (host, address, status, reason) in [
        (HOST, "192.0.2.1", 200, "forwarded"),
        (HOST, "198.51.100.1", 403, "country_not_allowed"),
        (HOST, "203.0.113.1", 403, "address_not_trusted"),
        (own, "192.0.2.129", 200, "forwarded"),
        (own, "192.0.2.1", 403, "address_not_trusted"),
        (own, "203.0.113.1", 403, "address_not_trusted"),
        (own, "198.51.100.1", 403, "address_not_trusted"),
    ] {
        let verdict = asked(&edge, address, &to(host));
        assert_eq!(verdict, (status, reason.to_owned()), "{host} {address}");
    }
}

/// The boundary of a token sees what holds for the tunnel, its project's part included.
#[test]
fn filters_of_tokens_see_the_lists_that_hold() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let tunnel = Tunnel::guarded(HOST, &upstream);
    let edge = with_countries(setup([
        tunnel.line("trusted_ips = [\"192.0.2.0/25\", \"10.0.0.0/7\"]")
    ]))
    .project("trusted_ips = [\"10.0.0.0/8\", \"192.0.2.0/24\"]\ngeoip = [\"DE\"]")
    .start();
    for (filters, status) in [
        (
            json!({ "trusted_ips": ["192.0.2.0/25", "10.0.0.0/8"] }),
            200,
        ),
        (
            json!({ "trusted_ips": ["192.0.2.0/25", "10.0.0.0/7"] }),
            403,
        ),
        (json!({ "geo_ip": ["DE"] }), 200),
        (json!({ "geo_ip": ["FR"] }), 403),
    ] {
        let token = edge.token(|claims| {
            let connect = json!({ "filters": filters });
            let scopes = json!({ "scopes": { "tunnels": { "connect": connect } } });
            claims.insert("resources".to_owned(), json!({ "tunnels": scopes }));
        });
        let verdict = asked(&edge, "192.0.2.1", &get("/", &bearer(&token)));
        assert_eq!(verdict.0, status, "{filters} {verdict:?}");
    }
}
