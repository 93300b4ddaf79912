//! Key sets of other issuers, put in force on every core.

use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::Engine;
use crate::control::key_sets::{Message, Source, Stored};
use crate::telemetry::metrics::IssuerKeys;
use crate::token::KeySet;
use crate::worker::Command;
use crate::worker::keys::{AskForKeys, KeyAnswer, KeyRequest};
use crate::worker::snapshot::Snapshot;

/// How cores ask for keys that they do not know.
pub(super) fn asks(key_sets: UnboundedSender<Message>) -> AskForKeys {
    Arc::new(move |request| key_sets.send(Message::Asked(request)).is_ok())
}

/// What a set came to.
pub(in crate::control) struct Taken {
    pub keys: usize,
    /// It says something else than the one before.
    pub changed: bool,
}

/// How often the key set of an issuer was fetched.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fetches {
    good: u64,
    failed: u64,
}

impl Engine {
    /// The messages to whoever fetches key sets; only the first who asks gets them.
    pub(in crate::control) fn key_set_inbox(&self) -> Option<UnboundedReceiver<Message>> {
        let inbox = self.key_set_inbox.lock();
        inbox.unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Fetches the key sets of all issuers now.
    pub fn refresh_key_sets(&self) {
        // Without a receiver nobody fetches any.
        let _ = self.key_sets.send(Message::Refresh);
    }

    pub(in crate::control) fn answer_keys(&self, request: &KeyRequest, answer: KeyAnswer) {
        if let Some(core) = self.cores.get(request.core) {
            core.commands.send(Command::Keys(request.ticket, answer));
        }
    }

    /// Puts a set in force. `None`: it is not one, or its source is not one of the configuration any more.
    pub(in crate::control) fn take_key_set(
        &self,
        source: &Source,
        stored: Stored,
    ) -> Option<Taken> {
        let mut making = self.making();
        if !self.current().key_set_sources.contains(source) {
            return None;
        }
        let issuer = &source.id.issuer;
        let key_sets = &mut making.lasting.key_sets;
        let before = key_sets.get(&source.id);
        let changed = before.is_none_or(|before| before.text != stored.text);
        let set = KeySet::parse(&stored.text, &source.algorithms)?;
        let keys = set.len();
        key_sets.put(source.id.clone(), Some(stored));
        if changed {
            self.put_key_set(issuer, &set);
        }
        let mut current = self.current();
        current.key_sets = making.lasting.key_sets.clone();
        current.fetches.entry(issuer.clone()).or_default().good += 1;
        Some(Taken { keys, changed })
    }

    /// A set could not be renewed. Says whether it was taken out of force, as too old.
    pub(in crate::control) fn key_set_failed(&self, source: &Source) -> bool {
        let mut making = self.making();
        let issuer = &source.id.issuer;
        let mut current = self.current();
        current.fetches.entry(issuer.clone()).or_default().failed += 1;
        drop(current);
        let now = self.clock.now().unix_seconds();
        let key_sets = &mut making.lasting.key_sets;
        let before = key_sets.get(&source.id);
        if !before.is_some_and(|before| before.is_stale(&source.from, now)) {
            return false;
        }
        key_sets.put(source.id.clone(), None);
        self.put_key_set(issuer, &KeySet::default());
        self.current().key_sets = key_sets.clone();
        true
    }

    /// Every head that arrives after this returned is judged by the new keys; tokens that were verified by the old ones
    /// are verified anew.
    fn put_key_set(&self, issuer: &str, set: &KeySet) {
        let renewed = |snapshot: &Arc<Snapshot>| {
            let policy = snapshot.policy.with_key_set(issuer, set);
            policy.map_or_else(
                || snapshot.clone(),
                |policy| {
                    Arc::new(Snapshot {
                        policy: Arc::new(policy),
                        ..Snapshot::clone(snapshot)
                    })
                },
            )
        };
        let snapshots = self.current().snapshots.clone();
        self.put_in_force(snapshots.iter().map(renewed).collect(), Command::Swap);
    }

    /// What the metrics say about the key sets of issuers, by issuer.
    pub fn issuers(&self) -> Vec<(String, IssuerKeys)> {
        let current = self.current();
        let sources = current.key_set_sources.iter();
        sources
            .map(|source| {
                let (id, sets) = (&source.id, &current.key_sets);
                let fetches = current.fetches.get(&id.issuer);
                let seen = IssuerKeys {
                    keys: sets.keys(id, &source.algorithms).len() as u64,
                    fetched_at: sets.get(id).map(|stored| stored.fetched_at),
                    fetches_ok: fetches.map_or(0, |fetches| fetches.good),
                    fetches_failed: fetches.map_or(0, |fetches| fetches.failed),
                };
                (id.issuer.clone(), seen)
            })
            .collect()
    }
}
