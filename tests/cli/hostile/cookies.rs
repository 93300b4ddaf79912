//! Cookies that are not what the edge left, in raw requests: none is a session, and the log says why.

use adit::authn::session::short;
use adit::handover::{SESSION_COOKIE, STATE_COOKIE};

use super::world::{
    CHALLENGE, SECOND, TOKEN_OR_SESSION, World, cookie, passed, resealed, signed_in,
};
use crate::support::HOST;

/// No session: a browser is sent to sign in, and everything else is refused with this reason.
fn is_nothing(world: &mut World, line: &str, reason: &str) {
    let judged = world.judges("GET", HOST, &[line]);
    assert_eq!(judged, (302, "sign_in".to_owned()), "{line}");
    for method in ["POST", "HEAD"] {
        let judged = world.judges(method, HOST, &[line]);
        assert_eq!(judged, (401, reason.to_owned()), "{line}");
    }
}

fn is_signed_in(world: &mut World, line: &str) {
    for method in ["GET", "POST"] {
        let judged = world.judges(method, HOST, &[line]);
        assert_eq!(judged, (200, "forwarded".to_owned()), "{line}");
    }
}

#[test]
fn a_session_counts_as_it_was_left_and_at_its_host_alone() {
    let mut world = World::new();
    let own = world.session(HOST);
    is_signed_in(&mut world, &signed_in(&own));
    for host in [SECOND, TOKEN_OR_SESSION] {
        let other = world.session(host);
        is_nothing(&mut world, &signed_in(&other), "session_broken");
    }
    // One byte of each part: the salt, the text, the tag.
    for place in [0, own.len() / 2, own.len() - 3] {
        let mut changed = own.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        is_nothing(&mut world, &signed_in(&changed), "session_broken");
    }
    for value in [
        "",
        &own[..own.len() - 1],
        &format!("{own}A"),
        &format!("{own}="),
        &format!("\"{own}\""),
        &"A".repeat(9000),
        &format!("{own}{}", "A".repeat(9000)),
    ] {
        is_nothing(&mut world, &signed_in(value), "session_broken");
    }
    is_signed_in(
        &mut world,
        &format!("Cookie: a=1; {SESSION_COOKIE}={own};b"),
    );
}

#[test]
fn a_cookie_beyond_what_a_head_may_have_is_refused_with_it() {
    let world = World::new();
    let own = world.session(HOST);
    let long = format!("Cookie: a={}; {SESSION_COOKIE}={own}", "A".repeat(70_000));
    let answer = world.get(HOST, "/long", &[&long]);
    assert_eq!(answer.status(), 431);
    assert_eq!(world.origin.heads(), Vec::<String>::new());
}

#[test]
fn two_sessions_are_none_and_an_old_name_is_not_even_one() {
    let mut world = World::new();
    let own = world.session(HOST);
    let good = format!("{SESSION_COOKIE}={own}");
    let other_case = good.replacen("__Host", "__HOST", 1);
    for line in [
        format!("Cookie: {good}; {good}"),
        format!("Cookie: {SESSION_COOKIE}=tossed; {good}"),
        format!("Cookie: {good}; {SESSION_COOKIE}"),
        format!("Cookie: {good}\r\nCookie: {SESSION_COOKIE}=tossed"),
        format!("Cookie: {other_case}"),
        format!("Cookie: {other_case}; {good}"),
        format!("Cookie: ={good}; {good}"),
    ] {
        is_nothing(&mut world, &line, "several_sessions");
    }
    let bare = format!("rstream_auth={own}");
    is_nothing(&mut world, &format!("Cookie: {bare}"), "session_missing");
    // A neighbour can leave that one; it locks nobody out, and stays here.
    is_signed_in(&mut world, &format!("Cookie: {bare}; {good}; {bare}"));
    for head in world.origin.heads() {
        assert!(!head.contains("rstream_auth"), "{head}");
    }
}

#[test]
fn a_session_ends_with_its_time_and_is_for_its_project() {
    let mut world = World::new();
    let own = world.session(HOST);
    let changed = |change: fn(&mut adit::authn::session::Session<'_>)| {
        signed_in(&resealed(&own, HOST, change))
    };
    let (late, elsewhere, nobody, same) = (
        changed(|session| session.expires_at = session.claims_at),
        changed(|session| session.project = short(&[b"proj-2"])),
        changed(|session| session.provider = [0; 16]),
        changed(|_| ()),
    );
    is_nothing(&mut world, &late, "session_expired");
    is_nothing(&mut world, &elsewhere, "session_broken");
    is_nothing(&mut world, &nobody, "session_broken");
    is_signed_in(&mut world, &same);
}

