//! The only code here that touches files: opens, checks on the opened descriptor who may read and write (S10.1), reads.
//!
//! Comes in: a path and what the file is for. Goes out: its bytes. Refuses: a secret that others can read, a
//! configuration that others can write, anything but a regular file, and files beyond their cap. The checks ask the
//! descriptor, not the path, so that nobody can exchange the file between check and read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::limits::{CONFIG_FILE_BYTES_MAX, CREDENTIAL_FILE_BYTES_MAX, DATABASE_BYTES_MAX};

/// What a file is for, and so who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Decides who gets in: nobody else may write it, nor exchange it in its folder.
    Configuration,
    /// A key or a secret: nobody else may read it.
    Secret,
    /// What the edge keeps for itself: nobody else may read it, write it, or have put it there.
    State,
    /// Certificates: everybody may read them, nobody else may write them.
    Certificates,
    /// The same for what is larger.
    Database,
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileError {
    Unreadable(ErrorKind),
    NotAFile,
    TooLong(u64),
    /// Readable or writable by users who must not be able to.
    Open(Access),
    /// The folder that holds the file.
    Folder(PathBuf, Access),
}

/// Who can do too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    ReadByOthers,
    ReadByGroup,
    WriteByOthers,
    WriteByGroup,
    OwnedBy(u32),
}

impl FileError {
    /// The text for an operator, with the cure. A path that cannot be opened is not repeated when a secret was asked
    /// for: somebody may have written the secret itself where its file belongs.
    pub(super) fn message(&self, path: &Path, purpose: Purpose) -> String {
        let shown = path.display();
        match self {
            FileError::Unreadable(kind) => {
                let reason = reason(*kind);
                match purpose {
                    Purpose::Secret => {
                        format!("the file named here cannot be opened: {reason}")
                    }
                    Purpose::Configuration
                    | Purpose::State
                    | Purpose::Certificates
                    | Purpose::Database => {
                        format!("{shown} cannot be opened: {reason}")
                    }
                }
            }
            FileError::NotAFile => format!("{shown} is not a regular file"),
            FileError::TooLong(max) => format!("{shown} is longer than {max} bytes"),
            FileError::Open(access) => access.message(&shown, purpose),
            FileError::Folder(folder, access) => {
                let folder = folder.display();
                let about = access.message(&folder, purpose);
                format!("{about} (whoever can write the folder can exchange {shown})")
            }
        }
    }
}

fn reason(kind: ErrorKind) -> String {
    if kind == ErrorKind::NotFound {
        "there is no such file".to_owned()
    } else {
        kind.to_string()
    }
}

impl Access {
    fn message(self, path: &std::path::Display<'_>, purpose: Purpose) -> String {
        let mode = match purpose {
            Purpose::Secret | Purpose::State => "600",
            Purpose::Configuration | Purpose::Certificates | Purpose::Database => "go-w",
        };
        match self {
            Access::ReadByOthers => {
                format!("{path} can be read by other users: chmod {mode} {path}")
            }
            Access::ReadByGroup => {
                format!("{path} can be read by a group that is not root's: chmod {mode} {path}")
            }
            Access::WriteByOthers => {
                format!("{path} can be written by other users: chmod {mode} {path}")
            }
            Access::WriteByGroup => {
                format!("{path} can be written by a group that is not root's: chmod {mode} {path}")
            }
            Access::OwnedBy(owner) => format!(
                "{path} belongs to user {owner}, neither root nor the user of this process: chown root {path}"
            ),
        }
    }
}

/// The bytes of a file, wiped when dropped, and which file it was.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Device and inode: two names of one file are one file.
    pub(super) identity: (u64, u64),
}

/// Reads `path` if its access rights fit its purpose.
pub(super) fn read(path: &Path, purpose: Purpose) -> Result<Contents, FileError> {
    let unreadable = |error: std::io::Error| FileError::Unreadable(error.kind());
    // Without O_NONBLOCK a named pipe would hold up the start for ever.
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile);
    }
    judge(Rights::of(&metadata), purpose, our_user()).map_err(FileError::Open)?;
    if purpose == Purpose::Configuration {
        judge_folders(path)?;
    }
    let max = match purpose {
        Purpose::Configuration => CONFIG_FILE_BYTES_MAX,
        Purpose::Secret | Purpose::State | Purpose::Certificates => CREDENTIAL_FILE_BYTES_MAX,
        Purpose::Database => DATABASE_BYTES_MAX,
    };
    if metadata.len() > max {
        return Err(FileError::TooLong(max));
    }
    // Room for the whole file and the byte that shows its end: a growing vector would leave unwiped copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
    Read::by_ref(&mut file)
        .take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > max {
        return Err(FileError::TooLong(max));
    }
    Ok(Contents {
        bytes,
        identity: (metadata.dev(), metadata.ino()),
    })
}

/// Checks the folder that directly holds the file, and behind a symbolic link also the folder of the file itself.
pub(super) fn judge_folders(path: &Path) -> Result<(), FileError> {
    judge_folder(folder_of(path))?;
    if let Ok(real) = path.canonicalize() {
        judge_folder(folder_of(&real))?;
    }
    Ok(())
}

