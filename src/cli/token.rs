//! `adit token mint` and `adit token inspect`.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{bad_configuration, failed, say};
use crate::boundary::{self, Doubt};
use crate::config;
use crate::json;
use crate::runtime::clock::Clock;
use crate::token::{
    MintError, MintFamily, MintRequest, P521PrivateKey, TokenError, inspect, mint_es512,
    mint_hs256, sha256_hex,
};

#[derive(clap::Subcommand)]
pub(super) enum TokenCommand {
    /// Sign a token and print it
    ///
    /// Without --type it is a CE token: the edge accepts it where [tokens.ce] is configured, within the projects and
    /// permissions listed there. Those of the other types belong to a [[credential]].
    #[command(after_long_help = MINT_EXAMPLES)]
    Mint(MintArguments),
    /// Show what a token says, without checking or showing its signature
    ///
    /// The output is for reading and proves nothing: whoever has the token's text can have changed it.
    Inspect(InspectArguments),
}

const MINT_EXAMPLES: &str = "\
Examples:
  A token for one hour, for everything [tokens.ce] allows:
    adit token mint --secret-file /etc/adit/secrets/hs256 --subject ci-bot

  For paths below /api/ only, for ten minutes:
    adit token mint --secret-file /etc/adit/secrets/hs256 --expires-in 10m --boundary \\
    '{\"scopes\":{\"tunnels\":{\"connect\":{\"params\":{\"path\":{\"regex\":\"^/api/\"}}}}}}'

  A personal token, whose hash for its [[credential]] is printed on standard error:
    adit token mint --type pat --secret-file /etc/adit/secrets/hs256 --expires-in 90d

  For an application, with its own key (adit credential new-app):
    adit token mint --type app --client-id reports --key-file /etc/adit/keys/reports.key";

/// Which family a new token is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Type {
    /// Without a type, as the Community Edition makes them
    Ce,
    /// A personal token: it counts once its hash is that of a [[credential]]
    Pat,
    /// For a user, for at most an hour
    Auth,
    /// For an application, signed with its own key, for at most an hour
    App,
}

#[derive(clap::Args)]
pub(super) struct MintArguments {
    #[arg(long = "type", value_enum, default_value = "ce")]
    kind: Type,
    /// File with the deployment secret ([tokens] hs256_secret_file), at least 32 bytes
    #[arg(long, value_name = "FILE", conflicts_with = "key_file")]
    secret_file: Option<PathBuf>,
    /// File with the application's private key: PEM, or PKCS#8 in hex
    #[arg(long, value_name = "FILE", required_if_eq("kind", "app"))]
    key_file: Option<PathBuf>,
    /// The application: the id of its [[credential]]
    #[arg(long, value_name = "NAME", required_if_eq("kind", "app"))]
    client_id: Option<String>,
    /// The user: the id of the [[credential]]
    #[arg(long, value_name = "NAME", required_if_eq("kind", "auth"))]
    user_id: Option<String>,
    /// Who the token is for: the claim `sub`, shown as `credential` in the access log
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Comma-separated permissions, such as tunnels.streams.create-delete, the right to send requests; without this, all
    /// that the edge's configuration allows
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    permissions: Option<Vec<String>>,
    /// Boundary as JSON: the value of `resources.tunnels`; without this, every tunnel of the allowed projects
    #[arg(long, value_name = "JSON")]
    boundary: Option<String>,
    /// How long the token is good: a number with s, m, h or d; `never` must be written out. Without this, an hour; a minute
    /// for auth and app
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    expires_in: Option<Lifetime>,
    /// How long until the token becomes good
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    not_before_in: Option<Duration>,
}

#[derive(clap::Args)]
pub(super) struct InspectArguments {
    /// The token; `-` reads it from standard input, where no other user can see it
    #[arg(value_name = "TOKEN")]
    token: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// How long a new token is good.
#[derive(Clone, Copy, Debug)]
enum Lifetime {
    For(Duration),
    Unlimited,
}

fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" {
        return Ok(Lifetime::Unlimited);
    }
    duration(text).map(Lifetime::For)
}

fn duration(text: &str) -> Result<Duration, String> {
    let cure = || "write a number and a unit: 90s, 10m, 1h, 30d".to_owned();
    let (number, factor) = match text.char_indices().last() {
        Some((end, 's')) => (&text[..end], 1),
        Some((end, 'm')) => (&text[..end], 60),
        Some((end, 'h')) => (&text[..end], 60 * 60),
        Some((end, 'd')) => (&text[..end], 24 * 60 * 60),
        _ => return Err(cure()),
    };
    let number: u64 = number.parse().map_err(|_| cure())?;
    number
        .checked_mul(factor)
        .filter(|&seconds| seconds > 0)
        .map(Duration::from_secs)
        .ok_or_else(cure)
}

pub(super) fn token(command: &TokenCommand) -> ExitCode {
    match command {
        TokenCommand::Mint(arguments) => mint(arguments),
        TokenCommand::Inspect(arguments) => show(arguments),
    }
}

