//! What a request's head and an answer's head have in common: lines, field lines, framing, connection options.
//!
//! Comes in: the bytes of one head up to and with its empty line. Goes out: the first line, the fields as spans, the
//! announced framing. It refuses what readers frame differently (RFC 9112 11): bare CR or LF, folded lines, white space
//! before a colon, lengths that are repeated, signed or listed, a length beside a coding, any coding but one `chunked`.

use httparse::Header;

use super::body::Framing;
use super::field::{Field, FieldKind, Kinds, classify, same_name};
use super::{Span, Version, is_token_byte, trim};
use crate::limits::CONNECTION_OPTIONS_MAX;

/// Why a head is refused, whichever side sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// More bytes than `head_bytes`.
    TooLong,
    /// More field lines than `header_fields`.
    TooManyFields,
    /// A CR without LF, an LF without CR, or no empty line exactly at the end.
    LineEnd,
    /// A name that is empty, no token, or followed by white space; a folded line.
    FieldName,
    /// NUL or another control in a value.
    FieldValue,
    /// A framing or routing field spelt with `_`.
    UnderscoreName,
    /// `Content-Length` repeated, listed, signed, too large, or no number.
    ContentLength,
    /// Any coding but one final `chunked`, several fields, or a coding where there can be none.
    TransferEncoding,
    /// `Content-Length` and `Transfer-Encoding` in one head.
    LengthAndCoding,
    /// `Connection` is no list of tokens, or one too long.
    Connection,
    /// `Connection` names a field that may not be dropped on the way (S3.3).
    ConnectionNames,
}

impl HeadError {
    /// The stable name for logs.
    pub fn reason(self) -> &'static str {
        match self {
            HeadError::TooLong => "head_too_long",
            HeadError::TooManyFields => "too_many_fields",
            HeadError::LineEnd => "bad_line_end",
            HeadError::FieldName => "bad_field_name",
            HeadError::FieldValue => "bad_field_value",
            HeadError::UnderscoreName => "underscore_field_name",
            HeadError::ContentLength => "bad_content_length",
            HeadError::TransferEncoding => "bad_transfer_encoding",
            HeadError::LengthAndCoding => "length_and_coding",
            HeadError::Connection => "bad_connection",
            HeadError::ConnectionNames => "connection_names_protected",
        }
    }
}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::HeaderName => HeadError::FieldName,
            httparse::Error::HeaderValue => HeadError::FieldValue,
            httparse::Error::TooManyHeaders => HeadError::TooManyFields,
            // The first line was checked before; what is left is about line ends.
            httparse::Error::NewLine
            | httparse::Error::Status
            | httparse::Error::Token
            | httparse::Error::Version => HeadError::LineEnd,
        }
    }
}

/// The first line without its CRLF.
pub(super) fn first_line(head: &[u8]) -> Result<&[u8], HeadError> {
    memchr::memchr(b'\n', head)
        .and_then(|line_feed| head.get(..line_feed)?.strip_suffix(b"\r"))
        .ok_or(HeadError::LineEnd)
}

/// Whether all CR and LF of `head` stand in pairs, and an empty line is at its end. A head that parses needs no such look
/// (see [`collect`]); of one that does not, this is the first thing to be said.
pub(super) fn line_ends(head: &[u8]) -> Result<(), HeadError> {
    let paired = |at: usize| match head.get(at) {
        Some(b'\r') => head.get(at + 1) == Some(&b'\n'),
        _ => at.checked_sub(1).and_then(|before| head.get(before)) == Some(&b'\r'),
    };
    if head.ends_with(b"\r\n\r\n") && memchr::memchr2_iter(b'\r', b'\n', head).all(paired) {
        Ok(())
    } else {
        Err(HeadError::LineEnd)
    }
}

/// The head that `bytes` begin with, if all of it is there and its last lines end in CRLF. `alone`: nothing may follow it,
/// since that would be read as another message.
pub(super) fn whole(
    status: httparse::Status<usize>,
    bytes: &[u8],
    alone: bool,
) -> Result<&[u8], HeadError> {
    let head = match status {
        httparse::Status::Complete(end) if alone && end != bytes.len() => None,
        httparse::Status::Complete(end) => bytes.get(..end),
        httparse::Status::Partial => None,
    };
    head.filter(|head| head.ends_with(b"\r\n\r\n"))
        .ok_or(HeadError::LineEnd)
}

