//! Deadlines of one core: one table, looked through a few times per second.
//!
//! A deadline that passes is noted and the socket is shut down, so the read or write under way completes and the task
//! unwinds by itself: no operation is dropped, and a request only stores a number.
//!
//! The table also knows which sockets only wait for their peer, so that one of them can be ended for another: see
//! [`Deadlines::evict`].

pub mod eviction;
mod leaving;

use std::cell::{Cell, RefCell};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use super::socket::{Revocable, shutdown};

/// How often the table is looked through; a deadline may fire this much late, never early.
pub const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// The table of one core.
#[derive(Debug, Default)]
pub struct Deadlines {
    entries: RefCell<Vec<Entry>>,
    free: RefCell<Vec<usize>>,
    /// Who is ended next where there is no more room, the first one last.
    victims: RefCell<Vec<eviction::Victim>>,
    /// Turns given out.
    turns: Cell<u64>,
    /// Sockets with a long head.
    long_heads: Cell<usize>,
    /// The last sweep's time in milliseconds.
    swept_ms: Cell<u64>,
}

/// One socket. A descriptor below zero marks a free slot.
#[derive(Debug)]
struct Entry {
    fd: RawFd,
    /// Milliseconds on the monotonic clock; `NEVER` where nothing is awaited.
    read_ms: u64,
    write_ms: u64,
    fired: bool,
    wait: Wait,
    /// Where in the order of all that began to wait: the longest is the lowest, and no two are alike.
    turn: u64,
    /// A whole request has come from it.
    asked: bool,
    /// An authenticated request was accepted from it: it is ended after all others (S9).
    proven: bool,
    /// Its unfinished head has taken a large buffer.
    long_head: bool,
    evicted: bool,
    /// Something was read since it is awaited: what comes next is more of the same.
    heard: bool,
    /// The socket of the other side of its exchange, while nothing is read from this one.
    tied: leaving::Tie,
    /// When a buffer was lent to a read that may wait long; `NEVER` where none is.
    lent_ms: u64,
    /// Made when first needed.
    revocable: Option<Rc<Revocable>>,
}

/// Whether a socket may be ended for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// An exchange is under way, or it is an upstream's: never.
    Busy,
    /// Between two requests.
    Idle,
    /// In a handshake, in a head that has no end yet, or after the last answer.
    Pending,
}

const NEVER: u64 = u64::MAX;

/// How long a waiting read keeps its buffer: the next request of a busy connection comes sooner.
const LENT: Duration = Duration::from_millis(500);

impl Deadlines {
    /// Sets the time that new deadlines count from before the first sweep.
    pub fn start(&self, monotonic: Duration) {
        self.swept_ms.set(monotonic.as_millis() as u64);
    }

    /// The time of the last sweep, on the monotonic clock: good enough where a quarter of a second does not matter.
    pub fn now(&self) -> Duration {
        Duration::from_millis(self.swept_ms.get())
    }

    /// Enters a socket. The guard must be dropped before the socket is: then a number that the kernel gives to another
    /// socket is never shut down by mistake.
    pub fn watch(self: &Rc<Self>, fd: RawFd) -> Deadline {
        let mut entries = self.entries.borrow_mut();
        let index = match self.free.borrow_mut().pop() {
            Some(index) => index,
            None => {
                entries.push(Entry::new());
                entries.len() - 1
            }
        };
        if let Some(slot) = entries.get_mut(index) {
            slot.clear(fd);
        }
        Deadline {
            table: self.clone(),
            index,
        }
    }

    /// Fires what has passed at `monotonic`.
    pub fn sweep(&self, monotonic: Duration) {
        let now = monotonic.as_millis() as u64;
        self.swept_ms.set(now);
        for entry in self
            .entries
            .borrow_mut()
            .iter_mut()
            .filter(|entry| entry.fd >= 0)
        {
            if entry.write_ms <= now {
                (entry.read_ms, entry.write_ms, entry.fired) = (NEVER, NEVER, true);
                shutdown(entry.fd, libc::SHUT_RDWR);
            } else if entry.read_ms <= now {
                (entry.read_ms, entry.fired) = (NEVER, true);
                shutdown(entry.fd, libc::SHUT_RD);
            }
            if entry.lent_ms != NEVER && entry.lent_ms + LENT.as_millis() as u64 <= now {
                entry.lent_ms = NEVER;
                if let Some(revocable) = &entry.revocable {
                    revocable.revoke();
                }
            }
        }
        self.look_for_leavers();
    }

