//! What attacks a browser that signs in: other people's links, a tunnel next door, cookies that are not what they were.
//!
//! Two real browsers, or one with a hostile page in it, before the real process; raw requests where no browser is needed.

mod cases;
mod cookies;
mod evil;
mod neighbour;
mod world;

use serde_json::{Value, json};

use crate::entering::{PASSWORD, TEXT, builtin, folder_of, hosts, nothing_leaked};
use crate::pages::tab::{Tab, open_two_with_hosts, open_with_hosts};
use crate::support::{BASE_HOST, Folder, HOST, Origin, Process};

/// Types Ana's name and password into the form.
async fn signs_in(tab: &Tab) {
    tab.wait_for("#user").await;
    tab.press(&format!("ana\u{e004}{PASSWORD}\u{e007}")).await;
}

/// What this browser is told of who is signed in at the tunnel.
async fn told(tab: &Tab) -> Value {
    tab.goto(&format!("https://{HOST}/.well-known/rstream/session"))
        .await;
    serde_json::from_str(&tab.text(TEXT).await).unwrap()
}

fn gets(origin: &Origin, start: &str) -> usize {
    let heads = origin.heads();
    heads.iter().filter(|head| head.starts_with(start)).count()
}

/// The process, and the folder that it needs.
fn started(origin: &Origin) -> (Folder, Process) {
    let folder = folder_of(&[(HOST, origin.address, "rstream_auth = true")], &builtin());
    let process = Process::run(&folder);
    (folder, process)
}

/// S5.3: Mallory begins, and has Ana sign in through his link.
#[test]
fn a_link_of_somebody_else_signs_in_neither_of_the_two() {
    let origin = Origin::start();
    let (_folder, mut process) = started(&origin);
    let rules = hosts(&process, &[BASE_HOST, HOST]);
    let nobody = json!({ "auth": { "authenticated": false } });
    open_two_with_hosts(&rules, async |mallory: Tab, ana: Tab| {
        mallory.goto(&format!("https://{HOST}/his")).await;
        let link = mallory.url().await;
        assert_eq!(link.host_str(), Some(BASE_HOST));
        ana.goto(link.as_str()).await;
        signs_in(&ana).await;
        // Her browser has the code and not his cookie.
        ana.wait_for("a.button").await;
        let place = ana.url().await;
        assert_eq!(
            (place.host_str(), place.path()),
            (Some(HOST), "/api/auth/callback")
        );
        assert!(ana.visible_text().await.contains(HOST));
        assert_eq!(told(&ana).await, nobody);
        // His has the cookie, and nothing of the code.
        let completes = link.as_str().replace(BASE_HOST, HOST);
        let completes = completes.replace("/rstream/auth?request", "/api/auth/callback?code");
        for try_it in [link.as_str(), &completes, &format!("https://{HOST}/again")] {
            mallory.goto(try_it).await;
            assert!(!mallory.visible_text().await.contains("origin:"));
        }
        mallory.goto(&completes).await;
        assert_eq!(told(&mallory).await, nobody);
        assert_eq!(gets(&origin, "GET "), 0);
        // Ana begins by herself: she is known, and goes in at once.
        ana.goto(&format!("https://{HOST}/hers")).await;
        assert_eq!(ana.visible_text().await, "origin: /hers");
        mallory.goto(&format!("https://{HOST}/hers")).await;
        assert_eq!(mallory.url().await.host_str(), Some(BASE_HOST));
        mallory.close().await;
        ana.close().await;
    });
    let line = process.record("/api/auth/callback");
    assert_eq!(line["status"], 403, "{line}");
    assert_eq!(gets(&origin, "GET /hers "), 1);
    nothing_leaked(&origin);
}

#[test]
fn a_deep_link_keeps_its_query_and_the_way_back_stays_inside() {
    let origin = Origin::start();
    let (_folder, process) = started(&origin);
    let target = "/reports/2026?x=%20a&y=1+2&next=https://evil.example/&x=";
    let page = format!("https://{HOST}{target}");
    open_with_hosts(&hosts(&process, &[BASE_HOST, HOST]), async |tab: Tab| {
        tab.goto("about:blank").await;
        tab.goto(&page).await;
        signs_in(&tab).await;
        tab.wait_for(TEXT).await;
        assert_eq!(tab.url().await.as_str(), page);
        assert_eq!(tab.visible_text().await, format!("origin: {target}"));
        // To the form, which is not asked again: back to where it led.
        tab.back().await;
        tab.wait_for_url(&page).await;
        tab.wait_for(TEXT).await;
        assert_eq!(tab.visible_text().await, format!("origin: {target}"));
        tab.close().await;
    });
    assert!(gets(&origin, &format!("GET {target} HTTP/1.1\r\n")) >= 1);
    assert_eq!(gets(&origin, "GET /api/"), 0);
    nothing_leaked(&origin);
}

/// As when a browser restores its windows: whichever is used first.
#[test]
fn two_tabs_that_begin_at_once_both_end_where_they_wanted() {
    let origin = Origin::start();
    let (_folder, process) = started(&origin);
    let page = |name: &str| format!("https://{HOST}/{name}");
    let rules = hosts(&process, &[BASE_HOST, HOST]);
    for (first, second) in [(0, 1), (1, 0)] {
        open_with_hosts(&rules, async |tab: Tab| {
            let names = ["elder", "younger"];
            tab.goto(&page(names[0])).await;
            tab.open_another().await;
            tab.goto(&page(names[1])).await;
            for one in [first, second] {
                tab.switch(one).await;
                signs_in(&tab).await;
                tab.wait_for_url(&page(names[one])).await;
                assert_eq!(tab.visible_text().await, format!("origin: /{}", names[one]));
            }
            tab.close().await;
        });
    }
    assert_eq!(gets(&origin, "GET /elder "), 2);
    assert_eq!(gets(&origin, "GET /younger "), 2);
    nothing_leaked(&origin);
}
