//! `explain` and the live judgement say the same of random requests, whatever is in them: the same verdict, the same
//! reason, and the same client.

use std::sync::{Arc, LazyLock};

use ipnet::IpNet;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::http::body::Framing;
use crate::http::scan::{HeadScan, Scan, leading_crlf};
use crate::network::addresses::AddressSet;
use crate::network::countries::Countries;
use crate::network::countries::tests::sample;
use crate::network::country::Country;
use crate::policy::client_address::{forwarded, is_in};
use crate::token::{
    Algorithm, Credential, CredentialKind, Credentials, Issuer, KeySet, VerifyingKey,
};

const ISSUER: &str = "https://idp.example.com";
/// Longer bodies are refused by their announcement.
const BODY_BYTES: u64 = 1000;
const SHARED: &[u8] = b"a secret that is shared with the issuer alone";

/// Tokens in every state, and what only looks like one.
static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let dates = json!({ "iat": NOW, "exp": NOW + 60 });
    let with = |more: serde_json::Value| {
        let mut claims = dates.clone();
        let more = more.as_object().unwrap().clone();
        claims.as_object_mut().unwrap().extend(more);
        claims.to_string()
    };
    let auth = |user: &str| {
        signed(&with(
            json!({ "type": "auth", "userId": user, "permissions": null }),
        ))
    };
    let issued = |more: serde_json::Value| {
        let mut claims = json!({ "iss": ISSUER, "aud": "edge", "sub": "ana" });
        let more = more.as_object().unwrap().clone();
        claims.as_object_mut().unwrap().extend(more);
        signed_with(SHARED, &with(claims))
    };
    let unsigned = good().rsplit_once('.').unwrap().0.to_owned() + ".";
    let mut tokens = vec![
        good(),
        good(),
        expired(),
        forged(),
        path_bounded(),
        bounded(json!({ "projects": ["p9"] })),
        bounded(
            json!({ "scopes": { "tunnels": { "connect": { "filters": { "token_auth": false } } } } }),
        ),
        signed(&with(json!({ "permissions": [] }))),
        signed(&with(json!({ "nbf": NOW + 60 }))),
        signed(&with(json!({ "iat": NOW + 600, "exp": NOW + 700 }))),
        signed(r#"{"exp":"soon"}"#),
        signed(r#"{"tunnelsGrants":[]}"#),
        signed(r#"{"metadata":{"engine":"elsewhere.example.net"}}"#),
        signed(r#"{"resources":{"tunnels":[]}}"#),
        signed(r#"{"type":"app","clientId":"c","permissions":null}"#),
        signed(r#"{"type":"other"}"#),
        signed("not json"),
        auth("ana"),
        auth("eve"),
        issued(json!({})),
        issued(json!({ "exp": NOW })),
        issued(json!({ "aud": "other" })),
        issued(json!({ "iss": "https://elsewhere.example" })),
        unsigned,
        "x".to_owned(),
        "www.example.com".to_owned(),
        "a.bm90IGpzb24.s".to_owned(),
        "a".repeat(9000),
    ];
    tokens.extend([LIVE_PAT, REVOKED_PAT, UNKNOWN_PAT].map(pat));
    tokens
});

const LIVE_PAT: &str = "live";
const REVOKED_PAT: &str = "revoked";
const UNKNOWN_PAT: &str = "unknown";

fn pat(subject: &str) -> String {
    signed(&json!({ "type": "pat", "sub": subject }).to_string())
}

/// Every guard with every option, in a project that tokens reach and in one they do not.
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let mut policy = policy();
    let routes = Arc::get_mut(&mut policy.routes).unwrap();
    let tunnels = Arc::get_mut(&mut policy.tunnels).unwrap();
    let networks = ["192.0.2.0/28", "10.0.0.0/31"].map(|text| text.parse().unwrap());
    let near = NetworkPolicy {
        trusted: Some(Arc::new(AddressSet::new(&networks))),
        countries: Some([Country::parse("DE").unwrap()].into_iter().collect()),
    };
    policy.countries = Some(Arc::new(
        Countries::read(&sample(&[
            ("::192.0.2.0/125", "DE"),
            ("::192.0.2.8/125", "FR"),
        ]))
        .unwrap(),
    ));
    for (hostname, project, authorization) in [
        ("semi.t.example.com", "p1", Authorization::Edge),
        ("ownsemi.t.example.com", "p1", Authorization::App),
        ("ownother.t.example.com", "p2", Authorization::App),
        ("near.t.example.com", "p1", Authorization::Edge),
    ] {
        routes.insert(hostname, tunnels.len());
        tunnels.push(Tunnel {
            hostname: hostname.to_owned(),
            project: project.to_owned(),
            workspace: "w1".to_owned(),
            mechanisms: TOKEN,
            allowed_origins: Vec::new(),
            authorization,
            network: if hostname.starts_with("near") {
                near.clone()
            } else {
                NetworkPolicy::default()
            },
            tls13_only: false,
            semicolon_allowed: hostname.contains("semi"),
            trailers: false,
            upgrades_outlive_expiry: false,
            names_sender: false,
            properties: TunnelProperties {
                token_auth: true,
                ..TunnelProperties::default()
            },
        });
    }
    let bounds = |id: &str| {
        let bounds = Bounds::connect_within(&["p1"]);
        Arc::new(Bounds {
            id: id.into(),
            ..bounds
        })
    };
    let stored = |id: &str, kind, live| Credential {
        bounds: bounds(id),
        kind,
        live,
        changed_at: None,
    };
    let hashed = |subject: &str| {
        let hash = ring::digest::digest(&ring::digest::SHA256, pat(subject).as_bytes());
        CredentialKind::Pat(hash.as_ref().try_into().unwrap())
    };
    let credentials = [
        stored("live", hashed(LIVE_PAT), true),
        stored("revoked", hashed(REVOKED_PAT), false),
        stored("ana", CredentialKind::User, true),
    ];
    let issuer = Issuer {
        audience: vec!["edge".to_owned()],
        max_lifetime: Some(3600),
        algorithms: vec![Algorithm::Hs256],
        fetched: false,
        keys: KeySet::One(VerifyingKey::secret(SHARED).unwrap()),
        bounds: bounds(""),
        resources_claim: None,
        subject_claim: "sub".to_owned(),
    };
    let keys = policy.keys.take().unwrap();
    let keys = keys.with_credentials(Credentials::new(credentials, HashSet::new()), true);
    policy.keys = Some(keys.with_issuers([(ISSUER.into(), issuer)]));
    policy
});

static TRUST: LazyLock<Trust> = LazyLock::new(|| Trust {
    proxy_protocol_from: Vec::new(),
    forwarded_from: vec!["10.0.0.0/8".parse::<IpNet>().unwrap()],
});

/// A request as it comes in.
#[derive(Clone, Debug)]
struct Incoming {
    head: String,
    scheme: Scheme,
    server_name: Option<CanonicalHost>,
    peer: IpAddr,
}

const HOSTS: [&str; 16] = [
    "app.t.example.com",
    "app.t.example.com",
    "open.t.example.com",
    "other.t.example.com",
    "own.t.example.com",
    "own.t.example.com",
    "semi.t.example.com",
    "ownsemi.t.example.com",
    "ownother.t.example.com",
    "near.t.example.com",
    "near.t.example.com",
    "wild.t.example.com",
    "APP.t.example.com.:8443",
    "example.com",
    "nobody.example.net",
    "a b",
];

const PATHS: [&str; 20] = [
    "/",
    "/api/x",
    "/api/x",
    "/api",
    "/apix",
    "/private",
    "/api/../private",
    "/api/%2e%2e/private",
    "/api/..;/private",
    "/api/%252e%252e/private",
    "/api/%c0%ae%c0%ae/private",
    "/api;x/y",
    "/api//x",
    "/api/x%3f",
    "/%61pi/x",
    "/.well-known/rstream/session",
    "/%2ewell-known/acme-challenge/x",
    "http://app.t.example.com/api/x",
    "https://own.t.example.com/api/x",
    "*",
];

fn token() -> impl Strategy<Value = String> {
    (0..TOKENS.len()).prop_map(|index| TOKENS[index].clone())
}

/// What stands behind the name of a field with a credential.
fn credential() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => token().prop_map(|token| format!("Bearer {token}")),
        1 => token().prop_map(|token| format!("bEARER \t{token}")),
        1 => token().prop_map(|token| format!("Token {token}")),
        1 => token().prop_map(|token| format!("Bearer \"{token}\"")),
        1 => (token(), token()).prop_map(|(one, other)| format!("Bearer {one}, Bearer {other}")),
        1 => token(),
        2 => prop::sample::select(&["Basic YTpi", "Bearer", "Bearer ", "", "Negotiate YII="][..])
            .prop_map(str::to_owned),
    ]
}

