//! `adit credential hash`, `adit credential fingerprint` and `adit credential new-app`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{bad_configuration, certificate_file, failed, say};
use crate::token::{P521PrivateKey, sha256_hex};

#[derive(clap::Subcommand)]
pub(super) enum CredentialCommand {
    /// Print the hash of a token, as a [[credential]] or revocations_file has it
    Hash(HashArguments),
    /// Print the fingerprint of a client certificate, as a [[credential]] has it
    Fingerprint(FingerprintArguments),
    /// Make the key pair of an application
    ///
    /// The application signs its tokens with the private key; the edge gets the public one.
    NewApp(NewAppArguments),
}

#[derive(clap::Args)]
pub(super) struct HashArguments {
    /// The token; `-` reads it from standard input, where no other user can see it
    #[arg(value_name = "TOKEN")]
    token: String,
}

#[derive(clap::Args)]
pub(super) struct FingerprintArguments {
    /// The certificate, PEM or DER; of several, the first
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(clap::Args)]
pub(super) struct NewAppArguments {
    /// The application's name: the id of its [[credential]], and the clientId in its tokens
    #[arg(long, value_name = "NAME")]
    id: String,
    /// Where the private key goes; only its owner can read the file
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Where the public key goes
    #[arg(long, value_name = "FILE")]
    public_key_file: PathBuf,
}

pub(super) fn credential(command: &CredentialCommand) -> ExitCode {
    match command {
        CredentialCommand::Hash(arguments) => hash(arguments),
        CredentialCommand::Fingerprint(arguments) => fingerprint(arguments),
        CredentialCommand::NewApp(arguments) => new_app(arguments),
    }
}

fn hash(arguments: &HashArguments) -> ExitCode {
    match super::token::argument(&arguments.token) {
        Ok(token) if crate::token::inspect(&token).is_ok() => say(sha256_hex(token.as_bytes())),
        // A hash of anything else would never match, and nobody would know why.
        Ok(_) => bad_configuration(
            "adit: not a token: three parts of base64url without padding, joined by dots",
        ),
        Err(error) => failed(format_args!("standard input: {error}")),
    }
}

fn fingerprint(arguments: &FingerprintArguments) -> ExitCode {
    match certificate_file::read(&arguments.file) {
        Ok(peer) => {
            let digits = peer.fingerprint().iter();
            say(digits.map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        Err(problem) => bad_configuration(format_args!("adit: {problem}")),
    }
}

fn new_app(arguments: &NewAppArguments) -> ExitCode {
    let key = P521PrivateKey::generate();
    let texts = key
        .as_ref()
        .and_then(|key| key.to_pem().zip(key.public().to_pem()));
    let Some((private, public)) = texts else {
        return failed("the system gives no random bytes");
    };
    let files = [
        (&arguments.key_file, 0o600, private.as_str()),
        (&arguments.public_key_file, 0o644, public.as_str()),
    ];
    for (file, mode, text) in files {
        if let Err(error) = write_new(file, mode, text) {
            return failed(format_args!("{}: {error}", file.display()));
        }
    }
    say(format_args!(
        "[[credential]]\nid = \"{}\"\nkind = \"app\"\npublic_key_file = \"{}\"\nprojects = [\"proj-1\"] # those it may reach",
        arguments.id.escape_default(),
        arguments
            .public_key_file
            .display()
            .to_string()
            .escape_default()
    ))
}

/// A key that is there already is never overwritten.
fn write_new(file: &Path, mode: u32, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file)?
        .write_all(text.as_bytes())
}
