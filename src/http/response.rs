//! The answer's head: parsed as strictly as a request's (S8).
//!
//! Comes in: the bytes up to and with the empty line, and the method that was asked. Goes out: [`ResponseHead`] and
//! its view [`Response`]. It refuses what a client could frame differently from the edge: a tenant who controls an
//! upstream would put an answer of his own on a connection that others share.

use std::mem::MaybeUninit;

use super::body::Framing;
use super::field::{self, Field, FieldKind, Kinds};
use super::head::{self, Announced, HeadError};
use super::request::Method;
use super::scan::{HeadScan, Scan, ScanError};
use super::{HeadLimits, Span, Version, VersionError, is_text_byte};
use crate::limits::HEADER_FIELDS_MAX;

/// Why an answer is refused: 502, and the upstream connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// Fields, framing or line ends.
    Head(HeadError),
    /// The first line is not version, status and reason with one space between.
    StatusLine,
    /// Not three digits, or outside 100 to 599.
    Status,
    VersionMalformed,
    VersionUnsupported,
    /// A transfer coding where the status allows no body (RFC 9112 6.1).
    CodingWithoutBody,
}

impl ResponseError {
    /// The stable name for logs.
    pub fn reason(self) -> &'static str {
        match self {
            ResponseError::Head(error) => error.reason(),
            ResponseError::StatusLine => "bad_status_line",
            ResponseError::Status => "bad_status",
            ResponseError::VersionMalformed => "version_malformed",
            ResponseError::VersionUnsupported => "version_unsupported",
            ResponseError::CodingWithoutBody => "coding_without_body",
        }
    }
}

impl From<HeadError> for ResponseError {
    fn from(error: HeadError) -> Self {
        ResponseError::Head(error)
    }
}

impl From<ScanError> for ResponseError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Malformed | ScanError::LineEnd => ResponseError::Head(HeadError::LineEnd),
            ScanError::TargetTooLong | ScanError::HeadTooLong => {
                ResponseError::Head(HeadError::TooLong)
            }
        }
    }
}

impl From<VersionError> for ResponseError {
    fn from(error: VersionError) -> Self {
        match error {
            VersionError::Malformed => ResponseError::VersionMalformed,
            VersionError::Unsupported => ResponseError::VersionUnsupported,
        }
    }
}

/// One answer's head. Its storage is used from answer to answer.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    pub version: Version,
    pub status: u16,
    pub reason: Span,
    pub fields: Vec<Field>,
    /// Those of the fields.
    pub kinds: Kinds,
    pub framing: Framing,
    /// The upstream keeps the connection after this answer.
    pub persistent: bool,
}

impl Default for ResponseHead {
    fn default() -> Self {
        ResponseHead::new()
    }
}

impl ResponseHead {
    pub fn new() -> Self {
        ResponseHead {
            version: Version::Http11,
            status: 0,
            reason: Span::default(),
            fields: Vec::new(),
            kinds: Kinds::default(),
            framing: Framing::None,
            persistent: false,
        }
    }

    /// Parses `head`, the answer to a request with `request_method`. After an error nothing of it, or of an earlier
    /// answer, is left.
    pub fn parse(
        &mut self,
        head: &[u8],
        request_method: Method,
        limits: &HeadLimits,
    ) -> Result<(), ResponseError> {
        if head.len() > limits.head_bytes {
            self.clear();
            return Err(HeadError::TooLong.into());
        }
        if let Err(error) = self.read(head, request_method, limits, true) {
            self.clear();
            // Where lines are in doubt, so is what stands in them.
            head::line_ends(head)?;
            return Err(error);
        }
        Ok(())
    }

    /// As [`RequestHead::parse_at_once`](super::request::RequestHead::parse_at_once), for an answer.
    pub fn parse_at_once(
        &mut self,
        bytes: &[u8],
        request_method: Method,
        limits: &HeadLimits,
    ) -> Option<usize> {
        let length = self.read(bytes, request_method, limits, false).ok();
        let length = length.filter(|length| *length <= limits.head_bytes);
        if length.is_none() {
            self.clear();
        }
        length
    }

    fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = ResponseHead {
            fields,
            ..ResponseHead::new()
        };
    }

    /// Reads the head that `bytes` begin with, or are (`alone`); answers its length.
    fn read(
        &mut self,
        bytes: &[u8],
        request_method: Method,
        limits: &HeadLimits,
        alone: bool,
    ) -> Result<usize, ResponseError> {
        self.clear();
        self.read_line(head::first_line(bytes)?)?;

        let mut storage = [const { MaybeUninit::uninit() }; HEADER_FIELDS_MAX];
        let allowed = limits.header_fields.min(HEADER_FIELDS_MAX);
        let mut parsed = httparse::Response::new(&mut []);
        let status = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(
                &mut parsed,
                bytes,
                storage.get_mut(..allowed).unwrap_or_default(),
            )
            .map_err(HeadError::from)?;
        let head = head::whole(status, bytes, alone)?;
        self.kinds = head::collect(head, parsed.headers, &mut self.fields)?;

        let options = head::nominate(head, &mut self.fields, self.kinds)?;
        let announced = head::announced(head, &self.fields, self.kinds, self.version)?;
        let bare_status = self.status < 200 || self.status == 204;
        if bare_status && announced == Announced::Chunked {
            return Err(ResponseError::CodingWithoutBody);
        }
        // RFC 9112 6.3 rule 1: these have no body, whatever their fields say about one.
        let bodiless = bare_status || self.status == 304 || request_method == Method::Head;
        self.framing = if bodiless {
            Framing::None
        } else {
            announced.framing(Framing::UntilClose)
        };
        self.persistent = options.persistent(self.version) && self.framing != Framing::UntilClose;
        Ok(head.len())
    }

    /// Version, status, reason (RFC 9112 4). The space before an empty reason may be missing, as many servers have
    /// it: nobody frames that differently.
    fn read_line(&mut self, line: &[u8]) -> Result<(), ResponseError> {
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let (Some(version), Some(status)) = (parts.next(), parts.next()) else {
            return Err(ResponseError::StatusLine);
        };
        let reason = parts.next().unwrap_or_default();
        self.version = Version::parse(version)?;
        let [
            hundreds @ b'1'..=b'5',
            tens @ b'0'..=b'9',
            ones @ b'0'..=b'9',
        ] = status
        else {
            return Err(ResponseError::Status);
        };
        self.status = [hundreds, tens, ones]
            .into_iter()
            .fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
        if !reason.iter().copied().all(is_text_byte) {
            return Err(ResponseError::StatusLine);
        }
        let end = u32::try_from(line.len()).map_err(|_| ResponseError::StatusLine)?;
        let length = u32::try_from(reason.len()).map_err(|_| ResponseError::StatusLine)?;
        self.reason = Span {
            start: end - length,
            end,
        };
        Ok(())
    }
}

/// A parsed head together with the bytes it was parsed from: the one view of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    pub bytes: &'a [u8],
    pub head: &'a ResponseHead,
}

impl<'a> Response<'a> {
    pub fn reason(&self) -> &'a [u8] {
        self.head.reason.of(self.bytes)
    }

    pub fn name(&self, field: &Field) -> &'a [u8] {
        field.name.of(self.bytes)
    }

    pub fn value(&self, field: &Field) -> &'a [u8] {
        field.value.of(self.bytes)
    }

    /// The values of all fields of one kind, in order.
    pub fn values(&self, kind: FieldKind) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        field::values(self.bytes, &self.head.fields, self.head.kinds, kind)
    }

    /// The values of all fields called `name` in any case, in order: for names without a kind of their own.
    pub fn values_named<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        field::values_named(self.bytes, &self.head.fields, name)
    }
}

/// Any bytes: an accepted answer, written anew from its spans, is accepted again and means the same.
pub fn fuzz_response(bytes: &[u8]) {
    let limits = HeadLimits {
        head_bytes: 4096,
        header_fields: 32,
        target_bytes: 1024,
    };
    for method in [Method::Get, Method::Head] {
        fuzz_at_once(bytes, method, &limits);
        let mut head = ResponseHead::new();
        if head.parse(bytes, method, &limits).is_err() {
            assert!(
                head.fields.is_empty(),
                "nothing is left of a refused answer"
            );
            continue;
        }
        let view = Response { bytes, head: &head };
        let mut written = format!("HTTP/1.{} {} ", head.version as u8, head.status).into_bytes();
        written.extend_from_slice(view.reason());
        written.extend_from_slice(b"\r\n");
        head::write_fields(&mut written, bytes, &head.fields);
        let mut again = ResponseHead::new();
        let result = again.parse(
            &written,
            method,
            &HeadLimits {
                head_bytes: 8192,
                ..limits
            },
        );
        assert_eq!(result, Ok(()), "parse, write, parse agrees");
        assert_eq!(
            (
                again.status,
                again.framing,
                again.persistent,
                again.fields.len()
            ),
            (
                head.status,
                head.framing,
                head.persistent,
                head.fields.len()
            ),
        );
    }
}

/// One look finds what the scan and the parse find together, whatever follows the head.
fn fuzz_at_once(bytes: &[u8], method: Method, limits: &HeadLimits) {
    let mut head = ResponseHead::new();
    let expected = match HeadScan::response().advance(bytes, limits) {
        Scan::Complete(length) => {
            let found = bytes.get(..length).unwrap_or_default();
            head.parse(found, method, limits).ok().map(|()| length)
        }
        Scan::Partial | Scan::Refused(_) => None,
    };
    let mut at_once = ResponseHead::new();
    assert_eq!(at_once.parse_at_once(bytes, method, limits), expected);
    assert_eq!(format!("{at_once:?}"), format!("{head:?}"));
}

#[cfg(test)]
mod tests;
