//! What has to be there before the first request: addresses, CPUs, descriptors, and a thread for each core.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use ring::rand::SecureRandom;

use super::assertion_keys::KeysError;
use crate::authn::session::Ended;
use crate::config::settings::{AdminListen, Cores, Driver, HttpMode, Settings, Workers};
use crate::listener::passed::PassedSockets;
use crate::listener::{self, Bound, Sockets, Unopened};
use crate::runtime::clock::Clock;
use crate::runtime::driver::{Chosen, Wanted};
use crate::runtime::mailbox::{Sender, mailbox};
use crate::runtime::process;
use crate::telemetry::queue::LogSender;
use crate::telemetry::record::Format;
use crate::worker::client::Entry;
use crate::worker::keys::AskForKeys;
use crate::worker::snapshot::Snapshot;
use crate::worker::{self, Command, Start};

/// Why the process does not start: what was asked for, what the system said, and what may help.
#[derive(Debug)]
pub enum StartError {
    Bind(SocketAddr, io::Error),
    /// Sockets that were passed are not those of the configuration.
    Passed(String),
    Admin(String, io::Error),
    AccessLog(io::Error),
    Cores(String),
    Core(usize, io::Error),
    Tls(rustls::Error),
    AssertionKeys(KeysError),
    EndedSessions(String),
    Flow(String),
    Control(io::Error),
}

impl StartError {
    /// Whether another process has an address.
    pub fn is_taken(&self) -> bool {
        match self {
            StartError::Bind(_, error) | StartError::Admin(_, error) => {
                error.kind() == io::ErrorKind::AddrInUse
            }
            StartError::Passed(_)
            | StartError::AccessLog(_)
            | StartError::Cores(_)
            | StartError::Core(..)
            | StartError::Tls(_)
            | StartError::AssertionKeys(_)
            | StartError::EndedSessions(_)
            | StartError::Flow(_)
            | StartError::Control(_) => false,
        }
    }

    pub(super) fn admin(listen: &AdminListen, error: io::Error) -> Self {
        StartError::Admin(
            match listen {
                AdminListen::Tcp(address) => address.to_string(),
                AdminListen::Unix(path) => format!("unix:{}", path.display()),
            },
            error,
        )
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Bind(address, error) => {
                write!(f, "cannot listen on {address}: {error}{}", bind_cure(error))
            }
            StartError::Passed(problem) => write!(f, "sockets that were passed: {problem}"),
            StartError::Admin(listen, error) => {
                write!(
                    f,
                    "cannot listen on {listen} ([admin] listen): {error}{}",
                    bind_cure(error)
                )
            }
            StartError::AccessLog(error) => {
                write!(f, "cannot open the access log ([log] access): {error}")
            }
            StartError::Cores(problem) => write!(f, "[cores]: {problem}"),
            StartError::Core(index, error) => write!(f, "core {index} does not start: {error}"),
            StartError::AssertionKeys(error) => {
                write!(f, "the keys that identity_headers needs: {error}")
            }
            StartError::EndedSessions(problem) => {
                write!(f, "who was signed out is not known: {problem}")
            }
            StartError::Flow(problem) => {
                write!(f, "what [sign_in] and [challenge] need: {problem}")
            }
            StartError::Tls(error) => write!(f, "TLS cannot be set up: {error}"),
            StartError::Control(error) => write!(f, "the control thread does not start: {error}"),
        }
    }
}

fn bind_cure(error: &io::Error) -> &'static str {
    const CURES: [(io::ErrorKind, &str); 3] = [
        (
            io::ErrorKind::AddrInUse,
            "; another process listens there (perhaps adit itself, started before)",
        ),
        (
            io::ErrorKind::PermissionDenied,
            "; ports below 1024 need CAP_NET_BIND_SERVICE",
        ),
        (
            io::ErrorKind::AddrNotAvailable,
            "; no interface of this machine has that address",
        ),
    ];
    let cure = CURES.iter().find(|(kind, _)| *kind == error.kind());
    cure.map_or("", |(_, cure)| cure)
}

impl std::error::Error for StartError {}

/// Binds every address of tunnels, or finds it among the sockets that were passed, all of which must have a use.
pub(super) fn bind(
    settings: &Settings,
    mut sockets: Sockets,
    cores: usize,
) -> Result<Vec<(Entry, Bound)>, StartError> {
    let https = settings
        .https
        .iter()
        .flat_map(|https| &https.listen)
        .map(|address| (Entry::Https, *address));
    let http = settings.http.iter().flat_map(|http| {
        let entry = match http.mode {
            HttpMode::Redirect => Entry::Redirect,
            HttpMode::Serve => Entry::Http,
        };
        http.listen.iter().map(move |address| (entry, *address))
    });
    let bound = https.chain(http).map(|(entry, address)| {
        let bound = if sockets.activated {
            passed(&mut sockets.passed, address, cores)?
        } else {
            listener::bind(address, cores, sockets.takeover)
                .map_err(|error| StartError::Bind(address, error))?
        };
        tracing::info!(event = "listening", address = %bound.address, entry = entry.as_str());
        Ok((entry, bound))
    });
    let bound = bound.collect::<Result<_, _>>()?;
    if sockets.passed.is_empty() {
        return Ok(bound);
    }
    Err(StartError::Passed(format!(
        "no listen entry of the configuration is {}; add it to [https], [http] or [admin], or remove it from the socket unit",
        sockets.passed
    )))
}

