//! The cores' copies: made of settings, and made again where only what signs assertions has changed.

use std::sync::Arc;

use super::Engine;
use crate::assertion::Signer;
use crate::config::settings::Settings;
use crate::control::assertion_keys::KeyFile;
use crate::control::compile::{self, Lasting};
use crate::control::start::{self, StartError};
use crate::runtime::clock::Clock;
use crate::worker::Command;
use crate::worker::snapshot::Snapshot;

impl Engine {
    /// Looks whether other keys sign assertions now, or are shown. What was verified stays verified. Where the keys cannot
    /// be had, those in force go on.
    pub fn renew_keys(&self) {
        let mut guard = self.current();
        let current = &mut *guard;
        let signer = match signer(current.key_file.as_ref(), &self.clock) {
            Ok(Some(signer)) => signer,
            Ok(None) => return,
            Err(error) => {
                return tracing::error!(event = "assertion_keys_failed", %error, "the keys stay as they are");
            }
        };
        let is_new = |snapshot: &Arc<Snapshot>| {
            let old = snapshot.signer.as_ref();
            old.is_none_or(|old| !old.is_like(&signer))
        };
        if !current.snapshots.iter().any(is_new) {
            return;
        }
        let renewed = |snapshot: &Arc<Snapshot>| {
            Arc::new(Snapshot {
                signer: Some(signer.clone()),
                ..Snapshot::clone(snapshot)
            })
        };
        let snapshots = current.snapshots.iter().map(renewed).collect();
        self.put_in_force(current, snapshots, Command::Redirect);
        tracing::info!(event = "assertion_keys_changed", "in force");
    }
}

/// What signs assertions now; `None`: nothing has to.
pub(super) fn signer(
    key_file: Option<&KeyFile>,
    clock: &Clock,
) -> Result<Option<Arc<Signer>>, StartError> {
    let now = clock.now().unix_seconds();
    let signer = key_file.map(|key_file| key_file.signer(now)).transpose();
    signer.map_err(StartError::AssertionKeys)
}

pub(super) fn compile_all(
    settings: &Settings,
    public_port: u16,
    cores: usize,
    lasting: &mut Lasting,
    signer: Option<Arc<Signer>>,
) -> Result<Vec<Arc<Snapshot>>, StartError> {
    let connections_per_core = start::connections_per_core(settings, cores);
    let snapshots = (0..cores)
        .map(|_| {
            let mut snapshot =
                compile::snapshot(settings, public_port, lasting).map_err(StartError::Tls)?;
            snapshot.limits.connections_per_core = connections_per_core;
            snapshot.signer = signer.clone();
            Ok(Arc::new(snapshot))
        })
        .collect();
    lasting.forget_unused();
    snapshots
}
