//! The pages in a real browser: what they look like, and that keyboard, screen reader and policy get what they need.
//!
//! Pictures of all pages lie in `target/tmp/pages` afterwards.

mod server;
pub mod tab;

use std::fs;
use std::path::PathBuf;

use adit::pages::verify;
use serde_json::json;

use self::server::{NONCE, PAGES, Server};
use self::tab::{Tab, open, open_without_scripts};

/// What a look is called, its width and height, the colour scheme, and whether it is a phone.
pub const LOOKS: [(&str, u32, u32, &str, bool); 3] = [
    ("light", 1000, 760, "light", false),
    ("dark", 1000, 760, "dark", false),
    ("phone", 360, 740, "light", true),
];

pub fn pictures() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Where everything leads in the end: a page of text alone, which a browser shows so.
const THERE: &str = "body > pre";

/// What is wrong with the page that is shown: text of too little contrast, a field without a label, a page wider than its
/// window, anything but one main part with one heading.
pub const FLAWS: &str = include_str!("pages/flaws.js");

#[test]
fn every_page_is_sound_in_light_in_dark_and_on_a_phone() {
    let server = Server::start();
    open(async |tab: Tab| {
        for (look, width, height, scheme, is_phone) in LOOKS {
            tab.look(width, height, scheme, is_phone).await;
            for name in PAGES {
                tab.goto(&server.url(name)).await;
                let flaws = tab.run(FLAWS).await;
                assert_eq!(flaws, json!([]), "{name}, {look}");
                let picture = tab.screenshot().await;
                fs::write(pictures().join(format!("{name}-{look}.png")), picture).unwrap();
            }
        }
        let complaints = tab.complaints().await;
        assert!(complaints.is_empty(), "{complaints:#?}");
        // The twin: what the policy forbids would have been seen.
        tab.goto(&server.url("sign_in")).await;
        tab.run("document.body.setAttribute('style', 'color: red'); return 0")
            .await;
        tab.run("const s = document.createElement('script'); s.textContent = '1'; document.body.append(s); return 0")
            .await;
        let complaints = tab.complaints().await;
        assert!(
            complaints
                .iter()
                .any(|line| line.contains("Content Security Policy")),
            "{complaints:#?}"
        );
        tab.close().await;
    });
}

#[test]
fn a_user_signs_in_with_the_keyboard_alone_and_the_form_says_whence_it_came() {
    let server = Server::start();
    open(async |tab: Tab| {
        tab.goto(&server.url("sign_in")).await;
        assert_eq!(tab.focused().await, "user");
        tab.press("ana").await;
        tab.press("\u{e004}").await;
        assert_eq!(tab.focused().await, "password");
        tab.press("two words & more").await;
        tab.press("\u{e004}").await;
        assert_eq!(tab.focused().await, "Sign in");
        // Back in the field of the password: Enter there is the button.
        tab.press_with_shift('\u{e004}').await;
        assert_eq!(tab.focused().await, "password");
        tab.press("\u{e007}").await;
        let post = server.next_post();
        assert_eq!(
            post.body,
            "request=r-1&form_token=f-1&user=ana&password=two+words+%26+more"
        );
        assert_eq!(post.target, "/rstream/auth");
        assert_eq!(post.field("Origin"), Some(server.origin().as_str()));
        // The page behind the form led on by itself, to another origin and on, and told nobody where from.
        let arrived = server.next_arrival();
        assert_eq!(arrived.target, "/arrived?code=c&request=r-1");
        assert_eq!(arrived.field("Referer"), None);
        tab.wait_for(THERE).await;
        assert!(tab.complaints().await.is_empty());
        tab.close().await;
    });
}

#[test]
fn a_wrong_password_is_read_out_and_puts_the_user_where_the_mistake_was() {
    let server = Server::start();
    open(async |tab: Tab| {
        tab.goto(&server.url("wrong_password")).await;
        assert_eq!(tab.focused().await, "password");
        assert_eq!(tab.attribute("#password", "aria-invalid").await, "true");
        let described = tab.attribute("#password", "aria-describedby").await;
        assert_eq!(
            tab.attribute(&format!("#{described}"), "role").await,
            "alert"
        );
        assert_eq!(
            tab.property("#user", "value").await,
            "ana <ana@example.com>"
        );
        tab.press("right\u{e007}").await;
        assert!(server.next_post().body.ends_with("&password=right"));
        tab.close().await;
    });
}

#[test]
fn a_user_signs_out_with_the_keyboard_alone() {
    let server = Server::start();
    open(async |tab: Tab| {
        for name in ["denied", "sign_out"] {
            tab.goto(&server.url(name)).await;
            tab.press("\u{e004}").await;
            assert_eq!(tab.focused().await, "Sign out");
            tab.press("\u{e007}").await;
            let post = server.next_post();
            assert_eq!(post.target, "/rstream/logout");
            assert_eq!(post.body, "form_token=f-1");
            assert_eq!(post.field("Origin"), Some(server.origin().as_str()));
            server.next_arrival();
        }
        tab.close().await;
    });
}

#[test]
fn a_browser_solves_a_challenge_and_leaves_no_trace_in_its_history() {
    let server = Server::start();
    open(async |tab: Tab| {
        tab.goto(&server.url("signed_out")).await;
        let before = tab.run("return history.length").await;
        for bits in [1, 12] {
            tab.goto(&server.url(&format!("solve/{bits}"))).await;
            let solved = server.next_solution();
            // The request of the page, whatever characters it has.
            let before = "/rstream/challenge?request=r-1%26a&counter=";
            let counter = solved.target.strip_prefix(before).unwrap();
            assert!(verify(NONCE, counter, bits), "{bits} bits: {counter}");
            // The least counter, so every one before it was tried and judged right.
            let least = (0..).find(|n: &u32| verify(NONCE, &n.to_string(), bits));
            assert_eq!(least.map(|n| n.to_string()).as_deref(), Some(counter));
            server.next_arrival();
            tab.wait_for(THERE).await;
        }
        let after = tab.run("return history.length").await;
        assert_eq!(after.as_u64(), before.as_u64().map(|length| length + 2));
        assert!(tab.complaints().await.is_empty());
        tab.close().await;
    });
}

#[test]
fn a_challenge_that_cannot_run_says_so_and_offers_another_try() {
    let server = Server::start();
    open(async |tab: Tab| {
        tab.goto(&server.url("broken_challenge")).await;
        tab.wait_for("#again:not([hidden]) a").await;
        let said = tab.text("#state").await;
        assert!(said.starts_with("The check could not run"), "{said}");
        assert_eq!(tab.focused().await, "Try again");
        tab.press("\u{e007}").await;
        server.next_arrival();
        tab.close().await;
    });
}

#[test]
fn without_scripts_the_challenge_says_what_to_do_and_signing_in_works() {
    let server = Server::start();
    open_without_scripts(async |tab: Tab| {
        tab.goto(&server.url("challenge")).await;
        let source = tab.visible_text().await;
        assert!(source.contains("This check needs JavaScript."), "{source}");
        assert!(
            !source.contains("There is nothing you need to do"),
            "{source}"
        );
        fs::write(
            pictures().join("challenge-no-script.png"),
            tab.screenshot().await,
        )
        .unwrap();
        tab.goto(&server.url("sign_in")).await;
        tab.press("ana\u{e004}secret\u{e007}").await;
        assert!(
            server
                .next_post()
                .body
                .ends_with("user=ana&password=secret")
        );
        server.next_arrival();
        tab.close().await;
    });
}
