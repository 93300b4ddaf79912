//! One signed object of another party that is no proof of a request: its header first, its claims after the signature.

use super::TokenError;
use super::compact::Compact;
use super::key::{Algorithm, VerifyingKey};
use crate::json::Json;

/// A JWS in compact form (RFC 7515 7.1) whose header is good. Nothing that it claims is known yet.
#[derive(Debug)]
pub struct Jws<'a> {
    compact: Compact<'a>,
    algorithm: Algorithm,
    kid: Option<String>,
}

impl<'a> Jws<'a> {
    /// Reads the header. `types`: what its `typ` may be, if it has one.
    pub fn parse(
        token: &'a [u8],
        bytes_max: usize,
        algorithms: &[Algorithm],
        types: &[&str],
    ) -> Result<Self, TokenError> {
        if token.len() > bytes_max {
            return Err(TokenError::TooLong);
        }
        let compact = Compact::split_any(token).ok_or(TokenError::Malformed)?;
        let header = compact.header()?;
        let header = header.as_object().ok_or(TokenError::BadHeader)?;
        let (algorithm, kid) = named_key(header, algorithms, types)?;
        Ok(Jws {
            compact,
            algorithm,
            kid: kid.map(str::to_owned),
        })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What it calls its key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What it claims, once this key is found to have signed it.
    pub fn claims(&self, key: &VerifyingKey) -> Result<Vec<(String, Json)>, TokenError> {
        if key.algorithm() != self.algorithm {
            return Err(TokenError::BadAlgorithm);
        }
        if !key.verifies(self.compact.signed, &self.compact.signature()?) {
            return Err(TokenError::BadSignature);
        }
        if let Json::Object(members) = self.compact.payload()? {
            Ok(members)
        } else {
            Err(TokenError::Malformed)
        }
    }
}

/// Which key a header asks for.
pub(super) fn named_key<'a>(
    header: &'a [(String, Json)],
    algorithms: &[Algorithm],
    types: &[&str],
) -> Result<(Algorithm, Option<&'a str>), TokenError> {
    let (mut algorithm, mut kid) = (None, None);
    for (name, value) in header {
        match name.as_str() {
            "alg" => algorithm = value.as_str().and_then(Algorithm::parse),
            "kid" => kid = Some(value.as_str().ok_or(TokenError::BadHeader)?),
            "typ" if !value.as_str().is_some_and(|typ| types.contains(&typ)) => {
                return Err(TokenError::BadHeader);
            }
            "crit" => return Err(TokenError::CriticalHeader),
            // `jwk`, `jku`, `x5u`, `x5c` would let the sender choose the key: they are never read.
            _ => {}
        }
    }
    let algorithm = algorithm.filter(|named| algorithms.contains(named));
    Ok((algorithm.ok_or(TokenError::BadAlgorithm)?, kid))
}
