//! `adit run`.

use std::process::ExitCode;

use super::{ConfigArguments, bad_configuration, failed, overrides};
use crate::config;
use crate::control::{self, Source};
use crate::runtime::process;

pub(super) fn run(arguments: &ConfigArguments) -> ExitCode {
    let environment = overrides();
    // Before the first thread: a secret given in the environment is not inherited and not read from `/proc`.
    process::forget_environment(
        environment
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| config::is_secret(name)),
    );
    let loaded = match config::load(&arguments.config, &environment) {
        Ok(loaded) => loaded,
        Err(report) => return bad_configuration(report),
    };
    let source = Source {
        file: arguments.config.clone(),
        environment,
    };
    match control::run(loaded, source, |_| ()) {
        Ok(code) => code,
        Err(error) => failed(error),
    }
}