fn fields() -> impl Strategy<Value = String> {
    let names = [
        "Authorization",
        "Authorization",
        "authorization",
        "Rstream-Authorization",
        "Rstream-Authorization",
        "rstream-AUTHORIZATION",
        "Rstream_Authorization",
        "Proxy-Authorization",
    ];
    let proof = (prop::sample::select(names.to_vec()), credential())
        .prop_map(|(name, value)| format!("{name}: {value}\r\n"));
    let others = [
        "X-Forwarded-For: 192.0.2.7\r\n",
        "X-Forwarded-For: 192.0.2.7, 10.0.0.2\r\n",
        "X-Forwarded-For: nonsense\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        "Connection: Authorization\r\n",
        "Content-Length: 3\r\n",
        "Content-Length: 1001\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Expect: something\r\n",
        "Host: app.t.example.com\r\n",
        "Origin: https://evil.example.com\r\n",
        "Folded: a\r\n b\r\n",
        "X-Original-URL: /api/x\r\n",
    ];
    let proofs = prop::collection::vec(proof, 0..3);
    let others = prop_oneof![
        4 => Just(String::new()),
        3 => prop::sample::select(others.map(str::to_owned).to_vec()),
    ];
    (proofs, others).prop_map(|(proofs, others)| proofs.concat() + &others)
}

