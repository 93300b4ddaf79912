//! Keys of other issuers: each is good for one algorithm, which the sender of a token cannot change (S4.6).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION,
    OID_SIG_ED25519,
};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::p521_key::P521Key;
use crate::json::{self, Json};
use crate::limits::{HS256_SECRET_BYTES_MIN, ISSUER_KEYS_MAX};

/// Bytes of an Ed25519 key (RFC 8032 5.1.5).
const ED25519_PUBLIC_KEY_LEN: usize = 32;

/// How a token of another issuer may be signed (RFC 7518 3.1, RFC 8037 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Es256,
    Es384,
    Es512,
    EdDsa,
    Rs256,
    Ps256,
}

impl Algorithm {
    pub const ALL: [(&str, Algorithm); 7] = [
        ("HS256", Algorithm::Hs256),
        ("ES256", Algorithm::Es256),
        ("ES384", Algorithm::Es384),
        ("ES512", Algorithm::Es512),
        ("EdDSA", Algorithm::EdDsa),
        ("RS256", Algorithm::Rs256),
        ("PS256", Algorithm::Ps256),
    ];

    /// From the name in a header; case counts.
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Algorithm::ALL.into_iter();
        all.find(|(known, _)| *known == name)
            .map(|(_, found)| found)
    }
}

/// One key with the one algorithm that it is good for.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Secret(hmac::Key),
    /// A point, as ring takes it.
    Ring(&'static dyn VerificationAlgorithm, Box<[u8]>),
    /// Modulus and exponent.
    Rsa(&'static RsaParameters, Box<[u8]>, Box<[u8]>),
    P521(P521Key),
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Not a key, or one of a kind that no algorithm here uses.
    Unknown,
    /// The key is good for none of the algorithms that the issuer may use.
    NotAllowed,
    /// An RSA key that would be good for two of them: which, the sender would choose.
    TwoAlgorithms,
    /// An RSA key that is too short to be safe, or longer than can be checked.
    BadSize,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::Unknown => "no key of RSA, P-256, P-384, P-521 or Ed25519",
            KeyError::NotAllowed => "a key that none of the algorithms is for",
            KeyError::BadSize => "an RSA key needs 2048 to 8192 bits",
            KeyError::TwoAlgorithms => {
                "an RSA key for RS256 and PS256 alike: leave one of them, or give `alg` in a key set"
            }
        })
    }
}

