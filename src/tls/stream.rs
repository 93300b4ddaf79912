//! A TLS connection with a client: rustls between a socket and plain buffers.
//!
//! Idle, it holds no buffer of ours; ciphertext lies in a borrowed buffer only from a read until rustls has taken it.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::rc::Rc;

use rustls::server::Acceptor;
use rustls::{HandshakeKind, PeerMisbehaved, ProtocolVersion, ServerConnection};

use super::client_auth::TOO_LARGE;
use super::names::{Demands, ServerNames};
use super::suites::SuiteOrder;
use crate::certificate::PeerCertificate;
use crate::http::host::CanonicalHost;
use crate::limits::BUFFER_BYTES;
use crate::runtime::buffer::{Buffer, BufferPool};
use crate::runtime::deadline::Deadline;
use crate::runtime::socket::Socket;

/// A fatal `unrecognized_name` alert (RFC 6066 3, RFC 8446 6) in a record of its own.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Why a handshake did not come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The client asked for a name that no certificate is for.
    UnknownName,
    /// What came is not TLS, or not a version or suite of ours.
    Tls,
    /// The client did not prove that it has its certificate's key, or in a way that does not count.
    BadProof,
    /// The client showed more certificates than are kept for one.
    LargeCertificate,
    /// The client left, or its time was over.
    Closed,
}

impl HandshakeError {
    /// Why rustls gave up.
    fn of(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(rustls::Error::InvalidCertificate(why)) if *why == TOO_LARGE => {
                HandshakeError::LargeCertificate
            }
            Some(
                rustls::Error::InvalidCertificate(_)
                | rustls::Error::PeerMisbehaved(
                    PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme,
                ),
            ) => HandshakeError::BadProof,
            _ => HandshakeError::Tls,
        }
    }
}

/// An established TLS connection. One read and one write may be under way at the same time.
pub struct TlsStream {
    socket: Socket,
    session: RefCell<ServerConnection>,
    /// Ciphertext that was read and that rustls has not taken yet.
    ciphertext: Cell<Option<Buffer>>,
    pool: Rc<BufferPool>,
    server_name: Option<CanonicalHost>,
    /// What its handshake asked for.
    demands: Demands,
    certificate: Option<Box<PeerCertificate>>,
}

impl TlsStream {
    /// Reads the ClientHello, chooses a configuration by its server name, and completes the handshake. `demands` says what is
    /// asked for under which name, and of a client that names nobody.
    pub async fn accept(
        socket: Socket,
        names: &ServerNames,
        demands: impl Fn(Option<&CanonicalHost>) -> Demands,
        pool: Rc<BufferPool>,
    ) -> Result<Self, HandshakeError> {
        let mut buffer = pool.take();
        let result = hello(&socket, names, &demands, &pool, &mut buffer).await;
        let (session, server_name, demands) = match result {
            Ok(accepted) => accepted,
            Err(error) => {
                pool.give(buffer);
                return Err(error);
            }
        };
        let mut stream = TlsStream {
            socket,
            session: RefCell::new(session),
            ciphertext: Cell::new(None),
            pool,
            demands,
            server_name,
            certificate: None,
        };
        stream.keep_ciphertext(buffer);
        while stream.session.borrow().is_handshaking() {
            stream.flush().await.map_err(|_| HandshakeError::Closed)?;
            if !stream.session.borrow().is_handshaking() {
                break;
            }
            match stream.take_packets(None).await {
                Ok(0) => return Err(HandshakeError::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(HandshakeError::of(&error));
                }
                Err(_) => return Err(HandshakeError::Closed),
            }
        }
        // TLS 1.3 leaves a ticket, which no client waits for: it goes out with the first answer, in one piece.
        if stream.session.borrow().protocol_version() != Some(ProtocolVersion::TLSv1_3) {
            stream.flush().await.map_err(|_| HandshakeError::Closed)?;
        }
        if stream.demands.certificate {
            let chain = stream.session.get_mut().peer_certificates();
            stream.certificate = chain.and_then(PeerCertificate::read).map(Box::new);
        }
        Ok(stream)
    }

