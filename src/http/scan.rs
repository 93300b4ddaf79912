//! Finds the end of a head that arrives in pieces, looking at each byte once.
//!
//! Comes in: the whole buffer so far, again and again. Goes out: the offset after the final CRLF, or a refusal as early
//! as one is certain. It refuses a line feed without its carriage return (RFC 9112 2.2 lets a reader accept it; readers
//! that do and readers that do not see different messages), a first line that cannot be a request line, and heads over
//! the limits. The verdict does not depend on how the bytes were cut into reads.

use super::{HeadLimits, is_token_byte};
use crate::limits::METHOD_BYTES_MAX;

/// What the bytes so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// More bytes are needed.
    Partial,
    /// The head ends before this offset (its final CRLF included).
    Complete(usize),
    /// No further byte can make this a head.
    Refused(ScanError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// A first line that cannot be one.
    Malformed,
    /// A line feed without a carriage return before it.
    LineEnd,
    /// The first line is longer than a target may be: 414.
    TargetTooLong,
    /// The head is longer than allowed: 431.
    HeadTooLong,
}

/// Remembers how far a head has been looked at, so that a byte-by-byte sender costs linear work.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScan {
    /// Bytes before this offset need no second look.
    scanned: usize,
    /// Where the line that is being looked at starts; 0: the first line.
    line_start: usize,
    /// The method ended within its bound, or there is none to look for.
    method_seen: bool,
    /// An answer's head: no rules for method and target.
    response: bool,
}

impl HeadScan {
    /// A scan of an answer's head; `HeadScan::default()` is one of a request's.
    pub fn response() -> Self {
        HeadScan {
            method_seen: true,
            response: true,
            ..HeadScan::default()
        }
    }

    /// Looks at the bytes that are new since the last call. `bytes` is the whole buffer, from the head's first byte.
    pub fn advance(&mut self, bytes: &[u8], limits: &HeadLimits) -> Scan {
        match self.find_end(bytes, limits) {
            Ok(None) => Scan::Partial,
            Ok(Some(end)) => Scan::Complete(end),
            Err(error) => Scan::Refused(error),
        }
    }

    fn find_end(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, ScanError> {
        // The first half of the empty line that may stand before a request (see `leading_crlf`).
        if bytes == b"\r" {
            return Ok(None);
        }
        if !self.method_seen {
            self.method_seen = method_ended(bytes)?;
        }
        let first_line_max = METHOD_BYTES_MAX + limits.target_bytes + " HTTP/1.1 \r\n".len();
        loop {
            let first_line = self.line_start == 0 && !self.response;
            let (bound, error) = if first_line && first_line_max < limits.head_bytes {
                (first_line_max, ScanError::TargetTooLong)
            } else {
                (limits.head_bytes, ScanError::HeadTooLong)
            };
            let window = bytes.get(..bound).unwrap_or(bytes);
            let unseen = window.get(self.scanned..).unwrap_or_default();
            let Some(found) = memchr::memchr(b'\n', unseen) else {
                self.scanned = window.len();
                return if window.len() == bound {
                    Err(error)
                } else {
                    Ok(None)
                };
            };
            let line_feed = self.scanned + found;
            let line = bytes.get(self.line_start..line_feed).unwrap_or_default();
            match line.split_last() {
                Some((b'\r', [])) if self.line_start > 0 => return Ok(Some(line_feed + 1)),
                Some((b'\r', [_, ..])) => {}
                Some((b'\r', [])) => return Err(ScanError::Malformed),
                _ => return Err(ScanError::LineEnd),
            }
            self.scanned = line_feed + 1;
            self.line_start = line_feed + 1;
        }
    }
}

/// Whether the method and its space are here. TLS bytes and other protocols on a plain port fail at their first bytes.
fn method_ended(bytes: &[u8]) -> Result<bool, ScanError> {
    for (at, byte) in bytes.iter().take(METHOD_BYTES_MAX + 1).enumerate() {
        if *byte == b' ' && at > 0 {
            return Ok(true);
        }
        if !is_token_byte(*byte) || at == METHOD_BYTES_MAX {
            return Err(ScanError::Malformed);
        }
    }
    Ok(false)
}

/// How many bytes to drop before a request line: 2 where one empty line stands there (RFC 9112 2.2), else 0. A second
/// empty line is refused by the scan.
pub fn leading_crlf(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\r\n") { 2 } else { 0 }
}

/// Any bytes: the verdict is the same in one piece and byte by byte.
pub fn fuzz_scan(bytes: &[u8]) {
    let limits = HeadLimits {
        head_bytes: 512,
        header_fields: 8,
        target_bytes: 64,
    };
    for start in [HeadScan::default(), HeadScan::response()] {
        let mut at_once = start;
        let mut piecewise = start;
        let whole = at_once.advance(bytes, &limits);
        let pieces = (0..=bytes.len())
            .map(|end| piecewise.advance(bytes.get(..end).unwrap_or_default(), &limits))
            .find(|scan| *scan != Scan::Partial)
            .unwrap_or(Scan::Partial);
        assert_eq!(whole, pieces, "the verdict depends on the reads");
        if let Scan::Complete(end) = whole {
            let head = bytes.get(..end).unwrap_or_default();
            assert!(head.ends_with(b"\r\n\r\n") && end <= limits.head_bytes);
        }
    }
}

#[cfg(test)]
mod tests;
