//! Clients that leave while their answer is awaited.
//!
//! Nothing is read from them then, so nothing would tell: a reset is looked for at each sweep (RFC 9112 9.5), and ends the
//! upstream's side of the exchange too, whose task is the one that waits. An end in order may be that of a client that has
//! said all it has to say and waits for the answer; only where a core has no room left is such a one ended for another.

use super::{Deadline, Deadlines, Wait};
use crate::runtime::socket::{look, shutdown};

/// The two sides of one exchange, each in the other's entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tie {
    /// In the client's entry: the upstream's.
    pub(super) upstream: Option<usize>,
    /// In the upstream's entry: the client's.
    client: Option<usize>,
    /// It was tied at the last sweep already: only an exchange that takes its time is looked at.
    looked_at: bool,
    /// The client sends nothing more.
    pub(super) half_closed: bool,
    /// The client was reset, or ended for another one.
    gone: bool,
}

impl Deadlines {
    /// Looks at the clients that have waited for a whole sweep.
    pub(super) fn look_for_leavers(&self) {
        let mut waiting = Vec::new();
        for (index, entry) in self.entries.borrow_mut().iter_mut().enumerate() {
            // One whose own deadline has passed was ended by that.
            if entry.fd >= 0 && entry.tied.upstream.is_some() && !entry.fired {
                if entry.tied.looked_at {
                    waiting.push((index, entry.fd));
                }
                entry.tied.looked_at = true;
            }
        }
        for (index, seen) in look(&waiting) {
            if seen.reset {
                self.end_exchange(index);
            } else if seen.half_closed
                && let Some(entry) = self.entries.borrow_mut().get_mut(index)
            {
                entry.tied.half_closed = true;
            }
        }
    }

    /// Ends both sides of the exchange of a client.
    pub(super) fn end_exchange(&self, client: usize) {
        let mut entries = self.entries.borrow_mut();
        let Some(entry) = entries.get_mut(client) else {
            return;
        };
        entry.tied.gone = true;
        shutdown(entry.fd, libc::SHUT_RDWR);
        let upstream = entry.tied.upstream.and_then(|index| entries.get(index));
        if let Some(upstream) = upstream.filter(|upstream| upstream.fd >= 0) {
            shutdown(upstream.fd, libc::SHUT_RDWR);
        }
    }
}

impl Deadline {
    /// From now on nothing is read from this client, whose answer comes from `upstream`: if it leaves, both end.
    pub fn tie(&self, upstream: &Deadline) {
        self.untie();
        upstream.untie();
        self.table.update(self.index, |entry| {
            entry.tied = Tie {
                upstream: Some(upstream.index),
                ..Tie::default()
            };
        });
        let client = Some(self.index);
        self.table
            .update(upstream.index, |entry| entry.tied.client = client);
    }

    /// The sides of the exchange go separate ways. Whether the client has left stays known.
    pub fn untie(&self) {
        let mut partner = None;
        self.table.update(self.index, |entry| {
            partner = entry.tied.upstream.take().or(entry.tied.client.take());
            entry.tied.half_closed = false;
        });
        if let Some(partner) = partner {
            self.table.update(partner, |entry| {
                (entry.tied.upstream, entry.tied.client) = (None, None);
                entry.tied.half_closed = false;
            });
        }
    }

    /// Whether this client has left, or was ended for another one, while it waited for its answer.
    pub fn left(&self) -> bool {
        let entries = self.table.entries.borrow();
        entries.get(self.index).is_some_and(|entry| entry.tied.gone)
    }
}

/// Whether a socket may be ended for another one although an exchange is under way.
pub(super) fn may_have_left(wait: Wait, tie: &Tie) -> bool {
    wait == Wait::Busy && tie.upstream.is_some() && tie.half_closed && !tie.gone
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::rc::Rc;
    use std::time::Duration;

    use super::super::eviction::Eviction;
    use super::*;

    /// A connection: our end, the peer's end.
    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, peer)
    }

    fn reset(peer: TcpStream) {
        let socket = socket2::SockRef::from(&peer);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Whether our end was shut down.
    fn is_ended(socket: &TcpStream) -> bool {
        use std::io::Write;
        let mut socket = socket;
        socket.write(b"x").is_err()
    }

    #[test]
    fn a_reset_ends_both_sides_and_an_end_in_order_neither() {
        for leaves in [true, false] {
            let table = Rc::new(Deadlines::default());
            let (client, client_peer) = pair();
            let (upstream, _upstream_peer) = pair();
            let client_deadline = table.watch(client.as_raw_fd());
            let upstream_deadline = table.watch(upstream.as_raw_fd());
            client_deadline.tie(&upstream_deadline);
            if leaves {
                reset(client_peer);
            } else {
                client_peer.shutdown(std::net::Shutdown::Write).unwrap();
            }
            table.look_for_leavers();
            assert!(!client_deadline.left(), "a short exchange is not looked at");
            table.look_for_leavers();
            assert_eq!(client_deadline.left(), leaves);
            assert_eq!(is_ended(&upstream), leaves);
            let evicted = table.evict();
            if leaves {
                assert_eq!(evicted, Eviction::Nobody);
            } else {
                assert_eq!(evicted, Eviction::Done);
                assert!(client_deadline.left() && is_ended(&upstream));
                assert_eq!(table.evict(), Eviction::Nobody, "and once");
            }
        }
    }

    #[test]
    fn what_was_tied_once_is_nobody_s_afterwards() {
        let table = Rc::new(Deadlines::default());
        let (client, client_peer) = pair();
        let (upstream, _upstream_peer) = pair();
        let client_deadline = table.watch(client.as_raw_fd());
        let upstream_deadline = table.watch(upstream.as_raw_fd());
        client_deadline.tie(&upstream_deadline);
        drop(upstream_deadline);
        // Its slot is another socket's now.
        let (other, _other_peer) = pair();
        let _other_deadline = table.watch(other.as_raw_fd());
        reset(client_peer);
        for _ in 0..3 {
            table.look_for_leavers();
        }
        assert!(!client_deadline.left() && !is_ended(&other));
    }
}
