use ring::hmac;

use super::*;
use crate::authn::session::Ended;
use crate::boundary::TunnelProperties;
use crate::http::HeadLimits;
use crate::http::host::CanonicalHost;
use crate::http::request::{Request, RequestHead};
use crate::network::NetworkPolicy;
use crate::policy::client_address::Trust;
use crate::policy::explain::{Asked, Rules, explain};
use crate::policy::{Connection, Handshake, Mechanisms};
use crate::route::Routes;
use crate::token::{Bounds, MintRequest, TokenKeys, mint_hs256};
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

mod browser;
mod certificate;
mod credential;
mod failures;
mod keys;
mod narrowing;
mod network;
mod random;
mod routing;
mod table;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const PUBLIC: Mechanisms = Mechanisms {
    token: false,
    certificate: false,
    session: false,
    challenge: false,
};
const TOKEN: Mechanisms = Mechanisms {
    token: true,
    ..PUBLIC
};
const CERTIFICATE: Mechanisms = Mechanisms {
    certificate: true,
    ..PUBLIC
};
const BOTH: Mechanisms = Mechanisms {
    certificate: true,
    ..TOKEN
};
/// Whom explanations believe.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const NOW: u64 = 1_700_000_000;
const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 64 * 1024,
    header_fields: 64,
    target_bytes: 16 * 1024,
};

fn now() -> Now {
    Now {
        monotonic: Duration::ZERO,
        unix: Duration::from_secs(NOW),
    }
}

/// Three tunnels with a token, `app` in a project that tokens own, `other` in one they do not, and `own`, where the
/// `Authorization` field is the application's; `open` is public; and a wildcard that lies over all of them.
fn policy() -> Policy {
    let rows = [
        ("app.t.example.com", "p1", TOKEN),
        ("open.t.example.com", "p1", PUBLIC),
        ("other.t.example.com", "p2", TOKEN),
        ("*.t.example.com", "p1", TOKEN),
        ("own.t.example.com", "p1", TOKEN),
        ("cert.t.example.com", "p1", CERTIFICATE),
        ("both.t.example.com", "p1", BOTH),
        ("ownboth.t.example.com", "p1", BOTH),
    ];
    let mut routes = Routes::default();
    for (index, (hostname, ..)) in rows.iter().enumerate() {
        routes.insert(hostname, index);
    }
    Policy {
        base_host: CanonicalHost::parse(b"example.com").unwrap(),
        public_port: 443,
        routes: routes.into(),
        tunnels: rows
            .iter()
            .map(|(hostname, project, mechanisms)| Tunnel {
                hostname: hostname.to_string(),
                project: project.to_string(),
                workspace: String::new(),
                mechanisms: *mechanisms,
                authorization: if hostname.starts_with("own") {
                    Authorization::App
                } else {
                    Authorization::Edge
                },
                network: NetworkPolicy::default(),
                tls13_only: false,
                semicolon_allowed: false,
                trailers: false,
                upgrades_outlive_expiry: false,
                names_sender: hostname.starts_with("app"),
                allowed_origins: vec!["https://admin.example.com".into()],
                properties: TunnelProperties::default(),
            })
            .collect::<Vec<_>>()
            .into(),
        shows_assertion_keys: true,
        tls13_only: false,
        countries: None,
        certificates: Arc::default(),
        browsers: None,
        keys: Some(TokenKeys::new(
            SECRET,
            Some(Bounds::connect_within(&["p1"])),
            "example.com",
        )),
        failed_verifications_per_second: 500,
        expensive_verifications_per_second: 0,
    }
}

