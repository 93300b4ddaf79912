//! A real browser: Chromium, headless, driven through chromedriver, on the demo's tunnel.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::demo::Demo;
use crate::pages::tab::{Tab, open};
use crate::support::process::{Lines, signal};

/// How often a chromedriver is begun before there is none.
const TRIES: usize = 5;

/// chromedriver, and every process that it started; all of them end when this is dropped.
pub struct Driver {
    child: Child,
    port: String,
    // Its lines must be taken off, or it would wait one day.
    _out: Lines,
}

impl Driver {
    pub fn start() -> Driver {
        // The port that it finds free for one family of addresses may be taken for the other; then it ends.
        let mut tries = std::iter::repeat_with(Driver::begin).take(TRIES);
        tries.find_map(|driver| driver).expect("chromedriver")
    }

    fn begin() -> Option<Driver> {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is needed (Debian package chromium-driver)");
        let mut out = Lines::of(child.stdout.take().unwrap());
        let line = out.until_end(|line| line.contains("started successfully on port"));
        let Ok(line) = line else {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        };
        let port = line
            .trim_end_matches('.')
            .rsplit(' ')
            .next()
            .unwrap()
            .to_owned();
        Some(Driver {
            child,
            port,
            _out: out,
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        for id in descendants(self.child.id()) {
            // It may be gone by now.
            if fs::exists(format!("/proc/{id}")).unwrap_or(false) {
                let _ = std::panic::catch_unwind(|| signal(id, "KILL"));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All processes below one, deepest last.
fn descendants(of: u32) -> Vec<u32> {
    let mut parents: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().map_while(Result::ok) {
        let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        // The name in parentheses may hold anything; the parent is the second word behind it.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if let Some(parent) = parent.and_then(|parent| parent.parse().ok()) {
            parents.entry(parent).or_default().push(id);
        }
    }
    let mut found = vec![of];
    let mut next = 0;
    while let Some(id) = found.get(next) {
        let children = parents.remove(id).unwrap_or_default();
        found.extend(children);
        next += 1;
    }
    found.split_off(1)
}

async fn browser(driver: &Driver, profile: &str) -> Client {
    browser_with(driver, profile, json!({}), "").await
}

/// A browser with these preferences, whose console is kept. `hosts`: where it finds them, in Chromium's own words.
pub async fn browser_with(
    driver: &Driver,
    profile: &str,
    preferences: Value,
    hosts: &str,
) -> Client {
    let flags = [
        "--headless",
        "--no-sandbox",
        // For service workers too, of which acceptInsecureCerts knows nothing.
        "--ignore-certificate-errors",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--no-proxy-server",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        &format!("--user-data-dir={profile}"),
        &format!("--host-resolver-rules={hosts}"),
    ];
    let capabilities = json!({
        "browserName": "chrome",
        "acceptInsecureCerts": true,
        "goog:chromeOptions": { "args": flags, "prefs": preferences },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    let capabilities = capabilities.as_object().unwrap().clone();
    ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&format!("http://127.0.0.1:{}", driver.port))
        .await
        .expect("a browser")
}

#[test]
fn a_browser_sees_the_service_with_the_printed_address_and_a_refusal_without_its_token() {
    let mut demo = Demo::start();
    let url = demo.lines("https://")[0].clone();
    let (page, token) = url.split_once("?rstream.token=").unwrap();
    let profile = tempfile::tempdir().unwrap();
    let driver = Driver::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (refused, served) = runtime.block_on(async {
        let client = browser(&driver, profile.path().to_str().unwrap()).await;
        client.goto(page).await.unwrap();
        let refused = client.source().await.unwrap();
        client.goto(&url).await.unwrap();
        let served = client.source().await.unwrap();
        client.close().await.unwrap();
        (refused, served)
    });
    assert!(refused.contains("401 Unauthorized"), "{refused}");
    assert!(
        served.contains("The demo service got:") && served.contains("GET /hello HTTP/1.1"),
        "{served}"
    );
    assert!(
        !served.contains(token) && !served.contains("rstream.token"),
        "{served}"
    );
    for reason in ["token_missing", "forwarded"] {
        let wanted = format!(
            " path=\"/hello\" tunnel=\"app.localhost\" status={}",
            if reason == "forwarded" { 200 } else { 401 }
        );
        demo.process.out.find(
            |line| line.contains(&wanted) && line.contains(reason),
            reason,
        );
    }
}

/// A page of text alone, as a browser shows it.
const TEXT: &str = "body > pre";

#[test]
fn a_user_signs_in_and_out_of_the_demo_with_what_is_printed_and_nobody_with_another_password() {
    let demo = Demo::start();
    let page = demo.lines("https://people.")[0].clone();
    let sign_out = demo.lines("https://edge.")[0].clone();
    let (user, password) = demo.user();
    open(async |tab: Tab| {
        tab.goto(&page).await;
        assert_eq!(tab.url().await.host_str(), Some("edge.localhost"));
        tab.wait_for_focus("user").await;
        tab.press(&format!("{user}\u{e004}not-{password}\u{e007}"))
            .await;
        tab.wait_for("#error").await;
        tab.wait_for_focus("password").await;
        assert_eq!(tab.url().await.host_str(), Some("edge.localhost"));
        tab.press(&format!("{password}\u{e007}")).await;
        arrives(&tab, &page).await;
        let out = "return (await fetch('/.well-known/rstream/logout', { method: 'POST' })).status";
        assert_eq!(tab.run_async(out).await, json!(204));
        tab.goto(&page).await;
        tab.wait_for_focus("user").await;
        // Once more, and out as it is printed.
        tab.press(&format!("{user}\u{e004}{password}\u{e007}"))
            .await;
        arrives(&tab, &page).await;
        tab.goto(&sign_out).await;
        tab.run("document.querySelector('form button').click(); return 0")
            .await;
        tab.wait_for("main [role=status]").await;
        tab.goto(&page).await;
        tab.wait_for_focus("user").await;
        tab.close().await;
    });
    let later = demo.end().out;
    let served = " path=\"/\" tunnel=\"people.localhost\" status=200 reason=\"forwarded\" ";
    assert_eq!(later.matches(served).count(), 2, "{later}");
    assert!(!later.contains(&password), "{later}");
}

#[test]
fn a_browser_passes_the_challenge_of_the_demo_by_itself() {
    let demo = Demo::start();
    let challenge = demo.lines("https://challenge.")[0].clone();
    let people = demo.lines("https://people.")[0].clone();
    open(async |tab: Tab| {
        tab.goto(&challenge).await;
        arrives(&tab, &challenge).await;
        // It is no proof of who somebody is.
        tab.goto(&people).await;
        tab.wait_for_focus("user").await;
        tab.close().await;
    });
}

/// Waits for the demo's service at an address.
async fn arrives(tab: &Tab, address: &str) {
    tab.wait_for(TEXT).await;
    assert_eq!(tab.url().await.as_str(), address);
    let text = tab.visible_text().await;
    assert!(
        text.contains("The demo service got:") && text.contains("GET / HTTP/1.1"),
        "{text}"
    );
    assert!(!text.to_lowercase().contains("cookie"), "{text}");
}
