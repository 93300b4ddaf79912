//! `upstream` of a tunnel: its servers, their addresses, and how to verify their certificates.
//!
//! Refuses: anything in a URL but scheme, host and port (a path would be a second opinion on what is requested, a
//! user a credential in a file that is not secret), servers with and without TLS side by side, names that do not resolve,
//! and this process itself (S8).

mod url;

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use rustls::pki_types::{CertificateDer, ServerName};

use self::url::Url;
use super::certificate;
use super::field::{At, Field};
use super::listener::Listeners;
use super::problem::Spot;
use super::reader::Reader;
use super::settings::{Upstream, UpstreamPlace, UpstreamServer, UpstreamTls};
use super::written::quoted;

/// Addresses of the names asked for so far: many tunnels have one upstream.
pub(super) type Resolved = HashMap<(String, u16), Vec<SocketAddr>>;

/// The keys `upstream`, `upstream_ca_file` and `upstream_server_name` of a tunnel.
pub(super) fn upstream(
    table: &Reader<'_>,
    listeners: &Listeners<'_>,
    resolved: &mut Resolved,
) -> Option<Upstream> {
    let rules = TlsRules::read(table);
    let written = written(table)?;
    let targets: Vec<_> = written.iter().filter_map(|at| target(table, at)).collect();
    if targets.len() < written.len() || !alike(table, &targets) {
        return None;
    }
    if targets.iter().any(|at| at.value.is_tls()) {
        rules.as_ref()?;
    } else {
        TlsRules::without_effect(table);
    }
    let servers: Vec<_> = targets
        .into_iter()
        .map(|at| server(table, at, rules.as_ref(), listeners, resolved))
        .collect();
    let servers: Option<Vec<_>> = servers.into_iter().collect();
    Some(Upstream { servers: servers? })
}

/// One entry of `upstream`.
enum Target {
    Url(Url),
    Unix(PathBuf),
}

impl Target {
    fn is_tls(&self) -> bool {
        match self {
            Target::Url(url) => url.tls,
            Target::Unix(_) => false,
        }
    }
}

/// Text, or a list of texts that is not empty.
fn written(table: &Reader<'_>) -> Option<Vec<At<String>>> {
    let expected = "a URL such as \"http://127.0.0.1:8080\", or a list of them";
    let is_list =
        matches!(table.look_up("upstream"), Field::Good(at) if at.value.node.list().is_some());
    if is_list {
        let entries = table.list("upstream", expected, |node| node.text().map(str::to_owned));
        let at = entries.required(table.findings, "")?;
        if at.value.is_empty() {
            table
                .findings
                .error(&at.spot, "the list is empty; name at least one server");
            return None;
        }
        return Some(at.value);
    }
    let text = table.value("upstream", expected, |node| node.text().map(str::to_owned));
    let at = text.required(table.findings, "upstream = \"http://127.0.0.1:8080\"")?;
    Some(vec![at])
}

fn target(table: &Reader<'_>, at: &At<String>) -> Option<At<Target>> {
    let spot = at.spot.clone();
    if let Some(path) = at.value.strip_prefix("unix:") {
        let path = PathBuf::from(path);
        if !path.is_absolute() {
            let message = "the path of a socket starts at the root, as in \"unix:/run/app.sock\"";
            table.findings.error(&spot, message);
            return None;
        }
        let value = Target::Unix(path);
        return Some(At { value, spot });
    }
    match Url::parse(&at.value) {
        Ok(url) => Some(At {
            value: Target::Url(url),
            spot,
        }),
        Err(fault) => {
            table.findings.error(&spot, fault.message());
            None
        }
    }
}

/// Whoever reads one `https://` takes the whole way for protected.
fn alike(table: &Reader<'_>, targets: &[At<Target>]) -> bool {
    let tls = targets.first().is_some_and(|at| at.value.is_tls());
    let other = targets.iter().find(|at| at.value.is_tls() != tls);
    if let Some(at) = other {
        let message =
            "servers with and without TLS do not mix; write https:// for all of them, or for none";
        table.findings.error(&at.spot, message);
    }
    other.is_none()
}

