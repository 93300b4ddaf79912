//! `adit check`.

use std::process::ExitCode;

use super::{BAD_CONFIGURATION, ConfigArguments, overrides, say};
use crate::config::{self, Problem};

#[derive(clap::Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Print one JSON object instead of lines: ok, errors and warnings, each with file, line, column, key and message
    #[arg(long)]
    json: bool,
}

pub(super) fn check(arguments: &CheckArguments) -> ExitCode {
    let (errors, warnings, summary) = match config::load(&arguments.config.config, &overrides()) {
        Ok(loaded) => {
            let tunnels = loaded.settings.tunnels.len();
            (
                Vec::new(),
                loaded.warnings,
                format!("{tunnels} tunnel{}", if tunnels == 1 { "" } else { "s" }),
            )
        }
        Err(report) => (report.problems().to_vec(), Vec::new(), String::new()),
    };
    if arguments.json {
        say(
            serde_json::json!({ "ok": errors.is_empty(), "errors": json(&errors), "warnings": json(&warnings) }),
        );
    } else {
        for warning in &warnings {
            say(format_args!("warning: {warning}"));
        }
        for error in &errors {
            eprintln!("{error}");
        }
        if errors.is_empty() {
            let file = arguments.config.config.display();
            say(format_args!("{file}: good, {summary}"));
        }
    }
    if errors.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BAD_CONFIGURATION)
    }
}

fn json(problems: &[Problem]) -> serde_json::Value {
    problems
        .iter()
        .map(|problem| {
            serde_json::json!({
                "file": problem.file.display().to_string(),
                "line": problem.line,
                "column": problem.column,
                "key": problem.key,
                "message": problem.message,
            })
        })
        .collect()
}
