//! A request without a good token gets no further; each case beside the one that does.
//!
//! The conformance cases of a tunnel that asks for tokens, by their numbers; each is in the name of its test, `case_01` to
//! `case_19`, together with its twin one step outside.
//!
//! | Case | A request with | Answer | Where |
//! |---|---|---|---|
//! | 01 | no token | 401 | here |
//! | 02 | a good bearer | goes through, without it | here |
//! | 03, 04 | a good parameter, alone and between others | goes through, the others byte by byte | here |
//! | 05 | the application's bearer and a good parameter | goes through with that bearer where `authorization = "app"`; else 401 (S4.1) | here |
//! | 06 | the application's bearer alone | 401 | here |
//! | 07 | a good parameter twice | 401 | here |
//! | 08 | an expired bearer and a good parameter | 401 | here |
//! | 09 | `Basic` and a good parameter | goes through with `Basic` | here |
//! | 10 | a token that has expired a second ago | 401 | here |
//! | 11 | no permissions | 403 | here |
//! | 12 | a boundary of another project; a credential of another project | 403 | here, `credentials.rs` |
//! | 13, 14 | a rule for one path, and for a pattern | by the path, 403 where it can be read twice | here |
//! | 15 | a boundary for lists only | 403 | here |
//! | 16 | `AND` of two projects | 403 | here |
//! | 17 | one branch's path in another's project | 403 | here |
//! | 18 | `alg` none, an application's token under HS256 or another application's key | 401 | here, `credentials.rs` |
//! | 19 | a personal token that was taken back or is unknown | 401 | here, `credentials.rs` |

use std::time::Duration;

use serde_json::json;

use crate::stage::{Stage, bearer, get, path_rule, target};
use crate::support::edge::SECRET;
use crate::support::{Client, Edge, HOST, Response, Tunnel, Upstream, sign};

const PLAIN: &str = "Bearer realm=\"rstream\"";
const INVALID: &str = "Bearer realm=\"rstream\", error=\"invalid_token\"";

fn challenge(answer: &Response) -> &str {
    answer.field("www-authenticate").unwrap()
}

#[test]
fn case_01_no_token_is_401_and_case_02_a_bearer_goes_through_and_stays_here() {
    let stage = Stage::guarded();
    let answer = stage.refuses("/", "", 401, "token_missing");
    assert_eq!(challenge(&answer), PLAIN);
    let recorded = stage.forwards("/", &bearer(&stage.edge.token(|_| ())));
    assert_eq!(recorded.field("authorization"), None);
    assert_eq!(target(&recorded), "/");
}

#[test]
fn case_03_and_case_04_a_parameter_goes_through_without_itself_and_the_rest_keeps_its_bytes() {
    let stage = Stage::guarded();
    let token = stage.edge.token(|_| ());
    for (before, after, left) in [
        ("/?", "", "/"),
        ("/?a=%7e&&b+c&", "&=&%zz", "/?a=%7e&&b+c&=&%zz"),
        ("/x?", "&a", "/x?a"),
        ("/x?a&", "", "/x?a"),
        ("/%41?", "&", "/%41?"),
    ] {
        let recorded = stage.forwards(&format!("{before}rstream.token={token}{after}"), "");
        assert_eq!(target(&recorded), left);
        assert_eq!(recorded.field("authorization"), None);
        stage.refuses(
            &format!("{before}rstream.token={token}x{after}"),
            "",
            401,
            "token_signature",
        );
    }
}

#[test]
fn a_parameter_counts_in_every_spelling_of_its_name() {
    let stage = Stage::guarded();
    let token = stage.edge.token(|_| ());
    let encoded: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for query in [
        format!("rstream%2etoken={token}"),
        format!("rstream%2Etoken={token}"),
        format!("%72%73%74%72%65%61%6d%2e%74%6f%6b%65%6e={token}"),
        format!("rstream.token={encoded}"),
    ] {
        assert_eq!(target(&stage.forwards(&format!("/?{query}&a"), "")), "/?a");
    }
    for query in [
        format!("Rstream.token={token}"),
        format!("rstream_token={token}"),
        format!("rstream%252etoken={token}"),
        format!("a;rstream.token={token}"),
        format!("?rstream.token={token}"),
    ] {
        stage.refuses(&format!("/?{query}"), "", 401, "token_missing");
    }
}

