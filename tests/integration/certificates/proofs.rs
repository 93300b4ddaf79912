//! Signatures that are good in themselves, and whether they prove anything: made by openssl with any hash, left out, sent
//! twice, or taken from another handshake.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::Mutex;

use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, ProtocolVersion, SignatureAlgorithm, SignatureScheme};

use crate::stage::{Stage, get};
use crate::support::{ClientCertificate, HOST, TlsOptions};

use super::hostile::{is_well, shaken};
use super::keys::{bad_proofs, curve, fails, rsa};
use super::{VERSIONS, stage};

/// Signs with openssl, and says what it is told to say.
#[derive(Clone, Debug)]
struct ByOpenssl {
    key_pem: String,
    hash: &'static str,
    says: SignatureScheme,
}

impl SigningKey for ByOpenssl {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for ByOpenssl {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let [key, text] = ["key", "text"].map(|name| folder.path().join(name));
        fs::write(&key, &self.key_pem).unwrap();
        fs::write(&text, message).unwrap();
        let mut command = Command::new("openssl");
        command
            .args(["dgst", self.hash, "-sign"])
            .arg(key)
            .arg(text);
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success());
        Ok(output.stdout)
    }

    fn scheme(&self) -> SignatureScheme {
        self.says
    }
}

fn signing(
    certificate: &ClientCertificate,
    hash: &'static str,
    says: SignatureScheme,
) -> CertifiedKey {
    let key_pem = certificate.key_pem.clone();
    let key = ByOpenssl {
        key_pem,
        hash,
        says,
    };
    CertifiedKey::new(certificate.chain.clone(), Arc::new(key))
}

/// In TLS 1.3 a scheme names its curve; in TLS 1.2 any curve goes with any hash that is long enough (RFC 8446 4.2.3).
#[test]
fn a_good_signature_counts_only_under_a_scheme_that_was_asked_for() {
    use SignatureScheme::*;
    let [p256, p384, p521] = ["P-256", "P-384", "P-521"].map(curve);
    let rsa = rsa(2048);
    let credentials = [&p256, &p384, &p521, &rsa].into_iter().enumerate();
    let credentials: String = credentials
        .map(|(number, certificate)| certificate.credential(&format!("key-{number}")))
        .collect();
    let stage = stage(&credentials);
    let (sha1, rsa_sha1) = (ECDSA_SHA1_Legacy, RSA_PKCS1_SHA1);
    for (what, certificate, hash, says, with_tls12, with_tls13) in [
        ("P-256", &p256, "-sha256", ECDSA_NISTP256_SHA256, true, true),
        (
            "P-256",
            &p256,
            "-sha384",
            ECDSA_NISTP384_SHA384,
            true,
            false,
        ),
        (
            "P-256",
            &p256,
            "-sha512",
            ECDSA_NISTP521_SHA512,
            false,
            false,
        ),
        ("P-256", &p256, "-sha1", sha1, false, false),
        ("P-256", &p256, "-sha224", Unknown(0x0303), false, false),
        ("P-384", &p384, "-sha384", ECDSA_NISTP384_SHA384, true, true),
        (
            "P-384",
            &p384,
            "-sha256",
            ECDSA_NISTP256_SHA256,
            true,
            false,
        ),
        (
            "P-384",
            &p384,
            "-sha512",
            ECDSA_NISTP521_SHA512,
            false,
            false,
        ),
        ("P-384", &p384, "-sha1", sha1, false, false),
        ("P-521", &p521, "-sha512", ECDSA_NISTP521_SHA512, true, true),
        (
            "P-521",
            &p521,
            "-sha384",
            ECDSA_NISTP384_SHA384,
            true,
            false,
        ),
        (
            "P-521",
            &p521,
            "-sha256",
            ECDSA_NISTP256_SHA256,
            true,
            false,
        ),
        ("P-521", &p521, "-sha1", sha1, false, false),
        ("RSA", &rsa, "-sha256", RSA_PKCS1_SHA256, true, false),
        ("RSA", &rsa, "-sha384", RSA_PKCS1_SHA384, true, false),
        ("RSA", &rsa, "-sha512", RSA_PKCS1_SHA512, true, false),
        ("RSA", &rsa, "-sha1", rsa_sha1, false, false),
        ("RSA", &rsa, "-md5", Unknown(0x0101), false, false),
        ("RSA", &rsa, "-sha256", RSA_PSS_SHA256, false, false),
    ] {
        for (version, good) in VERSIONS.into_iter().zip([with_tls12, with_tls13]) {
            let before = bad_proofs(&stage);
            let options = TlsOptions {
                client_certificate: Some(signing(certificate, hash, says)),
                ..TlsOptions::new(HOST).version(version)
            };
            if good {
                let mut client = stage.edge.tls_client_with(&options).unwrap();
                let judged = stage.judges(&mut client, &get("/", ""));
                assert_eq!(judged, (200, "forwarded".to_owned()), "{what} {hash}");
                assert_eq!(bad_proofs(&stage), before);
            } else {
                fails(&stage, &options);
            }
        }
    }
}

