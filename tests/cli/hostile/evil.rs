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

/// Serves an empty page at every path, each on a connection of its own.
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
    let length = page.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{TOSSED}Content-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    )
}
