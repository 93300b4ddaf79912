//! The signature of a handshake, by which a client proves that it has its certificate's key (RFC 8446 4.4.3, RFC 5246
//! 7.4.8).

use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use rustls::SignatureScheme;

use super::peer::{PublicKey, parse};

/// What a client may sign with, best first. SHA-512 with ECDSA stands last: in TLS 1.2 a client with a smaller key may
/// take it by this order, and only a P-521 key's can be checked.
pub const SCHEMES: [SignatureScheme; 10] = [
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::ECDSA_NISTP521_SHA512,
];

/// Whether `signature` over `message` was made with the key of this certificate. In TLS 1.3 a scheme names its curve and
/// RSA is PSS alone; in TLS 1.2 any curve goes with any hash.
///
/// A certificate that cannot be used counts as proven: it is refused at each request, with its reason, and the handshake
/// lives so that the reason can be told.
pub fn proves_possession(
    certificate: &[u8],
    is_tls13: bool,
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Ok(certificate) = parse(certificate) else {
        return true;
    };
    let Ok(key) = PublicKey::of(certificate.public_key()) else {
        return true;
    };
    let by = |algorithm: Option<&'static dyn VerificationAlgorithm>, key: &[u8]| {
        algorithm.is_some_and(|algorithm| {
            UnparsedPublicKey::new(algorithm, key)
                .verify(message, signature)
                .is_ok()
        })
    };
    match key {
        PublicKey::Rsa(key) => by(chosen(&RSA, scheme, is_tls13), key),
        PublicKey::Ed25519(key) => by(chosen(&EDWARDS, scheme, is_tls13), key),
        PublicKey::P256(key) => by(chosen(&P256, scheme, is_tls13), key),
        PublicKey::P384(key) => by(chosen(&P384, scheme, is_tls13), key),
        PublicKey::P521(key) => {
            let hash = chosen(&P521_HASHES, scheme, is_tls13);
            hash.is_some_and(|hash| key.verifies_hashed(digest(hash, message).as_ref(), signature))
        }
    }
}

/// A scheme, whether it is for TLS 1.2 alone, and how it is checked.
type Choice<T> = (SignatureScheme, bool, T);

type Verification = &'static dyn VerificationAlgorithm;

const RSA: [Choice<Verification>; 6] = [
    (
        SignatureScheme::RSA_PSS_SHA256,
        false,
        &RSA_PSS_2048_8192_SHA256,
    ),
    (
        SignatureScheme::RSA_PSS_SHA384,
        false,
        &RSA_PSS_2048_8192_SHA384,
    ),
    (
        SignatureScheme::RSA_PSS_SHA512,
        false,
        &RSA_PSS_2048_8192_SHA512,
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA256,
        true,
        &RSA_PKCS1_2048_8192_SHA256,
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA384,
        true,
        &RSA_PKCS1_2048_8192_SHA384,
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA512,
        true,
        &RSA_PKCS1_2048_8192_SHA512,
    ),
];
const EDWARDS: [Choice<Verification>; 1] = [(SignatureScheme::ED25519, false, &ED25519)];
const P256: [Choice<Verification>; 2] = [
    (
        SignatureScheme::ECDSA_NISTP256_SHA256,
        false,
        &ECDSA_P256_SHA256_ASN1,
    ),
    (
        SignatureScheme::ECDSA_NISTP384_SHA384,
        true,
        &ECDSA_P256_SHA384_ASN1,
    ),
];
const P384: [Choice<Verification>; 2] = [
    (
        SignatureScheme::ECDSA_NISTP384_SHA384,
        false,
        &ECDSA_P384_SHA384_ASN1,
    ),
    (
        SignatureScheme::ECDSA_NISTP256_SHA256,
        true,
        &ECDSA_P384_SHA256_ASN1,
    ),
];
const P521_HASHES: [Choice<&Algorithm>; 3] = [
    (SignatureScheme::ECDSA_NISTP521_SHA512, false, &SHA512),
    (SignatureScheme::ECDSA_NISTP384_SHA384, true, &SHA384),
    (SignatureScheme::ECDSA_NISTP256_SHA256, true, &SHA256),
];

fn chosen<T: Copy>(choices: &[Choice<T>], scheme: SignatureScheme, is_tls13: bool) -> Option<T> {
    let mut choices = choices.iter();
    choices
        .find(|(named, only_tls12, _)| *named == scheme && !(*only_tls12 && is_tls13))
        .map(|(_, _, how)| *how)
}
