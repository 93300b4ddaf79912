//! One end of a TCP or TLS connection, and strict reading of HTTP messages from it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::DerefMut;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{AlertDescription, ConnectionCommon, SideData, StreamOwned};

use super::{PATIENCE, head};

/// What carries the bytes.
pub trait Layer: Read + Write + Send {
    /// Says that nothing more will come, where the layer has a word for it.
    fn say_close(&mut self);

    /// Makes records of these bytes that leave with the next that are sent; where there are no records, sends them.
    fn queue(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Layer for TcpStream {
    fn say_close(&mut self) {}

    fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }
}

impl<C, S> Layer for StreamOwned<C, TcpStream>
where
    C: DerefMut<Target = ConnectionCommon<S>> + Send,
    S: SideData,
{
    fn say_close(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
    }

    fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.conn.writer().write_all(bytes)
    }
}

/// How a stream of bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order; over TLS after a `close_notify`.
    Clean,
    /// TCP ended where TLS did not.
    Cut,
    Reset,
    /// By a fatal alert of the other end's TLS.
    Alert(AlertDescription),
    /// Not at all: nothing came for as long as a test waits.
    Silent,
}

/// A message that stopped in the middle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What was there of the part that was being read.
    pub part: Vec<u8>,
    pub ending: Ending,
}

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimited {
    Nothing,
    Length(usize),
    Chunked,
    Close,
}

