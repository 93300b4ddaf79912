//! The command line.
//!
//! Owns: arguments, what is printed, exit codes. Comes in: the process's arguments and environment. Goes out: 0 where all
//! went well, 1 where something failed, 2 for bad usage or a bad configuration.
#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "doc comments of arguments are help texts, where [tokens] is a table of the configuration"
)]

mod certificate_file;
mod check;
mod credential;
mod demo;
mod describe;
mod explain;
mod run;
mod token;
mod user;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config;

/// Bad usage or configuration.
const BAD_CONFIGURATION: u8 = 2;

/// A self-hosted edge for HTTP tunnels that lets a request through only when it proves who it is.
///
/// adit stands in front of private HTTP services. Each tunnel in its configuration names a public host, the service
/// behind it, and what a request must prove. What cannot be proven is refused before one byte reaches the service.
#[derive(Parser)]
#[command(name = "adit", version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the edge
    ///
    /// Reads the configuration, binds every listener, and serves until SIGTERM or SIGINT; then it accepts no more and
    /// lets exchanges finish for [timeouts] drain. A second signal ends it at once. SIGHUP reads the configuration again:
    /// tunnels, tokens, limits and certificates change without a restart, and a bad file changes nothing.
    ///
    /// Sockets that systemd passes (LISTEN_FDS) are used for the addresses that they are bound to, and must be those of the
    /// configuration. Where NOTIFY_SOCKET is set, systemd is told when the edge is ready, reloads and stops.
    ///
    /// The access log goes to standard output, what the process itself has to say to standard error.
    Run(run::RunArguments),
    /// Check a configuration without running it
    ///
    /// Lists every error with file, line, column, key and cure, and warns of what is allowed but hardly meant. Exit
    /// code 2 where there are errors.
    Check(check::CheckArguments),
    /// Try it out: a running edge with a certificate, secrets, a service behind it, and curl lines to type
    ///
    /// Needs no configuration and no privileges. Everything lies in a temporary folder that is removed at the end.
    Demo(demo::DemoArguments),
    /// Say step by step why a request gets through or does not
    ///
    /// The verdict is that of the edge itself with this configuration. Nothing is sent, and no token is shown.
    Explain(explain::ExplainArguments),
    /// Make and read tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Make what stored credentials need
    #[command(subcommand)]
    Credential(credential::CredentialCommand),
    /// Make what users who sign in need
    #[command(subcommand)]
    User(user::UserCommand),
    /// Print the JSON Schema of the configuration, for editors
    ///
    /// It has every key with its type, its default and what it is for. adit check knows more: which keys belong together,
    /// and whether the files they name can be used.
    Schema,
    /// Print what a shell needs to complete commands and flags
    ///
    /// For bash, for instance: adit completions bash > /usr/share/bash-completion/completions/adit
    Completions(describe::CompletionsArguments),
    /// Print a manual page
    ///
    /// To read one at once: adit man run | man -l -
    Man(describe::ManArguments),
}

#[derive(clap::Args)]
struct ConfigArguments {
    /// The configuration file
    ///
    /// A variable ADIT_<TABLE>__<KEY> in the environment overrides a single value in it: ADIT_HTTPS__PUBLIC_PORT=8443
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "/etc/adit/adit.toml"
    )]
    config: PathBuf,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Demo(arguments) => demo::demo(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Token(command) => token::token(&command),
        Command::Credential(command) => credential::credential(&command),
        Command::User(command) => user::user(&command),
        Command::Schema => say(describe::SCHEMA.trim_end()),
        Command::Completions(arguments) => describe::completions(&arguments),
        Command::Man(arguments) => describe::man(&arguments),
    }
}

/// The environment's overrides.
fn overrides() -> Vec<(String, String)> {
    std::env::vars()
        .filter(|(name, _)| config::is_override(name))
        .collect()
}

/// Prints a line or more on standard output, and answers how that went. A reader that has left is no failure.
fn say(text: impl Display) -> ExitCode {
    let mut out = io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            failed(format_args!("standard output: {error}"))
        }
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}

/// Tells what failed, and answers its exit code.
fn failed(problem: impl Display) -> ExitCode {
    eprintln!("adit: {problem}");
    ExitCode::FAILURE
}

/// Tells what is wrong with the usage or the configuration.
fn bad_configuration(problem: impl Display) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::from(BAD_CONFIGURATION)
}
