//! The compact form of a JWS (RFC 7515 7.1): three base64url parts, read in the one canonical way.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::TokenError;
use crate::json::{self, Json};
use crate::limits::TOKEN_BYTES_MAX;

/// A token taken apart; nothing is decoded yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compact<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
    /// What the signature covers: the first two parts with their dot.
    pub(super) signed: &'a [u8],
}

impl<'a> Compact<'a> {
    pub(super) fn split(token: &'a [u8]) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        Self::split_any(token).ok_or(TokenError::Malformed)
    }

    /// Of any length: exactly three parts, none empty, of base64url characters only.
    pub(super) fn split_any(token: &'a [u8]) -> Option<Self> {
        let (header, rest) = split_once(token)?;
        let (payload, signature) = split_once(rest)?;
        let well_formed = |part: &[u8]| !part.is_empty() && is_base64url(part);
        if ![header, payload, signature].into_iter().all(well_formed) {
            return None;
        }
        Some(Compact {
            header,
            payload,
            signature,
            signed: token.get(..header.len() + 1 + payload.len())?,
        })
    }

    pub(super) fn header(&self) -> Result<Json, TokenError> {
        Ok(json::parse(&self.header_bytes()?)?)
    }

    pub(super) fn payload(&self) -> Result<Json, TokenError> {
        Ok(json::parse(&self.payload_bytes()?)?)
    }

    pub(super) fn header_bytes(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.header)
    }

    pub(super) fn payload_bytes(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.payload)
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.signature)
    }
}

/// What stands before and after the first dot.
fn split_once(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = memchr::memchr(b'.', bytes)?;
    Some((bytes.get(..dot)?, bytes.get(dot + 1..)?))
}

/// Looks at every byte whatever those before it were, so that the compiler takes many at once.
fn is_base64url(part: &[u8]) -> bool {
    part.iter().fold(true, |all, &byte| {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let is_digit = byte.wrapping_sub(b'0') < 10;
        all & (is_letter | is_digit | (byte == b'-') | (byte == b'_'))
    })
}

/// Without padding; left-over bits must be zero, or one token would have several spellings and a revoked one could
/// come back as another.
fn decode(part: &[u8]) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::is_base64url;

    /// RFC 4648, table 2.
    #[test]
    fn the_alphabet_is_the_one_of_base64url() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        assert!(is_base64url(alphabet));
        for byte in 0..=u8::MAX {
            let mut part = [b'A'; 100];
            part[70] = byte;
            assert_eq!(is_base64url(&part), alphabet.contains(&byte), "{byte}");
        }
    }
}
