//! The live page in a real browser: that it shows what happens, by itself, to whoever may see it, and as text (S10.4).
//!
//! Pictures of it lie in `target/tmp/pages` afterwards.

use std::fs;

use serde_json::json;

use crate::pages::tab::{Tab, open};
use crate::pages::{FLAWS, LOOKS, pictures};
use crate::status::{ADMIN_TOKEN, OPEN, edge};
use crate::support::folder::{bounded_token_of, token};
use crate::support::http::{bearer, get, plain};
use crate::support::{HOST, Origin, Process};

const GUARDED: &str = "[admin]\nlisten = \"127.0.0.1:0\"\nbearer_token_file = \"admin\"\n";
const CLOSED: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";
/// The page shows numbers, and they are of now.
const LIVE: &str = "#live:not([hidden]) #state.good";

fn url(process: &Process) -> String {
    format!("http://{}/", process.address("admin"))
}

/// What a page could keep a token in.
const KEPT: &str = "return [localStorage.length, sessionStorage.length, document.cookie, history.length, \
                    document.getElementById('token').value]";

/// Some of everything.
fn traffic(process: &Process) -> Vec<String> {
    let address = process.address("http");
    for _ in 0..5 {
        plain(address, &get(HOST, "/in/yes", &[&bearer(&token())]));
    }
    let hostile = bearer(&bounded_token_of("<img src=x onerror=alert(1)>"));
    let requests = [
        get(
            HOST,
            "/a/path/that/is/rather/long/so/that/its/line/has/to/wrap?secret=canary",
            &[],
        ),
        get(HOST, "/out", &[&hostile]),
        get("nobody.t.edge.example", "/", &[]),
    ];
    let answers = requests.map(|request| plain(address, &request));
    let ids = answers.iter().map(|answer| answer.field("x-request-id"));
    ids.map(|id| id.unwrap().to_owned()).collect()
}

async fn picture(tab: &Tab, name: &str) {
    for (look, width, height, scheme, is_phone) in LOOKS {
        tab.look(width, height, scheme, is_phone).await;
        assert_eq!(tab.run(FLAWS).await, json!([]), "{name}, {look}");
        let needed = tab.run("return document.documentElement.scrollWidth").await;
        assert!(
            needed.as_u64() <= Some(width.into()),
            "{name}, {look}: {needed}"
        );
        // Whole, not only what fits into the window.
        let whole = tab
            .run("return document.documentElement.scrollHeight")
            .await;
        let whole = u32::try_from(whole.as_u64().unwrap()).unwrap();
        tab.look(width, whole.max(height), scheme, is_phone).await;
        let shown = tab.screenshot().await;
        fs::write(pictures().join(format!("{name}-{look}.png")), shown).unwrap();
    }
}

#[test]
fn the_page_shows_what_happens_as_text_and_by_itself() {
    let origin = Origin::start();
    let (_folder, process) = edge(&origin, OPEN);
    open(async |tab: Tab| {
        tab.goto(&url(&process)).await;
        tab.wait_for(LIVE).await;
        assert_eq!(tab.text("#node").await, "node-1");
        assert_eq!(tab.text("#tunnels td:first-child").await, HOST);
        assert_eq!(tab.text("#tunnels .chip").await, "token_auth");
        assert!(
            tab.visible_text()
                .await
                .contains("Nothing was refused so far.")
        );
        // Nobody loads the page again.
        let ids = traffic(&process);
        tab.wait_for("#refusals tr:nth-child(3)").await;
        let refusals = tab.text("#refusals").await;
        for told in ["token_missing", "path_outside_boundary", "host_unknown"] {
            assert!(refusals.contains(told), "{told} in {refusals}");
        }
        for id in &ids {
            assert!(refusals.contains(id), "{id} in {refusals}");
        }
        assert!(
            refusals.contains("<img src=x onerror=alert(1)>"),
            "{refusals}"
        );
        assert!(
            !refusals.contains("canary") && !refusals.contains('?'),
            "{refusals}"
        );
        // Who refused what is asked of the cores after how many there were: the numbers may come with the next look.
        let counted = "return await new Promise(done => {
            const look = () => {
                const cells = [...document.querySelectorAll('#verdicts td:last-child')];
                const counts = cells.map(cell => cell.textContent).join();
                counts === '5,3,0,0' ? done(counts) : requestAnimationFrame(look);
            };
            look();
        })";
        assert_eq!(tab.run_async(counted).await, "5,3,0,0");
        assert_eq!(tab.run("return document.images.length").await, 0);
        let markup =
            "try { document.body.innerHTML = '<b>x</b>'; return 'set' } catch { return 'refused' }";
        assert_eq!(tab.run(markup).await, "refused");
        picture(&tab, "live").await;
        let complaints = tab.complaints().await;
        let others: Vec<_> = complaints
            .iter()
            .filter(|line| !line.contains("TrustedHTML"))
            .collect();
        assert!(others.is_empty(), "{complaints:#?}");
        tab.close().await;
    });
}

#[test]
fn a_pause_stops_it_and_a_process_that_is_gone_is_told() {
    let origin = Origin::start();
    let (_folder, process) = edge(&origin, OPEN);
    open(async |tab: Tab| {
        tab.goto(&url(&process)).await;
        tab.wait_for(LIVE).await;
        tab.press("\u{e004}\u{e007}").await;
        tab.wait_for("#pause[aria-pressed=true]").await;
        assert_eq!(tab.text("#state").await, "Paused");
        assert_eq!(tab.focused().await, "pause");
        tab.press("\u{e007}").await;
        tab.wait_for("#pause[aria-pressed=false]").await;
        tab.wait_for(LIVE).await;
        drop(process);
        tab.wait_for("#state:not(.good)").await;
        let state = tab.text("#state").await;
        assert!(state.starts_with("No answer since "), "{state}");
        tab.close().await;
    });
}

#[test]
fn the_token_is_typed_into_the_page_and_kept_nowhere() {
    let origin = Origin::start();
    let (_folder, process) = edge(&origin, GUARDED);
    open(async |tab: Tab| {
        tab.goto(&url(&process)).await;
        tab.wait_for_focus("token").await;
        picture(&tab, "live-token").await;
        assert!(!tab.source().await.contains("node-1"), "no data before");
        let before = tab.run(KEPT).await;
        for wrong in ["not-the-token", "not a token", "\u{fc}"] {
            tab.press(&format!("{wrong}\u{e007}")).await;
            tab.wait_for("#unlock-error:not([hidden])").await;
            assert_eq!(tab.focused().await, "token");
            assert_eq!(tab.attribute("#token", "aria-invalid").await, "true");
        }
        picture(&tab, "live-wrong-token").await;
        tab.press(&format!("{ADMIN_TOKEN}\u{e007}")).await;
        tab.wait_for(LIVE).await;
        assert_eq!(tab.focused().await, "node");
        assert_eq!(tab.url().await.as_str(), url(&process));
        assert_eq!(tab.run(KEPT).await, before);
        assert!(!tab.source().await.contains(ADMIN_TOKEN));
        tab.goto(&url(&process)).await;
        tab.wait_for_focus("token").await;
        tab.close().await;
    });
}

#[test]
fn where_there_is_no_token_the_page_says_what_to_do() {
    let origin = Origin::start();
    let (_folder, process) = edge(&origin, CLOSED);
    open(async |tab: Tab| {
        tab.goto(&url(&process)).await;
        picture(&tab, "live-closed").await;
        let text = tab.visible_text().await;
        assert!(
            text.contains("bearer_token_file") && text.contains("open_on_loopback"),
            "{text}"
        );
        tab.close().await;
    });
}
