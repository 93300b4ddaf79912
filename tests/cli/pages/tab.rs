//! A tab of a browser, with what the protocol's own commands do not offer: its console, its colour scheme, its width.

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, Locator};
use serde_json::{Value, json};

use crate::browser::{Driver, browser_with};

pub struct Tab {
    client: Client,
}

/// Does something in a new browser.
pub fn open(what: impl AsyncFnOnce(Tab)) {
    run(json!({}), "", what);
}

/// The same with scripts switched off, as a user does it.
pub fn open_without_scripts(what: impl AsyncFnOnce(Tab)) {
    run(
        json!({ "profile.managed_default_content_settings.javascript": 2 }),
        "",
        what,
    );
}

/// In one that finds hosts elsewhere; see [`browser_with`].
pub fn open_with_hosts(hosts: &str, what: impl AsyncFnOnce(Tab)) {
    run(json!({}), hosts, what);
}

/// In two such browsers, which know nothing of each other.
pub fn open_two_with_hosts(hosts: &str, what: impl AsyncFnOnce(Tab, Tab)) {
    open_with_hosts(hosts, async |one| {
        let profile = tempfile::tempdir().unwrap();
        let driver = Driver::start();
        let path = profile.path().to_str().unwrap();
        let client = browser_with(&driver, path, json!({}), hosts).await;
        what(one, Tab { client }).await;
    });
}

fn run(preferences: Value, hosts: &str, what: impl AsyncFnOnce(Tab)) {
    let profile = tempfile::tempdir().unwrap();
    let driver = Driver::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let profile = profile.path().to_str().unwrap();
        let client = browser_with(&driver, profile, preferences, hosts).await;
        what(Tab { client }).await;
    });
}

impl Tab {
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// A script that waits.
    pub async fn run_async(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, e => done(String(e)))"
        );
        self.client.execute_async(&script, vec![]).await.unwrap()
    }

    /// Types into whatever has the focus; keys without a letter are those of WebDriver (17.4.2).
    pub async fn press(&self, keys: &str) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in keys.chars() {
            actions = actions.then(KeyAction::Down { value });
            actions = actions.then(KeyAction::Up { value });
        }
        self.client.perform_actions(actions).await.unwrap();
    }

    pub async fn press_with_shift(&self, value: char) {
        let shift = '\u{e008}';
        let actions = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: shift })
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value })
            .then(KeyAction::Up { value: shift });
        self.client.perform_actions(actions).await.unwrap();
    }

    /// The id of what has the focus, or its text where it has none.
    pub async fn focused(&self) -> String {
        let element = self.client.active_element().await.unwrap();
        match element.attr("id").await.unwrap() {
            Some(id) => id,
            None => element.text().await.unwrap(),
        }
    }

    pub async fn attribute(&self, selector: &str, name: &str) -> String {
        let element = self.client.find(Locator::Css(selector)).await.unwrap();
        element.attr(name).await.unwrap().unwrap()
    }

    pub async fn property(&self, selector: &str, name: &str) -> String {
        let element = self.client.find(Locator::Css(selector)).await.unwrap();
        element.prop(name).await.unwrap().unwrap()
    }

    pub async fn text(&self, selector: &str) -> String {
        let element = self.client.find(Locator::Css(selector)).await.unwrap();
        element.text().await.unwrap()
    }

    /// The page as HTML, as it is now.
    pub async fn source(&self) -> String {
        self.client.source().await.unwrap()
    }

    pub async fn visible_text(&self) -> String {
        self.text("body").await
    }

    pub async fn wait_for(&self, selector: &str) {
        let wait = self.client.wait();
        wait.for_element(Locator::Css(selector)).await.unwrap();
    }

    /// The focus comes with a frame, which may be after the page has loaded.
    pub async fn wait_for_focus(&self, id: &str) {
        self.wait_for(&format!("#{id}:focus")).await;
    }

    pub async fn wait_for_url(&self, url: &str) {
        let wait = self.client.wait();
        wait.for_url(&url.parse().unwrap()).await.unwrap();
    }

    pub async fn back(&self) {
        self.client.back().await.unwrap();
    }

    /// Opens another tab of the same browser and goes on in it.
    pub async fn open_another(&self) {
        let window = self.client.new_window(true).await.unwrap();
        self.client.switch_to_window(window.handle).await.unwrap();
    }

    /// Goes on in the first tab (0), or one opened later.
    pub async fn switch(&self, index: usize) {
        let windows = self.client.windows().await.unwrap();
        let window = windows[index].clone();
        self.client.switch_to_window(window).await.unwrap();
    }

    pub async fn url(&self) -> url::Url {
        self.client.current_url().await.unwrap()
    }

    pub async fn screenshot(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap()
    }

    pub async fn look(&self, width: u32, height: u32, scheme: &str, is_phone: bool) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }

    /// What the console has said since the last time: violations of a policy, files that are not there, errors.
    pub async fn complaints(&self) -> Vec<String> {
        let log = Extension("se/log", json!({ "type": "browser" }));
        let lines = self.client.issue_cmd(log).await.unwrap();
        let lines = lines.as_array().unwrap().iter();
        lines.map(|line| line["message"].to_string()).collect()
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        let command = json!({ "cmd": command, "params": parameters });
        let extension = Extension("goog/cdp/execute", command);
        self.client.issue_cmd(extension).await.unwrap();
    }

    pub async fn close(self) {
        self.client.close().await.unwrap();
    }
}

/// A command of chromedriver's own.
#[derive(Debug)]
struct Extension(&'static str, Value);

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap(), self.0))
    }

    fn method_and_body(&self, _: &url::Url) -> (axum::http::Method, Option<String>) {
        (axum::http::Method::POST, Some(self.1.to_string()))
    }
}