/// One end of a connection.
pub struct Wire {
    layer: Box<dyn Layer>,
    socket: TcpStream,
    buffered: Vec<u8>,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    pub fn new(socket: TcpStream, layer: impl FnOnce(TcpStream) -> Box<dyn Layer>) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let layer = layer(socket.try_clone().unwrap());
        Wire {
            layer,
            socket,
            buffered: Vec::new(),
            received: Arc::default(),
        }
    }

    pub fn plain(socket: TcpStream) -> Self {
        Wire::new(socket, |socket| Box::new(socket))
    }

    /// The socket below: options, half-closing, and writing beside a read where there is no TLS.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Every byte that came so far, decrypted.
    pub fn received(&self) -> Arc<Mutex<Vec<u8>>> {
        self.received.clone()
    }

    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.layer.write_all(bytes)?;
        self.layer.flush()
    }

    /// Sends pieces in one flight, over TLS each in records of its own.
    pub fn try_send_together(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        for piece in pieces {
            self.layer.queue(piece)?;
        }
        self.layer.flush()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes.as_ref()).expect("the bytes are taken");
    }

    /// Each byte in a packet of its own, as far as the kernel lets us.
    pub fn dribble(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.send([*byte]);
        }
    }

    /// Ends the sending direction in order.
    pub fn finish(&mut self) {
        self.layer.say_close();
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Ends everything with a reset.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.socket);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Reads more; an ending instead of bytes where there are none.
    fn fill(&mut self) -> Result<(), Ending> {
        let mut piece = vec![0; 64 * 1024];
        match self.layer.read(&mut piece) {
            Ok(0) => Err(Ending::Clean),
            Ok(count) => {
                self.received
                    .lock()
                    .unwrap()
                    .extend_from_slice(&piece[..count]);
                self.buffered.extend_from_slice(&piece[..count]);
                Ok(())
            }
            Err(error) => {
                let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
                if let Some(alert) = alert(&error) {
                    Err(Ending::Alert(alert))
                } else if is(&[io::ErrorKind::Interrupted]) {
                    Ok(())
                } else if is(&[io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut]) {
                    Err(Ending::Silent)
                } else if is(&[io::ErrorKind::UnexpectedEof]) {
                    Err(Ending::Cut)
                } else if is(&[io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe]) {
                    Err(Ending::Reset)
                } else {
                    panic!("a read failed: {error}")
                }
            }
        }
    }

    /// Whether something (bytes or an end) is there to be read within a few milliseconds. For loops that move the clock.
    pub fn has_news(&mut self) -> bool {
        let patience = |wire: &Wire, time| wire.socket.set_read_timeout(Some(time)).unwrap();
        patience(self, Duration::from_millis(5));
        let news = !self.buffered.is_empty()
            || match self.socket.peek(&mut [0]) {
                // TLS has words of its own, such as tickets, which are no news.
                Ok(1..) => self.fill() != Err(Ending::Silent),
                // An end stays there to be read.
                Ok(0) => true,
                Err(error) => !matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ),
            };
        patience(self, PATIENCE);
        news
    }

    fn taken(&mut self, count: usize) -> Vec<u8> {
        let rest = self.buffered.split_off(count);
        std::mem::replace(&mut self.buffered, rest)
    }

    fn fill_or_break(&mut self) -> Result<(), Broken> {
        self.fill().map_err(|ending| Broken {
            part: self.buffered.clone(),
            ending,
        })
    }

    /// Reads up to and with `end`.
    pub fn until(&mut self, end: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut looked = 0;
        loop {
            if let Some(at) = memchr::memmem::find(&self.buffered[looked..], end) {
                return Ok(self.taken(looked + at + end.len()));
            }
            looked = self.buffered.len().saturating_sub(end.len());
            self.fill_or_break()?;
        }
    }

    /// Reads exactly this many bytes.
    pub fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Broken> {
        while self.buffered.len() < count {
            self.fill_or_break()?;
        }
        Ok(self.taken(count))
    }

    /// Reads at least one byte, and what came with it.
    pub fn some(&mut self) -> Result<Vec<u8>, Broken> {
        if self.buffered.is_empty() {
            self.fill_or_break()?;
        }
        Ok(self.taken(self.buffered.len()))
    }

    pub fn head(&mut self) -> Result<Vec<u8>, Broken> {
        self.until(b"\r\n\r\n")
    }

    /// Everything up to the end, and which end it was.
    pub fn read_to_end(&mut self) -> (Vec<u8>, Ending) {
        loop {
            if let Err(ending) = self.fill() {
                return (std::mem::take(&mut self.buffered), ending);
            }
        }
    }

    /// Reads a body. `part` of a broken one is its payload so far.
    pub fn body(&mut self, delimited: Delimited) -> Result<Vec<u8>, Broken> {
        match delimited {
            Delimited::Nothing => Ok(Vec::new()),
            Delimited::Length(length) => self.exactly(length),
            Delimited::Chunked => self.chunked(),
            Delimited::Close => match self.read_to_end() {
                (body, Ending::Clean) => Ok(body),
                (part, ending) => Err(Broken { part, ending }),
            },
        }
    }

    /// Sizes without extensions, each line end in place, no trailers: all that the edge ever writes.
    fn chunked(&mut self) -> Result<Vec<u8>, Broken> {
        let mut body = Vec::new();
        loop {
            let cut = |mut broken: Broken, body: &[u8]| {
                broken.part = [body, &broken.part].concat();
                broken
            };
            let line = self.until(b"\r\n").map_err(|mut broken| {
                broken.part.clear();
                cut(broken, &body)
            })?;
            let digits = head::text(&line[..line.len() - 2]).to_owned();
            assert!(
                !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
                "a chunk-size line of the edge is digits alone: {digits:?}"
            );
            let size = usize::from_str_radix(&digits, 16).unwrap();
            let payload = self.exactly(size).map_err(|broken| cut(broken, &body))?;
            body.extend_from_slice(&payload);
            let end = self.exactly(2).map_err(|mut broken| {
                broken.part.clear();
                cut(broken, &body)
            })?;
            assert_eq!(end, b"\r\n", "what ends a chunk, or the body");
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

/// The alert of the other end that made an operation fail.
pub fn alert(error: &io::Error) -> Option<AlertDescription> {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
}

/// What a head announces.
pub fn announced(head: &[u8], otherwise: Delimited) -> Delimited {
    let length = head::value(head, "content-length");
    let coding = head::value(head, "transfer-encoding");
    match (length, coding) {
        (None, None) => otherwise,
        (Some(length), None) => Delimited::Length(length.parse().unwrap()),
        (None, Some("chunked")) => Delimited::Chunked,
        other => panic!("the edge announces {other:?}"),
    }
}
