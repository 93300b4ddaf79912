//! A socket for a library that wants to do its own reads and writes, at first; memory for it afterwards.
//!
//! See [`crate::upstream`] for the reason. In memory it never waits: a read without bytes answers
//! [`io::ErrorKind::WouldBlock`].

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use monoio::BufResult;
use monoio::buf::{IoBuf, IoBufMut, IoVecBuf, IoVecBufMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent};

use super::buffer::Buffer;
use super::socket::Socket;

/// The end that the library holds.
pub struct Link(Rc<Shared>);

/// The end that we hold.
#[derive(Clone)]
pub struct Handle(Rc<Shared>);

struct Shared {
    socket: Socket,
    detached: Cell<bool>,
    /// Read from the socket, not yet taken by the library.
    incoming: RefCell<Option<Buffer>>,
    ended: Cell<bool>,
    /// Written by the library, not yet to the socket.
    outgoing: RefCell<Option<Buffer>>,
    records: Cell<Records>,
}

/// Follows TLS records (RFC 8446 5.1) through what the library reads: a header of five bytes, of which the last two are
/// the length of the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Records {
    /// Bytes of a header so far.
    header: u8,
    /// Of its length so far, then what is left of the record.
    left: u16,
}

impl Records {
    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            match self.header {
                0..3 => self.header += 1,
                3 | 4 => {
                    self.left = self.left << 8 | u16::from(*first);
                    self.header += 1;
                }
                _ => {
                    let skipped = bytes.len().min(self.left.into());
                    self.left -= u16::try_from(skipped).unwrap_or(self.left);
                    bytes = bytes.get(skipped..).unwrap_or_default();
                    if self.left == 0 {
                        self.header = 0;
                    }
                    continue;
                }
            }
            bytes = rest;
            if self.header == 5 && self.left == 0 {
                self.header = 0;
            }
        }
    }
}

impl Shared {
    /// The library reads these bytes.
    fn pass(&self, bytes: &[u8]) {
        let mut records = self.records.get();
        records.pass(bytes);
        self.records.set(records);
    }
}

/// Makes both ends; the library's end works on the socket until [`Handle::detach`].
pub fn link(socket: Socket) -> (Link, Handle) {
    let shared = Rc::new(Shared {
        socket,
        detached: Cell::new(false),
        incoming: RefCell::new(None),
        ended: Cell::new(false),
        outgoing: RefCell::new(None),
        records: Cell::default(),
    });
    (Link(shared.clone()), Handle(shared))
}

impl Handle {
    /// From now on the library's end works in memory alone.
    pub fn detach(&self) {
        self.0.detached.set(true);
    }

    pub fn socket(&self) -> &Socket {
        &self.0.socket
    }

    /// Gives the library bytes to read; an empty buffer is the end. Answers the buffer that was there before.
    pub fn feed(&self, buffer: Buffer) -> Option<Buffer> {
        self.0.ended.set(buffer.is_empty());
        self.0.incoming.borrow_mut().replace(buffer)
    }

    /// Whether the library was given whole records, and has taken all that is here.
    pub fn is_between_records(&self) -> bool {
        let incoming = self.0.incoming.borrow();
        self.0.records.get() == Records::default() && incoming.as_ref().is_none_or(Buffer::is_empty)
    }

    /// Gives the library room to write into.
    pub fn make_room(&self, buffer: Buffer) {
        *self.0.outgoing.borrow_mut() = Some(buffer);
    }

    /// What the library wrote into the room that it had.
    pub fn take_written(&self) -> Option<Buffer> {
        self.0.outgoing.borrow_mut().take()
    }
}

impl AsyncReadRent for Link {
    async fn read<T: IoBufMut>(&mut self, mut buf: T) -> BufResult<usize, T> {
        if !self.0.detached.get() {
            let start = buf.write_ptr().cast_const();
            let (result, buf) = self.0.socket.read_into(buf).await;
            if let Ok(count) = result {
                // SAFETY: the socket has written so many bytes there, and `buf` keeps its memory in place.
                let bytes = unsafe { std::slice::from_raw_parts(start, count) };
                self.0.pass(bytes);
            }
            return (result, buf);
        }
        let mut incoming = self.0.incoming.borrow_mut();
        let Some(from) = incoming.as_mut().filter(|from| !from.is_empty()) else {
            let result = if self.0.ended.get() {
                Ok(0)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
            return (result, buf);
        };
        let count = from.len().min(buf.bytes_total());
        self.0.pass(from.filled().get(..count).unwrap_or_default());
        // SAFETY: `buf` promises `bytes_total` writable bytes at `write_ptr`; the source is another allocation.
        unsafe { std::ptr::copy_nonoverlapping(from.filled().as_ptr(), buf.write_ptr(), count) };
        // SAFETY: these bytes were written just now.
        unsafe { buf.set_init(count) };
        from.consume(count);
        (Ok(count), buf)
    }

    async fn readv<T: IoVecBufMut>(&mut self, buf: T) -> BufResult<usize, T> {
        (Err(io::ErrorKind::Unsupported.into()), buf)
    }
}

impl AsyncWriteRent for Link {
    async fn write<T: IoBuf>(&mut self, buf: T) -> BufResult<usize, T> {
        if !self.0.detached.get() {
            return self.0.socket.write_from(buf).await;
        }
        // SAFETY: `buf` promises `bytes_init` readable bytes at `read_ptr`, and is held through the use of the slice.
        let bytes = unsafe { std::slice::from_raw_parts(buf.read_ptr(), buf.bytes_init()) };
        let taken = self
            .0
            .outgoing
            .borrow_mut()
            .as_mut()
            .is_some_and(|room| room.append(bytes));
        let result = if taken {
            Ok(bytes.len())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        };
        (result, buf)
    }

    async fn writev<T: IoVecBuf>(&mut self, buf_vec: T) -> BufResult<usize, T> {
        (Err(io::ErrorKind::Unsupported.into()), buf_vec)
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        // In memory the owner ends the socket, after it has sent what was written.
        if !self.0.detached.get() {
            self.0.socket.shutdown_write();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_followed_however_they_are_cut() {
        let record = |length: u16| {
            let [high, low] = length.to_be_bytes();
            [&[23, 3, 3, high, low][..], &vec![0xff; length.into()]].concat()
        };
        let all = [record(3), record(0), record(300), record(1)].concat();
        let ends = [0, 8, 13, 318, 324];
        for cut in 0..=all.len() {
            let mut records = Records::default();
            records.pass(&all[..cut]);
            assert_eq!(records == Records::default(), ends.contains(&cut), "{cut}");
            for byte in &all[cut..] {
                records.pass(&[*byte]);
            }
            assert_eq!(records, Records::default(), "{cut}");
        }
    }
}
