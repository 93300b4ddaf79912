//! Everything mutable on one core.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayString;

use crate::authn::session::Ended;
use crate::certificate::CertificateCache;
use crate::clock::{HttpDate, Now, http_date};
use crate::forward::identity;
use crate::http::request::{Request, RequestHead};
use crate::http::response::ResponseHead;
use crate::limits::EXHAUSTED_EVICTIONS;
use crate::policy::client_address::REQUEST_ID_BYTES_MAX;
use crate::policy::{Connection, Decision, Facts, Memory, decide};
use crate::runtime::buffer::BufferPool;
use crate::runtime::clock::{Clock, thread_cpu_time};
use crate::runtime::deadline::Deadlines;
use crate::runtime::deadline::eviction::Eviction;
use crate::runtime::stage::Stage;
use crate::telemetry::counters::Counters;
use crate::telemetry::queue::LogSender;
use crate::telemetry::recent::{Recent, Refused};
use crate::telemetry::record::{self, Format, Record};
use crate::token::TokenCache;
use crate::upstream::Pools;

use super::SignOuts;
use super::admission::{Admission, Admitted, Slot};
use super::keys::KeyRequests;
use super::snapshot::Snapshot;
use super::standing::Standing;

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
    pub keys: KeyRequests,
    /// What is under way, to be judged again.
    pub standing: Standing,
    /// Whose sessions have ended.
    pub ended: RefCell<Ended>,
    /// Where it is made up what upstreams are told of senders.
    pub identity: RefCell<identity::Scratch>,
    snapshot: RefCell<Arc<Snapshot>>,
    counters: RefCell<Counters>,
    recent: RefCell<Recent>,
    log: RefCell<Option<Log>>,
    #[expect(
        clippy::vec_box,
        reason = "what goes from exchange to exchange is the box"
    )]
    works: RefCell<Vec<Box<Work>>>,
    pub admission: Admission,
    /// Since when, on the monotonic clock.
    draining: Cell<Option<Duration>>,
    aborted: Cell<bool>,
    next_id: Cell<u64>,
    /// How far the wall clock is ahead of the monotonic one, as the last sweep saw it.
    wall_ahead: Cell<Duration>,
    /// What the wall clock said then.
    date: Cell<HttpDate>,
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

/// How long, and how often, a new connection waits for those that make way for it.
const ADMISSION_PAUSE: Duration = Duration::from_millis(1);
const ADMISSION_PAUSES: usize = 50;

/// How long a draining core waits for the first request of a connection: whoever has just connected is about to ask, and
/// would see a failure where a connection that was used before is simply made anew.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

