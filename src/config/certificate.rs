//! `[[https.certificate]]`: a chain and its key, read, parsed and compared before anything listens.
//!
//! Refuses: files without a certificate or key, a certificate that does not parse, a key of another certificate. Warns
//! of a certificate that is not valid now, or that has no name to be chosen by.

use std::path::PathBuf;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::field::At;
use super::files::{self, Contents, Purpose};
use super::problem::Findings;
use super::reader::Reader;
use super::settings::Certificate;

/// Every `[[https.certificate]]`; at least one.
pub(super) fn certificates(https: &Reader<'_>) -> Option<Vec<Certificate>> {
    let tables = https.tables("certificate", &["cert_file", "key_file"])?;
    if tables.is_empty() {
        https.findings.error(
            &https.spot_of("certificate"),
            "missing; write [[https.certificate]] with cert_file and key_file",
        );
        return None;
    }
    let certificates: Vec<Option<Certificate>> = tables.iter().map(certificate).collect();
    certificates.into_iter().collect()
}

fn certificate(table: &Reader<'_>) -> Option<Certificate> {
    let findings = table.findings;
    let cert_file = table
        .file("cert_file")
        .required(findings, "cert_file = \"/etc/adit/tls/cert.pem\"");
    let key_file = table
        .file("key_file")
        .required(findings, "key_file = \"/etc/adit/tls/key.pem\"");
    let chain = cert_file.as_ref().and_then(|at| chain(at, findings));
    let key = key_file.as_ref().and_then(|at| key(at, findings));
    let (cert_file, key_file, chain, key) = (cert_file?, key_file?, chain?, key?);
    let names = leaf_names(&cert_file, chain.first()?, findings)?;
    if !belong_together(&chain, &key, &cert_file, &key_file, findings) {
        return None;
    }
    Some(Certificate {
        cert_file: cert_file.value,
        key_file: key_file.value,
        chain,
        key,
        names,
    })
}

/// Certificates of a PEM file; never empty.
pub(super) fn chain(
    file: &At<PathBuf>,
    findings: &Findings,
) -> Option<Vec<CertificateDer<'static>>> {
    let contents = contents(file, Purpose::Certificates, findings)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents.bytes).collect();
    let shown = file.value.display();
    let message = match certificates {
        Err(_) => format!("{shown} is not well-formed PEM"),
        Ok(certificates) if certificates.is_empty() => {
            format!("{shown} has no PEM block CERTIFICATE")
        }
        Ok(certificates) => {
            let is_certificate = |der: &CertificateDer<'_>| X509Certificate::from_der(der).is_ok();
            match certificates.iter().position(|der| !is_certificate(der)) {
                None => return Some(certificates),
                Some(index) => {
                    format!("block {} of {shown} is not a certificate", index + 1)
                }
            }
        }
    };
    findings.error(&file.spot, message);
    None
}

/// The key of a PEM file. The messages never repeat a line of it.
fn key(file: &At<PathBuf>, findings: &Findings) -> Option<PrivateKeyDer<'static>> {
    let contents = contents(file, Purpose::Secret, findings)?;
    match PrivateKeyDer::from_pem_slice(&contents.bytes) {
        Ok(key) => Some(key),
        Err(_) => {
            let shown = file.value.display();
            let message =
                format!("{shown} has no PEM block PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY");
            findings.error(&file.spot, message);
            None
        }
    }
}

fn contents(file: &At<PathBuf>, purpose: Purpose, findings: &Findings) -> Option<Contents> {
    findings.sources.borrow_mut().add_file(&file.value);
    files::read(&file.value, purpose)
        .map_err(|error| findings.error(&file.spot, error.message(&file.value, purpose)))
        .ok()
}

fn belong_together(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    cert_file: &At<PathBuf>,
    key_file: &At<PathBuf>,
    findings: &Findings,
) -> bool {
    let message = match any_supported_type(key) {
        Err(_) => "the key is of no supported kind (RSA, ECDSA P-256 or P-384, Ed25519)".to_owned(),
        Ok(signer) => match CertifiedKey::new(chain.to_vec(), signer).keys_match() {
            Ok(()) => return true,
            Err(_) => format!(
                "this key is not that of the first certificate in {}",
                cert_file.value.display()
            ),
        },
    };
    findings.error(&key_file.spot, message);
    false
}

/// DNS names of the leaf, lower case.
fn leaf_names(
    file: &At<PathBuf>,
    leaf: &CertificateDer<'_>,
    findings: &Findings,
) -> Option<Vec<String>> {
    let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
    let (validity, now) = (leaf.validity(), ASN1Time::now());
    let shown = file.value.display();
    if now > validity.not_after {
        let message = format!("{shown} expired at {}", validity.not_after);
        findings.warn(&file.spot, message);
    } else if now < validity.not_before {
        let message = format!("{shown} is not valid before {}", validity.not_before);
        findings.warn(&file.spot, message);
    }
    let Ok(extension) = leaf.subject_alternative_name() else {
        let message = format!("the names (subjectAltName) in {shown} cannot be read");
        findings.error(&file.spot, message);
        return None;
    };
    let general_names = extension.map_or(&[][..], |names| &names.value.general_names);
    let names: Vec<String> = general_names
        .iter()
        .filter_map(|name| {
            if let GeneralName::DNSName(name) = name {
                Some(name.to_ascii_lowercase())
            } else {
                None
            }
        })
        .collect();
    if names.is_empty() {
        let message = format!("{shown} has no DNS name (subjectAltName), so browsers refuse it");
        findings.warn(&file.spot, message);
    }
    Some(names)
}
