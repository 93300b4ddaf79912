//! What tokens are verified with, and all that they may belong to.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ring::hmac;

use super::bounds::{Bounds, CredentialKind, Credentials};
use super::claims;
use super::compact::Compact;
use super::issuer::Issuer;
use super::key::KeySet;
use super::verify::normal_engine;
use crate::limits::HS256_SECRET_BYTES_MIN;

/// What tokens are verified with: made once per configuration and for each new key set, then only read.
#[derive(Clone, Debug)]
pub struct TokenKeys {
    /// `None` where the secret was too short to prove anything: then nothing verifies.
    pub(super) hs256: Option<hmac::Key>,
    pub(super) ce: Option<Arc<Bounds>>,
    pub(super) engine: String,
    pub(super) credentials: Arc<Credentials>,
    /// By the exact `iss` of their tokens.
    pub(super) issuers: HashMap<Arc<str>, Issuer>,
    /// A personal access token without a record is nobody's; else it counts as a token without `type`.
    pub(super) require_stored_pat: bool,
}

impl TokenKeys {
    /// The deployment secret, the bound of CE tokens (`None`: they are refused) and the base host of this edge, which a
    /// token may name in `metadata.engine`. No credential is stored.
    pub fn new(hs256_secret: &[u8], ce: Option<Bounds>, engine_host: &str) -> Self {
        TokenKeys {
            hs256: (hs256_secret.len() >= HS256_SECRET_BYTES_MIN)
                .then(|| hmac::Key::new(hmac::HMAC_SHA256, hs256_secret)),
            ce: ce.map(Arc::new),
            engine: normal_engine(engine_host),
            credentials: Arc::default(),
            issuers: HashMap::new(),
            require_stored_pat: true,
        }
    }

    /// The same with stored credentials.
    pub fn with_credentials(self, credentials: Credentials, require_stored_pat: bool) -> Self {
        TokenKeys {
            credentials: Arc::new(credentials),
            require_stored_pat,
            ..self
        }
    }

    /// The same with other issuers, by their `iss`.
    pub fn with_issuers(self, issuers: impl IntoIterator<Item = (Box<str>, Issuer)>) -> Self {
        TokenKeys {
            issuers: issuers
                .into_iter()
                .map(|(name, issuer)| (name.into(), issuer))
                .collect(),
            ..self
        }
    }

    /// The same with other keys of one issuer; `None`: there is no such issuer, or
    /// its keys do not come from a URL. The set replaces the one before, and is not joined with it (S4.6).
    pub fn with_key_set(&self, issuer: &str, set: &KeySet) -> Option<Self> {
        let mut keys = self.clone();
        let issuer = keys.issuers.get_mut(issuer)?;
        issuer.keys = issuer.fetched.then(|| set.clone())?;
        Some(keys)
    }

    /// The key that a token of another issuer asks for, where that issuer's keys come from a URL.
    pub fn wanted_key(&self, token: &[u8]) -> Option<WantedKey> {
        let compact = Compact::split(token).ok()?;
        let (header, payload) = (compact.header().ok()?, compact.payload().ok()?);
        let (name, issuer) = self
            .issuers
            .get_key_value(claims::issuer(payload.as_object()?)?)?;
        let (_, kid) = issuer.named_key(header.as_object()?).ok()?;
        issuer.fetched.then(|| WantedKey {
            issuer: (&**name).into(),
            kid: kid.map(Into::into),
        })
    }

    /// Whether tokens of this issuer count here.
    pub fn knows_issuer(&self, issuer: &str) -> bool {
        self.issuers.contains_key(issuer)
    }

    /// All that tokens may belong to, and what bounds those.
    pub fn owners(&self) -> impl Iterator<Item = (Owner<'_>, &Bounds)> {
        let ce = self.ce.iter().map(|bounds| (Owner::Ce, &**bounds));
        let credentials = self.credentials.live();
        let credentials =
            credentials.filter(|one| !matches!(one.kind, CredentialKind::Certificate));
        let credentials = credentials.map(|one| (Owner::Credential(&one.bounds.id), &*one.bounds));
        let issuers = self.issuers.iter();
        let issuers = issuers.map(|(name, issuer)| (Owner::Issuer(name), &*issuer.bounds));
        ce.chain(credentials).chain(issuers)
    }
}

/// A key that is not known, and may be by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedKey {
    /// The `iss` of the issuer.
    pub issuer: Box<str>,
    /// What the token calls it, if it does.
    pub kid: Option<Box<str>>,
}

/// What tokens belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner<'a> {
    /// `[tokens.ce]`.
    Ce,
    /// A stored credential, by its id.
    Credential(&'a str),
    /// Another issuer, by the `iss` of its tokens.
    Issuer(&'a str),
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Ce => f.write_str("tokens without a credential, by [tokens.ce]"),
            Owner::Credential(id) => write!(f, "credential {id}"),
            Owner::Issuer(name) => write!(f, "tokens of {name}"),
        }
    }
}
