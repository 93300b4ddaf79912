//! Verification, in the order of rstream 3.3.

use std::sync::Arc;

use ring::hmac;

use super::TokenError;
use super::claims::{Claims, Family, is_hs256};
use super::compact::Compact;
use crate::boundary::{self, Boundary};
use crate::limits::{HS256_SECRET_BYTES_MIN, SUBJECT_BYTES_MAX};

/// How far ahead of our clock a token may have been issued, in seconds.
const ISSUED_AHEAD_MAX: u64 = 300;

/// What tokens are verified with: made once per configuration, then only read.
#[derive(Debug)]
pub struct TokenKeys {
    /// `None` where the secret was too short to prove anything: then nothing verifies.
    hs256: Option<hmac::Key>,
    ce: Option<Arc<CeBounds>>,
    engine: String,
}

/// What tokens without `type` may reach at most (S4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeBounds {
    pub projects: Vec<String>,
    pub permissions: Vec<String>,
}

impl TokenKeys {
    /// The deployment secret, the bound of CE tokens (`None`: they are refused) and the base host of this edge, which a
    /// token may name in `metadata.engine`.
    pub fn new(hs256_secret: &[u8], ce: Option<CeBounds>, engine_host: &str) -> Self {
        TokenKeys {
            hs256: (hs256_secret.len() >= HS256_SECRET_BYTES_MIN)
                .then(|| hmac::Key::new(hmac::HMAC_SHA256, hs256_secret)),
            ce: ce.map(Arc::new),
            engine: normal_engine(engine_host),
        }
    }

    /// Constant time in the signature's bytes.
    fn check_hs256(&self, token: &Compact<'_>) -> Result<(), TokenError> {
        let signature = token.signature()?;
        self.hs256
            .as_ref()
            .and_then(|key| hmac::verify(key, token.signed, &signature).ok())
            .ok_or(TokenError::BadSignature)
    }
}

/// Proves a token or says why it does not count.
pub fn verify(token: &[u8], keys: &TokenKeys, now_unix: u64) -> Result<VerifiedToken, TokenError> {
    let token = Compact::split(token)?;
    let hs256 = is_hs256(&token.header()?)?;
    let payload = token.payload()?;
    let members = payload.as_object().ok_or(TokenError::Malformed)?;
    match Family::of(members)? {
        Family::Pat | Family::App | Family::Auth => return Err(TokenError::TypeUnsupported),
        Family::Ce if !hs256 => return Err(TokenError::BadAlgorithm),
        Family::Ce => keys.check_hs256(&token)?,
    }
    // The signature is ours: only now do claims mean anything.
    let bounds = keys.ce.as_ref().ok_or(TokenError::CeNotAllowed)?;
    let claims = Claims::read(members)?;
    let dates = Dates::of(&claims);
    dates.check(now_unix)?;
    if claims
        .engine
        .is_some_and(|engine| keys.engine.is_empty() || normal_engine(engine) != keys.engine)
    {
        return Err(TokenError::OtherEngine);
    }
    // Last, because patterns are the dearest part.
    let boundary = claims.boundary.map(boundary::parse).transpose()?;
    Ok(VerifiedToken {
        dates,
        subject: printable(claims.subject.unwrap_or_default()),
        permissions: effective(&bounds.permissions, claims.permissions.as_deref()),
        bounds: Arc::clone(bounds),
        boundary,
    })
}

/// A token whose signature and claims were found good. Whether its time has come is asked again at every use.
#[derive(Debug)]
pub struct VerifiedToken {
    dates: Dates,
    subject: Box<str>,
    /// The claim's permissions within the bound; `None`: all of the bound.
    permissions: Option<Box<[Box<str>]>>,
    bounds: Arc<CeBounds>,
    boundary: Option<Boundary>,
}

impl VerifiedToken {
    /// Expired at `exp` itself, without leeway; not valid before `nbf`; not issued more than five minutes ahead.
    pub fn check_time(&self, now_unix: u64) -> Result<(), TokenError> {
        self.dates.check(now_unix)
    }

