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

/// What signs assertions, and where its keys are.
#[derive(Clone)]
pub(super) struct Signing {
    key_file: KeyFile,
    signer: Arc<Signer>,
}

impl Signing {
    /// `None`: no tunnel's upstream is told who sends.
    pub(super) fn of(
        settings: &Settings,
        public_port: u16,
        clock: &Clock,
    ) -> Result<Option<Self>, StartError> {
        let key_file = KeyFile::of(settings, public_port);
        let signing = key_file.map(|key_file| Signing::with(key_file, clock));
        signing.transpose()
    }

    fn with(key_file: KeyFile, clock: &Clock) -> Result<Self, StartError> {
        let signer = key_file.signer(clock.now().unix_seconds());
        let signer = signer.map_err(StartError::AssertionKeys)?;
        Ok(Signing { key_file, signer })
    }
}

impl Engine {
    /// Puts settings in force that differ from those in force in what was taken back alone. Nothing else is looked at anew:
    /// keys that cannot be read now must not keep a token good (S10.1).
    pub fn take_back(&self, settings: &Settings) -> Result<(), StartError> {
        let signing = self.making().signing.clone();
        self.replace(settings, signing)
    }

    /// Looks whether other keys sign assertions now, or are shown. What was verified stays verified. Where the keys cannot
    /// be had, those in force go on.
    pub fn renew_keys(&self) {
        let (signing, reloads) = {
            let making = self.making();
            (making.signing.clone(), making.reloads)
        };
        let Some(old) = signing else { return };
        let new = match Signing::with(old.key_file, &self.clock) {
            Ok(new) => new,
            Err(error) => {
                return tracing::error!(event = "assertion_keys_failed", %error, "the keys stay as they are");
            }
        };
        let mut making = self.making();
        // A reload meanwhile has looked itself.
        if making.reloads != reloads || new.signer.is_like(&old.signer) {
            return;
        }
        let renewed = |snapshot: &Arc<Snapshot>| {
            Arc::new(Snapshot {
                signer: Some(new.signer.clone()),
                ..Snapshot::clone(snapshot)
            })
        };
        let snapshots = self.current().snapshots.clone();
        self.put_in_force(snapshots.iter().map(renewed).collect(), Command::Redirect);
        making.signing = Some(new);
        tracing::info!(event = "assertion_keys_changed", "in force");
    }
}

pub(super) fn compile_all(
    settings: &Settings,
    public_port: u16,
    cores: usize,
    lasting: &mut Lasting,
    signing: Option<&Signing>,
) -> Result<Vec<Arc<Snapshot>>, StartError> {
    let connections_per_core = start::connections_per_core(settings, cores);
    let snapshots = (0..cores)
        .map(|_| {
            let mut snapshot =
                compile::snapshot(settings, public_port, lasting).map_err(StartError::Tls)?;
            snapshot.limits.connections_per_core = connections_per_core;
            snapshot.signer = signing.map(|signing| signing.signer.clone());
            Ok(Arc::new(snapshot))
        })
        .collect();
    lasting.forget_unused();
    snapshots
}
