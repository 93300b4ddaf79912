//! Who is ended when a core has no room for another connection (S9).
//!
//! Sockets whose peer is awaited: those that never carried an accepted authenticated request before those that did, and of
//! equals the one that has waited longest. A flood therefore ends itself. After all of them those whose client has ended
//! its direction and waits for an answer, if it still does.

use std::cell::Cell;

use super::leaving::may_have_left;
use super::{Deadline, Deadlines, Entry, Wait};
use crate::limits::LONG_HEADS_MAX;
use crate::runtime::socket::{is_quiet, shutdown};

/// Found at one look through the table, so that a flood pays for one look in so many connections.
const VICTIMS: usize = 64;

/// A socket that waited when it was looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victim {
    index: usize,
    turn: u64,
}

/// What became of the wish to end a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// One is being ended, and gone when its task has run.
    Done,
    /// Those whose turn it is have just got bytes, which their tasks have not seen yet.
    Soon,
    /// None waits.
    Nobody,
}

impl Deadlines {
    /// Ends one socket that waits.
    pub fn evict(&self) -> Eviction {
        if self.evict_found() {
            return Eviction::Done;
        }
        self.find();
        if self.victims.borrow().is_empty() {
            Eviction::Nobody
        } else if self.evict_found() {
            Eviction::Done
        } else {
            Eviction::Soon
        }
    }

    fn evict_found(&self) -> bool {
        loop {
            let Some(victim) = self.victims.borrow_mut().pop() else {
                return false;
            };
            if self.end(victim) {
                return true;
            }
        }
    }

    /// Looks for the next victims.
    fn find(&self) {
        let entries = self.entries.borrow();
        let waiting = |proven: bool| {
            entries
                .iter()
                .enumerate()
                .filter(move |(_, entry)| {
                    entry.fd >= 0 && entry.wait != Wait::Busy && entry.proven == proven
                })
                .map(|(index, entry)| Victim {
                    index,
                    turn: entry.turn,
                })
        };
        let mut found: Vec<_> = waiting(false).collect();
        let mut most = VICTIMS;
        if found.is_empty() {
            found.extend(waiting(true));
            // Somebody without a proof may come before the next is needed.
            most = 1;
        }
        if found.is_empty() {
            let half_closed = entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| entry.fd >= 0 && may_have_left(entry.wait, &entry.tied));
            found.extend(half_closed.map(|(index, entry)| Victim {
                index,
                turn: entry.turn,
            }));
        }
        if found.len() > most {
            found.select_nth_unstable_by_key(most, |victim| victim.turn);
            found.truncate(most);
        }
        found.sort_unstable_by_key(|victim| std::cmp::Reverse(victim.turn));
        *self.victims.borrow_mut() = found;
    }

    /// Ends a socket if it still waits as it did.
    fn end(&self, victim: Victim) -> bool {
        if self.may_have_left(victim) {
            self.update(victim.index, |entry| entry.evicted = true);
            self.end_exchange(victim.index);
            return true;
        }
        let mut entries = self.entries.borrow_mut();
        let Some(entry) = entries.get_mut(victim.index) else {
            return false;
        };
        if entry.fd < 0 || entry.turn != victim.turn {
            return false;
        }
        match entry.wait {
            Wait::Busy => return false,
            // In order, as at the idle deadline; and a request that has just come is not lost.
            Wait::Idle if is_quiet(entry.fd) => shutdown(entry.fd, libc::SHUT_RD),
            Wait::Idle => return false,
            // What has come and was not looked at may be a whole request.
            Wait::Pending if !entry.heard && !is_quiet(entry.fd) => return false,
            Wait::Pending => {
                entry.evicted = true;
                shutdown(entry.fd, libc::SHUT_RDWR);
            }
        }
        entry.wait = Wait::Busy;
        true
    }

    fn may_have_left(&self, victim: Victim) -> bool {
        let entries = self.entries.borrow();
        entries.get(victim.index).is_some_and(|entry| {
            entry.turn == victim.turn && may_have_left(entry.wait, &entry.tied)
        })
    }

    /// Ends the socket that has waited longest with a long head.
    fn evict_long_head(&self) {
        let longest = self
            .entries
            .borrow()
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.fd >= 0 && entry.long_head && entry.wait == Wait::Pending)
            .map(|(index, entry)| Victim {
                index,
                turn: entry.turn,
            })
            .min_by_key(|victim| victim.turn);
        if let Some(victim) = longest {
            self.end(victim);
        }
    }
}

impl Entry {
    pub(super) fn end_long_head(&mut self, count: &Cell<usize>) {
        if self.long_head {
            self.long_head = false;
            count.set(count.get() - 1);
        }
    }
}

impl Deadline {
    /// The unfinished head has taken a large buffer. Where too many have, the one that has waited longest is ended.
    pub fn begin_long_head(&self) {
        let mut begins = false;
        self.table.update(self.index, |entry| {
            begins = !entry.long_head;
            entry.long_head = true;
        });
        let count = &self.table.long_heads;
        if begins && count.get() >= LONG_HEADS_MAX {
            self.table.evict_long_head();
        }
        count.set(count.get() + usize::from(begins));
    }

    /// Whether the socket was ended for another one in the middle of something.
    pub fn evicted(&self) -> bool {
        let entries = self.table.entries.borrow();
        entries.get(self.index).is_some_and(|entry| entry.evicted)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::rc::Rc;

    use super::*;

    /// A connection that pends: our end with its deadline, the peer's end.
    fn pending(table: &Rc<Deadlines>) -> (Deadline, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        let deadline = table.watch(socket.as_raw_fd());
        deadline.pend();
        (deadline, socket, peer)
    }

    /// What has come may be a whole request; where it was looked at and is none, it saves nobody.
    #[test]
    fn what_nobody_has_looked_at_is_not_thrown_away() {
        let table = Rc::new(Deadlines::default());
        let (first, mut socket, mut peer) = pending(&table);
        let (second, _socket, _peer) = pending(&table);
        peer.write_all(b"GET").unwrap();
        socket.peek(&mut [0]).unwrap();
        assert_eq!(table.evict(), Eviction::Done);
        assert!(!first.evicted() && second.evicted());
        assert_eq!(table.evict(), Eviction::Soon);
        socket.read_exact(&mut [0; 3]).unwrap();
        first.hear();
        peer.write_all(b" /").unwrap();
        socket.peek(&mut [0]).unwrap();
        assert_eq!(table.evict(), Eviction::Done);
        assert!(first.evicted());
    }
}
