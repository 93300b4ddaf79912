//! Descriptors that a service manager opened and passes on (`sd_listen_fds`(3)).

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The first of them; those below are the standard streams.
const FIRST: RawFd = 3;
/// Far more than any unit has.
const MOST: usize = 1024;
const VARIABLES: [&str; 4] = [
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
];

/// One of them.
#[derive(Debug)]
pub struct Passed {
    /// `FileDescriptorName=` of its unit, or the unit's name; empty where there is none.
    pub name: String,
    pub descriptor: OwnedFd,
}

/// Takes what was passed to this process; nothing where the variables are absent or meant for another one. They are
/// removed, and the descriptors are closed in whatever this process may start.
///
/// Must be called while the process has one thread, and once. Fails where the variables say what cannot be.
pub fn take() -> Result<Vec<Passed>, String> {
    let [pid, _, count, names] = VARIABLES.map(|name| std::env::var(name).ok());
    super::process::forget_environment(VARIABLES.map(str::to_owned));
    let (Some(pid), Some(count)) = (pid, count) else {
        return Ok(Vec::new());
    };
    if pid != std::process::id().to_string() {
        return Ok(Vec::new());
    }
    let count = count
        .parse()
        .ok()
        .filter(|count| (1..=MOST).contains(count));
    let count = count.ok_or("LISTEN_FDS is not a number of sockets")?;
    let names = names.unwrap_or_default();
    let mut names = names.split(':');
    (FIRST..)
        .take(count)
        .map(|number| {
            let descriptor = own(number).map_err(|error| {
                format!("LISTEN_FDS says {count}, and descriptor {number} is not open: {error}")
            })?;
            let name = names.next().unwrap_or_default().to_owned();
            Ok(Passed { name, descriptor })
        })
        .collect()
}

fn own(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: a plain system call on a number, which fails where nothing is open under it.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and by the protocol ours alone: whoever started us gave it away, and we take it once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