#[test]
fn what_was_sealed_for_something_else_is_no_session() {
    let mut world = World::new();
    let (state, link) = world.begins(HOST);
    let (_, request) = link.split_once("request=").unwrap();
    let code = world.code(&link);
    let (_, code) = code.split_once("code=").unwrap();
    let pass = world.pass(CHALLENGE);
    for value in [&*state, request, code, &*pass] {
        is_nothing(&mut world, &signed_in(value), "session_broken");
    }
    // Nor is a session a met challenge.
    let session = world.session(HOST);
    let judged = world.judges("POST", CHALLENGE, &[&passed(&session)]);
    assert_eq!(judged, (403, "challenge_missing".to_owned()));
    let judged = world.judges("POST", CHALLENGE, &[&passed(&pass)]);
    assert_eq!(judged, (200, "forwarded".to_owned()));
}

/// All windows of a browser share one state cookie, and nothing that is not one of ours is taken for it.
#[test]
fn a_browser_that_has_begun_goes_on_with_its_state_cookie() {
    let world = World::new();
    let (state, _) = world.begins(HOST);
    let (other, _) = world.begins(HOST);
    assert_ne!(state, other);
    for host in [HOST, CHALLENGE] {
        let left = |fields: &str| cookie(&world.get(host, "/", &[fields]), STATE_COOKIE).unwrap();
        assert_eq!(left(&format!("Cookie: a=b; {STATE_COOKIE}={state}")), state);
        for fields in [
            format!("Cookie: {STATE_COOKIE}={state}; {STATE_COOKIE}={other}"),
            format!("Cookie: {STATE_COOKIE}={}", &state[1..]),
            format!("Cookie: {STATE_COOKIE}={state}x"),
            format!("Cookie: {STATE_COOKIE}={};", "a=".repeat(22)),
            format!("Cookie: {}={state}", STATE_COOKIE.to_ascii_uppercase()),
        ] {
            let new = left(&fields);
            assert_eq!(new.len(), 43, "{fields}");
            assert!(![&*state, &*other].contains(&&*new), "{fields}");
        }
    }
}

/// S5.3: a code is worth something beside its state cookie, and once.
#[test]
fn a_code_is_for_the_browser_that_began_and_serves_once() {
    let mut world = World::new();
    let (state, link) = world.begins(HOST);
    let (other_state, _) = world.begins(HOST);
    let code = world.code(&link);
    let nothing = |answer: &crate::support::http::Answer, status| {
        assert_eq!(answer.status(), status, "{}", answer.0);
        assert_eq!(cookie(answer, SESSION_COOKIE), None);
    };
    nothing(&world.get(HOST, &code, &[]), 403);
    nothing(&world.comes_back(HOST, &code, &other_state), 403);
    let twice = format!("Cookie: {STATE_COOKIE}={state}; {STATE_COOKIE}={other_state}");
    nothing(&world.get(HOST, &code, &[&twice]), 403);
    nothing(&world.comes_back(SECOND, &code, &state), 400);
    // The link of the flow is no code, whoever asks with it.
    let (_, request) = link.split_once("request=").unwrap();
    for parameter in ["code", "request"] {
        let target = format!("/api/auth/callback?{parameter}={request}");
        nothing(&world.comes_back(HOST, &target, &state), 400);
    }
    let back = world.comes_back(HOST, &code, &state);
    assert_eq!(back.status(), 302);
    assert_eq!(back.field("referrer-policy"), Some("no-referrer"));
    assert_eq!(back.field("cache-control"), Some("no-store"));
    let session = signed_in(&cookie(&back, SESSION_COOKIE).unwrap());
    nothing(&world.comes_back(HOST, &code, &state), 400);
    let another = world.code(&link);
    nothing(&world.comes_back(HOST, &another, &state), 400);
    assert_eq!(world.origin.heads(), Vec::<String>::new());
    is_signed_in(&mut world, &session);
}
