//! Verification, in the order of rstream 3.3.

use std::sync::Arc;

use ring::{digest, hmac};

use super::TokenError;
use super::bounds::{Bounds, Credential};
use super::claims::{Algorithm, Claims, Family, client_id, is_ours, issuer};
use super::compact::Compact;
use super::issuer::Issuer;
use super::keys::TokenKeys;
use super::subject::Subject;
use crate::boundary::{self, Boundary};
use crate::json::Json;

/// How far ahead of our clock a token may have been issued, in seconds.
const ISSUED_AHEAD_MAX: u64 = 300;

impl TokenKeys {
    /// Checks the signature with the one kind of key that the token's family has (S4.5).
    fn check_signature(
        &self,
        token: &Compact<'_>,
        algorithm: Algorithm,
        family: Family,
        members: &[(String, Json)],
    ) -> Result<(), TokenError> {
        match (family, algorithm) {
            (Family::Ce | Family::Pat | Family::Auth, Algorithm::Hs256) => self.check_hs256(token),
            (Family::App, Algorithm::Es512) => {
                let key = self.credentials.app_key(client_id(members)?)?;
                key.verifies(token.signed, &token.signature()?)
                    .then_some(())
                    .ok_or(TokenError::BadSignature)
            }
            (Family::Ce | Family::Pat | Family::Auth | Family::App, _) => {
                Err(TokenError::BadAlgorithm)
            }
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

    /// Whose a token is whose signature is good: what bounds it, and what bounds the credential that it was made from.
    fn owner(
        &self,
        token: &[u8],
        family: Family,
        claims: &Claims<'_>,
    ) -> Result<BoundedBy, TokenError> {
        let credentials = &self.credentials;
        let hash = (family == Family::Pat || credentials.revokes_tokens()).then(|| sha256(token));
        if hash.is_some_and(|hash| credentials.is_revoked(&hash)) {
            return Err(TokenError::Revoked);
        }
        let of = |credential: &Credential| BoundedBy {
            bounds: credential.bounds.clone(),
            source: None,
        };
        match family {
            Family::Ce => self.ce(TokenError::CeNotAllowed),
            Family::Pat => match hash.and_then(|hash| credentials.pat(&hash)) {
                Some(credential) => credential.map(of),
                None if self.require_stored_pat => Err(TokenError::UnknownCredential),
                None => self.ce(TokenError::UnknownCredential),
            },
            Family::App => credentials.app(claims.client.unwrap_or_default()).map(of),
            Family::Auth => {
                let user = credentials.user(claims.user.unwrap_or_default())?;
                let source = self.source(claims)?;
                Ok(BoundedBy { source, ..of(user) })
            }
        }
    }

    /// A token of another issuer.
    fn prove_foreign<'a>(
        &self,
        (token, compact): (&[u8], &Compact<'_>),
        header: &Json,
        members: &'a [(String, Json)],
        (name, issuer): (&Arc<str>, &Issuer),
        now_unix: u64,
    ) -> Result<Proven<'a>, TokenError> {
        let header = header.as_object().ok_or(TokenError::BadHeader)?;
        issuer.check_signature(header, compact.signed, &compact.signature()?)?;
        let claims = issuer.claims(members, now_unix)?;
        let dates = Dates::of(&claims);
        dates.check(now_unix)?;
        let credentials = &self.credentials;
        if credentials.revokes_tokens() && credentials.is_revoked(&sha256(token)) {
            return Err(TokenError::Revoked);
        }
        let verified = VerifiedToken {
            dates,
            subject: Subject::of(claims.subject),
            permissions: None,
            bounds: issuer.bounds.clone(),
            source: None,
            issuer: Some(name.clone()),
            boundary: None,
        };
        Ok((verified, claims.boundary))
    }

    fn ce(&self, error: TokenError) -> Result<BoundedBy, TokenError> {
        let bounds = self.ce.clone().ok_or(error)?;
        Ok(BoundedBy {
            bounds,
            source: None,
        })
    }

    /// The credential that an auth token was made from: live, and not changed since.
    fn source(&self, claims: &Claims<'_>) -> Result<Option<Arc<Bounds>>, TokenError> {
        let Some(id) = claims.source else {
            return Ok(None);
        };
        let source = self.credentials.any(id)?;
        match (source.changed_at, claims.source_changed_at) {
            (Some(changed), Some(known)) if changed > known => Err(TokenError::SourceChanged),
            _ => Ok(Some(source.bounds.clone())),
        }
    }
}

/// Whose a token is.
struct BoundedBy {
    bounds: Arc<Bounds>,
    source: Option<Arc<Bounds>>,
}

/// Proves a token or says why it does not count.
pub fn verify(token: &[u8], keys: &TokenKeys, now_unix: u64) -> Result<VerifiedToken, TokenError> {
    verify_with(token, keys, now_unix, |claim| {
        Ok(Arc::new(boundary::parse(claim)?))
    })
}

/// The same where `compile` makes the boundary of a claim. It is asked last, of a token that counts but for that: compiling is
/// the dearest part by far.
pub(super) fn verify_with(
    token: &[u8],
    keys: &TokenKeys,
    now_unix: u64,
    compile: impl FnOnce(&Json) -> Result<Arc<Boundary>, TokenError>,
) -> Result<VerifiedToken, TokenError> {
    let compact = Compact::split(token)?;
    let (header, payload) = (compact.header()?, compact.payload()?);
    let (mut verified, boundary) = prove((token, &compact), &header, &payload, keys, now_unix)?;
    verified.boundary = boundary.map(compile).transpose()?;
    Ok(verified)
}

/// A token that counts, and the claim of a boundary that is not compiled yet.
type Proven<'a> = (VerifiedToken, Option<&'a Json>);

