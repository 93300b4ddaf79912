//! A connected stream socket of one core, TCP or Unix. Reads and writes lend a [`Buffer`] and get it back with the result.

use std::cell::{RefCell, UnsafeCell};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use monoio::buf::{IoBuf, IoBufMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent, CancelHandle, CancelableAsyncReadRent, Canceller};
use monoio::net::TcpStream;
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};

use super::buffer::Buffer;
use super::deadline::{Deadline, Deadlines};

/// Where a connection is made to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// A connection. One read and one write may be under way at the same time.
pub struct Socket {
    stream: UnsafeCell<TcpStream>,
    fd: RawFd,
}

impl Socket {
    pub fn new(stream: TcpStream) -> Self {
        // Small writes leave at once; an error here only costs latency.
        let _ = stream.set_nodelay(true);
        let fd = stream.as_raw_fd();
        Socket {
            stream: UnsafeCell::new(stream),
            fd,
        }
    }

    /// Connects within `within`, and answers the socket with its deadline, which is cleared. A connect that takes
    /// longer fails with [`io::ErrorKind::TimedOut`].
    pub async fn connect(
        address: &Address,
        deadlines: &Rc<Deadlines>,
        within: Duration,
    ) -> io::Result<(Self, Deadline)> {
        let (target, domain, protocol) = match address {
            Address::Tcp(address) => (
                SockAddr::from(*address),
                Domain::for_address(*address),
                Some(Protocol::TCP),
            ),
            Address::Unix(path) => (SockAddr::unix(path)?, Domain::UNIX, None),
        };
        let socket = socket2::Socket::new(domain, Type::STREAM, protocol)?;
        // Connecting without waiting gives us the descriptor at once, so that a deadline can end the attempt; monoio's
        // own connect keeps it to itself until the end.
        socket.set_nonblocking(true)?;
        if let Address::Tcp(address) = address
            && address.ip().is_loopback()
        {
            // Nothing between here and there to be found out: a model of the way and its pacing timer only cost. Where the
            // kernel does not know the name, its default is as good.
            let _ = socket.set_tcp_congestion(b"reno");
        }
        match socket.connect(&target) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            Ok(()) | Err(_) => {}
        }
        // What monoio does with a `TcpStream`, it does with the descriptor of any stream.
        let socket = Socket::new(TcpStream::from_std(socket.into())?);
        let deadline = deadlines.watch(socket.fd);
        deadline.write_within(within);
        socket.writable().await?;
        if deadline.fired() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        deadline.clear();
        let view = SockRef::from(&socket);
        if let Some(error) = view.take_error()? {
            return Err(error);
        }
        view.set_nonblocking(super::driver::wants_nonblocking())?;
        Ok((socket, deadline))
    }

    async fn writable(&self) -> io::Result<()> {
        // SAFETY: as in `readable`.
        let stream = unsafe { &*self.stream.get() };
        stream.writable(false).await
    }

    /// Waits until bytes (or the end) can be read, holding no buffer meanwhile.
    pub async fn readable(&self) -> io::Result<()> {
        // SAFETY: a shared reference; nothing in `TcpStream` is changed by an operation.
        let stream = unsafe { &*self.stream.get() };
        stream.readable(false).await
    }

    /// Appends what arrives to `buffer`, which must have spare room; 0 is the end. To be awaited at once: it has begun.
    // Not `async`, as the two below it: a future around a future is moved once more, for every read of every request.
    pub fn read(&self, buffer: Buffer) -> impl Future<Output = (io::Result<usize>, Buffer)> {
        debug_assert!(
            buffer.spare() > 0,
            "a read without room would look like the end of the stream"
        );
        self.read_into(buffer)
    }

    pub(super) fn read_into<T: IoBufMut>(
        &self,
        buffer: T,
    ) -> impl Future<Output = (io::Result<usize>, T)> {
        // SAFETY: monoio's reads take their own handle of the descriptor when they are called and change nothing in
        // `TcpStream`; that is what its `Split` promise says, which its own owned halves rest on in the same way.
        let stream = unsafe { &mut *self.stream.get() };
        stream.read(buffer)
    }

    /// As [`Socket::read`], for a read that may wait long: a sweep takes the buffer back some time later, and the read
    /// then fails with [`is_revoked`]. Nothing is lost: the operation is cancelled and awaited to its end.
    pub async fn read_revocably(
        &self,
        buffer: Buffer,
        deadline: &Deadline,
    ) -> (io::Result<usize>, Buffer) {
        let revocable = deadline.lend();
        // SAFETY: as in `read_into`.
        let stream = unsafe { &mut *self.stream.get() };
        let outcome = stream.cancelable_read(buffer, revocable.handle()).await;
        deadline.take_back();
        outcome
    }

    pub(super) fn write_from<T: IoBuf>(
        &self,
        buffer: T,
    ) -> impl Future<Output = (io::Result<usize>, T)> {
        // SAFETY: as in `read_into`; writes are independent of reads.
        let stream = unsafe { &mut *self.stream.get() };
        stream.write(buffer)
    }

    /// Writes all filled bytes and gives the buffer back empty; after an error, with what was left. Calls `before` before
    /// each piece that the kernel takes, so that a deadline counts from the last progress.
    pub async fn write_all(
        &self,
        mut buffer: Buffer,
        before: impl Fn(),
    ) -> (io::Result<()>, Buffer) {
        while !buffer.is_empty() {
            before();
            let (result, returned) = self.write_from(buffer).await;
            buffer = returned;
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffer),
                Ok(written) => buffer.consume(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(()), buffer)
    }

    /// Ends the sending direction: the peer reads the end after all that was written.
    pub fn shutdown_write(&self) {
        shutdown(self.fd, libc::SHUT_WR);
    }

    /// Ends the receiving direction, and lets the peer see a reset, and no end, when this is dropped. What the kernel
    /// has not sent by then is lost.
    pub fn end_with_reset(&self) {
        // Without the option the peer sees an ordinary end; that is all we lose if the kernel refuses it.
        let _ = SockRef::from(self).set_linger(Some(Duration::ZERO));
        shutdown(self.fd, libc::SHUT_RD);
    }

    /// Ends both directions; operations under way complete.
    pub fn shutdown(&self) {
        shutdown(self.fd, libc::SHUT_RDWR);
    }

    /// Whether the socket is open and nothing has arrived on it; looks without waiting and takes nothing.
    pub fn is_quiet(&self) -> bool {
        is_quiet(self.fd)
    }

    pub fn fd(&self) -> RawFd {
        self.fd
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor stays open as long as `self`, whose lifetime the result carries.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

/// Takes a buffer back from a read that waits.
#[derive(Default)]
pub(super) struct Revocable(RefCell<Canceller>);

impl Revocable {
    fn handle(&self) -> CancelHandle {
        self.0.borrow().handle()
    }

    pub(super) fn revoke(&self) {
        let canceller = self.0.take();
        self.0.replace(canceller.cancel());
    }
}

impl std::fmt::Debug for Revocable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Revocable")
    }
}

