//! The process: start, signals, reload, drain; and everything slow.
//!
//! Owns: the cores' threads and what they are given ([`engine::Engine`]), the thread that writes the access log
//! ([`access_log`]), the admin listener ([`admin`]), and the loop that waits for signals ([`run`]). Comes in: checked
//! settings. Goes out: an exit. It never sees a forwarded byte.
//!
//! Refuses to start where anything that the configuration asks for cannot be had.

pub mod access_log;
pub mod admin;
pub mod assertion_keys;
mod compile;
pub(crate) mod ended_sessions;
pub mod engine;
mod flows;
mod key_sets;
mod process_log;
mod reload;
mod resolve;
mod service;
pub mod start;
mod state;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::assertion::LOOK_SECONDS;
use crate::config::settings::Settings;
use crate::config::{self, Fingerprint, Loaded, Sources};
use crate::listener::Sockets;
use crate::policy::Policy;
use crate::runtime::clock::Clock;
use crate::runtime::process;
use engine::Engine;
pub use flows::serve as serve_flows;
use key_sets::KeySets;
use reload::{Reloader, Reloads};
use service::ServiceManager;
use start::StartError;
use watch::Watch;

/// The policy that these settings mean, as a core has it: for what explains verdicts. Key sets are those that a running
/// process kept last.
pub fn policy(settings: &Settings) -> Result<Policy, StartError> {
    let mut key_sets = KeySets::default();
    key_sets.follow(settings, Clock::default().now().unix_seconds());
    let https = settings.https.as_ref();
    let public_port = https.and_then(|https| {
        let first = https.listen.first().map(|address| address.port());
        https.public_port.or(first)
    });
    compile::policy(settings, public_port.unwrap_or(443), &key_sets).map_err(StartError::Tls)
}

/// Where a running process has its configuration from, to read it again.
pub struct Source {
    pub file: PathBuf,
    /// The `ADIT_` variables, taken out of the environment at the start.
    pub environment: Vec<(String, String)>,
}

/// Runs on these sockets until a signal ends it. `started` is called once everything is bound and every core accepts, with the
/// address of the admin listener, where there is one.
pub fn run(
    loaded: Loaded,
    source: Source,
    sockets: Sockets,
    started: impl FnOnce(&Engine, Option<&str>),
) -> Result<ExitCode, StartError> {
    let Loaded {
        settings,
        warnings,
        sources,
    } = loaded;
    let fingerprint = sources.fingerprint();
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
    let files = (sources, fingerprint);
    control.block_on(supervise(settings, source, sockets, files, started))
}

async fn supervise(
    settings: Settings,
    source: Source,
    mut sockets: Sockets,
    files: (Sources, Fingerprint),
    started: impl FnOnce(&Engine, Option<&str>),
) -> Result<ExitCode, StartError> {
    // From here on a signal waits for its turn.
    let mut signals = Signals::open().map_err(StartError::Control)?;
    let admin = bind_admin(&settings, &mut sockets)?;
    let admin_address = admin.as_ref().and_then(|admin| admin.address().ok());
    let sink = access_log::open(&settings.log.access).map_err(StartError::AccessLog)?;
    let engine = Engine::start_on(&settings, sockets, sink, Clock::default())?;
    let engine = Arc::new(engine);
    if let (Some(listener), Some(admin)) = (admin, &settings.admin) {
        tokio::spawn(admin::serve(listener, engine.clone(), admin.clone()));
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
    if let Some(inbox) = engine.key_set_inbox() {
        tokio::spawn(key_sets::run(engine.clone(), inbox));
    }
    tokio::spawn(renew_keys(engine.clone()));
    tokio::spawn(serve_flows(engine.clone()));
    started(&engine, admin_address.as_deref());
    let manager = Arc::new(ServiceManager::at(
        std::env::var("NOTIFY_SOCKET").ok().as_deref(),
    ));
    manager.ready(settings.tunnels.len());
    let drain = settings.timeouts.drain;
    let (watch, changes) = Watch::open();
    let parts = (engine.clone(), manager.clone());
    let reloader = Reloader::new(parts, source, watch, settings, files);
    if !wait(&engine, &mut signals, changes, Reloads::new(reloader)).await {
        tracing::error!(
            event = "core_ended",
            "a core ended by itself; the process ends with it"
        );
        return Ok(ExitCode::FAILURE);
    }
    manager.stopping(drain);
    let code = stop(&engine, &mut signals, drain).await;
    engine.close_flows();
    Ok(code)
}

/// Reloads when it is time, until the process is to end. `false`: it has to, because a core has ended.
async fn wait(
    engine: &Engine,
    signals: &mut Signals,
    mut changes: UnboundedReceiver<()>,
    mut reloads: Reloads,
) -> bool {
    // What has changed since the files were read was not watched yet.
    reloads.notice();
    loop {
        let event = tokio::select! {
            event = signals.next(engine) => event,
            Some(()) = changes.recv() => Event::Changed,
            ended = reloads.ended() => {
                if let Err(error) = ended {
                    tracing::error!(event = "config_refused", %error, "the reload failed");
                }
                continue;
            }
        };
        match event {
            Event::Stop => return true,
            Event::Hangup => {
                engine.reopen_log();
                reloads.ask();
            }
            Event::Changed => reloads.notice(),
            Event::CoreEnded => return false,
        }
    }
}

fn bind_admin(
    settings: &Settings,
    sockets: &mut Sockets,
) -> Result<Option<admin::Listener>, StartError> {
    let Some(admin) = &settings.admin else {
        return Ok(None);
    };
    let bound = admin::bind(&admin.listen, sockets);
    bound
        .map(Some)
        .map_err(|error| StartError::admin(&admin.listen, error))
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

/// Looks again and again whether other keys sign assertions now. That touches files, so it is done elsewhere.
async fn renew_keys(engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(Duration::from_secs(LOOK_SECONDS)).await;
        let engine = engine.clone();
        let renewing = tokio::task::spawn_blocking(move || engine.renew_keys());
        if let Err(error) = renewing.await {
            tracing::error!(event = "assertion_keys_failed", %error, "the keys stay as they are");
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

enum Event {
    Stop,
    Hangup,
    /// Something has changed in a folder of the configuration.
    Changed,
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
                _ = self.hangup.recv() => return Event::Hangup,
                () = tokio::time::sleep(WATCH) => {
                    let unused = engine.take_unused();
                    if !unused.is_empty() {
                        tokio::task::spawn_blocking(move || drop(unused));
                    }
                    if engine.any_ended() {
                        return Event::CoreEnded;
                    }
                }
            }
        }
    }
}
