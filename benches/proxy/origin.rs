//! The upstream of scripts/bench.sh, as cheap as it can be: it answers 128 bytes, or as many as a path under
//! `/api/bytes/` says, once it has read the request's body.
//!
//! One thread, keep-alive, pipelined requests answered together. It looks for the path, for Content-Length where the method
//! is POST, and for nothing else, so it is no server for anything but this measurement.

use std::io;

use memchr::memmem::Finder;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};

const USUAL_BODY_BYTES: usize = 128;
const READ_BYTES: usize = 256 * 1024;

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
    let mut requests = Requests::new();
    let mut input = Vec::with_capacity(READ_BYTES);
    let mut output = Vec::new();
    loop {
        let (read, buffer) = stream.read(input).await;
        input = buffer;
        if read? == 0 {
            return Ok(());
        }
        output.clear();
        requests.take(&input, &mut output);
        if !output.is_empty() {
            let (written, buffer) = stream.write_all(output).await;
            output = buffer;
            written?;
        }
    }
}

/// Where one connection stands within its requests.
struct Requests {
    head_end: Finder<'static>,
    content_length: Finder<'static>,
    /// A head whose end is still to come.
    begun: Vec<u8>,
    /// Body bytes still to come, and how many the answer has.
    body: Option<(usize, usize)>,
}

impl Requests {
    fn new() -> Self {
        Requests {
            head_end: Finder::new(b"\r\n\r\n"),
            content_length: Finder::new(b"ontent-"), // of Content-Length and Content-Type, in any case
            begun: Vec::new(),
            body: None,
        }
    }

    /// Takes what was read, and appends the answers to the requests that end in it.
    fn take(&mut self, input: &[u8], output: &mut Vec<u8>) {
        let begun = std::mem::take(&mut self.begun);
        let joined;
        let mut input = if begun.is_empty() {
            input
        } else {
            joined = [&begun, input].concat();
            &joined
        };
        loop {
            if let Some((to_come, answered)) = self.body {
                let here = to_come.min(input.len());
                input = input.get(here..).unwrap_or_default();
                if here < to_come {
                    self.body = Some((to_come - here, answered));
                    return;
                }
                self.body = None;
                write_answer(answered, output);
            }
            let Some(end) = self.head_end.find(input) else {
                self.begun = input.to_vec();
                return;
            };
            let (head, rest) = input.split_at(end + 4);
            input = rest;
            self.body = Some((self.body_bytes(head), answer_bytes(head)));
        }
    }

    fn body_bytes(&self, head: &[u8]) -> usize {
        if !head.starts_with(b"POST") {
            return 0;
        }
        let mut fields = self.content_length.find_iter(head);
        fields
            .find_map(|at| {
                let field = head.get(at + b"ontent-".len()..)?;
                let (name, value) = field.split_at_checked(b"length:".len())?;
                let asked = name.eq_ignore_ascii_case(b"length:");
                asked.then(|| number(value.trim_ascii_start()))
            })
            .unwrap_or_default()
    }
}

fn answer_bytes(head: &[u8]) -> usize {
    let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    path.strip_prefix(b"/api/bytes/")
        .map_or(USUAL_BODY_BYTES, number)
}

/// The digits that `text` begins with.
fn number(text: &[u8]) -> usize {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |sum, digit| sum * 10 + usize::from(*digit - b'0'))
}

fn write_answer(bytes: usize, output: &mut Vec<u8>) {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {bytes}\r\n\r\n");
    output.extend_from_slice(head.as_bytes());
    output.resize(output.len() + bytes, b'x');
}
