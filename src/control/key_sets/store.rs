//! The last good key sets on disk: a restart survives an issuer that cannot be reached (S4.6).

use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::{KeySetId, Stored};
use crate::config;
use crate::control::state::Folder;

/// One file. Issuer and URL stand in it, so that a copy under another's name is none.
#[derive(Serialize, Deserialize)]
struct Copy {
    issuer: String,
    url: String,
    /// Seconds since the Unix epoch.
    fetched_at: u64,
    set: String,
}

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("key-sets")
}

fn name(id: &KeySetId) -> String {
    let text = format!("{}\n{}", id.issuer, id.url);
    let hash = digest(&SHA256, text.as_bytes());
    let digits = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<String>() + ".json"
}

/// The copy of a set, if there is a good one. The error is for an operator.
pub(super) fn load(state_dir: &Path, id: &KeySetId) -> Result<Option<Stored>, String> {
    let path = folder(state_dir).join(name(id));
    let Some(bytes) = config::state_file(&path)? else {
        return Ok(None);
    };
    let broken = || format!("{} is no copy of this key set", path.display());
    let copy: Copy = serde_json::from_slice(&bytes).map_err(|_| broken())?;
    if (&copy.issuer, &copy.url) != (&id.issuer, &id.url) {
        return Err(broken());
    }
    Ok(Some(Stored {
        text: copy.set.into_bytes().into(),
        fetched_at: copy.fetched_at,
    }))
}

/// Writes a copy.
pub(super) fn save(state_dir: &Path, id: &KeySetId, stored: &Stored) -> io::Result<()> {
    let copy = Copy {
        issuer: id.issuer.clone(),
        url: id.url.clone(),
        fetched_at: stored.fetched_at,
        set: String::from_utf8(stored.text.to_vec()).map_err(io::Error::other)?,
    };
    let folder = Folder::open(&folder(state_dir))?;
    folder.replace(&name(id), &serde_json::to_vec(&copy)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(state_dir: &Path, id: &KeySetId) -> PathBuf {
        folder(state_dir).join(name(id))
    }

    fn id(url: &str) -> KeySetId {
        KeySetId {
            issuer: "https://idp.example.com".to_owned(),
            url: url.to_owned(),
        }
    }

    #[test]
    fn a_copy_is_private_whole_and_nobody_else_s() {
        let root = tempfile::tempdir().unwrap();
        let state_dir = root.path().join("state");
        let (one, other) = (
            id("https://idp.example.com/a"),
            id("https://idp.example.com/b"),
        );
        assert!(load(&state_dir, &one).unwrap().is_none());
        let stored = Stored {
            text: b"{\"keys\":[]}"[..].into(),
            fetched_at: 7,
        };
        save(&state_dir, &one, &stored).unwrap();
        save(&state_dir, &one, &stored).unwrap();
        let found = load(&state_dir, &one).unwrap().unwrap();
        assert_eq!((&*found.text, found.fetched_at), (&*stored.text, 7));
        assert!(load(&state_dir, &other).unwrap().is_none());
        let names: Vec<_> = fs::read_dir(folder(&state_dir)).unwrap().collect();
        assert_eq!(names.len(), 1);
        for (path, mode) in [
            (folder(&state_dir), 0o40700),
            (file(&state_dir, &one), 0o100600),
        ] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode(), mode);
        }
        // Under another's name, readable by others, or broken: as if it were not there, and said.
        fs::copy(file(&state_dir, &one), file(&state_dir, &other)).unwrap();
        assert!(
            load(&state_dir, &other)
                .unwrap_err()
                .ends_with("is no copy of this key set")
        );
        let mode = |mode: u32| {
            fs::set_permissions(file(&state_dir, &one), fs::Permissions::from_mode(mode)).unwrap();
        };
        for bad in [0o644, 0o602] {
            mode(bad);
            assert!(
                load(&state_dir, &one)
                    .unwrap_err()
                    .contains("by other users"),
                "{bad:o}"
            );
        }
        mode(0o600);
        fs::write(file(&state_dir, &one), "{").unwrap();
        assert!(load(&state_dir, &one).is_err());
    }
}
