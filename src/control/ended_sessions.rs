//! Who has been signed out, on disk: a sign-out outlives the process, and a process that takes over knows it (S5.7).
//!
//! One private file, replaced whole. Two processes may write it while one takes over from the other: each reads what is there
//! before it writes, under the folder's lock, and looks again and again whether the other has written.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::state::Folder;
use crate::authn::session::{Ended, Short};
use crate::config;
use crate::limits::{ENDED_SESSIONS_MAX, SESSION_LIFETIME_MAX};

const FILE: &str = "ended-sessions.json";

/// What a file was when it was read: another one has another inode or another time.
type Stamp = (u64, i64, i64, u64);

/// The sign-outs of this machine.
#[derive(Debug)]
pub(crate) struct EndedSessions {
    folder: PathBuf,
    ended: Arc<RwLock<Ended>>,
    /// The file as this process read or wrote it last.
    seen: Mutex<Option<Stamp>>,
}

impl EndedSessions {
    /// Reads what is there. An error is for an operator: without the file nobody knows who was signed out.
    pub(crate) fn load(state_dir: &Path) -> Result<Self, String> {
        let stamp = stamp(state_dir);
        let ended = read(state_dir)?;
        Ok(EndedSessions {
            folder: state_dir.to_owned(),
            ended: Arc::new(RwLock::new(ended)),
            seen: Mutex::new(stamp),
        })
    }

    /// All that is known, for those who judge by it.
    pub(crate) fn known(&self) -> Arc<RwLock<Ended>> {
        self.ended.clone()
    }

    pub(crate) fn copy(&self) -> Ended {
        let ended = self.ended.read();
        ended.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that what began then (in milliseconds) or before has ended: on disk, synced, when it returns.
    pub(crate) fn note(&self, what: &[Short], before: u64, now_ms: u64) -> io::Result<()> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = Folder::open(&self.folder)?;
        let mut all = read(&self.folder).map_err(io::Error::other)?;
        let mut known = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        for (what, before) in known.iter() {
            all.note(*what, before);
        }
        for what in what {
            all.note(*what, before);
        }
        all.forget_before(oldest(now_ms));
        if all.len() > ENDED_SESSIONS_MAX {
            // To forget one would bring sessions back to life.
            return Err(io::Error::other("too many sign-outs are remembered"));
        }
        folder.replace(FILE, &written(&all)?)?;
        *seen = stamp(&self.folder);
        *known = all;
        Ok(())
    }

    /// What another process has written since: `None`, nothing.
    pub(crate) fn look(&self) -> Result<Option<Ended>, String> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = stamp(&self.folder);
        if found == *seen {
            return Ok(None);
        }
        let new = read(&self.folder)?;
        let mut known = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        for (what, before) in new.iter() {
            known.note(*what, before);
        }
        *seen = found;
        Ok(Some(new))
    }
}

/// No session is older: nothing before that needs to be remembered.
pub(crate) fn oldest(now_ms: u64) -> u64 {
    let lifetime = u64::try_from(SESSION_LIFETIME_MAX.as_millis()).unwrap_or(u64::MAX);
    now_ms.saturating_sub(lifetime)
}

fn stamp(folder: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(folder.join(FILE)).ok()?;
    Some((found.ino(), found.mtime(), found.mtime_nsec(), found.size()))
}

/// Hexadecimal names to milliseconds.
fn read(folder: &Path) -> Result<Ended, String> {
    let path = folder.join(FILE);
    let mut ended = Ended::default();
    if !path.exists() {
        return Ok(ended);
    }
    let Some(bytes) = config::state_file(&path)? else {
        return Ok(ended);
    };
    let broken = || format!("{} is no list of ended sessions", path.display());
    let list: BTreeMap<String, u64> = serde_json::from_slice(&bytes).map_err(|_| broken())?;
    for (name, before) in list {
        let what = u128::from_str_radix(&name, 16).map_err(|_| broken())?;
        ended.note(what.to_be_bytes(), before);
    }
    Ok(ended)
}

fn written(ended: &Ended) -> io::Result<Vec<u8>> {
    let name = |what: &Short| format!("{:032x}", u128::from_be_bytes(*what));
    let list: BTreeMap<String, u64> = ended
        .iter()
        .map(|(what, before)| (name(what), before))
        .collect();
    Ok(serde_json::to_vec(&list)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn noted(ended: &Ended) -> BTreeMap<Short, u64> {
        ended.iter().map(|(what, before)| (*what, before)).collect()
    }

    #[test]
    fn a_sign_out_is_known_to_the_next_process_and_to_another_one() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("state");
        let [one, other] = [(); 2].map(|()| EndedSessions::load(&folder).unwrap());
        one.note(&[[1; 16], [2; 16]], NOW, NOW).unwrap();
        assert!(one.look().unwrap().is_none());
        let new = noted(&other.look().unwrap().unwrap());
        assert_eq!(new, BTreeMap::from([([1; 16], NOW), ([2; 16], NOW)]));
        assert!(other.look().unwrap().is_none());
        // Neither overwrites what the other has written.
        other.note(&[[3; 16]], NOW + 1, NOW).unwrap();
        one.note(&[[1; 16]], NOW - 1, NOW).unwrap();
        let all = BTreeMap::from([([1; 16], NOW), ([2; 16], NOW), ([3; 16], NOW + 1)]);
        let next = EndedSessions::load(&folder).unwrap();
        assert_eq!(noted(&next.copy()), all);
        assert_eq!(noted(&one.copy()), all);
        let mode = fs::metadata(folder.join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode, 0o100600);
    }

    #[test]
    fn what_no_session_can_be_older_than_is_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let one = EndedSessions::load(root.path()).unwrap();
        one.note(&[[1; 16]], NOW, NOW).unwrap();
        let month = u64::try_from(SESSION_LIFETIME_MAX.as_millis()).unwrap();
        one.note(&[[2; 16]], NOW + month, NOW + month).unwrap();
        assert_eq!(one.copy().len(), 2);
        one.note(&[[3; 16]], NOW + month, NOW + month + 1).unwrap();
        assert_eq!(
            noted(&one.copy()),
            BTreeMap::from([([2; 16], NOW + month), ([3; 16], NOW + month)])
        );
    }

    #[test]
    fn a_full_list_forgets_nobody_and_can_be_read() {
        let root = tempfile::tempdir().unwrap();
        let one = EndedSessions::load(root.path()).unwrap();
        let all: Vec<Short> = (0..ENDED_SESSIONS_MAX)
            .map(|index| (u128::MAX - index as u128).to_be_bytes())
            .collect();
        one.note(&all, u64::MAX, NOW).unwrap();
        assert!(one.note(&[[0; 16]], NOW, NOW).is_err());
        assert_eq!(
            EndedSessions::load(root.path()).unwrap().copy().len(),
            all.len()
        );
    }

    #[test]
    fn a_list_that_is_none_or_that_others_wrote_is_not_believed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(FILE);
        for (text, mode) in [
            ("{", 0o600),
            ("{\"xyz\":1}", 0o600),
            ("{}", 0o644),
            ("{}", 0o602),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let loaded = EndedSessions::load(root.path());
            assert!(loaded.is_err(), "{text} {mode:o}");
        }
    }
}
