//! Header and claims: what they say, checked for type, before anything is made of it.

use super::TokenError;
use crate::json::Json;

/// A `true` here means the header asks for HS256 and nothing else.
pub(super) fn is_hs256(header: &Json) -> Result<bool, TokenError> {
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
    Ok(algorithm.ok_or(TokenError::BadAlgorithm)? == "HS256")
}

/// Which kind of key a token needs, from its `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Ce,
    Pat,
    App,
    Auth,
}

impl Family {
    /// The only claim that is read before the signature: without it no key can be picked.
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
}

impl<'a> Claims<'a> {
    /// Claims of a CE token: unknown ones are allowed, inside `metadata` and `resources` they are not.
    pub(super) fn read(members: &'a [(String, Json)]) -> Result<Self, TokenError> {
        let mut claims = Claims::default();
        for (name, value) in members {
            match name.as_str() {
                "exp" => claims.expires_at = Some(date(value)?),
                "nbf" => claims.not_before = Some(date(value)?),
                "iat" => claims.issued_at = Some(date(value)?),
                "sub" => claims.subject = Some(string(value)?),
                "iss" | "jti" => drop(string(value)?),
                "aud" if value.as_str().is_none() => drop(strings(value)?),
                "permissions" if *value != Json::Null => {
                    claims.permissions = Some(strings(value)?);
                }
                "metadata" => claims.engine = metadata(value)?,
                "resources" => claims.boundary = Some(resources(value)?),
                "tunnelsGrants" => return Err(TokenError::LegacyClaims),
                _ => {}
            }
        }
        Ok(claims)
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

fn resources(value: &Json) -> Result<&Json, TokenError> {
    match value.as_object() {
        Some([(name, boundary)]) if name == "tunnels" => Ok(boundary),
        _ => Err(TokenError::BadClaims),
    }
}

fn date(value: &Json) -> Result<u64, TokenError> {
    value.as_integer().ok_or(TokenError::BadClaims)
}

fn string(value: &Json) -> Result<&str, TokenError> {
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
