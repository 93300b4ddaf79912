//! What proves a `[[credential]]` of the kind `mtls`: a certificate by its bytes, or a name in it that a CA vouches for.

use std::collections::HashMap;

use super::credential::sha256;
use super::field::{At, Field};
use super::problem::Place;
use super::reader::Reader;
use super::settings::{ClientCa, CredentialKind};
use super::written::quoted;
use crate::certificate::San;

/// What credentials before this one have taken.
#[derive(Default)]
pub(super) struct Taken {
    certificates: HashMap<[u8; 32], Place>,
    names: HashMap<(String, San), Place>,
}

/// The one proof that is written. `cas` is `None` if they are not known.
pub(super) fn proof(
    table: &Reader<'_>,
    cas: Option<&[ClientCa]>,
    taken: &mut Taken,
) -> Option<CredentialKind> {
    let findings = table.findings;
    let is_named = !matches!(table.look_up("client_ca"), Field::Absent(_));
    if !matches!(table.look_up("certificate_sha256"), Field::Absent(_)) {
        let by_bytes = certificate(table, taken);
        for key in ["client_ca", "san_dns", "san_uri", "san_email"] {
            if let Field::Good(at) = table.look_up(key) {
                let message = "contradicts certificate_sha256: a certificate is known by its bytes or by a name; remove one of them";
                findings.error(&at.spot, message);
                return None;
            }
        }
        return by_bytes;
    }
    if is_named {
        return name(table, cas, taken);
    }
    let message = "missing; write certificate_sha256 = \"...\" (adit credential fingerprint prints it), or client_ca with san_dns, san_uri or san_email";
    findings.error(&table.spot_of("certificate_sha256"), message);
    None
}

fn certificate(table: &Reader<'_>, taken: &mut Taken) -> Option<CredentialKind> {
    let expected = "the SHA-256 of a certificate's DER, 64 hex digits with or without colons (adit credential fingerprint prints it)";
    let digits = |text: &str| -> String { text.chars().filter(|c| !": ".contains(*c)).collect() };
    let at = table
        .value("certificate_sha256", expected, |node| {
            sha256(&digits(node.text()?))
        })
        .required(table.findings, "certificate_sha256 = \"...\"")?;
    if let Some(first) = taken.certificates.insert(at.value, at.spot.place.clone()) {
        let message = format!("the same certificate is already a credential at {first}");
        table.findings.error(&at.spot, message);
        return None;
    }
    Some(CredentialKind::Certificate { sha256: at.value })
}

fn name(table: &Reader<'_>, cas: Option<&[ClientCa]>, taken: &mut Taken) -> Option<CredentialKind> {
    let findings = table.findings;
    let ca = table
        .text("client_ca")
        .then(|at| known(table, at, cas?))
        .required(findings, "")?;
    let names = [
        table.value("san_dns", "a host name in printable ASCII", |node| {
            San::dns(node.text()?)
        }),
        table.value("san_uri", "a URI in printable ASCII", |node| {
            San::uri(node.text()?)
        }),
        table.value(
            "san_email",
            "an e-mail address in printable ASCII",
            |node| San::email(node.text()?),
        ),
    ];
    let written = names
        .iter()
        .filter(|name| !matches!(name, Field::Absent(_)));
    if written.count() != 1 {
        let message = "needs one name: san_dns, san_uri or san_email";
        findings.error(&table.spot, message);
        return None;
    }
    let named = names.into_iter().find_map(|name| match name {
        Field::Good(at) => Some(at),
        Field::Absent(_) | Field::Bad => None,
    })?;
    let key = (ca.value.clone(), named.value.clone());
    if let Some(first) = taken.names.insert(key, named.spot.place.clone()) {
        let message = format!("the same name of this CA is already a credential at {first}");
        findings.error(&named.spot, message);
        return None;
    }
    Some(CredentialKind::CertificateName {
        client_ca: ca.value,
        name: named.value,
    })
}

fn known(table: &Reader<'_>, at: &At<String>, cas: &[ClientCa]) -> Option<String> {
    if cas.iter().any(|ca| ca.name == at.value) {
        return Some(at.value.clone());
    }
    let found = quoted(&at.value);
    let message = format!("there is no client_ca {found}; add a [[client_ca]] with name = {found}");
    table.findings.error(&at.spot, message);
    None
}
