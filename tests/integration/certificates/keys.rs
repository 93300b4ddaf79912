//! Which keys count, and that only who has one gets in.

use rcgen::{CustomExtension, KeyPair};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{AlertDescription, Error, SignatureAlgorithm, SignatureScheme};
use std::sync::Arc;

use crate::stage::{Stage, get};
use crate::support::client_certificate::set_validity;
use crate::support::tool::{curl, run, s_client};
use crate::support::{Client, ClientCertificate, Ending, HOST, TlsOptions};

use super::{VERSIONS, connected, stage};

const OPTIONS: [&str; 2] = ["-tls1_2", "-tls1_3"];

/// Asks with every client that can: openssl and curl, and rustls where it has such keys; all agree.
fn everywhere(
    stage: &Stage,
    name: &str,
    certificate: &ClientCertificate,
    is_for_rustls: bool,
    (status, reason): (u16, &str),
) {
    let request = get("/", "Connection: close\r\n");
    let line = format!("HTTP/1.1 {status} ");
    let agree = |client: &str| {
        assert_eq!(stage.edge.reason(), reason, "{name} {client}");
        if status == 200 {
            stage.upstream.next_request();
        }
    };
    for version in OPTIONS {
        let mut command = s_client(&stage.edge, HOST, Some(certificate));
        let said = run(command.args(["-ign_eof", version]), &request);
        assert!(said.contains(&line), "{name} {version}: {said}");
        agree(version);
    }
    for version in ["1.2", "1.3"] {
        let arguments = ["--tlsv1.2", "--tls-max", version];
        let said = curl(&stage.edge, Some(certificate), &arguments);
        assert_eq!(said, status.to_string(), "{name} curl {version}");
        agree("curl");
    }
    for version in VERSIONS.iter().filter(|_| is_for_rustls) {
        let mut client = connected(&stage.edge, version, Some(certificate));
        assert_eq!(
            client.ask(get("/", "")).status,
            status,
            "{name} {version:?}"
        );
        agree("rustls");
    }
}

fn ed25519() -> ClientCertificate {
    ClientCertificate::by_openssl(&["ed25519"])
}

pub(super) fn curve(name: &str) -> ClientCertificate {
    ClientCertificate::by_openssl(&["ec", "-pkeyopt", &format!("ec_paramgen_curve:{name}")])
}

pub(super) fn rsa(bits: u16) -> ClientCertificate {
    ClientCertificate::by_openssl(&[&format!("rsa:{bits}")])
}

#[test]
fn every_kind_of_key_enters_with_every_client() {
    let kinds = [
        ("rsa-2048", rsa(2048), true),
        ("rsa-3072", rsa(3072), true),
        ("p-256", curve("P-256"), true),
        ("p-384", curve("P-384"), true),
        ("p-521", curve("P-521"), false),
        ("ed25519", ed25519(), true),
    ];
    let credentials: String = kinds
        .iter()
        .enumerate()
        .map(|(number, (_, certificate, _))| certificate.credential(&format!("key-{number}")))
        .collect();
    let stage = stage(&credentials);
    for (name, certificate, is_for_rustls) in &kinds {
        everywhere(
            &stage,
            name,
            certificate,
            *is_for_rustls,
            (200, "forwarded"),
        );
    }
    assert_eq!(bad_proofs(&stage), 0);
}

#[test]
fn what_can_never_count_is_refused_with_its_reason() {
    let key = || KeyPair::generate().unwrap();
    let now = adit::runtime::clock::Clock::default().now().unix_seconds();
    let valid =
        |times| ClientCertificate::self_signed_with(&key(), |params| set_validity(params, times));
    let kinds = [
        ("rsa-1024", rsa(1024), false, "certificate_weak_key"),
        (
            "version 1",
            ClientCertificate::version_1(),
            true,
            "certificate_version",
        ),
        (
            "expired",
            valid((now - 7200, now - 3600)),
            true,
            "certificate_expired",
        ),
        (
            "not yet valid",
            valid((now + 3600, now + 7200)),
            true,
            "certificate_not_yet_valid",
        ),
    ];
    // Registering it does not help.
    let credentials: String = kinds
        .iter()
        .enumerate()
        .map(|(number, (_, certificate, ..))| certificate.credential(&format!("key-{number}")))
        .collect();
    let stage = stage(&credentials);
    for (name, certificate, is_for_rustls, reason) in &kinds {
        everywhere(&stage, name, certificate, *is_for_rustls, (401, reason));
    }
    let nobody = ClientCertificate::self_signed();
    everywhere(
        &stage,
        "unknown",
        &nobody,
        true,
        (401, "certificate_unknown"),
    );
    assert_eq!(bad_proofs(&stage), 0);
    stage.upstream.assert_untouched();
}

