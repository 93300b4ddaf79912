//! Key sets that issuers publish at a URL: fetched, kept, and put in force on every core (S4.6).
//!
//! Owns: when each set is fetched ([`crate::fetch::plan`]), how ([`fetch`]), and the copies on disk ([`store`]). Comes in: the issuers of
//! the configuration, and requests of cores for keys that they do not have. Goes out: sets to the [`Engine`], which hands
//! them to the cores, and an answer to every request. A set replaces the one before; one that cannot be renewed goes on
//! until it is too old, so that an issuer's outage harms nobody.

mod fetch;
mod store;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::engine::Engine;
use crate::config::settings::{IssuerKeys, KeySetUrl, Settings};
use crate::fetch::plan::{Answer, Plan};
use crate::token::{Algorithm, KeySet};
use crate::worker::keys::{KeyAnswer, KeyRequest};

/// Whose a set is, and where it is from: under another URL it is another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeySetId {
    pub(super) issuer: String,
    pub(super) url: String,
}

/// A set as it came.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) text: Arc<[u8]>,
    /// Seconds since the Unix epoch.
    pub(super) fetched_at: u64,
}

impl Stored {
    pub(super) fn is_stale(&self, source: &KeySetUrl, now_unix: u64) -> bool {
        now_unix.saturating_sub(self.fetched_at) >= source.max_stale.as_secs().max(1)
    }
}

/// One source of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) id: KeySetId,
    pub(super) from: KeySetUrl,
    pub(super) algorithms: Vec<Algorithm>,
    /// Where the copy is kept.
    pub(super) state_dir: PathBuf,
}

/// The sources that settings name.
pub(super) fn sources(settings: &Settings) -> impl Iterator<Item = Source> {
    settings
        .issuers
        .iter()
        .filter_map(|issuer| match &issuer.keys {
            IssuerKeys::Fixed(_) => None,
            IssuerKeys::Url(from) => Some(Source {
                id: KeySetId {
                    issuer: issuer.issuer.clone(),
                    url: from.url.clone(),
                },
                from: from.clone(),
                algorithms: issuer.algorithms.clone(),
                state_dir: settings.engine.state_dir.clone(),
            }),
        })
}

/// The sets that tokens are verified with.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySets(BTreeMap<KeySetId, Stored>);

impl KeySets {
    /// The sets of these settings: those that are there, and else the copies on disk.
    pub(super) fn follow(&mut self, settings: &Settings, now_unix: u64) {
        let mut known = std::mem::take(&mut self.0);
        for source in sources(settings) {
            let stored = known.remove(&source.id).or_else(|| copy(&source));
            let stored = stored.filter(|stored| !stored.is_stale(&source.from, now_unix));
            if let Some(stored) = stored {
                self.0.insert(source.id, stored);
            }
        }
    }

    pub(super) fn get(&self, id: &KeySetId) -> Option<&Stored> {
        self.0.get(id)
    }

    /// `None`: there is none any more.
    pub(super) fn put(&mut self, id: KeySetId, stored: Option<Stored>) {
        match stored {
            Some(stored) => self.0.insert(id, stored),
            None => self.0.remove(&id),
        };
    }

    /// The keys of one issuer; none where no set is there.
    pub(super) fn keys(&self, id: &KeySetId, allowed: &[Algorithm]) -> KeySet {
        let set = self.get(id);
        let set = set.and_then(|stored| KeySet::parse(&stored.text, allowed));
        set.unwrap_or_default()
    }
}

fn copy(source: &Source) -> Option<Stored> {
    let issuer = &source.id.issuer;
    store::load(&source.state_dir, &source.id).unwrap_or_else(|error| {
        tracing::warn!(
            event = "key_set_copy_refused",
            issuer,
            "{error}; it is fetched anew"
        );
        None
    })
}

/// What the manager of key sets is told.
#[derive(Debug)]
pub enum Message {
    /// The sources of the configuration in force.
    Sources(Vec<Source>),
    /// Fetch every set now.
    Refresh,
    /// A core has a token whose key it does not have.
    Asked(KeyRequest),
}

/// Keeps the sets of all issuers new until the process ends.
pub(super) async fn run(engine: Arc<Engine>, mut inbox: UnboundedReceiver<Message>) {
    let mut manager = Manager {
        engine,
        sources: BTreeMap::new(),
        fetches: JoinSet::new(),
        number: 0,
    };
    loop {
        let due = manager.next_due();
        tokio::select! {
            message = inbox.recv() => match message {
                Some(message) => manager.hear(message),
                None => return,
            },
            Some(ended) = manager.fetches.join_next() => manager.ended(ended),
            () = due => manager.fetch_due(),
        }
    }
}

struct Manager {
    engine: Arc<Engine>,
    /// By issuer.
    sources: BTreeMap<Box<str>, Managed>,
    fetches: JoinSet<Fetched>,
    /// Numbers the sources, so that a late answer of an old one is told from the new one's.
    number: u64,
}

struct Managed {
    source: Source,
    number: u64,
    plan: Plan,
    fetching: bool,
    waiting: Vec<KeyRequest>,
}

struct Fetched {
    issuer: Box<str>,
    number: u64,
    good: bool,
}

impl Manager {
    fn hear(&mut self, message: Message) {
        match message {
            Message::Sources(sources) => self.follow(sources),
            Message::Refresh => {
                let all: Vec<Box<str>> = self.sources.keys().cloned().collect();
                all.iter().for_each(|issuer| self.fetch(issuer));
            }
            Message::Asked(request) => self.asked(request),
        }
    }

