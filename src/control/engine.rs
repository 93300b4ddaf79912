//! The cores: their threads, their listeners, and what they are told.

mod copies;
mod flows;
mod keys;
mod provider;
mod reloads;
mod sign_outs;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::access_log::{Sink, Writer};
use super::compile::Lasting;
use super::ended_sessions::EndedSessions;
use super::key_sets::{Message, Source, sources};
use super::resolve::{self, Upstreams};
use super::start::{self, CoreHandle, StartError};
use crate::config::settings::{LogFormat, Settings};
use crate::runtime::clock::Clock;
use crate::telemetry::counters::Counters;
use crate::telemetry::queue::log_queue;
use crate::telemetry::record::Format;
use crate::worker::Command;
use crate::worker::client::Entry;
use crate::worker::snapshot::Snapshot;
use copies::{Signing, compile_all};
use flows::Flows;
use keys::{Fetches, asks};
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
    /// What only the control thread changes, when it reloads.
    current: Mutex<Current>,
    draining: AtomicBool,
    reloads: Reloads,
    ended: EndedSessions,
    flows: Flows,
    /// To whoever fetches key sets.
    key_sets: UnboundedSender<Message>,
    key_set_inbox: Mutex<Option<UnboundedReceiver<Message>>>,
}

struct Current {
    lasting: Lasting,
    /// Each core's copy, and copies that a core may still hold. Held here too, so that the last drop, which may take long,
    /// is never on a core.
    snapshots: Vec<Arc<Snapshot>>,
    retired: Vec<Arc<Snapshot>>,
    tunnels: usize,
    upstreams: Upstreams,
    /// `None`: no tunnel's upstream is told who sends.
    signing: Option<Signing>,
    resolve_every: Duration,
    key_set_sources: Vec<Source>,
    /// How often the key set of each issuer was fetched.
    fetches: BTreeMap<String, Fetches>,
    /// Reloads so far.
    reloads: u64,
    /// What cannot change without a restart.
    fixed: String,
}

impl Current {
    fn new(
        settings: &Settings,
        lasting: Lasting,
        snapshots: Vec<Arc<Snapshot>>,
        signing: Option<Signing>,
    ) -> Self {
        Current {
            lasting,
            snapshots,
            retired: Vec::new(),
            tunnels: settings.tunnels.len(),
            upstreams: Upstreams::new(&settings.tunnels),
            signing,
            resolve_every: settings.timeouts.upstream_resolve,
            key_set_sources: sources(settings).collect(),
            fetches: BTreeMap::new(),
            reloads: 0,
            fixed: fixed(settings),
        }
    }
}