/// What cannot be checked need not be proven: it is refused at each request.
#[test]
fn what_cannot_be_checked_is_refused_whoever_has_the_key() {
    let own = ClientCertificate::self_signed();
    let longer = [&own.chain[0][..], b"x"].concat();
    let shorter = own.chain[0][..own.chain[0].len() - 1].to_vec();
    let bytes = |bytes: Vec<u8>| ClientCertificate {
        chain: vec![bytes.into()],
        key_pem: own.key_pem.clone(),
    };
    let kinds = [
        (curve("secp256k1"), "certificate_key_unsupported"),
        (
            ClientCertificate::by_openssl(&["ed448"]),
            "certificate_key_unsupported",
        ),
        (rsa(1024), "certificate_weak_key"),
        (bytes(b"garbage".to_vec()), "certificate_malformed"),
        (bytes(longer), "certificate_malformed"),
        (bytes(shorter), "certificate_malformed"),
    ];
    let credentials: String = kinds
        .iter()
        .enumerate()
        .map(|(number, (certificate, _))| certificate.credential(&format!("key-{number}")))
        .collect();
    let stage = stage(&credentials);
    for (certificate, reason) in &kinds {
        for version in VERSIONS {
            let lying = certificate.with_key_of(&own);
            let mut client = connected(&stage.edge, version, Some(&lying));
            let judged = stage.judges(&mut client, &get("/", ""));
            assert_eq!(judged, (401, (*reason).to_owned()), "{version:?}");
        }
    }
    stage.upstream.assert_untouched();
}

/// By its bytes a certificate counts whatever is in it: nobody relies on what it says.
#[test]
fn a_critical_extension_that_nobody_knows_changes_nothing_of_the_bytes() {
    let certificate =
        ClientCertificate::self_signed_with(&KeyPair::generate().unwrap(), |params| {
            let mut unknown = CustomExtension::from_oid_content(&[1, 3, 9999, 1], vec![5, 0]);
            unknown.set_criticality(true);
            params.custom_extensions.push(unknown);
        });
    let stage = stage(&certificate.credential("odd"));
    everywhere(&stage, "critical", &certificate, true, (200, "forwarded"));
}

pub(super) fn bad_proofs(stage: &Stage) -> u64 {
    stage.edge.engine().reports()[0].1.handshakes_bad_proof
}

/// A handshake that fails for its proof: the alert, the line in the log, and nothing at the upstream.
pub(super) fn fails(stage: &Stage, options: &TlsOptions) {
    let alerts = [
        AlertDescription::DecryptError,
        AlertDescription::IllegalParameter,
    ];
    let (before, weight) = (bad_proofs(stage), Stage::weight_of(&stage.upstream));
    let config = options.config(stage.edge.authority().roots());
    let alert = match Client::tls(stage.edge.https(), config.clone(), HOST) {
        Err(error) => crate::support::wire::alert(&error),
        // In TLS 1.3 a client is done before the edge has looked.
        Ok(mut client) => match client.read_to_end() {
            (bytes, Ending::Alert(alert)) if bytes.is_empty() => Some(alert),
            other => panic!("{other:?}"),
        },
    };
    assert!(alerts.contains(&alert.unwrap()), "{alert:?}");
    let line = stage.edge.log_line();
    assert_eq!(
        (&line["reason"], &line["phase"], &line["mechanism"]),
        (
            &"certificate_proof".into(),
            &"handshake".into(),
            &"none".into()
        ),
        "{line}"
    );
    assert_eq!(line["status"], 0);
    assert_eq!(bad_proofs(stage), before + 1);
    // With the request in the same flight, nobody waits for an alert.
    if let Ok(mut client) = Client::tls(stage.edge.https(), config, HOST) {
        let _ = client.try_send(get("/", "").as_bytes());
        let (bytes, _) = client.read_to_end();
        assert!(bytes.is_empty());
    }
    assert_eq!(stage.edge.reason(), "certificate_proof");
    assert_eq!(Stage::weight_of(&stage.upstream), weight);
}

