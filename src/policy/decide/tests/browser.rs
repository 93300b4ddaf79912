//! The lanes of browsers (rstream 7.3 steps 7 to 9, S5): challenge and session beside tokens, with one verdict for each
//! state, and a naive reading that must agree.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::table::Lane;
use super::*;
use crate::authn::session::{Grant, Session, SessionRules, short, user, user_at};
use crate::handover::{ChallengePass, client_prefix, seal_session};
use crate::policy::Browsers;
use crate::seal::{Kind, Sealer};
use crate::secret::Secret;

const CLIENT: [u8; 4] = [192, 0, 2, 1];

/// What stands under the name of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Absent,
    Garbage,
    Twice,
    /// In another case.
    OtherCase,
    OtherHost,
    /// Of the other kind.
    OtherKind,
    OtherProject,
    Expired,
    Good,
}

const HELD: [Held; 9] = [
    Held::Absent,
    Held::Garbage,
    Held::Twice,
    Held::OtherCase,
    Held::OtherHost,
    Held::OtherKind,
    Held::OtherProject,
    Held::Expired,
    Held::Good,
];

fn sealer() -> Sealer {
    Sealer::new(Secret::new(vec![7; 32]), None).unwrap()
}

fn browsers() -> Arc<Browsers> {
    let grant = |project: &str| Grant {
        projects: vec![project.into()],
        rests_on_group: false,
    };
    Arc::new(Browsers {
        sealer: Arc::new(sealer()),
        sessions: SessionRules {
            provider: [1; 16],
            grants: HashMap::from([([10; 16], grant("p1")), ([11; 16], grant("p9"))]),
            claims_max_age: 900,
        },
    })
}

pub(super) fn policy_of_browsers() -> Policy {
    let policy = policy();
    let mut routes = Routes::default();
    let mut tunnels = Vec::new();
    for (name, token, session, challenge) in [
        ("sess", false, true, false),
        ("chal", false, false, true),
        ("both", false, true, true),
        ("toksess", true, true, false),
        ("tokchal", true, false, true),
        ("all", true, true, true),
    ] {
        let hostname = format!("{name}.t.example.com");
        routes.insert(&hostname, tunnels.len());
        tunnels.push(Tunnel {
            hostname,
            project: "p1".to_owned(),
            workspace: "w1".to_owned(),
            mechanisms: Mechanisms {
                token,
                certificate: false,
                session,
                challenge,
            },
            authorization: Authorization::Edge,
            network: NetworkPolicy::default(),
            tls13_only: false,
            semicolon_allowed: false,
            trailers: false,
            upgrades_outlive_expiry: false,
            names_sender: false,
            allowed_origins: Vec::new(),
            properties: TunnelProperties::default(),
        });
    }
    Policy {
        routes: routes.into(),
        tunnels: tunnels.into(),
        browsers: Some(browsers()),
        ..policy
    }
}

