//! The lines of a chunked body (RFC 9112 7.1): sizes, extensions, trailers, one byte at a time.
//!
//! Comes in: bytes that are not payload. Goes out: the size of the next chunk, or the end of the body. Extensions
//! are checked against their grammar and dropped; so are trailers, unless they are asked for. It refuses bare CR and LF above all: a reader that ends an
//! extension at a bare LF finds another chunk, and in it another request, in the same bytes.

use arrayvec::ArrayVec;

use super::field::{KNOWN_NAME_BYTES, classify, passes_as_trailer};
use super::{is_text_byte, is_token_byte};
use crate::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};

/// Largest chunk: a reader with signed sizes agrees up to here.
const CHUNK_BYTES_MAX: u64 = i64::MAX as u64;
/// Most digits of a chunk size, leading zeros counted.
const SIZE_DIGITS_MAX: u8 = 16;

/// Why the lines of a chunked body are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkError {
    /// No hex digit where a size must be, or another byte after it.
    Size,
    /// More than sixteen digits, or more than 2^63 - 1.
    SizeTooLarge,
    Extension,
    /// Size and extension are longer than `CHUNK_LINE_BYTES_MAX`.
    LineTooLong,
    /// Not exactly CRLF at the end of a line or of a chunk.
    LineEnd,
    /// A trailer with a bad name or value, or a folded one.
    Trailer,
    /// A trailer that frames, routes or authenticates.
    TrailerName,
    /// The section is longer than `TRAILER_BYTES_MAX`.
    TrailersTooLong,
}

impl ChunkError {
    /// The stable name for logs.
    pub fn reason(self) -> &'static str {
        match self {
            ChunkError::Size => "bad_chunk_size",
            ChunkError::SizeTooLarge => "chunk_too_large",
            ChunkError::Extension => "bad_chunk_extension",
            ChunkError::LineTooLong => "chunk_line_too_long",
            ChunkError::LineEnd => "bad_chunk_line_end",
            ChunkError::Trailer => "bad_trailer",
            ChunkError::TrailerName => "forbidden_trailer",
            ChunkError::TrailersTooLong => "trailers_too_long",
        }
    }
}

/// What the bytes so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All bytes were read and the line goes on.
    More,
    /// This many bytes of payload follow.
    Data(u64),
    /// The body ended.
    End,
    Refused(ChunkError),
}

/// One chunk line, or the last one with the trailer section.
#[derive(Clone, Debug)]
pub(super) struct ChunkLine {
    place: Place,
    size: u64,
    /// Bytes of this line, or of the trailer section.
    length: usize,
    /// The beginning of a trailer's name: as much as tells the names that are refused.
    name: ArrayVec<u8, KNOWN_NAME_BYTES>,
    /// Whole trailer lines that may pass, and the one being read; `None` where none is wanted.
    kept: Option<Vec<u8>>,
    /// Where in `kept` the line being read begins.
    line_start: usize,
}

/// Where in the grammar the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    DataCr,
    DataLf,
    /// After this many digits.
    Size(u8),
    /// Blanks were read; only a `;` makes them legal.
    BeforeExtension,
    BeforeName,
    Name,
    /// Blanks after a name: `=` or `;` must follow.
    AfterName,
    BeforeValue,
    Value,
    Quoted,
    QuotedPair,
    AfterQuoted,
    SizeLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    FinalLf,
}

impl ChunkLine {
    /// The line before the first chunk.
    pub(super) fn first(keeps_trailers: bool) -> Self {
        ChunkLine::at(Place::Size(0), keeps_trailers)
    }

    /// The CRLF after a chunk's payload, then the next line.
    pub(super) fn after_data(keeps_trailers: bool) -> Self {
        ChunkLine::at(Place::DataCr, keeps_trailers)
    }

    /// The trailer lines that may pass, each with its CRLF; empty before the end, and where none was wanted.
    pub(super) fn take_trailers(&mut self) -> Vec<u8> {
        self.kept.take().unwrap_or_default()
    }

    fn at(place: Place, keeps_trailers: bool) -> Self {
        ChunkLine {
            place,
            size: 0,
            length: 0,
            name: ArrayVec::new(),
            // Allocates nothing before the first trailer.
            kept: keeps_trailers.then(Vec::new),
            line_start: 0,
        }
    }

