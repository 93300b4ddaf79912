//! What reloads came to, for the metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Engine;
use crate::config::settings::Settings;
use crate::telemetry::metrics::Configuration;

#[derive(Debug, Default)]
pub(super) struct Reloads {
    taken: AtomicU64,
    refused: AtomicU64,
    /// The last one was refused: the configuration in force is an older one.
    stale: AtomicBool,
}

impl Engine {
    /// A reload has ended: in force, or refused.
    pub fn note_reload(&self, taken: bool) {
        let reloads = &self.reloads;
        let count = if taken {
            &reloads.taken
        } else {
            &reloads.refused
        };
        count.fetch_add(1, Ordering::Relaxed);
        reloads.stale.store(!taken, Ordering::Relaxed);
    }

    /// What the metrics say about the configuration.
    pub fn configuration(&self) -> Configuration {
        Configuration {
            reloads_taken: self.reloads.taken.load(Ordering::Relaxed),
            reloads_refused: self.reloads.refused.load(Ordering::Relaxed),
            stale: self.reloads.stale.load(Ordering::Relaxed),
        }
    }
}

/// What a reload cannot change, in a form to compare.
pub(super) fn fixed(settings: &Settings) -> String {
    let https = settings
        .https
        .as_ref()
        .map(|https| (&https.listen, https.public_port));
    let http = settings.http.as_ref().map(|http| (&http.listen, http.mode));
    let admin = settings
        .admin
        .as_ref()
        .map(|admin| (&admin.listen, admin.open_on_loopback, &admin.hosts));
    format!(
        "{:?} {https:?} {http:?} {admin:?} {:?}",
        settings.cores, settings.log
    )
}
