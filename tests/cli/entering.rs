//! The whole way of a real browser into a tunnel: Chromium, the process as it is run, TLS, and what the upstream gets.

mod provider;

use std::net::SocketAddr;

use adit::handover::{CHALLENGE_COOKIE, SESSION_COOKIE};
use adit::password::PasswordHash;
use serde_json::json;

use crate::pages::tab::{Tab, open_with_hosts};
use crate::support::folder::{BASE_HOST, HTTPS, TOKENS, driver};
use crate::support::origin::Origin;
use crate::support::{Folder, HOST, Process};
pub const SEAL_KEY: &str = "canary-key-that-everything-is-sealed-with";
pub const PASSWORD: &str = "canary correct horse";
const CHALLENGED: &str = "challenged.t.edge.example";
/// A page of text alone, as a browser shows it.
pub const TEXT: &str = "body > pre";

/// Two tunnels, one for those who sign in, and one for those who meet a challenge.
fn folder(origin: &Origin, sign_in: &str) -> Folder {
    let tunnels = [
        (HOST, origin.address, "rstream_auth = true"),
        (
            CHALLENGED,
            origin.address,
            "challenge_mode = true\npublic = true",
        ),
    ];
    folder_of(&tunnels, sign_in)
}

/// These tunnels, each with how it is entered. Browsers see port 443.
pub fn folder_of(tunnels: &[(&str, SocketAddr, &str)], sign_in: &str) -> Folder {
    let folder = Folder::new();
    folder.write("seal", 0o600, SEAL_KEY);
    folder.write("client", 0o600, provider::CLIENT_SECRET);
    folder.configure(&text_of(&folder, tunnels, sign_in));
    folder
}

/// The text of such a configuration.
pub fn text_of(folder: &Folder, tunnels: &[(&str, SocketAddr, &str)], sign_in: &str) -> String {
    let state = folder.path("state");
    let driver = driver();
    let https = HTTPS.replacen("[[", "public_port = 443\n[[", 1);
    let tunnels: String = tunnels
        .iter()
        .map(|(host, address, guard)| {
            format!(
                "[[tunnel]]\nhostname = \"{host}\"\nproject = \"proj-1\"\nupstream = \"http://{address}\"\n{guard}\n"
            )
        })
        .collect();
    format!(
        "[engine]\nhost = \"{BASE_HOST}\"\nstate_dir = \"{}\"\n[cores]\ncount = 2\ndriver = \"{driver}\"\n\
         {https}{TOKENS}{tunnels}[challenge]\ndifficulty_bits = 12\n\
         [sign_in]\nseal_key_file = \"seal\"\n{sign_in}",
        state.display()
    )
}

/// Ana, who may enter what is in this project.
pub fn builtin() -> String {
    user_of("proj-1")
}

pub fn user_of(project: &str) -> String {
    let hash = PasswordHash::make(PASSWORD.as_bytes(), [7; 16]).unwrap();
    let hash = std::str::from_utf8(hash.text()).unwrap();
    format!(
        "[[sign_in.user]]\nname = \"ana\"\npassword_hash = \"{hash}\"\nprojects = [\"{project}\"]\n"
    )
}

fn enter(process: &Process, what: impl AsyncFnOnce(Tab)) {
    open_with_hosts(&hosts(process, &[BASE_HOST, HOST, CHALLENGED]), what);
}

/// Where a browser finds these hosts, in Chromium's words.
pub fn hosts(process: &Process, names: &[&str]) -> String {
    let address = process.address("https");
    let rules = names.iter().map(|host| format!("MAP {host}:443 {address}"));
    rules.collect::<Vec<_>>().join(",")
}

/// No request got a cookie of ours.
pub fn nothing_leaked(origin: &Origin) {
    for head in origin.heads() {
        let lower = head.to_ascii_lowercase();
        for name in [SESSION_COOKIE, CHALLENGE_COOKIE, "__host-rstream", "canary"] {
            assert!(!lower.contains(name), "{head}");
        }
    }
}

#[test]
fn a_user_signs_in_and_out_in_a_browser() {
    let origin = Origin::start();
    let folder = folder(&origin, &builtin());
    let process = Process::run(&folder);
    let page = format!("https://{HOST}/reports?x=1");
    enter(&process, async |tab: Tab| {
        tab.goto(&page).await;
        assert_eq!(tab.url().await.host_str(), Some(BASE_HOST));
        assert!(tab.visible_text().await.contains(HOST));
        tab.wait_for_focus("user").await;
        tab.press("ana\u{e004}wrong\u{e007}").await;
        tab.wait_for("#error").await;
        tab.wait_for_focus("password").await;
        assert_eq!(origin.heads().len(), 0);
        tab.press(&format!("{PASSWORD}\u{e007}")).await;
        tab.wait_for(TEXT).await;
        assert_eq!(tab.visible_text().await, "origin: /reports?x=1");
        assert_eq!(tab.url().await.as_str(), page);
        // Who is signed in, for the page's own scripts.
        let told =
            tab.run_async("return await (await fetch('/.well-known/rstream/session')).json()");
        let told = told.await;
        assert_eq!(told["user"]["userId"], "ana", "{told}");
        assert_eq!(told["auth"]["method"], "rstream-auth");
        let out = "return (await fetch('/.well-known/rstream/logout', { method: 'POST' })).status";
        assert_eq!(tab.run_async(out).await, json!(204));
        let after = "return (await fetch('/reports', { redirect: 'manual' })).status";
        assert_eq!(tab.run_async(after).await, json!(401));
        tab.goto(&page).await;
        tab.wait_for_focus("user").await;
        tab.close().await;
    });
    let reports = |head: &String| head.starts_with("GET /reports");
    assert_eq!(
        origin.heads().iter().filter(|head| reports(head)).count(),
        1
    );
    nothing_leaked(&origin);
}