fn mint(arguments: &MintArguments) -> ExitCode {
    if arguments.kind != Type::App && arguments.secret_file.is_none() {
        return bad_configuration(
            "adit: --secret-file FILE is missing: the deployment secret signs every token but those of applications\n\nUsage: adit token mint --secret-file FILE [OPTIONS]",
        );
    }
    let boundary = match arguments
        .boundary
        .as_deref()
        .map(serde_json::from_str)
        .transpose()
    {
        Ok(boundary) => boundary,
        Err(error) => {
            return bad_configuration(format_args!("adit: --boundary is not JSON: {error}"));
        }
    };
    let now = Clock::default().now().unix_seconds();
    let (family, short) = match arguments.kind {
        Type::Ce => (MintFamily::Ce, false),
        Type::Pat => (MintFamily::Pat, false),
        Type::Auth => (
            MintFamily::Auth(arguments.user_id.clone().unwrap_or_default()),
            true,
        ),
        Type::App => (
            MintFamily::App(arguments.client_id.clone().unwrap_or_default()),
            true,
        ),
    };
    let usual = Lifetime::For(Duration::from_secs(if short { 60 } else { 3600 }));
    let request = MintRequest {
        family,
        subject: arguments.subject.clone(),
        permissions: arguments.permissions.clone(),
        boundary,
        issued_at: now,
        not_before: arguments.not_before_in.map(|after| now + after.as_secs()),
        expires_at: match arguments.expires_in.unwrap_or(usual) {
            Lifetime::For(lifetime) => Some(now.saturating_add(lifetime.as_secs())),
            Lifetime::Unlimited => None,
        },
    };
    let minted = match sign(arguments, &request) {
        Ok(minted) => minted,
        Err(problem) => return failed(problem),
    };
    match minted {
        Ok(token) => {
            for doubt in request.boundary.as_ref().map(doubts).unwrap_or_default() {
                eprintln!("warning: {doubt}");
            }
            if arguments.kind == Type::Pat {
                eprintln!("token_sha256 = \"{}\"", sha256_hex(token.as_bytes()));
            }
            say(token)
        }
        Err(error) => bad_configuration(format_args!("adit: no token made: {error}")),
    }
}

fn doubts(boundary: &serde_json::Value) -> Vec<Doubt> {
    json::parse(boundary.to_string().as_bytes())
        .map(|boundary| boundary::doubts(&boundary))
        .unwrap_or_default()
}

/// Signs with what the token's type is signed with; fails where that cannot be read.
fn sign(
    arguments: &MintArguments,
    request: &MintRequest,
) -> Result<Result<String, MintError>, String> {
    let read = |option: &str, file: &Option<PathBuf>| {
        let file = file.clone().unwrap_or_default();
        match fs::read(&file) {
            Ok(bytes) => Ok((Zeroizing::new(bytes), file)),
            Err(error) => Err(format!("{option} {}: {error}", file.display())),
        }
    };
    if arguments.kind != Type::App {
        let (bytes, _) = read("--secret-file", &arguments.secret_file)?;
        let secret = config::secret_from_file_bytes(&bytes);
        return Ok(mint_hs256(secret.expose(), request));
    }
    let (bytes, file) = read("--key-file", &arguments.key_file)?;
    let key = std::str::from_utf8(&bytes)
        .ok()
        .and_then(P521PrivateKey::from_text);
    let key = key.ok_or_else(|| {
        let file = file.display();
        format!("--key-file {file} is no P-521 key: PEM block PRIVATE KEY, or PKCS#8 in hex")
    })?;
    Ok(mint_es512(&key, request))
}

/// A token given as an argument, or on standard input for `-`.
pub(super) fn argument(token: &str) -> std::io::Result<String> {
    let mut token = token.to_owned();
    if token == "-" {
        token.clear();
        std::io::stdin().read_to_string(&mut token)?;
    }
    Ok(token.trim().to_owned())
}

fn show(arguments: &InspectArguments) -> ExitCode {
    let token = match argument(&arguments.token) {
        Ok(token) => token,
        Err(error) => return failed(format_args!("standard input: {error}")),
    };
    match inspect(&token) {
        Ok(inspection) if arguments.json => say(inspection.json()),
        Ok(inspection) => say(inspection),
        Err(error) => failed(format_args!(
            "not a token that the edge would read: {error} ({})",
            what_is_read(error)
        )),
    }
}

/// What a token must be where it is not.
fn what_is_read(error: TokenError) -> &'static str {
    if error == TokenError::TooLong {
        "a token has at most 8192 bytes"
    } else if let TokenError::BadJson(_) = error {
        "header and claims must be strict JSON, without a key given twice"
    } else {
        "a token is three parts of base64url without padding, joined by dots"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for bad in [
            "",
            "s",
            "90",
            "1.5h",
            "-1h",
            "0s",
            "1w",
            "99999999999999999999d",
            "1ä",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(matches!(lifetime("never"), Ok(Lifetime::Unlimited)));
    }
}
