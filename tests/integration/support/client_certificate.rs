//! Certificates of clients, and authorities that vouch for names in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use ring::digest::{SHA256, digest};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};

use super::program::run;

/// A certificate with what a client shows beside it, and the key that it signs with.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    pub key_pem: String,
}

impl ClientCertificate {
    /// P-256, version 3, good for all times.
    pub fn self_signed() -> Self {
        Self::self_signed_with(&KeyPair::generate().unwrap(), |_| ())
    }

    pub fn self_signed_with(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        change(&mut params);
        let certificate = params.self_signed(key).unwrap();
        ClientCertificate {
            chain: vec![certificate.der().clone()],
            key_pem: key.serialize_pem(),
        }
    }

    /// What `openssl req -x509` makes with these arguments for the key.
    pub fn by_openssl(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [key, leaf] = ["key.pem", "leaf.pem"].map(|name| folder.path().join(name));
        let mut command = Command::new("openssl");
        command
            .args(["req", "-x509", "-nodes", "-subj", "/CN=client", "-newkey"])
            .args(arguments)
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&leaf);
        let said = run(&mut command, "");
        Self::in_files(&leaf, &key, &said)
    }

    /// One of version 1, as old tools make them.
    pub fn version_1() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [key, request, leaf] =
            ["key.pem", "request.pem", "leaf.pem"].map(|name| folder.path().join(name));
        let openssl = || Command::new("openssl");
        let made = run(
            openssl()
                .args(["req", "-new", "-nodes", "-subj", "/CN=client"])
                .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
                .arg("-keyout")
                .arg(&key)
                .arg("-out")
                .arg(&request),
            "",
        );
        let signed = run(
            openssl()
                .args(["x509", "-req", "-days", "30", "-in"])
                .arg(&request)
                .arg("-signkey")
                .arg(&key)
                .arg("-out")
                .arg(&leaf),
            "",
        );
        Self::in_files(&leaf, &key, &format!("{made}{signed}"))
    }

    fn in_files(leaf: &Path, key: &Path, said: &str) -> Self {
        let read = |path: &Path| {
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}: {said}"))
        };
        ClientCertificate {
            chain: vec![CertificateDer::from_pem_slice(read(leaf).as_bytes()).unwrap()],
            key_pem: read(key),
        }
    }

    /// The same certificate in the hands of somebody who has another key.
    pub fn with_key_of(&self, other: &ClientCertificate) -> Self {
        ClientCertificate {
            chain: self.chain.clone(),
            key_pem: other.key_pem.clone(),
        }
    }

    /// The leaf without what stands between it and its authority.
    pub fn alone(&self) -> Self {
        ClientCertificate {
            chain: self.chain[..1].to_vec(),
            key_pem: self.key_pem.clone(),
        }
    }

    /// As `certificate_sha256` wants it.
    pub fn fingerprint(&self) -> String {
        let hash = digest(&SHA256, &self.chain[0]);
        hash.as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// A `[[credential]]` of this certificate.
    pub fn credential(&self, id: &str) -> String {
        format!(
            "[[credential]]\nid = \"{id}\"\nkind = \"mtls\"\ncertificate_sha256 = \"{}\"\nprojects = [\"proj-1\"]\n",
            self.fingerprint()
        )
    }

    pub fn signing_key(&self) -> Arc<dyn SigningKey> {
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).unwrap();
        any_supported_type(&key).unwrap()
    }

    /// What rustls wants.
    pub fn certified_key(&self) -> CertifiedKey {
        CertifiedKey::new(self.chain.clone(), self.signing_key())
    }

    pub fn pem(&self) -> String {
        self.chain
            .iter()
            .map(|one| pem("CERTIFICATE", one))
            .collect()
    }

    /// Writes what openssl and curl want: the chain, and the key.
    pub fn files(&self, folder: &Path) -> [PathBuf; 2] {
        let name = self.fingerprint();
        let [chain, key] = ["chain", "key"].map(|kind| folder.join(format!("{name}-{kind}.pem")));
        fs::write(&chain, self.pem()).unwrap();
        fs::write(&key, &self.key_pem).unwrap();
        [chain, key]
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64);
    let lines: String = lines
        .map(|line| format!("{}\n", std::str::from_utf8(line).unwrap()))
        .collect();
    format!("-----BEGIN {kind}-----\n{lines}-----END {kind}-----\n")
}

