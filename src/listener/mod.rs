//! Listening sockets: one per core and address, bound together so that a second process is refused.
//!
//! Owns: binding on the control thread, accepting on a core. Comes in: addresses and a number of cores. Goes out:
//! accepted sockets with the peer's address. Refuses an address that another process (or an earlier entry) holds.
//!
//! Invariant: an accept is never dropped in flight; a listener ends by `shutdown`, which completes it.

pub mod proxy;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use crate::runtime::socket::Socket;

/// Connections the kernel completes before a core accepts them.
const BACKLOG: i32 = 4096;

/// How long a core waits before it accepts again when descriptors or memory have run out: an accept then fails at once,
/// every time.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// One address, bound once for each core.
#[derive(Debug)]
pub struct Bound {
    /// The address with its real port.
    pub address: SocketAddr,
    pub sockets: Vec<TcpListener>,
}

/// Binds `address` for `cores` cores.
///
/// The first socket is bound without `SO_REUSEPORT`, so it fails where any other process listens, even one that would
/// share; only then is sharing switched on for the other cores' sockets.
pub fn bind(address: SocketAddr, cores: usize) -> io::Result<Bound> {
    let first = socket(address)?;
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
    for socket in &sockets {
        socket.listen(BACKLOG)?;
    }
    Ok(Bound {
        address,
        sockets: sockets.into_iter().map(TcpListener::from).collect(),
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
    pub fn open(socket: TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(crate::runtime::driver::wants_nonblocking())?;
        Ok(Listener {
            inner: monoio::net::TcpListener::from_std(socket)?,
        })
    }

    /// Waits for one connection.
    pub async fn accept(&self) -> Accepted {
        match self.inner.accept().await {
            Ok((stream, peer)) => Accepted::Connection(Socket::new(stream), peer),
            Err(error) => match error.raw_os_error() {
                Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                    monoio::time::sleep(EXHAUSTED_PAUSE).await;
                    Accepted::Exhausted
                }
                Some(libc::EINVAL | libc::EBADF) => Accepted::Closed,
                _ => Accepted::Failed,
            },
        }
    }

    /// Ends accepting; an accept under way completes with [`Accepted::Closed`].
    pub fn close(&self) {
        crate::runtime::socket::shutdown_listener(self.inner.as_raw_fd());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_bound_for_every_core_and_refused_to_the_next() {
        let first = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        assert_eq!(first.sockets.len(), 3);
        assert!(
            first
                .sockets
                .iter()
                .all(|socket| socket.local_addr().unwrap() == first.address)
        );
        assert_eq!(
            bind(first.address, 1).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        let address = first.address;
        drop(first);
        bind(address, 2).unwrap();
    }

    #[test]
    fn both_families_share_a_port_number() {
        // Somebody else may hold the same number in the other family; not in fifty cases.
        let shared = (0..50).any(|_| {
            let six = bind("[::]:0".parse().unwrap(), 2).unwrap();
            bind(SocketAddr::from(([0, 0, 0, 0], six.address.port())), 2).is_ok()
        });
        assert!(shared);
    }
}