fn judge_folder(folder: &Path) -> Result<(), FileError> {
    let metadata = File::open(folder)
        .and_then(|opened| opened.metadata())
        .map_err(|error| FileError::Unreadable(error.kind()))?;
    judge(Rights::of(&metadata), Purpose::Configuration, our_user())
        .map_err(|access| FileError::Folder(folder.to_path_buf(), access))
}

/// The folder that holds `path`; the current one for a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Names in a folder, sorted; hidden ones and names that are not UTF-8 are left out.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, ErrorKind> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| error.kind())? {
        let entry = entry.map_err(|error| error.kind())?;
        if let Ok(name) = entry.file_name().into_string()
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The part of a file's metadata that says who may do what.
#[derive(Clone, Copy, Debug)]
struct Rights {
    mode: u32,
    owner: u32,
    group: u32,
}

impl Rights {
    fn of(metadata: &Metadata) -> Rights {
        Rights {
            mode: metadata.mode(),
            owner: metadata.uid(),
            group: metadata.gid(),
        }
    }
}

fn judge(rights: Rights, purpose: Purpose, our_user: u32) -> Result<(), Access> {
    let others_may = |bits: u32| rights.mode & bits != 0;
    let group_may = |bits: u32| rights.group != 0 && rights.mode & (bits << 3) != 0;
    if others_may(0o002) {
        return Err(Access::WriteByOthers);
    }
    if group_may(0o002) {
        return Err(Access::WriteByGroup);
    }
    match purpose {
        Purpose::Secret | Purpose::State if others_may(0o004) => Err(Access::ReadByOthers),
        Purpose::Secret | Purpose::State if group_may(0o004) => Err(Access::ReadByGroup),
        Purpose::Configuration | Purpose::State
            if rights.owner != 0 && rights.owner != our_user =>
        {
            Err(Access::OwnedBy(rights.owner))
        }
        Purpose::Secret
        | Purpose::State
        | Purpose::Configuration
        | Purpose::Certificates
        | Purpose::Database => Ok(()),
    }
}

/// The effective user of this process; root if the kernel does not say, which is the stricter reading. Not the owner
/// of `/proc/self`: that is root as soon as a process is not dumpable.
fn our_user() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    effective_user(&status).unwrap_or(0)
}

fn effective_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Purpose, mode, owner, group, verdict; our user is 1000.
    type Row = (Purpose, u32, u32, u32, Result<(), Access>);

    const TABLE: &[Row] = &[
        (Purpose::Secret, 0o600, 1000, 1000, Ok(())),
        (Purpose::Secret, 0o640, 1000, 0, Ok(())),
        (Purpose::Secret, 0o640, 1000, 1000, Err(Access::ReadByGroup)),
        (Purpose::Secret, 0o604, 1000, 0, Err(Access::ReadByOthers)),
        (Purpose::Secret, 0o602, 1000, 0, Err(Access::WriteByOthers)),
        (Purpose::Secret, 0o620, 1000, 5, Err(Access::WriteByGroup)),
        (Purpose::State, 0o600, 1000, 1000, Ok(())),
        (Purpose::State, 0o600, 0, 0, Ok(())),
        (Purpose::State, 0o640, 1000, 1000, Err(Access::ReadByGroup)),
        (Purpose::State, 0o604, 1000, 0, Err(Access::ReadByOthers)),
        (Purpose::State, 0o620, 1000, 5, Err(Access::WriteByGroup)),
        (
            Purpose::State,
            0o600,
            1001,
            1000,
            Err(Access::OwnedBy(1001)),
        ),
        (Purpose::Configuration, 0o644, 1000, 1000, Ok(())),
        (Purpose::Configuration, 0o644, 0, 1000, Ok(())),
        (
            Purpose::Configuration,
            0o644,
            1001,
            1000,
            Err(Access::OwnedBy(1001)),
        ),
        (Purpose::Configuration, 0o664, 0, 0, Ok(())),
        (
            Purpose::Configuration,
            0o664,
            0,
            5,
            Err(Access::WriteByGroup),
        ),
        (
            Purpose::Configuration,
            0o646,
            0,
            0,
            Err(Access::WriteByOthers),
        ),
        (
            Purpose::Configuration,
            0o1777,
            0,
            0,
            Err(Access::WriteByOthers),
        ),
        (Purpose::Certificates, 0o644, 1001, 5, Ok(())),
        (
            Purpose::Certificates,
            0o646,
            1001,
            5,
            Err(Access::WriteByOthers),
        ),
        (
            Purpose::Certificates,
            0o664,
            1001,
            5,
            Err(Access::WriteByGroup),
        ),
    ];

    #[test]
    fn who_may_do_what() {
        for &(purpose, mode, owner, group, verdict) in TABLE {
            let rights = Rights { mode, owner, group };
            assert_eq!(
                judge(rights, purpose, 1000),
                verdict,
                "{purpose:?} {mode:o} {owner} {group}"
            );
        }
    }

    #[test]
    fn the_effective_user_is_the_second_number() {
        let status = "Name:\tadit\nUid:\t1000\t1001\t1002\t1003\nGid:\t5\t5\t5\t5\n";
        assert_eq!(effective_user(status), Some(1001));
        assert_eq!(effective_user("Name:\tadit\n"), None);
    }

    #[test]
    fn a_folder_is_not_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path(), Purpose::Certificates).unwrap_err();
        assert_eq!(error, FileError::NotAFile);
    }
}
