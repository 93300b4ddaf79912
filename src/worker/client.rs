//! The client's side of a connection.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayString;

use crate::authn::Mechanism;
use crate::http::host::CanonicalHost;
use crate::limits::BUFFER_BYTES;
use crate::policy::client_address::is_in;
use crate::policy::{Connection, Handshake, Scheme};
use crate::runtime::buffer::Buffer;
use crate::runtime::deadline::Deadline;
use crate::runtime::socket::{Socket, is_revoked};
use crate::telemetry::record::Record;
use crate::tls::names::Demands;
use crate::tls::stream::{HandshakeError, TlsStream};

use super::admission::AddressSlot;
use super::core::Core;
use super::preamble::{self, BadPreamble};
use super::snapshot::Snapshot;

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Https,
    /// Plain HTTP that is served.
    Http,
    /// Plain HTTP that is sent to HTTPS.
    Redirect,
}

impl Entry {
    /// The word in the process log.
    pub fn as_str(self) -> &'static str {
        match self {
            Entry::Https => "https",
            Entry::Http => "http",
            Entry::Redirect => "redirect",
        }
    }
}

/// A connection as the kernel handed it over.
pub struct Newcomer {
    // Before `socket`: a deadline must end before its socket does.
    pub deadline: Deadline,
    pub socket: Socket,
    pub peer: IpAddr,
    pub entry: Entry,
}

/// One downstream connection. One read and one write may be under way at the same time.
pub struct Client {
    // Before `stream`: a deadline must end before its socket does.
    pub deadline: Deadline,
    stream: Stream,
    /// Its place among the connections of its address.
    _place: AddressSlot,
    /// Whose connection it is; `None`: the balancer did not say.
    pub address: ClientAddress,
    end_is_answer_end: Cell<bool>,
    /// Its last request was longer than an ordinary buffer holds: the next one may well be.
    asks_long: Cell<bool>,
}

enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

/// Whose connection, or request, it is.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress {
    /// Mapped IPv6 addresses are IPv4 here. `None`: unknown.
    pub address: Option<IpAddr>,
    /// The same in letters; empty where it is unknown.
    pub text: ArrayString<45>,
}

impl From<Option<IpAddr>> for ClientAddress {
    fn from(address: Option<IpAddr>) -> Self {
        let address = address.map(|address| address.to_canonical());
        let mut text = ArrayString::new();
        if let Some(address) = address {
            // The longest address has 45 characters.
            let _ = write!(text, "{address}");
        }
        ClientAddress { address, text }
    }
}

/// Why an accepted socket is no client.
#[derive(Debug)]
pub enum NotOpened {
    /// Its address has as many connections as it may have.
    TooManyFromAddress,
    Preamble(BadPreamble),
    Handshake(HandshakeError),
}

/// What waiting between two requests came to.
pub enum Waited {
    /// The first bytes of a request.
    Read(Buffer),
    /// Something can be read, or the end.
    Readable,
    /// The client left, or stayed silent too long.
    Ended,
}

impl NotOpened {
    /// The stable word in the log, where that says anything: most failures anybody can cause with a few bytes.
    fn reason(&self) -> Option<&'static str> {
        match self {
            NotOpened::Handshake(HandshakeError::BadProof) => Some("certificate_proof"),
            NotOpened::Handshake(HandshakeError::LargeCertificate) => Some("certificate_too_large"),
            NotOpened::TooManyFromAddress
            | NotOpened::Preamble(_)
            | NotOpened::Handshake(
                HandshakeError::UnknownName | HandshakeError::Tls | HandshakeError::Closed,
            ) => None,
        }
    }
}

/// A line for a connection that will have no request to tell it by.
fn log_failure(core: &Core, snapshot: &Snapshot, address: Option<IpAddr>, reason: &'static str) {
    if core.has_log() {
        core.log(&Record {
            started: core.now().unix,
            node: &snapshot.node,
            core: core.index,
            request_id: &core.request_id(),
            client: &ClientAddress::from(address).text,
            scheme: Scheme::Https.as_str(),
            reason,
            mechanism: Mechanism::None.as_str(),
            ended_by: "edge",
            phase: "handshake",
            ..Record::default()
        });
    }
}

impl Client {
    /// Takes an accepted socket over; on a TLS listener this includes the handshake.
    pub async fn open(
        core: &Core,
        Newcomer {
            deadline,
            socket,
            peer,
            entry,
        }: Newcomer,
    ) -> Result<Self, NotOpened> {
        let snapshot = core.snapshot();
        let for_balancers = entry == Entry::Http && snapshot.behind_tls_balancer;
        if for_balancers && !snapshot.trust.lists(peer) {
            return Err(NotOpened::Preamble(BadPreamble::NoBalancer));
        }
        let address = if is_in(&snapshot.trust.proxy_protocol_from, peer) {
            let said = preamble::read(&socket, &deadline, peer).await;
            said.map_err(NotOpened::Preamble)?
        } else {
            Some(peer)
        };
        let most = snapshot.limits.connections_per_address;
        let place = core.admission.admit_address(address.unwrap_or(peer), most);
        let place = place.ok_or(NotOpened::TooManyFromAddress)?;
        let stream = match entry {
            Entry::Http | Entry::Redirect => Stream::Plain(socket),
            Entry::Https => {
                let names = snapshot
                    .server_names
                    .as_ref()
                    .ok_or(NotOpened::Handshake(HandshakeError::UnknownName))?;
                deadline.write_within(snapshot.timeouts.tls_handshake);
                // In a box of its own: it is large, and over before the first request.
                let demands = |name: Option<&CanonicalHost>| {
                    let Handshake {
                        asks_for_certificate: certificate,
                        tls13_only: tls13,
                    } = snapshot.policy.handshake(name);
                    Demands { certificate, tls13 }
                };
                let pool = core.buffers.clone();
                let handshake = Box::pin(TlsStream::accept(socket, names, demands, pool));
                let stream = handshake.await.map_err(|error| {
                    let failed = NotOpened::Handshake(error);
                    if let Some(reason) = failed.reason() {
                        log_failure(core, &snapshot, address, reason);
                    }
                    failed
                })?;
                Stream::Tls(Box::new(stream))
            }
        };
        deadline.clear();
        Ok(Client {
            deadline,
            stream,
            _place: place,
            address: address.into(),
            end_is_answer_end: Cell::new(false),
            asks_long: Cell::new(false),
        })
    }

