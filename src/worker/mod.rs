//! One core: its loop, its connections, and the data path in order.
//!
//! Owns: everything mutable on a core ([`core::Core`]) and the tasks that run there: one for each listener, one for each
//! connection, one for messages, one for the deadline sweep. Comes in: bound listeners, snapshots and commands of the
//! control thread. Goes out: answers to clients, log lines, counters.
//!
//! The data path is [`connection`] (accept, TLS, head, judgement, refusal), [`exchange`] (one permitted request to its
//! upstream and the answer back; its head is that of [`departure`]), [`upload`] and [`answer`] (bodies), and [`refuse`] (what the edge answers itself).

mod admission;
mod answer;
mod behind;
pub mod client;
pub mod connection;
pub mod core;
mod departure;
mod exchange;
mod flow;
mod head;
pub mod keys;
mod pace;
mod preamble;
mod probe;
mod refuse;
mod relay;
pub mod snapshot;
mod standing;
mod stopwatch;
mod trace;
mod upgraded;
mod upload;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::authn::session::{Ended, Short};
use crate::forward::Room;
use crate::listener::{self, Accepted, Listener};
use crate::runtime::buffer::Buffer;
use crate::runtime::clock::Clock;
use crate::runtime::deadline::SWEEP_INTERVAL;
use crate::runtime::driver::{self, Chosen, Wanted};
use crate::runtime::mailbox::{Receiver, Unopened};
use crate::runtime::socket::Socket;
use crate::runtime::task::catch_panic;
use crate::telemetry::counters::Counters;
use crate::telemetry::queue::LogSender;
use crate::telemetry::recent::Refused;
use crate::telemetry::record::Format;
use crate::token::TokenCache;
use client::{Entry, Newcomer};
use core::Core;
use keys::{AskForKeys, KeyAnswer, KeyRequests};
use snapshot::Snapshot;

impl Room for Buffer {
    fn append_all<const N: usize>(&mut self, pieces: [&[u8]; N]) -> bool {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        let Some(mut room) = self.spare_mut().get_mut(..length) else {
            return false;
        };
        for piece in pieces {
            let Some((place, rest)) = room.split_at_mut_checked(piece.len()) else {
                return false;
            };
            place.copy_from_slice(piece);
            room = rest;
        }
        self.claim(length);
        true
    }
}

/// What one core is started with.
pub struct Start {
    pub index: usize,
    pub cpu: Option<usize>,
    pub driver: Wanted,
    pub ring_entries: u32,
    pub listeners: Vec<(listener::Unopened, Entry)>,
    pub snapshot: Arc<Snapshot>,
    pub commands: Unopened<Command>,
    /// `None`: no access log.
    pub log: Option<(LogSender, Format)>,
    pub ask_for_keys: AskForKeys,
    /// Who had been signed out before.
    pub ended: Ended,
    pub clock: Clock,
    /// Makes request ids of different cores and runs differ.
    pub seed: u64,
}

/// Who has been signed out, and when. See [`Ended`].
#[derive(Debug)]
pub struct SignOuts {
    /// Times are in milliseconds since the Unix epoch.
    pub what: Vec<(Short, u64)>,
    /// No session is older than that.
    pub forget_before: u64,
}

/// What the control thread tells a core.
pub enum Command {
    /// Every head that arrives from now on is judged by this.
    Swap(Arc<Snapshot>),
    /// The same policy with other addresses of upstreams: what was verified stays verified.
    Redirect(Arc<Snapshot>),
    /// Asks for a copy of the counters.
    Report(Box<dyn FnOnce(Counters) + Send>),
    /// Asks for the last refusals.
    Recent(Box<dyn FnOnce(Vec<Refused>) + Send>),
    /// What a request for keys came to, by its ticket.
    Keys(u64, KeyAnswer),
    /// These sessions have ended.
    EndSessions(Arc<SignOuts>),
    /// Fires the deadlines that have passed, without waiting for the next sweep.
    Sweep,
    /// Accept no more, end idle connections, and end the core when the last exchange has ended.
    Drain,
    /// End every connection now.
    Abort,
}

