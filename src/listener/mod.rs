//! Listening sockets: one per core and address, bound together so that a second process is refused unless it is to take
//! over; or one for all cores, that a service manager has bound.
//!
//! Owns: binding on the control thread, accepting on a core. Comes in: addresses and a number of cores, and sockets that
//! were passed ([`passed`]). Goes out: accepted sockets with the peer's address. Refuses an address that another process
//! (or an earlier entry) holds.
//!
//! Invariants: an accept is never dropped in flight; a listener of our own ends by `shutdown`, which completes it, one that
//! was passed, and that others accept on, by cancelling. What was accepted is served, also when it came with the end.

pub mod passed;
pub mod proxy;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::time::Duration;

use monoio::io::Canceller;
use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};

use crate::runtime::socket::{Socket, close_listener, is_revoked};
use passed::PassedSockets;

/// Connections the kernel completes before a core accepts them.
const BACKLOG: i32 = 4096;

/// How long a core waits before it accepts again when descriptors or memory have run out: an accept then fails at once,
/// every time.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// How a process comes to its sockets.
#[derive(Debug, Default)]
pub struct Sockets {
    /// A service manager has bound them: all addresses of tunnels must be among those passed.
    pub activated: bool,
    /// Those that nobody has taken yet.
    pub passed: PassedSockets,
    /// An older process of the same user may listen on the same addresses, and goes on until it is told to end.
    pub takeover: bool,
}

impl Sockets {
    /// `passed`: by a service manager; it decides how many processes there are. `takeover`: as asked for.
    pub fn new(passed: PassedSockets, takeover: bool) -> Self {
        let activated = !passed.is_empty();
        Sockets {
            activated,
            passed,
            takeover: takeover || activated,
        }
    }
}

/// One address, with a socket for each core.
#[derive(Debug)]
pub struct Bound {
    /// The address with its real port.
    pub address: SocketAddr,
    sockets: Vec<TcpListener>,
    shared: bool,
}

/// One core's way to an address, before its core runs.
#[derive(Debug)]
pub struct Unopened {
    socket: TcpListener,
    /// It is the same one for all cores, and for other processes.
    shared: bool,
}

impl Unopened {
    /// The socket, for another runtime than that of a core.
    pub fn into_inner(self) -> TcpListener {
        self.socket
    }
}

impl Bound {
    /// From here on the kernel completes connections, and nobody gets fewer because this process is not ready yet. One
    /// for each core.
    pub fn listen(self) -> io::Result<Vec<Unopened>> {
        for socket in &self.sockets {
            SockRef::from(socket).listen(BACKLOG)?;
        }
        let shared = self.shared;
        let sockets = self.sockets.into_iter();
        Ok(sockets.map(|socket| Unopened { socket, shared }).collect())
    }

    /// A socket that was passed, for `cores` cores: the kernel wakes one of those that wait.
    pub fn passed(socket: TcpListener, cores: usize) -> io::Result<Self> {
        // That belongs to the socket and not to a descriptor. A process on epoll needs it, and to one on io_uring it
        // makes no difference; so processes that overlap never change it under each other.
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let copies = (1..cores).map(|_| socket.try_clone());
        let mut sockets = copies.collect::<io::Result<Vec<_>>>()?;
        sockets.push(socket);
        Ok(Bound {
            address,
            sockets,
            shared: true,
        })
    }
}

/// Binds `address` for `cores` cores.
///
/// Without `takeover` the first socket is bound without `SO_REUSEPORT`, so it fails where any other process listens, even
/// one that would share; only then is sharing switched on for the other cores' sockets. Such an address is ours from here
/// on; with `takeover` only when [`Bound::listen`] returned.
pub fn bind(address: SocketAddr, cores: usize, takeover: bool) -> io::Result<Bound> {
    let first = socket(address)?;
    first.set_reuse_port(takeover)?;
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    let address = first
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("the kernel answered no address for a TCP listener"))?;
    let mut sockets = vec![first];
    for _ in 1..cores {
        let next = socket(address)?;
        next.set_reuse_port(true)?;
        next.bind(&address.into())?;
        sockets.push(next);
    }
    if !takeover {
        for socket in &sockets {
            socket.listen(BACKLOG)?;
        }
    }
    Ok(Bound {
        address,
        sockets: sockets.into_iter().map(TcpListener::from).collect(),
        shared: false,
    })
}