    /// Whether its TLS handshake went on with an earlier session.
    pub fn is_resumed(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.is_resumed(),
        }
    }

    pub fn facts(&self) -> Connection<'_> {
        let client = self.address.address;
        match &self.stream {
            Stream::Plain(_) => Connection::plain(client),
            Stream::Tls(stream) => Connection {
                scheme: Scheme::Https,
                server_name: stream.server_name(),
                client,
                handshake: Handshake {
                    asks_for_certificate: stream.demands().certificate,
                    tls13_only: stream.demands().tls13,
                },
                certificate: stream.certificate(),
            },
        }
    }

    pub fn server_name(&self) -> Option<&CanonicalHost> {
        self.facts().server_name
    }

    /// Waits between two requests.
    ///
    /// A connection that was just used waits with a spare buffer, if there is one, which saves asking for readiness;
    /// soon a sweep takes it back, and it waits on with nothing, as every other connection does from the beginning.
    pub async fn wait_idle(&self, core: &Core, within: Duration, used: bool) -> Waited {
        self.deadline.idle_within(within);
        let spare = if used && !self.asks_long.get() {
            core.buffers.take_to_wait()
        } else {
            None
        };
        if let Some(buffer) = spare {
            let (result, buffer) = match &self.stream {
                Stream::Plain(socket) => socket.read_revocably(buffer, &self.deadline).await,
                Stream::Tls(stream) => stream.read_revocably(buffer, &self.deadline).await,
            };
            core.buffers.stop_waiting();
            match result {
                Ok(1..) => return Waited::Read(buffer),
                Err(error) if is_revoked(&error) => core.buffers.give(buffer),
                Ok(0) | Err(_) => {
                    core.buffers.give(buffer);
                    return Waited::Ended;
                }
            }
        }
        // An error shows again, with its reason, at the read that follows.
        let _ = match &self.stream {
            Stream::Plain(socket) => socket.readable().await,
            Stream::Tls(stream) => stream.readable().await,
        };
        self.deadline.clear_read();
        Waited::Readable
    }

    /// Room to read the next request into: for as much as there is at once, where the last one was long.
    pub fn request_buffer(&self, core: &Core) -> Buffer {
        let large = self
            .asks_long
            .get()
            .then(|| core.buffers.take_large_if_free());
        large.flatten().unwrap_or_else(|| core.buffers.take())
    }

    /// Remembers for the next request whether this one is long: what has come of it fills an ordinary buffer.
    pub fn asked(&self, bytes: usize) {
        self.asks_long.set(bytes >= BUFFER_BYTES);
    }

    /// Waits for bytes, or the end, holding no buffer, and reads them into one of the core's. The caller sets the
    /// deadline.
    pub async fn read_waiting(&self, core: &Core) -> (io::Result<usize>, Buffer) {
        // An error shows again at the read.
        let _ = match &self.stream {
            Stream::Plain(socket) => socket.readable().await,
            Stream::Tls(stream) => stream.readable().await,
        };
        self.read(core.buffers.take()).await
    }

    /// Whether nothing has arrived that was not read yet.
    pub fn is_quiet(&self) -> bool {
        match &self.stream {
            Stream::Plain(socket) => socket.is_quiet(),
            Stream::Tls(stream) => stream.is_quiet(),
        }
    }

    /// Appends what arrives to `buffer`, which must have spare room; 0 is the end. The caller sets the deadline.
    pub async fn read(&self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        match &self.stream {
            Stream::Plain(socket) => socket.read(buffer).await,
            Stream::Tls(stream) => stream.read(buffer).await,
        }
    }

    /// Writes all filled bytes; the client must take some every `idle`.
    pub async fn write_all(&self, buffer: Buffer, idle: Duration) -> (io::Result<()>, Buffer) {
        let before = || self.deadline.write_within(idle);
        let outcome = match &self.stream {
            Stream::Plain(socket) => socket.write_all(buffer, before).await,
            Stream::Tls(stream) => stream.write_all(buffer, before).await,
        };
        self.deadline.clear_write();
        outcome
    }

    /// Ends the sending direction after everything that was written; says so in TLS.
    pub async fn finish(&self, within: Duration) {
        match &self.stream {
            Stream::Plain(socket) => socket.shutdown_write(),
            Stream::Tls(stream) => {
                self.deadline.write_within(within);
                stream.close().await;
                self.deadline.clear_write();
            }
        }
    }

    /// The answer under way ends where the connection does: only a reset can say that it broke off.
    pub fn end_is_answer_end(&self) {
        self.end_is_answer_end.set(true);
    }

    /// Ends both directions at once, in the middle of whatever was being sent. Over TLS the missing `close_notify` says
    /// that there should have been more.
    pub fn abort(&self) {
        match &self.stream {
            Stream::Plain(socket) if self.end_is_answer_end.get() => socket.end_with_reset(),
            Stream::Plain(socket) => socket.shutdown(),
            Stream::Tls(stream) => stream.socket().shutdown(),
        }
    }
}