fn prove<'a>(
    (token, compact): (&[u8], &Compact<'_>),
    header: &Json,
    payload: &'a Json,
    keys: &TokenKeys,
    now_unix: u64,
) -> Result<Proven<'a>, TokenError> {
    let members = payload.as_object().ok_or(TokenError::Malformed)?;
    if !members
        .iter()
        .any(|(name, value)| name == "type" && is_ours(value))
        && let Some(issuer) = issuer(members).and_then(|issuer| keys.issuers.get_key_value(issuer))
    {
        return keys.prove_foreign((token, compact), header, members, issuer, now_unix);
    }
    let algorithm = Algorithm::of(header)?;
    let family = Family::of(members)?;
    keys.check_signature(compact, algorithm, family, members)?;
    // The signature is good: only now do claims mean anything.
    let claims = Claims::read(members, family)?;
    let dates = Dates::of(&claims);
    dates.check(now_unix)?;
    let BoundedBy { bounds, source } = keys.owner(token, family, &claims)?;
    if claims
        .engine
        .is_some_and(|engine| keys.engine.is_empty() || normal_engine(engine) != keys.engine)
    {
        return Err(TokenError::OtherEngine);
    }
    let verified = VerifiedToken {
        dates,
        subject: Subject::of(claims.subject),
        permissions: claims.permissions.and_then(|list| narrowed(&bounds, &list)),
        bounds,
        source,
        issuer: None,
        boundary: None,
    };
    Ok((verified, claims.boundary))
}

/// Whether verifying it takes a public key, which is dear (S9).
pub fn is_expensive(token: &[u8]) -> bool {
    let header = Compact::split(token).and_then(|token| token.header());
    header.is_ok_and(|header| match header.as_object() {
        Some(members) => !members
            .iter()
            .any(|(name, value)| name == "alg" && value.as_str() == Some("HS256")),
        None => false,
    })
}

/// The SHA-256 of a compact token in hex, as configurations have it.
pub fn sha256_hex(token: &[u8]) -> String {
    let digits = sha256(token);
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap_or_default()
}

/// A token whose signature and claims were found good. Whether its time has come is asked again at every use.
#[derive(Debug)]
pub struct VerifiedToken {
    dates: Dates,
    subject: Subject,
    /// What the claim leaves of the bound's permissions; `None`: all of them.
    permissions: Option<Box<[Box<str>]>>,
    bounds: Arc<Bounds>,
    source: Option<Arc<Bounds>>,
    /// The `iss` of a token of another issuer.
    issuer: Option<Arc<str>>,
    /// Shared by all tokens of a core that claim the same.
    boundary: Option<Arc<Boundary>>,
}

impl VerifiedToken {
    /// Expired at `exp` itself, without leeway; not valid before `nbf`; not issued more than five minutes ahead.
    pub fn check_time(&self, now_unix: u64) -> Result<(), TokenError> {
        self.dates.check(now_unix)
    }