fn server(
    table: &Reader<'_>,
    at: At<Target>,
    rules: Option<&TlsRules>,
    listeners: &Listeners<'_>,
    resolved: &mut Resolved,
) -> Option<UpstreamServer> {
    let url = match at.value {
        Target::Unix(path) => {
            return Some(UpstreamServer {
                place: UpstreamPlace::Unix(path),
                tls: None,
            });
        }
        Target::Url(url) => url,
    };
    let addresses = resolve(table, &url, &at.spot, resolved)
        .filter(|addresses| !reaches_us(table, &at.spot, addresses, listeners));
    let tls = match rules.filter(|_| url.tls) {
        Some(rules) => Some(rules.of(table, &url, &at.spot)?),
        None => None,
    };
    Some(UpstreamServer {
        place: UpstreamPlace::Tcp {
            host: url.host,
            port: url.port,
            addresses: addresses?,
        },
        tls,
    })
}

/// `upstream_ca_file` and `upstream_server_name`.
struct TlsRules {
    roots: Option<Vec<CertificateDer<'static>>>,
    server_name: Option<ServerName<'static>>,
}

impl TlsRules {
    fn read(table: &Reader<'_>) -> Option<TlsRules> {
        let roots = table
            .file("upstream_ca_file")
            .then(|at| certificate::chain(at, table.findings));
        let server_name = table.text("upstream_server_name").then(|at| {
            let name = ServerName::try_from(at.value.clone()).ok();
            if name.is_none() {
                let found = quoted(&at.value);
                let message = format!("expected a host name or an address, found {found}");
                table.findings.error(&at.spot, message);
            }
            name
        });
        let (roots, server_name) = (roots.optional(), server_name.optional());
        Some(TlsRules {
            roots: roots?.map(|at| at.value),
            server_name: server_name?.map(|at| at.value),
        })
    }

    /// A guard that does nothing would be taken for one that does.
    fn without_effect(table: &Reader<'_>) {
        for key in ["upstream_ca_file", "upstream_server_name"] {
            if let Field::Good(at) = table.look_up(key) {
                let message =
                    "has no effect on an upstream without TLS; remove it, or write https://";
                table.findings.error(&at.spot, message);
            }
        }
    }

    fn of(&self, table: &Reader<'_>, url: &Url, spot: &Spot) -> Option<UpstreamTls> {
        let named = || ServerName::try_from(url.host.clone()).ok();
        let server_name = self.server_name.clone().or_else(named);
        if server_name.is_none() {
            let message = "no certificate can name this host; add upstream_server_name";
            table.findings.error(spot, message);
        }
        Some(UpstreamTls {
            server_name: server_name?,
            roots: self.roots.clone(),
        })
    }
}

/// Asks the system for the addresses of a name; each once, in its order. Blocks. Empty: it does not resolve.
pub fn lookup(host: &str, port: u16) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map(Iterator::collect)
        .unwrap_or_default();
    // The resolver gives an address once for each kind of socket.
    let mut seen = HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses
}

fn resolve(
    table: &Reader<'_>,
    url: &Url,
    spot: &Spot,
    resolved: &mut Resolved,
) -> Option<Vec<SocketAddr>> {
    let name = (url.host.clone(), url.port);
    let addresses = resolved
        .entry(name)
        .or_insert_with_key(|(host, port)| lookup(host, *port));
    if addresses.is_empty() {
        let message = format!(
            "the name {} does not resolve; correct it, or write an address",
            quoted(&url.host)
        );
        table.findings.error(spot, message);
        return None;
    }
    Some(addresses.clone())
}

/// Requests would go round in circles, each lap with the edge's own trust (S8).
fn reaches_us(
    table: &Reader<'_>,
    spot: &Spot,
    addresses: &[SocketAddr],
    listeners: &Listeners<'_>,
) -> bool {
    for address in addresses {
        if let Some((key, own)) = listeners.behind(*address) {
            let message = format!("{address} is this process itself: {key} listens on {own}");
            table.findings.error(spot, message);
            return true;
        }
    }
    false
}