/// Whether a read ended because its buffer was taken back.
pub fn is_revoked(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ECANCELED)
}

/// Shuts a descriptor of this core down. The caller knows that it is still open: see [`super::deadline`].
pub(super) fn shutdown(fd: RawFd, how: libc::c_int) {
    // SAFETY: a plain system call on a descriptor number; an error means that the peer was faster.
    unsafe { libc::shutdown(fd, how) };
}

/// Whether a descriptor of this core is open and nothing has arrived on it.
pub(super) fn is_quiet(fd: RawFd) -> bool {
    let mut events = libc::pollfd {
        fd,
        events: libc::POLLIN | libc::POLLRDHUP,
        revents: 0,
    };
    // SAFETY: the pointer is to one local that lives through the call, which does not wait.
    unsafe { libc::poll(&mut events, 1, 0) == 0 }
}

/// What a look at a socket shows of its peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// It is there no more.
    pub(super) reset: bool,
    /// It sends nothing more.
    pub(super) half_closed: bool,
}

/// Looks at sockets of this core without waiting and takes nothing; answers those of which there is something to say.
/// Each is given with a number of the caller's.
pub(super) fn look(sockets: &[(usize, RawFd)]) -> Vec<(usize, Seen)> {
    if sockets.is_empty() {
        return Vec::new();
    }
    let poll = |&(_, fd): &(usize, RawFd)| libc::pollfd {
        fd,
        events: libc::POLLRDHUP,
        revents: 0,
    };
    let mut polls: Vec<libc::pollfd> = sockets.iter().map(poll).collect();
    let count = polls.len() as libc::nfds_t;
    // SAFETY: the pointer is to so many entries of a vector that lives through the call, which does not wait.
    unsafe { libc::poll(polls.as_mut_ptr(), count, 0) };
    let seen = polls.iter().zip(sockets).map(|(poll, &(number, _))| {
        let seen = Seen {
            reset: poll.revents & (libc::POLLERR | libc::POLLHUP) != 0,
            half_closed: poll.revents & libc::POLLRDHUP != 0,
        };
        (number, seen)
    });
    seen.filter(|(_, seen)| seen.reset || seen.half_closed)
        .collect()
}

/// Ends a listening descriptor of this core: an accept under way completes with an error. Answers the connections that the
/// kernel had completed and nobody had accepted, which it would reset.
pub(crate) fn close_listener(fd: RawFd) -> Vec<(Socket, SocketAddr)> {
    // SAFETY: the caller, whose listener it is, keeps the descriptor open; it is looked at no longer than this call.
    let descriptor = unsafe { BorrowedFd::borrow_raw(fd) };
    let listener = SockRef::from(&descriptor);
    let waiting = match listener.set_nonblocking(true) {
        Ok(()) => std::iter::from_fn(|| accept_now(&listener)).collect(),
        Err(_) => Vec::new(),
    };
    shutdown(fd, libc::SHUT_RD);
    waiting
}

/// One connection that waits on a listener that does not.
fn accept_now(listener: &socket2::Socket) -> Option<(Socket, SocketAddr)> {
    let (accepted, peer) = listener.accept().ok()?;
    let nonblocking = super::driver::wants_nonblocking();
    accepted.set_nonblocking(nonblocking).ok()?;
    let stream = TcpStream::from_std(accepted.into()).ok()?;
    Some((Socket::new(stream), peer.as_socket()?))
}
