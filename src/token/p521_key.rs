//! P-521 keys, which ring does not know: public ones to verify with, private ones for the command line.
//!
//! Chosen over aws-lc-rs, which verifies in 0.26 ms what takes 0.44 ms here: a token is verified once in its life on each
//! core, and that library would be a second one in C beside ring.

use std::fmt;

use p521::ecdsa::signature::hazmat::PrehashVerifier;
use p521::ecdsa::signature::{Signer, Verifier};
use p521::ecdsa::{Signature, SigningKey, VerifyingKey};
use p521::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding,
};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// A key whose point lies on the curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct P521Key(VerifyingKey);

impl P521Key {
    /// From a `SubjectPublicKeyInfo` in DER (RFC 5480 2). `None`: not one, or a key of another kind.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        VerifyingKey::from_public_key_der(der).map(P521Key).ok()
    }

    /// From a point in the form of SEC 1.
    pub fn from_point(point: &[u8]) -> Option<Self> {
        VerifyingKey::from_sec1_bytes(point).map(P521Key).ok()
    }

    /// ES512 (RFC 7518 3.4): SHA-512, and a signature of two numbers in 132 bytes.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }

    /// A signature in DER (RFC 3279 2.2.3) over something that hashes to `hash`, which has at most 66 bytes.
    pub fn verifies_hashed(&self, hash: &[u8], signature: &[u8]) -> bool {
        // The number that is signed is the hash itself; the library takes short ones only with their zeros.
        let mut number = [0; 66];
        let start = number.len().saturating_sub(hash.len());
        match number.get_mut(start..) {
            Some(digits) if digits.len() == hash.len() => digits.copy_from_slice(hash),
            _ => return false,
        }
        Signature::from_der(signature)
            .is_ok_and(|signature| self.0.verify_prehash(&number, &signature).is_ok())
    }

    /// As a PEM block PUBLIC KEY. `None` does not happen to a key that is one.
    pub fn to_pem(&self) -> Option<String> {
        self.0.to_public_key_pem(LineEnding::LF).ok()
    }
}

/// An application's key. Wiped when dropped.
pub struct P521PrivateKey(SigningKey);

impl P521PrivateKey {
    /// A new one. `None`: the system gives no random bytes.
    pub fn generate() -> Option<Self> {
        let random = SystemRandom::new();
        // Most numbers of 521 bits are below the order of the curve; one that is not is thrown away.
        (0..64).find_map(|_| {
            let mut number = Zeroizing::new([0; 66]);
            random.fill(number.as_mut()).ok()?;
            if let Some(first) = number.first_mut() {
                *first &= 1;
            }
            SigningKey::from_slice(number.as_ref())
                .ok()
                .map(P521PrivateKey)
        })
    }

    /// From PKCS#8: a PEM block PRIVATE KEY, or its DER in hex, as the vendor's tools hand it out.
    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.starts_with("-----") {
            return SigningKey::from_pkcs8_pem(text).map(P521PrivateKey).ok();
        }
        let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digits: Zeroizing<Vec<u8>> =
            text.chars().map(digit).collect::<Option<Vec<_>>>()?.into();
        let pairs = digits.chunks(2).map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        });
        let der: Zeroizing<Vec<u8>> = pairs.collect::<Option<Vec<_>>>()?.into();
        SigningKey::from_pkcs8_der(&der).map(P521PrivateKey).ok()
    }

    /// As a PEM block PRIVATE KEY.
    pub fn to_pem(&self) -> Option<Zeroizing<String>> {
        self.0.to_pkcs8_pem(LineEnding::LF).ok()
    }

    pub fn public(&self) -> P521Key {
        P521Key(*self.0.verifying_key())
    }

    /// ES512: 132 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_vec()
    }
}

impl fmt::Debug for P521PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P521PrivateKey(hidden)")
    }
}