/// S4.1, which replaces case 5; with cases 6 and 8.
#[test]
fn case_06_and_case_08_where_there_is_a_bearer_it_alone_counts() {
    let stage = Stage::guarded();
    let good = stage.edge.token(|_| ());
    let expired = stage.edge.token(|claims| {
        claims.insert("exp".into(), 1_000_000_000.into());
    });
    let both = format!("/?rstream.token={good}");
    for (line, reason) in [
        ("Bearer application-token", "token_malformed"),
        (&*format!("Bearer {expired}"), "token_expired"),
        ("Bearer", "bearer_malformed"),
        ("bearer a b", "bearer_malformed"),
    ] {
        for path in ["/", &*both] {
            let answer = stage.refuses(path, &format!("Authorization: {line}\r\n"), 401, reason);
            assert_eq!(challenge(&answer), INVALID);
        }
    }
    // A good one is not spoilt by what nobody reads.
    let recorded = stage.forwards("/?rstream.token=bad&a", &bearer(&good));
    assert_eq!(
        (target(&recorded), recorded.field("authorization")),
        ("/?a", None)
    );
    assert_eq!(target(&stage.forwards(&both, "")), "/");
}

#[test]
fn case_07_a_parameter_twice_is_401_though_both_are_good() {
    let stage = Stage::guarded();
    let token = stage.edge.token(|_| ());
    for query in [
        format!("rstream.token={token}&rstream.token={token}"),
        format!("rstream.token={token}&a&rstream%2Etoken={token}"),
        format!("rstream.token={token}&rstream.token"),
    ] {
        for lines in ["", &*bearer(&token)] {
            let path = format!("/?{query}");
            let answer = stage.refuses(&path, lines, 401, "several_query_tokens");
            assert_eq!(challenge(&answer), INVALID);
        }
    }
    stage.forwards(&format!("/?rstream.token={token}"), "");
}

#[test]
fn several_authorization_lines_are_401_though_both_are_good() {
    let stage = Stage::guarded();
    let good = bearer(&stage.edge.token(|_| ()));
    for lines in [
        format!("{good}{good}"),
        format!("{good}authorization: Basic YTpi\r\n"),
        format!("Authorization: Basic YTpi\r\n{good}"),
    ] {
        stage.refuses("/", &lines, 401, "several_authorizations");
    }
    stage.forwards("/", &good);
}

#[test]
fn case_09_basic_beside_a_parameter_is_the_applications() {
    let stage = Stage::guarded();
    let token = stage.edge.token(|_| ());
    let basic = "Authorization: Basic YTpi\r\n";
    let recorded = stage.forwards(&format!("/?rstream.token={token}"), basic);
    assert_eq!(recorded.field("authorization"), Some("Basic YTpi"));
    let answer = stage.refuses("/", basic, 401, "token_missing");
    assert_eq!(challenge(&answer), PLAIN);
    stage.refuses("/?rstream.token=", basic, 401, "query_token_malformed");
}

#[test]
fn case_10_expiry_has_no_leeway_and_ends_a_kept_connection_too() {
    let stage = Stage::guarded();
    let now = stage.edge.clock().now().unix_seconds();
    let until = |exp: u64| {
        bearer(&stage.edge.token(|claims| {
            claims.insert("exp".into(), exp.into());
        }))
    };
    stage.refuses("/", &until(now - 1), 401, "token_expired");
    let lines = until(now + 600);
    let mut client = stage.edge.client();
    stage.forwards_on(&mut client, "/", &lines);
    stage.forwards_on(&mut client, "/", &lines);
    stage.edge.clock().advance(Duration::from_secs(600));
    assert_eq!(client.ask(get("/", &lines)).status, 401);
    assert_eq!(stage.edge.reason(), "token_expired");
    // The connection itself is as good as before.
    stage.forwards_on(&mut client, "/", &until(now + 7200));
}