/// Runs a core on this thread until it has drained. `ready` is told the driver, or why there is none, before the first
/// accept.
pub fn run(start: Start, ready: impl FnOnce(io::Result<Chosen>)) {
    if let Some(cpu) = start.cpu
        && let Err(error) = driver::pin(cpu)
    {
        return ready(Err(error));
    }
    let mut ready = Some(ready);
    let outcome = driver::run(
        start.driver,
        start.ring_entries,
        async |chosen| match open(start) {
            Ok((core, listeners, commands)) => {
                if let Some(ready) = ready.take() {
                    ready(Ok(chosen));
                }
                serve(core, listeners, commands).await;
            }
            Err(error) => {
                if let Some(ready) = ready.take() {
                    ready(Err(error));
                }
            }
        },
    );
    if let (Err(error), Some(ready)) = (outcome, ready) {
        ready(Err(error));
    }
}

type Opened = (Rc<Core>, Vec<(Rc<Listener>, Entry)>, Receiver<Command>);

fn open(start: Start) -> io::Result<Opened> {
    let listeners = start
        .listeners
        .into_iter()
        .map(|(socket, entry)| Ok((Rc::new(Listener::open(socket)?), entry)))
        .collect::<io::Result<Vec<_>>>()?;
    let commands = start.commands.open()?;
    let core = Core::new(
        start.index,
        start.snapshot,
        start.log,
        KeyRequests::new(start.ask_for_keys),
        start.clock,
        start.seed,
    );
    *core.ended.borrow_mut() = start.ended;
    Ok((Rc::new(core), listeners, commands))
}

async fn serve(
    core: Rc<Core>,
    listeners: Vec<(Rc<Listener>, Entry)>,
    mut commands: Receiver<Command>,
) {
    for (listener, entry) in &listeners {
        monoio::spawn(accept(core.clone(), listener.clone(), *entry));
    }
    monoio::spawn(sweep(core.clone()));
    while let Some(command) = commands.next().await {
        match command {
            Command::Swap(snapshot) => {
                monoio::spawn(forget(core.swap(snapshot)));
            }
            Command::Redirect(snapshot) => core.redirect(snapshot),
            Command::Report(answer) => answer(core.report()),
            Command::Recent(answer) => answer(core.recent()),
            Command::Keys(ticket, answer) => core.keys.answer(ticket, answer),
            Command::EndSessions(sign_outs) => core.end_sessions(&sign_outs),
            Command::Sweep => {
                core.sweep();
                probe::probe(&core);
            }
            Command::Abort => core.abort(),
            Command::Drain => {
                core.drain();
                for (listener, entry) in &listeners {
                    for (socket, peer) in listener.close() {
                        welcome(&core, socket, peer, *entry).await;
                    }
                }
            }
        }
        let mut listeners = listeners.iter();
        if core.is_drained() && !listeners.any(|(listener, _)| listener.is_accepting()) {
            break;
        }
    }
}

/// Drops what was verified by a snapshot that is gone, a little at a time: requests come between.
async fn forget(mut tokens: TokenCache) {
    const AT_ONCE: usize = 512;

    while tokens.shed(AT_ONCE) {
        monoio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Accepts on one listener until it is closed.
async fn accept(core: Rc<Core>, listener: Rc<Listener>, entry: Entry) {
    loop {
        match listener.accept().await {
            Accepted::Connection(socket, peer) => welcome(&core, socket, peer, entry).await,
            Accepted::Exhausted => {
                core.count(|counters| counters.accepts_exhausted += 1);
                core.make_room();
            }
            Accepted::Failed => {}
            Accepted::Closed => break,
        }
    }
}

/// Begins to serve one connection, if there is room for it.
async fn welcome(core: &Rc<Core>, socket: Socket, peer: SocketAddr, entry: Entry) {
    core.count(|counters| counters.connections_total += 1);
    let Some(slot) = core.admit().await else {
        core.count(|counters| counters.connections_shed += 1);
        return;
    };
    // Entered now and not when its task first runs: if there is no room for the next one, this one waits.
    let deadline = core.deadlines.watch(socket.fd());
    deadline.pend();
    let core = core.clone();
    let newcomer = Newcomer {
        deadline,
        socket,
        peer: peer.ip(),
        entry,
    };
    monoio::spawn(async move {
        let serving = catch_panic(connection::serve(&core, newcomer));
        if serving.await.is_err() {
            core.count(|counters| counters.panics += 1);
        }
        drop(slot);
    });
}

async fn sweep(core: Rc<Core>) {
    loop {
        monoio::time::sleep(SWEEP_INTERVAL).await;
        core.sweep();
        probe::probe(&core);
    }
}
