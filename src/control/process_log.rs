//! The process log: what the process itself has to say, on standard error.

use tracing::level_filters::LevelFilter;

use crate::config::settings::{Log, LogFormat, LogLevel};

/// Starts it. A second call in one process changes nothing.
pub(super) fn init(log: &Log) {
    let level = match log.level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let writer = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false);
    let _ = match log.format {
        LogFormat::Json => writer.json().flatten_event(true).try_init(),
        LogFormat::Text => writer.with_ansi(false).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        // One line, like everything else here; which connection it ended is counted by its core.
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(event = "panic", place, "{message}");
    }));
}
