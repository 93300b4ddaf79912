//! The conformance cases of browsers by their numbers, over TLS before the real process; each is in the name of its test.
//!
//! | Case | Tunnel | A request with | Answer |
//! |---|---|---|---|
//! | 20 | token, sign-in | nothing: GET, POST, upgrade | 302, 401, 401 |
//! | 21 | token, sign-in | a bad token and a good session | 401 |
//! | 22 | token, sign-in | a good token and any cookie | goes through |
//! | 23 | sign-in | a session of somebody who may not enter the project | 403 |
//! | 24 | any | `GET /.well-known/rstream/session` of nobody | `authenticated: false` |
//! | 25 | sign-in | a logout with another page's `Origin` | 403, and the session stays |
//! | 26 | sign-in | a logout with its own `Origin` | 204, and the session is worth nothing |
//! | 27 | challenge | no cookie: GET, POST, upgrade | 302, 403, 403 |
//! | 28 | challenge, token | a good token, POST | goes through |
//! | 29 | challenge, sign-in | no cookie, GET | 302 to the challenge |
//! | 30 | challenge | the cookie of another tunnel | as without |

use adit::handover::{CHALLENGE_COOKIE, SESSION_COOKIE};

use super::world::{
    CHALLENGE, CHALLENGE_AND_SESSION, CHALLENGE_OR_TOKEN, OTHER_CHALLENGE, TOKEN_OR_SESSION,
    UPGRADE, World, cookie, passed, signed_in,
};
use crate::entering::user_of;
use crate::support::HOST;
use crate::support::folder::{signed, token};
use crate::support::http::{bearer, request};

const SESSION_PATH: &str = "/.well-known/rstream/session";
const LOGOUT_PATH: &str = "/.well-known/rstream/logout";

fn said(status: u16, reason: &str) -> (u16, String) {
    (status, reason.to_owned())
}

#[test]
fn case_20_nobody_is_sent_to_sign_in_where_a_person_would_see_it() {
    let mut world = World::new();
    let (answer, reason) = world.asks("GET", TOKEN_OR_SESSION, &[]);
    assert_eq!((answer.status(), reason.as_str()), (302, "sign_in"));
    let place = answer.field("location").unwrap();
    assert!(place.starts_with("https://edge.example/rstream/auth?request="));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    for (method, fields) in [("POST", &[][..]), ("HEAD", &[]), ("GET", &UPGRADE)] {
        let (answer, reason) = world.asks(method, TOKEN_OR_SESSION, fields);
        assert_eq!((answer.status(), reason.as_str()), (401, "session_missing"));
        assert_eq!(answer.field("location"), None);
    }
    let session = signed_in(&world.session(TOKEN_OR_SESSION));
    for method in ["GET", "POST"] {
        let judged = world.judges(method, TOKEN_OR_SESSION, &[&session]);
        assert_eq!(judged, said(200, "forwarded"));
    }
}

#[test]
fn case_21_and_case_22_where_there_is_a_token_the_cookie_is_not_asked() {
    let mut world = World::new();
    let session = signed_in(&world.session(TOKEN_OR_SESSION));
    let good = bearer(&token());
    let forged = bearer(&signed(
        "another secret, which is as long as it must be",
        None,
        60,
    ));
    let late = bearer(&signed(crate::support::SECRET, None, -1));
    for method in ["GET", "POST"] {
        for (bad, reason) in [(&forged, "token_signature"), (&late, "token_expired")] {
            let judged = world.judges(method, TOKEN_OR_SESSION, &[bad, &session]);
            assert_eq!(judged, said(401, reason));
        }
        for cookies in [&*session, "Cookie: a=1", &signed_in("garbage")] {
            let judged = world.judges(method, TOKEN_OR_SESSION, &[&good, cookies]);
            assert_eq!(judged, said(200, "forwarded"), "{cookies}");
        }
    }
    for head in world.origin.heads() {
        assert!(!head.contains("rstream_auth") && !head.contains("Bearer"));
    }
}

#[test]
fn case_23_who_may_not_enter_the_project_is_refused_though_signed_in() {
    let mut world = World::new();
    let session = signed_in(&world.session(HOST));
    let judged = world.judges("POST", HOST, &[&session]);
    assert_eq!(judged, said(200, "forwarded"));
    let elsewhere = "[[project]]\nid = \"proj-2\"\nworkspace = \"ws-1\"\n";
    world.reload(&format!("{}{elsewhere}", user_of("proj-2")));
    for method in ["GET", "POST"] {
        let judged = world.judges(method, HOST, &[&session]);
        assert_eq!(judged, said(403, "session_not_allowed"));
    }
}

