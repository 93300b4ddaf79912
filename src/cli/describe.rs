//! `adit schema`, `adit completions` and `adit man`: what other programs want to know of this one.

use std::process::ExitCode;

use clap::CommandFactory;

use super::{Arguments, bad_configuration, failed, say};

/// Kept by hand and by `tests/config_schema.rs`.
pub(super) const SCHEMA: &str = include_str!("../../config/adit.schema.json");

#[derive(clap::Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    shell: clap_complete::Shell,
}

#[derive(clap::Args)]
pub(super) struct ManArguments {
    /// The command that the page is of, such as token mint
    ///
    /// Default: adit itself.
    #[arg(value_name = "COMMAND")]
    words: Vec<String>,
}

pub(super) fn completions(arguments: &CompletionsArguments) -> ExitCode {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "adit", &mut script);
    say(String::from_utf8_lossy(&script).trim_end())
}

pub(super) fn man(arguments: &ManArguments) -> ExitCode {
    let mut command = Arguments::command();
    // So that each command knows its whole name.
    command.build();
    for word in &arguments.words {
        let Some(next) = command.find_subcommand(word) else {
            return bad_configuration(format_args!("adit: man: there is no command {word}"));
        };
        command = next.clone();
    }
    let mut page = Vec::new();
    match clap_mangen::Man::new(command).render(&mut page) {
        Ok(()) => say(String::from_utf8_lossy(&page).trim_end()),
        Err(error) => failed(error),
    }
}
