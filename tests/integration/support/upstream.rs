//! An upstream that keeps every byte it gets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::wire::{Broken, Delimited, Wire, announced};
use super::{PATIENCE, eventually, head};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Which connection brought it: 0 is the first.
    pub connection: usize,
    /// With its final empty line.
    pub head: Vec<u8>,
    /// Without chunk lines.
    pub body: Vec<u8>,
    pub delimited: Delimited,
}

impl Recorded {
    /// The request line.
    pub fn line(&self) -> &str {
        head::first_line(&self.head)
    }

    /// The value of a field that stands there at most once.
    pub fn field(&self, name: &str) -> Option<&str> {
        head::value(&self.head, name)
    }

    pub fn fields(&self) -> Vec<(&str, &str)> {
        head::fields(&self.head)
    }
}

/// A whole answer with this body.
pub fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Connections from here are the harness's own, and do not count.
const PROBE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

pub struct Upstream {
    address: SocketAddr,
    tls: bool,
    shared: Arc<Shared>,
    requests: Mutex<Receiver<Recorded>>,
}

struct Shared {
    stop: AtomicBool,
    /// A script panicked.
    failed: AtomicBool,
    probes: Mutex<Vec<u16>>,
    /// What each connection received.
    connections: Mutex<Vec<Arc<Mutex<Vec<u8>>>>>,
}

/// One accepted connection, for a script.
pub struct Peer {
    wire: Wire,
    /// 0 is the first.
    pub number: usize,
    record: Sender<Recorded>,
}

impl Deref for Peer {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

impl Peer {
    /// Ends everything with a reset.
    pub fn reset(self) {
        self.wire.reset();
    }

    /// Reads and records a whole request; `None` where the connection ended before that.
    pub fn request(&mut self) -> Option<Recorded> {
        let recorded = self.request_head()?;
        let body = self.wire.body(recorded.delimited).ok()?;
        let recorded = Recorded { body, ..recorded };
        let _ = self.record.send(recorded.clone());
        Some(recorded)
    }

    /// Reads a head alone, without recording it: the body is the script's.
    pub fn request_head(&mut self) -> Option<Recorded> {
        match self.wire.head() {
            Ok(head) => Some(Recorded {
                connection: self.number,
                delimited: announced(&head, Delimited::Nothing),
                head,
                body: Vec::new(),
            }),
            Err(Broken { part, .. }) if part.is_empty() => None,
            Err(broken) => panic!("half a head: {}", broken.part.escape_ascii()),
        }
    }

    /// Records what a script has read in its own way.
    pub fn record(&self, recorded: Recorded) {
        let _ = self.record.send(recorded);
    }
}

impl Upstream {
    /// Answers each request with what `answer` gives, on kept connections.
    pub fn serving(answer: impl Fn(&Recorded) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Upstream::scripted(serve(answer))
    }

    /// Answers every request with `200` and this body.
    pub fn fixed(body: &'static str) -> Self {
        Upstream::serving(move |_| ok(body))
    }

    /// Hands each connection to `script`, on a thread of its own; the connection ends with it.
    pub fn scripted(script: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        Upstream::start(None, script)
    }

    /// As [`Upstream::scripted`], with TLS.
    pub fn scripted_tls(
        config: Arc<ServerConfig>,
        script: impl Fn(Peer) + Send + Sync + 'static,
    ) -> Self {
        Upstream::start(Some(config), script)
    }

    /// As [`Upstream::serving`], with TLS.
    pub fn serving_tls(
        config: Arc<ServerConfig>,
        answer: impl Fn(&Recorded) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Upstream::start(Some(config), serve(answer))
    }

    fn start(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(Peer) + Send + Sync + 'static,
    ) -> Self {
        Place::any().start(tls, script)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For a tunnel's `upstream`.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The next recorded request.
    pub fn next_request(&self) -> Recorded {
        self.requests
            .lock()
            .unwrap()
            .recv_timeout(PATIENCE)
            .expect("a request reaches the upstream")
    }

    /// Connections that were made so far.
    pub fn connections(&self) -> usize {
        // The kernel hands connections over in the order in which they were made: once this one is there, all are.
        let port = probe(self.address);
        eventually("the upstream accepts", || {
            self.shared.probes.lock().unwrap().contains(&port)
        });
        self.shared.connections.lock().unwrap().len()
    }

    /// Nobody was here: not a byte, not a connect.
    pub fn assert_untouched(&self) {
        assert_eq!(self.connections(), 0, "the upstream was connected to");
    }

    /// All bytes that a connection received so far.
    pub fn bytes(&self, connection: usize) -> Vec<u8> {
        let received = self.shared.connections.lock().unwrap()[connection].clone();
        received.lock().unwrap().clone()
    }
}

/// An address that is this test's alone and refuses connections, until something serves there.
pub struct Place(Socket);

impl Place {
    pub fn any() -> Self {
        Place::at((Ipv4Addr::LOCALHOST, 0).into()).unwrap()
    }

    pub fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(Place(socket))
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap().as_socket().unwrap()
    }

    /// For a tunnel's `upstream`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// From now on every request is answered with `200` and this body.
    pub fn fixed(self, body: &'static str) -> Upstream {
        self.start(None, serve(move |_| ok(body)))
    }

    fn start(
        self,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(Peer) + Send + Sync + 'static,
    ) -> Upstream {
        self.0.listen(128).unwrap();
        let listener = TcpListener::from(self.0);
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            probes: Mutex::default(),
            connections: Mutex::default(),
        });
        let (record, requests) = channel();
        let upstream = Upstream {
            address,
            tls: tls.is_some(),
            shared: shared.clone(),
            requests: Mutex::new(requests),
        };
        std::thread::spawn(move || accept(&listener, &shared, tls, &Arc::new(script), &record));
        upstream
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        probe(self.address);
        if !std::thread::panicking() {
            assert!(
                !self.shared.failed.load(Ordering::Relaxed),
                "a script of an upstream failed, see above"
            );
        }
    }
}

/// Notes a panic of the thread that holds it.
struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.store(true, Ordering::Relaxed);
        }
    }
}

/// Connects and leaves; answers the port it came from.
fn probe(address: SocketAddr) -> u16 {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(PROBE, 0).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    let local = socket.local_addr().unwrap().as_socket().unwrap();
    local.port()
}

fn serve(answer: impl Fn(&Recorded) -> Vec<u8> + Send + Sync + 'static) -> impl Fn(Peer) {
    move |mut peer| {
        while let Some(request) = peer.request() {
            if peer.try_send(&answer(&request)).is_err() {
                break;
            }
        }
    }
}

fn accept<F: Fn(Peer) + Send + Sync + 'static>(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    tls: Option<Arc<ServerConfig>>,
    script: &Arc<F>,
    record: &Sender<Recorded>,
) {
    while let Ok((socket, from)) = listener.accept() {
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        if from.ip() == PROBE {
            shared.probes.lock().unwrap().push(from.port());
            continue;
        }
        let wire = wrap(socket, tls.clone());
        let number = {
            let mut connections = shared.connections.lock().unwrap();
            connections.push(wire.received());
            connections.len() - 1
        };
        let peer = Peer {
            wire,
            number,
            record: record.clone(),
        };
        let script = script.clone();
        let watch = Watch(shared.clone());
        std::thread::spawn(move || {
            let _watch = watch;
            script(peer);
        });
    }
}

fn wrap(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> Wire {
    let Some(config) = tls else {
        return Wire::plain(socket);
    };
    let session = ServerConnection::new(config).unwrap();
    Wire::new(socket, |socket| Box::new(StreamOwned::new(session, socket)))
}
