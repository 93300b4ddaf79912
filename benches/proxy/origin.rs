//! The upstream of scripts/bench.sh: answers every request head with the same 128 bytes, as cheaply as it can.
//!
//! One thread, keep-alive, pipelined heads answered together. It counts ends of heads and looks at nothing else, so it
//! serves GET without a body and is no server for anything but this measurement.

use std::io;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 128\r\n\r\n";
const BODY: [u8; 128] = [b'x'; 128];
const HEAD_END: [u8; 4] = *b"\r\n\r\n";

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let mut ring = io_uring::IoUring::builder();
    // Without these two, completions interrupt the thread, and the upstream would cost more than the proxies.
    ring.setup_single_issuer().setup_defer_taskrun();
    monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
        .uring_builder(ring)
        .build()?
        .block_on(serve(&address))
}

async fn serve(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    loop {
        let (stream, _) = listener.accept().await?;
        monoio::spawn(answer(stream));
    }
}

/// Until the peer closes: an error on one connection ends that connection alone.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::with_capacity(16 * 1024);
    let mut output = Vec::new();
    let mut matched = 0;
    loop {
        let (read, buffer) = stream.read(input).await;
        input = buffer;
        if read? == 0 {
            return Ok(());
        }
        output.clear();
        for byte in &input {
            matched = match HEAD_END.get(matched) {
                Some(expected) if expected == byte => matched + 1,
                _ => usize::from(*byte == b'\r'),
            };
            if matched == HEAD_END.len() {
                matched = 0;
                output.extend_from_slice(HEAD);
                output.extend_from_slice(&BODY);
            }
        }
        if !output.is_empty() {
            let (written, buffer) = stream.write_all(output).await;
            output = buffer;
            written?;
        }
    }
}
