//! The cores: their threads, their listeners, and what they are told.

mod begin;
mod copies;
mod flows;
mod keys;
mod provider;
mod reloads;
pub mod seen;
mod sign_outs;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::access_log::Writer;
use super::compile::Lasting;
use super::ended_sessions::EndedSessions;
use super::key_sets::{KeySets, Message, Source, sources};
use super::resolve::{self, Upstreams};
use super::start::{CoreHandle, StartError};
use crate::config::settings::Settings;
use crate::runtime::clock::Clock;
use crate::worker::Command;
use crate::worker::client::Entry;
use crate::worker::snapshot::Snapshot;
use copies::{Signing, compile_all};
use flows::Flows;
use keys::Fetches;
use reloads::{Reloads, fixed};

/// All cores of a running process.
pub struct Engine {
    cores: Vec<CoreHandle>,
    drivers: Vec<String>,
    bound: Vec<(Entry, SocketAddr)>,
    node: String,
    public_port: u16,
    clock: Clock,
    log: Option<Writer>,
    /// Held by whoever makes new copies for the cores, which may take seconds: never asked for on the control thread's
    /// loop.
    making: Mutex<Making>,
    /// Held for moments. Whoever needs both has `making` first.
    current: Mutex<Current>,
    draining: AtomicBool,
    reloads: Reloads,
    ended: EndedSessions,
    flows: Flows,
    /// To whoever fetches key sets.
    key_sets: UnboundedSender<Message>,
    key_set_inbox: Mutex<Option<UnboundedReceiver<Message>>>,
}

/// What new copies are made of, beside settings.
struct Making {
    lasting: Lasting,
    upstreams: Upstreams,
    /// `None`: no tunnel's upstream is told who sends.
    signing: Option<Signing>,
    /// Reloads so far.
    reloads: u64,
    /// What cannot change without a restart.
    fixed: String,
}

/// What is in force.
struct Current {
    /// Each core's copy, and copies that a core may still hold. Held here too, so that the last drop, which may take long,
    /// is never on a core.
    snapshots: Vec<Arc<Snapshot>>,
    retired: Vec<Arc<Snapshot>>,
    tunnels: usize,
    resolve_every: Duration,
    key_set_sources: Vec<Source>,
    /// Those of [`Lasting`], to be looked at.
    key_sets: KeySets,
    /// How often the key set of each issuer was fetched.
    fetches: BTreeMap<String, Fetches>,
}

impl Engine {
    /// The addresses of one kind of listener, with their real ports, in the order written.
    pub fn addresses(&self, entry: Entry) -> impl Iterator<Item = SocketAddr> {
        self.bound
            .iter()
            .filter(move |(bound, _)| *bound == entry)
            .map(|(_, address)| *address)
    }

    pub fn node(&self) -> &str {
        &self.node
    }

    /// The port browsers see.
    pub fn public_port(&self) -> u16 {
        self.public_port
    }