#[test]
fn a_token_is_good_from_its_nbf_on_and_not_issued_in_the_future() {
    let stage = Stage::guarded();
    let now = stage.edge.clock().now().unix_seconds();
    let with = |name: &str, date: u64| {
        bearer(&stage.edge.token(|claims| {
            claims.insert(name.into(), date.into());
        }))
    };
    let later = with("nbf", now + 600);
    stage.refuses("/", &later, 401, "token_not_yet_valid");
    let issued_later = with("iat", now + 1000);
    stage.refuses("/", &issued_later, 401, "token_issued_in_future");
    stage.forwards("/", &with("iat", now + 200));
    stage.edge.clock().advance(Duration::from_secs(800));
    stage.forwards("/", &later);
    stage.forwards("/", &issued_later);
}

#[test]
fn case_11_permissions() {
    let stage = Stage::guarded();
    let with = |permissions: serde_json::Value| {
        bearer(&stage.edge.token(|claims| {
            claims.insert("permissions".into(), permissions);
        }))
    };
    stage.refuses("/", &with(json!([])), 403, "permission_missing");
    let other = with(json!(["tunnels.tunnels.create-delete"]));
    stage.refuses("/", &other, 403, "permission_missing");
    stage.forwards("/", &with(json!(["tunnels.streams.create-delete"])));
    stage.forwards("/", &with(json!(null)));
}

#[test]
fn case_12_case_15_case_16_and_case_17_boundaries() {
    let stage = Stage::guarded();
    let path = |project: &str, rule: serde_json::Value| json!({ "projects": [project], "scopes": { "tunnels": { "connect": { "params": { "path": rule } } } } });
    for (case, boundary, reason) in [
        (12, json!({ "projects": ["proj-2"] }), "outside_boundary"),
        (
            15,
            json!({ "scopes": { "tunnels": { "list": true } } }),
            "outside_boundary",
        ),
        (
            16,
            json!({ "AND": [{ "projects": ["proj-1"] }, { "projects": ["proj-2"] }] }),
            "outside_boundary",
        ),
        (
            17,
            json!({ "OR": [path("proj-2", json!({ "regex": ".*" })), path("proj-1", json!("/a"))] }),
            "path_outside_boundary",
        ),
    ] {
        let token = bearer(&stage.bounded(boundary));
        let answer = stage.refuses("/b", &token, 403, reason);
        assert_eq!(answer.field("www-authenticate"), None, "case {case}");
        if case == 17 {
            stage.forwards("/a", &token);
        }
    }
    for boundary in [
        json!({ "projects": ["proj-2", "proj-1"] }),
        json!({ "scopes": { "tunnels": { "connect": true } } }),
        json!({ "OR": [{ "projects": ["proj-1"] }, { "projects": ["proj-2"] }] }),
    ] {
        stage.forwards("/b", &bearer(&stage.bounded(boundary)));
    }
}

#[test]
fn case_13_and_case_14_paths() {
    let stage = Stage::guarded();
    let ping = bearer(&stage.bounded(path_rule(&json!({ "exact": "/ping" }))));
    assert_eq!(target(&stage.forwards("/ping?a", &ping)), "/ping?a");
    for path in ["/private", "/ping/", "/Ping", "/", "/ping%2f"] {
        let ambiguous = path.contains('%');
        let reason = if ambiguous {
            "path_ambiguous"
        } else {
            "path_outside_boundary"
        };
        stage.refuses(path, &ping, 403, reason);
    }
    let api = bearer(&stage.path_token("^/api"));
    let recorded = stage.forwards("/api/x?y=/z", &api);
    assert_eq!(target(&recorded), "/api/x?y=/z");
    assert_eq!(target(&stage.forwards("/%61pi/x", &api)), "/%61pi/x");
    stage.refuses("/x/api", &api, 403, "path_outside_boundary");
    stage.refuses("/x?/api", &api, 403, "path_outside_boundary");
    stage.refuses("/api/../x", &api, 403, "path_ambiguous");
    stage.refuses("/api/%2e%2e/x", &api, 403, "path_ambiguous");
}

