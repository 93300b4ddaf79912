//! `[[tunnel]]`: a host, its upstream, and who may enter.
//!
//! Refuses: a host that is given twice or reaches the base host (S1.4), a project that does not exist, and a tunnel
//! that nobody guards and nobody declared public (S10.2).

use std::collections::HashMap;

use super::field::{At, Field};
use super::hostname;
use super::listener::Listeners;
use super::problem::{Place, Spot};
use super::project::{self, ProjectIds};
use super::reader::Reader;
use super::settings::{Certificate, Tokens, Tunnel};
use super::unbuilt::Harmless;
use super::upstream::{self, Resolved};
use super::written::quoted;
use crate::authn::Authorization;

const KNOWN: &[&str] = &[
    "hostname",
    "project",
    "upstream",
    "upstream_ca_file",
    "upstream_server_name",
    "token_auth",
    "rstream_auth",
    "mtls_auth",
    "challenge_mode",
    "public",
    "authorization",
    "identity_headers",
    "allowed_origins",
    "path_semicolon",
    "trailers",
    "trusted_ips",
    "geoip",
    "tls_min_version",
    "labels",
];

/// What tunnels are checked against. `None`: not known, because it is not usable; nothing is said about it again.
pub(super) struct Context<'a> {
    pub(super) base_host: Option<&'a str>,
    pub(super) projects: Option<&'a ProjectIds<'a>>,
    pub(super) tokens: &'a Field<Tokens>,
    /// The projects that tokens of anybody reach.
    pub(super) reached: Option<&'a ProjectIds<'a>>,
    pub(super) certificates: Option<&'a [Certificate]>,
    pub(super) listeners: &'a Listeners<'a>,
}

/// Every `[[tunnel]]`.
pub(super) fn tunnels(root: &Reader<'_>, context: &Context<'_>) -> Option<Vec<Tunnel>> {
    let tables = root.tables("tunnel", KNOWN)?;
    if tables.is_empty() {
        let message = "there is no [[tunnel]], so every request is answered with 404";
        root.findings.warn(&root.spot_of("tunnel"), message);
    }
    let mut hosts = HashMap::new();
    let mut resolved = Resolved::new();
    let tunnels: Vec<Option<Tunnel>> = tables
        .iter()
        .map(|table| tunnel(table, context, &mut hosts, &mut resolved))
        .collect();
    tunnels.into_iter().collect()
}

fn tunnel(
    table: &Reader<'_>,
    context: &Context<'_>,
    hosts: &mut HashMap<String, Place>,
    resolved: &mut Resolved,
) -> Option<Tunnel> {
    let findings = table.findings;
    let hostname = table
        .text("hostname")
        .then(|at| host(table, at, context, hosts))
        .required(findings, "hostname = \"app.t.edge.example.com\"");
    let project = table
        .text("project")
        .then(|at| {
            let exists = project::exists(table, at, context.projects?);
            exists.then(|| at.value.clone())
        })
        .required(findings, "project = \"proj-1\"");
    let upstream = upstream::upstream(table, context.listeners, resolved);
    let entrance = entrance(table, context, project.as_ref());
    refuse_unbuilt(table);
    let semicolons = [("refuse", false), ("allow", true)];
    let path_semicolon_allowed = table.word("path_semicolon", &semicolons).or(false);
    let authorization = authorization(table, entrance);
    let trailers = table.boolean("trailers").or(false);
    let identity_headers = identity_headers(table, context, entrance);
    let labels = table.words("labels").or(Vec::new());
    let (token_auth, public) = entrance?;
    Some(Tunnel {
        hostname: hostname?.value,
        project: project?.value,
        upstream: upstream?,
        token_auth,
        public,
        authorization: authorization?,
        path_semicolon_allowed: path_semicolon_allowed?,
        trailers: trailers?,
        identity_headers: identity_headers?,
        labels: labels?,
    })
}

fn host(
    table: &Reader<'_>,
    at: &At<String>,
    context: &Context<'_>,
    hosts: &mut HashMap<String, Place>,
) -> Option<String> {
    let error = |message: String| table.findings.error(&at.spot, message);
    let found = quoted(&at.value);
    let name = match hostname::canonical_or_wildcard(&at.value) {
        Ok(name) => name,
        Err(fault) => {
            error(format!("{found} is no host of a tunnel: {}", fault.cure()));
            return None;
        }
    };
    if let Some(base_host) = context.base_host
        && hostname::reaches_base_host(&name, base_host)
    {
        error(format!(
            "{found} covers the base host {base_host} (engine.host), which serves the edge itself; use a name below it, such as \"app.t.{base_host}\""
        ));
        return None;
    }
    if let Some(first) = hosts.get(&name) {
        error(format!("{found} is already a tunnel at {first}"));
        return None;
    }
    hosts.insert(name.clone(), at.spot.place.clone());
    let names = |certificate: &Certificate| {
        let mut names = certificate.names.iter();
        names.any(|covering| hostname::certificate_covers(covering, &name))
    };
    if let Some(certificates) = context.certificates
        && !certificates.iter().any(names)
    {
        let message = format!("no certificate covers {found}, so browsers will refuse it");
        table.findings.warn(&at.spot, message);
    }
    Some(name)
}

