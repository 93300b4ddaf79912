//! `[[issuer]]`: whose tokens count beside our own, and what they may reach.
//!
//! Refuses: an issuer that is given twice, several sources of keys or none, an audience that is not looked at without a
//! word, a shared secret that is the deployment's own (S4.6).

use std::collections::HashMap;

use super::credential::some_projects;
use super::field::At;
use super::issuer_keys;
use super::problem::Place;
use super::project::ProjectIds;
use super::reader::Reader;
use super::resources;
use super::settings::{Credential, Issuer, Tokens};
use super::units;
use super::written::quoted;
use crate::token::Algorithm;

pub(super) const KNOWN: &[&str] = &[
    "issuer",
    "audience",
    "audience_unchecked",
    "algorithms",
    "jwks_url",
    "jwks_hosts",
    "jwks_private_addresses",
    "jwks_ca_file",
    "jwks_max_stale",
    "jwks_file",
    "public_key_file",
    "hs256_secret_file",
    "max_lifetime",
    "projects",
    "permissions",
    "resources",
    "resources_claim",
    "subject_claim",
];

/// A token of an issuer ends at most so far ahead, unless the configuration says otherwise.
const MAX_LIFETIME_SECONDS: u64 = 24 * 60 * 60;

/// What issuers are checked against. `None`: not known.
pub(super) struct Context<'a> {
    pub(super) projects: Option<&'a ProjectIds<'a>>,
    pub(super) tokens: Option<&'a Tokens>,
    pub(super) credentials: Option<&'a [Credential]>,
}

/// Every `[[issuer]]`.
pub(super) fn issuers(root: &Reader<'_>, context: &Context<'_>) -> Option<Vec<Issuer>> {
    let tables = root.tables("issuer", KNOWN)?;
    let mut names = HashMap::new();
    let mut boundaries = HashMap::new();
    let issuers: Vec<Option<Issuer>> = tables
        .iter()
        .map(|table| {
            let boundary = resources::boundary(table, &mut boundaries).optional();
            let issuer = issuer(table, context, &mut names)?;
            Some(Issuer {
                boundary: boundary?.map(|at| at.value),
                ..issuer
            })
        })
        .collect();
    issuers.into_iter().collect()
}

fn issuer(
    table: &Reader<'_>,
    context: &Context<'_>,
    names: &mut HashMap<String, Place>,
) -> Option<Issuer> {
    let findings = table.findings;
    let name = table
        .text("issuer")
        .then(|at| once(table, at, context, names))
        .required(findings, "issuer = \"https://idp.example.com\"");
    let audience = audience(table);
    let algorithms = algorithms(table);
    let keys = algorithms.as_deref().and_then(|algorithms| {
        let issuer = name.as_ref().map(|at| at.value.as_str());
        issuer_keys::keys(table, context.tokens, issuer, algorithms)
    });
    let projects = table
        .texts("projects")
        .then(|at| some_projects(table, at, context.projects))
        .required(findings, "projects = [\"proj-1\"]");
    let permissions = table.texts("permissions").required(
        findings,
        "permissions = [\"tunnels.streams.create-delete\"]",
    );
    let lifetime = "a duration such as \"24h\", or \"unlimited\"";
    let max_lifetime = table.value("max_lifetime", lifetime, |node| match node.text()? {
        "unlimited" => Some(None),
        text => Some(Some(units::duration(text)?.as_secs().max(1))),
    });
    let resources_claim = table.text("resources_claim").optional();
    let subject_claim = table.text("subject_claim").or("sub".to_owned());
    Some(Issuer {
        issuer: name?.value,
        audience: audience?,
        algorithms: algorithms?,
        keys: keys?,
        max_lifetime: max_lifetime.or(Some(MAX_LIFETIME_SECONDS))?,
        projects: projects?.value,
        permissions: permissions?.value.into_iter().map(|at| at.value).collect(),
        boundary: None,
        resources_claim: resources_claim?.map(|at| at.value),
        subject_claim: subject_claim?,
    })
}

fn once(
    table: &Reader<'_>,
    at: &At<String>,
    context: &Context<'_>,
    names: &mut HashMap<String, Place>,
) -> Option<String> {
    if at.value.is_empty() {
        table
            .findings
            .error(&at.spot, "expected the exact iss of its tokens, found \"\"");
        return None;
    }
    if let Some(first) = names.get(&at.value) {
        let message = format!("{} is already an issuer at {first}", quoted(&at.value));
        table.findings.error(&at.spot, message);
        return None;
    }
    let mut credentials = context.credentials.unwrap_or_default().iter();
    if credentials.any(|credential| credential.id == at.value) {
        let message = format!(
            "{} is the id of a [[credential]] too: upstreams that are told who answers for a request could not tell them apart",
            quoted(&at.value)
        );
        table.findings.error(&at.spot, message);
        return None;
    }
    names.insert(at.value.clone(), at.spot.place.clone());
    Some(at.value.clone())
}

/// An audience that is not looked at lets in tokens that were made for somebody else: that must be said.
fn audience(table: &Reader<'_>) -> Option<Vec<String>> {
    let findings = table.findings;
    let audience = table.texts("audience");
    let unchecked = table.boolean("audience_unchecked");
    let spot = table.spot_of("audience");
    let audience = audience.or(Vec::new())?;
    match (audience.is_empty(), unchecked.or(false)?) {
        (true, false) => {
            let message = "missing; write audience = [\"edge\"], or audience_unchecked = true to take tokens that were made for anybody";
            findings.error(&spot, message);
            None
        }
        (false, true) => {
            let message = "contradicts audience_unchecked = true: remove one of them";
            findings.error(&spot, message);
            None
        }
        (true, true) | (false, false) => Some(audience.into_iter().map(|at| at.value).collect()),
    }
}

fn algorithms(table: &Reader<'_>) -> Option<Vec<Algorithm>> {
    let expected =
        "one of \"HS256\", \"ES256\", \"ES384\", \"ES512\", \"EdDSA\", \"RS256\", \"PS256\"";
    let list = table.list("algorithms", expected, |node| {
        Algorithm::parse(node.text()?)
    });
    let list = list.required(table.findings, "algorithms = [\"ES256\"]")?;
    if list.value.is_empty() {
        let message = "an empty list lets no token through; fill it, or remove the issuer";
        table.findings.error(&list.spot, message);
        return None;
    }
    Some(list.value.into_iter().map(|at| at.value).collect())
}