#[test]
fn a_session_ends_in_the_browser_with_its_time() {
    let origin = Origin::start();
    let folder = folder(
        &origin,
        &format!("session_lifetime = \"6s\"\n{}", builtin()),
    );
    let process = Process::run(&folder);
    let page = format!("https://{HOST}/inside");
    enter(&process, async |tab: Tab| {
        tab.goto(&page).await;
        tab.wait_for_focus("user").await;
        tab.press(&format!("ana\u{e004}{PASSWORD}\u{e007}")).await;
        tab.wait_for(TEXT).await;
        assert_eq!(tab.visible_text().await, "origin: /inside");
        // Far more often than six seconds need.
        for _ in 0..5000 {
            if tab.url().await.host_str() != Some(HOST) {
                break;
            }
            tab.goto(&page).await;
        }
        // At the base host it is over too: the password is asked for again.
        tab.wait_for_focus("user").await;
        tab.close().await;
    });
    nothing_leaked(&origin);
}

#[test]
fn a_browser_without_proof_is_shown_a_page() {
    let origin = Origin::start();
    let folder = folder_of(&[(HOST, origin.address, "token_auth = true")], &builtin());
    let mut process = Process::run(&folder);
    let rules = hosts(&process, &[HOST]);
    open_with_hosts(&rules, async |tab: Tab| {
        tab.goto(&format!("https://{HOST}/page")).await;
        assert_eq!(tab.text("h1").await, "Proof needed");
        let line = process.record("/page");
        assert_eq!(
            (&line["status"], &line["reason"]),
            (&json!(401), &json!("token_missing"))
        );
        let shown = tab.visible_text().await;
        assert!(
            shown.contains(line["request_id"].as_str().unwrap()),
            "{shown}"
        );
        tab.close().await;
    });
    assert_eq!(origin.heads().len(), 0);
}

#[test]
fn a_browser_meets_a_challenge_by_itself() {
    let origin = Origin::start();
    let folder = folder(&origin, &builtin());
    let process = Process::run(&folder);
    let page = format!("https://{CHALLENGED}/a%20b?c");
    enter(&process, async |tab: Tab| {
        tab.goto(&page).await;
        tab.wait_for(TEXT).await;
        assert_eq!(tab.visible_text().await, "origin: /a%20b?c");
        assert_eq!(tab.url().await.as_str(), page);
        // It is no proof of who somebody is.
        tab.goto(&format!("https://{HOST}/")).await;
        tab.wait_for_focus("user").await;
        tab.close().await;
    });
    nothing_leaked(&origin);
}

#[test]
fn users_of_a_provider_enter_what_their_groups_may_and_end_their_session_there() {
    let origin = Origin::start();
    let node = provider::node::Node::start();
    let oidc = |group: &str| {
        format!(
            "provider = \"oidc\"\n[sign_in.oidc]\nissuer = \"{}\"\nclient_id = \"{}\"\nclient_secret_file = \"client\"\n\
             scopes = [\"openid\", \"email\", \"profile\"]\n[[sign_in.grant]]\ngroups = [\"{group}\"]\nprojects = [\"proj-1\"]\n",
            node.issuer,
            provider::CLIENT_ID
        )
    };
    let first = folder(&origin, &oidc("staff"));
    let process = Process::run(&first);
    let page = format!("https://{HOST}/inside");
    enter(&process, async |tab: Tab| {
        tab.goto(&page).await;
        agrees(&tab).await;
        assert_eq!(tab.visible_text().await, "origin: /inside");
        assert_eq!(tab.url().await.as_str(), page);
        let told =
            tab.run_async("return await (await fetch('/.well-known/rstream/session')).json()");
        let told = told.await;
        assert_eq!(told["user"]["email"], "ana@example.com", "{told}");
        // Out here, and at the provider.
        tab.goto(&format!("https://{BASE_HOST}/rstream/logout"))
            .await;
        tab.run("document.querySelector('form button').click(); return 0")
            .await;
        tab.wait_for("form[action*='/session/end/confirm']").await;
        let url = tab.url().await;
        assert!(url.as_str().starts_with(&node.issuer), "{url}");
        let confirm =
            "const form = document.querySelector('form'), yes = document.createElement('input');
            yes.name = 'logout'; yes.value = 'yes'; form.append(yes); form.submit(); return 0";
        tab.run(confirm).await;
        tab.wait_for("main").await;
        assert_eq!(tab.url().await.path(), "/rstream/logout");
        tab.goto(&page).await;
        let url = tab.url().await;
        assert!(url.path().starts_with("/interaction/"), "{url}");
        tab.close().await;
    });
    assert_eq!(
        origin
            .heads()
            .iter()
            .filter(|head| head.starts_with("GET /inside"))
            .count(),
        1
    );
    // Whoever is in no group that may.
    let second = folder(&origin, &oidc("others"));
    let process = Process::run(&second);
    enter(&process, async |tab: Tab| {
        tab.goto(&page).await;
        agrees(&tab).await;
        assert_eq!(tab.url().await.host_str(), Some(BASE_HOST));
        assert!(tab.visible_text().await.contains(HOST));
        tab.close().await;
    });
    assert_eq!(
        origin
            .heads()
            .iter()
            .filter(|head| head.starts_with("GET /inside"))
            .count(),
        1
    );
    nothing_leaked(&origin);
}

/// Says yes to whatever the provider asks, as Ana.
async fn agrees(tab: &Tab) {
    loop {
        let mut url = tab.url().await;
        if !url.path().starts_with("/interaction/") {
            return;
        }
        url.set_path(&format!("{}/yes", url.path()));
        url.set_query(Some("user=ana"));
        tab.goto(url.as_str()).await;
    }
}