const CERTIFICATE_VERIFY: u8 = 15;

/// The plain handshake messages of a flight of TLS 1.2, each whole, and what is no plain handshake message behind them.
fn messages(flight: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
    const HANDSHAKE: u8 = 22;
    let (mut plain, mut rest) = (Vec::new(), flight);
    while let [HANDSHAKE, _, _, high, low, after @ ..] = rest {
        let (payload, next) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        plain.extend(payload);
        rest = next;
    }
    let mut messages = Vec::new();
    while let [_, a, b, c, ..] = plain[..] {
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap();
        messages.push(plain.drain(..4 + length).collect());
    }
    (messages, rest)
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&[22, 3, 3], &length[..], message].concat()
}

/// A handshake of TLS 1.2 whose second flight this changes; `true`: its request was answered.
fn enters(
    stage: &Stage,
    certificate: &ClientCertificate,
    change: impl Fn(Vec<Vec<u8>>) -> Vec<Vec<u8>>,
) -> bool {
    use std::io::Write as _;
    let options = TlsOptions::new(HOST)
        .version(VERSIONS[0])
        .showing(certificate);
    let config = options.config(stage.edge.authority().roots());
    let hand = shaken(&stage.edge, &config, |flight, bytes, socket| {
        if flight != 1 {
            let _ = socket.write_all(bytes);
            return;
        }
        let (messages, rest) = messages(bytes);
        let changed = change(messages);
        let mut bytes: Vec<u8> = changed.iter().flat_map(|one| record(one)).collect();
        bytes.extend(rest);
        let _ = socket.write_all(&bytes);
    });
    hand.and_then(super::hostile::Hand::asks).is_some()
}

fn is_proof(message: &[u8]) -> bool {
    message[0] == CERTIFICATE_VERIFY
}

#[test]
fn a_proof_that_is_missing_repeated_or_of_another_handshake_is_none() {
    let (registered, other) = (
        ClientCertificate::self_signed(),
        ClientCertificate::self_signed(),
    );
    let stage = stage(&registered.credential("laptop"));
    assert_eq!(VERSIONS[0].version, ProtocolVersion::TLSv1_2);
    let seen = Mutex::new(Vec::new());
    // The twin: the same messages in records of their own.
    assert!(enters(&stage, &registered, |messages| {
        *seen.lock().unwrap() = messages.clone();
        messages
    }));
    stage.upstream.next_request();
    let before = Stage::weight_of(&stage.upstream);
    assert_eq!(stage.edge.reason(), "forwarded");
    let seen = seen.into_inner().unwrap();
    assert!(seen.iter().any(|message| is_proof(message)));
    let proof = seen.iter().find(|message| is_proof(message)).unwrap();
    let without = |mut messages: Vec<Vec<u8>>| {
        messages.retain(|message| !is_proof(message));
        messages
    };
    let replayed = |mut messages: Vec<Vec<u8>>| {
        for message in &mut messages {
            if is_proof(message) {
                message.clone_from(proof);
            }
        }
        messages
    };
    // Somebody who saw a handshake has its certificate and its proof.
    let stolen = |mut messages: Vec<Vec<u8>>| {
        messages[0].clone_from(&seen[0]);
        replayed(messages)
    };
    assert!(!enters(&stage, &registered, without));
    assert!(!enters(&stage, &registered, |mut messages| {
        messages.push(messages.last().unwrap().clone());
        messages
    }));
    assert!(!enters(&stage, &registered, |mut messages| {
        messages.rotate_right(1);
        messages
    }));
    assert_eq!(bad_proofs(&stage), 0, "not even looked at");
    assert!(!enters(&stage, &registered, replayed));
    assert_eq!(stage.edge.reason(), "certificate_proof");
    assert!(!enters(&stage, &other, stolen));
    assert_eq!(stage.edge.reason(), "certificate_proof");
    // A certificate that is swapped for another under its proof.
    assert!(!enters(&stage, &other, |mut messages| {
        messages[0].clone_from(&seen[0]);
        messages
    }));
    assert_eq!(stage.edge.reason(), "certificate_proof");
    assert_eq!(Stage::weight_of(&stage.upstream), before);
    is_well(&stage, &registered);
}
