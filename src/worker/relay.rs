//! What the two directions of an exchange share: one buffer each, a read only after the last write was taken.

use std::cell::Cell;

use crate::http::body::{BodyDecoder, LAST_CHUNK, TRAILERS_START, chunk_prefix};
use crate::limits::{BUFFER_BYTES, CHUNK_HEADROOM};
use crate::policy::refusal::UpstreamFault;
use crate::runtime::buffer::Buffer;

use super::exchange::{Exchange, Failure};

/// Room before body bytes for the chunk-size line.
pub(super) const HEADROOM: usize = CHUNK_HEADROOM;

/// What the two directions of one exchange tell each other.
pub(super) struct Signals {
    /// The whole request is with the upstream.
    pub uploaded: Cell<bool>,
    /// The first byte of an answer is here.
    pub answering: Cell<bool>,
    /// The answer has ended; what still comes from the client is read and dropped.
    pub answered: Cell<bool>,
    /// There is no answer that the client could still read meanwhile.
    pub abandoned: Cell<bool>,
    /// The client's side ended the exchange.
    pub failure: Cell<Option<Failure>>,
}

impl Signals {
    pub(super) fn new(uploaded: bool) -> Self {
        Signals {
            uploaded: Cell::new(uploaded),
            answering: Cell::new(false),
            answered: Cell::new(false),
            abandoned: Cell::new(false),
            failure: Cell::new(None),
        }
    }
}

/// What an answer came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// All of it is with the client.
    Complete {
        /// The upstream keeps its connection, and nothing was left on it.
        reusable: bool,
        /// The client was told that its connection goes on.
        persistent: bool,
    },
    /// Nothing was sent to the client.
    Fault(UpstreamFault),
    /// It broke off after its head was sent.
    Broken(UpstreamFault),
    ClientGone,
}

impl Exchange<'_> {
    /// What was read behind the end of a message, in a buffer of its own.
    pub(super) fn rest(&self, buffer: &Buffer, consumed: usize) -> Buffer {
        let behind = buffer.filled().get(consumed..).unwrap_or_default();
        let pool = &self.place.core.buffers;
        let mut rest = if behind.len() > BUFFER_BYTES {
            pool.take_large()
        } else {
            pool.take()
        };
        let fits = rest.append(behind);
        debug_assert!(fits, "a rest is smaller than the buffer it was in");
        rest
    }

    /// The end of a chunked body that has trailers, to be sent behind its last piece; `None` where it has none. They are
    /// shorter than `TRAILER_BYTES_MAX`.
    pub(super) fn trailer_section(&self, decoder: &BodyDecoder) -> Option<Buffer> {
        let trailers = decoder.trailers();
        if trailers.is_empty() {
            return None;
        }
        let mut section = self.place.core.buffers.take_large();
        let fits =
            section.append(TRAILERS_START) && section.append(trailers) && section.append(b"\r\n");
        debug_assert!(fits, "a trailer section is shorter than a large buffer");
        Some(section)
    }

    /// A large buffer in exchange, where much is still to come.
    pub(super) fn roomier(&self, buffer: Buffer, remaining: Option<u64>) -> Buffer {
        let much = remaining.is_some_and(|bytes| bytes > BUFFER_BYTES as u64);
        if !much || buffer.capacity() > BUFFER_BYTES {
            return buffer;
        }
        let pool = &self.place.core.buffers;
        match pool.take_large_if_free() {
            Some(large) => {
                pool.give(buffer);
                large
            }
            None => buffer,
        }
    }
}

/// Puts chunk lines around a piece of a body that goes out chunked, and the last chunk behind the last piece.
pub(super) fn frame(piece: &mut Buffer, chunked: bool, last: bool) {
    if !chunked {
        return;
    }
    let mut fits = true;
    if !piece.is_empty() {
        let mut line = [0; CHUNK_HEADROOM];
        let length = chunk_prefix(piece.len(), &mut line);
        fits = piece.prepend(line.get(CHUNK_HEADROOM - length..).unwrap_or_default())
            && piece.append_tail(b"\r\n");
    }
    if last {
        fits = fits && piece.append_tail(LAST_CHUNK);
    }
    debug_assert!(fits, "every body buffer has headroom and tailroom");
}
