//! Signing out: at a tunnel, everywhere, and over a restart.

use std::time::Duration;

use super::world::*;
use crate::authn::session::Session;
use crate::handover::*;
use crate::seal::Kind;

/// Whether the session in a browser's cookie counts, as a core judges it.
fn counts(world: &World, browser: &Browser, host: &str) -> bool {
    let Some(cookie) = browser.cookie(host, SESSION_COOKIE) else {
        return false;
    };
    let mut scratch = Vec::new();
    let session: Session<'_> = open_session(
        Kind::Session,
        &sealer(),
        host,
        cookie.as_bytes(),
        &mut scratch,
    )
    .unwrap();
    let rules = rules().sign_in.unwrap().sessions;
    let at = (host, "proj-1");
    rules
        .judge(&session, at, &world.ended.copy(), world.now())
        .is_ok()
}

/// Whether the base host still knows the browser.
fn is_known(browser: &mut Browser) -> bool {
    let link = browser.begins(APP, "/");
    browser.get(BASE, &link).status == 302
}

#[test]
fn a_logout_at_a_tunnel_ends_its_session_and_that_of_the_base_host() {
    let world = World::new();
    let mut ana = world.browser();
    ana.enters(APP, "/");
    let link = ana.begins(SECOND, "/");
    let answer = ana.get(BASE, &link);
    ana.follows(&answer);
    let stolen = ana.cookie(APP, SESSION_COOKIE).unwrap().to_owned();
    assert!(counts(&world, &ana, APP) && counts(&world, &ana, SECOND));
    let answer = ana.send("POST", APP, LOGOUT_PATH, &[], "");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(ana.cookie(APP, SESSION_COOKIE), None);
    // Not only in the browser.
    ana.keep(APP, SESSION_COOKIE, &stolen);
    assert!(!counts(&world, &ana, APP));
    assert!(counts(&world, &ana, SECOND));
    assert!(!is_known(&mut ana));
    // The next sign-in is a new one.
    world.clock.advance(Duration::from_millis(1));
    ana.enters(APP, "/");
    assert!(counts(&world, &ana, APP));
}

#[test]
fn a_logout_at_the_base_host_ends_all_sessions_of_the_user_alone() {
    let world = World::new();
    let (mut ana, mut elsewhere) = (world.browser(), world.browser());
    for browser in [&mut ana, &mut elsewhere] {
        browser.enters(APP, "/");
    }
    let page = ana.get(BASE, BASE_LOGOUT_PATH);
    assert_eq!(page.status, 200);
    let token = page.hidden("form_token");
    for (origin, token) in [
        ("https://app.t.edge.example.com:8443", token.as_str()),
        ("https://edge.example.com:8443", "x"),
    ] {
        let headers = [
            ("Origin", origin),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let body = form(&[("form_token", token)]);
        let answer = ana.send("POST", BASE, BASE_LOGOUT_PATH, &headers, &body);
        assert_eq!(answer.status, 403);
    }
    assert!(counts(&world, &ana, APP));
    let answer = ana.post(BASE, BASE_LOGOUT_PATH, &[("form_token", &token)]);
    assert_eq!(answer.status, 200);
    assert_eq!(ana.cookie(BASE, BASE_COOKIE), None);
    assert!(!counts(&world, &ana, APP) && !counts(&world, &elsewhere, APP));
    assert!(!is_known(&mut elsewhere));
    assert!(!ana.get(BASE, BASE_LOGOUT_PATH).body.contains("form_token"));
}

#[test]
fn a_code_made_before_a_logout_gives_no_session_after_it() {
    let world = World::new();
    let mut ana = world.browser();
    ana.enters(APP, "/");
    let link = ana.begins(SECOND, "/");
    let code = ana.get(BASE, &link);
    assert_eq!(code.status, 302);
    let page = ana.get(BASE, BASE_LOGOUT_PATH);
    ana.post(
        BASE,
        BASE_LOGOUT_PATH,
        &[("form_token", &page.hidden("form_token"))],
    );
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(ana.follows(&code).status, 403);
    assert_eq!(ana.cookie(SECOND, SESSION_COOKIE), None);
}

#[test]
fn a_logout_outlives_the_process() {
    let world = World::new();
    let mut ana = world.browser();
    ana.enters(APP, "/");
    let stolen = ana.cookies.clone();
    ana.send("POST", APP, LOGOUT_PATH, &[], "");
    let next = world.restarted();
    let mut mallory = next.browser();
    mallory.cookies = stolen;
    assert!(!counts(&next, &mallory, APP));
    assert!(!is_known(&mut mallory));
}

#[test]
fn the_logout_of_a_tunnel_is_answered_by_its_rules() {
    let world = World::new();
    let mut ana = world.browser();
    ana.enters(APP, "/");
    let session = ana.cookie(APP, SESSION_COOKIE).unwrap().to_owned();
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let answer = ana.send(method, APP, LOGOUT_PATH, &[], "");
        assert_eq!((answer.status, answer.field("allow")), (405, Some("POST")));
    }
    let own = "https://app.t.edge.example.com:8443";
    for (headers, body, status) in [
        (&[("Content-Type", "text/plain")][..], "", 415),
        (
            &[("Content-Type", "application/x-www-form-urlencoded")],
            "a=b",
            415,
        ),
        (&[], "{}", 415),
        (&[("Origin", "null")], "", 403),
        (&[("Origin", "https://evil.example")], "", 403),
        (&[("Origin", "https://edge.example.com:8443")], "", 403),
        (&[("Origin", "https://b.t.edge.example.com:8443")], "", 403),
        (&[("Origin", "https://app.t.edge.example.com")], "", 403),
        (&[("Origin", own), ("Origin", "null")], "", 403),
        (&[("Referer", "https://evil.example/")], "", 403),
        (
            &[("Referer", "https://app.t.edge.example.com:84431/")],
            "",
            403,
        ),
        (
            &[("Referer", "https://app.t.edge.example.com:8443.evil/")],
            "",
            403,
        ),
        (
            &[("Origin", own), ("Referer", "https://evil.example/")],
            "",
            403,
        ),
    ] {
        let answer = ana.send("POST", APP, LOGOUT_PATH, headers, body);
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.field("set-cookie"), None);
        assert!(counts(&world, &ana, APP));
    }
    // Without a session there is nothing to end.
    let mut nobody = world.browser();
    for cookie in ["", "x"] {
        if !cookie.is_empty() {
            nobody.keep(APP, SESSION_COOKIE, cookie);
        }
        let answer = nobody.send("POST", APP, LOGOUT_PATH, &[], "");
        assert_eq!((answer.status, answer.field("set-cookie")), (204, None));
    }
    assert_eq!(nobody.send("POST", PLAIN, LOGOUT_PATH, &[], "").status, 204);
    for headers in [
        &[
            ("Origin", own),
            ("Referer", "https://app.t.edge.example.com:8443/a"),
        ][..],
        &[("Content-Type", "application/json; charset=utf-8")],
        &[("Referer", own)],
    ] {
        ana.keep(APP, SESSION_COOKIE, &session);
        let answer = ana.send("POST", APP, LOGOUT_PATH, headers, "");
        assert_eq!(answer.status, 204, "{headers:?}");
    }
    assert!(!counts(&world, &ana, APP));
}
