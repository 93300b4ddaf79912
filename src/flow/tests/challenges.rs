//! Challenges: a proof of work, redeemed once, from the network that it was asked for.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::world::*;
use crate::handover::*;
use crate::pages;

/// What a core does for a browser that must meet a challenge first.
fn begins(world: &World, browser: &mut Browser, host: &str, target: &str) -> String {
    let state = browser.state(host);
    let request = ChallengeRequest {
        flow: FlowRequest {
            host,
            target,
            state: state_hash(state.as_bytes()),
            expires_at: world.now() + CHALLENGE_REQUEST_SECONDS,
        },
        prefix: client_prefix(browser.address.parse().ok()),
    };
    request.seal(&sealer(), BASE, &random())
}

fn nonce(request: &str) -> String {
    URL_SAFE_NO_PAD.encode(request_id(request.as_bytes()))
}

fn proves(request: &str, counter: &str) -> bool {
    pages::verify(&nonce(request), counter, 12)
}

fn counters() -> impl Iterator<Item = String> {
    (0u64..).map(|number| number.to_string())
}

fn work(request: &str) -> String {
    counters().find(|counter| proves(request, counter)).unwrap()
}

/// Looks at the page, and comes back with a counter as its script does.
fn meets(browser: &mut Browser, request: &str, counter: &str) -> Answer {
    let link = format!("{CHALLENGE_PATH}?request={request}");
    let page = browser.get(BASE, &link);
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains(&nonce(request)), "{}", page.body);
    assert!(page.body.contains("\"12\""), "{}", page.body);
    browser.get(BASE, &format!("{link}&counter={counter}"))
}

fn counts(world: &World, browser: &Browser, host: &str, address: &str) -> bool {
    let cookie = browser.cookie(host, CHALLENGE_COOKIE);
    let prefix = client_prefix(address.parse().ok());
    cookie.is_some_and(|cookie| {
        let at = (&prefix, world.now());
        let cookie = cookie.as_bytes();
        ChallengePass::counts(&sealer(), (host, "proj-1"), cookie, at, &mut Vec::new())
    })
}

#[test]
fn a_browser_that_works_gets_a_pass_for_its_network_and_comes_back() {
    let world = World::new();
    let mut browser = world.browser();
    let request = begins(&world, &mut browser, APP, "/a?b");
    let answer = meets(&mut browser, &request, &work(&request));
    assert_eq!(answer.status, 302);
    let answer = browser.follows(&answer);
    assert_eq!(answer.status, 302);
    let place = answer.field("location");
    assert_eq!(place, Some("https://app.t.edge.example.com:8443/a?b"));
    assert_eq!(answer.field("referrer-policy"), Some("no-referrer"));
    assert_eq!(browser.cookie(APP, STATE_COOKIE), None);
    assert_eq!(browser.cookie(APP, SESSION_COOKIE), None);
    assert!(counts(&world, &browser, APP, "192.0.2.200"));
    assert!(!counts(&world, &browser, APP, "198.51.100.1"));
    world.clock.advance(Duration::from_secs(3600));
    assert!(!counts(&world, &browser, APP, HOME));
}

#[test]
fn windows_that_open_together_all_come_back() {
    let world = World::new();
    let mut browser = world.browser();
    let first = begins(&world, &mut browser, APP, "/first");
    let second = begins(&world, &mut browser, APP, "/second");
    let answers = [&first, &second].map(|request| meets(&mut browser, request, &work(request)));
    for (answer, path) in answers.iter().zip(["/first", "/second"]) {
        let back = browser.follows(answer);
        assert_eq!(back.status, 302);
        let place = format!("https://app.t.edge.example.com:8443{path}");
        assert_eq!(back.field("location"), Some(&*place));
    }
    // The twin: without the pass that the quicker one got.
    let pass = (APP.to_owned(), CHALLENGE_COOKIE.to_owned());
    browser.cookies.remove(&pass);
    assert_eq!(browser.follows(&answers[1]).status, 403);
}

#[test]
fn a_proof_is_redeemed_once_in_time_and_from_its_network() {
    let world = World::new();
    let mut browser = world.browser();
    let request = begins(&world, &mut browser, APP, "/");
    let proof = work(&request);
    // Not 12 zero bits, or no counter at all.
    let wrong = counters().find(|one| !proves(&request, one));
    for bad in [&wrong.unwrap(), "", &"0".repeat(99)] {
        assert_eq!(meets(&mut browser, &request, bad).status, 403);
    }
    let answer = meets(&mut browser, &request, &proof);
    assert_eq!(answer.status, 302);
    assert_eq!(meets(&mut browser, &request, &proof).status, 400);
    // The code too serves once, and in this browser and network alone.
    let mut mallory = world.browser();
    assert_eq!(mallory.follows(&answer).status, 403);
    browser.address = "198.51.100.1";
    assert_eq!(browser.follows(&answer).status, 403);
    browser.address = HOME;
    let state = browser.cookie(APP, STATE_COOKIE).unwrap().to_owned();
    assert_eq!(browser.follows(&answer).status, 302);
    browser.keep(APP, STATE_COOKIE, &state);
    let pass = (APP.to_owned(), CHALLENGE_COOKIE.to_owned());
    browser.cookies.remove(&pass);
    assert_eq!(browser.follows(&answer).status, 400);
    // A request of another network, of another kind, and one that is too old.
    let mut elsewhere = world.browser_at("198.51.100.1");
    let request = begins(&world, &mut browser, APP, "/");
    let link = format!("{CHALLENGE_PATH}?request={request}");
    assert_eq!(elsewhere.get(BASE, &link).status, 400);
    let sign_in = browser
        .begins(APP, "/")
        .replace(SIGN_IN_PATH, CHALLENGE_PATH);
    assert_eq!(browser.get(BASE, &sign_in).status, 400);
    let other = format!("{SIGN_IN_PATH}?request={request}");
    assert_eq!(browser.get(BASE, &other).status, 400);
    world.clock.advance(Duration::from_secs(120));
    assert_eq!(browser.get(BASE, &link).status, 400);
    let request = begins(&world, &mut browser, PLAIN, "/");
    let link = format!("{CHALLENGE_PATH}?request={request}");
    assert_eq!(browser.get(BASE, &link).status, 400);
}

#[test]
fn the_code_of_a_challenge_is_no_sign_in() {
    let world = World::new();
    let mut browser = world.browser();
    let request = begins(&world, &mut browser, APP, "/");
    let answer = meets(&mut browser, &request, &work(&request));
    let place = answer.field("location").unwrap();
    let (_, code) = place.split_once("?code=").unwrap();
    let target = format!("{SIGN_IN_CALLBACK_PATH}?code={code}");
    assert_eq!(browser.get(APP, &target).status, 400);
}

#[test]
fn whoever_only_looks_redeems_nothing() {
    let world = World::new();
    let mut browser = world.browser();
    let request = begins(&world, &mut browser, APP, "/");
    let proof = work(&request);
    let link = format!("{CHALLENGE_PATH}?request={request}&counter={proof}");
    let looked = browser.send("HEAD", BASE, &link, &[], "");
    assert_eq!((looked.status, looked.field("location")), (200, None));
    let posted = browser.post(BASE, CHALLENGE_PATH, &[("counter", &proof)]);
    assert_eq!(posted.status, 405);
    let twice = format!("{link}&counter={proof}");
    assert_eq!(browser.get(BASE, &twice).status, 200);
    assert_eq!(meets(&mut browser, &request, &proof).status, 302);
}
