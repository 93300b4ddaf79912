//! A folder with a configuration and the files it names.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use adit::runtime::clock::Clock;
use adit::token::{MintRequest, mint_hs256};

pub const HOST: &str = "app.t.edge.example";
pub const BASE_HOST: &str = "edge.example";
/// Must never be seen anywhere.
pub const SECRET: &str = "canary-secret-of-the-deployment-0123456789";
pub const CONNECT: &str = "tunnels.streams.create-delete";

pub struct Folder(tempfile::TempDir);

impl Folder {
    /// Has `cert.pem` and `key.pem` for `*.t.edge.example` and `edge.example`, and `secret`.
    pub fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let names = ["edge.example", "*.t.edge.example"].map(str::to_owned);
        let pair = rcgen::generate_simple_self_signed(names).unwrap();
        folder.write("cert.pem", 0o644, pair.cert.pem());
        folder.write("key.pem", 0o600, pair.signing_key.serialize_pem());
        folder.write("secret", 0o600, SECRET);
        folder
    }

    /// A folder whose `adit.toml` serves one guarded tunnel in the clear and over TLS.
    pub fn serving(upstream: SocketAddr, more: &str) -> Folder {
        let folder = Folder::new();
        folder.configure(&serving(upstream, more));
        folder
    }

    pub fn configure(&self, text: &str) {
        self.write("adit.toml", 0o600, text);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// In one step: a process that watches sees the old file or the new one, never half of it.
    pub fn write(&self, name: &str, mode: u32, contents: impl AsRef<[u8]>) {
        let new = self.path(&format!("{name}.new"));
        fs::write(&new, contents).unwrap();
        fs::set_permissions(&new, Permissions::from_mode(mode)).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }
}

/// The text of such a configuration; `more` comes at its end.
pub fn serving(upstream: SocketAddr, more: &str) -> String {
    let (settings, listeners, tunnel) = (
        settings(),
        "[http]\nlisten = [\"127.0.0.1:0\"]\nmode = \"serve\"\n",
        tunnel(HOST, upstream),
    );
    format!("{settings}{HTTPS}{listeners}{TOKENS}{tunnel}{more}")
}

/// One with the redirect listener instead of the clear one.
pub fn redirecting(upstream: SocketAddr) -> String {
    let (settings, tunnel) = (settings(), tunnel(HOST, upstream));
    format!("{settings}{HTTPS}[http]\nlisten = [\"127.0.0.1:0\"]\n{TOKENS}{tunnel}")
}

/// One over TLS alone, with one tunnel that takes certificates and nothing else.
pub fn certified(upstream: SocketAddr, more: &str) -> String {
    let (settings, tunnel) = (settings(), tunnel(HOST, upstream));
    let tunnel = tunnel.replace("token_auth", "mtls_auth");
    format!("{settings}{HTTPS}{TOKENS}{tunnel}{more}")
}

fn settings() -> String {
    let driver = driver();
    format!(
        "[engine]\nhost = \"{BASE_HOST}\"\nname = \"node-1\"\n[cores]\ncount = 2\ndriver = \"{driver}\"\n"
    )
}

/// The driver that this run of the tests is for.
pub fn driver() -> String {
    std::env::var("ADIT_TEST_DRIVER").unwrap_or_else(|_| "auto".to_owned())
}

pub const HTTPS: &str = "[https]\nlisten = [\"127.0.0.1:0\"]\n[[https.certificate]]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";

pub const TOKENS: &str = "[tokens]\nhs256_secret_file = \"secret\"\n[tokens.ce]\nprojects = [\"proj-1\"]\npermissions = [\"tunnels.streams.create-delete\"]\n[[project]]\nid = \"proj-1\"\nworkspace = \"ws-1\"\n";

pub fn tunnel(host: &str, upstream: SocketAddr) -> String {
    format!(
        "[[tunnel]]\nhostname = \"{host}\"\nproject = \"proj-1\"\nupstream = \"http://{upstream}\"\ntoken_auth = true\n"
    )
}

/// A good token for an hour.
pub fn token() -> String {
    signed(SECRET, None, 3600)
}

/// A good token for paths below `/in` only.
pub fn bounded_token() -> String {
    bounded_token_of("ci-bot")
}

/// The same for somebody else.
pub fn bounded_token_of(subject: &str) -> String {
    let boundary = serde_json::json!({
        "scopes": { "tunnels": { "connect": { "params": { "path": { "regex": "^/in(/|$)" } } } } }
    });
    mint(SECRET, subject, Some(boundary), 3600)
}

/// A token for `ci-bot`, issued an hour ago, that ends `good_for` seconds from now.
pub fn signed(secret: &str, boundary: Option<serde_json::Value>, good_for: i64) -> String {
    mint(secret, "ci-bot", boundary, good_for)
}

/// A good token for somebody else.
pub fn token_of(subject: &str) -> String {
    mint(SECRET, subject, None, 3600)
}

fn mint(secret: &str, subject: &str, boundary: Option<serde_json::Value>, good_for: i64) -> String {
    let now = Clock::default().now().unix_seconds();
    let request = MintRequest {
        subject: Some(subject.to_owned()),
        boundary,
        issued_at: now - 3600,
        expires_at: Some(now.checked_add_signed(good_for).unwrap()),
        ..MintRequest::default()
    };
    mint_hs256(secret.as_bytes(), &request).unwrap()
}