fn query() -> impl Strategy<Value = String> {
    let names = [
        "rstream.token",
        "rstream.token",
        "rstream%2etoken",
        "Rstream.token",
        "a",
    ];
    let parameter = (prop::sample::select(names.to_vec()), token())
        .prop_map(|(name, token)| format!("{name}={token}"));
    let parameter = prop_oneof![
        8 => parameter,
        1 => Just("rstream.token".to_owned()),
        1 => Just("rstream.token=%zz".to_owned()),
    ];
    prop_oneof![
        3 => Just(String::new()),
        3 => prop::collection::vec(parameter, 0..3).prop_map(|all| format!("?{}", all.join("&"))),
    ]
}

fn incoming() -> impl Strategy<Value = Incoming> {
    let methods = [
        "GET", "GET", "POST", "HEAD", "OPTIONS", "CONNECT", "TRACE", "G(T",
    ];
    let peers = [
        "192.0.2.1",
        "10.0.0.1",
        "::ffff:10.0.0.3",
        "::ffff:192.0.2.9",
        "2001:db8::1",
    ];
    (
        prop::sample::select(methods.to_vec()),
        prop::sample::select(&PATHS[..]),
        query(),
        prop::sample::select(&HOSTS[..]),
        fields(),
        (
            any::<bool>(),
            prop::option::of(prop::sample::select(&HOSTS[..])),
        ),
        prop::sample::select(peers.to_vec()),
    )
        .prop_map(|(method, path, query, host, fields, (tls, name), peer)| {
            let name = name.unwrap_or(host);
            let server_name = CanonicalHost::parse_authority(name.as_bytes());
            let server_name = server_name.ok().map(|(name, _)| name);
            Incoming {
                head: format!("{method} {path}{query} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"),
                scheme: if tls { Scheme::Https } else { Scheme::Http },
                server_name: server_name.filter(|_| tls),
                peer: peer.parse().unwrap(),
            }
        })
}

