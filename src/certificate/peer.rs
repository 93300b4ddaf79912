//! What is read of a client's certificate when its connection is made.

use ring::digest::{Context, SHA256, digest};
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521,
    OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519,
};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Version};

use super::CertificateError;
use crate::token::P521Key;

/// The certificate that a client presented, and whose key it has proved to have unless the certificate is worthless
/// anyway.
#[derive(Debug)]
pub struct PeerCertificate {
    /// As it came, leaf first.
    chain: Vec<CertificateDer<'static>>,
    fingerprint: [u8; 32],
    whole: [u8; 32],
    /// Seconds since the Unix epoch, both included.
    validity: (u64, u64),
    /// Why it can never count.
    fault: Option<CertificateError>,
}

impl PeerCertificate {
    /// Reads a chain, leaf first. `None`: there is no certificate.
    pub fn read(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let leaf = chain.first()?;
        let mut whole = Context::new(&SHA256);
        for certificate in chain {
            whole.update(&(certificate.len() as u64).to_le_bytes());
            whole.update(certificate);
        }
        let (validity, fault) = match judged(leaf) {
            Ok(validity) => (validity, None),
            Err(fault) => ((0, 0), Some(fault)),
        };
        Some(PeerCertificate {
            fingerprint: hash(digest(&SHA256, leaf).as_ref()),
            whole: hash(whole.finish().as_ref()),
            validity,
            fault,
            chain: chain.iter().map(|one| one.clone().into_owned()).collect(),
        })
    }

    /// Whether it can be read at all.
    pub fn is_certificate(&self) -> bool {
        self.fault != Some(CertificateError::Malformed)
    }

    /// The SHA-256 of the leaf's DER.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The SHA-256 of all that was presented.
    pub(super) fn whole(&self) -> &[u8; 32] {
        &self.whole
    }

    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The first second after its time, since the Unix epoch.
    pub fn ends_at(&self) -> u64 {
        self.validity.1.saturating_add(1)
    }

    /// Why it cannot count now, whoever has registered it.
    pub(super) fn check(&self, now_unix: u64) -> Result<(), CertificateError> {
        let (first, last) = self.validity;
        match self.fault {
            Some(fault) => Err(fault),
            None if now_unix < first => Err(CertificateError::NotYetValid),
            None if now_unix > last => Err(CertificateError::Expired),
            None => Ok(()),
        }
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().unwrap_or_default()
}

/// When a certificate is valid, if it can be used at all.
fn judged(der: &[u8]) -> Result<(u64, u64), CertificateError> {
    let certificate = parse(der)?;
    if certificate.version() != X509Version::V3 {
        return Err(CertificateError::Version);
    }
    PublicKey::of(certificate.public_key())?;
    Ok(validity(&certificate))
}

/// A certificate with nothing behind it.
pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    match X509Certificate::from_der(der) {
        Ok((&[], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(CertificateError::Malformed),
    }
}

/// First and last second of its time.
pub(super) fn validity(certificate: &X509Certificate<'_>) -> (u64, u64) {
    let validity = certificate.validity();
    let seconds = |moment: i64| u64::try_from(moment).unwrap_or(0);
    (
        seconds(validity.not_before.timestamp()),
        seconds(validity.not_after.timestamp()),
    )
}

/// A key that a client may prove to have.
#[derive(Debug)]
pub(super) enum PublicKey<'a> {
    /// As RFC 8017 A.1.1 writes it.
    Rsa(&'a [u8]),
    P256(&'a [u8]),
    P384(&'a [u8]),
    P521(P521Key),
    Ed25519(&'a [u8]),
}

impl<'a> PublicKey<'a> {
    pub(super) fn of(spki: &'a SubjectPublicKeyInfo<'a>) -> Result<Self, CertificateError> {
        let kind = &spki.algorithm.algorithm;
        let bytes = spki.subject_public_key.data.as_ref();
        if *kind == OID_PKCS1_RSAENCRYPTION {
            return match spki.parsed() {
                Ok(Parsed::RSA(key)) if (2048..=8192).contains(&bits(key.modulus)) => {
                    Ok(PublicKey::Rsa(bytes))
                }
                _ => Err(CertificateError::WeakKey),
            };
        }
        if *kind == OID_SIG_ED25519 {
            return Ok(PublicKey::Ed25519(bytes));
        }
        let curve = spki.algorithm.parameters.as_ref();
        let curve = curve.and_then(|parameters| parameters.as_oid().ok());
        let curve = curve.filter(|_| *kind == OID_KEY_TYPE_EC_PUBLIC_KEY);
        match curve.ok_or(CertificateError::UnknownKey)? {
            oid if oid == OID_EC_P256 => Ok(PublicKey::P256(bytes)),
            oid if oid == OID_NIST_EC_P384 => Ok(PublicKey::P384(bytes)),
            oid if oid == OID_NIST_EC_P521 => P521Key::from_point(bytes)
                .map(PublicKey::P521)
                .ok_or(CertificateError::UnknownKey),
            _ => Err(CertificateError::UnknownKey),
        }
    }
}

fn bits(modulus: &[u8]) -> usize {
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let number = modulus.get(zeros..).unwrap_or_default();
    let unused = number
        .first()
        .map_or(0, |first| first.leading_zeros() as usize);
    number.len() * 8 - unused
}
