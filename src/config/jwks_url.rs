//! `jwks_url` and what belongs to it (S4.6): where a key set may be fetched from.
//!
//! Refuses: a URL that others on the way could change, a host that is neither the issuer's nor listed, an address of a
//! private network that is not asked for.

use std::net::IpAddr;

use url::{Host, Url};

use super::address::is_public;
use super::certificate;
use super::field::{At, Field};
use super::reader::Reader;
use super::settings::KeySetUrl;
use super::written::quoted;
use crate::limits::KEY_SET_STALE_MAX;

/// The keys that mean nothing without `jwks_url`.
const COMPANIONS: [&str; 4] = [
    "jwks_hosts",
    "jwks_private_addresses",
    "jwks_ca_file",
    "jwks_max_stale",
];

/// A guard that does nothing would be taken for one that does.
pub(super) fn without_effect(table: &Reader<'_>) {
    for key in COMPANIONS {
        if let Field::Good(at) = table.look_up(key) {
            let message = "has no effect without jwks_url; remove it";
            table.findings.error(&at.spot, message);
        }
    }
}

/// The source that `jwks_url` names, for this issuer.
pub(super) fn source(table: &Reader<'_>, issuer: &str) -> Option<KeySetUrl> {
    let hosts = table.texts("jwks_hosts").or(Vec::new());
    let private_addresses = table.boolean("jwks_private_addresses").or(false);
    let roots = table
        .file("jwks_ca_file")
        .then(|at| certificate::chain(at, table.findings))
        .optional();
    let max_stale = table.duration("jwks_max_stale").or(KEY_SET_STALE_MAX);
    let (hosts, private_addresses) = (hosts?, private_addresses?);
    let url = table.text("jwks_url").then(|at| {
        let url = url(table, at)?;
        let host = url.host()?;
        is_near(table, at, &host, issuer, &hosts)?;
        in_reach(table, at, &url, private_addresses)?;
        Some(url)
    });
    Some(KeySetUrl {
        url: url.required(table.findings, "")?.value.into(),
        private_addresses,
        roots: roots?.map(|at| at.value),
        max_stale: max_stale?,
    })
}

fn url(table: &Reader<'_>, at: &At<String>) -> Option<Url> {
    let error = |message: &str| {
        table.findings.error(&at.spot, message);
        None
    };
    // The text is not repeated: it may hold a password.
    let Ok(url) = Url::parse(&at.value) else {
        return error("expected a URL such as \"https://idp.example.com/jwks\"");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return error("a key set is public: no user and no password belong into its URL");
    }
    if url.fragment().is_some() {
        return error("remove what follows #, which is never sent");
    }
    match url.scheme() {
        "https" => Some(url),
        "http" if address(&url).is_some_and(|address| address.is_loopback()) => Some(url),
        "http" => error(
            "without TLS anybody on the way could put in keys: write https:// (http:// is for a loopback address such as 127.0.0.1 alone)",
        ),
        _ => error("a key set is fetched by https://"),
    }
}

/// The address that stands in a URL in place of a name.
pub(super) fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// Whoever can serve the set can make tokens: the issuer's own host, or one that is listed.
fn is_near(
    table: &Reader<'_>,
    at: &At<String>,
    host: &Host<&str>,
    issuer: &str,
    listed: &[At<String>],
) -> Option<()> {
    let of_issuer = Url::parse(issuer).ok();
    let of_issuer = of_issuer.as_ref().and_then(Url::host);
    let is_listed = |at: &At<String>| Host::parse(&at.value).ok() == Some(host.to_owned());
    if of_issuer.as_ref() == Some(host) || listed.iter().any(is_listed) {
        return Some(());
    }
    let host = quoted(&host.to_string());
    let message = format!(
        "its host is not that of the issuer {}: write jwks_hosts = [{host}] if that is meant",
        quoted(issuer)
    );
    table.findings.error(&at.spot, message);
    None
}

/// A name is looked at when it has been resolved.
fn in_reach(table: &Reader<'_>, at: &At<String>, url: &Url, private: bool) -> Option<()> {
    let is_private = address(url).is_some_and(|address| !is_public(address));
    if is_private && !private && url.scheme() == "https" {
        let message =
            "is in a private network: write jwks_private_addresses = true if that is meant";
        table.findings.error(&at.spot, message);
        return None;
    }
    Some(())
}
