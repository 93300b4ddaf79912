//! Certificates of every kind, as they are judged per request.

mod authority;
mod signature;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;

use super::*;
use crate::token::Bounds;

/// In November 2023.
const NOW: u64 = 1_700_000_000;

fn owner(id: &str) -> CertificateCredential {
    CertificateCredential {
        bounds: Arc::new(Bounds {
            id: id.into(),
            ..Bounds::connect_within(&["p1"])
        }),
        subject: "".into(),
        live: true,
    }
}

fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().clone()
}

fn peer(der: &[u8]) -> PeerCertificate {
    PeerCertificate::read(&[CertificateDer::from(der)]).unwrap()
}

/// Whose a certificate is that has been registered by its bytes.
fn found(peer: &PeerCertificate, now: u64) -> Result<String, CertificateError> {
    let all = Certificates::new([(*peer.fingerprint(), owner("bot"))], Vec::new());
    let owner = all.owner(peer, now, &mut CertificateCache::default());
    owner.map(|owner| owner.bounds.id.to_string())
}

#[test]
fn a_certificate_is_known_by_every_byte_of_it() {
    let der = made(|_| ());
    assert_eq!(found(&peer(&der), NOW), Ok("bot".to_owned()));
    let hash = ring::digest::digest(&ring::digest::SHA256, &der);
    assert_eq!(peer(&der).fingerprint(), hash.as_ref());
    let all = Certificates::new([(*peer(&der).fingerprint(), owner("bot"))], Vec::new());
    let mut cache = CertificateCache::default();
    let other = peer(&made(|_| ()));
    let unknown = all.owner(&other, NOW, &mut cache).unwrap_err();
    assert_eq!(unknown, CertificateError::Unknown);
    // What a client sends behind its leaf means nothing.
    let chain = PeerCertificate::read(&[der, made(|_| ())]).unwrap();
    assert!(all.owner(&chain, NOW, &mut cache).is_ok());
    assert!(PeerCertificate::read(&[]).is_none());
}

#[test]
fn what_was_taken_back_is_nobody_s() {
    let peer = peer(&made(|_| ()));
    let revoked = CertificateCredential {
        live: false,
        ..owner("bot")
    };
    let all = Certificates::new([(*peer.fingerprint(), revoked)], Vec::new());
    let verdict = all.owner(&peer, NOW, &mut CertificateCache::default());
    assert_eq!(verdict.unwrap_err(), CertificateError::Revoked);
}

#[test]
fn its_time_is_asked_at_every_use() {
    let der = made(|params| {
        params.not_before = date_time_ymd(2023, 1, 1);
        params.not_after = date_time_ymd(2024, 1, 1);
    });
    let peer = peer(&der);
    let (first, last) = (1_672_531_200, 1_704_067_200);
    for (now, verdict) in [
        (first - 1, Err(CertificateError::NotYetValid)),
        (first, Ok("bot".to_owned())),
        (last, Ok("bot".to_owned())),
        (last + 1, Err(CertificateError::Expired)),
    ] {
        assert_eq!(found(&peer, now), verdict, "{now}");
    }
}

#[test]
fn what_cannot_be_safe_or_read_never_counts() {
    let now = 1_900_000_000;
    for (der, verdict) in [
        (
            &include_bytes!("tests/rsa-1024.der")[..],
            Err(CertificateError::WeakKey),
        ),
        (
            include_bytes!("tests/version-1.der"),
            Err(CertificateError::Version),
        ),
        (
            include_bytes!("tests/secp256k1.der"),
            Err(CertificateError::UnknownKey),
        ),
        (include_bytes!("tests/p-521.der"), Ok("bot".to_owned())),
        // A rule for whoever checks a path, and here there is none.
        (include_bytes!("tests/critical.der"), Ok("bot".to_owned())),
        (b"", Err(CertificateError::Malformed)),
        (b"0", Err(CertificateError::Malformed)),
    ] {
        assert_eq!(found(&peer(der), now), verdict, "{} bytes", der.len());
    }
    let mut behind = made(|_| ()).to_vec();
    behind.push(0);
    assert_eq!(found(&peer(&behind), NOW), Err(CertificateError::Malformed));
}