impl Engine {
    /// Binds everything, starts a core on each CPU, and returns when all of them accept.
    pub fn start(settings: &Settings, sink: Sink, clock: Clock) -> Result<Self, StartError> {
        let cpus = start::cpus(&settings.cores)?;
        let bound = start::bind(settings, cpus.len())?;
        let addresses: Vec<_> = bound
            .iter()
            .map(|(entry, bound)| (*entry, bound.address))
            .collect();
        let public_port = start::public_port(settings, &addresses);
        let mut lasting = Lasting::new().map_err(StartError::Tls)?;
        lasting
            .key_sets
            .follow(settings, clock.now().unix_seconds());
        let (key_sets, key_set_inbox) = unbounded_channel();
        let ask_for_keys = asks(key_sets.clone());
        let (ended, flows) = flows::open(settings, public_port, &clock)?;
        lasting.flow = flows.origin();
        let signing = Signing::of(settings, public_port, &clock)?;
        let signer = signing.as_ref();
        let snapshots = compile_all(settings, public_port, cpus.len(), &mut lasting, signer)?;
        let format = sink.as_ref().map(|_| log_format(settings.log.format));
        let listeners = start::by_core(bound, cpus.len());
        let seeds = cpus.into_iter().zip(listeners).zip(&snapshots);
        let mut queues = Vec::new();
        let cores = seeds
            .enumerate()
            .map(|(index, ((cpu, listeners), snapshot))| {
                let log = format.map(|format| {
                    let (sender, receiver) = log_queue();
                    queues.push(receiver);
                    (sender, format)
                });
                start::Core {
                    index,
                    cpu,
                    listeners,
                    snapshot: snapshot.clone(),
                    log,
                    ask_for_keys: ask_for_keys.clone(),
                    ended: ended.copy(),
                    clock: clock.clone(),
                }
                .start(&settings.cores)
            });
        let cores: Result<Vec<_>, _> = cores.collect();
        let (cores, drivers) = cores?.into_iter().unzip();
        let log = sink
            .map(|sink| Writer::start(sink, queues))
            .transpose()
            .map_err(StartError::Control)?;
        let current = Current::new(settings, lasting, snapshots, signing);
        // Whoever fetches is not there yet.
        let _ = key_sets.send(Message::Sources(current.key_set_sources.clone()));
        Ok(Engine {
            cores,
            drivers,
            bound: addresses,
            node: settings.engine.name.clone(),
            public_port,
            clock,
            log,
            current: Mutex::new(current),
            draining: false.into(),
            reloads: Reloads::default(),
            ended,
            flows,
            key_sets,
            key_set_inbox: Mutex::new(Some(key_set_inbox)),
        })
    }

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
        let mut current = self.current();
        let now = self.clock.now().unix_seconds();
        current.lasting.key_sets.follow(settings, now);
        self.flows.bind(settings)?;
        current.lasting.flow = self.flows.origin();
        let snapshots = compile_all(
            settings,
            self.public_port,
            self.cores.len(),
            &mut current.lasting,
            signing.as_ref(),
        )?;
        if current.fixed != fixed(settings) {
            tracing::warn!(
                event = "restart_needed",
                "[cores], listeners, [admin] and [log] are read at the start only; what changed there waits for a restart"
            );
        }
        // Before a core can send anybody there.
        self.flows.follow(settings, self.public_port)?;
        self.put_in_force(&mut current, snapshots, Command::Swap);
        current.tunnels = settings.tunnels.len();
        current.upstreams = Upstreams::new(&settings.tunnels);
        current.key_set_sources = sources(settings).collect();
        let _ = self
            .key_sets
            .send(Message::Sources(current.key_set_sources.clone()));
        current.signing = signing;
        current.resolve_every = settings.timeouts.upstream_resolve;
        current.reloads += 1;
        Ok(())
    }

    /// Resolves the names of upstreams anew and, where they lead elsewhere now, sends what comes next there. What was
    /// verified stays verified. Takes as long as `lookup`, which answers the addresses of a name, or none.
    pub fn resolve(&self, lookup: impl Fn(&str, u16) -> Vec<SocketAddr>) {
        let (names, reloads) = {
            let current = self.current();
            (current.upstreams.names(), current.reloads)
        };
        let found = names
            .into_iter()
            .map(|name| {
                let addresses = lookup(&name.0, name.1);
                (name, addresses)
            })
            .collect();
        let listeners: Vec<_> = self.bound.iter().map(|(_, address)| *address).collect();
        let mut guard = self.current();
        let current = &mut *guard;
        // A reload meanwhile has resolved its names itself.
        if current.reloads != reloads || !current.upstreams.update(&found, &listeners) {
            return;
        }
        let Current {
            upstreams,
            snapshots,
            lasting,
            ..
        } = current;
        let snapshots = resolve::redirect_all(upstreams, snapshots, lasting);
        self.put_in_force(current, snapshots, Command::Redirect);
    }

    /// How often names of upstreams are resolved anew.
    pub fn resolve_every(&self) -> Duration {
        self.current().resolve_every
    }

    /// Returns when every core works by its new copy.
    fn put_in_force(
        &self,
        current: &mut Current,
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
        let old = std::mem::replace(&mut current.snapshots, snapshots);
        current.retired.extend(old);
    }

    /// Frees copies that no core holds any more.
    pub fn drop_retired(&self) {
        self.current()
            .retired
            .retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }

    /// What every core has counted. A core that does not answer in time is missing.
    pub fn reports(&self) -> Vec<(usize, Counters)> {
        let (sender, answers) = channel();
        for (index, core) in self.cores.iter().enumerate() {
            let sender = sender.clone();
            core.commands
                .send(Command::Report(Box::new(move |counters| {
                    drop(sender.send((index, counters)))
                })));
        }
        drop(sender);
        let mut reports: Vec<(usize, Counters)> = collect(&answers, self.cores.len());
        reports.sort_by_key(|(index, _)| *index);
        reports
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

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_format(format: LogFormat) -> Format {
    match format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    }
}

/// How long a core may take to answer the control thread.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

fn collect<T>(answers: &Receiver<T>, count: usize) -> Vec<T> {
    std::iter::from_fn(|| answers.recv_timeout(ANSWER_WITHIN).ok())
        .take(count)
        .collect()
}
