//! The lane of the network (rstream 11): where a client comes from, before every proof and every page, with a naive reading
//! that must agree; and the TLS minimum of a name (S1.3).

use std::fmt::Write;

use super::browser::policy_of_browsers;
use super::table::{LANES, Lane, PATHS};
use super::*;
use crate::network::addresses::AddressSet;
use crate::network::countries::Countries;
use crate::network::countries::tests::sample;
use crate::network::country::Country;

/// What a tunnel asks of where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lists {
    None,
    /// 192.0.2.0/25 and 2001:db8::/32.
    Addresses,
    /// DE.
    Countries,
    Both,
    /// DE, and nobody knows which country an address is in.
    Blind,
}

const LISTS: [Lists; 5] = [
    Lists::None,
    Lists::Addresses,
    Lists::Countries,
    Lists::Both,
    Lists::Blind,
];

/// Clients: trusted or not, in DE, in FR, or nowhere. One says what nobody can read.
const CLIENTS: [&str; 8] = [
    "192.0.2.1",
    "::ffff:192.0.2.1",
    "192.0.2.65",
    "192.0.2.33",
    "192.0.2.129",
    "192.0.2.193",
    "2001:db8::1",
    "unknown",
];

fn countries() -> Countries {
    let bytes = sample(&[
        ("::192.0.2.0/123", "DE"),
        ("::192.0.2.64/122", "FR"),
        ("::192.0.2.128/122", "DE"),
        ("::192.0.2.192/122", "FR"),
        ("2001:db8::/32", "DE"),
    ]);
    Countries::read(&bytes).unwrap()
}

fn bounded_by(policy: Policy, lists: Lists) -> Policy {
    let mut policy = policy;
    let networks = ["192.0.2.0/25", "2001:db8::/32"].map(|text| text.parse().unwrap());
    let german = Country::parse("DE").unwrap();
    let by_address = matches!(lists, Lists::Addresses | Lists::Both);
    let by_country = matches!(lists, Lists::Countries | Lists::Both | Lists::Blind);
    for tunnel in Arc::get_mut(&mut policy.tunnels).unwrap() {
        tunnel.network = NetworkPolicy {
            trusted: by_address.then(|| Arc::new(AddressSet::new(&networks))),
            countries: by_country.then(|| [german].into_iter().collect()),
        };
    }
    policy.countries = (lists != Lists::Blind).then(|| countries().into());
    policy
}

/// Judged for this client; an explanation comes to the same.
fn judged_from(policy: &Policy, client: &str, head: &str) -> String {
    let connection = Connection::plain(client.parse().ok());
    // A trusted proxy says what nobody can read.
    let (line, rest) = head.split_once("\r\n").unwrap();
    let head = match connection.client {
        Some(_) => head.to_owned(),
        None => format!("{line}\r\nX-Forwarded-For: unknown\r\n{rest}"),
    };
    word(&judge_with(policy, connection, &head, &mut memory()))
}

/// The rules once more: `None` where the request is judged as if there were no lists.
fn naive(lists: Lists, client: &str) -> Option<&'static str> {
    if lists == Lists::None {
        return None;
    }
    let (trusted, country) = match client {
        "192.0.2.1" | "::ffff:192.0.2.1" | "2001:db8::1" => (true, "DE"),
        "192.0.2.33" => (true, ""),
        "192.0.2.65" => (true, "FR"),
        "192.0.2.129" => (false, "DE"),
        "192.0.2.193" => (false, "FR"),
        _ => return Some("403 address_unknown"),
    };
    if matches!(lists, Lists::Addresses | Lists::Both) && !trusted {
        return Some("403 address_not_trusted");
    }
    match (lists, country) {
        (Lists::None | Lists::Addresses, _) => None,
        (Lists::Blind, _) | (_, "") => Some("403 country_unknown"),
        (_, "DE") => None,
        _ => Some("403 country_not_allowed"),
    }
}

/// Everything that can be asked of a tunnel, and what comes of it without lists.
fn heads() -> Vec<String> {
    let mut heads = Vec::new();
    for host in ["app", "open", "other", "own"] {
        for path in PATHS
            .into_iter()
            .chain(["/.well-known/rstream/session", "/.well-known/x"])
        {
            for bearer in LANES {
                for query in [Lane::Absent, Lane::Good, Lane::Forged] {
                    heads.push(format!(
                        "GET {path}{} HTTP/1.1\r\nHost: {host}.t.example.com\r\n{}\r\n",
                        query.query(),
                        bearer.authorization()
                    ));
                }
            }
        }
    }
    heads.push(
        "OPTIONS / HTTP/1.1\r\nHost: app.t.example.com\r\nOrigin: https://admin.example.com\r\nAccess-Control-Request-Method: PUT\r\n\r\n"
            .to_owned(),
    );
    heads
}

/// What browsers ask for: they are sent nowhere before the network says yes.
fn heads_of_browsers() -> Vec<String> {
    let mut heads = Vec::new();
    for host in ["sess", "chal", "both", "toksess", "tokchal", "all"] {
        for (method, path) in [
            ("GET", "/"),
            ("POST", "/"),
            ("GET", "/api/auth/callback?code=x"),
            ("GET", "/api/challenge/callback?code=x"),
            ("GET", "/.well-known/rstream/session"),
            ("POST", "/.well-known/rstream/logout"),
        ] {
            heads.push(format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}.t.example.com\r\n\r\n"
            ));
        }
    }
    heads
}

