//! Memory has a bound under each kind of flood: connections, long heads, clients that do not read (S9).

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use adit::limits::{BUFFER_BYTES, LARGE_BUFFER_BYTES, LARGE_BUFFERS_LENT_MAX, LONG_HEADS_MAX};

use crate::support::folder::{self, TOKENS};
use crate::support::http::{connect, get, plain};
use crate::support::process::PATIENCE;
use crate::support::{Folder, HOST, Process};

const MIB: usize = 1024 * 1024;
/// What allocator, tables and access log may take beside.
const SLACK: usize = 16 * MIB;

/// An edge of one core with one public tunnel and an admin listener.
fn edge(upstream: SocketAddr, more: &str) -> (Folder, Process) {
    let folder = Folder::new();
    let tunnel = folder::tunnel(HOST, upstream).replace("token_auth = true", "public = true");
    folder.configure(&format!(
        "[engine]\nhost = \"{}\"\n[cores]\ncount = 1\ndriver = \"{}\"\n\
         [http]\nlisten = [\"127.0.0.1:0\"]\nmode = \"serve\"\n{TOKENS}{tunnel}\
         [admin]\nlisten = \"127.0.0.1:0\"\n{more}",
        folder::BASE_HOST,
        folder::driver(),
    ));
    let process = Process::run(&folder);
    (folder, process)
}

/// Bytes of memory that the process holds.
fn resident(process: &Process) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kibibytes.parse::<usize>().unwrap() * 1024
}

/// A number of `/metrics`.
fn metric(process: &Process, name: &str) -> usize {
    let page = plain(process.address("admin"), &get("localhost", "/metrics", &[]));
    let line = page.body().lines().find(|line| line.starts_with(name));
    let number = line.expect(name).split_whitespace().last().unwrap();
    number.parse().unwrap()
}

fn wait_for(process: &Process, name: &str, count: usize) {
    while metric(process, name) < count {
        std::thread::yield_now();
    }
}

/// Answers every request with far more than anybody holds, and tells when a client has stopped taking it.
fn endless() -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (stuck, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let stuck = stuck.clone();
            std::thread::spawn(move || {
                let _ = answer_without_end(stream, || stuck.send(()).unwrap_or(()));
            });
        }
    });
    (address, told)
}

fn answer_without_end(mut stream: TcpStream, stuck: impl Fn()) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        1_u64 << 40
    )?;
    stream.set_write_timeout(Some(Duration::from_millis(500)))?;
    let piece = vec![b'x'; 64 * 1024];
    let mut told = false;
    loop {
        match stream.write(&piece) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if !told {
                    stuck();
                }
                told = true;
            }
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    const COUNT: usize = 2000;
    let (address, _) = endless();
    let (_folder, process) = edge(address, "");
    let before = resident(&process);
    let held: Vec<_> = (0..COUNT)
        .map(|_| connect(process.address("http")))
        .collect();
    wait_for(&process, "adit_connections{", COUNT);
    let grown = resident(&process).saturating_sub(before);
    assert!(grown < COUNT * BUFFER_BYTES / 4, "{grown}");
    drop(held);
}

#[test]
fn long_heads_share_so_many_buffers() {
    const COUNT: usize = 2 * LONG_HEADS_MAX;
    const HEAD: usize = 120 * 1024;
    let (address, _) = endless();
    let (_folder, process) = edge(address, "[limits]\nhead_bytes = \"128KiB\"\n");
    let before = resident(&process);
    let head = format!(
        "GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Long: {}",
        "x".repeat(HEAD)
    );
    let held: Vec<_> = (0..COUNT)
        .map(|_| {
            let mut client = connect(process.address("http"));
            client.write_all(head.as_bytes()).unwrap();
            client
        })
        .collect();
    // Each of the first half has made way for one of the second.
    while !process_has_evicted(&process, COUNT - LONG_HEADS_MAX) {
        std::thread::yield_now();
    }
    let grown = resident(&process).saturating_sub(before);
    assert!(
        grown < LONG_HEADS_MAX * (HEAD + BUFFER_BYTES) + SLACK,
        "{grown}"
    );
    drop(held);
}

/// An unfinished head that made way leaves a count under its reason.
fn process_has_evicted(process: &Process, count: usize) -> bool {
    let page = plain(process.address("admin"), &get("localhost", "/metrics", &[]));
    page.body()
        .lines()
        .filter_map(|line| line.strip_prefix("adit_auth_failures_total{reason=\"evicted\"} "))
        .any(|number| number.parse::<usize>().unwrap() >= count)
}

#[test]
fn clients_that_do_not_read_share_so_many_large_buffers() {
    const COUNT: usize = 2 * LARGE_BUFFERS_LENT_MAX;
    let (address, stuck) = endless();
    let (_folder, process) = edge(address, "");
    let before = resident(&process);
    let held: Vec<_> = (0..COUNT)
        .map(|_| {
            let mut client = connect(process.address("http"));
            client.write_all(get(HOST, "/", &[]).as_bytes()).unwrap();
            client
        })
        .collect();
    for _ in 0..COUNT {
        stuck.recv_timeout(PATIENCE).expect("an answer gets stuck");
    }
    let grown = resident(&process).saturating_sub(before);
    let bound = LARGE_BUFFERS_LENT_MAX * LARGE_BUFFER_BYTES + COUNT * 3 * BUFFER_BYTES + SLACK;
    assert!(grown < bound, "{grown}");
    assert!(bound < COUNT * LARGE_BUFFER_BYTES);
    drop(held);
}
