//! What a reload of a large configuration costs, and whom it disturbs (scripts/reload-bench.sh).
//!
//! Writes 10,000 tunnels and 100,000 credentials, ten different path patterns in each thousand, starts `adit run` on two
//! cores, and sends requests, evenly spaced, on connections that reach every core, and to the admin listener, which the
//! control thread answers. First without reloads and then with them it notes: the longest answers, how long a reload
//! takes, the CPU time of the cores' threads and of all others, and resident memory.
//!
//! The first numbers are what this machine does to anybody, so the second are worth reading only beside them. With
//! `--urgent` the cores' threads and the clients run before all else on the machine (SCHED_FIFO): then a long answer is a
//! core's own doing, and not that somebody else had its CPU.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench may panic and reads the clock"
)]

mod edge;
mod written;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use edge::Edge;
use written::Written;

/// Reloads that are measured.
const RELOADS: usize = 10;
/// Connections that ask; the kernel spreads them over the cores, and it is looked whether each has some.
const PROBES: usize = 16;
/// Between two requests on one connection.
const PACE: Duration = Duration::from_millis(4);
/// Different tokens that the probes send: each core remembers them.
const TOKENS: usize = 20_000;

fn main() {
    let adit = std::env::args().nth(1).expect("the binary of adit");
    let urgent = std::env::args()
        .nth(2)
        .is_some_and(|word| word == "--urgent");
    let service = service();
    println!("writing the configuration");
    let written = Written::new(service);
    let began = Instant::now();
    let mut edge = Edge::start(Path::new(&adit), written.folder());
    println!(
        "start: {:.2} s; {}",
        began.elapsed().as_secs_f64(),
        edge.memory()
    );
    if urgent {
        // Only now: what is started would take it over.
        edge::urge(&["-a"], &std::process::id().to_string());
        edge.urge_cores();
    }
    let probes = Probes::start(&edge, &written);
    probes.warm(TOKENS);
    println!("warm: {}", edge.memory());
    println!("connections by core: {:?}", edge.connections_by_core());
    let baseline = probes.during(|| std::thread::sleep(Duration::from_secs(15)));
    println!("without reloads: {baseline}");
    let mut reloads = Vec::new();
    let seen = probes.during(|| {
        for _ in 0..RELOADS {
            reloads.push(edge.reload());
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    println!("with reloads:    {seen}");
    for reload in &reloads {
        println!("reload: {reload}");
    }
    println!("after reloads: {}", edge.memory());
    edge.end();
}

/// A service that answers every request head with two bytes.
fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || drop(serve(stream)));
        }
    });
    address
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let read = stream.read(&mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        head.extend_from_slice(&bytes[..read]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        }
    }
}

/// Clients that ask at a steady pace.
struct Probes {
    shared: Arc<Shared>,
}

struct Shared {
    /// What was seen since the last look.
    seen: std::sync::Mutex<Seen>,
    noting: AtomicBool,
    asked: AtomicUsize,
    requests: Vec<String>,
}

/// The answers of a time, in microseconds.
#[derive(Default)]
struct Seen {
    cores: Vec<u64>,
    control: Vec<u64>,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = |times: &[u64]| {
            let mut times = times.to_vec();
            times.sort_unstable();
            let at = |part: f64| {
                let index = (times.len() as f64 * part) as usize;
                times.get(index.min(times.len().saturating_sub(1)))
            };
            let ms = |part: f64| *at(part).unwrap_or(&0) as f64 / 1000.0;
            let over = times.iter().filter(|time| **time > 20_000).count();
            format!(
                "{} answers, p50 {:.2} ms, p99 {:.2}, p99.9 {:.2}, longest {:.2}, {over} over 20 ms",
                times.len(),
                ms(0.5),
                ms(0.99),
                ms(0.999),
                ms(1.0)
            )
        };
        write!(
            f,
            "cores: {}; control thread: {}",
            line(&self.cores),
            line(&self.control)
        )
    }
}

impl Probes {
    fn start(edge: &Edge, written: &Written) -> Probes {
        let shared = Arc::new(Shared {
            seen: std::sync::Mutex::default(),
            noting: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            requests: written.requests(TOKENS),
        });
        for _ in 0..PROBES {
            let (shared, address) = (shared.clone(), edge.http);
            std::thread::spawn(move || {
                probe(
                    address,
                    &shared,
                    |seen| &mut seen.cores,
                    |shared| {
                        let next = shared.asked.fetch_add(1, Ordering::Relaxed);
                        shared.requests[next % shared.requests.len()].clone()
                    },
                );
            });
        }
        let (shared_too, address) = (shared.clone(), edge.admin);
        std::thread::spawn(move || {
            probe(
                address,
                &shared_too,
                |seen| &mut seen.control,
                |_| "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
            );
        });
        Probes { shared }
    }

    /// Returns when so many requests have been sent since the start: each token was seen by some core, and most by all
    /// after a few rounds.
    fn warm(&self, tokens: usize) {
        while self.shared.asked.load(Ordering::Relaxed) < 3 * tokens {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn during(&self, what: impl FnOnce()) -> Seen {
        self.shared.noting.store(true, Ordering::Relaxed);
        what();
        self.shared.noting.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }
}

fn probe(
    address: SocketAddr,
    shared: &Shared,
    list: impl Fn(&mut Seen) -> &mut Vec<u64>,
    request: impl Fn(&Shared) -> String,
) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut bytes = [0; 4096];
    loop {
        let request = request(shared);
        let began = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        let Ok(read @ 1..) = stream.read(&mut bytes) else {
            return; // the edge ends
        };
        let took = began.elapsed();
        let answer = &bytes[..read];
        assert!(
            answer.starts_with(b"HTTP/1.1 200 "),
            "{}",
            String::from_utf8_lossy(answer)
        );
        if shared.noting.load(Ordering::Relaxed) {
            let mut seen = shared.seen.lock().unwrap();
            list(&mut seen).push(took.as_micros() as u64);
        }
        std::thread::sleep(PACE.saturating_sub(took));
    }
}