    /// Ends the receiving direction of every socket that is between two requests: its task reads the end and leaves,
    /// unless a request was there already. `fresh`: also of those whose first request is still to come.
    pub fn end_idle(&self, fresh: bool) {
        for entry in self
            .entries
            .borrow()
            .iter()
            .filter(|entry| entry.fd >= 0 && entry.wait == Wait::Idle && (entry.asked || fresh))
        {
            shutdown(entry.fd, libc::SHUT_RD);
        }
    }

    /// Ends every socket.
    pub fn end_all(&self) {
        for entry in self.entries.borrow().iter().filter(|entry| entry.fd >= 0) {
            shutdown(entry.fd, libc::SHUT_RDWR);
        }
    }

    fn after(&self, after: Duration) -> u64 {
        self.swept_ms
            .get()
            .saturating_add((after + SWEEP_INTERVAL).as_millis() as u64)
    }

    fn next_turn(&self) -> u64 {
        let turn = self.turns.get();
        self.turns.set(turn + 1);
        turn
    }

    fn update(&self, index: usize, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(index) {
            change(entry);
        }
    }
}

impl Entry {
    fn new() -> Self {
        Entry {
            fd: -1,
            read_ms: NEVER,
            write_ms: NEVER,
            fired: false,
            wait: Wait::Busy,
            turn: 0,
            asked: false,
            proven: false,
            long_head: false,
            evicted: false,
            heard: false,
            tied: leaving::Tie::default(),
            lent_ms: NEVER,
            revocable: None,
        }
    }

    /// Makes the slot one for this descriptor; what it cancels with is used again.
    fn clear(&mut self, fd: RawFd) {
        self.fd = fd;
        (self.read_ms, self.write_ms, self.lent_ms) = (NEVER, NEVER, NEVER);
        (self.fired, self.proven, self.evicted) = (false, false, false);
        self.asked = false;
        (self.wait, self.long_head, self.heard) = (Wait::Busy, false, false);
        self.tied = leaving::Tie::default();
    }
}

/// The deadlines of one socket: one for what it is to receive, one for what it is to take.
#[derive(Debug)]
pub struct Deadline {
    table: Rc<Deadlines>,
    index: usize,
}

impl Deadline {
    /// Bytes must arrive within `after`, counted from the last sweep and one interval more; else the receiving direction
    /// ends, and an answer can still be sent.
    pub fn read_within(&self, after: Duration) {
        let at = self.table.after(after);
        self.table.update(self.index, |entry| entry.read_ms = at);
    }

    /// As [`Deadline::read_within`], between two requests: from now on the socket may be ended for another one.
    pub fn idle_within(&self, after: Duration) {
        let (at, turn) = (self.table.after(after), self.table.next_turn());
        self.table.update(self.index, |entry| {
            (entry.read_ms, entry.wait, entry.turn) = (at, Wait::Idle, turn);
        });
    }

    /// Its peer is in the middle of something that is no request yet, or no longer one: from now on the socket may be
    /// ended for another one, and both directions end at once; but not while there is something of it that nobody has
    /// looked at (see [`Deadline::hear`]).
    pub fn pend(&self) {
        let turn = self.table.next_turn();
        self.table.update(self.index, |entry| {
            (entry.wait, entry.turn, entry.heard) = (Wait::Pending, turn, false);
        });
    }

    /// Something was read from a socket that pends, and it was not enough: that more of it is there saves it no longer.
    pub fn hear(&self) {
        self.table.update(self.index, |entry| entry.heard = true);
    }

