//! Tokens: compact JWS in, what they allow out.
//!
//! Owns: verification ([`verify()`]), the verified-token cache of one core ([`TokenCache`]), telling our tokens from an
//! application's without a key ([`form()`]), and minting and showing them for the command line
//! ([`mint_hs256`], [`mint_es512`], [`inspect()`]). The token's
//! bytes, the keys of the snapshot and the time come in; a [`VerifiedToken`] or a [`TokenError`] goes out.
//!
//! Refuses: every token it does not wholly understand. Invariants: the sender never chooses the key or the algorithm;
//! claims are interpreted, and patterns compiled, only after the signature has verified; a token never allows more than
//! the configuration that bounds it; the cache never changes a verdict.
//!
//! Families: tokens without `type` (CE), `pat` and `auth`, HS256 under the deployment secret; `app`, ES512 under the key of
//! the application that it names; and tokens of other issuers ([`Issuer`]), by their own keys. What the owner of a token may do
//! bounds it ([`Bounds`]).
//!
//! Tested in `tests.rs` and beside each file.

mod bounds;
mod cache;
mod claims;
mod compact;
mod form;
mod inspect;
mod issuer;
mod jws;
mod key;
mod keys;
mod mint;
mod p521_key;
mod subject;
mod table;
#[cfg(test)]
mod tests;
mod verify;

pub use bounds::{Bounds, Credential, CredentialKind, Credentials};
pub use cache::TokenCache;
pub use form::{TokenForm, form};
pub use inspect::{Inspection, inspect};
pub use issuer::Issuer;
pub use jws::Jws;
pub use key::{Algorithm, KeyError, KeySet, VerifyingKey};
pub use keys::{Owner, TokenKeys, WantedKey};
pub use mint::{MintError, MintFamily, MintRequest, mint_es512, mint_hs256};
pub use p521_key::{P521Key, P521PrivateKey};
pub use verify::{VerifiedToken, fuzz_token, is_expensive, sha256_hex, verify};

use crate::boundary::BoundaryError;
use crate::http::path_boundary::PatternError;
use crate::json::JsonError;

/// The permission that connecting to a tunnel needs.
pub const CONNECT_PERMISSION: &str = "tunnels.streams.create-delete";

/// Longest life of an application or auth token, in seconds.
pub const SHORT_LIFETIME_MAX: u64 = 3600;

/// Why a token does not count. The client learns none of this: the answer is 401 for all (rstream 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    TooLong,
    /// Not three base64url parts.
    Malformed,
    /// A header that is not an object or has another `typ`.
    BadHeader,
    BadAlgorithm,
    /// `crit`: the signer insists on something we do not know (RFC 7515 4.1.11).
    CriticalHeader,
    BadJson(JsonError),
    /// A claim of the wrong type, or an unknown key where none may be.
    BadClaims,
    BadSignature,
    Expired,
    NotYetValid,
    IssuedInFuture,
    /// A `type` that no family has.
    TypeUnsupported,
    /// There is no record of the token, its application or its user.
    UnknownCredential,
    /// The record, or the token itself, was taken back.
    Revoked,
    /// The credential that it was made from was changed since.
    SourceChanged,
    /// The issuer has no key with this `kid` and algorithm.
    UnknownKey,
    /// The issuer's keys could not be had yet, or are too old, or it has taken all of them back.
    NoKeys,
    /// `aud` does not name this edge.
    OtherAudience,
    /// An application or auth token that does not say when it ends, or lives for more than an hour.
    BadLifetime,
    /// A token without `type`, and `[tokens.ce]` is absent (S4.4).
    CeNotAllowed,
    /// Restrictions in claims of an older schema: not enforced, so never read as unrestricted.
    LegacyClaims,
    /// `metadata.engine` names another edge.
    OtherEngine,
    BadBoundary(BoundaryError),
    /// Patterns over the limits of one token.
    PatternTooLarge,
}

impl TokenError {
    /// Its stable name in logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            TokenError::TooLong => "token_too_long",
            TokenError::Malformed => "token_malformed",
            TokenError::BadHeader => "token_header",
            TokenError::BadAlgorithm => "token_algorithm",
            TokenError::CriticalHeader => "token_critical_header",
            TokenError::BadJson(_) => "token_json",
            TokenError::BadClaims => "token_claims",
            TokenError::BadSignature => "token_signature",
            TokenError::Expired => "token_expired",
            TokenError::NotYetValid => "token_not_yet_valid",
            TokenError::IssuedInFuture => "token_issued_in_future",
            TokenError::TypeUnsupported => "token_type_unsupported",
            TokenError::UnknownCredential => "credential_unknown",
            TokenError::Revoked => "credential_revoked",
            TokenError::SourceChanged => "credential_changed",
            TokenError::BadLifetime => "token_lifetime",
            TokenError::UnknownKey => "issuer_key_unknown",
            TokenError::NoKeys => "issuer_keys_missing",
            TokenError::OtherAudience => "token_other_audience",
            TokenError::CeNotAllowed => "token_ce_not_allowed",
            TokenError::LegacyClaims => "token_legacy_claims",
            TokenError::OtherEngine => "token_other_engine",
            TokenError::BadBoundary(_) => "token_boundary",
            TokenError::PatternTooLarge => "token_pattern_too_large",
        }
    }

    /// Whether the signature was ours although the token does not count now. Such a token may count later or
    /// elsewhere, so it must not reach an upstream (S3.4).
    pub fn signed_by_us(self) -> bool {
        match self {
            TokenError::Expired
            | TokenError::NotYetValid
            | TokenError::IssuedInFuture
            | TokenError::CeNotAllowed
            | TokenError::BadClaims
            | TokenError::UnknownCredential
            | TokenError::Revoked
            | TokenError::SourceChanged
            | TokenError::BadLifetime
            | TokenError::OtherAudience
            | TokenError::LegacyClaims
            | TokenError::OtherEngine
            | TokenError::BadBoundary(_)
            | TokenError::PatternTooLarge => true,
            TokenError::TooLong
            | TokenError::Malformed
            | TokenError::BadHeader
            | TokenError::BadAlgorithm
            | TokenError::CriticalHeader
            | TokenError::BadJson(_)
            | TokenError::BadSignature
            | TokenError::UnknownKey
            | TokenError::NoKeys
            | TokenError::TypeUnsupported => false,
        }
    }
}

impl std::fmt::Display for TokenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())?;
        if let TokenError::BadJson(error) = self {
            write!(f, ": {error}")?;
        }
        if let TokenError::BadBoundary(error) = self {
            write!(f, ": {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TokenError {}

impl From<JsonError> for TokenError {
    fn from(error: JsonError) -> Self {
        TokenError::BadJson(error)
    }
}

impl From<BoundaryError> for TokenError {
    fn from(error: BoundaryError) -> Self {
        if let BoundaryError::Pattern(
            PatternError::TooLong | PatternError::TooMany | PatternError::TooLarge,
        ) = error
        {
            TokenError::PatternTooLarge
        } else {
            TokenError::BadBoundary(error)
        }
    }
}