/// Status, reason and client.
type Outcome = (Option<u16>, &'static str, String);

/// Step by step as a core comes to it, with what it remembers of earlier requests. A bad head has no client.
fn live(incoming: &Incoming, memory: &mut Memory) -> Outcome {
    let refused = |refusal: Refusal, client| (Some(refusal.status()), refusal.reason(), client);
    let nobody = String::new();
    let bytes = incoming.head.as_bytes();
    let bytes = &bytes[leading_crlf(bytes)..];
    let length = match HeadScan::default().advance(bytes, &LIMITS) {
        Scan::Complete(length) => length,
        Scan::Refused(error) => return refused(Refusal::Head(error.into()), nobody),
        Scan::Partial => panic!("the head has an end"),
    };
    let mut head = RequestHead::new();
    if let Err(error) = head.parse(&bytes[..length], &LIMITS) {
        return refused(Refusal::Head(error), nobody);
    }
    let request = Request { bytes, head: &head };
    let peer = incoming.peer.to_canonical();
    let client = if is_in(&TRUST.forwarded_from, peer) {
        forwarded(request, peer, &TRUST.forwarded_from)
    } else {
        Some(peer)
    };
    let handshake = match incoming.scheme {
        Scheme::Https => POLICY.handshake(incoming.server_name.as_ref()),
        Scheme::Http => Handshake::default(),
    };
    let connection = Connection {
        scheme: incoming.scheme,
        server_name: incoming.server_name.as_ref(),
        client,
        handshake,
        certificate: None,
    };
    let facts = Facts {
        connection,
        request,
        ended: &NOBODY,
    };
    let client = client.map(|client| client.to_canonical().to_string());
    let client = client.unwrap_or_else(|| "unknown".to_owned());
    let too_large = matches!(request.head.framing, Framing::Length(length) if length > BODY_BYTES);
    match decide(&POLICY, &facts, now(), memory) {
        Decision::Forward(_) if too_large => refused(Refusal::BodyTooLarge, client),
        Decision::Forward(_) => (None, "forwarded", client),
        Decision::Refuse(no) => refused(no.refusal, client),
        Decision::NeedsKeys(needs) => refused(needs.otherwise.refusal, client),
        Decision::NeedsSignIn(_) | Decision::NeedsChallenge(_) => {
            unreachable!("no tunnel asks browsers")
        }
        Decision::Endpoint(_) => (Some(200), "answered", client),
    }
}

fn explained(incoming: &Incoming) -> Outcome {
    let asked = Asked {
        bytes: incoming.head.as_bytes(),
        scheme: incoming.scheme,
        server_name: incoming.server_name.as_ref(),
        peer: incoming.peer,
        certificate: None,
    };
    let rules = Rules {
        policy: &POLICY,
        limits: &LIMITS,
        trust: &TRUST,
        body_bytes: BODY_BYTES,
    };
    let explained = explain(asked, rules, now()).expect("a whole head");
    let client = explained.steps.iter().find(|step| step.name == "client");
    let client = client.map(|step| step.saw.split(',').next().unwrap().to_owned());
    (
        explained.status,
        explained.reason,
        client.unwrap_or_default(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// A core that has seen all of them before says what it says of each anew.
    #[test]
    fn explain_says_what_a_core_does(requests in prop::collection::vec(incoming(), 1..5)) {
        let mut memory = memory();
        for incoming in requests.iter().chain(&requests) {
            prop_assert_eq!(explained(incoming), live(incoming, &mut memory), "{:?}", incoming);
        }
    }
}

/// The random requests are worth something: the reasons that this policy can have are among them.
#[test]
fn every_reason_comes_up() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut reasons: Vec<&str> = (0..8192)
        .map(|_| {
            let drawn = incoming().new_tree(&mut runner).unwrap();
            live(&drawn.current(), &mut memory()).1
        })
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in [
        "forwarded",
        "host_unknown",
        "sni_mismatch",
        "scheme_mismatch",
        "edge_path_unknown",
        "address_unknown",
        "address_not_trusted",
        "country_unknown",
        "country_not_allowed",
        "token_missing",
        "several_authorizations",
        "several_query_tokens",
        "several_proofs",
        "token_for_edge",
        "bearer_malformed",
        "query_token_malformed",
        "token_signature",
        "token_expired",
        "token_malformed",
        "credential_revoked",
        "credential_unknown",
        "token_other_audience",
        "project_not_owned",
        "permission_missing",
        "outside_boundary",
        "path_outside_boundary",
        "path_ambiguous",
        "connect_refused",
        "length_and_coding",
        "body_too_large",
    ] {
        assert!(reasons.contains(&reason), "{reason} is not in {reasons:?}");
    }
}
