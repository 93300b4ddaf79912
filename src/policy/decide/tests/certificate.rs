//! The certificate lane (rstream 7.3 steps 4 and 5, S5.1): every state of it beside every state of the others, with one
//! verdict, and a naive reading that must agree.

use std::fmt::Write;
use std::sync::LazyLock;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;

use super::table::{LANES, Lane, PATHS, naive, write_rows};
use super::*;
use crate::boundary;
use crate::certificate::{CertificateCredential, Certificates, PeerCertificate};
use crate::json;

/// What the connection shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Absent,
    Unknown,
    Worthless,
    Early,
    Expired,
    Revoked,
    Good,
    /// Good for paths below `/api`.
    Bounded,
    /// Good, without the permission to connect.
    Powerless,
    /// Good, in another project.
    Elsewhere,
}

const SHOWN: [Shown; 10] = [
    Shown::Absent,
    Shown::Unknown,
    Shown::Worthless,
    Shown::Early,
    Shown::Expired,
    Shown::Revoked,
    Shown::Good,
    Shown::Bounded,
    Shown::Powerless,
    Shown::Elsewhere,
];

/// One certificate for each state, and who has registered it.
struct Registry {
    peers: Vec<Option<PeerCertificate>>,
    policy: Policy,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let peers: Vec<_> = SHOWN.into_iter().map(peer).collect();
    let registered = SHOWN.into_iter().zip(&peers);
    let registered = registered.filter(|(shown, _)| *shown != Shown::Unknown);
    let registered: Vec<_> = registered
        .filter_map(|(shown, peer)| Some((*peer.as_ref()?.fingerprint(), owner(shown))))
        .collect();
    let certificates = Arc::new(Certificates::new(registered, Vec::new()));
    let policy = Policy {
        certificates,
        ..policy()
    };
    Registry { peers, policy }
});

fn peer(shown: Shown) -> Option<PeerCertificate> {
    let mut params = CertificateParams::default();
    match shown {
        Shown::Absent => return None,
        Shown::Worthless => return PeerCertificate::read(&[CertificateDer::from(&b"0"[..])]),
        Shown::Early => params.not_before = date_time_ymd(2030, 1, 1),
        Shown::Expired => params.not_after = date_time_ymd(2020, 1, 1),
        Shown::Unknown
        | Shown::Revoked
        | Shown::Good
        | Shown::Bounded
        | Shown::Powerless
        | Shown::Elsewhere => {}
    }
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    PeerCertificate::read(std::slice::from_ref(made.der()))
}

fn owner(shown: Shown) -> CertificateCredential {
    let boundary = (shown == Shown::Bounded).then(|| {
        let text =
            r#"{"scopes":{"tunnels":{"connect":{"params":{"path":{"regex":"^/api(/|$)"}}}}}}"#;
        let tree = json::parse(text.as_bytes()).unwrap();
        Arc::new(boundary::parse(&tree).unwrap())
    });
    let project = if shown == Shown::Elsewhere {
        "p9"
    } else {
        "p1"
    };
    let bounds = Bounds::connect_within(&[project]);
    let permissions = (shown == Shown::Powerless).then(Box::default);
    CertificateCredential {
        bounds: Arc::new(Bounds {
            id: format!("{shown:?}").into(),
            permissions: permissions.or(bounds.permissions),
            boundary,
            ..Bounds::connect_within(&[project])
        }),
        subject: "".into(),
        live: shown != Shown::Revoked,
    }
}

/// A request on a tunnel that asks for certificates, over TLS for its own name.
fn judged_with(host: &str, shown: Shown, method: &str, target: &str, fields: &str) -> Decision {
    let registry = &*REGISTRY;
    let index = SHOWN.into_iter().position(|one| one == shown).unwrap();
    let name = CanonicalHost::parse(format!("{host}.t.example.com").as_bytes()).unwrap();
    let connection = Connection {
        scheme: Scheme::Https,
        server_name: Some(&name),
        client: None,
        handshake: registry.policy.handshake(Some(&name)),
        certificate: registry.peers[index].as_ref(),
    };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}.t.example.com\r\n{fields}\r\n");
    judge_with(&registry.policy, connection, &head, &mut memory())
}

fn live(host: &str, shown: Shown, path: &str, bearer: Lane, query: Lane, more: &str) -> String {
    let target = format!("{path}{}", query.query());
    let fields = format!("{}{more}", bearer.authorization());
    word(&judged_with(host, shown, "GET", &target, &fields))
}