    /// A source that stays as it was goes on; a new one is fetched at once.
    fn follow(&mut self, sources: Vec<Source>) {
        let mut known = std::mem::take(&mut self.sources);
        let now = self.engine.clock().now().monotonic;
        for source in sources {
            let issuer: Box<str> = source.id.issuer.as_str().into();
            let same = known.remove(&issuer);
            let managed = match same {
                Some(managed) if managed.source == source => managed,
                other => {
                    self.number += 1;
                    Managed {
                        source,
                        number: self.number,
                        plan: Plan::new(now),
                        fetching: false,
                        waiting: other.map(|old| old.waiting).unwrap_or_default(),
                    }
                }
            };
            self.sources.insert(issuer, managed);
        }
        for request in known.into_values().flat_map(|old| old.waiting) {
            self.engine.answer_keys(&request, KeyAnswer::default());
        }
        self.fetch_due();
    }

    fn asked(&mut self, request: KeyRequest) {
        let now = self.engine.clock().now().monotonic;
        let Some(managed) = self.sources.get_mut(&request.key.issuer) else {
            return self.engine.answer_keys(&request, KeyAnswer::default());
        };
        if !managed.fetching {
            match managed.plan.ask(request.key.kid.as_deref(), now) {
                Answer::Fetch => {}
                Answer::No { rest } => {
                    return self.engine.answer_keys(&request, KeyAnswer { rest });
                }
            }
        }
        let issuer = request.key.issuer.clone();
        managed.waiting.push(request);
        self.fetch(&issuer);
    }

    /// Fetches a set, unless that is under way.
    fn fetch(&mut self, issuer: &str) {
        let Some(managed) = self.sources.get_mut(issuer) else {
            return;
        };
        if std::mem::replace(&mut managed.fetching, true) {
            return;
        }
        let (engine, source) = (self.engine.clone(), managed.source.clone());
        let (issuer, number) = (issuer.into(), managed.number);
        self.fetches.spawn(async move {
            let good = renew(engine, source).await;
            Fetched {
                issuer,
                number,
                good,
            }
        });
    }

    fn ended(&mut self, ended: Result<Fetched, JoinError>) {
        let fetched = match ended {
            Ok(fetched) => fetched,
            // Those that wait give up by themselves, and the next reload begins anew.
            Err(error) => {
                return tracing::error!(event = "key_set_fetch_failed", %error, "a fault of ours");
            }
        };
        let now = self.engine.clock().now().monotonic;
        let managed = self.sources.get_mut(&fetched.issuer);
        let Some(managed) = managed.filter(|managed| managed.number == fetched.number) else {
            return;
        };
        managed.fetching = false;
        managed.plan.fetched(fetched.good, now);
        let rest = managed.plan.rest(now);
        for request in managed.waiting.drain(..) {
            self.engine.answer_keys(&request, KeyAnswer { rest });
            if fetched.good {
                managed.plan.answered(request.key.kid, now);
            }
        }
    }

    /// Returns when the next set is due; never, where there is none.
    fn next_due(&self) -> impl Future<Output = ()> + use<> {
        let waiting = self.sources.values().filter(|managed| !managed.fetching);
        let due = waiting.map(|managed| managed.plan.due()).min();
        let now = self.engine.clock().now().monotonic;
        let due = due.map(|due| Instant::now() + due.saturating_sub(now));
        async move {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        }
    }

    fn fetch_due(&mut self) {
        let now = self.engine.clock().now().monotonic;
        let due = |managed: &Managed| managed.plan.due() <= now;
        let due: Vec<Box<str>> = self
            .sources
            .iter()
            .filter(|(_, managed)| due(managed))
            .map(|(issuer, _)| issuer.clone())
            .collect();
        due.iter().for_each(|issuer| self.fetch(issuer));
    }
}

/// Fetches a set, puts it in force and keeps a copy. What takes long is done away from the control thread's loop.
async fn renew(engine: Arc<Engine>, source: Source) -> bool {
    let fetched = fetch::fetch(&source.from).await;
    let done = tokio::task::spawn_blocking(move || match fetched {
        Ok(text) => take(&engine, &source, text.into()),
        Err(error) => Err(failed(&engine, &source, &error.to_string())),
    });
    matches!(done.await, Ok(Ok(())))
}

/// The set could not be renewed, which has been said.
struct Failed;

fn take(engine: &Engine, source: &Source, text: Arc<[u8]>) -> Result<(), Failed> {
    let stored = Stored {
        text,
        fetched_at: engine.clock().now().unix_seconds(),
    };
    let issuer = &source.id.issuer;
    let Some(taken) = engine.take_key_set(source, stored.clone()) else {
        return Err(failed(
            engine,
            source,
            "it is no key set of at most 64 keys",
        ));
    };
    if let Err(error) = store::save(&source.state_dir, &source.id, &stored) {
        tracing::warn!(event = "key_set_not_kept", issuer, %error, "no copy in engine.state_dir; a restart while the issuer is out of reach would be without its keys");
    }
    if taken.changed {
        tracing::info!(
            event = "key_set_renewed",
            issuer,
            keys = taken.keys,
            "in force"
        );
    }
    if taken.changed && taken.keys == 0 {
        tracing::warn!(
            event = "key_set_empty",
            issuer,
            "it has no key for the algorithms of this issuer, so none of its tokens counts"
        );
    }
    Ok(())
}

fn failed(engine: &Engine, source: &Source, why: &str) -> Failed {
    let issuer = &source.id.issuer;
    tracing::warn!(
        event = "key_set_fetch_failed",
        issuer,
        "{why}; the set that is there goes on"
    );
    if engine.key_set_failed(source) {
        tracing::error!(
            event = "key_set_stale",
            issuer,
            "it could not be renewed for jwks_max_stale, so none of its tokens counts"
        );
    }
    Failed
}