    /// A whole request is here: nothing is awaited, and the socket is ended for no other one. `false` where it has been.
    #[must_use]
    pub fn engage(&self) -> bool {
        let mut entries = self.table.entries.borrow_mut();
        let Some(entry) = entries.get_mut(self.index) else {
            return false;
        };
        (entry.read_ms, entry.wait, entry.asked) = (NEVER, Wait::Busy, true);
        entry.end_long_head(&self.table.long_heads);
        !entry.evicted
    }

    /// An authenticated request was accepted: the socket is ended after all that never had one (S9).
    pub fn prove(&self) {
        self.table.update(self.index, |entry| entry.proven = true);
    }

    /// The peer must take bytes within `after`; else the socket ends.
    pub fn write_within(&self, after: Duration) {
        let at = self.table.after(after);
        self.table.update(self.index, |entry| entry.write_ms = at);
    }

    /// Whatever the peer is to take, it now has at least `after`.
    pub fn stretch_write(&self, after: Duration) {
        let at = self.table.after(after);
        self.table.update(self.index, |entry| {
            if entry.write_ms != NEVER {
                entry.write_ms = entry.write_ms.max(at);
            }
        });
    }

    /// A read is about to wait with a buffer; a sweep some time later takes the buffer back, through what this answers.
    pub(super) fn lend(&self) -> Rc<Revocable> {
        let now = self.table.swept_ms.get();
        let mut entries = self.table.entries.borrow_mut();
        match entries.get_mut(self.index) {
            Some(entry) => {
                entry.lent_ms = now;
                entry.revocable.get_or_insert_default().clone()
            }
            None => Rc::default(),
        }
    }

    /// The buffer is back.
    pub(super) fn take_back(&self) {
        self.table.update(self.index, |entry| entry.lent_ms = NEVER);
    }

    /// No bytes are awaited.
    pub fn clear_read(&self) {
        self.table.update(self.index, |entry| entry.read_ms = NEVER);
    }

    /// Nothing is to be taken.
    pub fn clear_write(&self) {
        self.table
            .update(self.index, |entry| entry.write_ms = NEVER);
    }

    /// Awaits nothing.
    pub fn clear(&self) {
        self.clear_read();
        self.clear_write();
    }

    /// Whether a deadline of this socket has passed.
    pub fn fired(&self) -> bool {
        self.table
            .entries
            .borrow()
            .get(self.index)
            .is_some_and(|entry| entry.fired)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.untie();
        let long_heads = &self.table.long_heads;
        self.table.update(self.index, |entry| {
            entry.end_long_head(long_heads);
            entry.clear(-1);
        });
        self.table.free.borrow_mut().push(self.index);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_passed_deadline_ends_the_socket_and_only_that() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let table = Rc::new(Deadlines::default());
        table.start(Duration::from_secs(10));
        let mut early = TcpStream::connect(address).unwrap();
        let late = TcpStream::connect(address).unwrap();
        let (early_deadline, late_deadline) = (
            table.watch(early.as_raw_fd()),
            table.watch(late.as_raw_fd()),
        );
        early_deadline.read_within(Duration::from_secs(1));
        late_deadline.write_within(Duration::from_secs(2));
        table.sweep(Duration::from_millis(11_249));
        assert!(!early_deadline.fired());
        table.sweep(Duration::from_millis(11_250));
        assert!(early_deadline.fired() && !late_deadline.fired());
        assert_eq!(early.read(&mut [0; 1]).unwrap(), 0);
        late_deadline.clear_write();
        table.sweep(Duration::from_secs(100));
        assert!(!late_deadline.fired());
        drop(early_deadline);
        assert!(
            !table.watch(late.as_raw_fd()).fired(),
            "a slot is clean when it is used again"
        );
    }
    #[test]
    fn a_write_under_way_gets_more_time_and_none_that_is_not() {
        let (socket, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
        let table = Rc::new(Deadlines::default());
        let deadline = table.watch(socket.as_raw_fd());
        let second = Duration::from_secs(1);
        deadline.stretch_write(second);
        table.sweep(100 * second);
        assert!(!deadline.fired(), "nothing was being written");
        deadline.write_within(second);
        deadline.stretch_write(10 * second);
        table.sweep(102 * second);
        assert!(!deadline.fired());
        table.sweep(111 * second);
        assert!(deadline.fired());
    }
}