    /// In seconds since the Unix epoch.
    pub fn expires_at(&self) -> Option<u64> {
        let expires_at = self.dates.expires_at;
        (expires_at != NEVER).then_some(expires_at)
    }

    /// `sub`, or nothing. Safe to log: a bounded number of printable ASCII characters, `?` for any other.
    pub fn subject(&self) -> &str {
        self.subject.printable()
    }

    /// `sub` as it is; `None`: there is none, or it is too long to tell.
    pub fn exact_subject(&self) -> Option<&str> {
        self.subject.exact()
    }

    /// Whether `sub` is too long to tell it whole.
    pub fn has_long_subject(&self) -> bool {
        self.subject.is_too_long()
    }

    /// Who answers for it: the stored credential by its id, or another issuer by its exact `iss`. No configuration has
    /// both under one name.
    pub fn vouched_by(&self) -> Option<&str> {
        let credential = (!self.bounds.id.is_empty()).then_some(&*self.bounds.id);
        self.issuer.as_deref().or(credential)
    }

    /// The name of the stored credential behind it; empty where there is none.
    pub fn credential(&self) -> &str {
        &self.bounds.id
    }

    /// Whether it has this permission, by its claim and by all that bounds it.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions
            .as_ref()
            .is_none_or(|list| list.iter().any(|one| **one == *permission))
            && self.owners().all(|bounds| bounds.may(permission))
    }

    /// Whether all that bounds it covers this project.
    pub fn owns_project(&self, project: &str) -> bool {
        self.owners().all(|bounds| bounds.owns_project(project))
    }

    /// What narrows it further: all of these must allow a request. None: nothing does.
    pub fn boundaries(&self) -> impl Iterator<Item = &Boundary> {
        let stored = self
            .owners()
            .filter_map(|bounds| bounds.boundary.as_deref());
        self.boundary.as_deref().into_iter().chain(stored)
    }

    fn owners(&self) -> impl Iterator<Item = &Bounds> {
        std::iter::once(&self.bounds)
            .chain(&self.source)
            .map(AsRef::as_ref)
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
            + self.subject.bytes()
            + permissions
            + self.boundary.as_deref().map_or(0, Boundary::bytes)
    }
}

/// In seconds since the Unix epoch. A date that is not claimed is one that is always kept; claims reach no further than 2^53.
#[derive(Clone, Copy, Debug)]
struct Dates {
    expires_at: u64,
    not_before: u64,
    issued_at: u64,
}

/// The `exp` of a token without one.
const NEVER: u64 = u64::MAX;

impl Dates {
    fn of(claims: &Claims<'_>) -> Self {
        Dates {
            expires_at: claims.expires_at.unwrap_or(NEVER),
            not_before: claims.not_before.unwrap_or(0),
            issued_at: claims.issued_at.unwrap_or(0),
        }
    }

    fn check(&self, now: u64) -> Result<(), TokenError> {
        if now >= self.expires_at {
            Err(TokenError::Expired)
        } else if now < self.not_before {
            Err(TokenError::NotYetValid)
        } else if self.issued_at > now.saturating_add(ISSUED_AHEAD_MAX) {
            Err(TokenError::IssuedInFuture)
        } else {
            Ok(())
        }
    }
}

/// What of the bound's permissions a claim asks for; `None`: all of them, which most do, so nothing need be kept. A permission
/// outside the bound grants nothing.
fn narrowed(bounds: &Bounds, claim: &[&str]) -> Option<Box<[Box<str>]>> {
    let all = bounds.permissions.as_ref();
    if all.is_some_and(|all| all.iter().all(|one| claim.contains(&&**one))) {
        return None;
    }
    let within = claim.iter().filter(|one| bounds.may(one));
    Some(within.map(|one| (*one).into()).collect())
}

/// Lower case, without the default port.
pub(super) fn normal_engine(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    host.strip_suffix(":443").unwrap_or(&host).to_owned()
}

/// Any bytes: as a token they prove nothing. As claims under our signature, they prove at most what the configuration
/// allows, and only with that signature.
pub fn fuzz_token(bytes: &[u8]) {
    const SECRET: &[u8] = b"a secret that nothing but this function knows";
    let bounds = Bounds::connect_within(&["p1"]);
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
