//! Connections to upstreams: made, kept and ended on one core.
//!
//! Owns: the pools of a core, connecting, TLS to an upstream. Comes in: where an upstream is ([`Origin`]). Goes out: a
//! [`Connection`] to lend buffers to. Refuses an upstream whose certificate is not for its name.
//!
//! Invariant: a connection goes back to the pool only after a complete answer that keeps it open, and leaves the pool
//! only if nothing arrived on it meanwhile (S8).

mod pool;
mod tls;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::runtime::buffer::{Buffer, BufferPool};
use crate::runtime::deadline::{Deadline, Deadlines};
use crate::runtime::socket::{Address, Socket};

pub use pool::Pools;

/// One server that requests are forwarded to. Equal origins of one process have the same `id`, before and after a
/// reload; different ones never do (S8: tunnel, address, TLS name, trusted certificates).
#[derive(Clone, Debug)]
pub struct Origin {
    pub id: u64,
    pub address: Address,
    pub tls: Option<OriginTls>,
    /// Which of the servers that were written for the tunnel this is an address of.
    pub server: usize,
}

/// How an upstream proves who it is.
#[derive(Clone, Debug)]
pub struct OriginTls {
    pub config: Arc<ClientConfig>,
    pub server_name: ServerName<'static>,
}

/// Whose certificates count: these, or those that the system trusts.
pub fn roots(
    certificates: Option<&[CertificateDer<'static>]>,
) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    match certificates {
        Some(certificates) => {
            for certificate in certificates {
                roots.add(certificate.clone())?;
            }
        }
        None => {
            // Some systems carry certificates that rustls cannot read; the rest is as good without them.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

/// The TLS rules towards upstreams: certificates under `roots`, TLS 1.2 or 1.3, `http/1.1`.
pub fn client_config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    Refused,
    Timeout,
    Tls,
    /// This process has no descriptor or memory left: no fault of the upstream's.
    Exhausted,
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                ConnectError::Exhausted
            }
            _ if error.kind() == io::ErrorKind::TimedOut => ConnectError::Timeout,
            _ => ConnectError::Refused,
        }
    }
}

/// A connection to an upstream. One read and one write may be under way at the same time.
pub struct Connection {
    // Before `link`: a deadline must end before its socket does.
    deadline: Deadline,
    link: Link,
    origin: u64,
    reused: bool,
    answers_long: Cell<bool>,
}

enum Link {
    Plain(Socket),
    Tls(Box<tls::TlsLink>),
}

impl Connection {
    /// Connects, with the TLS handshake, within `within`.
    pub async fn open(
        origin: &Origin,
        deadlines: &Rc<Deadlines>,
        pool: &Rc<BufferPool>,
        within: Duration,
    ) -> Result<Self, ConnectError> {
        let (socket, deadline) = Socket::connect(&origin.address, deadlines, within).await?;
        let link = match &origin.tls {
            None => Link::Plain(socket),
            Some(rules) => {
                deadline.read_within(within);
                match tls::TlsLink::connect(socket, rules, pool.clone()).await {
                    Ok(link) => Link::Tls(Box::new(link)),
                    Err(_) if deadline.fired() => return Err(ConnectError::Timeout),
                    Err(_) => return Err(ConnectError::Tls),
                }
            }
        };
        deadline.clear();
        Ok(Connection {
            deadline,
            link,
            origin: origin.id,
            reused: false,
            answers_long: Cell::new(false),
        })
    }

    /// Appends what arrives to `buffer`, which must have spare room; 0 is the end.
    pub async fn read(&self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        match &self.link {
            Link::Plain(socket) => socket.read(buffer).await,
            Link::Tls(link) => link.read(buffer).await,
        }
    }

    /// Waits for bytes, or the end, holding no buffer, and reads them into one of the pool's.
    pub async fn read_waiting(&self, pool: &BufferPool) -> (io::Result<usize>, Buffer) {
        match &self.link {
            Link::Plain(socket) => {
                // An error shows again at the read.
                let _ = socket.readable().await;
                socket.read(pool.take()).await
            }
            Link::Tls(link) => link.read_waiting().await,
        }
    }

    /// Ends the sending direction after everything that was written; says so in TLS.
    pub async fn finish(&self, within: Duration) {
        match &self.link {
            Link::Plain(socket) => socket.shutdown_write(),
            Link::Tls(link) => {
                self.deadline.write_within(within);
                link.finish().await;
                self.deadline.clear_write();
            }
        }
    }

    /// Writes all filled bytes and gives the buffer back empty; the upstream must take some every `idle`.
    pub async fn write_all(&self, buffer: Buffer, idle: Duration) -> (io::Result<()>, Buffer) {
        let before = || self.deadline.write_within(idle);
        let outcome = match &self.link {
            Link::Plain(socket) => socket.write_all(buffer, before).await,
            Link::Tls(link) => link.write_all(buffer, before).await,
        };
        self.deadline.clear_write();
        outcome
    }

    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Whether another request went over it before.
    pub fn reused(&self) -> bool {
        self.reused
    }

    /// Whether its last answer was longer than an ordinary buffer holds: the next one may well be.
    pub fn answers_long(&self) -> bool {
        self.answers_long.get()
    }

    /// Remembers for the next answer whether this one is long.
    pub fn answered(&self, long: bool) {
        self.answers_long.set(long);
    }

    /// Ends it now: reads and writes under way complete.
    pub fn shutdown(&self) {
        self.socket().shutdown();
    }

    /// Whether it is open and nothing has come that was not read.
    fn is_quiet(&self) -> bool {
        match &self.link {
            Link::Plain(socket) => socket.is_quiet(),
            Link::Tls(link) => link.is_quiet(),
        }
    }

    fn socket(&self) -> &Socket {
        match &self.link {
            Link::Plain(socket) => socket,
            Link::Tls(link) => link.socket(),
        }
    }
}