#[test]
fn who_does_not_have_the_key_fails_in_the_handshake() {
    let registered = [
        ClientCertificate::self_signed(),
        rsa(2048),
        ed25519(),
        ClientCertificate::version_1(),
        curve("P-384"),
    ];
    let another = [
        ClientCertificate::self_signed(),
        rsa(2048),
        ed25519(),
        ClientCertificate::self_signed(),
        curve("P-384"),
    ];
    let p521 = curve("P-521");
    let credentials: String = registered
        .iter()
        .chain([&p521])
        .enumerate()
        .map(|(number, certificate)| certificate.credential(&format!("key-{number}")))
        .collect();
    let stage = stage(&credentials);
    for version in VERSIONS {
        for (certificate, other) in registered.iter().zip(&another) {
            let lying = certificate.with_key_of(other);
            let options = TlsOptions::new(HOST).version(version).showing(&lying);
            fails(&stage, &options);
        }
        // A key of another kind than the certificate's.
        for other in &another {
            for certificate in [&p521, &registered[0]] {
                let lying = certificate.with_key_of(other);
                let options = TlsOptions::new(HOST).version(version).showing(&lying);
                fails(&stage, &options);
            }
        }
    }
}

/// Signs as one scheme and says another.
#[derive(Clone, Debug)]
struct Mislabelled {
    key: Arc<dyn SigningKey>,
    signs: SignatureScheme,
    says: SignatureScheme,
}

impl SigningKey for Mislabelled {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

impl Signer for Mislabelled {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signer = self.key.choose_scheme(&[self.signs]).unwrap();
        signer.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.says
    }
}

#[test]
fn a_signature_that_was_not_asked_for_is_no_proof() {
    use SignatureScheme::*;
    let (ec, rsa) = (ClientCertificate::self_signed(), rsa(2048));
    let stage = stage(&(ec.credential("ec") + &rsa.credential("rsa")));
    let odd = |certificate: &ClientCertificate, signs, says| {
        let key = certificate.signing_key();
        let key = Arc::new(Mislabelled { key, signs, says });
        CertifiedKey::new(certificate.chain.clone(), key)
    };
    for (certificate, signs, says, only_tls13) in [
        (&ec, ECDSA_NISTP256_SHA256, ECDSA_SHA1_Legacy, false),
        (&ec, ECDSA_NISTP256_SHA256, Unknown(0x0303), false),
        (&ec, ECDSA_NISTP256_SHA256, ECDSA_NISTP384_SHA384, false),
        (&ec, ECDSA_NISTP256_SHA256, ECDSA_NISTP521_SHA512, false),
        (&ec, ECDSA_NISTP256_SHA256, RSA_PKCS1_SHA256, false),
        (&ec, ECDSA_NISTP256_SHA256, ED25519, false),
        (&rsa, RSA_PKCS1_SHA256, RSA_PKCS1_SHA1, false),
        (&rsa, RSA_PKCS1_SHA256, RSA_PSS_SHA256, false),
        (&rsa, RSA_PSS_SHA256, RSA_PKCS1_SHA256, false),
        // In TLS 1.3 PKCS #1 signs certificates alone (RFC 8446 4.2.3).
        (&rsa, RSA_PKCS1_SHA256, RSA_PKCS1_SHA256, true),
    ] {
        for version in VERSIONS {
            if only_tls13 && version.version == rustls::ProtocolVersion::TLSv1_2 {
                continue;
            }
            let options = TlsOptions {
                client_certificate: Some(odd(certificate, signs, says)),
                ..TlsOptions::new(HOST).version(version)
            };
            fails(&stage, &options);
        }
    }
}

/// A client that would sign with SHA-1 alone has nothing to sign with.
#[test]
fn openssl_cannot_sign_with_less_than_sha_256() {
    let certificate = rsa(2048);
    let stage = stage(&certificate.credential("rsa"));
    for algorithms in ["RSA+SHA1", "RSA+SHA224"] {
        let mut command = s_client(&stage.edge, HOST, Some(&certificate));
        command.args(["-ign_eof", "-tls1_2", "-client_sigalgs", algorithms]);
        let said = run(&mut command, &get("/", "Connection: close\r\n"));
        assert!(!said.contains("HTTP/1.1 200 "), "{said}");
        stage.upstream.assert_untouched();
    }
}
