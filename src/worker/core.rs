//! Everything mutable on one core.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayString;

use crate::clock::Now;
use crate::http::request::RequestHead;
use crate::http::response::ResponseHead;
use crate::policy::Memory;
use crate::runtime::buffer::BufferPool;
use crate::runtime::clock::Clock;
use crate::runtime::deadline::Deadlines;
use crate::runtime::stage::Stage;
use crate::telemetry::counters::Counters;
use crate::telemetry::queue::LogSender;
use crate::telemetry::record::{self, Format, Record};
use crate::token::TokenCache;
use crate::upstream::Pools;

use super::snapshot::Snapshot;

/// The state that all tasks of a core share. Nothing in it is held through a wait.
pub struct Core {
    pub index: usize,
    pub buffers: Rc<BufferPool>,
    pub deadlines: Rc<Deadlines>,
    /// Where exchanges run.
    pub stage: Stage,
    /// Where the part of those runs that have a body: it is larger than all the rest.
    pub body_stage: Stage,
    pub clock: Clock,
    pub pools: Pools,
    pub memory: RefCell<Memory>,
    snapshot: RefCell<Arc<Snapshot>>,
    counters: RefCell<Counters>,
    log: RefCell<Option<Log>>,
    #[expect(
        clippy::vec_box,
        reason = "what goes from exchange to exchange is the box"
    )]
    works: RefCell<Vec<Box<Work>>>,
    open: Rc<Cell<usize>>,
    draining: Cell<bool>,
    aborted: Cell<bool>,
    /// Upgraded connections by tunnel.
    upgrades: RefCell<HashMap<String, Rc<()>>>,
    next_id: Cell<u64>,
    /// How far the wall clock is ahead of the monotonic one, as the last sweep saw it.
    wall_ahead: Cell<Duration>,
}

struct Log {
    sender: LogSender,
    format: Format,
    line: Vec<u8>,
}

/// Parsed heads, whose storage goes from exchange to exchange.
#[derive(Default)]
pub struct Work {
    pub request: RequestHead,
    pub response: ResponseHead,
}

/// Parsed heads that a core keeps for the next exchanges.
const WORKS_KEPT: usize = 1024;

/// Tunnels whose upgraded connections are counted before those without any are forgotten.
const UPGRADE_TUNNELS_KEPT: usize = 256;