/// The rules once more.
fn naive_with(host: &str, shown: Shown, path: &str, bearer: Lane, query: Lane) -> String {
    let is_alone = matches!(bearer, Lane::Absent | Lane::Basic) && query == Lane::Absent;
    let verdict = match shown {
        // A tunnel that takes tokens too judges them as any other.
        Shown::Absent if host == "both" => return naive("app", path, bearer, query),
        Shown::Absent => "401 certificate_missing",
        _ if !is_alone => "401 ambiguous_proofs",
        Shown::Unknown => "401 certificate_unknown",
        Shown::Worthless => "401 certificate_malformed",
        Shown::Early => "401 certificate_not_yet_valid",
        Shown::Expired => "401 certificate_expired",
        Shown::Revoked => "401 credential_revoked",
        Shown::Elsewhere => "403 project_not_owned",
        Shown::Powerless => "403 permission_missing",
        Shown::Bounded if path == "/private" => "403 path_outside_boundary",
        Shown::Bounded if path != "/api/x" => "403 path_ambiguous",
        Shown::Good | Shown::Bounded => "forward mtls kept",
    };
    verdict.to_owned()
}

#[test]
fn a_naive_reading_agrees_with_every_row_of_the_certificate_lane() {
    let mut count = 0;
    for host in ["cert", "both"] {
        for shown in SHOWN {
            for bearer in LANES {
                for query in LANES.into_iter().filter(|lane| *lane != Lane::Basic) {
                    for path in PATHS {
                        assert_eq!(
                            live(host, shown, path, bearer, query, ""),
                            naive_with(host, shown, path, bearer, query),
                            "{host} {shown:?} {path} bearer {bearer:?} query {query:?}"
                        );
                        count += 1;
                    }
                }
            }
        }
    }
    assert_eq!(count, 2 * 10 * 11 * 10 * 3);
}

/// Case 32: presence counts, not validity. A challenge cookie is no proof and changes nothing.
#[test]
fn a_cookie_of_a_session_beside_a_certificate_is_ambiguous() {
    for (cookie, ambiguous) in [
        ("rstream_auth=session", true),
        ("a=1; __Host-rstream_auth=", true),
        ("RSTREAM_AUTH=x", true),
        ("a=1\r\nCookie: rstream_auth=x", true),
        (
            "rstream_challenge=x; __Host-rstream_challenge=x; a=1",
            false,
        ),
    ] {
        for host in ["cert", "both"] {
            let field = format!("Cookie: {cookie}\r\n");
            let verdict = |shown| live(host, shown, "/", Lane::Absent, Lane::Absent, &field);
            let expected = if ambiguous {
                "401 ambiguous_proofs"
            } else {
                "forward mtls kept"
            };
            assert_eq!(verdict(Shown::Good), expected, "{cookie}");
            // Without a certificate there is nothing to confuse it with.
            assert!(verdict(Shown::Absent).starts_with("401 "), "{cookie}");
            assert_ne!(verdict(Shown::Absent), "401 ambiguous_proofs", "{cookie}");
        }
    }
}

/// Where `Authorization` is the application's it is no proof beside a certificate; the edge's own field is.
#[test]
fn what_belongs_to_the_application_makes_nothing_ambiguous() {
    for (fields, verdict) in [
        (
            "Authorization: Bearer of-the-application\r\n",
            "forward mtls kept",
        ),
        ("Authorization: Basic YTpi\r\n", "forward mtls kept"),
        (
            "Rstream-Authorization: Bearer x\r\n",
            "401 ambiguous_proofs",
        ),
        (
            "Rstream-Authorization: Basic YTpi\r\n",
            "401 ambiguous_proofs",
        ),
    ] {
        let decision = judged_with("ownboth", Shown::Good, "GET", "/", fields);
        assert_eq!(word(&decision), verdict, "{fields}");
    }
    let ours = format!("Authorization: Bearer {}\r\n", good());
    let decision = judged_with("ownboth", Shown::Good, "GET", "/", &ours);
    assert_eq!(word(&decision), "401 token_for_edge");
    // S3.4: of another scheme, and one of ours all the same.
    let hidden = format!("Authorization: Token {}\r\n", good());
    let decision = judged_with("cert", Shown::Good, "GET", "/", &hidden);
    assert_eq!(word(&decision), "forward mtls withheld");
}

/// S5.1: a browser adds a certificate to what any page causes.
#[test]
fn pages_of_others_cause_nothing_with_a_certificate() {
    for (method, fields, verdict) in [
        (
            "POST",
            "Origin: https://cert.t.example.com\r\n",
            "forward mtls kept",
        ),
        (
            "POST",
            "Origin: https://admin.example.com\r\n",
            "forward mtls kept",
        ),
        (
            "POST",
            "Origin: https://evil.t.example.com\r\n",
            "403 cross_origin",
        ),
        ("POST", "Origin: null\r\n", "403 cross_origin"),
        ("POST", "Sec-Fetch-Site: same-site\r\n", "403 cross_origin"),
        ("POST", "", "forward mtls kept"),
        (
            "GET",
            "Origin: https://evil.t.example.com\r\n",
            "forward mtls kept",
        ),
    ] {
        let decision = judged_with("cert", Shown::Good, method, "/", fields);
        assert_eq!(word(&decision), verdict, "{method} {fields}");
        let unknown = judged_with("cert", Shown::Unknown, method, "/", fields);
        assert_eq!(
            word(&unknown),
            "401 certificate_unknown",
            "{method} {fields}"
        );
    }
    // A token does not come along by itself.
    let bearer = format!(
        "Authorization: Bearer {}\r\nOrigin: https://evil.t.example.com\r\n",
        good()
    );
    let decision = judged_with("both", Shown::Absent, "POST", "/", &bearer);
    assert_eq!(word(&decision), "forward token withheld");
}

