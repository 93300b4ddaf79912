//! `adit token mint` and `adit token inspect`.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::{bad_configuration, failed, say};
use crate::config;
use crate::runtime::clock::Clock;
use crate::token::inspect;
use crate::token::{MintRequest, TokenError, mint_hs256};

#[derive(clap::Subcommand)]
pub(super) enum TokenCommand {
    /// Sign a token with the deployment secret and print it
    ///
    /// The token is a CE token: the edge accepts it where [tokens.ce] is configured, within the projects and permissions
    /// listed there.
    #[command(after_help = MINT_EXAMPLES)]
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
    '{\"scopes\":{\"tunnels\":{\"connect\":{\"params\":{\"path\":{\"regex\":\"^/api/\"}}}}}}'";

#[derive(clap::Args)]
pub(super) struct MintArguments {
    /// File with the deployment secret ([tokens] hs256_secret_file), at least 32 bytes
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
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
    /// How long the token is good: a number with s, m, h or d; `never` must be written out
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = lifetime)]
    expires_in: Lifetime,
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
    let secret = match fs::read(&arguments.secret_file) {
        Ok(bytes) => config::secret_from_file_bytes(&bytes),
        Err(error) => {
            let file = arguments.secret_file.display();
            return failed(format_args!("--secret-file {file}: {error}"));
        }
    };
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
    let request = MintRequest {
        subject: arguments.subject.clone(),
        permissions: arguments.permissions.clone(),
        boundary,
        issued_at: now,
        not_before: arguments.not_before_in.map(|after| now + after.as_secs()),
        expires_at: match arguments.expires_in {
            Lifetime::For(lifetime) => Some(now.saturating_add(lifetime.as_secs())),
            Lifetime::Unlimited => None,
        },
    };
    match mint_hs256(secret.expose(), &request) {
        Ok(token) => say(token),
        Err(error) => bad_configuration(format_args!("adit: no token made: {error}")),
    }
}

fn show(arguments: &InspectArguments) -> ExitCode {
    let mut token = arguments.token.clone();
    if token == "-" {
        token.clear();
        if let Err(error) = std::io::stdin().read_to_string(&mut token) {
            return failed(format_args!("standard input: {error}"));
        }
    }
    match inspect(token.trim()) {
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
