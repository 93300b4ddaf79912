//! `[sign_in.oidc]`: the OpenID Connect provider that browsers sign in at.
//!
//! Refuses: an issuer that others on the way could speak for, one in a private network that is not asked for, an empty
//! secret, scopes without `openid`, with which there would be no ID token.

use url::Url;

use super::address::is_public;
use super::certificate;
use super::credential_file;
use super::field::At;
use super::jwks_url::address;
use super::reader::Reader;
use super::settings::Oidc;
use super::written::quoted;
use crate::secret::Secret;

pub(super) const KNOWN: &[&str] = &[
    "issuer",
    "client_id",
    "client_secret",
    "client_secret_file",
    "scopes",
    "groups_claim",
    "ca_file",
    "private_addresses",
];

const SCOPES: [&str; 2] = ["openid", "email"];

/// The provider that this table names.
pub(super) fn oidc(table: &Reader<'_>) -> Option<Oidc> {
    let findings = table.findings;
    let private_addresses = table.boolean("private_addresses").or(false);
    let issuer = table
        .text("issuer")
        .then(|at| issuer(table, at, private_addresses?))
        .required(findings, "issuer = \"https://idp.example.com\"");
    let client_id = table
        .text("client_id")
        .then(|at| client_id(table, at))
        .required(findings, "client_id = \"edge\"");
    let client_secret = credential_file::secret(table, "client_secret")
        .then(|at| some_secret(table, at))
        .optional();
    let scopes = table
        .texts("scopes")
        .then(|at| scopes(table, at))
        .or(SCOPES.map(str::to_owned).to_vec());
    let groups_claim = table.value("groups_claim", "the name of a claim", |node| {
        let name = node.text()?;
        (!name.is_empty()).then(|| name.to_owned())
    });
    let roots = table
        .file("ca_file")
        .then(|at| certificate::chain(at, findings))
        .optional();
    Some(Oidc {
        issuer: issuer?.value,
        client_id: client_id?.value,
        client_secret: client_secret?.map(|at| at.value),
        scopes: scopes?,
        groups_claim: groups_claim.or("groups".to_owned())?,
        roots: roots?.map(|at| at.value),
        private_addresses: private_addresses?,
    })
}

/// Kept as it is written: `iss` is compared byte by byte.
fn issuer(table: &Reader<'_>, at: &At<String>, private_addresses: bool) -> Option<String> {
    let error = |message: &str| {
        table.findings.error(&at.spot, message);
        None
    };
    // The text is not repeated: it may hold a password.
    let Ok(url) = Url::parse(&at.value) else {
        return error("expected a URL such as \"https://idp.example.com\"");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return error("no user and no password belong into the URL of an issuer");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return error("an issuer has neither ? nor # (OpenID Connect Discovery 3)");
    }
    let address = address(&url);
    match url.scheme() {
        "https" if address.is_some_and(|address| !is_public(address)) && !private_addresses => {
            error("is in a private network: write private_addresses = true if that is meant")
        }
        "https" => Some(at.value.clone()),
        "http" if address.is_some_and(|address| address.is_loopback()) => Some(at.value.clone()),
        "http" => error(
            "without TLS anybody on the way could sign in as anybody: write https:// (http:// is for a loopback address such as 127.0.0.1 alone)",
        ),
        _ => error("a provider is reached by https://"),
    }
}

fn client_id(table: &Reader<'_>, at: &At<String>) -> Option<String> {
    let is_printable = at.value.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    if at.value.is_empty() || !is_printable {
        let found = quoted(&at.value);
        let message = format!("expected the name that the provider gave this edge, found {found}");
        table.findings.error(&at.spot, message);
        return None;
    }
    Some(at.value.clone())
}

fn some_secret(table: &Reader<'_>, at: &At<Secret>) -> Option<Secret> {
    if at.value.expose().is_empty() {
        let message = "the secret is empty; without one, leave it out: a public client proves itself by PKCE alone";
        table.findings.error(&at.spot, message);
        return None;
    }
    Some(at.value.clone())
}

/// A scope has no space, quote or backslash (RFC 6749 3.3).
fn scopes(table: &Reader<'_>, at: &At<Vec<At<String>>>) -> Option<Vec<String>> {
    let is_scope = |text: &str| {
        let is_of_scope = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        !text.is_empty() && text.bytes().all(is_of_scope)
    };
    let odd = at.value.iter().find(|scope| !is_scope(&scope.value));
    if let Some(odd) = odd {
        let message = format!("expected one scope, found {}", quoted(&odd.value));
        table.findings.error(&odd.spot, message);
        return None;
    }
    let scopes: Vec<String> = at.value.iter().map(|scope| scope.value.clone()).collect();
    if !scopes.iter().any(|scope| scope == "openid") {
        let message = "add \"openid\": without it the provider says nothing about who signs in";
        table.findings.error(&at.spot, message);
        return None;
    }
    Some(scopes)
}

#[cfg(test)]
mod tests;
