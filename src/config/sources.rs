//! Which files a configuration was made of, so that a change of one of them can be told from noise beside them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::files;
use super::gather::wildcard;
use crate::limits::CONFIG_FILE_BYTES_MAX;

/// Symbolic links followed one after the other; a loop ends here.
const LINKS_MAX: usize = 16;

/// Everything that was read, or would have been if it were there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    files: BTreeSet<PathBuf>,
    /// Folder and pattern of each `include` with a `*`.
    patterns: BTreeSet<(PathBuf, String)>,
}

/// What all the files say, as a hash: equal states have equal ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Sources {
    pub fn add_file(&mut self, path: &Path) {
        self.files.insert(path.to_path_buf());
    }

    pub(super) fn add_pattern(&mut self, folder: &Path, pattern: &str) {
        self.patterns
            .insert((folder.to_path_buf(), pattern.to_owned()));
    }

    /// Reads all the files and hashes what they say and who may touch them: a `chmod` cures, too.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut context = Context::new(&SHA256);
        let mut add = |bytes: &[u8]| {
            context.update(&(bytes.len() as u64).to_le_bytes());
            context.update(bytes);
        };
        for path in self.files.iter().cloned().chain(self.included()) {
            add(path.as_os_str().as_bytes());
            match contents(&path) {
                Ok((bytes, rights)) => {
                    add(&bytes);
                    add(rights.as_bytes());
                }
                Err(error) => add(error.kind().to_string().as_bytes()),
            }
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Fingerprint(hash)
    }

    /// The folders in which a change can be seen: those of the files and patterns, and of every link on the way to them.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let mut folders = BTreeSet::new();
        for path in &self.files {
            folders.insert(files::folder_of(path).to_path_buf());
            follow(path, &mut folders, LINKS_MAX);
        }
        for (folder, _) in &self.patterns {
            folders.insert(folder.clone());
            follow(folder, &mut folders, LINKS_MAX);
        }
        for file in self.included() {
            follow(&file, &mut folders, LINKS_MAX);
        }
        folders
    }

    fn included(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for (folder, pattern) in &self.patterns {
            let names = files::names_in(folder).unwrap_or_default();
            let fitting = names.iter().filter(|name| wildcard(pattern, name));
            paths.extend(fitting.map(|name| folder.join(name)));
        }
        paths
    }
}

fn contents(path: &Path) -> std::io::Result<(Vec<u8>, String)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut rights = format!("{:o} {}", metadata.mode(), metadata.uid());
    if metadata.len() > CONFIG_FILE_BYTES_MAX {
        // Not all of it is read here: it is another one where it was written anew.
        let (file, length) = (metadata.ino(), metadata.len());
        let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
        rights.push_str(&format!(" {file} {length} {seconds} {nanoseconds}"));
    }
    let mut bytes = Vec::new();
    if metadata.is_file() {
        file.take(CONFIG_FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    }
    Ok((bytes, rights))
}

/// Adds the folders in which the links on the way to `path` lie, and those that they lead to.
fn follow(path: &Path, folders: &mut BTreeSet<PathBuf>, links_left: usize) {
    let Some(links_left) = links_left.checked_sub(1) else {
        return;
    };
    for prefix in path.ancestors() {
        let Ok(target) = fs::read_link(prefix) else {
            continue;
        };
        let folder = files::folder_of(prefix);
        folders.insert(folder.to_path_buf());
        let behind = path.strip_prefix(prefix).unwrap_or(Path::new(""));
        let target = folder.join(target);
        let target = if behind.as_os_str().is_empty() {
            target
        } else {
            target.join(behind)
        };
        folders.insert(files::folder_of(&target).to_path_buf());
        follow(&target, folders, links_left);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_changes_are_seen() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("v1")).unwrap();
        fs::create_dir(at("v2")).unwrap();
        fs::create_dir(at("etc")).unwrap();
        fs::write(at("v1/a.toml"), "one").unwrap();
        fs::write(at("v2/a.toml"), "two").unwrap();
        symlink("../v1", at("etc/data")).unwrap();
        symlink("data/a.toml", at("etc/a.toml")).unwrap();
        let mut sources = Sources::default();
        sources.add_file(&at("etc/a.toml"));
        sources.add_pattern(&at("etc"), "*.conf");
        let folders = sources.folders();
        for folder in ["etc", "etc/../v1"] {
            assert!(folders.contains(&at(folder)), "{folder}: {folders:?}");
        }
        let first = sources.fingerprint();
        fs::write(at("etc/noise"), "x").unwrap();
        assert_eq!(sources.fingerprint(), first);
        // The link in the middle is exchanged, as orchestrators do.
        symlink("../v2", at("etc/data.new")).unwrap();
        fs::rename(at("etc/data.new"), at("etc/data")).unwrap();
        let second = sources.fingerprint();
        assert_ne!(second, first);
        fs::write(at("etc/b.conf"), "").unwrap();
        let third = sources.fingerprint();
        assert_ne!(third, second);
        // A loop of links ends.
        symlink("loop", at("etc/loop")).unwrap();
        sources.add_file(&at("etc/loop"));
        assert!(!sources.folders().is_empty());
        assert_ne!(sources.fingerprint(), third);
    }

    #[test]
    fn a_file_too_long_to_be_read_whole_has_changed_when_it_was_written() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("countries.mmdb");
        let length = CONFIG_FILE_BYTES_MAX as usize + 2;
        fs::write(&path, vec![0; length]).unwrap();
        let mut sources = Sources::default();
        sources.add_file(&path);
        let first = sources.fingerprint();
        assert_eq!(sources.fingerprint(), first);
        let mut bytes = vec![0; length];
        bytes[length - 1] = 1;
        fs::write(&path, bytes).unwrap();
        let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert_ne!(sources.fingerprint(), first);
    }
}
