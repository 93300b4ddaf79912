//! The load of scripts/bench.sh --handshakes: TLS connections with one request each, as wrk cannot make them.
//!
//! Every thread has one connection under way: a handshake, a request, the whole answer, `close_notify`, the end of
//! the socket. Sessions are not kept unless `--resume` asks for it. It ends with one line for the script, and with exit
//! code 1 where anything else happened than was asked for:
//!
//! ```text
//! BENCH completed duration_us p50_us p99_us errors [failed.KIND=N] [full=N] [resumed=N] [status.200=N] agreed=...
//! ```

mod answer;
mod pin;
mod tally;

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, Stream};

use answer::wrong;
use pin::Pin;
use tally::{Done, Tally};

/// A proxy that answers nothing for this long has failed. A shared machine may well stand still for some seconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// A thread gives up after so many errors: a proxy that refuses everybody would otherwise be asked for ever.
const ERRORS_MAX: u64 = 100;

#[derive(Parser)]
struct Arguments {
    address: SocketAddr,
    /// Asked for in the handshake and as Host
    #[arg(long)]
    name: String,
    /// PEM with the certificate that the server must show
    #[arg(long)]
    pin: PathBuf,
    #[arg(long, default_value = "/")]
    path: String,
    /// A whole line, such as "Accept: */*"
    #[arg(long = "header")]
    headers: Vec<String>,
    /// One token in a line; they are sent as bearers, in turn
    #[arg(long)]
    tokens: Option<PathBuf>,
    /// PEM with a client certificate, which every handshake shows
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    #[arg(long)]
    key: Option<PathBuf>,
    /// Speak TLS 1.2 instead of 1.3
    #[arg(long)]
    tls12: bool,
    /// Resume: all but the first handshake of each thread
    #[arg(long)]
    resume: bool,
    /// The status that every answer must have
    #[arg(long, default_value_t = 200)]
    expect: u16,
    /// Under way at the same time
    #[arg(long, default_value_t = 32)]
    connections: usize,
    #[arg(long, default_value_t = 3.0, conflicts_with = "count")]
    seconds: f64,
    /// Connections of each thread, instead of a time
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let arguments = &arguments;
    let load = &Load::new(arguments)?;
    let started = now();
    let until = started + Duration::from_secs_f64(arguments.seconds);
    let tallies = thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.connections)
            .map(|first| scope.spawn(move || load.run(first, arguments, until)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.collect::<Result<Vec<_>, _>>()
    });
    let took = started.elapsed();
    let mut sum = Tally::default();
    for tally in tallies.map_err(|_| "a thread panicked")? {
        sum.add(tally?);
    }
    for (kind, message) in &sum.messages {
        eprintln!("{kind}: {message}");
    }
    println!("{}", sum.line(took));
    let fine = sum.errors == 0 && !sum.micros.is_empty();
    Ok(if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[allow(
    clippy::disallowed_methods,
    reason = "nothing of adit is in here, its clock neither"
)]
fn now() -> Instant {
    Instant::now()
}

/// What all threads share.
struct Load {
    address: SocketAddr,
    name: ServerName<'static>,
    requests: Vec<Vec<u8>>,
    pin: Arc<Pin>,
    identity: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
}

impl Load {
    fn new(arguments: &Arguments) -> Result<Self, Box<dyn Error>> {
        let tokens = match &arguments.tokens {
            Some(file) => std::fs::read_to_string(file)?,
            None => String::new(),
        };
        let bearers = tokens
            .lines()
            .map(|token| format!("Authorization: Bearer {token}\r\n"));
        let mut proofs: Vec<_> = bearers.collect();
        if proofs.is_empty() {
            proofs.push(String::new());
        }
        let lines = arguments.headers.iter().map(|line| format!("{line}\r\n"));
        let lines: String = lines.collect();
        let Arguments { path, name, .. } = arguments;
        let whole = |proof: &String| {
            format!("GET {path} HTTP/1.1\r\nHost: {name}\r\n{lines}{proof}\r\n").into_bytes()
        };
        let identity = match (&arguments.certificate, &arguments.key) {
            (Some(certificate), Some(key)) => Some((
                CertificateDer::from_pem_file(certificate)?,
                PrivateKeyDer::from_pem_file(key)?,
            )),
            _ => None,
        };
        Ok(Load {
            address: arguments.address,
            name: ServerName::try_from(name.clone())?,
            requests: proofs.iter().map(whole).collect(),
            pin: Arc::new(Pin {
                certificate: CertificateDer::from_pem_file(&arguments.pin)?,
                provider: Arc::new(rustls::crypto::ring::default_provider()),
            }),
            identity,
        })
    }

    /// A thread's own, and with it its own store of sessions: no thread takes another's ticket.
    fn config(&self, arguments: &Arguments) -> Result<Arc<ClientConfig>, rustls::Error> {
        let version = if arguments.tls12 { &TLS12 } else { &TLS13 };
        let builder = ClientConfig::builder_with_provider(self.pin.provider.clone())
            .with_protocol_versions(&[version])?
            .dangerous()
            .with_custom_certificate_verifier(self.pin.clone());
        let mut config = match &self.identity {
            Some((certificate, key)) => {
                builder.with_client_auth_cert(vec![certificate.clone()], key.clone_key())?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = if arguments.resume {
            Resumption::in_memory_sessions(1)
        } else {
            Resumption::disabled()
        };
        Ok(Arc::new(config))
    }

    /// One connection after the other.
    fn run(
        &self,
        first: usize,
        arguments: &Arguments,
        until: Instant,
    ) -> Result<Tally, rustls::Error> {
        let config = self.config(arguments)?;
        let mut tally = Tally::default();
        let mut buffer = vec![0; 16 * 1024];
        let in_turn = self
            .requests
            .iter()
            .cycle()
            .skip(first % self.requests.len());
        for (made, request) in (0_u64..).zip(in_turn) {
            let started = now();
            let over = arguments
                .count
                .map_or(started >= until, |count| made >= count);
            if over || tally.errors == ERRORS_MAX {
                break;
            }
            match self.connection(&config, request, &mut buffer) {
                Ok(done) if arguments.resume && made > 0 && !done.resumed => {
                    tally.fail("resumption", "a full handshake instead");
                }
                Ok(done) => tally.succeed(done, started.elapsed(), arguments.expect),
                Err((kind, error)) => tally.fail(kind, &error.to_string()),
            }
        }
        Ok(tally)
    }

    fn connection(
        &self,
        config: &Arc<ClientConfig>,
        request: &[u8],
        buffer: &mut [u8],
    ) -> Result<Done, (&'static str, io::Error)> {
        let (mut socket, mut session) = self.connect(config).map_err(|error| ("connect", error))?;
        while session.is_handshaking() {
            session
                .complete_io(&mut socket)
                .map_err(|error| ("handshake", error))?;
        }
        let status = exchange(&mut session, &mut socket, request, buffer)
            .map_err(|error| ("exchange", error))?;
        let agreed = agreed(&session).ok_or_else(|| ("handshake", wrong("nothing agreed")))?;
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        close(session, socket, buffer).map_err(|error| ("close", error))?;
        Ok(Done {
            resumed,
            status,
            agreed,
        })
    }

    fn connect(&self, config: &Arc<ClientConfig>) -> io::Result<(TcpStream, ClientConnection)> {
        let socket = TcpStream::connect(self.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let session = ClientConnection::new(config.clone(), self.name.clone());
        Ok((socket, session.map_err(io::Error::other)?))
    }
}

fn agreed(session: &ClientConnection) -> Option<String> {
    let version = session.protocol_version()?;
    let suite = session.negotiated_cipher_suite()?.suite();
    let group = session.negotiated_key_exchange_group()?.name();
    Some(format!("{version:?}/{suite:?}/{group:?}"))
}

/// Sends the request and reads the answer to its end.
fn exchange(
    session: &mut ClientConnection,
    socket: &mut TcpStream,
    request: &[u8],
    buffer: &mut [u8],
) -> io::Result<u16> {
    let mut stream = Stream::new(session, socket);
    stream.write_all(request)?;
    answer::read(&mut stream, buffer)
}

/// Says `close_notify`, and reads the server's, if it says it (nginx does not), and the end of its socket.
fn close(mut session: ClientConnection, mut socket: TcpStream, rest: &mut [u8]) -> io::Result<()> {
    session.send_close_notify();
    while session.wants_write() {
        session.write_tls(&mut socket)?;
    }
    socket.shutdown(Shutdown::Write)?;
    match Stream::new(&mut session, &mut socket).read(rest) {
        Ok(0) => {}
        Ok(_) => return Err(wrong("more than one answer")),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        Err(error) => return Err(error),
    }
    match socket.read(rest)? {
        0 => Ok(()),
        _ => Err(wrong("bytes behind close_notify")),
    }
}
