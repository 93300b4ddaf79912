//! Reloading: on SIGHUP and when a file has changed, one at a time, each away from the loop that waits for signals.

use std::path::Path;
use std::sync::Arc;

use tokio::task::{JoinError, JoinHandle};

use super::Source;
use super::engine::Engine;
use super::service::ServiceManager;
use super::watch::Watch;
use crate::config::settings::Settings;
use crate::config::{self, Fingerprint, Loaded, Report, Sources, diff};

/// What a reload starts from.
pub(super) struct Reloader {
    engine: Arc<Engine>,
    manager: Arc<ServiceManager>,
    source: Source,
    watch: Watch,
    sources: Sources,
    /// What the files said when they were read last, good or bad.
    fingerprint: Fingerprint,
    /// The settings in force.
    settings: Settings,
}

impl Reloader {
    pub(super) fn new(
        (engine, manager): (Arc<Engine>, Arc<ServiceManager>),
        source: Source,
        mut watch: Watch,
        settings: Settings,
        (sources, fingerprint): (Sources, Fingerprint),
    ) -> Self {
        watch.follow(sources.folders());
        Reloader {
            engine,
            manager,
            source,
            watch,
            sources,
            fingerprint,
            settings,
        }
    }

    /// Reads everything again, if it was asked for or says something else than before. A bad configuration is refused
    /// whole, and the last good one goes on.
    fn run(&mut self, asked: bool) {
        let before = self.look();
        if !asked && before == self.fingerprint {
            return;
        }
        self.fingerprint = before;
        self.manager.reloading(self.engine.clock());
        self.take(asked);
        self.manager.ready(self.settings.tunnels.len());
    }

    /// Puts in force what the files say now.
    fn take(&mut self, asked: bool) {
        let loaded = match self.load() {
            Ok(loaded) => loaded,
            Err(report) => {
                // Who has read the event finds it in the metrics.
                self.engine.note_reload(false);
                for problem in report.problems() {
                    tracing::error!(event = "config_refused", "{problem}");
                }
                self.take_back();
                return;
            }
        };
        for warning in &loaded.warnings {
            tracing::warn!(event = "config_warning", "{warning}");
        }
        match self.engine.reload(&loaded.settings) {
            Ok(()) => {
                self.engine.note_reload(true);
                tracing::info!(
                    event = "config_reloaded",
                    tunnels = loaded.settings.tunnels.len(),
                    changes = diff(&self.settings, &loaded.settings),
                    "in force"
                );
                self.settings = loaded.settings;
                if asked {
                    self.engine.refresh_key_sets();
                }
            }
            Err(error) => {
                self.engine.note_reload(false);
                tracing::error!(event = "config_refused", file = %self.source.file.display(), "{error}");
                self.take_back();
            }
        }
    }

    /// Revocations are read on their own: a broken configuration must not delay them (S10.1).
    fn take_back(&mut self) {
        let Some(tokens) = &mut self.settings.tokens else {
            return;
        };
        let Some(file) = tokens.revocations.file.clone() else {
            return;
        };
        match config::revocations(&file) {
            Ok(revocations) if revocations == tokens.revocations => {}
            Ok(revocations) => {
                tokens.revocations = revocations;
                match self.engine.take_back(&self.settings) {
                    Ok(()) => tracing::info!(event = "revocations_reloaded", "in force"),
                    Err(error) => tracing::error!(event = "config_refused", "{error}"),
                }
            }
            Err(message) => tracing::error!(event = "revocations_refused", "{message}"),
        }
    }

    /// The list of revocations in force, which is watched whatever the configuration says.
    fn revocations_file(&self) -> Option<&Path> {
        let tokens = self.settings.tokens.as_ref()?;
        tokens.revocations.file.as_deref()
    }

    /// Watches all files, then hashes them: what changes from here on shows again.
    fn look(&mut self) -> Fingerprint {
        self.watch.follow(self.sources.folders());
        self.sources.fingerprint()
    }

    /// Reads the configuration. Files that are new to it were not looked at before, so it is read once more.
    fn load(&mut self) -> Result<Loaded, Report> {
        /// A configuration that names other files each time is being written right now, and shows as changed again.
        const ROUNDS: usize = 4;

        let mut round = 0;
        loop {
            round += 1;
            let (loaded, mut sources) =
                config::load_with_sources(&self.source.file, &self.source.environment);
            if let Some(file) = self.revocations_file() {
                sources.add_file(file);
            }
            if sources == self.sources || round == ROUNDS {
                return loaded;
            }
            self.sources = sources;
            self.fingerprint = self.look();
        }
    }
}

/// The reload under way, and whether another one is to follow.
pub(super) struct Reloads {
    idle: Option<Box<Reloader>>,
    running: Option<JoinHandle<Box<Reloader>>>,
    asked: bool,
    noticed: bool,
}

impl Reloads {
    pub(super) fn new(reloader: Reloader) -> Self {
        Reloads {
            idle: Some(Box::new(reloader)),
            running: None,
            asked: false,
            noticed: false,
        }
    }

    /// SIGHUP: reads everything again in any case.
    pub(super) fn ask(&mut self) {
        self.asked = true;
        self.begin();
    }

    /// Something may have changed.
    pub(super) fn notice(&mut self) {
        self.noticed = true;
        self.begin();
    }

    /// Returns when the reload under way has ended; never, where there is none.
    pub(super) async fn ended(&mut self) -> Result<(), JoinError> {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let ended = running.await;
        self.running = None;
        self.idle = Some(ended?);
        self.begin();
        Ok(())
    }

    fn begin(&mut self) {
        if !self.asked && !self.noticed {
            return;
        }
        // Otherwise it begins when the one under way has ended.
        if let Some(mut reloader) = self.idle.take() {
            let asked = std::mem::take(&mut self.asked);
            self.noticed = false;
            self.running = Some(tokio::task::spawn_blocking(move || {
                reloader.run(asked);
                reloader
            }));
        }
    }
}
