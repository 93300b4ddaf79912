//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0 section 2.6): who the provider says is out. Pure.

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use ring::digest::{SHA256, digest};
use url::form_urlencoded;

use super::claims::{AHEAD_MAX, Claims};
use super::error::{OidcError, TokenFault};
use crate::config::settings::Oidc;
use crate::limits::{OIDC_LOGOUTS_MAX, OIDC_QUERY_BYTES_MAX};

/// What the header of a logout token may call it, if it calls it anything.
pub(super) const TYPES: [&str; 1] = ["logout+jwt"];
/// Oldest logout token that counts, in seconds.
const AGE_MAX: u64 = 300;
/// A token cannot count for longer than this, so its name is not kept for longer.
const REMEMBERED_FOR: Duration = Duration::from_secs(AGE_MAX + AHEAD_MAX);
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(OIDC_LOGOUTS_MAX).unwrap();

/// Whose sessions have ended: those of the user, or the one that the provider calls so. At least one of them is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOut {
    pub subject: Option<String>,
    pub sid: Option<String>,
}

/// The `logout_token` of a form.
pub(super) fn token(body: &[u8]) -> Result<String, TokenFault> {
    if body.len() > OIDC_QUERY_BYTES_MAX {
        return Err(TokenFault::Missing);
    }
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => Ok(token.into_owned()),
        (_, Some(_)) | (None, None) => Err(TokenFault::Missing),
    }
}

/// What a logout token says, and the hash of its name.
pub(super) fn check(
    claims: Claims<'_>,
    settings: &Oidc,
    now_unix: u64,
) -> Result<(LoggedOut, [u8; 32]), TokenFault> {
    claims.check_parties(settings)?;
    let issued_at = claims.check_dates(now_unix)?;
    if now_unix.saturating_sub(issued_at) > AGE_MAX {
        return Err(TokenFault::Untimely);
    }
    let events = claims.get("events").and_then(|events| events.as_object());
    let event = events.and_then(|events| super::member(events, EVENT));
    if event.and_then(|event| event.as_object()).is_none() {
        return Err(TokenFault::Claim("events"));
    }
    // With one it would be an ID token (attack: a token from a sign-in signs its user out).
    if claims.get("nonce").is_some() {
        return Err(TokenFault::Claim("nonce"));
    }
    let id = claims.id("jti")?.ok_or(TokenFault::Claim("jti"))?;
    let out = LoggedOut {
        subject: claims.id("sub")?.map(str::to_owned),
        sid: claims.id("sid")?.map(str::to_owned),
    };
    if out.subject.is_none() && out.sid.is_none() {
        return Err(TokenFault::Claim("sub"));
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, id.as_bytes()).as_ref());
    Ok((out, hash))
}

/// Logout tokens that were here. Only the provider can add to them; the oldest makes way.
#[derive(Debug)]
pub(super) struct Remembered(LruCache<[u8; 32], Duration>);

impl Default for Remembered {
    fn default() -> Self {
        Remembered(LruCache::new(REMEMBERED_MAX))
    }
}

impl Remembered {
    /// `now` is on the monotonic clock.
    pub(super) fn first_time(&mut self, id: [u8; 32], now: Duration) -> Result<(), OidcError> {
        while self.0.peek_lru().is_some_and(|(_, until)| *until <= now) {
            self.0.pop_lru();
        }
        if self.0.peek(&id).is_some() {
            return Err(OidcError::Replayed);
        }
        self.0.put(id, now + REMEMBERED_FOR);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_remembered_for_as_long_as_its_token_could_count() {
        let mut remembered = Remembered::default();
        let start = Duration::from_secs(1000);
        assert_eq!(remembered.first_time([1; 32], start), Ok(()));
        let just_before = start + REMEMBERED_FOR - Duration::from_secs(1);
        let again = remembered.first_time([1; 32], just_before);
        assert_eq!(again, Err(OidcError::Replayed));
        assert_eq!(
            remembered.first_time([1; 32], start + REMEMBERED_FOR),
            Ok(())
        );
        assert_eq!(remembered.0.len(), 1);
        for number in 0..2 * OIDC_LOGOUTS_MAX {
            let mut id = [2; 32];
            id[..8].copy_from_slice(&number.to_ne_bytes());
            assert_eq!(remembered.first_time(id, start), Ok(()));
        }
        assert_eq!(remembered.0.len(), OIDC_LOGOUTS_MAX);
    }
}
