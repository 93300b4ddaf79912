//! Message framing (RFC 9112 6 and 7): where a body ends, and its bytes without the chunk lines.
//!
//! Comes in: the framing that a head announced, then buffers as they are read. Goes out: payload bytes, moved to the
//! front of the same buffer, and where the message ends. Chunk extensions are checked and dropped, and so are trailers unless they are
//! asked for. It
//! refuses every chunk line that some reader would end elsewhere; the verdict does not depend on how the bytes were cut
//! into reads.

use super::chunk::{ChunkError, ChunkLine, Step};
use crate::limits::CHUNK_HEADROOM;

/// How a body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    #[default]
    None,
    /// Exactly this many bytes, at least one.
    Length(u64),
    Chunked,
    /// Until the sender closes: answers only (RFC 9112 6.3 rule 8).
    UntilClose,
}

/// What one call of [`BodyDecoder::decode`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of the buffer that belong to this message; those after it are untouched.
    pub consumed: usize,
    /// Payload bytes, now at the front of the buffer.
    pub payload: usize,
}

/// Why a body is refused. The connection cannot be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The sender closed before the end.
    Truncated,
    /// A chunk line or a trailer.
    Chunk(ChunkError),
}

impl BodyError {
    /// The stable name for logs.
    pub fn reason(self) -> &'static str {
        match self {
            BodyError::Truncated => "body_truncated",
            BodyError::Chunk(error) => error.reason(),
        }
    }
}

/// Follows one body through the buffers that carry it.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    state: State,
    keeps_trailers: bool,
    trailers: Vec<u8>,
}

#[derive(Clone, Debug)]
enum State {
    Finished,
    /// Payload bytes still to come, then the end.
    Length(u64),
    /// A chunk line, the end of a chunk, or the trailer section.
    Line(ChunkLine),
    /// Payload bytes still to come in this chunk.
    Chunk(u64),
    UntilClose,
    /// A refused body stays refused.
    Failed(BodyError),
}

impl BodyDecoder {
    /// A body whose trailers are dropped.
    pub fn new(framing: Framing) -> Self {
        BodyDecoder::with_trailers(framing, false)
    }

    /// A body whose trailers are kept where `keeps_trailers` says so: see [`BodyDecoder::trailers`].
    pub fn with_trailers(framing: Framing, keeps_trailers: bool) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Finished,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Line(ChunkLine::first(keeps_trailers)),
            Framing::UntilClose => State::UntilClose,
        };
        BodyDecoder {
            state,
            keeps_trailers,
            trailers: Vec::new(),
        }
    }

    /// Decodes in place: payload bytes are moved to the front of `buffer`.
    pub fn decode(&mut self, buffer: &mut [u8]) -> Result<Decoded, BodyError> {
        let mut decoded = Decoded::default();
        loop {
            let unread = buffer.len() - decoded.consumed;
            if unread == 0 {
                return Ok(decoded);
            }
            match &mut self.state {
                State::Finished => return Ok(decoded),
                State::Failed(error) => return Err(*error),
                State::UntilClose => move_payload(buffer, &mut decoded, unread),
                State::Length(remaining) => {
                    let length = at_most(*remaining, unread);
                    move_payload(buffer, &mut decoded, length);
                    *remaining -= length as u64;
                    if *remaining == 0 {
                        self.state = State::Finished;
                    }
                }
                State::Chunk(remaining) => {
                    let length = at_most(*remaining, unread);
                    move_payload(buffer, &mut decoded, length);
                    *remaining -= length as u64;
                    if *remaining == 0 {
                        self.state = State::Line(ChunkLine::after_data(self.keeps_trailers));
                    }
                }
                State::Line(line) => {
                    let bytes = buffer.get(decoded.consumed..).unwrap_or_default();
                    let (read, step) = line.advance(bytes);
                    decoded.consumed += read;
                    match step {
                        Step::More => {}
                        Step::Data(size) => self.state = State::Chunk(size),
                        Step::End => {
                            self.trailers = line.take_trailers();
                            self.state = State::Finished;
                        }
                        Step::Refused(error) => {
                            let error = BodyError::Chunk(error);
                            self.state = State::Failed(error);
                            return Err(error);
                        }
                    }
                }
            }
        }
    }

    /// Payload bytes that are known to come: of the whole body where its length was announced, else of this chunk.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(remaining) | State::Chunk(remaining) => Some(remaining),
            State::Finished | State::Line(_) | State::UntilClose | State::Failed(_) => None,
        }
    }

    /// The trailer fields that may pass, each with its CRLF, once the body has ended: whoever sends them on puts
    /// [`TRAILERS_START`] before and an empty line behind them.
    pub fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// Why the body was refused, if it was.
    pub fn failure(&self) -> Option<BodyError> {
        match self.state {
            State::Failed(error) => Some(error),
            State::Finished
            | State::Length(_)
            | State::Line(_)
            | State::Chunk(_)
            | State::UntilClose => None,
        }
    }

    /// Whether the message ended. True at once for [`Framing::None`]; until the sender closes never for
    /// [`Framing::UntilClose`].
    pub fn finished(&self) -> bool {
        match self.state {
            State::Finished => true,
            State::Length(_)
            | State::Line(_)
            | State::Chunk(_)
            | State::UntilClose
            | State::Failed(_) => false,
        }
    }

    /// The sender closed. Only a body that ended, or one that ends by closing, is complete then (RFC 9112 8).
    pub fn end_of_input(&mut self) -> Result<(), BodyError> {
        match self.state {
            State::Finished => Ok(()),
            State::UntilClose => {
                self.state = State::Finished;
                Ok(())
            }
            State::Failed(error) => Err(error),
            State::Length(_) | State::Line(_) | State::Chunk(_) => {
                self.state = State::Failed(BodyError::Truncated);
                Err(BodyError::Truncated)
            }
        }
    }
}

