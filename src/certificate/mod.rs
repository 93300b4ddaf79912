//! Client certificates: what a TLS client presented in, whose it is out.
//!
//! Owns: what is read of a certificate once per connection ([`PeerCertificate`]), which signatures prove that a client has
//! its key ([`proves_possession`]), and the registered certificates ([`Certificates`]). A certificate is found by its exact
//! bytes, or by one name in it where a CA of the configuration vouches for it (S6.2). Comes in: DER and the time. Goes out:
//! a [`CertificateCredential`] or a [`CertificateError`] with its reason. Pure: no sockets, no files, no clock.
//!
//! Refuses: certificates outside their time, of another version than 3, with weak keys. Invariants: whose a certificate is
//! is asked anew for every request; what a CA says is remembered only as long as everything it rests on is valid; the
//! common name never counts.

mod authority;
mod peer;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crate::token::Bounds;

pub use authority::{Authority, AuthorityError, CertificateCache, San};
pub use peer::PeerCertificate;
pub use signature::{SCHEMES, proves_possession};

/// A registered certificate's owner.
#[derive(Debug)]
pub struct CertificateCredential {
    /// What it may reach, and its name.
    pub bounds: Arc<Bounds>,
    /// The name in the certificate by which it was found; empty where it was found by its bytes.
    pub subject: Box<str>,
    /// Nobody has taken it back.
    pub live: bool,
}

/// All registered certificates.
#[derive(Debug, Default)]
pub struct Certificates {
    by_fingerprint: HashMap<[u8; 32], Arc<CertificateCredential>>,
    authorities: Vec<Authority>,
}

/// Why a certificate proves nothing: always 401 (rstream 10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// Not a certificate that can be read.
    Malformed,
    /// X.509 of another version than 3.
    Version,
    /// An RSA key of fewer than 2048 bits, or more than can be checked.
    WeakKey,
    /// A key of another kind than RSA, P-256, P-384, P-521 and Ed25519.
    UnknownKey,
    NotYetValid,
    Expired,
    /// Nobody has registered it.
    Unknown,
    /// Its owner's credential was taken back.
    Revoked,
    /// No CA that knows its name vouches for it: signature, constraints, use, or the time of one on the way.
    Untrusted,
    /// Its CA has revoked it.
    RevokedByCa,
    /// Whether its CA has revoked it cannot be told: the list is too old, or none covers it.
    RevocationUnknown,
    /// A name in it has bytes that no name has.
    BadName,
    /// Several of its names are registered.
    SeveralNames,
}

impl CertificateError {
    /// The stable word in logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            CertificateError::Malformed => "certificate_malformed",
            CertificateError::Version => "certificate_version",
            CertificateError::WeakKey => "certificate_weak_key",
            CertificateError::UnknownKey => "certificate_key_unsupported",
            CertificateError::NotYetValid => "certificate_not_yet_valid",
            CertificateError::Expired => "certificate_expired",
            CertificateError::Unknown => "certificate_unknown",
            CertificateError::Revoked => "credential_revoked",
            CertificateError::Untrusted => "certificate_untrusted",
            CertificateError::RevokedByCa => "certificate_revoked",
            CertificateError::RevocationUnknown => "certificate_revocation_unknown",
            CertificateError::BadName => "certificate_name",
            CertificateError::SeveralNames => "certificate_several_names",
        }
    }
}

impl Certificates {
    /// By the SHA-256 of their DER, and by the CAs that vouch for names.
    pub fn new(
        by_fingerprint: impl IntoIterator<Item = ([u8; 32], CertificateCredential)>,
        authorities: Vec<Authority>,
    ) -> Self {
        let by_fingerprint = by_fingerprint.into_iter();
        Certificates {
            by_fingerprint: by_fingerprint
                .map(|(fingerprint, owner)| (fingerprint, Arc::new(owner)))
                .collect(),
            authorities,
        }
    }

    /// Whose a certificate is now.
    pub fn owner(
        &self,
        peer: &PeerCertificate,
        now_unix: u64,
        cache: &mut CertificateCache,
    ) -> Result<Arc<CertificateCredential>, CertificateError> {
        peer.check(now_unix)?;
        let owner = match self.by_fingerprint.get(peer.fingerprint()) {
            Some(owner) => owner.clone(),
            None => cache.owner(&self.authorities, peer, now_unix)?,
        };
        if owner.live {
            Ok(owner)
        } else {
            Err(CertificateError::Revoked)
        }
    }

    /// Whether telling whose it is takes signatures, which is dear (S9).
    pub fn is_expensive(&self, peer: &PeerCertificate, cache: &CertificateCache) -> bool {
        !self.authorities.is_empty()
            && !self.by_fingerprint.contains_key(peer.fingerprint())
            && !cache.knows(peer)
    }

    /// All owners, for what lists them.
    pub fn owners(&self) -> impl Iterator<Item = &CertificateCredential> {
        let named = self.authorities.iter().flat_map(Authority::owners);
        self.by_fingerprint.values().chain(named).map(AsRef::as_ref)
    }
}