    /// `sub`, or nothing. Safe to log: a bounded number of printable ASCII characters, `?` for any other.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether it has this permission, by its claim and by the bound.
    pub fn may(&self, permission: &str) -> bool {
        match &self.permissions {
            Some(permissions) => permissions.iter().any(|one| **one == *permission),
            None => self.bounds.permissions.iter().any(|one| one == permission),
        }
    }

    /// Whether the bound covers this project.
    pub fn owns_project(&self, project: &str) -> bool {
        self.bounds.projects.iter().any(|one| one == project)
    }

    /// What narrows it further; `None`: nothing does.
    pub fn boundary(&self) -> Option<&Boundary> {
        self.boundary.as_ref()
    }

    /// Whether paths matter to it: then ambiguous targets do (S2).
    pub fn has_path_rule(&self) -> bool {
        self.boundary.as_ref().is_some_and(Boundary::has_path_rule)
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let permissions: usize = self
            .permissions
            .iter()
            .flatten()
            .map(|one| size_of::<Box<str>>() + one.len())
            .sum();
        size_of::<Self>()
            + self.subject.len()
            + permissions
            + self.boundary.as_ref().map_or(0, Boundary::bytes)
    }
}

#[derive(Clone, Copy, Debug)]
struct Dates {
    expires_at: Option<u64>,
    not_before: Option<u64>,
    issued_at: Option<u64>,
}

impl Dates {
    fn of(claims: &Claims<'_>) -> Self {
        Dates {
            expires_at: claims.expires_at,
            not_before: claims.not_before,
            issued_at: claims.issued_at,
        }
    }

    fn check(&self, now: u64) -> Result<(), TokenError> {
        if self.expires_at.is_some_and(|expires_at| now >= expires_at) {
            return Err(TokenError::Expired);
        }
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return Err(TokenError::NotYetValid);
        }
        let latest = now.saturating_add(ISSUED_AHEAD_MAX);
        if self.issued_at.is_some_and(|issued_at| issued_at > latest) {
            return Err(TokenError::IssuedInFuture);
        }
        Ok(())
    }
}

/// What of the bound the claim asks for. A permission outside the bound grants nothing.
fn effective(bound: &[String], claim: Option<&[&str]>) -> Option<Box<[Box<str>]>> {
    let claim = claim?;
    let within = bound.iter().filter(|one| claim.contains(&one.as_str()));
    Some(within.map(|one| one.as_str().into()).collect())
}

/// Lower case, without the default port.
fn normal_engine(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    host.strip_suffix(":443").unwrap_or(&host).to_owned()
}

fn printable(subject: &str) -> Box<str> {
    subject
        .chars()
        .take(SUBJECT_BYTES_MAX)
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect()
}

/// Any bytes: as a token they prove nothing. As claims under our signature, they prove at most what the configuration
/// allows, and only with that signature.
pub fn fuzz_token(bytes: &[u8]) {
    const SECRET: &[u8] = b"a secret that nothing but this function knows";
    let bounds = CeBounds {
        projects: vec!["p1".to_owned()],
        permissions: vec!["tunnels.streams.create-delete".to_owned()],
    };
    let keys = TokenKeys::new(SECRET, Some(bounds), "edge.example.com");
    let now = 1_800_000_000;
    assert!(verify(bytes, &keys, now).is_err(), "nobody signed it");

    let signed = super::mint::sign_hs256(SECRET, bytes);
    let other = super::mint::sign_hs256(b"another secret, as long as it must be", bytes);
    assert!(verify(other.as_bytes(), &keys, now).is_err());
    let Ok(token) = verify(signed.as_bytes(), &keys, now) else {
        return;
    };
    assert!(crate::json::parse(bytes).is_ok_and(|claims| claims.as_object().is_some()));
    assert!(!token.may("anything else") && !token.owns_project("p2"));
    assert_eq!(token.check_time(now), Ok(()));
    assert!(super::inspect(&signed).is_ok(), "what counts can be shown");
}
