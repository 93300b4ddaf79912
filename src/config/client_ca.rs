//! `[[client_ca]]`: whose signature makes a name in a client certificate count (S6.2).
//!
//! Refuses: a file without a CA's certificate, a list of revocations that cannot be read: a CA that is not understood would
//! let in anybody, or nobody. Warns of a list that is too old, and of a CA whose time it is not:
//! with these nobody gets in.

use std::collections::HashMap;
use std::path::PathBuf;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;

use super::certificate;
use super::field::At;
use super::files::{self, Purpose};
use super::problem::Place;
use super::project;
use super::reader::Reader;
use super::settings::ClientCa;
use super::written::quoted;
use crate::certificate::{Authority, AuthorityError};
use crate::runtime::clock::Clock;

/// Every `[[client_ca]]`.
pub(super) fn client_cas(root: &Reader<'_>) -> Option<Vec<ClientCa>> {
    let tables = root.tables("client_ca", &["name", "ca_file", "crl_file"])?;
    let mut names = HashMap::new();
    let found: Vec<Option<ClientCa>> = tables
        .iter()
        .map(|table| client_ca(table, &mut names))
        .collect();
    found.into_iter().collect()
}

fn client_ca(table: &Reader<'_>, names: &mut HashMap<String, Place>) -> Option<ClientCa> {
    let findings = table.findings;
    let name = project::identifier(table, "name")
        .then(|at| once(table, at, names))
        .required(findings, "name = \"corp\"");
    let ca_file = table
        .file("ca_file")
        .required(findings, "ca_file = \"/etc/adit/tls/clients-ca.pem\"");
    let certificates = ca_file
        .as_ref()
        .and_then(|at| certificate::chain(at, findings));
    let crl_file = table.file("crl_file");
    let listed = crl_file.then(|at| lists(table, at)).optional();
    let (name, ca_file, certificates, listed) = (name?, ca_file?, certificates?, listed?);
    let revocations = listed.as_ref().map(|at| at.value.as_slice());
    let now = Clock::default().now().unix_seconds();
    match Authority::new(&certificates, revocations) {
        Ok(authority) => {
            if let Some(number) = authority.outdated(now) {
                let message = format!(
                    "block {number} of {} is not valid at this time, so nothing that it signed counts",
                    ca_file.value.display()
                );
                findings.warn(&ca_file.spot, message);
            }
            if let (false, Some(at)) = (authority.is_current(now), &listed) {
                let message = "the list is not current, so no certificate of this CA counts until there is a newer one";
                findings.warn(&at.spot, message);
            }
        }
        Err(error) => {
            let crl_spot = listed.as_ref().map(|at| &at.spot);
            let (spot, message) = match error {
                AuthorityError::Certificate(number) => (
                    &ca_file.spot,
                    format!(
                        "block {number} of {} is not the certificate of a CA (version 3, basicConstraints CA:TRUE)",
                        ca_file.value.display()
                    ),
                ),
                AuthorityError::Revocations(number) => (
                    crl_spot.unwrap_or(&ca_file.spot),
                    format!("list {number} of the file cannot be read, or has no nextUpdate"),
                ),
            };
            findings.error(spot, message);
            return None;
        }
    }
    Some(ClientCa {
        name: name.value,
        certificates,
        revocations: listed.map(|at| at.value),
    })
}

fn once(table: &Reader<'_>, at: &At<String>, names: &mut HashMap<String, Place>) -> Option<String> {
    if let Some(first) = names.get(&at.value) {
        let message = format!("{} is already a client_ca at {first}", quoted(&at.value));
        table.findings.error(&at.spot, message);
        return None;
    }
    names.insert(at.value.clone(), at.spot.place.clone());
    Some(at.value.clone())
}

/// Lists of revocations in a PEM file; at least one.
fn lists(
    table: &Reader<'_>,
    at: &At<PathBuf>,
) -> Option<Vec<CertificateRevocationListDer<'static>>> {
    let findings = table.findings;
    findings.sources.borrow_mut().add_file(&at.value);
    let contents = match files::read(&at.value, Purpose::Certificates) {
        Ok(contents) => contents,
        Err(error) => {
            findings.error(&at.spot, error.message(&at.value, Purpose::Certificates));
            return None;
        }
    };
    let found: Result<Vec<_>, _> =
        CertificateRevocationListDer::pem_slice_iter(&contents.bytes).collect();
    match found {
        Ok(lists) if !lists.is_empty() => Some(lists),
        Ok(_) | Err(_) => {
            let shown = at.value.display();
            findings.error(&at.spot, format!("{shown} has no PEM block X509 CRL"));
            None
        }
    }
}
