//! Tokens of other issuers: what they must say, and what the configuration makes of them (S4.6).

use std::sync::Arc;

use super::TokenError;
use super::bounds::Bounds;
use super::claims::{Claims, date, resources, string};
use super::jws::named_key;
use super::key::{Algorithm, KeySet};
use crate::json::Json;

/// One issuer. Its tokens mean what the configuration says, and nothing of what they claim makes them reach further.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// One of them must be in `aud`; empty: `aud` is not looked at.
    pub audience: Vec<String>,
    /// How far ahead `exp` may lie, in seconds; `None`: as far as it likes.
    pub max_lifetime: Option<u64>,
    /// What its tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    pub keys: KeySet,
    /// The keys come from a URL, and others may be there by now.
    pub fetched: bool,
    pub bounds: Arc<Bounds>,
    /// The claim with a boundary that narrows further.
    pub resources_claim: Option<String>,
    /// The claim that says who it is for.
    pub subject_claim: String,
}

impl Issuer {
    /// Finds the key for a header and checks the signature with it.
    pub(super) fn check_signature(
        &self,
        header: &[(String, Json)],
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        let (algorithm, kid) = self.named_key(header)?;
        if self.keys.is_empty() {
            return Err(TokenError::NoKeys);
        }
        let key = self.keys.find(algorithm, kid);
        let key = key.ok_or(TokenError::UnknownKey)?;
        key.verifies(signed, signature)
            .then_some(())
            .ok_or(TokenError::BadSignature)
    }

    /// Which key a header asks for.
    pub(super) fn named_key<'a>(
        &self,
        header: &'a [(String, Json)],
    ) -> Result<(Algorithm, Option<&'a str>), TokenError> {
        named_key(header, &self.algorithms, &["JWT", "at+jwt"])
    }

    /// The claims that mean something, once the signature is good.
    pub(super) fn claims<'a>(
        &self,
        members: &'a [(String, Json)],
        now_unix: u64,
    ) -> Result<Claims<'a>, TokenError> {
        let mut claims = Claims::default();
        let mut audience = None;
        for (name, value) in members {
            match name.as_str() {
                "exp" => claims.expires_at = Some(date(value)?),
                "nbf" => claims.not_before = Some(date(value)?),
                "iat" => claims.issued_at = Some(date(value)?),
                "aud" => audience = Some(value),
                _ => {}
            }
            if *name == self.subject_claim {
                claims.subject = Some(string(value)?);
            }
            if self.resources_claim.as_ref() == Some(name) {
                claims.boundary = Some(resources(value)?);
            }
        }
        let expires_at = claims.expires_at.ok_or(TokenError::BadLifetime)?;
        let latest = self
            .max_lifetime
            .map_or(u64::MAX, |most| now_unix.saturating_add(most));
        if expires_at > latest {
            return Err(TokenError::BadLifetime);
        }
        if !self.audience.is_empty() && !self.is_meant(audience) {
            return Err(TokenError::OtherAudience);
        }
        Ok(claims)
    }

    fn is_meant(&self, audience: Option<&Json>) -> bool {
        let is_ours = |value: &Json| {
            let named = value.as_str();
            named.is_some_and(|named| self.audience.iter().any(|one| one == named))
        };
        match audience {
            Some(one @ Json::String(_)) => is_ours(one),
            Some(Json::Array(several)) => {
                several.iter().all(|one| one.as_str().is_some()) && several.iter().any(is_ours)
            }
            Some(
                Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Number | Json::Object(_),
            )
            | None => false,
        }
    }
}
