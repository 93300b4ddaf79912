//! A folder with a configuration and the files it names.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use adit::config::{self, Loaded, Report};

/// The secrets in the files: they must never show up in a message.
pub const SECRET: &str = "canary-secret-0123456789abcdefghij";
pub const ADMIN_TOKEN: &str = "canary-admin-token";

pub struct Folder(tempfile::TempDir);

impl Folder {
    /// Has `cert.pem`, `key.pem`, `secret` and `admin`.
    pub fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let names = ["edge.example.com", "*.t.edge.example.com"].map(str::to_owned);
        let pair = rcgen::generate_simple_self_signed(names).unwrap();
        folder.write("cert.pem", 0o644, pair.cert.pem());
        folder.write("key.pem", 0o600, pair.signing_key.serialize_pem());
        folder.write("secret", 0o600, format!("{SECRET}\n"));
        folder.write("admin", 0o600, format!("{ADMIN_TOKEN}\n"));
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, mode: u32, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        set_mode(&path, mode);
    }

    /// As `adit check` does.
    pub fn load(&self, environment: &[(&str, &str)]) -> Result<Loaded, Report> {
        let environment: Vec<(String, String)> = environment
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        config::check(&self.path("adit.toml"), &environment)
    }

    /// The messages for this configuration, without the folder's own name: errors, or else marked warnings.
    pub fn messages(&self, text: &str, environment: &[(&str, &str)]) -> String {
        self.write("adit.toml", 0o644, text);
        let messages = match self.load(environment) {
            Err(report) => report.to_string(),
            Ok(loaded) => {
                let warnings: Vec<String> = loaded
                    .warnings
                    .iter()
                    .map(|warning| format!("warning: {warning}"))
                    .collect();
                warnings.join("\n")
            }
        };
        assert!(!messages.contains("canary"), "a secret is in: {messages}");
        let folder = format!("{}/", self.0.path().display());
        messages.replace(&folder, "")
    }
}

pub fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