impl VerifyingKey {
    /// A shared secret, of at least 32 bytes.
    pub fn secret(secret: &[u8]) -> Option<Self> {
        (secret.len() >= HS256_SECRET_BYTES_MIN).then(|| VerifyingKey {
            algorithm: Algorithm::Hs256,
            material: Material::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret)),
        })
    }

    /// From a `SubjectPublicKeyInfo` in DER (RFC 5280 4.1).
    pub fn from_spki(der: &[u8], allowed: &[Algorithm]) -> Result<Self, KeyError> {
        if let Some(key) = P521Key::from_spki(der) {
            return VerifyingKey::allowed(Algorithm::Es512, Material::P521(key), allowed);
        }
        let (_, spki) = SubjectPublicKeyInfo::from_der(der).map_err(|_| KeyError::Unknown)?;
        let kind = &spki.algorithm.algorithm;
        let bytes: Box<[u8]> = spki.subject_public_key.data.as_ref().into();
        if *kind == OID_PKCS1_RSAENCRYPTION {
            return match spki.parsed() {
                Ok(PublicKey::RSA(key)) => {
                    VerifyingKey::rsa(key.modulus, key.exponent, None, allowed)
                }
                _ => Err(KeyError::Unknown),
            };
        }
        if *kind == OID_SIG_ED25519 {
            return VerifyingKey::ed25519(bytes, allowed);
        }
        let curve = spki.algorithm.parameters.as_ref();
        let curve = curve.and_then(|parameters| parameters.as_oid().ok());
        let curve = curve.filter(|_| *kind == OID_KEY_TYPE_EC_PUBLIC_KEY);
        match curve.ok_or(KeyError::Unknown)? {
            oid if oid == OID_EC_P256 => VerifyingKey::point(Algorithm::Es256, bytes, allowed),
            oid if oid == OID_NIST_EC_P384 => VerifyingKey::point(Algorithm::Es384, bytes, allowed),
            _ => Err(KeyError::Unknown),
        }
    }

    /// From one key of a set (RFC 7517 4).
    fn from_jwk(jwk: &[(String, Json)], allowed: &[Algorithm]) -> Result<Self, KeyError> {
        let text = |name| member(jwk, name).and_then(Json::as_str);
        let number = |name| -> Result<Vec<u8>, KeyError> {
            let digits = text(name).ok_or(KeyError::Unknown)?;
            URL_SAFE_NO_PAD
                .decode(digits)
                .map_err(|_| KeyError::Unknown)
        };
        let stated = match member(jwk, "alg") {
            None => None,
            Some(name) => Some(
                name.as_str()
                    .and_then(Algorithm::parse)
                    .ok_or(KeyError::NotAllowed)?,
            ),
        };
        let key = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => VerifyingKey::rsa(&number("n")?, &number("e")?, stated, allowed)?,
            (Some("OKP"), Some("Ed25519")) => VerifyingKey::ed25519(number("x")?.into(), allowed)?,
            (Some("EC"), Some(curve)) => {
                let point = [&[4][..], &number("x")?, &number("y")?].concat();
                match curve {
                    "P-256" => VerifyingKey::point(Algorithm::Es256, point.into(), allowed)?,
                    "P-384" => VerifyingKey::point(Algorithm::Es384, point.into(), allowed)?,
                    "P-521" => VerifyingKey {
                        algorithm: Algorithm::Es512,
                        material: Material::P521(
                            P521Key::from_point(&point).ok_or(KeyError::Unknown)?,
                        ),
                    },
                    _ => return Err(KeyError::Unknown),
                }
            }
            _ => return Err(KeyError::Unknown),
        };
        if stated.is_some_and(|stated| stated != key.algorithm) {
            return Err(KeyError::NotAllowed);
        }
        VerifyingKey::allowed(key.algorithm, key.material, allowed)
    }

    /// A modulus of 2048 to 8192 bits, which is what `ring` takes; zeros before either number are dropped.
    fn rsa(
        modulus: &[u8],
        exponent: &[u8],
        stated: Option<Algorithm>,
        allowed: &[Algorithm],
    ) -> Result<Self, KeyError> {
        let [n, e] = [modulus, exponent].map(|number| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number.get(zeros..).unwrap_or_default()
        });
        let unused = n.first().map_or(0, |first| first.leading_zeros() as usize);
        let algorithm = rsa_algorithm(stated, allowed)?;
        if !(2048..=8192).contains(&(n.len() * 8 - unused)) {
            return Err(KeyError::BadSize);
        }
        let material = Material::Rsa(rsa_parameters(algorithm), n.into(), e.into());
        VerifyingKey::allowed(algorithm, material, allowed)
    }

    fn ed25519(bytes: Box<[u8]>, allowed: &[Algorithm]) -> Result<Self, KeyError> {
        if bytes.len() != ED25519_PUBLIC_KEY_LEN {
            return Err(KeyError::Unknown);
        }
        let material = Material::Ring(&ED25519, bytes);
        VerifyingKey::allowed(Algorithm::EdDsa, material, allowed)
    }

    fn point(
        algorithm: Algorithm,
        point: Box<[u8]>,
        allowed: &[Algorithm],
    ) -> Result<Self, KeyError> {
        let (with, length): (&'static dyn VerificationAlgorithm, usize) =
            if algorithm == Algorithm::Es256 {
                (&ECDSA_P256_SHA256_FIXED, 65)
            } else {
                (&ECDSA_P384_SHA384_FIXED, 97)
            };
        if point.len() != length {
            return Err(KeyError::Unknown);
        }
        VerifyingKey::allowed(algorithm, Material::Ring(with, point), allowed)
    }

    fn allowed(
        algorithm: Algorithm,
        material: Material,
        allowed: &[Algorithm],
    ) -> Result<Self, KeyError> {
        if !allowed.contains(&algorithm) {
            return Err(KeyError::NotAllowed);
        }
        Ok(VerifyingKey {
            algorithm,
            material,
        })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks a signature in the form of RFC 7518.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Ring(algorithm, bytes) => UnparsedPublicKey::new(*algorithm, bytes)
                .verify(message, signature)
                .is_ok(),
            Material::Rsa(parameters, n, e) => RsaPublicKeyComponents { n, e }
                .verify(parameters, message, signature)
                .is_ok(),
            Material::P521(key) => key.verifies(message, signature),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?})", self.algorithm)
    }
}

