//! `adit user hash-password`.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::{bad_configuration, failed, say};
use crate::limits::PASSWORD_BYTES_MAX;
use crate::password::PasswordHash;
use crate::runtime::terminal::Quiet;

#[derive(clap::Subcommand)]
pub(super) enum UserCommand {
    /// Read a password from standard input and print its hash, as a [[sign_in.user]] has it
    ///
    /// One line is read; on a terminal it does not show. The password is never an argument, where other users could see it.
    HashPassword,
}

pub(super) fn user(command: &UserCommand) -> ExitCode {
    match command {
        UserCommand::HashPassword => hash_password(),
    }
}

fn hash_password() -> ExitCode {
    let password = match read_password() {
        Ok(password) => password,
        Err(error) => return failed(format_args!("standard input: {error}")),
    };
    let mut salt = [0; 16];
    if SystemRandom::new().fill(&mut salt).is_err() {
        return failed("the system gives no random bytes");
    }
    let hash = PasswordHash::make(&password, salt);
    match hash
        .as_ref()
        .map(|hash| String::from_utf8_lossy(hash.text()))
    {
        Some(text) => say(text),
        None => bad_configuration(format_args!(
            "adit: a password has 1 to {PASSWORD_BYTES_MAX} bytes"
        )),
    }
}

/// The first line, without its end.
fn read_password() -> io::Result<Zeroizing<Vec<u8>>> {
    let input = io::stdin();
    let quiet = input.is_terminal().then(|| {
        let mut out = io::stderr();
        // A prompt that does not show keeps nobody from typing.
        let _ = out.write_all(b"Password: ").and_then(|()| out.flush());
        Quiet::terminal()
    });
    // Room for all of it: a growing vector would leave unwiped copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(PASSWORD_BYTES_MAX + 2));
    let longest = PASSWORD_BYTES_MAX as u64 + 2;
    io::Read::take(input.lock(), longest).read_until(b'\n', &mut line)?;
    if quiet.is_some() {
        eprintln!();
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}
