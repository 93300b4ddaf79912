//! Clients that ask without a pause, and count what fails.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::support::folder::token;
use crate::support::http::{bearer, tls_stream};
use crate::support::process::PATIENCE;
use crate::support::{Folder, HOST};

/// More than any test asks for: a load that nobody ends, ends.
const MOST: usize = 200_000;

/// What the load came to.
#[derive(Debug, Default)]
pub struct Told {
    pub good: usize,
    /// Requests made again because a connection that had been used was found closed before a byte of their answer came, as
    /// every client does (RFC 9112 9.3.1).
    pub again: usize,
    pub failed: Vec<String>,
}

pub struct Load {
    ended: Arc<AtomicBool>,
    good: Receiver<()>,
    clients: Vec<JoinHandle<Told>>,
}

impl Load {
    /// Two clients with a new connection for each request, two that keep theirs, and one with a new one over TLS.
    pub fn start(folder: &Folder, http: SocketAddr, https: SocketAddr) -> Load {
        let ended = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicUsize::new(0));
        let (tell, good) = sync_channel(MOST);
        let mut clients = Vec::new();
        let mut client = |mut ask: Box<dyn FnMut() -> io::Result<usize> + Send>| {
            let (ended, count, tell) = (ended.clone(), count.clone(), tell.clone());
            clients.push(std::thread::spawn(move || {
                let mut told = Told::default();
                while !ended.load(Ordering::Relaxed) && count.fetch_add(1, Ordering::Relaxed) < MOST
                {
                    match ask() {
                        Ok(again) => {
                            told.again += again;
                            told.good += 1;
                            tell.try_send(()).unwrap_or_default();
                        }
                        Err(error) => told.failed.push(error.to_string()),
                    }
                }
                told
            }));
        };
        for _ in 0..2 {
            client(Box::new(move || {
                answered(connect(http)?, "close").map(|_| 0)
            }));
            let mut kept = None;
            client(Box::new(move || kept_alive(&mut kept, http)));
        }
        let (cert, key) = ("cert.pem", "key.pem");
        let own = Folder::new();
        own.write(cert, 0o644, std::fs::read(folder.path(cert)).unwrap());
        own.write(key, 0o600, std::fs::read(folder.path(key)).unwrap());
        client(Box::new(move || {
            answered(BufReader::new(tls_stream(&own, https, HOST)), "close").map(|_| 0)
        }));
        Load {
            ended,
            good,
            clients,
        }
    }

    /// Returns when so many more requests have been answered.
    pub fn wait_for(&self, requests: usize) {
        for _ in 0..requests {
            self.good.recv_timeout(PATIENCE).unwrap();
        }
    }

    pub fn end(self) -> Told {
        self.ended.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for client in self.clients {
            let told = client.join().unwrap();
            all.good += told.good;
            all.again += told.again;
            all.failed.extend(told.failed);
        }
        all
    }
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// Asks on the connection kept, or on a new one; answers how often it had to begin anew.
fn kept_alive(kept: &mut Option<BufReader<TcpStream>>, address: SocketAddr) -> io::Result<usize> {
    if let Some(stream) = kept.take() {
        match answered(stream, "keep-alive") {
            Ok(stream) => {
                *kept = stream;
                return Ok(0);
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
        *kept = answered(connect(address)?, "keep-alive")?;
        return Ok(1);
    }
    *kept = answered(connect(address)?, "keep-alive")?;
    Ok(0)
}

/// Nothing of an answer had come.
fn is_gone(error: &io::Error) -> bool {
    let nothing = error.kind() == io::ErrorKind::UnexpectedEof && error.to_string() == NOTHING;
    nothing
        || matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        )
}

const NOTHING: &str = "closed before an answer";

/// One request and its whole answer; answers the connection if it may be used again.
fn answered<S: Read + Write>(
    mut stream: BufReader<S>,
    connection: &str,
) -> io::Result<Option<BufReader<S>>> {
    let token = bearer(&token());
    let request = format!(
        "GET /load HTTP/1.1\r\nHost: {HOST}\r\n{token}\r\nConnection: {connection}\r\n\r\n"
    );
    stream.get_mut().write_all(request.as_bytes())?;
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            let what = if head.is_empty() {
                NOTHING
            } else {
                "closed within an answer"
            };
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
    }
    let mut body = [0; 2];
    stream.read_exact(&mut body)?;
    if !head.starts_with("HTTP/1.1 200 ") || body != *b"ok" {
        return Err(io::Error::other(head));
    }
    let closes = head.to_ascii_lowercase().contains("connection: close");
    Ok((!closes).then_some(stream))
}