    /// Whether the handshake went on with an earlier session.
    pub fn is_resumed(&self) -> bool {
        self.session.borrow().handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// What the client was asked for.
    pub fn demands(&self) -> Demands {
        self.demands
    }

    /// The certificate it presented, whose key it has; whose that is was not asked.
    pub fn certificate(&self) -> Option<&PeerCertificate> {
        self.certificate.as_deref()
    }

    /// The server name the client asked for, canonical; `None` where it sent none.
    pub fn server_name(&self) -> Option<&CanonicalHost> {
        self.server_name.as_ref()
    }

    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Waits until a read would have something to work on, holding no buffer meanwhile.
    pub async fn readable(&self) -> io::Result<()> {
        let ciphertext = self.ciphertext.take();
        let waiting = ciphertext.is_some();
        self.ciphertext.set(ciphertext);
        if waiting || !self.session.borrow().wants_read() {
            return Ok(());
        }
        self.socket.readable().await
    }

    /// Whether nothing has arrived that was not read yet.
    pub fn is_quiet(&self) -> bool {
        let ciphertext = self.ciphertext.take();
        let waiting = ciphertext.is_some();
        self.ciphertext.set(ciphertext);
        !waiting && self.session.borrow().wants_read() && self.socket.is_quiet()
    }

    /// Appends plain bytes to `buffer`, which must have spare room; 0 is the end, announced or not.
    pub async fn read(&self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        self.read_plain(buffer, None).await
    }

    /// As [`TlsStream::read`], for a read that may wait long: see [`Socket::read_revocably`].
    pub async fn read_revocably(
        &self,
        buffer: Buffer,
        deadline: &Deadline,
    ) -> (io::Result<usize>, Buffer) {
        self.read_plain(buffer, Some(deadline)).await
    }

    async fn read_plain(
        &self,
        mut buffer: Buffer,
        revocable: Option<&Deadline>,
    ) -> (io::Result<usize>, Buffer) {
        loop {
            let plain = self.session.borrow_mut().reader().read(buffer.spare_mut());
            match plain {
                Ok(count) => {
                    buffer.claim(count);
                    return (Ok(count), buffer);
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return (Ok(0), buffer);
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return (Err(error), buffer);
                }
                Err(_) => {}
            }
            if let Err(error) = self.take_packets(revocable).await {
                return (Err(error), buffer);
            }
        }
    }

    /// Encrypts and writes all filled bytes and gives the buffer back empty. Calls `before` as [`Socket::write_all`] does.
    pub async fn write_all(
        &self,
        mut buffer: Buffer,
        before: impl Fn(),
    ) -> (io::Result<()>, Buffer) {
        let long = buffer.len() > BUFFER_BYTES / 2;
        while !buffer.is_empty() {
            let large = long.then(|| self.pool.take_large_if_free()).flatten();
            let written = self.session.borrow_mut().writer().write(buffer.filled());
            match written {
                Ok(count) => buffer.consume(count),
                Err(error) => return (Err(error), buffer),
            }
            if let Err(error) = self
                .flush_through(large.unwrap_or_else(|| self.pool.take()), &before)
                .await
            {
                return (Err(error), buffer);
            }
        }
        (Ok(()), buffer)
    }

    /// Says `close_notify` and ends the sending direction.
    pub async fn close(&self) {
        self.session.borrow_mut().send_close_notify();
        let _ = self.flush().await;
        self.socket.shutdown_write();
    }

    /// Gives rustls ciphertext, reading some where none waits, and processes it. 0 is the end of the socket.
    async fn take_packets(&self, revocable: Option<&Deadline>) -> io::Result<usize> {
        let mut buffer = match self.ciphertext.take() {
            Some(buffer) => buffer,
            None => {
                let buffer = self.pool.take();
                let (result, buffer) = match revocable {
                    Some(deadline) => self.socket.read_revocably(buffer, deadline).await,
                    None => self.socket.read(buffer).await,
                };
                if let Err(error) = result {
                    self.pool.give(buffer);
                    return Err(error);
                }
                buffer
            }
        };
        let mut taken = 0;
        let outcome = loop {
            let mut session = self.session.borrow_mut();
            // An empty slice tells rustls that the socket has ended; so does no other call.
            let count = session.read_tls(&mut buffer.filled())?;
            buffer.consume(count);
            taken += count;
            if let Err(error) = session.process_new_packets() {
                break Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            if buffer.is_empty() || !session.wants_read() {
                break Ok(taken);
            }
        };
        self.keep_ciphertext(buffer);
        if outcome.is_err() {
            // The alert that says why.
            let _ = self.flush().await;
        }
        outcome
    }

    fn keep_ciphertext(&self, buffer: Buffer) {
        if buffer.is_empty() {
            self.pool.give(buffer);
        } else {
            self.ciphertext.set(Some(buffer));
        }
    }

    /// Writes what rustls has to send.
    async fn flush(&self) -> io::Result<()> {
        if !self.session.borrow().wants_write() {
            return Ok(());
        }
        self.flush_through(self.pool.take(), || ()).await
    }

    async fn flush_through(&self, mut buffer: Buffer, before: impl Fn()) -> io::Result<()> {
        loop {
            while self.session.borrow().wants_write() && buffer.spare() > 0 {
                let count = self
                    .session
                    .borrow_mut()
                    .write_tls(&mut buffer.spare_mut())?;
                buffer.claim(count);
            }
            if buffer.is_empty() {
                self.pool.give(buffer);
                return Ok(());
            }
            let (result, returned) = self.socket.write_all(buffer, &before).await;
            buffer = returned;
            if result.is_err() {
                self.pool.give(buffer);
                return result;
            }
        }
    }
}

/// Reads until the ClientHello is complete. What was read behind it stays in `buffer`.
async fn hello(
    socket: &Socket,
    names: &ServerNames,
    demands: &impl Fn(Option<&CanonicalHost>) -> Demands,
    pool: &BufferPool,
    buffer: &mut Buffer,
) -> Result<(ServerConnection, Option<CanonicalHost>, Demands), HandshakeError> {
    let mut acceptor = Acceptor::default();
    loop {
        let lent = std::mem::replace(buffer, Buffer::with_capacity(0));
        let (result, returned) = socket.read(lent).await;
        *buffer = returned;
        if !matches!(result, Ok(1..)) {
            return Err(HandshakeError::Closed);
        }
        while !buffer.is_empty() {
            let count = acceptor
                .read_tls(&mut buffer.filled())
                .map_err(|_| HandshakeError::Tls)?;
            buffer.consume(count);
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    let hello = accepted.client_hello();
                    let order = SuiteOrder::of(hello.cipher_suites());
                    let asked = hello.server_name().map(|name| name.as_bytes().to_vec());
                    let name = match asked.map(|name| CanonicalHost::parse(&name)).transpose() {
                        Ok(name) => name,
                        Err(_) => return Err(refuse_name(socket, pool).await),
                    };
                    let Some(rules) = names.find(name.as_ref().map(CanonicalHost::as_str)) else {
                        return Err(refuse_name(socket, pool).await);
                    };
                    let demands = demands(name.as_ref());
                    let config = rules.config(demands, order).clone();
                    return match accepted.into_connection(config) {
                        Ok(session) => Ok((session, name, demands)),
                        Err((_, mut alert)) => {
                            let mut bytes = Vec::new();
                            let _ = alert.write_all(&mut bytes);
                            Err(refuse(socket, pool, &bytes, HandshakeError::Tls).await)
                        }
                    };
                }
                Err((_, mut alert)) => {
                    let mut bytes = Vec::new();
                    let _ = alert.write_all(&mut bytes);
                    return Err(refuse(socket, pool, &bytes, HandshakeError::Tls).await);
                }
            }
        }
    }
}

async fn refuse_name(socket: &Socket, pool: &BufferPool) -> HandshakeError {
    refuse(
        socket,
        pool,
        &UNRECOGNIZED_NAME,
        HandshakeError::UnknownName,
    )
    .await
}

/// Sends an alert and passes the reason on.
async fn refuse(
    socket: &Socket,
    pool: &BufferPool,
    alert: &[u8],
    reason: HandshakeError,
) -> HandshakeError {
    let mut buffer = pool.take();
    if buffer.append(alert) {
        let (_, buffer) = socket.write_all(buffer, || ()).await;
        pool.give(buffer);
    }
    socket.shutdown_write();
    reason
}
