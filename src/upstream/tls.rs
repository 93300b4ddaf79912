//! TLS to an upstream through monoio-rustls.
//!
//! Its stream wants to be held exclusively through every wait, so a read that waits would keep a write from starting,
//! and an upstream that answers before it has read the whole request would block both ends. Therefore monoio-rustls does
//! the handshake on the socket itself, and from then on works between two buffers in memory, where it never waits; the
//! waiting for the socket happens here, outside of it.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use monoio::io::{AsyncReadRent, AsyncWriteRent};
use monoio_rustls::{ClientTlsStream, TlsConnector};

use super::OriginTls;
use crate::runtime::buffer::{Buffer, BufferPool};
use crate::runtime::link::{Handle, Link, link};
use crate::runtime::socket::Socket;

/// Plain bytes encrypted at a time, so that the records fit into one ordinary buffer.
const PLAIN_BYTES_AT_ONCE: usize = 8 * 1024;

/// An established TLS connection to an upstream.
pub(super) struct TlsLink {
    stream: RefCell<ClientTlsStream<Link>>,
    handle: Handle,
    pool: Rc<BufferPool>,
}

impl TlsLink {
    /// Does the handshake; fails where the certificate is not for the name or not under the roots.
    pub(super) async fn connect(
        socket: Socket,
        rules: &OriginTls,
        pool: Rc<BufferPool>,
    ) -> io::Result<Self> {
        let (link, handle) = link(socket);
        let connector = TlsConnector::from(rules.config.clone());
        let stream = connector
            .connect(rules.server_name.clone(), link)
            .await
            .map_err(io::Error::other)?;
        handle.detach();
        Ok(TlsLink {
            stream: RefCell::new(stream),
            handle,
            pool,
        })
    }

    pub(super) fn socket(&self) -> &Socket {
        self.handle.socket()
    }

    /// Whether nothing has come that was not read yet: on the socket, as records, or decrypted (S8).
    pub(super) fn is_quiet(&self) -> bool {
        if !self.socket().is_quiet() {
            return false;
        }
        let (result, buffer) = self.without_waiting(self.pool.take(), async |stream, buffer| {
            stream.read(buffer).await
        });
        self.pool.give(buffer);
        let is_dry = matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        is_dry && self.handle.is_between_records()
    }

    pub(super) async fn read(&self, mut buffer: Buffer) -> (io::Result<usize>, Buffer) {
        loop {
            let (result, returned) =
                self.without_waiting(buffer, async |stream, buffer| stream.read(buffer).await);
            buffer = returned;
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An end without `close_notify` is an error: a body that ends with the connection may have been cut off
                // by anybody on the way (RFC 9112 9.8). For any other body the framing has decided before.
                result => return (result, buffer),
            }
            if let Err(error) = self.take_ciphertext().await {
                return (Err(error), buffer);
            }
        }
    }

    /// As [`TlsLink::read`] into a buffer of the pool, without one while it waits.
    pub(super) async fn read_waiting(&self) -> (io::Result<usize>, Buffer) {
        loop {
            let (result, buffer) = self
                .without_waiting(self.pool.take(), async |stream, buffer| {
                    stream.read(buffer).await
                });
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return (result, buffer),
            }
            self.pool.give(buffer);
            // An error shows again at the read.
            let _ = self.socket().readable().await;
            if let Err(error) = self.take_ciphertext().await {
                return (Err(error), self.pool.take());
            }
        }
    }

    /// Reads once from the socket, for the stream to decrypt.
    async fn take_ciphertext(&self) -> io::Result<()> {
        let (result, ciphertext) = self.socket().read(self.pool.take()).await;
        if let Err(error) = result {
            self.pool.give(ciphertext);
            return Err(error);
        }
        if let Some(used) = self.handle.feed(ciphertext) {
            self.pool.give(used);
        }
        Ok(())
    }

    /// Says `close_notify` and ends the sending direction.
    pub(super) async fn finish(&self) {
        self.handle.make_room(self.pool.take());
        let (_, empty) = self.without_waiting(Buffer::with_capacity(0), async |stream, buffer| {
            (stream.shutdown().await.map(|()| 0), buffer)
        });
        drop(empty);
        if let Some(written) = self.handle.take_written() {
            let (_, written) = self.socket().write_all(written, || ()).await;
            self.pool.give(written);
        }
        self.socket().shutdown_write();
    }

    pub(super) async fn write_all(
        &self,
        mut buffer: Buffer,
        before: impl Fn(),
    ) -> (io::Result<()>, Buffer) {
        while !buffer.is_empty() {
            let mut piece = self.pool.take();
            let count = buffer.len().min(PLAIN_BYTES_AT_ONCE);
            let fits = piece.append(buffer.filled().get(..count).unwrap_or_default());
            debug_assert!(fits, "a piece is smaller than a buffer");
            self.handle.make_room(self.pool.take());
            let (result, piece) =
                self.without_waiting(piece, async |stream, piece| stream.write(piece).await);
            self.pool.give(piece);
            let written = self.handle.take_written();
            match result {
                Ok(taken) => buffer.consume(taken),
                Err(error) => return (Err(error), buffer),
            }
            if let Some(written) = written {
                let (result, written) = self.socket().write_all(written, &before).await;
                self.pool.give(written);
                if result.is_err() {
                    return (result, buffer);
                }
            }
        }
        (Ok(()), buffer)
    }

    /// Runs one call of the stream, which works in memory and so is ready at its first poll.
    fn without_waiting(
        &self,
        buffer: Buffer,
        call: impl AsyncFnOnce(&mut ClientTlsStream<Link>, Buffer) -> (io::Result<usize>, Buffer),
    ) -> (io::Result<usize>, Buffer) {
        let mut stream = self.stream.borrow_mut();
        let call = pin!(call(&mut stream, buffer));
        match call.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => {
                debug_assert!(false, "a stream in memory has nothing to wait for");
                (Err(io::ErrorKind::Other.into()), Buffer::with_capacity(0))
            }
        }
    }
}