#[test]
fn case_18_the_sender_chooses_no_algorithm_and_case_19_no_unknown_credential() {
    let stage = Stage::guarded();
    let now = stage.edge.clock().now().unix_seconds();
    let claims = json!({ "iat": now, "exp": now + 60 });
    let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
    let good = sign(SECRET, &hs256, &claims);
    let unsigned = sign(SECRET, &json!({ "alg": "none" }), &claims);
    let stripped = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    let other_secret = "another secret, which has more than thirty-two bytes as well";
    for (token, reason) in [
        (unsigned, "token_algorithm"),
        (stripped, "token_malformed"),
        (
            sign(SECRET, &json!({ "alg": "ES512" }), &claims),
            "token_algorithm",
        ),
        (sign(other_secret, &hs256, &claims), "token_signature"),
        (
            sign(
                SECRET,
                &hs256,
                &json!({ "type": "app", "clientId": "c", "permissions": null }),
            ),
            "token_algorithm",
        ),
        (
            sign(SECRET, &hs256, &json!({ "type": "pat" })),
            "credential_unknown",
        ),
        (format!("{good}="), "token_malformed"),
        (format!("{good}."), "token_malformed"),
        // One character of 43 less may still be base64; two less never are.
        (good[..good.len() - 2].to_owned(), "token_malformed"),
        ("a".repeat(9000), "token_too_long"),
    ] {
        stage.refuses("/", &bearer(&token), 401, reason);
    }
    stage.forwards("/", &bearer(&good));
}

/// What differs between bad tokens would tell an attacker how far he came.
#[test]
fn every_bad_token_gets_the_same_bytes() {
    let stage = Stage::guarded();
    let good = stage.edge.token(|_| ());
    let with = |name: &str, value: serde_json::Value| {
        stage.edge.token(|claims| {
            claims.insert(name.into(), value);
        })
    };
    let mut seen = Vec::new();
    for token in [
        "x".to_owned(),
        format!("{good}x"),
        with("exp", json!(1)),
        with("nbf", json!(1_u64 << 40)),
        with("exp", json!("soon")),
        with("type", json!("pat")),
        with("tunnelsGrants", json!([])),
        with("resources", json!({})),
        with("metadata", json!({ "engine": "elsewhere.example" })),
    ] {
        let mut client = stage.edge.client();
        let answer = client.ask(get("/", &bearer(&token)));
        let stable: Vec<String> = String::from_utf8(answer.head)
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with("Date: ") && !line.starts_with("X-Request-Id: "))
            .map(str::to_owned)
            .collect();
        seen.push((stable, answer.body));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
    assert_eq!(seen[0].1, b"{\"error\":\"Unauthorized.\"}");
    stage.upstream.assert_untouched();
}

#[test]
fn a_token_elsewhere_than_in_its_two_places_is_none() {
    let stage = Stage::guarded();
    let token = stage.edge.token(|_| ());
    for lines in [
        format!("Cookie: rstream_auth={token}\r\n"),
        format!("Proxy-Authorization: Bearer {token}\r\n"),
        format!("Rstream-Authorization: Bearer {token}\r\n"),
        format!("X-Authorization: Bearer {token}\r\n"),
        format!("Referer: https://{HOST}/?rstream.token={token}\r\n"),
    ] {
        stage.refuses("/", &lines, 401, "token_missing");
    }
    stage.refuses(&format!("/rstream.token={token}"), "", 401, "token_missing");
    stage.forwards("/", &format!("aUTHORIZATION:\tbEaReR   {token}  \r\n"));
}

