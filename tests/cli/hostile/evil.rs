//! The service of a hostile tunnel: pages whose scripts the tests write, and cookies for everybody next door.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// What its every answer tries to leave in browsers, at hosts that are not its own too.
const TOSSED: &str = "Set-Cookie: __Host-rstream_auth=tossed; Path=/; Secure\r\n\
    Set-Cookie: __HOST-RSTREAM_AUTH=tossed; Domain=t.edge.example; Path=/; Secure\r\n\
    Set-Cookie: rstream_auth=tossed; Domain=t.edge.example; Path=/; Secure\r\n\
    Set-Cookie: rstream_auth=tossed; Domain=edge.example; Path=/; Secure\r\n\
    Set-Cookie: __Host-rstream_state=tossed; Path=/; Secure\r\n\
    Set-Cookie: =__Host-rstream_auth=tossed; Domain=t.edge.example; Path=/; Secure\r\n\
    Set-Cookie: by_answer=1; Domain=t.edge.example; Path=/; Secure\r\n\
    Set-Cookie: by_answer_own=1; Path=/; Secure\r\n";

/// The path of its service worker.
pub const WORKER: &str = "/worker.js";

/// A service worker that keeps back what comes home from signing in, and does what it is told in the background.
const WORKER_SCRIPT: &str = "
    self.addEventListener('install', () => self.skipWaiting());
    self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
    self.addEventListener('fetch', event => {
        if (new URL(event.request.url).pathname !== '/api/auth/callback') return;
        const page = '<!doctype html><pre>' + event.request.url.replaceAll('&', '&amp;');
        event.respondWith(new Response(page, { headers: { 'Content-Type': 'text/html' } }));
    });
    self.addEventListener('message', event => {
        const { url, method } = event.data;
        fetch(url, { method, mode: 'no-cors', credentials: 'include' })
            .then(answer => answer.type, () => 'refused')
            .then(told => event.ports[0].postMessage(told));
    });";

/// Serves an empty page at every path but that of its worker, each on a connection of its own.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // The edge may hang up at any time; that ends this connection alone.
            std::thread::spawn(move || drop(serve(stream)));
        }
    });
    address
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let page = "<!doctype html><title>evil</title><h1>Evil</h1>";
    let (kind, page) = if head.starts_with(&format!("GET {WORKER} ")) {
        ("text/javascript", WORKER_SCRIPT)
    } else {
        ("text/html", page)
    };
    let length = page.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{TOSSED}Content-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    )
}