/// Judges a raw head that came over this connection; an explanation of it comes to the same.
fn judge_with(
    policy: &Policy,
    connection: Connection<'_>,
    head: &str,
    memory: &mut Memory,
) -> Decision {
    let mut parsed = RequestHead::new();
    parsed
        .parse(head.as_bytes(), &LIMITS)
        .unwrap_or_else(|error| panic!("{}: {head}", error.reason()));
    let facts = Facts {
        connection,
        request: Request {
            bytes: head.as_bytes(),
            head: &parsed,
        },
        ended: &NOBODY,
    };
    let decision = decide(policy, &facts, now(), memory);
    // Whoever is unknown comes through a proxy, which says something else or nothing.
    let trust = Trust {
        forwarded_from: vec![PROXY.into()],
        ..Trust::default()
    };
    let asked = Asked {
        bytes: head.as_bytes(),
        scheme: connection.scheme,
        server_name: connection.server_name,
        peer: connection.client.unwrap_or(PROXY),
        certificate: connection.certificate,
    };
    let rules = Rules {
        policy,
        limits: &LIMITS,
        trust: &trust,
        body_bytes: 0,
    };
    let explained = explain(asked, rules, now()).expect("a whole head");
    let expected = match &decision {
        Decision::Forward(_) => None,
        Decision::Refuse(refused) => Some(refused.refusal),
        Decision::NeedsKeys(needs) => Some(needs.otherwise.refusal),
        Decision::NeedsSignIn(_) | Decision::NeedsChallenge(_) => {
            assert_eq!(explained.status, Some(302), "{head}");
            return decision;
        }
        Decision::Endpoint(_) => {
            assert_eq!(
                (explained.status, explained.reason),
                (Some(200), "answered"),
                "{head}"
            );
            return decision;
        }
    };
    assert_eq!(explained.status, expected.map(Refusal::status), "{head}");
    if let Some(refusal) = expected {
        assert_eq!(explained.reason, refusal.reason(), "{head}");
    }
    decision
}

fn plain() -> Connection<'static> {
    Connection::plain(None)
}

/// Nobody has been signed out.
static NOBODY: LazyLock<Ended> = LazyLock::new(Ended::default);

fn memory() -> Memory {
    Memory::new(TokenCache::new(16))
}

fn judged(head: &str) -> Decision {
    judge_with(&policy(), plain(), head, &mut memory())
}

/// `forward` with what becomes of the `Authorization` lines and who it is, or status and reason.
fn word(decision: &Decision) -> String {
    match decision {
        Decision::Forward(permit) => format!(
            "forward {} {}",
            permit.identity().mechanism().as_str(),
            if permit.withholds_authorization() {
                "withheld"
            } else {
                "kept"
            }
        ),
        Decision::Refuse(refused) => {
            format!("{} {}", refused.refusal.status(), refused.refusal.reason())
        }
        Decision::NeedsKeys(needs) => {
            let kid = needs.key.kid.as_deref().unwrap_or_default();
            format!("keys of {} for {kid}", needs.key.issuer)
        }
        Decision::NeedsSignIn(_) => "302 sign_in".to_owned(),
        Decision::NeedsChallenge(_) => "302 challenge".to_owned(),
        Decision::Endpoint(Endpoint::AssertionKeys) => "answer AssertionKeys".to_owned(),
        Decision::Endpoint(Endpoint::Flow(_)) => "answer flow".to_owned(),
        Decision::Endpoint(Endpoint::Preflight(_)) => "answer preflight".to_owned(),
        Decision::Endpoint(Endpoint::Session(_, identity)) => {
            format!("answer session of {}", identity.mechanism().as_str())
        }
    }
}

fn mint(request: MintRequest) -> String {
    mint_hs256(SECRET, &request).unwrap()
}

/// A token that is good everywhere in its project.
fn good() -> String {
    mint(MintRequest {
        issued_at: NOW,
        ..MintRequest::default()
    })
}

fn expired() -> String {
    mint(MintRequest {
        issued_at: NOW - 10,
        expires_at: Some(NOW),
        ..MintRequest::default()
    })
}

/// Signed with another secret.
fn forged() -> String {
    let other = b"another secret of thirty-two byte";
    let request = MintRequest {
        issued_at: NOW,
        ..MintRequest::default()
    };
    mint_hs256(other, &request).unwrap()
}

fn bounded(boundary: serde_json::Value) -> String {
    mint(MintRequest {
        issued_at: NOW,
        boundary: Some(boundary),
        ..MintRequest::default()
    })
}

fn path_bounded() -> String {
    bounded(serde_json::json!({
        "projects": ["p1"],
        "scopes": { "tunnels": { "connect": { "params": { "path": { "regex": "^/api(/|$)" } } } } }
    }))
}

/// Signs any payload, also what `mint` would not.
fn signed(payload: &str) -> String {
    signed_with(SECRET, payload)
}

fn signed_with(secret: &[u8], payload: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!(
        "{}.{}",
        encode(br#"{"alg":"HS256"}"#),
        encode(payload.as_bytes())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", encode(signature.as_ref()))
}
