//! What the claims of an ID token must say (OpenID Connect Core 3.1.3.7), and what they say about a user. Pure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{self, digest};

use super::error::{OidcError, TokenFault};
use super::flow::{FlowSecrets, same};
use super::member;
use crate::config::settings::Oidc;
use crate::json::Json;
use crate::limits::{OIDC_GROUP_BYTES_MAX, OIDC_GROUPS_MAX, OIDC_SUBJECT_BYTES_MAX};
use crate::token::Algorithm;

/// How far the provider's clock may be ahead of ours, in seconds.
pub(super) const AHEAD_MAX: u64 = 300;
/// Longest address of a mailbox, in bytes (RFC 5321 4.5.3.1.3).
const EMAIL_BYTES_MAX: usize = 254;
/// Longest name of a user that is kept whole, in characters.
const NAME_CHARS_MAX: usize = 128;

/// The claims of a token whose signature is good. One of the wrong type is an error, never absent.
#[derive(Clone, Copy)]
pub(super) struct Claims<'a>(pub(super) &'a [(String, Json)]);

impl<'a> Claims<'a> {
    pub(super) fn get(self, name: &str) -> Option<&'a Json> {
        member(self.0, name)
    }

    pub(super) fn text(self, name: &'static str) -> Result<Option<&'a str>, TokenFault> {
        let read = |value: &'a Json| value.as_str().ok_or(TokenFault::Claim(name));
        self.get(name).map(read).transpose()
    }

    pub(super) fn date(self, name: &'static str) -> Result<Option<u64>, TokenFault> {
        let read = |value: &Json| value.as_integer().ok_or(TokenFault::Claim(name));
        self.get(name).map(read).transpose()
    }

    /// A name that identifies: bounded, and not empty.
    pub(super) fn id(self, name: &'static str) -> Result<Option<&'a str>, TokenFault> {
        let id = self.text(name)?;
        let is_good = |id: &str| (1..=OIDC_SUBJECT_BYTES_MAX).contains(&id.len());
        if id.is_some_and(|id| !is_good(id)) {
            return Err(TokenFault::Claim(name));
        }
        Ok(id)
    }

    /// That it is the provider's, for this client. Answers whether it is for others too.
    pub(super) fn check_parties(self, settings: &Oidc) -> Result<bool, TokenFault> {
        if self.text("iss")? != Some(&settings.issuer) {
            return Err(TokenFault::Claim("iss"));
        }
        let wrong = TokenFault::Claim("aud");
        let audience = self.get("aud").ok_or(wrong)?;
        let audience = match audience.as_array() {
            Some(several) => several,
            None => std::slice::from_ref(audience),
        };
        let named: Option<Vec<&str>> = audience.iter().map(Json::as_str).collect();
        let named = named.ok_or(wrong)?;
        if !named.contains(&settings.client_id.as_str()) {
            return Err(wrong);
        }
        Ok(named.len() > 1)
    }

    /// That its time is now. Answers when it was issued.
    pub(super) fn check_dates(self, now_unix: u64) -> Result<u64, TokenFault> {
        if self.date("exp")?.is_some_and(|at| now_unix >= at) {
            return Err(TokenFault::Expired);
        }
        let issued_at = self.date("iat")?.ok_or(TokenFault::Claim("iat"))?;
        let latest = issued_at.max(self.date("nbf")?.unwrap_or(0));
        if latest > now_unix.saturating_add(AHEAD_MAX) {
            return Err(TokenFault::Untimely);
        }
        Ok(issued_at)
    }
}

/// What an ID token is checked against.
pub(super) struct Expected<'a> {
    pub(super) settings: &'a Oidc,
    pub(super) secrets: &'a FlowSecrets,
    /// What it was signed with.
    pub(super) algorithm: Algorithm,
    pub(super) access_token: Option<&'a [u8]>,
    pub(super) now_unix: u64,
}

