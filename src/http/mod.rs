//! HTTP/1.1 as bytes: heads, targets, hosts, body framing. Pure: no sockets, no clock.
//!
//! Owns: the one parse of a request and of an answer. Bytes come in, spans into the same bytes go out; policy, log and
//! forwarding read the same spans. Refuses whatever two readers could read differently (security S1).
//!
//! ```text
//! bytes -> scan::HeadScan -> request::RequestHead -> { method, target, host, fields, framing }
//!            end of head       head, common to both      |              |        |
//!                            response::ResponseHead   path::judge    field    body::BodyDecoder
//! ```

pub mod auth_scheme;
pub mod body;
pub mod chunk;
pub mod field;
pub mod head;
pub mod host;
pub mod path;
pub mod path_boundary;
pub mod request;
pub mod response;
pub mod scan;
pub mod target;
pub mod trace_context;
pub mod websocket;

mod compatibility;

use crate::limits::Limits;

/// A range of bytes within one head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The bytes of this span within the head it was made for; empty if the head is shorter than it.
    pub fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// The bounds of one head, request or answer alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Longest head with its final empty line, in bytes.
    pub head_bytes: usize,
    /// Most field lines.
    pub header_fields: usize,
    /// Longest request target, in bytes.
    pub target_bytes: usize,
}

impl From<&Limits> for HeadLimits {
    fn from(limits: &Limits) -> Self {
        HeadLimits {
            head_bytes: limits.head_bytes,
            header_fields: limits.header_fields,
            target_bytes: limits.target_bytes,
        }
    }
}

/// The two versions that are spoken (RFC 9112 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Http10,
    Http11,
}

/// Why a version is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionError {
    /// Not `HTTP/` digit `.` digit in this case (RFC 9112 2.3).
    Malformed,
    /// Well-formed, and neither 1.0 nor 1.1.
    Unsupported,
}

impl Version {
    pub fn parse(bytes: &[u8]) -> Result<Self, VersionError> {
        match bytes {
            b"HTTP/1.1" => Ok(Version::Http11),
            b"HTTP/1.0" => Ok(Version::Http10),
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                Err(VersionError::Unsupported)
            }
            _ => Err(VersionError::Malformed),
        }
    }
}

/// Whether `byte` may stand in a token: methods, field names, connection options (RFC 9110 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether `byte` may stand in a field value or a quoted string: no control but the tab (RFC 9110 5.5).
pub(crate) fn is_text_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=0x7e | 0x80..)
}

/// Whether `good` holds for every byte and the one behind it; behind the last stands a letter. `good` branches nowhere, so
/// that a block of bytes takes hardly longer than one.
pub(crate) fn every_pair(bytes: &[u8], good: impl Fn(u8, u8) -> bool) -> bool {
    const BLOCK: usize = 16;
    let all_good = |block: &[u8; BLOCK + 1]| {
        let ([ones @ .., _], [_, nexts @ ..]) = (block, block);
        let pairs = ones.iter().zip(nexts);
        pairs.fold(true, |all, (one, next)| all & good(*one, *next))
    };
    let mut rest = bytes;
    while let Some(block) = rest.first_chunk() {
        if !all_good(block) {
            return false;
        }
        rest = rest.get(BLOCK..).unwrap_or_default();
    }
    let mut last = [b'a'; BLOCK + 1];
    if let Some(start) = last.get_mut(..rest.len()) {
        start.copy_from_slice(rest);
    }
    all_good(&last)
}

/// `bytes` without the spaces and tabs around it (`OWS`, RFC 9110 5.6.3). No other white space counts.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().take_while(|byte| blank(byte)).count();
    let rest = bytes.get(start..).unwrap_or_default();
    let end = rest.iter().rev().take_while(|byte| blank(byte)).count();
    rest.get(..rest.len() - end).unwrap_or_default()
}

/// The decimal digits of a number.
pub fn decimal(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = number;
    let mut start = digits.len();
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start = index;
        if rest == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_in_every_place() {
        for length in 0..70 {
            let mut bytes = vec![b'.'; length];
            assert!(every_pair(&bytes, |one, next| one == b'.' || next == b'a'));
            for at in 0..length {
                bytes[at] = b'x';
                assert!(!every_pair(&bytes, |one, _| one == b'.'));
                assert!(!every_pair(&bytes, |one, next| one != b'x' || next == b'x'));
                assert_eq!(every_pair(&bytes, |_, next| next != b'x'), at == 0);
                bytes[at] = b'.';
            }
        }
    }

    #[test]
    fn numbers() {
        for number in [0, 7, 10, 65_535, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