#[test]
fn case_24_who_is_signed_in_is_told_by_the_edge_alone() {
    let world = World::new();
    let session = signed_in(&world.session(HOST));
    for host in [HOST, TOKEN_OR_SESSION, CHALLENGE, CHALLENGE_AND_SESSION] {
        let answer = world.get(host, SESSION_PATH, &[]);
        assert_eq!(answer.status(), 200, "{host}");
        assert_eq!(answer.body(), r#"{"auth":{"authenticated":false}}"#);
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        assert_eq!(answer.field("content-type"), Some("application/json"));
    }
    let answer = world.get(HOST, SESSION_PATH, &[&session]);
    assert!(answer.body().contains(r#""userId":"ana""#), "{}", answer.0);
    // What is sealed for one host says nothing at another.
    let answer = world.get(TOKEN_OR_SESSION, SESSION_PATH, &[&session]);
    assert_eq!(answer.body(), r#"{"auth":{"authenticated":false}}"#);
    assert_eq!(world.origin.heads(), Vec::<String>::new());
}

#[test]
fn case_25_and_case_26_a_logout_comes_from_a_page_of_the_tunnel() {
    let mut world = World::new();
    let session = signed_in(&world.session(HOST));
    let logout = |world: &World, origin: &str| {
        let empty = "Content-Length: 0";
        let fields = [&*session, origin, empty];
        world.send(HOST, &request("POST", HOST, LOGOUT_PATH, &fields))
    };
    for origin in [
        "Origin: https://evil.t.edge.example",
        "Origin: https://edge.example",
        "Origin: http://app.t.edge.example",
        "Origin: null",
        "Referer: https://evil.t.edge.example/",
    ] {
        let answer = logout(&world, origin);
        assert_eq!(answer.status(), 403, "{origin}");
        assert_eq!(cookie(&answer, SESSION_COOKIE), None);
        let judged = world.judges("POST", HOST, &[&session]);
        assert_eq!(judged, said(200, "forwarded"), "{origin}");
    }
    let answer = logout(&world, &format!("Origin: https://{HOST}"));
    assert_eq!(answer.status(), 204);
    assert_eq!(cookie(&answer, SESSION_COOKIE).as_deref(), Some(""));
    let judged = world.judges("POST", HOST, &[&session]);
    assert_eq!(judged, said(401, "session_ended"));
    let judged = world.judges("GET", HOST, &[&session]);
    assert_eq!(judged, said(302, "sign_in"));
    let logouts = |head: &String| head.contains(LOGOUT_PATH);
    assert!(!world.origin.heads().iter().any(logouts));
}

#[test]
fn case_27_and_case_30_a_challenge_is_met_at_each_tunnel() {
    let mut world = World::new();
    let (answer, reason) = world.asks("GET", CHALLENGE, &[]);
    assert_eq!((answer.status(), reason.as_str()), (302, "challenge"));
    let place = answer.field("location").unwrap();
    assert!(place.starts_with("https://edge.example/rstream/challenge?request="));
    let elsewhere = passed(&world.pass(OTHER_CHALLENGE));
    let judged = world.judges("POST", OTHER_CHALLENGE, &[&elsewhere]);
    assert_eq!(judged, said(200, "forwarded"));
    for cookies in ["Cookie: a=1", &*elsewhere] {
        let judged = world.judges("GET", CHALLENGE, &[cookies]);
        assert_eq!(judged, said(302, "challenge"));
        let mut upgrade = UPGRADE.to_vec();
        upgrade.push(cookies);
        for (method, fields) in [
            ("POST", &[cookies][..]),
            ("HEAD", &[cookies]),
            ("GET", &upgrade),
        ] {
            let judged = world.judges(method, CHALLENGE, fields);
            assert_eq!(judged, said(403, "challenge_missing"));
        }
    }
    let own = passed(&world.pass(CHALLENGE));
    for method in ["GET", "POST"] {
        let judged = world.judges(method, CHALLENGE, &[&own]);
        assert_eq!(judged, said(200, "forwarded"));
    }
    for head in world.origin.heads() {
        assert!(!head.contains(CHALLENGE_COOKIE), "{head}");
    }
}

#[test]
fn case_28_a_good_token_needs_no_challenge() {
    let mut world = World::new();
    let judged = world.judges("POST", CHALLENGE_OR_TOKEN, &[&bearer(&token())]);
    assert_eq!(judged, said(200, "forwarded"));
    let bad = bearer(&signed(
        "another secret, which is as long as it must be",
        None,
        60,
    ));
    let judged = world.judges("POST", CHALLENGE_OR_TOKEN, &[&bad]);
    assert_eq!(judged, said(401, "token_signature"));
    let judged = world.judges("POST", CHALLENGE_OR_TOKEN, &[]);
    assert_eq!(judged, said(403, "challenge_missing"));
    // Nor does a met challenge stand for a token.
    let pass = passed(&world.pass(CHALLENGE_OR_TOKEN));
    let judged = world.judges("POST", CHALLENGE_OR_TOKEN, &[&pass]);
    assert_eq!(judged, said(401, "token_missing"));
}

#[test]
fn case_29_a_challenge_comes_before_signing_in() {
    let mut world = World::new();
    let (answer, reason) = world.asks("GET", CHALLENGE_AND_SESSION, &[]);
    assert_eq!((answer.status(), reason.as_str()), (302, "challenge"));
    let place = answer.field("location").unwrap();
    assert!(place.starts_with("https://edge.example/rstream/challenge?request="));
    let pass = passed(&world.pass(CHALLENGE_AND_SESSION));
    let (answer, reason) = world.asks("GET", CHALLENGE_AND_SESSION, &[&pass]);
    assert_eq!((answer.status(), reason.as_str()), (302, "sign_in"));
    let place = answer.field("location").unwrap();
    assert!(place.starts_with("https://edge.example/rstream/auth?request="));
}