/// The right to hold one connection open; given back when it is dropped.
pub struct Slot(Rc<Cell<usize>>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Core {
    pub fn new(
        index: usize,
        snapshot: Arc<Snapshot>,
        log: Option<(LogSender, Format)>,
        clock: Clock,
        seed: u64,
    ) -> Self {
        let deadlines = Rc::new(Deadlines::default());
        let now = clock.now();
        deadlines.start(now.monotonic);
        Core {
            index,
            buffers: Rc::new(BufferPool::default()),
            deadlines,
            stage: Stage::default(),
            body_stage: Stage::default(),
            clock,
            pools: Pools::default(),
            memory: RefCell::new(Memory::new(TokenCache::new(snapshot.token_cache_entries))),
            snapshot: RefCell::new(snapshot),
            counters: RefCell::new(Counters::default()),
            log: RefCell::new(log.map(|(sender, format)| Log {
                sender,
                format,
                line: Vec::with_capacity(1024),
            })),
            works: RefCell::new(Vec::new()),
            open: Rc::new(Cell::new(0)),
            draining: Cell::new(false),
            aborted: Cell::new(false),
            upgrades: RefCell::default(),
            next_id: Cell::new(seed),
            wall_ahead: Cell::new(now.unix.saturating_sub(now.monotonic)),
        }
    }

    /// The newest snapshot; an exchange takes it once, at its head.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// Takes a new snapshot. All remembered tokens die with the old one.
    pub fn swap(&self, snapshot: Arc<Snapshot>) {
        self.memory.borrow_mut().tokens = TokenCache::new(snapshot.token_cache_entries);
        *self.snapshot.borrow_mut() = snapshot;
    }

    /// The time, by one clock: a step of the wall clock is seen with the next sweep.
    pub fn now(&self) -> Now {
        let monotonic = self.clock.monotonic();
        Now {
            monotonic,
            unix: monotonic + self.wall_ahead.get(),
        }
    }

    /// A place for one more connection, if there is one.
    pub fn admit(&self) -> Option<Slot> {
        let open = self.open.get();
        if self.draining.get() || open >= self.snapshot.borrow().limits.connections_per_core {
            return None;
        }
        self.open.set(open + 1);
        Some(Slot(self.open.clone()))
    }

    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// From now on every answer is the last on its connection.
    pub fn drain(&self) {
        self.draining.set(true);
        self.deadlines.end_idle();
        self.pools.clear();
    }

    /// Ends every connection.
    pub fn abort(&self) {
        self.aborted.set(true);
        self.deadlines.end_all();
    }

    /// Whether connections were ended by [`Core::abort`].
    pub fn is_aborted(&self) -> bool {
        self.aborted.get()
    }

    /// A place for one more upgraded connection of a tunnel, if there is one (S9). It is held as long as the
    /// connection lasts.
    pub fn admit_upgrade(&self, tunnel: &str, most: usize) -> Option<Rc<()>> {
        let mut upgrades = self.upgrades.borrow_mut();
        if upgrades.len() >= UPGRADE_TUNNELS_KEPT {
            upgrades.retain(|_, count| Rc::strong_count(count) > 1);
        }
        let count = upgrades.entry(tunnel.to_owned()).or_default();
        let open = Rc::strong_count(count) - 1;
        (most == 0 || open < most).then(|| count.clone())
    }

    pub fn is_drained(&self) -> bool {
        self.draining.get() && self.open.get() == 0
    }

    /// Fires the deadlines that have passed and closes unused upstream connections.
    pub fn sweep(&self) {
        let now = self.clock.now();
        self.wall_ahead.set(now.unix.saturating_sub(now.monotonic));
        let now = now.monotonic;
        self.deadlines.sweep(now);
        let keepalive = self.snapshot.borrow().timeouts.upstream_keepalive;
        self.pools.sweep(now, keepalive);
    }

    pub fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.counters.borrow_mut());
    }

    /// A copy of the counters, gauges included.
    pub fn report(&self) -> Counters {
        let mut counters = self.counters.borrow().clone();
        let memory = self.memory.borrow();
        counters.connections_open = self.open.get() as u64;
        counters.upstream_idle = self.pools.len() as u64;
        counters.token_cache_entries = memory.tokens.len() as u64;
        counters.token_cache_hits = memory.tokens.hits();
        counters.token_cache_misses = memory.tokens.misses();
        counters
    }

    /// Whether access records are written at all.
    pub fn has_log(&self) -> bool {
        self.log.borrow().is_some()
    }

    /// Writes one access record, if there is a log.
    pub fn log(&self, record: &Record<'_>) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.line.clear();
            record::write(record, log.format, &mut log.line);
            if !log.sender.send(&log.line) {
                self.count(|counters| counters.log_lines_dropped += 1);
            }
        }
    }

    pub fn take_work(&self) -> Box<Work> {
        self.works.borrow_mut().pop().unwrap_or_default()
    }

    pub fn give_work(&self, work: Box<Work>) {
        let mut works = self.works.borrow_mut();
        if works.len() < WORKS_KEPT {
            works.push(work);
        }
    }

    /// A request id: 32 hex digits, different for every request of every core and run.
    pub fn request_id(&self) -> ArrayString<32> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; 32];
        for half in digits.chunks_exact_mut(16) {
            // The sequence of SplitMix64, which visits every number once: an id tells no count of requests.
            let state = self.next_id.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.next_id.set(state);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let mut rest = mixed ^ (mixed >> 31);
            for digit in half {
                *digit = HEX.get((rest & 15) as usize).copied().unwrap_or(b'0');
                rest >>= 4;
            }
        }
        ArrayString::from_byte_string(&digits).unwrap_or_default()
    }
}