    /// Reads until payload or the end begins, or all bytes are read; gives how many were.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> (usize, Step) {
        for (at, byte) in bytes.iter().enumerate() {
            match self.step(*byte) {
                Ok(Step::More) => {}
                Ok(step) => return (at + 1, step),
                Err(error) => return (at, Step::Refused(error)),
            }
        }
        (bytes.len(), Step::More)
    }

    fn step(&mut self, byte: u8) -> Result<Step, ChunkError> {
        self.length += 1;
        self.place = match self.place {
            Place::DataCr if byte == b'\r' => Place::DataLf,
            Place::DataLf if byte == b'\n' => {
                self.length = 0;
                Place::Size(0)
            }
            Place::DataCr | Place::DataLf => return Err(ChunkError::LineEnd),
            Place::SizeLf if byte == b'\n' => {
                if self.size > 0 {
                    return Ok(Step::Data(self.size));
                }
                self.length = 0;
                Place::TrailerStart
            }
            Place::FinalLf if byte == b'\n' => return Ok(Step::End),
            Place::TrailerLf if byte == b'\n' => {
                self.end_trailer();
                Place::TrailerStart
            }
            Place::SizeLf | Place::FinalLf | Place::TrailerLf => return Err(ChunkError::LineEnd),
            Place::Size(digits) => self.size_byte(digits, byte)?,
            Place::TrailerStart | Place::TrailerName | Place::TrailerValue => {
                self.trailer_byte(byte)?
            }
            Place::BeforeExtension
            | Place::BeforeName
            | Place::Name
            | Place::AfterName
            | Place::BeforeValue
            | Place::Value
            | Place::Quoted
            | Place::QuotedPair
            | Place::AfterQuoted => self.extension_byte(byte)?,
        };
        Ok(Step::More)
    }

    /// `chunk-size = 1*HEXDIG`.
    fn size_byte(&mut self, digits: u8, byte: u8) -> Result<Place, ChunkError> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            if digits == SIZE_DIGITS_MAX || self.size > CHUNK_BYTES_MAX >> 4 {
                return Err(ChunkError::SizeTooLarge);
            }
            self.size = self.size << 4 | u64::from(digit);
            return Ok(Place::Size(digits + 1));
        }
        match byte {
            _ if digits == 0 => Err(ChunkError::Size),
            b'\r' => Ok(Place::SizeLf),
            b';' => Ok(Place::BeforeName),
            b' ' | b'\t' => Ok(Place::BeforeExtension),
            b'\n' => Err(ChunkError::LineEnd),
            _ => Err(ChunkError::Size),
        }
    }

    /// `chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )` (RFC 9112 7.1.1).
    fn extension_byte(&self, byte: u8) -> Result<Place, ChunkError> {
        if self.length > CHUNK_LINE_BYTES_MAX {
            return Err(ChunkError::LineTooLong);
        }
        let token = is_token_byte(byte);
        let place = match (self.place, byte) {
            (Place::BeforeExtension, b' ' | b'\t') => Place::BeforeExtension,
            (Place::BeforeExtension, b';') => Place::BeforeName,

            (Place::BeforeName, b' ' | b'\t') => Place::BeforeName,
            (Place::BeforeName | Place::Name, _) if token => Place::Name,
            (Place::Name | Place::AfterName, b' ' | b'\t') => Place::AfterName,
            (Place::Name | Place::AfterName, b'=') => Place::BeforeValue,
            (Place::Name | Place::AfterName, b';') => Place::BeforeName,
            (Place::Name, b'\r') => Place::SizeLf,

            (Place::BeforeValue, b' ' | b'\t') => Place::BeforeValue,
            (Place::BeforeValue, b'"') => Place::Quoted,
            (Place::BeforeValue | Place::Value, _) if token => Place::Value,
            (Place::Quoted, b'"') => Place::AfterQuoted,
            (Place::Quoted, b'\\') => Place::QuotedPair,
            (Place::Quoted | Place::QuotedPair, _) if is_text_byte(byte) => Place::Quoted,

            (Place::Value | Place::AfterQuoted, b' ' | b'\t') => Place::BeforeExtension,
            (Place::Value | Place::AfterQuoted, b';') => Place::BeforeName,
            (Place::Value | Place::AfterQuoted, b'\r') => Place::SizeLf,
            _ => return Err(ChunkError::Extension),
        };
        Ok(place)
    }

    /// `trailer-section = *( field-line CRLF )`, by the rules of a head's fields.
    fn trailer_byte(&mut self, byte: u8) -> Result<Place, ChunkError> {
        if self.length > TRAILER_BYTES_MAX {
            return Err(ChunkError::TrailersTooLong);
        }
        let place = self.trailer_place(byte)?;
        if let Some(kept) = &mut self.kept
            && matches!(place, Place::TrailerName | Place::TrailerValue)
        {
            kept.push(byte);
        }
        Ok(place)
    }

    /// Keeps the line that has ended, if its name may pass.
    fn end_trailer(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        if passes_as_trailer(&self.name) {
            kept.extend_from_slice(b"\r\n");
            self.line_start = kept.len();
        } else {
            kept.truncate(self.line_start);
        }
    }

    fn trailer_place(&mut self, byte: u8) -> Result<Place, ChunkError> {
        match (self.place, byte) {
            (Place::TrailerStart, b'\r') => Ok(Place::FinalLf),
            (Place::TrailerStart, _) if is_token_byte(byte) => {
                self.name.clear();
                self.name.push(byte);
                Ok(Place::TrailerName)
            }
            (Place::TrailerName, b':') if classify(&self.name).refused_in_trailers() => {
                Err(ChunkError::TrailerName)
            }
            (Place::TrailerName, b':') => Ok(Place::TrailerValue),
            (Place::TrailerName, _) if is_token_byte(byte) => {
                // What does not fit makes no difference: every refused name is shorter.
                let _ = self.name.try_push(byte);
                Ok(Place::TrailerName)
            }
            (Place::TrailerValue, b'\r') => Ok(Place::TrailerLf),
            (Place::TrailerValue, _) if is_text_byte(byte) => Ok(Place::TrailerValue),
            (_, b'\n') => Err(ChunkError::LineEnd),
            _ => Err(ChunkError::Trailer),
        }
    }
}