/// S9: guessing is bounded for each client, and costs nobody else anything.
#[test]
fn a_client_whose_tokens_fail_too_often_is_told_to_wait() {
    let upstream = Upstream::fixed("inside");
    let edge = Edge::setup()
        .tunnel(Tunnel::guarded(HOST, &upstream))
        .tables("[limits]\nfailed_verifications_per_second = 5")
        .start();
    let good = bearer(&edge.token(|_| ()));
    let forged = |number: usize| bearer(&format!("{}{number}", edge.token(|_| ())));
    let mut client = edge.client();
    assert_eq!(client.ask(get("/", &good)).status, 200);
    // No time passes: the clock of the edge may still move a little, and earn one or two.
    let refused = (0..60)
        .map(|number| client.ask(get("/", &forged(number))))
        .find(|answer| answer.status != 401)
        .expect("an end to guessing");
    assert_eq!((refused.status, refused.closes()), (429, false));
    assert_eq!(refused.field("retry-after"), Some("1"));
    // What is remembered goes on, and so does everybody else.
    assert_eq!(client.ask(get("/", &good)).status, 200);
    let reason = "\"reason\":\"too_many_verifications\"";
    assert!(edge.log_text().contains(reason));
    let mut other = Client::from("127.0.0.3", edge.http());
    assert_eq!(other.ask(get("/", &forged(0))).status, 401);
    edge.pass(Duration::from_secs(5));
    assert_eq!(client.ask(get("/", &forged(0))).status, 401);
    let new = bearer(&edge.token(|claims| drop(claims.insert("sub".into(), "new".into()))));
    assert_eq!(client.ask(get("/", &new)).status, 200);
}

/// S4.2, on a tunnel whose application has tokens of its own in `Authorization`.
#[test]
fn case_05_and_case_06_an_application_keeps_its_authorization() {
    let stage = Stage::guarded_with("authorization = \"app\"");
    let token = stage.edge.token(|_| ());
    let own = format!("Rstream-Authorization: Bearer {token}\r\n");
    let parameter = format!("/a?rstream.token={token}&b");
    for application in [
        "Authorization: Bearer application-token\r\n".to_owned(),
        "Authorization: Basic YTpi\r\n".to_owned(),
        bearer(&format!("{token}x")),
        String::new(),
    ] {
        let kept = application.strip_prefix("Authorization: ");
        for (asked, fields) in [
            (parameter.as_str(), application.clone()),
            ("/a?b", format!("{application}{own}")),
        ] {
            let recorded = stage.forwards(asked, &fields);
            assert_eq!(target(&recorded), "/a?b");
            assert_eq!(recorded.field("authorization"), kept.map(str::trim_end));
            assert_eq!(recorded.field("rstream-authorization"), None);
        }
        // One step outside: nothing for the edge.
        stage.refuses("/a?b", &application, 401, "token_missing");
    }
    let unreadable = bearer("a.bm90IGpzb24.s");
    for (asked, fields, reason) in [
        (parameter.as_str(), own.clone(), "several_proofs"),
        ("/", bearer(&token), "token_for_edge"),
        (&parameter, bearer(&token), "token_for_edge"),
        ("/", format!("{own}{unreadable}"), "token_for_edge"),
        (
            "/",
            format!("{own}Authorization: Token {token}\r\n"),
            "token_for_edge",
        ),
        ("/", own.clone() + &own, "several_authorizations"),
        ("/", own.replace("Bearer", "Basic"), "bearer_malformed"),
    ] {
        stage.refuses(asked, &fields, 401, reason);
    }
}

/// Elsewhere the edge's own field is no proof, and goes no further either.
#[test]
fn the_field_of_the_edge_counts_where_it_is_asked_for() {
    let stage = Stage::guarded();
    let token = stage.edge.token(|_| ());
    let own = format!("Rstream-Authorization: Bearer {token}\r\n");
    stage.refuses("/", &own, 401, "token_missing");
    let recorded = stage.forwards("/", &format!("{own}{}", bearer(&token)));
    assert_eq!(recorded.field("rstream-authorization"), None);
    let recorded = Stage::public().forwards("/", &own);
    assert_eq!(recorded.field("rstream-authorization"), None);
}

/// S3.4: on a tunnel where a parameter is the proof, a token in `Authorization` under whatever scheme stays here.
#[test]
fn a_token_that_is_not_the_proof_stays_here_too() {
    let stage = Stage::guarded();
    let token = stage.edge.token(|_| ());
    let target = format!("/?rstream.token={token}");
    for (line, kept) in [
        (format!("Token {token}"), false),
        (format!("JWT \"{token}\""), false),
        (format!("Token {token}x"), true),
        ("Basic YTpi".to_owned(), true),
    ] {
        let recorded = stage.forwards(&target, &format!("Authorization: {line}\r\n"));
        assert_eq!(recorded.field("authorization").is_some(), kept, "{line}");
    }
}