/// S5.9: the edge answers what a browser asks before it sends a page's request; nothing of it is forwarded.
#[test]
fn a_preflight_is_answered_for_listed_origins_and_for_no_other() {
    for (origin, verdict) in [
        ("https://admin.example.com", "answer preflight"),
        ("https://cert.t.example.com", "answer preflight"),
        ("https://evil.t.example.com", "403 cross_origin"),
        ("null", "403 cross_origin"),
        (
            "https://admin.example.com\r\nOrigin: https://admin.example.com",
            "403 cross_origin",
        ),
    ] {
        let fields = format!("Origin: {origin}\r\nAccess-Control-Request-Method: PUT\r\n");
        let asked =
            |fields: &str| word(&judged_with("cert", Shown::Absent, "OPTIONS", "/", fields));
        assert_eq!(asked(&fields), verdict, "{origin}");
        // Without the question it is a request as any other.
        let plain = format!("Origin: {origin}\r\n");
        assert_eq!(asked(&plain), "401 certificate_missing", "{origin}");
    }
}

/// S1.3: whether to ask is decided in the handshake, by its server name.
#[test]
fn a_tunnel_with_certificates_is_reached_through_a_handshake_for_it_alone() {
    let [cert, app] = ["cert.t.example.com", "app.t.example.com"]
        .map(|name| CanonicalHost::parse(name.as_bytes()).unwrap());
    let peer = peer(Shown::Good);
    let verdict = |scheme, server_name, asked, host: &str| {
        let connection = Connection {
            scheme,
            server_name,
            client: None,
            handshake: Handshake {
                asks_for_certificate: asked,
                ..Handshake::default()
            },
            certificate: peer.as_ref().filter(|_| asked),
        };
        let head = format!("GET / HTTP/1.1\r\nHost: {host}.t.example.com\r\n\r\n");
        let mut parsed = RequestHead::new();
        parsed.parse(head.as_bytes(), &LIMITS).unwrap();
        let request = Request {
            bytes: head.as_bytes(),
            head: &parsed,
        };
        let facts = Facts {
            connection,
            request,
            ended: &NOBODY,
        };
        word(&decide(&REGISTRY.policy, &facts, now(), &mut memory()))
    };
    let (https, http) = (Scheme::Https, Scheme::Http);
    assert_eq!(
        verdict(https, Some(&cert), true, "cert"),
        "401 certificate_unknown"
    );
    assert_eq!(
        verdict(https, Some(&cert), false, "cert"),
        "421 handshake_outdated"
    );
    assert_eq!(
        verdict(https, Some(&app), true, "app"),
        "421 handshake_outdated"
    );
    assert_eq!(
        verdict(https, Some(&app), false, "cert"),
        "421 sni_mismatch"
    );
    assert_eq!(verdict(https, None, false, "cert"), "421 sni_mismatch");
    assert_eq!(verdict(http, None, false, "cert"), "421 sni_mismatch");
    assert_eq!(verdict(https, None, false, "app"), "401 token_missing");
    assert_eq!(
        verdict(https, Some(&app), false, "app"),
        "401 token_missing"
    );
}

/// All verdicts of one state, in the order of the table.
fn verdicts(of: impl Fn(&str, Lane, Lane) -> String) -> Vec<String> {
    let queries = || LANES.into_iter().filter(|lane| *lane != Lane::Basic);
    let lanes = LANES
        .into_iter()
        .flat_map(|bearer| queries().map(move |query| (bearer, query)));
    lanes
        .flat_map(|(bearer, query)| PATHS.map(|path| of(path, bearer, query)))
        .collect()
}

/// The rows of the table on file; a state that is judged as another one says so.
pub(super) fn write_table(table: &mut String) {
    for host in ["cert", "both"] {
        for shown in SHOWN {
            let state = format!("{shown:?}").to_lowercase();
            let guard = format!("{host}+{state}");
            let verdict = |path: &str, bearer, query| live(host, shown, path, bearer, query, "");
            let all = verdicts(verdict);
            let by_certificate =
                |path: &str, bearer, query| live("cert", shown, path, bearer, query, "");
            let by_token = |path: &str, bearer, query| naive("app", path, bearer, query);
            let same = if all.iter().all(|verdict| *verdict == all[0]) {
                Some(all[0].clone())
            } else if host == "both" && all == verdicts(by_certificate) {
                Some(format!("as cert+{state}"))
            } else if all == verdicts(by_token) {
                Some("as token".to_owned())
            } else {
                None
            };
            match same {
                Some(same) => {
                    writeln!(
                        table,
                        "{guard:<13} any        any        any                  {same}"
                    )
                    .unwrap();
                }
                None => write_rows(table, &guard, &verdict),
            }
        }
    }
}