fn session(project: &str, inputs: &'static [[u8; 16]], expires_at: u64) -> Session<'static> {
    Session {
        provider: [1; 16],
        project: short(&[project.as_bytes()]),
        sid: [3; 16],
        issued_at: (NOW - 60) * 1000,
        claims_at: NOW - 60,
        expires_at,
        subject: "ana",
        email: "ana@example.com",
        name: "Ana",
        inputs,
    }
}

fn sealed_session(kind: Kind, host: &str, project: &str, expires_at: u64) -> String {
    let session = session(project, &[[10; 16]], expires_at);
    seal_session(&session, kind, &sealer(), host, &[5; 32]).unwrap()
}

fn sealed_pass(host: &str, project: &str, expires_at: u64) -> String {
    let prefix = client_prefix(Some(CLIENT.into()));
    ChallengePass::new(project, prefix, expires_at).seal(&sealer(), host, &[6; 32])
}

/// The cookie line of one lane.
fn cookie(name: &str, held: Held, host: &str) -> String {
    let is_session = name == "__Host-rstream_auth";
    let made = |host: &str, project: &str, expires_at: u64| {
        if is_session {
            sealed_session(Kind::Session, host, project, expires_at)
        } else {
            sealed_pass(host, project, expires_at)
        }
    };
    let good = made(host, "p1", NOW + 60);
    match held {
        Held::Absent => String::new(),
        Held::Garbage => format!("Cookie: {name}=garbage\r\n"),
        Held::Twice => format!("Cookie: {name}={good}; {name}={good}\r\n"),
        Held::OtherCase => format!("Cookie: {}={good}\r\n", name.to_lowercase()),
        Held::OtherHost => format!(
            "Cookie: {name}={}\r\n",
            made("x.t.example.com", "p1", NOW + 60)
        ),
        Held::OtherKind => {
            let other = if is_session {
                sealed_pass(host, "p1", NOW + 60)
            } else {
                sealed_session(Kind::Session, host, "p1", NOW + 60)
            };
            format!("Cookie: {name}={other}\r\n")
        }
        Held::OtherProject => format!("Cookie: {name}={}\r\n", made(host, "p2", NOW + 60)),
        Held::Expired => format!("Cookie: {name}={}\r\n", made(host, "p1", NOW)),
        Held::Good => format!("Cookie: a=1; {name}={good}\r\n"),
    }
}

fn judged_at(host: &str, method: &str, path: &str, fields: &str, ended: &Ended) -> Decision {
    let policy = policy_of_browsers();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}.t.example.com\r\n{fields}\r\n");
    let mut parsed = RequestHead::new();
    parsed.parse(head.as_bytes(), &LIMITS).unwrap();
    let facts = Facts {
        connection: Connection::plain(Some(CLIENT.into())),
        request: Request {
            bytes: head.as_bytes(),
            head: &parsed,
        },
        ended,
    };
    decide(&policy, &facts, now(), &mut memory())
}

fn live(host: &str, challenge: Held, held: Held, bearer: Lane, method: &str) -> String {
    let full = format!("{host}.t.example.com");
    let fields = format!(
        "{}{}{}",
        cookie("__Host-rstream_challenge", challenge, &full),
        cookie("__Host-rstream_auth", held, &full),
        bearer.authorization()
    );
    word(&judged_at(host, method, "/api/x", &fields, &NOBODY))
}

const BEARERS: [Lane; 5] = [
    Lane::Absent,
    Lane::Basic,
    Lane::Forged,
    Lane::Powerless,
    Lane::Good,
];

/// The rules once more, as plainly as they can be written.
fn naive(host: &str, challenge: Held, held: Held, bearer: Lane, method: &str) -> String {
    let takes =
        |what: &str| host == "all" || host.contains(what) || (host == "both" && what != "tok");
    let (token, session) = (takes("tok"), takes("sess"));
    let has_challenge = takes("chal");
    let is_navigation = method == "GET";
    if token && !matches!(bearer, Lane::Absent | Lane::Basic) {
        return match bearer {
            Lane::Good => "forward token withheld",
            Lane::Forged => "401 token_signature",
            Lane::Absent
            | Lane::Basic
            | Lane::Malformed
            | Lane::Several
            | Lane::Expired
            | Lane::Bounded
            | Lane::Powerless
            | Lane::Elsewhere
            | Lane::ListOnly => "403 permission_missing",
        }
        .to_owned();
    }
    let met = challenge == Held::Good || (!token && bearer == Lane::Good);
    if has_challenge && !met {
        let sent = if is_navigation {
            "302 challenge"
        } else {
            "403 challenge_missing"
        };
        return sent.to_owned();
    }
    // Whatever could be a credential of ours stays here.
    let kept = match bearer {
        Lane::Absent | Lane::Basic | Lane::Forged => "kept",
        Lane::Malformed
        | Lane::Several
        | Lane::Expired
        | Lane::Good
        | Lane::Bounded
        | Lane::Powerless
        | Lane::Elsewhere
        | Lane::ListOnly => "withheld",
    };
    if !session {
        return if token {
            "401 token_missing".to_owned()
        } else {
            format!("forward none {kept}")
        };
    }
    match held {
        Held::Good => format!("forward session {kept}"),
        _ if is_navigation => "302 sign_in".to_owned(),
        Held::Absent => "401 session_missing".to_owned(),
        Held::Twice | Held::OtherCase => "401 several_sessions".to_owned(),
        Held::Expired => "401 session_expired".to_owned(),
        Held::Garbage | Held::OtherHost | Held::OtherKind | Held::OtherProject => {
            "401 session_broken".to_owned()
        }
    }
}

