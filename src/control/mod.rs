//! The process: start, signals, reload, drain; and everything slow.
//!
//! Owns: the cores' threads and what they are given ([`engine::Engine`]), the thread that writes the access log
//! ([`access_log`]), the admin listener ([`admin`]), and the loop that waits for signals ([`run`]). Comes in: checked
//! settings. Goes out: an exit. It never sees a forwarded byte.
//!
//! Refuses to start where anything that the configuration asks for cannot be had.

pub mod access_log;
pub mod admin;
mod compile;
pub mod engine;
mod process_log;
mod resolve;
pub mod start;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::settings::Settings;
use crate::config::{self, Loaded};
use crate::runtime::clock::Clock;
use crate::runtime::process;
use engine::Engine;
use start::StartError;

/// Where a running process has its configuration from, to read it again.
pub struct Source {
    pub file: PathBuf,
    /// The `ADIT_` variables, taken out of the environment at the start.
    pub environment: Vec<(String, String)>,
}

/// Runs until a signal ends it. `started` is called once everything is bound and every core accepts.
pub fn run(
    loaded: Loaded,
    source: Source,
    started: impl FnOnce(&Engine),
) -> Result<ExitCode, StartError> {
    let Loaded { settings, warnings } = loaded;
    process_log::init(&settings.log);
    for warning in &warnings {
        tracing::warn!(event = "config_warning", "{warning}");
    }
    if let Err(error) = process::harden() {
        tracing::warn!(event = "not_hardened", %error, "core dumps and debuggers are not forbidden");
    }
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Control)?;
    control.block_on(supervise(settings, source, started))
}

async fn supervise(
    settings: Settings,
    source: Source,
    started: impl FnOnce(&Engine),
) -> Result<ExitCode, StartError> {
    let source = Arc::new(source);
    // From here on a signal waits for its turn.
    let mut signals = Signals::open().map_err(StartError::Control)?;
    let admin = match &settings.admin {
        Some(admin) => Some(
            admin::bind(&admin.listen).map_err(|error| StartError::admin(&admin.listen, error))?,
        ),
        None => None,
    };
    let sink = access_log::open(&settings.log.access).map_err(StartError::AccessLog)?;
    let engine = Arc::new(Engine::start(&settings, sink, Clock::default())?);
    if let (Some(listener), Some(admin)) = (admin, &settings.admin) {
        let token = admin.bearer_token.clone();
        tokio::spawn(admin::serve(listener, engine.clone(), token));
    }
    tracing::info!(
        event = "started",
        node = engine.node(),
        version = env!("CARGO_PKG_VERSION"),
        cores = engine.drivers().len(),
        tunnels = settings.tunnels.len(),
        "ready"
    );
    tokio::spawn(resolve_names(engine.clone()));
    started(&engine);
    loop {
        match signals.next(&engine).await {
            Event::Stop => break,
            Event::Reload => {
                let (engine, source) = (engine.clone(), source.clone());
                // Reading and compiling may take long; signals and the admin listener do not wait for it.
                let reloading = tokio::task::spawn_blocking(move || reload(&engine, &source));
                if let Err(error) = reloading.await {
                    tracing::error!(event = "config_refused", %error, "the reload failed");
                }
            }
            Event::CoreEnded => {
                tracing::error!(
                    event = "core_ended",
                    "a core ended by itself; the process ends with it"
                );
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(stop(&engine, &mut signals, settings.timeouts.drain).await)
}

/// Lets exchanges under way finish, as long as `within` or until a second signal.
async fn stop(engine: &Engine, signals: &mut Signals, within: Duration) -> ExitCode {
    tracing::info!(
        event = "draining",
        "no more connections; exchanges under way may finish"
    );
    engine.drain();
    let drained = drained(engine, within);
    tokio::select! {
        in_time = drained => if in_time {
            tracing::info!(event = "stopped", in_time, "all exchanges have ended");
        } else {
            tracing::warn!(event = "stopped", in_time, "[timeouts] drain has passed; what was still under way was cut off");
        },
        () = signals.stop() => {
            tracing::warn!(event = "stopped", in_time = false, "asked twice; ending at once");
            engine.flush_log();
            return ExitCode::FAILURE;
        }
    }
    engine.flush_log();
    ExitCode::SUCCESS
}

/// Resolves the names of upstreams again and again. A resolver may take long, so that is done elsewhere.
async fn resolve_names(engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(engine.resolve_every()).await;
        let engine = engine.clone();
        let resolving = tokio::task::spawn_blocking(move || engine.resolve(config::lookup));
        if let Err(error) = resolving.await {
            tracing::error!(event = "resolve_failed", %error, "names of upstreams keep their addresses");
        }
    }
}

/// Waits until every core has ended; after `within` their connections are cut. Answers whether that was not needed.
async fn drained(engine: &Engine, within: Duration) -> bool {
    const STEP: Duration = Duration::from_millis(20);
    /// How long cut connections have to unwind.
    const CUT: Duration = Duration::from_secs(2);

    let deadline = tokio::time::Instant::now() + within;
    while !engine.ended() && tokio::time::Instant::now() < deadline {
        engine.nudge();
        tokio::time::sleep(STEP).await;
    }
    if engine.ended() {
        return true;
    }
    engine.abort();
    while !engine.ended() && tokio::time::Instant::now() < deadline + CUT {
        engine.nudge();
        tokio::time::sleep(STEP).await;
    }
    false
}

/// Reads the configuration again. A bad one is refused whole, and the last good one goes on.
fn reload(engine: &Engine, source: &Source) {
    let loaded = match config::load(&source.file, &source.environment) {
        Ok(loaded) => loaded,
        Err(report) => {
            for problem in report.problems() {
                tracing::error!(event = "config_refused", "{problem}");
            }
            return;
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!(event = "config_warning", "{warning}");
    }
    match engine.reload(&loaded.settings) {
        Ok(()) => tracing::info!(
            event = "config_reloaded",
            tunnels = loaded.settings.tunnels.len(),
            "in force"
        ),
        Err(error) => {
            tracing::error!(event = "config_refused", file = %source.file.display(), "{error}")
        }
    }
}

enum Event {
    Stop,
    Reload,
    CoreEnded,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn open() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// The next thing that the process must act on.
    async fn next(&mut self, engine: &Engine) -> Event {
        /// How often a core is looked after that should never end by itself.
        const WATCH: Duration = Duration::from_millis(500);

        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Event::Stop,
                _ = self.interrupt.recv() => return Event::Stop,
                _ = self.hangup.recv() => return Event::Reload,
                () = tokio::time::sleep(WATCH) => {
                    engine.drop_retired();
                    if engine.any_ended() {
                        return Event::CoreEnded;
                    }
                }
            }
        }
    }
}