fn socket(address: SocketAddr) -> io::Result<RawSocket> {
    let socket = RawSocket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` are two listeners on every system, whatever its default.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// A listening socket on its core.
pub struct Listener {
    inner: monoio::net::TcpListener,
    /// What ends the accept under way where the socket is not ours alone: a `shutdown` would end it for everybody.
    cancel: Option<RefCell<Canceller>>,
    closed: Cell<bool>,
    accepting: Cell<bool>,
}

/// What an accept came to.
pub enum Accepted {
    Connection(Socket, SocketAddr),
    /// Descriptors or memory have run out; the pause is over.
    Exhausted,
    /// One connection failed before it was accepted.
    Failed,
    /// The listener was closed.
    Closed,
}

impl Listener {
    /// Registers a bound socket with the runtime of this thread.
    pub fn open(unopened: Unopened) -> io::Result<Self> {
        let Unopened { socket, shared } = unopened;
        if !shared {
            socket.set_nonblocking(crate::runtime::driver::wants_nonblocking())?;
        }
        Ok(Listener {
            inner: monoio::net::TcpListener::from_std(socket)?,
            cancel: shared.then(RefCell::default),
            closed: Cell::new(false),
            accepting: Cell::new(false),
        })
    }

    /// Waits for one connection.
    pub async fn accept(&self) -> Accepted {
        loop {
            if self.closed.get() {
                return Accepted::Closed;
            }
            self.accepting.set(true);
            let accepted = self.accept_once().await;
            self.accepting.set(false);
            match accepted {
                Ok((socket, peer)) => return Accepted::Connection(socket, peer),
                // Another core, or another process, was faster.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // An error shows again at the accept.
                    let _ = self.inner.readable(false).await;
                }
                Err(error) if is_revoked(&error) => return Accepted::Closed,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                        monoio::time::sleep(EXHAUSTED_PAUSE).await;
                        return Accepted::Exhausted;
                    }
                    Some(libc::EINVAL | libc::EBADF) => return Accepted::Closed,
                    _ => return Accepted::Failed,
                },
            }
        }
    }

    async fn accept_once(&self) -> io::Result<(Socket, SocketAddr)> {
        let (stream, peer) = match &self.cancel {
            Some(cancel) => {
                let handle = cancel.borrow().handle();
                self.inner.cancelable_accept(handle).await?
            }
            None => self.inner.accept().await?,
        };
        Ok((Socket::new(stream), peer))
    }

    /// Whether a connection may still come out of an accept under way.
    pub fn is_accepting(&self) -> bool {
        self.accepting.get()
    }

    /// Ends accepting; an accept under way completes, with [`Accepted::Closed`] or with a last connection. Answers the
    /// connections that were waiting on a socket of our own, which nobody else would ever take.
    pub fn close(&self) -> Vec<(Socket, SocketAddr)> {
        self.closed.set(true);
        let Some(cancel) = &self.cancel else {
            return close_listener(self.inner.as_raw_fd());
        };
        let canceller = cancel.take();
        cancel.replace(canceller.cancel());
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_bound_for_every_core_and_refused_to_the_next() {
        let first = bind("127.0.0.1:0".parse().unwrap(), 3, false).unwrap();
        assert_eq!(first.sockets.len(), 3);
        assert!(
            first
                .sockets
                .iter()
                .all(|socket| socket.local_addr().unwrap() == first.address)
        );
        assert_eq!(
            bind(first.address, 1, false).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        let address = first.address;
        drop(first);
        bind(address, 2, false).unwrap();
    }

    #[test]
    fn only_who_takes_over_shares_an_address() {
        let first = bind("127.0.0.1:0".parse().unwrap(), 2, false).unwrap();
        let second = bind(first.address, 2, true).unwrap();
        assert_eq!(second.address, first.address);
        let listeners = second.listen().unwrap();
        assert_eq!(listeners.len(), 2);
        assert_eq!(
            bind(first.address, 2, false).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        // A stranger who shares nothing keeps the address to itself.
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = bind(stranger.local_addr().unwrap(), 2, true).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn both_families_share_a_port_number() {
        // Somebody else may hold the same number in the other family; not in fifty cases.
        let shared = (0..50).any(|_| {
            let six = bind("[::]:0".parse().unwrap(), 2, false).unwrap();
            bind(
                SocketAddr::from(([0, 0, 0, 0], six.address.port())),
                2,
                false,
            )
            .is_ok()
        });
        assert!(shared);
    }
}