impl Core {
    pub fn new(
        index: usize,
        snapshot: Arc<Snapshot>,
        log: Option<(LogSender, Format)>,
        keys: KeyRequests,
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
            keys,
            standing: Standing::default(),
            ended: RefCell::default(),
            identity: RefCell::default(),
            snapshot: RefCell::new(snapshot),
            counters: RefCell::new(Counters::default()),
            recent: RefCell::default(),
            log: RefCell::new(log.map(|(sender, format)| Log {
                sender,
                format,
                line: Vec::with_capacity(1024),
            })),
            works: RefCell::new(Vec::new()),
            admission: Admission::default(),
            draining: Cell::new(None),
            aborted: Cell::new(false),
            next_id: Cell::new(seed),
            wall_ahead: Cell::new(now.unix.saturating_sub(now.monotonic)),
            date: Cell::new(http_date(now.unix)),
        }
    }

    /// The newest snapshot; an exchange takes it once, at its head.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// Takes a new snapshot. All that was verified counts no more; it is answered, since to drop it may take long.
    pub fn swap(&self, snapshot: Arc<Snapshot>) -> TokenCache {
        let mut memory = self.memory.borrow_mut();
        let new = TokenCache::new(snapshot.token_cache_entries);
        let old = std::mem::replace(&mut memory.tokens, new);
        memory.certificates = CertificateCache::default();
        drop(memory);
        self.redirect(snapshot);
        self.standing.changed();
        old
    }

    /// Takes a snapshot that differs from the old one in the addresses of upstreams alone.
    pub fn redirect(&self, snapshot: Arc<Snapshot>) {
        let origins = snapshot.origins.iter().flatten();
        self.pools
            .retain(&origins.map(|origin| origin.id).collect());
        *self.snapshot.borrow_mut() = snapshot;
    }

    /// Judges a request by this snapshot.
    pub fn decide(
        &self,
        snapshot: &Snapshot,
        connection: Connection<'_>,
        request: Request<'_>,
        now: Now,
    ) -> Decision {
        let facts = Facts {
            connection,
            request,
            ended: &self.ended.borrow(),
        };
        decide(&snapshot.policy, &facts, now, &mut self.memory.borrow_mut())
    }

    /// Every head that arrives from now on is judged without these sessions.
    pub fn end_sessions(&self, sign_outs: &SignOuts) {
        let mut ended = self.ended.borrow_mut();
        for (what, before) in &sign_outs.what {
            ended.note(*what, *before);
        }
        ended.forget_before(sign_outs.forget_before);
        drop(ended);
        self.standing.changed();
    }

    /// The time, by one clock: a step of the wall clock is seen with the next sweep.
    pub fn now(&self) -> Now {
        let monotonic = self.clock.monotonic();
        Now {
            monotonic,
            unix: monotonic + self.wall_ahead.get(),
        }
    }

    /// The date for answers, at most a sweep old.
    pub fn date(&self) -> HttpDate {
        self.date.get()
    }

    /// A place for one more connection, if there is one or one can be made.
    pub async fn admit(&self) -> Option<Slot> {
        for _ in 0..ADMISSION_PAUSES {
            let most = self.snapshot.borrow().limits.connections_per_core;
            match self.admission.admit(most, &self.deadlines) {
                Admitted::Yes(slot) => return Some(slot),
                Admitted::Instead(slot) => {
                    self.count(|counters| counters.connections_evicted += 1);
                    return Some(slot);
                }
                Admitted::Soon => monoio::time::sleep(ADMISSION_PAUSE).await,
                Admitted::No => return None,
            }
        }
        None
    }

    /// Ends unused connections to upstreams, and some of the clients' that wait: descriptors have run out, and each of
    /// them holds one.
    pub fn make_room(&self) {
        self.pools.clear();
        for _ in 0..EXHAUSTED_EVICTIONS {
            if self.deadlines.evict() != Eviction::Done {
                break;
            }
            self.count(|counters| counters.connections_evicted += 1);
        }
    }

    pub fn is_draining(&self) -> bool {
        self.draining.get().is_some()
    }

    /// From now on every answer is the last on its connection. One that has just come in may still ask once.
    pub fn drain(&self) {
        self.draining.set(Some(self.clock.monotonic()));
        self.deadlines.end_idle(false);
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

    pub fn is_drained(&self) -> bool {
        self.is_draining() && self.admission.open() == 0
    }

    /// Fires the deadlines that have passed, closes unused upstream connections and gives unused buffers back.
    pub fn sweep(&self) {
        let now = self.clock.now();
        self.wall_ahead.set(now.unix.saturating_sub(now.monotonic));
        self.date.set(http_date(now.unix));
        self.standing.sweep(now.unix_seconds());
        let now = now.monotonic;
        let draining = self.draining.get();
        if draining.is_some_and(|since| since + FIRST_REQUEST <= now) {
            self.deadlines.end_idle(true);
        }
        self.deadlines.sweep(now);
        self.keys.sweep(now);
        let keepalive = self.snapshot.borrow().timeouts.upstream_keepalive;
        self.pools.sweep(now, keepalive);
        self.buffers.trim();
    }

    pub fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.counters.borrow_mut());
    }

    /// A copy of the counters, gauges included.
    pub fn report(&self) -> Counters {
        let mut counters = self.counters.borrow().clone();
        let memory = self.memory.borrow();
        counters.connections_open = self.admission.open() as u64;
        counters.upstream_resting = self.pools.resting() as u64;
        counters.upstream_idle = self.pools.len() as u64;
        counters.token_cache_entries = memory.tokens.len() as u64;
        counters.token_cache_hits = memory.tokens.hits();
        counters.token_cache_misses = memory.tokens.misses();
        // A report is made on the core's own thread.
        counters.cpu_nanoseconds = thread_cpu_time().as_nanos().try_into().unwrap_or(u64::MAX);
        counters
    }

    /// Keeps a refusal for whoever asks for the last ones.
    pub fn remember(&self, record: &Record<'_>) {
        self.recent.borrow_mut().note(record);
    }

    /// The last refusals, in no order.
    pub fn recent(&self) -> Vec<Refused> {
        self.recent.borrow().copy()
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
    pub fn request_id(&self) -> ArrayString<REQUEST_ID_BYTES_MAX> {
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
        let digits = std::str::from_utf8(&digits).unwrap_or_default();
        ArrayString::from(digits).unwrap_or_default()
    }
}