/// The mechanisms, as `(token_auth, public)`.
fn entrance(
    table: &Reader<'_>,
    context: &Context<'_>,
    project: Option<&At<String>>,
) -> Option<(bool, bool)> {
    let token_auth = table.boolean("token_auth");
    let public = table.boolean("public");
    let off = Harmless::False;
    let sessions = table.unbuilt("rstream_auth", "sign-in of browsers is", off);
    let certificates = table.unbuilt("mtls_auth", "client certificates are", off);
    table.unbuilt("challenge_mode", "challenge mode is", off);
    let token_spot = table.spot_of("token_auth");
    let public_spot = table.spot_of("public");
    let (token_auth, public) = (token_auth.or(false), public.or(false));
    let (token_auth, public) = (token_auth?, public?);
    let findings = table.findings;
    if token_auth {
        tokens_can_pass(table, context, project, &token_spot)?;
    }
    if token_auth && public {
        findings.error(
            &public_spot,
            "contradicts token_auth = true: remove public to ask for a token, or token_auth to let everybody in",
        );
        return None;
    }
    if !token_auth && !public && !sessions && !certificates {
        findings.error(
            &table.spot,
            "no authentication is on, so everybody could enter: write token_auth = true, or public = true if that is meant",
        );
        return None;
    }
    if public {
        findings.warn(&public_spot, "everybody may enter this tunnel");
    }
    Some((token_auth, public))
}

/// Whose the `Authorization` field is, on a tunnel with these mechanisms.
fn authorization(table: &Reader<'_>, entrance: Option<(bool, bool)>) -> Option<Authorization> {
    let words = [("edge", Authorization::Edge), ("app", Authorization::App)];
    let field = table.word("authorization", &words);
    if let (Field::Good(at), Some((false, _))) = (&field, entrance)
        && at.value == Authorization::App
    {
        let message = "says where tokens of the edge come from, and this tunnel asks for none";
        table.findings.warn(&at.spot, message);
    }
    field.or(Authorization::Edge)
}

/// Whether the upstream is told who sends, on a tunnel with these mechanisms.
fn identity_headers(
    table: &Reader<'_>,
    context: &Context<'_>,
    entrance: Option<(bool, bool)>,
) -> Option<bool> {
    let field = table.boolean("identity_headers");
    let findings = table.findings;
    if let Field::Good(at) = &field
        && at.value
    {
        if let Some((_, true)) = entrance {
            let message =
                "there is nobody to name where public = true asks for no proof: remove one of them";
            findings.error(&at.spot, message);
            return None;
        }
        let names = |certificate: &Certificate, host: &str| {
            let mut names = certificate.names.iter();
            names.any(|covering| hostname::certificate_covers(covering, host))
        };
        if let (Some(certificates), Some(host)) = (context.certificates, context.base_host)
            && !certificates
                .iter()
                .any(|certificate| names(certificate, host))
        {
            let message = format!(
                "no certificate covers the base host {host}, so upstreams cannot fetch the keys that verify what they are told"
            );
            findings.warn(&at.spot, message);
        }
    }
    field.or(false)
}

/// Whether there is any token that this tunnel would accept. `None`: there cannot be, which is reported.
fn tokens_can_pass(
    table: &Reader<'_>,
    context: &Context<'_>,
    project: Option<&At<String>>,
    spot: &Spot,
) -> Option<()> {
    match context.tokens {
        Field::Good(_) => {}
        Field::Bad => return Some(()),
        Field::Absent(_) => {
            table.findings.error(
                spot,
                "needs the secret that tokens are signed with: add [tokens] with hs256_secret_file, and a [[credential]] or [tokens.ce]",
            );
            return None;
        }
    }
    let Some(reached) = context.reached else {
        return Some(());
    };
    // Nobody's list of projects may be empty.
    if reached.is_empty() {
        table.findings.error(
            spot,
            "no token is accepted: add a [[credential]] that tokens belong to, an [[issuer]], or [tokens.ce] for tokens without a stored credential",
        );
        return None;
    }
    if let Some(project) = project
        && !reached.contains(project.value.as_str())
    {
        let message = format!(
            "no token can pass: no [[credential]], no [[issuer]] and no [tokens.ce] has this tunnel's project {}",
            quoted(&project.value)
        );
        table.findings.warn(spot, message);
    }
    Some(())
}

fn refuse_unbuilt(table: &Reader<'_>) {
    let empty = Harmless::EmptyList;
    table.unbuilt("allowed_origins", "origins of browsers are", empty);
    table.unbuilt("trusted_ips", "rules by client address are", empty);
    table.unbuilt("geoip", "rules by country are", empty);
    project::tls_minimum_of_listener(table);
}