#[test]
fn a_naive_reading_agrees_with_every_row_of_the_lanes_of_browsers() {
    let mut count = 0;
    for host in ["sess", "chal", "both", "toksess", "tokchal", "all"] {
        for challenge in HELD {
            for held in HELD {
                for bearer in BEARERS {
                    for method in ["GET", "HEAD"] {
                        assert_eq!(
                            live(host, challenge, held, bearer, method),
                            naive(host, challenge, held, bearer, method),
                            "{method} {host} challenge {challenge:?} session {held:?} bearer {bearer:?}"
                        );
                        count += 1;
                    }
                }
            }
        }
    }
    assert_eq!(count, 6 * 9 * 9 * 5 * 2);
}

fn with_session(
    inputs: &'static [[u8; 16]],
    method: &str,
    path: &str,
    more: &str,
    ended: &Ended,
) -> String {
    let host = "sess.t.example.com";
    let session = session("p1", inputs, NOW + 60);
    let sealed = seal_session(&session, Kind::Session, &sealer(), host, &[5; 32]).unwrap();
    let fields = format!("Cookie: __Host-rstream_auth={sealed}\r\n{more}");
    word(&judged_at("sess", method, path, &fields, ended))
}

#[test]
fn who_is_signed_in_may_enter_what_the_rules_of_now_open() {
    let by = |inputs| with_session(inputs, "GET", "/", "", &NOBODY);
    assert_eq!(by(&[[10; 16]]), "forward session kept");
    assert_eq!(by(&[[11; 16]]), "403 session_not_allowed");
    // Nothing that it rested on is there any more.
    assert_eq!(by(&[[12; 16]]), "302 sign_in");
    let mut ended = Ended::default();
    let ana = user(&[1; 16], "ana");
    ended.note(user_at(&ana, "sess.t.example.com"), (NOW - 60) * 1000);
    let out = |method| with_session(&[[10; 16]], method, "/", "", &ended);
    assert_eq!(
        (out("GET").as_str(), out("HEAD").as_str()),
        ("302 sign_in", "401 session_ended")
    );
    // The old name is never a session.
    let bare = "Cookie: rstream_auth=x\r\n";
    assert_eq!(
        word(&judged_at("sess", "GET", "/", bare, &NOBODY)),
        "302 sign_in"
    );
}

/// S5.1: as with certificates, and every page that opens a WebSocket must say whose it is.
#[test]
fn pages_of_others_cause_nothing_with_a_session() {
    const WEBSOCKET: &str = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let own = "Origin: https://sess.t.example.com\r\n";
    let evil = "Origin: https://evil.t.example.com\r\n";
    let ask = |method, more: &str| with_session(&[[10; 16]], method, "/", more, &NOBODY);
    for (method, more, verdict) in [
        ("POST", own.to_owned(), "forward session kept"),
        ("POST", String::new(), "forward session kept"),
        ("POST", evil.to_owned(), "403 cross_origin"),
        (
            "POST",
            "Sec-Fetch-Site: same-site\r\n".to_owned(),
            "403 cross_origin",
        ),
        ("GET", evil.to_owned(), "forward session kept"),
        ("GET", format!("{WEBSOCKET}{own}"), "forward session kept"),
        ("GET", format!("{WEBSOCKET}{evil}"), "403 cross_origin"),
        ("GET", WEBSOCKET.to_owned(), "403 cross_origin"),
    ] {
        assert_eq!(ask(method, &more), verdict, "{method} {more}");
    }
}

