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
        let mut parts = token.split(|byte| *byte == b'.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let well_formed = |part: &[u8]| {
            !part.is_empty()
                && part
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if parts.next().is_some() || ![header, payload, signature].into_iter().all(well_formed) {
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

/// Without padding; left-over bits must be zero, or one token would have several spellings and a revoked one could
/// come back as another.
fn decode(part: &[u8]) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)
}
