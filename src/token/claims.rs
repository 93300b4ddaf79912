//! Header and claims: what they say, checked for type, before anything is made of it.

use super::{SHORT_LIFETIME_MAX, TokenError};
use crate::clock::date_time;
use crate::json::Json;

/// How a token says it is signed. What the edge takes is decided by the token's family, never by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Es512,
    Other,
}

impl Algorithm {
    /// From a header, which may not ask for more.
    pub(super) fn of(header: &Json) -> Result<Self, TokenError> {
        let members = header.as_object().ok_or(TokenError::BadHeader)?;
        let mut algorithm = None;
        for (name, value) in members {
            match name.as_str() {
                "alg" => algorithm = value.as_str(),
                "typ" if value.as_str() != Some("JWT") => return Err(TokenError::BadHeader),
                "crit" => return Err(TokenError::CriticalHeader),
                // `kid`, `jwk`, `jku`, `x5u`, `x5c` would let the sender choose the key: they are never read.
                _ => {}
            }
        }
        Ok(match algorithm.ok_or(TokenError::BadAlgorithm)? {
            "HS256" => Algorithm::Hs256,
            "ES512" => Algorithm::Es512,
            _ => Algorithm::Other,
        })
    }
}

/// Which kind of key a token needs, from its `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Ce,
    Pat,
    App,
    Auth,
}

/// Whether a `type` is that of a family.
pub(super) fn is_ours(value: &Json) -> bool {
    matches!(value.as_str(), Some("pat" | "app" | "auth"))
}

/// The issuer that a token names, if it does.
pub(super) fn issuer(claims: &[(String, Json)]) -> Option<&str> {
    let mut claims = claims.iter();
    let (_, value) = claims.find(|(name, _)| name == "iss")?;
    value.as_str()
}

impl Family {
    /// One of the claims that are read before the signature: without it no key can be picked.
    pub(super) fn of(claims: &[(String, Json)]) -> Result<Family, TokenError> {
        let Some((_, value)) = claims.iter().find(|(name, _)| name == "type") else {
            return Ok(Family::Ce);
        };
        match value.as_str() {
            Some("pat") => Ok(Family::Pat),
            Some("app") => Ok(Family::App),
            Some("auth") => Ok(Family::Auth),
            _ => Err(TokenError::TypeUnsupported),
        }
    }
}

/// The claims that mean something, borrowed from the token's tree. A claim of the wrong type is an error, never absent
/// (S4.5).
#[derive(Debug, Default)]
pub(super) struct Claims<'a> {
    pub(super) expires_at: Option<u64>,
    pub(super) not_before: Option<u64>,
    pub(super) issued_at: Option<u64>,
    pub(super) subject: Option<&'a str>,
    /// `None`: absent or null, all permissions.
    pub(super) permissions: Option<Vec<&'a str>>,
    /// `metadata.engine`.
    pub(super) engine: Option<&'a str>,
    /// `resources.tunnels`, not yet parsed.
    pub(super) boundary: Option<&'a Json>,
    /// Of an auth token.
    pub(super) user: Option<&'a str>,
    /// Of an application token.
    pub(super) client: Option<&'a str>,
    /// The credential that an auth token was made from.
    pub(super) source: Option<&'a str>,
    /// When that was changed last, as far as the token knows, in seconds since the Unix epoch.
    pub(super) source_changed_at: Option<u64>,
}

/// The claim that picks an application's key, read before the signature.
pub(super) fn client_id(members: &[(String, Json)]) -> Result<&str, TokenError> {
    let found = members.iter().find(|(name, _)| name == "clientId");
    string(found.map(|(_, value)| value).ok_or(TokenError::BadClaims)?)
}

impl<'a> Claims<'a> {
    /// The claims of a token of this family. A CE token may have others; in all families `metadata` and `resources` may
    /// not.
    pub(super) fn read(members: &'a [(String, Json)], family: Family) -> Result<Self, TokenError> {
        let mut claims = Claims::default();
        let mut says_permissions = false;
        for (name, value) in members {
            match (name.as_str(), family) {
                ("exp", _) => claims.expires_at = Some(date(value)?),
                ("nbf", _) => claims.not_before = Some(date(value)?),
                ("iat", _) => claims.issued_at = Some(date(value)?),
                ("sub", _) => claims.subject = Some(string(value)?),
                ("iss" | "jti", _) => drop(string(value)?),
                ("aud", _) if value.as_str().is_some() => {}
                ("aud", _) => drop(strings(value)?),
                ("permissions", _) => {
                    says_permissions = true;
                    if *value != Json::Null {
                        claims.permissions = Some(strings(value)?);
                    }
                }
                ("metadata", _) => claims.engine = metadata(value)?,
                ("resources", _) => claims.boundary = Some(resources(value)?),
                ("tunnelsGrants", _) => return Err(TokenError::LegacyClaims),
                ("type", _) | (_, Family::Ce) => {}
                ("token_endpoint" | "tokendpoint", Family::Pat) => drop(string(value)?),
                ("userId", Family::Auth) => claims.user = Some(string(value)?),
                ("sourceCredentialId", Family::Auth) => claims.source = Some(string(value)?),
                ("sourceCredentialUpdatedAt", Family::Auth) => {
                    let at = date_time(string(value)?).ok_or(TokenError::BadClaims)?;
                    claims.source_changed_at = Some(at);
                }
                ("clientId", Family::App) => claims.client = Some(string(value)?),
                (_, Family::Pat | Family::App | Family::Auth) => return Err(TokenError::BadClaims),
            }
        }
        let is_whole = match family {
            Family::Ce | Family::Pat => true,
            Family::App => says_permissions && claims.client.is_some(),
            Family::Auth => says_permissions && claims.user.is_some(),
        };
        if !is_whole {
            return Err(TokenError::BadClaims);
        }
        if matches!(family, Family::App | Family::Auth) {
            claims.check_lifetime()?;
        }
        Ok(claims)
    }

    /// Tokens that are made on demand are short-lived, and say so.
    fn check_lifetime(&self) -> Result<(), TokenError> {
        let (Some(issued_at), Some(expires_at)) = (self.issued_at, self.expires_at) else {
            return Err(TokenError::BadLifetime);
        };
        match expires_at.checked_sub(issued_at) {
            Some(1..=SHORT_LIFETIME_MAX) => Ok(()),
            Some(_) | None => Err(TokenError::BadLifetime),
        }
    }
}

fn metadata(value: &Json) -> Result<Option<&str>, TokenError> {
    let mut engine = None;
    for (name, value) in value.as_object().ok_or(TokenError::BadClaims)? {
        match name.as_str() {
            "engine" => engine = Some(string(value)?),
            "scopes" => return Err(TokenError::LegacyClaims),
            _ => return Err(TokenError::BadClaims),
        }
    }
    Ok(engine)
}

pub(super) fn resources(value: &Json) -> Result<&Json, TokenError> {
    match value.as_object() {
        Some([(name, boundary)]) if name == "tunnels" => Ok(boundary),
        _ => Err(TokenError::BadClaims),
    }
}

pub(super) fn date(value: &Json) -> Result<u64, TokenError> {
    value.as_integer().ok_or(TokenError::BadClaims)
}

pub(super) fn string(value: &Json) -> Result<&str, TokenError> {
    value.as_str().ok_or(TokenError::BadClaims)
}

fn strings(value: &Json) -> Result<Vec<&str>, TokenError> {
    value
        .as_array()
        .ok_or(TokenError::BadClaims)?
        .iter()
        .map(string)
        .collect()
}
