//! Which signatures prove that a client has its key.

use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use rustls::SignatureScheme as Scheme;

use super::*;

const MESSAGE: &[u8] = b"what was said in the handshake";

fn certificate(key: &KeyPair) -> Vec<u8> {
    let made = CertificateParams::default().self_signed(key).unwrap();
    made.der().to_vec()
}

fn signed(key: &KeyPair) -> Vec<u8> {
    let document = key.serialize_der();
    let random = SystemRandom::new();
    let ecdsa = |kind| {
        let pair = EcdsaKeyPair::from_pkcs8(kind, &document, &random).unwrap();
        pair.sign(&random, MESSAGE).unwrap().as_ref().to_vec()
    };
    if *key.algorithm() == PKCS_ED25519 {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document).unwrap();
        pair.sign(MESSAGE).as_ref().to_vec()
    } else if *key.algorithm() == PKCS_ECDSA_P256_SHA256 {
        ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING)
    } else {
        ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING)
    }
}

#[test]
fn a_signature_counts_under_its_own_scheme_and_key_alone() {
    for (kind, scheme) in [
        (&PKCS_ED25519, Scheme::ED25519),
        (&PKCS_ECDSA_P256_SHA256, Scheme::ECDSA_NISTP256_SHA256),
        (&PKCS_ECDSA_P384_SHA384, Scheme::ECDSA_NISTP384_SHA384),
    ] {
        let key = KeyPair::generate_for(kind).unwrap();
        let (der, good) = (certificate(&key), signed(&key));
        let other = certificate(&KeyPair::generate_for(kind).unwrap());
        for is_tls13 in [true, false] {
            let proves = |der: &[u8], scheme, message: &[u8], signature: &[u8]| {
                proves_possession(der, is_tls13, scheme, message, signature)
            };
            assert!(proves(&der, scheme, MESSAGE, &good), "{scheme:?}");
            assert!(!proves(&other, scheme, MESSAGE, &good), "{scheme:?}");
            assert!(!proves(&der, scheme, b"something else", &good));
            assert!(!proves(&der, scheme, MESSAGE, &[]));
            for wrong in SCHEMES.into_iter().filter(|one| *one != scheme) {
                assert!(
                    !proves(&der, wrong, MESSAGE, &good),
                    "{scheme:?} as {wrong:?}"
                );
            }
            assert!(!proves(&der, Scheme::ECDSA_SHA1_Legacy, MESSAGE, &good));
        }
    }
}

/// It is refused at each request, with its reason; for that the handshake must live.
#[test]
fn a_certificate_that_cannot_be_used_is_not_asked_for_its_key() {
    let worthless = include_bytes!("rsa-1024.der");
    assert!(proves_possession(
        worthless,
        true,
        Scheme::RSA_PSS_SHA256,
        MESSAGE,
        b"nothing"
    ));
    assert!(found(&peer(worthless), NOW).is_err());
}

/// One of another version or outside its time may be read, and its key is asked for.
#[test]
fn a_certificate_of_another_version_must_still_be_its_own() {
    let der = include_bytes!("version-1.der");
    let scheme = Scheme::ECDSA_NISTP256_SHA256;
    assert!(!proves_possession(der, true, scheme, MESSAGE, b"nothing"));
}
