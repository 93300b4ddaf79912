//! From settings to running cores.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::unbounded_channel;

use super::copies::{Signing, compile_all};
use super::keys::asks;
use super::reloads::{Reloads, fixed};
use super::{Current, Engine, Making, flows};
use crate::config::settings::{LogFormat, Settings};
use crate::control::access_log::{Sink, Writer};
use crate::control::compile::Lasting;
use crate::control::key_sets::{KeySets, Message, sources};
use crate::control::resolve::Upstreams;
use crate::control::start::{self, CoreHandle, StartError};
use crate::listener::Sockets;
use crate::runtime::clock::Clock;
use crate::telemetry::queue::log_queue;
use crate::telemetry::record::Format;
use crate::worker::snapshot::Snapshot;

impl Engine {
    /// Binds everything, starts a core on each CPU, and returns when all of them accept.
    pub fn start(settings: &Settings, sink: Sink, clock: Clock) -> Result<Self, StartError> {
        Engine::start_on(settings, Sockets::default(), sink, clock)
    }

    /// The same on sockets that were passed, or beside another process.
    pub fn start_on(
        settings: &Settings,
        sockets: Sockets,
        sink: Sink,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let cpus = start::cpus(&settings.cores)?;
        let bound = start::bind(settings, sockets, cpus.len())?;
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
        let mut seeds = Vec::new();
        let listeners = start::by_core(bound, cpus.len())?;
        for ((cpu, listeners), snapshot) in cpus.into_iter().zip(listeners).zip(&snapshots) {
            seeds.push(start::Core {
                index: seeds.len(),
                cpu,
                listeners,
                snapshot: snapshot.clone(),
                log: None,
                ask_for_keys: ask_for_keys.clone(),
                ended: ended.copy(),
                clock: clock.clone(),
            });
        }
        let (cores, drivers, log) = run(seeds, settings, sink)?;
        let current = Current::new(settings, snapshots, lasting.key_sets.clone());
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
            making: Mutex::new(Making::new(settings, lasting, signing)),
            current: Mutex::new(current),
            draining: false.into(),
            reloads: Reloads::default(),
            ended,
            flows,
            key_sets,
            key_set_inbox: Mutex::new(Some(key_set_inbox)),
        })
    }
}

/// Cores that accept, the driver of each, and who writes their log.
type Running = (Vec<CoreHandle>, Vec<String>, Option<Writer>);

fn run(seeds: Vec<start::Core>, settings: &Settings, sink: Sink) -> Result<Running, StartError> {
    let format = sink.as_ref().map(|_| log_format(settings.log.format));
    let mut queues = Vec::new();
    let (mut cores, mut drivers) = (Vec::new(), Vec::new());
    for mut seed in seeds {
        seed.log = format.map(|format| {
            let (sender, receiver) = log_queue();
            queues.push(receiver);
            (sender, format)
        });
        let (core, driver) = seed.start(&settings.cores)?;
        cores.push(core);
        drivers.push(driver);
    }
    let log = sink
        .map(|sink| Writer::start(sink, settings.log.access.clone(), queues))
        .transpose();
    Ok((cores, drivers, log.map_err(StartError::Control)?))
}

impl Making {
    fn new(settings: &Settings, lasting: Lasting, signing: Option<Signing>) -> Self {
        Making {
            lasting,
            upstreams: Upstreams::new(&settings.tunnels),
            signing,
            reloads: 0,
            fixed: fixed(settings),
        }
    }
}

impl Current {
    fn new(settings: &Settings, snapshots: Vec<Arc<Snapshot>>, key_sets: KeySets) -> Self {
        Current {
            snapshots,
            retired: Vec::new(),
            tunnels: settings.tunnels.len(),
            resolve_every: settings.timeouts.upstream_resolve,
            key_set_sources: sources(settings).collect(),
            key_sets,
            fetches: BTreeMap::new(),
        }
    }
}

fn log_format(format: LogFormat) -> Format {
    match format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    }
}
