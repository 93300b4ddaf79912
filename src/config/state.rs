//! Files that the edge keeps for itself in `engine.state_dir`.
//!
//! As private as a secret, and as much its own as a configuration: whoever could exchange one would decide who is believed.

use std::path::Path;

use zeroize::Zeroizing;

use super::files::{self, FileError, Purpose};

/// Reads one, wiped when dropped; `None`: there is none yet. Says what is wrong with its rights, or with those of its folder,
/// which must be there.
pub fn state_file(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let read = files::judge_folders(path).and_then(|()| files::read(path, Purpose::State));
    match read {
        Ok(contents) => Ok(Some(contents.bytes)),
        Err(FileError::Unreadable(std::io::ErrorKind::NotFound)) => Ok(None),
        Err(error) => Err(error.message(path, Purpose::State)),
    }
}
