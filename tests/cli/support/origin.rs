//! A service behind the edge that remembers every head it gets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use super::process::PATIENCE;

/// Answers every request with 200 and `origin: ` and its target. A request to `/held` waits until it is released.
pub struct Origin {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    arrived: Receiver<()>,
    release: Sender<()>,
}

impl Origin {
    pub fn start() -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (arrive, arrived) = channel();
        let (release, released) = channel();
        let service = Service {
            heads: heads.clone(),
            arrive,
            released: Arc::new(Mutex::new(released)),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let service = service.clone();
                // The edge may hang up at any time; that ends this connection alone.
                std::thread::spawn(move || drop(service.serve(stream)));
            }
        });
        Origin {
            address,
            heads,
            arrived,
            release,
        }
    }

    /// Every head so far, each with its fields in lines.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Returns when a request to `/held` is here.
    pub fn wait_for_held(&self) {
        self.arrived
            .recv_timeout(PATIENCE)
            .expect("no request to /held came");
    }

    /// Lets one held request be answered.
    pub fn release(&self) {
        self.release.send(()).unwrap();
    }
}

#[derive(Clone)]
struct Service {
    heads: Arc<Mutex<Vec<String>>>,
    arrive: Sender<()>,
    released: Arc<Mutex<Receiver<()>>>,
}

impl Service {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head)? == 0 {
                    return Ok(());
                }
            }
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "))
                .map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let target = head.split(' ').nth(1).unwrap().to_owned();
            self.heads.lock().unwrap().push(head);
            if target == "/held" {
                self.arrive.send(()).unwrap_or_default();
                // An error is the end of the test.
                self.released.lock().unwrap().recv().unwrap_or_default();
            }
            let body = format!("origin: {target}");
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
            )?;
        }
    }
}