/// The keys of one issuer.
#[derive(Clone, Debug)]
pub enum KeySet {
    /// One key, whatever `kid` a token has.
    One(VerifyingKey),
    /// Of which `kid` names one.
    Named(Vec<(Option<Box<str>>, VerifyingKey)>),
}

impl Default for KeySet {
    fn default() -> Self {
        KeySet::Named(Vec::new())
    }
}

impl KeySet {
    /// Reads a set (RFC 7517 5). Keys for other uses or algorithms are passed over, as others may be for other readers;
    /// `None`: not a set, or too large.
    pub fn parse(text: &[u8], allowed: &[Algorithm]) -> Option<Self> {
        let tree = json::parse(text).ok()?;
        let keys = member(tree.as_object()?, "keys")?.as_array()?;
        if keys.len() > ISSUER_KEYS_MAX {
            return None;
        }
        let mut named: Vec<(Option<Box<str>>, VerifyingKey)> = Vec::new();
        for key in keys {
            let jwk = key.as_object()?;
            let is_for_us = match member(jwk, "use") {
                None => true,
                Some(usage) => usage.as_str() == Some("sig"),
            };
            let kid = match member(jwk, "kid") {
                None => None,
                Some(kid) => Some(kid.as_str()?.into()),
            };
            if let (true, Ok(key)) = (is_for_us, VerifyingKey::from_jwk(jwk, allowed)) {
                named.push((kid, key));
            }
        }
        Some(KeySet::Named(named))
    }

    /// The one key for a token with this algorithm and `kid`. A token without `kid` is served where only one fits.
    pub fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Option<&VerifyingKey> {
        match self {
            KeySet::One(key) => Some(key).filter(|key| key.algorithm == algorithm),
            KeySet::Named(keys) => {
                let mut fitting = keys.iter().filter(|(name, key)| {
                    key.algorithm == algorithm && (kid.is_none() || name.as_deref() == kid)
                });
                let (_, found) = fitting.next()?;
                fitting.next().is_none().then_some(found)
            }
        }
    }

    pub fn len(&self) -> usize {
        match self {
            KeySet::One(_) => 1,
            KeySet::Named(keys) => keys.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn member<'a>(members: &'a [(String, Json)], name: &str) -> Option<&'a Json> {
    let mut members = members.iter();
    members
        .find(|(found, _)| found == name)
        .map(|(_, value)| value)
}

/// What an RSA key is for: what it says, or the one RSA algorithm that is allowed.
fn rsa_algorithm(stated: Option<Algorithm>, allowed: &[Algorithm]) -> Result<Algorithm, KeyError> {
    let rsa = [Algorithm::Rs256, Algorithm::Ps256];
    if let Some(stated) = stated {
        return Some(stated)
            .filter(|stated| rsa.contains(stated))
            .ok_or(KeyError::NotAllowed);
    }
    match rsa.map(|algorithm| allowed.contains(&algorithm)) {
        [true, true] => Err(KeyError::TwoAlgorithms),
        [true, false] => Ok(Algorithm::Rs256),
        [false, true] => Ok(Algorithm::Ps256),
        [false, false] => Err(KeyError::NotAllowed),
    }
}

fn rsa_parameters(algorithm: Algorithm) -> &'static RsaParameters {
    if algorithm == Algorithm::Ps256 {
        &RSA_PSS_2048_8192_SHA256
    } else {
        &RSA_PKCS1_2048_8192_SHA256
    }
}
