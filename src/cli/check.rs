//! `adit check`.

use std::process::ExitCode;

use super::explain::request_of;
use super::{BAD_CONFIGURATION, ConfigArguments, bad_configuration, failed, overrides, say};
use crate::config::{self, Problem};
use crate::control;
use crate::http::HeadLimits;
use crate::http::request::{Request, RequestHead};
use crate::policy::reach::{Reach, reach};
use crate::token::Owner;

#[derive(clap::Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Print one JSON object instead of lines: ok, errors and warnings, each with file, line, column, key and message
    #[arg(long)]
    json: bool,
    /// Instead, list whose tokens can reach this: https://HOST/PATH
    #[arg(long, value_name = "URL")]
    who_can_reach: Option<String>,
}

pub(super) fn check(arguments: &CheckArguments) -> ExitCode {
    if let Some(url) = &arguments.who_can_reach {
        return who_can_reach(arguments, url);
    }
    let (errors, warnings, summary) = match config::check(&arguments.config.config, &overrides()) {
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

/// One line, or one entry, for each that can reach it.
fn who_can_reach(arguments: &CheckArguments, url: &str) -> ExitCode {
    let loaded = match config::load(&arguments.config.config, &overrides()) {
        Ok(loaded) => loaded,
        Err(report) => return bad_configuration(report),
    };
    let policy = match control::policy(&loaded.settings) {
        Ok(policy) => policy,
        Err(error) => return failed(error),
    };
    let Some((bytes, _)) = request_of(url, "GET", &[]) else {
        return bad_configuration("adit: --who-can-reach needs https:// or http:// and a host");
    };
    let mut head = RequestHead::new();
    if let Err(error) = head.parse(&bytes, &HeadLimits::from(&loaded.settings.limits)) {
        let reason = error.reason();
        return bad_configuration(format_args!(
            "adit: --who-can-reach: every request for this is refused: {reason}"
        ));
    }
    let request = Request {
        bytes: &bytes,
        head: &head,
    };
    let who = match reach(&policy, &head.host, request.path()) {
        Reach::Nobody => vec!["nobody".to_owned()],
        Reach::Everybody => vec!["everybody".to_owned()],
        Reach::Tokens(owners) if owners.is_empty() => vec!["nobody".to_owned()],
        Reach::Tokens(owners) => owners.iter().map(Owner::to_string).collect(),
    };
    if arguments.json {
        return say(serde_json::json!({ "who": who }));
    }
    say(who.join("\n"))
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
