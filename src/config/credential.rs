//! `[[credential]]`: who tokens belong to, what proves them and what they may reach at most.
//!
//! Refuses: an id or a token that is given twice, a key that is no P-521 key, a boundary that breaks its grammar: what is
//! not understood would bound nothing.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use super::credential_certificate;
use super::field::{At, Field};
use super::files::{self, Purpose};
use super::problem::Place;
use super::project::{self, ProjectIds};
use super::reader::Reader;
use super::resources;
use super::settings::{ClientCa, Credential, CredentialKind};
use super::written::quoted;
use crate::clock::date_time;
use crate::json::Json;
use crate::token::P521Key;

pub(super) const KNOWN: &[&str] = &[
    "id",
    "kind",
    "token_sha256",
    "public_key_file",
    "certificate_sha256",
    "client_ca",
    "san_dns",
    "san_uri",
    "san_email",
    "projects",
    "permissions",
    "resources",
    "revoked",
    "updated_at",
];

/// What credentials before this one have taken.
#[derive(Default)]
struct Taken {
    ids: HashMap<String, Place>,
    tokens: HashMap<[u8; 32], Place>,
    certificates: credential_certificate::Taken,
    boundaries: HashMap<String, Arc<Json>>,
}

/// Every `[[credential]]`. `projects` and `cas` are `None` if they are not known.
pub(super) fn credentials(
    root: &Reader<'_>,
    projects: Option<&ProjectIds<'_>>,
    cas: Option<&[ClientCa]>,
) -> Option<Vec<Credential>> {
    let tables = root.tables("credential", KNOWN)?;
    let mut taken = Taken::default();
    let credentials: Vec<Option<Credential>> = tables
        .iter()
        .map(|table| credential(table, projects, cas, &mut taken))
        .collect();
    credentials.into_iter().collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pat,
    App,
    User,
    Mtls,
}

fn credential(
    table: &Reader<'_>,
    projects: Option<&ProjectIds<'_>>,
    cas: Option<&[ClientCa]>,
    taken: &mut Taken,
) -> Option<Credential> {
    let findings = table.findings;
    let id = project::identifier(table, "id")
        .then(|at| once(table, at, &mut taken.ids))
        .required(findings, "id = \"ci-bot\"");
    let kinds = [
        ("pat", Kind::Pat),
        ("app", Kind::App),
        ("user", Kind::User),
        ("mtls", Kind::Mtls),
    ];
    let kind = table
        .word("kind", &kinds)
        .required(findings, "kind = \"pat\"");
    let kind = kind.and_then(|at| proof(table, &at, cas, taken));
    let projects = table
        .texts("projects")
        .then(|at| some_projects(table, at, projects))
        .required(findings, "projects = [\"proj-1\"]");
    let permissions = table.texts("permissions").optional();
    let boundary = resources::boundary(table, &mut taken.boundaries).optional();
    let revoked = table.boolean("revoked").or(false);
    let moment = "a moment such as \"2026-01-31T12:00:00Z\"";
    let updated_at = table.value("updated_at", moment, |node| date_time(node.text()?));
    let updated_at = updated_at.optional();
    Some(Credential {
        id: id?.value,
        kind: kind?,
        projects: projects?.value,
        permissions: permissions?.map(|at| at.value.into_iter().map(|at| at.value).collect()),
        boundary: boundary?.map(|at| at.value),
        revoked: revoked?,
        updated_at: updated_at?.map(|at| at.value),
    })
}

fn once(table: &Reader<'_>, at: &At<String>, ids: &mut HashMap<String, Place>) -> Option<String> {
    if let Some(first) = ids.get(&at.value) {
        let message = format!("{} is already a credential at {first}", quoted(&at.value));
        table.findings.error(&at.spot, message);
        return None;
    }
    ids.insert(at.value.clone(), at.spot.place.clone());
    Some(at.value.clone())
}

/// What proves the credential, by its kind; what belongs to another kind is an error.
fn proof(
    table: &Reader<'_>,
    kind: &At<Kind>,
    cas: Option<&[ClientCa]>,
    taken: &mut Taken,
) -> Option<CredentialKind> {
    let mut fits = true;
    for key in [
        "token_sha256",
        "public_key_file",
        "certificate_sha256",
        "client_ca",
        "san_dns",
        "san_uri",
        "san_email",
    ] {
        let belongs = match key {
            "token_sha256" => kind.value == Kind::Pat,
            "public_key_file" => kind.value == Kind::App,
            _ => kind.value == Kind::Mtls,
        };
        if let (false, Field::Good(at)) = (belongs, table.look_up(key)) {
            let message = "a credential of this kind has no such key; remove it, or change kind";
            table.findings.error(&at.spot, message);
            fits = false;
        }
    }
    let proof = match kind.value {
        Kind::Pat => token(table, &mut taken.tokens),
        Kind::App => public_key(table),
        Kind::User => Some(CredentialKind::User),
        Kind::Mtls => credential_certificate::proof(table, cas, &mut taken.certificates),
    };
    proof.filter(|_| fits)
}

fn token(table: &Reader<'_>, tokens: &mut HashMap<[u8; 32], Place>) -> Option<CredentialKind> {
    let findings = table.findings;
    let expected = "the SHA-256 of a token, 64 hex digits (adit credential hash prints it)";
    let at = table
        .value("token_sha256", expected, |node| sha256(node.text()?))
        .required(
            findings,
            "token_sha256 = \"...\" (adit credential hash prints it)",
        )?;
    if let Some(first) = tokens.insert(at.value, at.spot.place.clone()) {
        let message = format!("the same token is already a credential at {first}");
        findings.error(&at.spot, message);
        return None;
    }
    Some(CredentialKind::Pat {
        token_sha256: at.value,
    })
}

/// 64 hex digits.
pub(super) fn sha256(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    bytes.try_into().ok()
}

fn public_key(table: &Reader<'_>) -> Option<CredentialKind> {
    let example = "public_key_file = \"/etc/adit/keys/app.pem\"";
    let at = table
        .file("public_key_file")
        .required(table.findings, example)?;
    let public_key = read_public_key(table, &at)?;
    Some(CredentialKind::App { public_key })
}

fn read_public_key(table: &Reader<'_>, at: &At<PathBuf>) -> Option<P521Key> {
    let findings = table.findings;
    findings.sources.borrow_mut().add_file(&at.value);
    let contents = match files::read(&at.value, Purpose::Certificates) {
        Ok(contents) => contents,
        Err(error) => {
            findings.error(&at.spot, error.message(&at.value, Purpose::Certificates));
            return None;
        }
    };
    let key = SubjectPublicKeyInfoDer::from_pem_slice(&contents.bytes)
        .ok()
        .and_then(|spki| P521Key::from_spki(&spki));
    if key.is_none() {
        let message = format!(
            "{} has no PEM block PUBLIC KEY with a P-521 key (adit credential new-app makes one)",
            at.value.display()
        );
        findings.error(&at.spot, message);
    }
    key
}

pub(super) fn some_projects(
    table: &Reader<'_>,
    at: &At<Vec<At<String>>>,
    projects: Option<&ProjectIds<'_>>,
) -> Option<Vec<String>> {
    if at.value.is_empty() {
        let message =
            "an empty list lets this credential in nowhere; fill it, or remove the credential";
        table.findings.error(&at.spot, message);
        return None;
    }
    for id in &at.value {
        if let Some(message) = projects.and_then(|all| project::missing(&id.value, all)) {
            table.findings.warn(&id.spot, message);
        }
    }
    Some(at.value.iter().map(|id| id.value.clone()).collect())
}