fn at_most(remaining: u64, unread: usize) -> usize {
    usize::try_from(remaining).map_or(unread, |remaining| remaining.min(unread))
}

/// Moves the next `length` bytes behind the payload found so far.
fn move_payload(buffer: &mut [u8], decoded: &mut Decoded, length: usize) {
    let from = decoded.consumed..decoded.consumed + length;
    if decoded.payload != decoded.consumed {
        buffer.copy_within(from, decoded.payload);
    }
    decoded.consumed += length;
    decoded.payload += length;
}

/// What stands before the trailers of a chunked body: the last chunk.
pub const TRAILERS_START: &[u8] = b"0\r\n";

/// What ends a chunked body without trailers: the last chunk and the empty line.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes the line before a chunk of `len` bytes (`1a` CRLF) into the last bytes of `out`, so that the payload can
/// follow it in one buffer; gives its length. For 0 nothing is written: an empty chunk would end the body
/// ([`LAST_CHUNK`] does that on purpose). The chunk's own CRLF comes after the payload.
pub fn chunk_prefix(len: usize, out: &mut [u8; CHUNK_HEADROOM]) -> usize {
    if len == 0 {
        return 0;
    }
    let mut rest = len;
    let mut written = 0;
    let hex_digits = std::iter::from_fn(|| {
        let digit = u32::try_from(rest & 0xf).ok()?;
        let more = rest > 0;
        rest >>= 4;
        more.then(|| char::from_digit(digit, 16)).flatten()
    });
    let line_backwards = [b'\n', b'\r']
        .into_iter()
        .chain(hex_digits.filter_map(|digit| u8::try_from(digit).ok()));
    for (to, from) in out.iter_mut().rev().zip(line_backwards) {
        *to = from;
        written += 1;
    }
    debug_assert!(
        rest == 0,
        "no buffer is as long as sixteen bytes cannot say"
    );
    written
}

/// Any chunked body: read in one piece, byte by byte and in two pieces it gives the same payload and the same end.
pub fn fuzz_body(bytes: &[u8]) {
    let whole = decode_in_pieces(bytes, bytes.len().max(1));
    for piece in [1, 2, 3, 7, bytes.len() / 2 + 1] {
        assert_eq!(decode_in_pieces(bytes, piece), whole, "pieces of {piece}");
    }
    if let Ok((payload, consumed, finished)) = &whole {
        assert!(payload.len() <= *consumed && *consumed <= bytes.len());
        assert!(*finished || *consumed == bytes.len());
        let mut prefix = [0; CHUNK_HEADROOM];
        let length = chunk_prefix(payload.len(), &mut prefix);
        let mut written = prefix
            .get(CHUNK_HEADROOM - length..)
            .unwrap_or_default()
            .to_vec();
        if !payload.is_empty() {
            written.extend_from_slice(payload);
            written.extend_from_slice(b"\r\n");
        }
        written.extend_from_slice(LAST_CHUNK);
        let again = decode_in_pieces(&written, written.len());
        assert_eq!(
            again,
            Ok((payload.clone(), written.len(), true)),
            "written anew it is the same"
        );
    }
}

/// Payload, bytes consumed, and whether the body ended.
fn decode_in_pieces(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), BodyError> {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    let mut payload = Vec::new();
    let mut consumed = 0;
    for part in bytes.chunks(piece) {
        let mut buffer = part.to_vec();
        let decoded = decoder.decode(&mut buffer)?;
        payload.extend_from_slice(buffer.get(..decoded.payload).unwrap_or_default());
        assert_eq!(
            buffer.get(decoded.consumed..),
            part.get(decoded.consumed..),
            "bytes of the next message are untouched"
        );
        consumed += decoded.consumed;
        if decoder.finished() {
            break;
        }
    }
    Ok((payload, consumed, decoder.finished()))
}

#[cfg(test)]
mod tests;