/// Who an ID token is about.
pub(super) struct IdToken<'a> {
    pub(super) subject: &'a str,
    pub(super) sid: Option<&'a str>,
    pub(super) issued_at: u64,
}

impl<'a> IdToken<'a> {
    pub(super) fn check(claims: Claims<'a>, expected: &Expected<'_>) -> Result<Self, OidcError> {
        let settings = expected.settings;
        let for_others = claims.check_parties(settings)?;
        // The one that it was made for.
        let presenter = claims.text("azp")?;
        if presenter.map_or(for_others, |named| named != settings.client_id) {
            return Err(TokenFault::Claim("azp").into());
        }
        claims.date("exp")?.ok_or(TokenFault::Claim("exp"))?;
        let issued_at = claims.check_dates(expected.now_unix)?;
        let nonce = claims.text("nonce")?.ok_or(OidcError::Nonce)?;
        if !same(expected.secrets.nonce(), nonce) {
            return Err(OidcError::Nonce);
        }
        if let Some(hash) = claims.text("at_hash")?
            && expected
                .access_token
                .is_none_or(|token| half_hash(expected.algorithm, token) != hash)
        {
            return Err(TokenFault::Claim("at_hash").into());
        }
        Ok(IdToken {
            subject: claims.id("sub")?.ok_or(TokenFault::Claim("sub"))?,
            sid: claims.id("sid")?,
            issued_at,
        })
    }
}

/// The left half of a hash that is as strong as the signature (OpenID Connect Core 3.1.3.6).
fn half_hash(algorithm: Algorithm, token: &[u8]) -> String {
    let with = match algorithm {
        Algorithm::Hs256 | Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Ps256 => {
            &digest::SHA256
        }
        Algorithm::Es384 => &digest::SHA384,
        // Ed25519 hashes with SHA-512 itself.
        Algorithm::Es512 | Algorithm::EdDsa => &digest::SHA512,
    };
    let hash = digest(with, token);
    let half = hash.as_ref().len() / 2;
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..half).unwrap_or_default())
}

/// What is said about a user beside the subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    pub(super) groups: Option<Vec<String>>,
}

impl Person {
    pub(super) fn of(claims: Claims<'_>, groups_claim: &str) -> Result<Self, TokenFault> {
        let verified = claims.get("email_verified") == Some(&Json::Bool(true));
        let email = claims.text("email")?.filter(|_| verified);
        let name = claims
            .text("name")?
            .map(|name| name.chars().take(NAME_CHARS_MAX).collect());
        Ok(Person {
            email: email.and_then(mailbox),
            name,
            groups: claims.get(groups_claim).map(groups).transpose()?,
        })
    }

    /// What one source does not say, the other may.
    pub(super) fn or(self, other: Person) -> Person {
        Person {
            email: self.email.or(other.email),
            name: self.name.or(other.name),
            groups: self.groups.or(other.groups),
        }
    }
}

/// An address as rules compare it (S5.6); one that two readers could take for different ones is none.
fn mailbox(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    let is_one = !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    (is_plain && is_one && text.len() <= EMAIL_BYTES_MAX).then(|| text.to_ascii_lowercase())
}

/// A list of names, or one. Beyond the bound they are left out, and give nothing.
fn groups(value: &Json) -> Result<Vec<String>, TokenFault> {
    let list = match value.as_array() {
        Some(list) => list,
        None => std::slice::from_ref(value),
    };
    let names: Option<Vec<&str>> = list.iter().map(Json::as_str).collect();
    let names = names.ok_or(TokenFault::Claim("groups"))?;
    let kept = names
        .iter()
        .filter(|name| (1..=OIDC_GROUP_BYTES_MAX).contains(&name.len()))
        .take(OIDC_GROUPS_MAX);
    let kept: Vec<String> = kept.map(|name| (*name).to_owned()).collect();
    if kept.len() < names.len() {
        tracing::warn!(
            event = "oidc_groups_cut",
            groups = names.len(),
            kept = kept.len(),
            "a user has more groups, or longer ones, than are looked at"
        );
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