/// First and last second, since the Unix epoch.
pub fn set_validity(params: &mut CertificateParams, (first, last): (u64, u64)) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(first);
    params.not_after = epoch + Duration::from_secs(last);
}

pub fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

pub fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

pub fn email(name: &str) -> SanType {
    SanType::Rfc822Name(name.try_into().unwrap())
}

/// Somebody who signs certificates of clients.
pub struct ClientAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// What a client shows beside its own certificate.
    between: Vec<CertificateDer<'static>>,
}

impl ClientAuthority {
    pub fn new(name: &str) -> Self {
        Self::new_with(name, |_| ())
    }

    pub fn new_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = Self::params(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        ClientAuthority {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            between: Vec::new(),
        }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    /// An authority below this one.
    pub fn below(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = Self::params(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let certificate = certificate.der().clone();
        ClientAuthority {
            issuer: Issuer::new(params, key),
            between: [std::slice::from_ref(&certificate), &*self.between].concat(),
            certificate,
        }
    }

    /// Its own certificate, with its key.
    pub fn own(&self) -> ClientCertificate {
        ClientCertificate {
            chain: vec![self.certificate.clone()],
            key_pem: self.issuer.key().serialize_pem(),
        }
    }

    /// A certificate for a client with these names.
    pub fn issue(&self, names: &[SanType]) -> ClientCertificate {
        self.issue_with(|params| params.subject_alt_names = names.to_vec())
    }

    pub fn issue_with(&self, change: impl FnOnce(&mut CertificateParams)) -> ClientCertificate {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        ClientCertificate {
            chain: [&[leaf.der().clone()], &*self.between].concat(),
            key_pem: key.serialize_pem(),
        }
    }

    /// One for a key that openssl makes with these arguments, and this name.
    pub fn issue_by_openssl(&self, arguments: &[&str], name: &str) -> ClientCertificate {
        let folder = tempfile::tempdir().unwrap();
        let [own, own_key, key, request, leaf, extensions] =
            ["own", "own-key", "key", "request", "leaf", "extensions"]
                .map(|name| folder.path().join(name));
        fs::write(&own, self.pem()).unwrap();
        fs::write(&own_key, self.issuer.key().serialize_pem()).unwrap();
        let text = format!("extendedKeyUsage=clientAuth\nsubjectAltName=DNS:{name}\n");
        fs::write(&extensions, text).unwrap();
        let mut making = Command::new("openssl");
        making
            .args(["req", "-new", "-nodes", "-subj", "/CN=client", "-newkey"])
            .args(arguments)
            .args(["-keyout".as_ref(), key.as_os_str()])
            .args(["-out".as_ref(), request.as_os_str()]);
        let made = run(&mut making, "");
        let mut signing = Command::new("openssl");
        signing
            .args(["x509", "-req", "-days", "30", "-set_serial", "77"])
            .args(["-in".as_ref(), request.as_os_str()])
            .args(["-CA".as_ref(), own.as_os_str()])
            .args(["-CAkey".as_ref(), own_key.as_os_str()])
            .args(["-extfile".as_ref(), extensions.as_os_str()])
            .args(["-out".as_ref(), leaf.as_os_str()]);
        let signed = run(&mut signing, "");
        let mut issued = ClientCertificate::in_files(&leaf, &key, &format!("{made}{signed}"));
        issued.chain.extend_from_slice(&self.between);
        issued
    }

    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// A list that takes these serial numbers back, current in this time.
    pub fn revocations(&self, serials: &[u64], (first, last): (u64, u64)) -> String {
        let epoch = date_time_ymd(1970, 1, 1);
        let params = CertificateRevocationListParams {
            this_update: epoch + Duration::from_secs(first),
            next_update: epoch + Duration::from_secs(last),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials
                .iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(*serial),
                    revocation_time: epoch + Duration::from_secs(first),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}