/// Turns the found headers into `fields`; answers what kinds there are.
///
/// httparse takes a bare LF for a line end, and CR or LF for nothing else. So each line feed but the last two stands before
/// one of the headers, and those have their CR where [`first_line`], [`whole`] and this found it.
pub(super) fn collect(
    head: &[u8],
    headers: &[Header<'_>],
    fields: &mut Vec<Field>,
) -> Result<Kinds, HeadError> {
    if u32::try_from(head.len()).is_err() {
        return Err(HeadError::TooLong);
    }
    let mut kinds = Kinds::default();
    for header in headers {
        let name = span_within(head, header.name.as_bytes()).ok_or(HeadError::FieldName)?;
        let before = (name.start as usize).checked_sub(2);
        if before.and_then(|before| head.get(before)) != Some(&b'\r') {
            return Err(HeadError::LineEnd);
        }
        let kind = classify(header.name.as_bytes());
        if kind.frames_or_routes() && header.name.bytes().any(|byte| byte == b'_') {
            return Err(HeadError::UnderscoreName);
        }
        kinds.insert(kind);
        fields.push(Field {
            name,
            value: span_within(head, header.value).ok_or(HeadError::FieldValue)?,
            kind,
            nominated: false,
        });
    }
    Ok(kinds)
}

/// Where `part` lies in `head`, which is shorter than 4 GiB.
fn span_within(head: &[u8], part: &[u8]) -> Option<Span> {
    let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    let behind = head.len().checked_sub(start)?;
    (part.len() <= behind).then_some(Span {
        start: start as u32,
        end: (start + part.len()) as u32,
    })
}

/// What the fields say about the body (RFC 9112 6.1 to 6.3), before method and status have a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    Nothing,
    Length(u64),
    Chunked,
}

impl Announced {
    /// The framing of a body that may be there; `nothing` stands for a head that says nothing.
    pub(super) fn framing(self, nothing: Framing) -> Framing {
        match self {
            Announced::Nothing => nothing,
            Announced::Length(0) => Framing::None,
            Announced::Length(length) => Framing::Length(length),
            Announced::Chunked => Framing::Chunked,
        }
    }
}

/// Reads `Content-Length` and `Transfer-Encoding`.
pub(super) fn announced(
    head: &[u8],
    fields: &[Field],
    kinds: Kinds,
    version: Version,
) -> Result<Announced, HeadError> {
    if !kinds.contains(FieldKind::ContentLength) && !kinds.contains(FieldKind::TransferEncoding) {
        return Ok(Announced::Nothing);
    }
    let mut length = None;
    let mut coding = None;
    for field in fields {
        if field.kind == FieldKind::ContentLength {
            // Repeated with the same value is refused as well: RFC 9110 8.6 lets us, and nobody needs it.
            if length.replace(field.value).is_some() {
                return Err(HeadError::ContentLength);
            }
        } else if field.kind == FieldKind::TransferEncoding && coding.replace(field.value).is_some()
        {
            return Err(HeadError::TransferEncoding);
        }
    }
    match (length, coding) {
        (None, None) => Ok(Announced::Nothing),
        (Some(_), Some(_)) => Err(HeadError::LengthAndCoding),
        (Some(length), None) => number(length.of(head))
            .map(Announced::Length)
            .ok_or(HeadError::ContentLength),
        // A 1.0 reader does not know codings and would take the chunk lines for the body (RFC 9112 6.1).
        (None, Some(coding))
            if version == Version::Http11 && coding.of(head).eq_ignore_ascii_case(b"chunked") =>
        {
            Ok(Announced::Chunked)
        }
        (None, Some(_)) => Err(HeadError::TransferEncoding),
    }
}

/// Digits alone, at most 2^63 - 1: a reader with signed lengths agrees.
pub(super) fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 {
        return None;
    }
    let mut number: u64 = 0;
    for digit in value {
        if !digit.is_ascii_digit() {
            return None;
        }
        // Nineteen digits stay below 10^19, which a u64 holds.
        number = number * 10 + u64::from(digit - b'0');
    }
    (number <= i64::MAX as u64).then_some(number)
}

/// The two options that speak of the connection itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub close: bool,
    pub keep_alive: bool,
}

impl Options {
    /// Whether the sender keeps the connection (RFC 9112 9.3).
    pub(super) fn persistent(self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }
}

/// Reads all `Connection` fields and marks the fields they nominate.
pub(super) fn nominate(
    head: &[u8],
    fields: &mut [Field],
    kinds: Kinds,
) -> Result<Options, HeadError> {
    let mut options = Options::default();
    if !kinds.contains(FieldKind::Connection) {
        return Ok(options);
    }
    let mut count = 0;
    for index in 0..fields.len() {
        let value = match fields.get(index) {
            Some(field) if field.kind == FieldKind::Connection => field.value.of(head),
            _ => continue,
        };
        for option in value.split(|byte| *byte == b',').map(trim) {
            count += 1;
            if count > CONNECTION_OPTIONS_MAX || !option.iter().copied().all(is_token_byte) {
                return Err(HeadError::Connection);
            }
            let kind = classify(option);
            if kind.refused_in_connection() {
                return Err(HeadError::ConnectionNames);
            }
            options.close |= option.eq_ignore_ascii_case(b"close");
            options.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            for field in fields.iter_mut() {
                // Names that are one are of one kind.
                field.nominated |= field.kind == kind && same_name(field.name.of(head), option);
            }
        }
    }
    Ok(options)
}

/// Field lines and the empty line, as the fuzz entries write a parsed head anew.
pub(super) fn write_fields(written: &mut Vec<u8>, head: &[u8], fields: &[Field]) {
    for field in fields {
        written.extend_from_slice(field.name.of(head));
        written.extend_from_slice(b": ");
        written.extend_from_slice(field.value.of(head));
        written.extend_from_slice(b"\r\n");
    }
    written.extend_from_slice(b"\r\n");
}
