//! `[[tunnel]]`: a host, its upstream, and who may enter.
//!
//! Refuses: a host that is given twice or reaches the base host (S1.4), a project that does not exist, and a tunnel
//! that nobody guards and nobody declared public (S10.2).

mod bounds;
mod browser;
mod entrance;

use std::collections::HashMap;

use super::field::{At, Field};
use super::hostname;
use super::listener::Listeners;
use super::problem::Place;
use super::project::{self, ProjectBounds, ProjectIds};
use super::reader::Reader;
use super::settings::{Certificate, Challenge, Geoip, SignIn, TlsVersion, Tokens, Tunnel};
use super::upstream::{self, Resolved};
use super::written::quoted;

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
    "upgrades_outlive_expiry",
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
    pub(super) bounds: Option<&'a ProjectBounds<'a>>,
    pub(super) geoip: &'a Field<Geoip>,
    pub(super) tokens: &'a Field<Tokens>,
    /// The projects that tokens of anybody reach.
    pub(super) reached: Option<&'a ProjectIds<'a>>,
    /// The projects that certificates of anybody reach.
    pub(super) certified: Option<&'a ProjectIds<'a>>,
    pub(super) sign_in: &'a Field<SignIn>,
    pub(super) challenge: &'a Field<Challenge>,
    /// There is `[https]`, good or bad.
    pub(super) has_https: bool,
    /// Some listener serves tunnels without TLS.
    pub(super) serves_plain: bool,
    pub(super) certificates: Option<&'a [Certificate]>,
    /// Of the listener.
    pub(super) tls_min_version: Option<TlsVersion>,
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
    let bounding = project.as_ref().zip(context.bounds);
    let bounding = bounding.and_then(|(id, bounds)| bounds.get(id.value.as_str()).copied());
    let may_be = bounding.is_none_or(|project| bounds::may_be_published(table, project));
    let access = bounds::access(table, context, bounding);
    let entrance = entrance::entrance(table, context, bounding);
    let semicolons = [("refuse", false), ("allow", true)];
    let path_semicolon_allowed = table.word("path_semicolon", &semicolons).or(false);
    let authorization = entrance::authorization(table, entrance);
    let allowed_origins = entrance::allowed_origins(table);
    let trailers = table.boolean("trailers").or(false);
    let identity_headers = entrance::identity_headers(table, context, entrance);
    let upgrades_outlive_expiry = table.boolean("upgrades_outlive_expiry").or(false);
    let labels = table.words("labels").or(Vec::new());
    let entrance = entrance.filter(|_| may_be)?;
    Some(Tunnel {
        hostname: hostname?.value,
        project: project?.value,
        upstream: upstream?,
        access: access?,
        token_auth: entrance.token_auth,
        rstream_auth: entrance.rstream_auth,
        mtls_auth: entrance.mtls_auth,
        challenge_mode: entrance.challenge_mode,
        public: entrance.public,
        authorization: authorization?,
        allowed_origins: allowed_origins?,
        path_semicolon_allowed: path_semicolon_allowed?,
        trailers: trailers?,
        identity_headers: identity_headers?,
        upgrades_outlive_expiry: upgrades_outlive_expiry?,
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