/// Case of rstream 8.2, and S1.4: each page of the edge has one spelling.
#[test]
fn pages_of_the_edge_are_answered_and_never_forwarded() {
    for (host, method, path, verdict) in [
        (
            "sess",
            "GET",
            "/.well-known/rstream/session",
            "answer session of none",
        ),
        (
            "sess",
            "HEAD",
            "/.well-known/rstream/session?x",
            "answer session of none",
        ),
        (
            "sess",
            "POST",
            "/.well-known/rstream/session",
            "405 edge_page_read_only",
        ),
        (
            "chal",
            "GET",
            "/.well-known/rstream/session",
            "answer session of none",
        ),
        ("sess", "POST", "/.well-known/rstream/logout", "answer flow"),
        (
            "chal",
            "POST",
            "/.well-known/rstream/logout",
            "404 edge_path_unknown",
        ),
        (
            "sess",
            "GET",
            "/.well-known/rstream/sessio%6e",
            "404 edge_path_unknown",
        ),
        ("sess", "GET", "/api/auth/callback?code=x", "answer flow"),
        (
            "sess",
            "GET",
            "/api/auth/%63allback?code=x",
            "404 edge_path_unknown",
        ),
        ("chal", "GET", "/api/auth/callback", "302 challenge"),
        (
            "chal",
            "GET",
            "/api/challenge/callback?code=x",
            "answer flow",
        ),
        ("sess", "GET", "/api/challenge/callback", "302 sign_in"),
    ] {
        let found = word(&judged_at(host, method, path, "", &NOBODY));
        assert_eq!(found, verdict, "{method} {host} {path}");
    }
    let signed_in = with_session(
        &[[10; 16]],
        "GET",
        "/.well-known/rstream/session",
        "",
        &NOBODY,
    );
    assert_eq!(signed_in, "answer session of session");
}

#[test]
fn signing_in_has_its_pages_on_the_base_host() {
    let policy = policy_of_browsers();
    let base = |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n");
        word(&judge_with(&policy, plain(), &head, &mut memory()))
    };
    for path in [
        "/rstream/auth",
        "/rstream/auth/oidc/callback",
        "/rstream/logout",
        "/rstream/challenge?request=x",
        "/rstream/assets/a.css",
    ] {
        assert_eq!(base(path), "answer flow", "{path}");
    }
    for path in [
        "/",
        "/rstream",
        "/rstream/authx",
        "/api/auth/callback",
        "/rstream/%61uth",
    ] {
        assert_eq!(base(path), "404 host_unknown", "{path}");
    }
}

/// The rows of the table on file.
pub(super) fn write_table(table: &mut String) {
    let name = |held: Held| format!("{held:?}").to_lowercase();
    table.push_str(
        "# Browsers. sess: a tunnel where they sign in; chal: one with a challenge; both: with both; toksess and tokchal: with\n\
         # tokens too; all: with all three. challenge and session: the state of that cookie (otherkind: sealed as the other\n\
         # one, othercase: its name in another case); bearer: that of the token. 302: sent to the page of that name.\n\
         # tunnel   challenge    session      bearer     GET by a browser        anything else\n",
    );
    for host in ["sess", "chal", "both", "toksess", "tokchal", "all"] {
        for challenge in [Held::Absent, Held::Garbage, Held::Good] {
            for held in HELD {
                for bearer in BEARERS {
                    let verdict = |method| live(host, challenge, held, bearer, method);
                    let bearer = format!("{bearer:?}").to_lowercase();
                    let (challenge, held) = (name(challenge), name(held));
                    let (get, other) = (verdict("GET"), verdict("HEAD"));
                    writeln!(
                        table,
                        "{host:<10} {challenge:<12} {held:<12} {bearer:<10} {get:<23} {other}"
                    )
                    .unwrap();
                }
            }
        }
    }
}