fn passed(
    sockets: &mut PassedSockets,
    address: SocketAddr,
    cores: usize,
) -> Result<Bound, StartError> {
    match sockets.take_tcp(address) {
        Some(socket) => {
            Bound::passed(socket, cores).map_err(|error| StartError::Bind(address, error))
        }
        None => Err(StartError::Passed(format!(
            "{address} of [https] or [http] listen is not among them; add ListenStream={address} to the socket unit, or remove it from listen"
        ))),
    }
}

/// The port browsers see: as configured, or that of the first TLS listener.
pub(super) fn public_port(settings: &Settings, addresses: &[(Entry, SocketAddr)]) -> u16 {
    let configured = settings.https.as_ref().and_then(|https| https.public_port);
    let first = addresses
        .iter()
        .find(|(entry, _)| *entry == Entry::Https)
        .map(|(_, address)| address.port());
    configured.or(first).unwrap_or(443)
}

/// The listeners of each core: one of every address. From here on the kernel completes connections on all of them.
pub(super) fn by_core(
    bound: Vec<(Entry, Bound)>,
    cores: usize,
) -> Result<Vec<Vec<(Unopened, Entry)>>, StartError> {
    let mut listeners: Vec<Vec<_>> = (0..cores).map(|_| Vec::new()).collect();
    for (entry, bound) in bound {
        let address = bound.address;
        let sockets = bound.listen();
        let sockets = sockets.map_err(|error| StartError::Bind(address, error))?;
        for (list, socket) in listeners.iter_mut().zip(sockets) {
            list.push((socket, entry));
        }
    }
    Ok(listeners)
}

/// The CPU of each core; `None` leaves a core unpinned.
pub(super) fn cpus(cores: &Cores) -> Result<Vec<Option<usize>>, StartError> {
    let allowed = process::allowed_cpus().map_err(|error| StartError::Cores(error.to_string()))?;
    match &cores.workers {
        Workers::All => Ok(allowed.into_iter().map(Some).collect()),
        // More workers than CPUs is a choice; those beyond them float.
        Workers::Count(count) => Ok((0..*count)
            .map(|index| allowed.get(index).copied())
            .collect()),
        Workers::Cpus(cpus) => match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
            Some(cpu) => Err(StartError::Cores(format!(
                "cpus names {cpu}, which this process may not use; it may use {allowed:?}"
            ))),
            None => Ok(cpus.iter().copied().map(Some).collect()),
        },
    }
}

/// One core before its thread runs.
pub(super) struct Core {
    pub index: usize,
    pub cpu: Option<usize>,
    pub listeners: Vec<(Unopened, Entry)>,
    pub snapshot: Arc<Snapshot>,
    pub log: Option<(LogSender, Format)>,
    pub ask_for_keys: AskForKeys,
    pub ended: Ended,
    pub clock: Clock,
}

/// A running core.
pub(super) struct CoreHandle {
    pub commands: Sender<Command>,
    pub thread: JoinHandle<()>,
}

impl Core {
    /// Starts the core and says so in the log; answers when it accepts, with the name of its driver.
    pub(super) fn start(self, cores: &Cores) -> Result<(CoreHandle, String), StartError> {
        let (core, cpu) = (self.index, self.cpu);
        let started = self.start_thread(cores);
        let (handle, chosen) = started.map_err(|error| StartError::Core(core, error))?;
        let driver = chosen.driver.to_string();
        tracing::info!(
            event = "core_started",
            core,
            cpu,
            driver,
            reason = chosen.reason
        );
        Ok((handle, driver))
    }

    fn start_thread(self, cores: &Cores) -> io::Result<(CoreHandle, Chosen)> {
        let (commands, unopened) = mailbox()?;
        let start = Start {
            index: self.index,
            cpu: self.cpu,
            driver: wanted(cores.driver),
            ring_entries: cores.ring_entries,
            listeners: self.listeners,
            snapshot: self.snapshot,
            commands: unopened,
            log: self.log,
            ask_for_keys: self.ask_for_keys,
            ended: self.ended,
            clock: self.clock,
            seed: seed()?,
        };
        let (sender, started) = channel();
        let thread = std::thread::Builder::new()
            .name(format!("adit-core-{}", self.index))
            .spawn(move || worker::run(start, |outcome| drop(sender.send(outcome))))?;
        match started.recv() {
            Ok(outcome) => Ok((CoreHandle { commands, thread }, outcome?)),
            Err(_) => Err(io::Error::other("its thread ended before it was ready")),
        }
    }
}

fn wanted(driver: Driver) -> Wanted {
    match driver {
        Driver::Auto => Wanted::Auto,
        Driver::IoUring => Wanted::IoUring,
        Driver::Epoll => Wanted::Epoll,
    }
}

/// A connection takes two descriptors, its own and its upstream's. Where the system grants fewer than the configuration
/// asks for, the core refuses connections itself before accepting fails.
pub(super) fn connections_per_core(settings: &Settings, cores: usize) -> usize {
    /// Descriptors of listeners, rings, logs and the admin listener, generously.
    const RESERVED: u64 = 256;

    let asked = settings.limits.connections_per_core;
    let granted = match process::raise_descriptor_limit() {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(event = "descriptor_limit_unknown", %error);
            return asked;
        }
    };
    let possible = granted.saturating_sub(RESERVED) / 2 / cores.max(1) as u64;
    let possible = usize::try_from(possible).unwrap_or(usize::MAX).max(1);
    if possible < asked {
        tracing::warn!(
            event = "connections_lowered",
            asked,
            possible,
            "the descriptor limit ({granted}) does not carry limits.connections_per_core; raise LimitNOFILE or lower it"
        );
    }
    asked.min(possible)
}

fn seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system has no randomness to give"))?;
    Ok(u64::from_ne_bytes(bytes))
}
