//! Signing in, and every way in which it must not work.

use std::sync::mpsc::channel;
use std::time::Duration;

use super::world::*;
use crate::authn::session::Session;
use crate::flow::Flow;
use crate::handover::*;
use crate::limits::{PASSWORD_QUEUE_MAX, PASSWORD_THREADS};
use crate::seal::Kind;

/// Who the session in a browser's cookie is.
fn subject(browser: &Browser, host: &str) -> Option<String> {
    let cookie = browser.cookie(host, SESSION_COOKIE)?;
    let mut scratch = Vec::new();
    let cookie = cookie.as_bytes();
    let session = open_session(Kind::Session, &sealer(), host, cookie, &mut scratch);
    Some(session.unwrap().subject.to_owned())
}

#[test]
fn a_browser_signs_in_and_comes_back_to_where_it_wanted() {
    let world = World::new();
    let mut ana = world.browser();
    let link = ana.begins(APP, "/a?b=c&d=%2f");
    let page = ana.get(BASE, &link);
    assert_eq!(page.status, 200);
    assert!(page.body.contains(APP));
    assert_eq!(page.field("cache-control"), Some("no-store"));
    assert_eq!(
        page.field("cross-origin-opener-policy"),
        Some("same-origin")
    );
    // With `no-referrer` the form would come with `Origin: null`.
    assert_eq!(page.field("referrer-policy"), Some("same-origin"));
    let policy = page.field("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    let form_cookie = ana.cookie(BASE, FORM_COOKIE).unwrap().to_owned();
    let answer = ana.signs_in(&link, "ana", "correct horse");
    assert_eq!(answer.status, 200);
    let place = answer.place().unwrap();
    assert!(place.starts_with("https://app.t.edge.example.com:8443/api/auth/callback?code="));
    assert!(ana.cookie(BASE, BASE_COOKIE).is_some());
    // Forms in other tabs hang on it.
    assert_eq!(ana.cookie(BASE, FORM_COOKIE), Some(form_cookie.as_str()));
    assert!(!form_cookie.is_empty() && subject(&ana, APP).is_none());
    let answer = ana.follows(&answer);
    assert_eq!(answer.status, 302);
    let place = answer.field("location");
    assert_eq!(
        place,
        Some("https://app.t.edge.example.com:8443/a?b=c&d=%2f")
    );
    assert_eq!(answer.field("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!(subject(&ana, APP).as_deref(), Some("ana"));
    assert_eq!(ana.cookie(APP, STATE_COOKIE), None);
}

#[test]
fn one_sign_in_serves_the_tunnels_that_the_user_may_enter_and_no_others() {
    let world = World::new();
    let mut ana = world.browser();
    ana.enters(APP, "/");
    world.clock.advance(Duration::from_secs(3600));
    let link = ana.begins(SECOND, "/x");
    let answer = ana.get(BASE, &link);
    assert_eq!(answer.status, 302);
    assert_eq!(ana.follows(&answer).status, 302);
    assert_eq!(subject(&ana, SECOND).as_deref(), Some("ana"));
    // All of them end when the sign-in does.
    let mut ends = Vec::new();
    for host in [APP, SECOND] {
        let cookie = ana.cookie(host, SESSION_COOKIE).unwrap().as_bytes();
        let mut scratch = Vec::new();
        let session: Session<'_> =
            open_session(Kind::Session, &sealer(), host, cookie, &mut scratch).unwrap();
        ends.push(session.expires_at);
    }
    assert_eq!(ends[0], ends[1]);
    // Of another project no code is made.
    let link = ana.begins(OTHER, "/");
    let answer = ana.get(BASE, &link);
    assert_eq!((answer.status, answer.place()), (403, None));
    // And not for somebody who only signs in for it.
    let mut ana = world.browser();
    let link = ana.begins(OTHER, "/");
    let answer = ana.signs_in(&link, "ana", "correct horse");
    assert_eq!((answer.status, answer.place()), (403, None));
    // The session of the base host ends with its time.
    let mut ana = world.browser();
    ana.enters(APP, "/");
    world.clock.advance(Duration::from_secs(8 * 3600));
    let link = ana.begins(APP, "/");
    assert_eq!(ana.get(BASE, &link).status, 200);
}

#[test]
fn each_sign_in_makes_a_new_session() {
    let world = World::new();
    let mut ana = world.browser();
    ana.enters(APP, "/");
    let first = ana.cookie(BASE, BASE_COOKIE).unwrap().to_owned();
    ana.cookies
        .remove(&(BASE.to_owned(), BASE_COOKIE.to_owned()));
    ana.keep(BASE, BASE_COOKIE, "planted");
    ana.enters(APP, "/");
    let second = ana.cookie(BASE, BASE_COOKIE).unwrap();
    assert!(second != first && second != "planted");
}

#[test]
fn a_wrong_password_and_an_unknown_name_are_answered_alike() {
    let world = World::new();
    let mut answers = Vec::new();
    for (name, password) in [
        ("ana", "wrong"),
        ("nobody", "wrong"),
        ("nobody", "correct horse"),
        ("", ""),
        ("ANA", "correct horse"),
        ("ana", "correct horse "),
    ] {
        let mut browser = world.browser_at("");
        let link = browser.begins(APP, "/");
        let answer = browser.signs_in(&link, name, password);
        assert_eq!(answer.status, 403, "{name}");
        assert_eq!(browser.cookie(BASE, BASE_COOKIE), None);
        let body = answer.body.replace(&answer.hidden("request"), "");
        let body = body.replace(&answer.hidden("form_token"), "");
        // What was typed is shown again.
        let typed = format!("value=\"{name}\">\n<label");
        assert!(body.contains(&typed), "{body}");
        if !name.is_empty() {
            answers.push(body.replace(&typed, "<label"));
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[test]
fn a_code_serves_once() {
    let world = World::new();
    let mut ana = world.browser();
    let link = ana.begins(APP, "/");
    let state = ana.cookie(APP, STATE_COOKIE).unwrap().to_owned();
    let answer = ana.signs_in(&link, "ana", "correct horse");
    assert_eq!(ana.follows(&answer).status, 302);
    ana.cookies.clear();
    ana.keep(APP, STATE_COOKIE, &state);
    let again = ana.follows(&answer);
    assert_eq!((again.status, ana.cookie(APP, SESSION_COOKIE)), (400, None));
    // A cookie that serves for nothing any more is taken back, or whatever is begun next would fail.
    assert_eq!(ana.cookie(APP, STATE_COOKIE), None);
    // Nor does the state cookie serve for another code of the same request.
    let answer = ana.signs_in(&link, "ana", "correct horse");
    ana.keep(APP, STATE_COOKIE, &state);
    assert_eq!(ana.follows(&answer).status, 400);
}

/// Mallory starts a flow, and Ana signs in through his link (S5.3).
#[test]
fn who_follows_somebody_else_s_link_gets_him_nothing() {
    let world = World::new();
    let (mut mallory, mut ana) = (world.browser_at("198.51.100.1"), world.browser());
    let link = mallory.begins(APP, "/");
    let answer = ana.signs_in(&link, "ana", "correct horse");
    assert!(answer.place().is_some());
    // Her browser has the code and not his cookie, with or without one of its own.
    let refused = ana.follows(&answer);
    assert_eq!((refused.status, refused.field("set-cookie")), (403, None));
    ana.begins(APP, "/");
    assert_eq!(ana.follows(&answer).status, 403);
    assert_eq!(subject(&ana, APP), None);
    // His has the cookie; the link completes nothing, however often he asks.
    for target in [
        "/api/auth/callback".to_owned(),
        link.replace(SIGN_IN_PATH, SIGN_IN_CALLBACK_PATH),
        link.replace(SIGN_IN_PATH, SIGN_IN_CALLBACK_PATH)
            .replace("request=", "code="),
    ] {
        assert_eq!(mallory.get(APP, &target).status, 400, "{target}");
    }
    assert_eq!(mallory.get(BASE, &link).status, 200);
    assert_eq!(subject(&mallory, APP), None);
}

#[test]
fn windows_that_open_together_all_come_back() {
    let world = World::new();
    let mut ana = world.browser();
    let [first, second] = ["/first", "/second"].map(|target| ana.begins(APP, target));
    let answers = [
        ana.signs_in(&first, "ana", "correct horse"),
        ana.get(BASE, &second),
    ];
    for (answer, path) in answers.iter().zip(["/first", "/second"]) {
        let back = ana.follows(answer);
        assert_eq!(back.status, 302);
        let place = format!("https://app.t.edge.example.com:8443{path}");
        assert_eq!(back.field("location"), Some(&*place));
    }
}

#[test]
fn codes_and_requests_are_for_their_host_and_time() {
    let world = World::new();
    let mut ana = world.browser();
    let link = ana.begins(APP, "/");
    let state = ana.cookie(APP, STATE_COOKIE).unwrap().to_owned();
    let answer = ana.signs_in(&link, "ana", "correct horse");
    let place = answer.place().unwrap();
    let (_, target) = place.split_once(":8443").unwrap();
    for host in [SECOND, OTHER] {
        ana.keep(host, STATE_COOKIE, &state);
        assert_eq!(ana.get(host, target).status, 400, "{host}");
        assert_eq!(ana.cookie(host, SESSION_COOKIE), None);
    }
    assert_eq!(ana.get(PLAIN, target).status, 404);
    assert_eq!(ana.get(BASE, target).status, 404);
    assert_eq!(ana.get("unknown.example.com", target).status, 404);
    for code in ["", "x", "A".repeat(7000).as_str()] {
        let target = format!("{SIGN_IN_CALLBACK_PATH}?code={code}");
        assert_eq!(ana.get(APP, &target).status, 400);
    }
    let twice = format!("{target}&code=x");
    assert_eq!(ana.get(APP, &twice).status, 400);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(ana.get(APP, target).status, 400);
    // The request lives longer, and not for ever.
    let mut ana = world.browser();
    assert_eq!(ana.get(BASE, &link).status, 200);
    world.clock.advance(Duration::from_secs(540));
    assert_eq!(ana.get(BASE, &link).status, 400);
    for link in ["", "?request=", "?request=x", "?x=y"] {
        assert_eq!(ana.get(BASE, &format!("{SIGN_IN_PATH}{link}")).status, 400);
    }
    let link = ana.begins(PLAIN, "/");
    assert_eq!(ana.get(BASE, &link).status, 400);
    let link = ana.begins("gone.example.com", "/");
    assert_eq!(ana.get(BASE, &link).status, 400);
}

#[test]
fn nobody_is_sent_to_another_host() {
    let world = World::new();
    for target in [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "@evil.example",
        ".evil.example",
        "/a\r\nLocation: https://evil.example",
        "/\tevil",
        "",
    ] {
        let mut ana = world.browser();
        let answer = ana.enters(APP, target);
        assert_eq!(answer.status, 302, "{target:?}");
        let place = answer.field("location");
        assert_eq!(
            place,
            Some("https://app.t.edge.example.com:8443/"),
            "{target:?}"
        );
    }
}

#[test]
fn a_form_is_taken_from_its_own_page_and_browser_alone() {
    let world = World::new();
    let mut ana = world.browser();
    let link = ana.begins(APP, "/");
    let page = ana.get(BASE, &link);
    let (request, token) = (page.hidden("request"), page.hidden("form_token"));
    let fields = [
        ("request", request.as_str()),
        ("form_token", token.as_str()),
        ("user", "ana"),
        ("password", "correct horse"),
    ];
    let body = form(&fields);
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let own = ("Origin", "https://edge.example.com:8443");
    for (headers, status) in [
        (&[kind][..], 403),
        (&[kind, ("Origin", "null")], 403),
        (&[kind, ("Origin", "https://edge.example.com")], 403),
        (&[kind, ("Origin", "http://edge.example.com:8443")], 403),
        (
            &[kind, ("Origin", "https://app.t.edge.example.com:8443")],
            403,
        ),
        (&[kind, own, own], 403),
        (&[kind, own, ("Sec-Fetch-Site", "same-site")], 403),
        (&[own], 415),
        (&[own, ("Content-Type", "text/plain")], 415),
        (&[own, ("Content-Type", "multipart/form-data")], 415),
    ] {
        let answer = ana.send("POST", BASE, SIGN_IN_PATH, headers, &body);
        assert_eq!(answer.status, status, "{headers:?}");
    }
    // Without the cookie, with another, and for another request.
    let mut mallory = world.browser();
    assert_eq!(mallory.post(BASE, SIGN_IN_PATH, &fields).status, 403);
    let other = mallory.begins(APP, "/");
    mallory.get(BASE, &other);
    assert_eq!(mallory.post(BASE, SIGN_IN_PATH, &fields).status, 403);
    let second = ana.begins(APP, "/second");
    let second = second.split_once("request=").unwrap().1.to_owned();
    let mut changed = fields;
    changed[0].1 = &second;
    assert_eq!(ana.post(BASE, SIGN_IN_PATH, &changed).status, 403);
    for missing in 0..fields.len() {
        let mut fewer = fields.to_vec();
        fewer.remove(missing);
        let status = ana.post(BASE, SIGN_IN_PATH, &fewer).status;
        assert_eq!(status, 403, "{missing}");
    }
    let long = "a".repeat(17 * 1024);
    let mut changed = fields;
    changed[3].1 = &long;
    assert_eq!(ana.post(BASE, SIGN_IN_PATH, &changed).status, 413);
    assert_eq!(
        ana.send("PUT", BASE, SIGN_IN_PATH, &[kind, own], &body)
            .status,
        405
    );
    assert_eq!(ana.cookie(BASE, BASE_COOKIE), None);
    // And it was good all the time.
    assert!(ana.post(BASE, SIGN_IN_PATH, &fields).place().is_some());
}

#[test]
fn two_cookies_of_a_name_are_none() {
    let world = World::new();
    let mut ana = world.browser();
    let link = ana.begins(APP, "/");
    let answer = ana.signs_in(&link, "ana", "correct horse");
    let place = answer.place().unwrap();
    let (_, target) = place.split_once(":8443").unwrap();
    let planted = format!("{STATE_COOKIE}=planted");
    let cookie = [("Cookie", planted.as_str())];
    assert_eq!(ana.send("GET", APP, target, &cookie, "").status, 403);
    assert_eq!(ana.get(APP, target).status, 302);
}

#[test]
fn a_client_that_fails_again_and_again_waits_and_others_do_not() {
    let world = World::new();
    let mut mallory = world.browser_at("198.51.100.1");
    let link = mallory.begins(APP, "/");
    for _ in 0..5 {
        assert_eq!(mallory.signs_in(&link, "bob", "wrong").status, 403);
    }
    let answer = mallory.signs_in(&link, "nobody", "wrong");
    assert_eq!(answer.status, 429);
    assert!(answer.field("retry-after").is_some());
    let mut neighbour = world.browser_at("198.51.100.2");
    neighbour.enters(APP, "/");
    world.clock.advance(Duration::from_secs(3));
    assert!(
        mallory
            .signs_in(&link, "ana", "correct horse")
            .place()
            .is_some()
    );
}

#[test]
fn who_is_in_already_comes_back_whichever_window_was_quicker() {
    let world = World::new();
    let mut ana = world.browser();
    ana.enters(APP, "/");
    let session = ana.cookie(APP, SESSION_COOKIE).unwrap().to_owned();
    let link = ana.begins(APP, "/late");
    let answer = ana.get(BASE, &link);
    ana.cookies
        .remove(&(APP.to_owned(), STATE_COOKIE.to_owned()));
    let back = ana.follows(&answer);
    assert_eq!((back.status, back.field("set-cookie")), (302, None));
    let place = back.field("location");
    assert_eq!(place, Some("https://app.t.edge.example.com:8443/late"));
    assert_eq!(ana.cookie(APP, SESSION_COOKIE), Some(&*session));
    ana.keep(APP, SESSION_COOKIE, "worthless");
    assert_eq!(ana.follows(&answer).status, 403);
}

#[test]
fn one_user_does_not_fill_what_is_remembered() {
    let world = World::new();
    let mut ana = world.browser();
    ana.enters(APP, "/");
    // A minute may end in between.
    let refused = (0..200).any(|_| {
        let session = (APP.to_owned(), SESSION_COOKIE.to_owned());
        ana.cookies.remove(&session);
        let link = ana.begins(APP, "/");
        let answer = ana.get(BASE, &link);
        ana.follows(&answer).status == 429
    });
    assert!(refused);
    world.clock.advance(Duration::from_secs(60));
    let link = ana.begins(APP, "/");
    let answer = ana.get(BASE, &link);
    assert_eq!(ana.follows(&answer).status, 302);
}

/// Keeps both threads and the queue busy until the answer is dropped.
fn occupy(flow: &std::sync::Arc<Flow>) -> std::sync::mpsc::Sender<()> {
    let (busy, free) = channel::<()>();
    let free = std::sync::Arc::new(std::sync::Mutex::new(free));
    let (began, begun) = channel();
    let queue = |wait_for_begin: bool| {
        let (free, began, flow) = (free.clone(), began.clone(), flow.clone());
        let job = move || {
            let _ = began.send(());
            let _ = free.lock().unwrap().recv();
        };
        let (queued, is_queued) = channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(async {
                let running = flow.passwords.run(job);
                tokio::pin!(running);
                let first = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(running.as_mut().poll(context).is_pending())
                });
                let _ = queued.send(first.await);
                let _ = running.await;
            });
        });
        assert!(is_queued.recv().unwrap());
        if wait_for_begin {
            begun.recv().unwrap();
        }
    };
    for _ in 0..PASSWORD_THREADS {
        queue(true);
    }
    for _ in 0..PASSWORD_QUEUE_MAX {
        queue(false);
    }
    busy
}

#[test]
fn a_full_queue_is_answered_503_and_counts_against_nobody() {
    let world = World::new();
    let mut ana = world.browser();
    let link = ana.begins(APP, "/");
    let busy = occupy(&world.flow);
    for _ in 0..10 {
        let answer = ana.signs_in(&link, "ana", "correct horse");
        assert_eq!(answer.status, 503);
    }
    drop(busy);
    // As soon as there is room again.
    let answer = loop {
        let answer = ana.signs_in(&link, "ana", "correct horse");
        if answer.status != 503 {
            break answer;
        }
    };
    assert!(answer.place().is_some());
}

#[test]
fn flows_that_nobody_finishes_cost_nothing() {
    let world = World::new();
    for _ in 0..50 {
        let mut browser = world.browser();
        let link = browser.begins(APP, "/");
        assert_eq!(browser.get(BASE, &link).status, 200);
    }
    let mut ana = world.browser();
    for _ in 0..3 {
        let link = ana.begins(APP, "/");
        ana.cookies
            .remove(&(BASE.to_owned(), BASE_COOKIE.to_owned()));
        assert!(
            ana.signs_in(&link, "ana", "correct horse")
                .place()
                .is_some()
        );
    }
    assert!(format!("{:?}", crate::flow::lock(&world.flow.used)).contains("used: {}"));
}

#[test]
fn what_is_no_path_of_ours_is_not_found_and_heads_have_no_body() {
    let world = World::new();
    let mut ana = world.browser();
    for target in [
        "/",
        "/rstream",
        "/rstream/auth/",
        "/rstream/assets/x",
        "/RSTREAM/auth",
    ] {
        assert_eq!(ana.get(BASE, target).status, 404, "{target}");
    }
    for target in ["/", SIGN_IN_PATH, "/api/auth/callback/"] {
        assert_eq!(ana.get(APP, target).status, 404, "{target}");
    }
    let answer = ana.send("POST", APP, SIGN_IN_CALLBACK_PATH, &[], "");
    assert_eq!(
        (answer.status, answer.field("allow")),
        (405, Some("GET, HEAD"))
    );
    let link = ana.begins(APP, "/");
    let answer = ana.send("HEAD", BASE, &link, &[], "");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let answer = exchange(&ana.socket, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.status, 400);
}
