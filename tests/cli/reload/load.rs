//! A hundred reloads while wrk asks as fast as it can and WebSockets are open: nobody notices.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use crate::support::folder::{serving, token, tunnel};
use crate::support::http::{bearer, connect, tls_stream};
use crate::support::process::signal;
use crate::support::{Folder, HOST, Process};

const RELOADS: usize = 100;
const LOG: &str = "[log]\naccess = \"off\"\n";

/// A service that answers requests and says back what comes over a WebSocket.
fn service() -> SocketAddr {
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
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        if head.contains("Upgrade: websocket\r\n") {
            stream.write_all(SWITCH.as_bytes())?;
            std::io::copy(&mut reader, &mut stream)?;
            return Ok(());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
    }
}

/// Key and answer are those of RFC 6455 1.3.
const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn open_websocket(mut stream: impl Read + Write) -> impl Read + Write {
    let token = bearer(&token());
    let request = format!("GET /socket HTTP/1.1\r\nHost: {HOST}\r\n{HANDSHAKE}{token}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

fn echoes(socket: &mut (impl Read + Write), text: &str) {
    socket.write_all(text.as_bytes()).unwrap();
    let mut back = vec![0; text.len()];
    socket.read_exact(&mut back).unwrap();
    assert_eq!(back, text.as_bytes());
}

#[test]
fn a_hundred_reloads_fail_no_request_and_drop_no_websocket() {
    let service = service();
    let folder = Folder::serving(service, LOG);
    let mut process = Process::run(&folder);
    let (http, https) = (process.address("http"), process.address("https"));
    let mut plain: Vec<_> = (0..4).map(|_| open_websocket(connect(http))).collect();
    let mut secure: Vec<_> = (0..2)
        .map(|_| open_websocket(tls_stream(&folder, https, HOST)))
        .collect();
    let wrk = Command::new("wrk")
        .args(["-t1", "-c16", "-d100s", "--timeout", "10s"])
        .args(["-H", &format!("Host: {HOST}"), "-H", &bearer(&token())])
        .arg(format!("http://{http}/"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    for round in 0..RELOADS {
        let name = format!("extra-{round}.t.edge.example");
        let more = format!("{LOG}{}", tunnel(&name, service));
        folder.configure(&serving(service, &more));
        process.signal("HUP");
        process.event_saying("config_reloaded", &format!("tunnel {name} added"));
        for socket in &mut plain {
            echoes(socket, &name);
        }
        for socket in &mut secure {
            echoes(socket, &name);
        }
    }
    signal(wrk.id(), "INT");
    let said = wrk.wait_with_output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    // Both lines are there only where their counts are not zero.
    assert!(
        !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "{said}"
    );
    let requests = said.lines().find(|line| line.contains(" requests in "));
    let count = requests.unwrap().split_whitespace().next().unwrap();
    assert!(count.parse::<usize>().unwrap() > RELOADS, "{said}");
    let stale = |line: &String| line.contains("config_refused");
    assert!(!process.err.seen.iter().any(stale));
    println!("{said}");
}