    /// The driver of each core.
    pub fn drivers(&self) -> &[String] {
        &self.drivers
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn tunnels(&self) -> usize {
        self.current().tunnels
    }

    /// Puts new settings in force: every head that arrives after this returned is judged by them. Listeners, cores and
    /// logs stay as they are.
    pub fn reload(&self, settings: &Settings) -> Result<(), StartError> {
        let signing = Signing::of(settings, self.public_port, &self.clock)?;
        self.replace(settings, signing)
    }

    fn replace(&self, settings: &Settings, signing: Option<Signing>) -> Result<(), StartError> {
        let mut making = self.making();
        let lasting = &mut making.lasting;
        let now = self.clock.now().unix_seconds();
        lasting.key_sets.follow(settings, now);
        self.flows.bind(settings)?;
        lasting.flow = self.flows.origin();
        let (port, cores) = (self.public_port, self.cores.len());
        let snapshots = compile_all(settings, port, cores, lasting, signing.as_ref())?;
        if making.fixed != fixed(settings) {
            tracing::warn!(
                event = "restart_needed",
                "[cores], listeners, [admin] and [log] are read at the start only; what changed there waits for a restart"
            );
        }
        // Before a core can send anybody there.
        self.flows.follow(settings, self.public_port)?;
        self.put_in_force(snapshots, Command::Swap);
        making.upstreams = Upstreams::new(&settings.tunnels);
        making.signing = signing;
        making.reloads += 1;
        let sources: Vec<_> = sources(settings).collect();
        let mut current = self.current();
        current.tunnels = settings.tunnels.len();
        current.resolve_every = settings.timeouts.upstream_resolve;
        current.key_sets = making.lasting.key_sets.clone();
        current.key_set_sources = sources.clone();
        let _ = self.key_sets.send(Message::Sources(sources));
        Ok(())
    }

    /// Resolves the names of upstreams anew and, where they lead elsewhere now, sends what comes next there. What was
    /// verified stays verified. Takes as long as `lookup`, which answers the addresses of a name, or none.
    pub fn resolve(&self, lookup: impl Fn(&str, u16) -> Vec<SocketAddr>) {
        let (names, reloads) = {
            let making = self.making();
            (making.upstreams.names(), making.reloads)
        };
        let found = names
            .into_iter()
            .map(|name| {
                let addresses = lookup(&name.0, name.1);
                (name, addresses)
            })
            .collect();
        let listeners: Vec<_> = self.bound.iter().map(|(_, address)| *address).collect();
        let mut guard = self.making();
        let making = &mut *guard;
        // A reload meanwhile has resolved its names itself.
        if making.reloads != reloads || !making.upstreams.update(&found, &listeners) {
            return;
        }
        let snapshots = self.current().snapshots.clone();
        let snapshots = resolve::redirect_all(&making.upstreams, &snapshots, &mut making.lasting);
        self.put_in_force(snapshots, Command::Redirect);
    }

    /// How often names of upstreams are resolved anew.
    pub fn resolve_every(&self) -> Duration {
        self.current().resolve_every
    }

    /// Returns when every core works by its new copy. The caller holds `making`.
    fn put_in_force(
        &self,
        snapshots: Vec<Arc<Snapshot>>,
        command: impl Fn(Arc<Snapshot>) -> Command,
    ) {
        let (swapped, taken) = channel();
        for (core, snapshot) in self.cores.iter().zip(&snapshots) {
            core.commands.send(command(snapshot.clone()));
            let swapped = swapped.clone();
            core.commands.send(Command::Report(Box::new(move |_| {
                swapped.send(()).unwrap_or_default()
            })));
        }
        drop(swapped);
        for _ in &self.cores {
            let _ = taken.recv_timeout(ANSWER_WITHIN);
        }
        let mut current = self.current();
        let old = std::mem::replace(&mut current.snapshots, snapshots);
        current.retired.extend(old);
    }

    /// Copies that no core holds any more. To drop them may take long.
    pub fn take_unused(&self) -> Vec<Arc<Snapshot>> {
        let mut current = self.current();
        let is_unused = |snapshot: &mut Arc<Snapshot>| Arc::strong_count(snapshot) == 1;
        current.retired.extract_if(.., is_unused).collect()
    }

    /// Fires the deadlines that have passed by the clock; with a clock moved by a test, those that the move passed.
    pub fn sweep(&self) {
        for core in &self.cores {
            core.commands.send(Command::Sweep);
        }
    }

    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        for core in &self.cores {
            core.commands.send(Command::Drain);
        }
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Ends every connection.
    pub fn abort(&self) {
        for core in &self.cores {
            core.commands.send(Command::Abort);
        }
    }

    /// Makes draining cores look whether they are done.
    pub fn nudge(&self) {
        self.sweep();
    }

    /// Whether every core has ended.
    pub fn ended(&self) -> bool {
        self.cores.iter().all(|core| core.thread.is_finished())
    }

    /// Whether a core has ended.
    pub fn any_ended(&self) -> bool {
        self.cores.iter().any(|core| core.thread.is_finished())
    }

    /// Returns when all lines so far are written.
    pub fn flush_log(&self) {
        if let Some(log) = &self.log {
            log.flush();
        }
    }

    fn making(&self) -> std::sync::MutexGuard<'_, Making> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the access log's file opened by its name again.
    pub fn reopen_log(&self) {
        if let Some(log) = &self.log {
            log.reopen();
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a core may take to answer the control thread.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

fn collect<T>(answers: &Receiver<T>, count: usize) -> Vec<T> {
    std::iter::from_fn(|| answers.recv_timeout(ANSWER_WITHIN).ok())
        .take(count)
        .collect()
}
