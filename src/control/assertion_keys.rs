//! The keys of assertions in `engine.state_dir`: read, rotated and stored.
//!
//! Another process may have changed the file, so it is read anew each time. Refuses: a file or folder with which somebody else could speak for the edge.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

use super::state::Folder;
use crate::assertion::{Keys, Signer};
use crate::config::settings::Settings;
use crate::config::state_file;
use crate::secret::Secret;

const FILE: &str = "assertion-keys.json";

/// Where the keys are, and who speaks with them.
#[derive(Clone, Debug)]
pub(super) struct KeyFile {
    folder: PathBuf,
    host: String,
    public_port: u16,
}

/// Why there is nothing to sign with.
#[derive(Debug)]
pub enum KeysError {
    /// `engine.state_dir` is not there and cannot be made, or cannot be locked.
    Folder(PathBuf, io::Error),
    /// Its rights, or those of the file.
    Refused(String),
    NotKeys(PathBuf),
    Unwritable(PathBuf, io::Error),
    NoRandomness,
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeysError::Folder(folder, error) => {
                let folder = folder.display();
                write!(f, "{folder} (engine.state_dir) cannot be used: {error}")
            }
            KeysError::Refused(message) => f.write_str(message),
            KeysError::NotKeys(file) => {
                let file = file.display();
                write!(
                    f,
                    "{file} holds no keys of this version; move it away, and new ones are made"
                )
            }
            KeysError::Unwritable(file, error) => {
                write!(f, "{} cannot be written: {error}", file.display())
            }
            KeysError::NoRandomness => f.write_str("the system has no randomness to give"),
        }
    }
}

impl KeyFile {
    /// `None`: no tunnel's upstream is told who sends, so there are no keys.
    pub(super) fn of(settings: &Settings, public_port: u16) -> Option<Self> {
        settings.identity_headers().then(|| KeyFile {
            folder: settings.engine.state_dir.clone(),
            host: settings.engine.host.clone(),
            public_port,
        })
    }

    /// Brings the keys up to date; what signs from now on.
    pub(super) fn signer(&self, now_unix: u64) -> Result<Arc<Signer>, KeysError> {
        let unusable = |error| KeysError::Folder(self.folder.clone(), error);
        let folder = Folder::open(&self.folder).map_err(unusable)?;
        let path = folder.path(FILE);
        let mut keys = match state_file(&path).map_err(KeysError::Refused)? {
            Some(text) => Keys::parse(&text).ok_or(KeysError::NotKeys(path))?,
            None => Keys::default(),
        };
        if keys.rotate(now_unix, new_key)? {
            let stored = folder.replace(FILE, keys.text().expose());
            stored.map_err(|error| KeysError::Unwritable(folder.path(FILE), error))?;
        }
        let signer = Signer::new(&keys, now_unix, &self.host, self.public_port);
        signer.map(Arc::new).ok_or(KeysError::NoRandomness)
    }
}

fn new_key() -> Result<Secret, KeysError> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| KeysError::NoRandomness)?;
    Ok(Secret::new(document.as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    const UNFINISHED: &str = "assertion-keys.json.new";
    const NOW: u64 = 1_700_000_000;
    const DAY: u64 = 24 * 60 * 60;

    fn key_file(folder: &Path) -> KeyFile {
        KeyFile {
            folder: folder.to_owned(),
            host: "edge.example.test".to_owned(),
            public_port: 443,
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn change_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn folder_and_file_are_made_private_and_the_keys_stay() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("var/state");
        let keys = key_file(&folder);
        let first = keys.signer(NOW).unwrap();
        assert_eq!((mode(&folder), mode(&folder.join(FILE))), (0o700, 0o600));
        assert!(keys.signer(NOW + DAY).unwrap().is_like(&first));
        // A new process, and one that ended too early before it.
        fs::write(folder.join(UNFINISHED), "half").unwrap();
        let month = key_file(&folder).signer(NOW + 30 * DAY).unwrap();
        assert!(!month.is_like(&first));
        assert!(!folder.join(UNFINISHED).exists());
        assert_eq!(mode(&folder.join(FILE)), 0o600);
        assert!(month.key_set().len() > first.key_set().len());
    }

    #[test]
    fn keys_that_others_could_read_or_exchange_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let keys = key_file(folder.path());
        keys.signer(NOW).unwrap();
        let before = fs::read(&path).unwrap();
        for (of, bad, said) in [
            (
                path.as_path(),
                0o604,
                "can be read by other users: chmod 600",
            ),
            (&path, 0o602, "can be written by other users: chmod 600"),
            (folder.path(), 0o702, "can be written by other users"),
        ] {
            let good = mode(of);
            change_mode(of, bad);
            let error = keys.signer(NOW + 30 * DAY).unwrap_err().to_string();
            assert!(
                error.contains(said) && error.contains(&*of.to_string_lossy()),
                "{error}"
            );
            change_mode(of, good);
        }
        assert_eq!(fs::read(&path).unwrap(), before);
        // Nor are any made where somebody else could exchange them.
        fs::remove_file(&path).unwrap();
        change_mode(folder.path(), 0o702);
        assert!(matches!(keys.signer(NOW), Err(KeysError::Refused(_))));
        change_mode(folder.path(), 0o700);
        assert!(!path.exists() && keys.signer(NOW).is_ok());
    }

    #[test]
    fn what_is_no_key_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "[]x").unwrap();
        change_mode(&path, 0o600);
        let keys = key_file(folder.path());
        assert!(matches!(keys.signer(NOW), Err(KeysError::NotKeys(_))));
        assert_eq!(fs::read(&path).unwrap(), b"[]x");
        let missing = key_file(&path.join("below"));
        assert!(matches!(missing.signer(NOW), Err(KeysError::Folder(..))));
    }
}