#[test]
fn a_naive_reading_agrees_with_every_row_of_the_lane_of_the_network() {
    let policies: [fn() -> Policy; 2] = [policy, policy_of_browsers];
    for (policy, heads) in policies.into_iter().zip([heads(), heads_of_browsers()]) {
        let open = bounded_by(policy(), Lists::None);
        for lists in LISTS {
            let policy = bounded_by(policy(), lists);
            for client in CLIENTS {
                for head in &heads {
                    let live = judged_from(&policy, client, head);
                    let expected = match naive(lists, client) {
                        Some(refusal) => refusal.to_owned(),
                        None => judged_from(&open, client, head),
                    };
                    assert_eq!(live, expected, "{lists:?} {client} {head}");
                }
            }
        }
    }
}

pub(super) fn write_table(table: &mut String) {
    writeln!(
        table,
        "# Before all of these, and before every page of the edge on a tunnel: where the client comes from.\n\
         # lists      client           in            verdict"
    )
    .unwrap();
    let head = "GET / HTTP/1.1\r\nHost: open.t.example.com\r\n\r\n";
    for lists in LISTS {
        let policy = bounded_by(policy(), lists);
        for client in CLIENTS {
            let found = client
                .parse()
                .ok()
                .and_then(|client| countries().find(client));
            let country = found.map_or("no country", |_| "");
            let country = found.as_ref().map_or(country, Country::as_str);
            let verdict = judged_from(&policy, client, head);
            let verdict = if verdict.starts_with("forward") {
                "as without lists"
            } else {
                &verdict
            };
            let lists = format!("{lists:?}").to_lowercase();
            writeln!(table, "{lists:<12} {client:<16} {country:<13} {verdict}").unwrap();
        }
    }
}

/// No token is looked at, so none of them counts as a failure, and nobody learns whether one is good.
#[test]
fn nothing_is_verified_for_whoever_may_not_come() {
    let policy = Policy {
        failed_verifications_per_second: 1,
        ..bounded_by(policy(), Lists::Addresses)
    };
    let mut memory = memory();
    let head = |bearer: Lane| {
        format!(
            "GET / HTTP/1.1\r\nHost: app.t.example.com\r\n{}\r\n",
            bearer.authorization()
        )
    };
    for bearer in [Lane::Forged, Lane::Good].into_iter().cycle().take(64) {
        let outside = Connection::plain("192.0.2.129".parse().ok());
        let decision = judge_with(&policy, outside, &head(bearer), &mut memory);
        assert_eq!(word(&decision), "403 address_not_trusted");
    }
    assert_eq!((memory.tokens.hits(), memory.tokens.misses()), (0, 0));
    assert_eq!(memory.tokens.len(), 0);
    let inside = Connection::plain("192.0.2.1".parse().ok());
    let decision = judge_with(&policy, inside, &head(Lane::Good), &mut memory);
    assert_eq!(word(&decision), "forward token withheld");
}

/// The base host belongs to no tunnel.
#[test]
fn the_base_host_has_no_lists() {
    let policy = bounded_by(policy(), Lists::Both);
    let path = crate::policy::ASSERTION_KEYS_PATH;
    let head = format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert_eq!(
        judged_from(&policy, "192.0.2.193", &head),
        "answer AssertionKeys"
    );
    let unknown = "GET / HTTP/1.1\r\nHost: nobody.example.net\r\n\r\n";
    assert_eq!(
        judged_from(&policy, "192.0.2.193", unknown),
        "404 host_unknown"
    );
}

const OPEN: &str = "GET / HTTP/1.1\r\nHost: open.t.example.com\r\n\r\n";

/// Judged on a connection that was made for this name, by a rule that asked for TLS 1.3 or did not.
fn over_tls(policy: &Policy, server_name: Option<&CanonicalHost>, tls13_only: bool) -> String {
    let connection = Connection {
        scheme: Scheme::Https,
        server_name,
        client: None,
        handshake: Handshake {
            tls13_only,
            ..Handshake::default()
        },
        certificate: None,
    };
    let mut parsed = RequestHead::new();
    parsed.parse(OPEN.as_bytes(), &LIMITS).unwrap();
    let facts = Facts {
        connection,
        request: Request {
            bytes: OPEN.as_bytes(),
            head: &parsed,
        },
        ended: &NOBODY,
    };
    word(&decide(policy, &facts, now(), &mut memory()))
}

/// Listener and tunnel ask for TLS 1.3 or not; so did the handshake; and the client named the tunnel or nobody.
#[test]
fn a_tls_minimum_is_a_matter_of_the_handshake() {
    let host = CanonicalHost::parse(b"open.t.example.com").unwrap();
    for (listener, tunnel) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut policy = policy();
        policy.tls13_only = listener;
        Arc::get_mut(&mut policy.tunnels).unwrap()[1].tls13_only = tunnel;
        let wanted = listener || tunnel;
        assert_eq!(policy.handshake(Some(&host)).tls13_only, wanted);
        assert_eq!(policy.handshake(None).tls13_only, listener);
        let case = format!("listener {listener}, tunnel {tunnel}");
        for made in [false, true] {
            let named = match made == wanted {
                true => "forward none kept",
                false => "421 handshake_outdated",
            };
            assert_eq!(
                over_tls(&policy, Some(&host), made),
                named,
                "{case}, {made}"
            );
            let nameless = match (tunnel, made == listener) {
                (true, _) => "421 sni_mismatch",
                (false, true) => "forward none kept",
                (false, false) => "421 handshake_outdated",
            };
            assert_eq!(over_tls(&policy, None, made), nameless, "{case}, {made}");
        }
        let in_the_clear = judge_with(&policy, plain(), OPEN, &mut memory());
        let expected = match tunnel {
            true => "421 sni_mismatch",
            false => "forward none kept",
        };
        assert_eq!(word(&in_the_clear), expected, "{case}");
    }
}
