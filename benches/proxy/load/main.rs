//! The load of scripts/bench.sh where wrk cannot make it, in three ways, over connections that are kept:
//!
//! - `--rate`: so many requests per second whatever the answers do. A latency counts from the moment the request was due.
//! - `--count`: so many requests, each head once, so that every token is one never seen.
//! - `--hold`: so many connections, each used once, that then stay open until standard input ends.
//!
//! The first two end with one line for the script, and all with exit code 1 where anything else happened than was asked for:
//!
//! ```text
//! BENCH completed duration_us p50_us p99_us errors
//! ```

#[path = "../handshakes/answer.rs"]
mod answer;
#[path = "../handshakes/pin.rs"]
mod pin;

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use memchr::memmem;
use rustls::StreamOwned;
use rustls::client::{ClientConfig, ClientConnection};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;

use pin::Pin;

/// A proxy that answers nothing for this long has failed. A shared machine may well stand still for some seconds.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Arguments {
    address: SocketAddr,
    /// Request heads, one behind the other; they are sent in turn
    #[arg(long)]
    heads: PathBuf,
    /// The first one, counted from 0
    #[arg(long, default_value_t = 0)]
    skip: usize,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long)]
    count: Option<usize>,
    /// Requests per second of all connections together
    #[arg(long, conflicts_with = "count")]
    rate: Option<f64>,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, conflicts_with_all = ["count", "rate"])]
    hold: bool,
    /// With --hold, TLS: PEM with the certificate that the server must show
    #[arg(long, requires = "hold")]
    pin: Option<PathBuf>,
    /// The status that every answer must have
    #[arg(long, default_value_t = 200)]
    expect: u16,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let text = std::fs::read(&arguments.heads)?;
    let ends = memmem::find_iter(&text, b"\r\n\r\n").map(|at| at + 4);
    let starts = std::iter::once(0).chain(ends.clone());
    let heads: Vec<&[u8]> = starts
        .zip(ends)
        .filter_map(|(start, end)| text.get(start..end))
        .collect();
    if heads.is_empty() {
        return Err("no heads".into());
    }
    if arguments.hold {
        hold(&arguments, &heads)?;
        return Ok(ExitCode::SUCCESS);
    }
    let load = &Load {
        arguments: &arguments,
        heads: &heads,
        started: now(),
        taken: AtomicUsize::new(0),
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let connections = 0..arguments.connections;
        let threads: Vec<_> = connections
            .map(|number| scope.spawn(move || load.run(number)))
            .collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    let took = load.started.elapsed();
    let (mut micros, mut errors) = (Vec::new(), 0);
    for outcome in outcomes {
        match outcome.map_err(|_| "a thread panicked")? {
            Ok(of_one) => micros.extend(of_one),
            Err(error) => {
                eprintln!("{error}");
                errors += 1;
            }
        }
    }
    micros.sort_unstable();
    let at = |percent| micros.get(micros.len().saturating_sub(1) * percent / 100);
    let (p50, p99) = (at(50).unwrap_or(&0), at(99).unwrap_or(&0));
    let (completed, took) = (micros.len(), took.as_micros());
    println!("BENCH {completed} {took} {p50} {p99} {errors}");
    Ok(ExitCode::from(u8::from(errors > 0)))
}

#[allow(
    clippy::disallowed_methods,
    reason = "nothing of adit is in here, its clock neither"
)]
fn now() -> Instant {
    Instant::now()
}

#[allow(
    clippy::disallowed_methods,
    reason = "a thread of a load with a rate has nothing else to do"
)]
fn wait_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(now()));
}

struct Load<'a> {
    arguments: &'a Arguments,
    heads: &'a [&'a [u8]],
    started: Instant,
    /// Requests that a thread has taken on.
    taken: AtomicUsize,
}

impl Load<'_> {
    /// One connection: the latencies of its requests, in microseconds.
    fn run(&self, number: usize) -> io::Result<Vec<u128>> {
        let mut socket = connect(self.arguments.address)?;
        let mut buffer = vec![0; 64 * 1024];
        let mut micros = Vec::new();
        for made in 0.. {
            let Some((head, due)) = self.next(number, made) else {
                break;
            };
            wait_until(due);
            socket.write_all(head)?;
            expect(answer::read(&mut socket, &mut buffer)?, self.arguments)?;
            micros.push(due.elapsed().as_micros());
        }
        Ok(micros)
    }

    /// What a connection sends next, and when.
    fn next(&self, number: usize, made: usize) -> Option<(&[u8], Instant)> {
        let (place, due) = match self.arguments.rate {
            Some(rate) => {
                let place = made * self.arguments.connections + number;
                let after = place as f64 / rate;
                let due = self.started + Duration::from_secs_f64(after);
                (after < self.arguments.seconds).then_some((place, due))?
            }
            None => {
                let place = self.taken.fetch_add(1, Relaxed);
                let count = self.arguments.count.unwrap_or(self.heads.len());
                (place < count).then_some((place, now()))?
            }
        };
        let place = (place + self.arguments.skip) % self.heads.len();
        Some((self.heads.get(place)?, due))
    }
}

fn expect(status: u16, arguments: &Arguments) -> io::Result<()> {
    if status == arguments.expect {
        return Ok(());
    }
    let message = format!("{status} instead of {}", arguments.expect);
    Err(io::Error::other(message))
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Opens connections, one after the other, uses each once and keeps them until standard input ends.
fn hold(arguments: &Arguments, heads: &[&[u8]]) -> Result<(), Box<dyn Error>> {
    let tls = arguments.pin.as_ref().map(|file| {
        let pin = Arc::new(Pin {
            certificate: CertificateDer::from_pem_file(file)?,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        });
        let mut config = ClientConfig::builder_with_provider(pin.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(pin)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok::<_, Box<dyn Error>>(Arc::new(config))
    });
    let tls = tls.transpose()?;
    let mut buffer = vec![0; 16 * 1024];
    let mut held: Vec<Box<dyn Stream>> = Vec::new();
    for head in heads.iter().cycle().take(arguments.connections) {
        let socket = connect(arguments.address)?;
        let mut stream: Box<dyn Stream> = match &tls {
            Some(config) => {
                let name = ServerName::try_from("bench.example.test")?;
                let session = ClientConnection::new(config.clone(), name)?;
                Box::new(StreamOwned::new(session, socket))
            }
            None => Box::new(socket),
        };
        stream.write_all(head)?;
        expect(answer::read(&mut stream, &mut buffer)?, arguments)?;
        held.push(stream);
    }
    println!("held");
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    drop(held);
    Ok(())
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}
