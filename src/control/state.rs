//! Writing to `engine.state_dir`. Two processes may share it while one takes over from the other, so a folder is locked
//! while it is in use, and a reader finds the old file or the new one, whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A folder that this process alone uses, until it is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    handle: File,
}

impl Folder {
    /// Makes it where it is missing, for our user alone; waits for whoever is at work there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut made = DirBuilder::new();
        made.recursive(true).mode(0o700).create(path)?;
        let handle = File::open(path)?;
        handle.lock()?;
        Ok(Folder {
            path: path.to_owned(),
            handle,
        })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Puts a file there that our user alone can read, in one step, whatever happens.
    pub(super) fn replace(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        let unfinished = self.path(&format!("{name}.new"));
        remove(&unfinished)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.path(name))?;
        self.handle.sync_all()
    }
}

/// What a process left that ended before it had finished.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
