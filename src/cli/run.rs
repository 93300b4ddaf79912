//! `adit run`.

use std::process::ExitCode;

use super::{ConfigArguments, bad_configuration, failed, overrides};
use crate::config;
use crate::control::{self, Source};
use crate::listener::Sockets;
use crate::listener::passed::PassedSockets;
use crate::runtime::{passed, process};

#[derive(clap::Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Serve beside an older process of the same user on the same addresses
    ///
    /// New connections go to both until the older one gets SIGTERM, once this one is ready. Without it a start on addresses
    /// that are in use is refused.
    #[arg(long)]
    takeover: bool,
}

pub(super) fn run(arguments: &RunArguments) -> ExitCode {
    let environment = overrides();
    // Before any file is opened: its number might be that of a socket which only seems to have been passed.
    let passed = match passed::take().and_then(PassedSockets::open) {
        Ok(passed) => passed,
        Err(problem) => return failed(problem),
    };
    let sockets = Sockets::new(passed, arguments.takeover);
    // Before the first thread: a secret given in the environment is not inherited and not read from `/proc`.
    process::forget_environment(
        environment
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| config::is_secret(name)),
    );
    let loaded = match config::load(&arguments.config.config, &environment) {
        Ok(loaded) => loaded,
        Err(report) => return bad_configuration(report),
    };
    let source = Source {
        file: arguments.config.config.clone(),
        environment,
    };
    match control::run(loaded, source, sockets, |_, _| ()) {
        Ok(code) => code,
        Err(error) if error.is_taken() => {
            failed(format_args!("{error}; --takeover serves beside it"))
        }
        Err(error) => failed(error),
    }
}
