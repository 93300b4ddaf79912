//! `upstream` of a tunnel: the URL, its addresses, and how to verify its certificate.
//!
//! Refuses: anything in the URL but scheme, host and port (a path would be a second opinion on what is requested, a
//! user a credential in a file that is not secret), names that do not resolve, and this process itself (S8).

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use rustls::pki_types::{CertificateDer, ServerName};

use super::certificate;
use super::field::{At, Field};
use super::listener::Listeners;
use super::reader::Reader;
use super::settings::{Upstream, UpstreamTls};
use super::written::quoted;
use crate::limits::HOST_BYTES_MAX;

/// Addresses of the names asked for so far: many tunnels have one upstream.
pub(super) type Resolved = HashMap<(String, u16), Vec<SocketAddr>>;

/// The keys `upstream`, `upstream_ca_file` and `upstream_server_name` of a tunnel.
pub(super) fn upstream(
    table: &Reader<'_>,
    listeners: &Listeners<'_>,
    resolved: &mut Resolved,
) -> Option<Upstream> {
    let url = written(table);
    let url = url
        .then(|at| {
            Url::parse(&at.value)
                .map_err(|fault| table.findings.error(&at.spot, fault.message()))
                .ok()
        })
        .required(table.findings, "upstream = \"http://127.0.0.1:8080\"");
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
    let url = url?;
    let addresses = resolve(table, &url, resolved)
        .filter(|addresses| !reaches_us(table, &url, addresses, listeners));
    let tls = if url.value.tls {
        Some(tls(table, &url, roots, server_name)?)
    } else {
        without_effect(table, &roots, &server_name);
        roots.optional()?;
        server_name.optional()?;
        None
    };
    Some(Upstream {
        host: url.value.host,
        port: url.value.port,
        addresses: addresses?,
        tls,
    })
}

/// The URL: text, or a list with one entry.
fn written(table: &Reader<'_>) -> Field<String> {
    let expected = "a URL such as \"http://127.0.0.1:8080\"";
    // `Some(None)`: well-formed, but more than there can be.
    let several = table.value("upstream", expected, |node| match node.list() {
        None => node.text().map(|url| Some(url.to_owned())),
        Some([]) => None,
        Some([only]) => only.text().map(|url| Some(url.to_owned())),
        Some(_) => Some(None),
    });
    several.then(|at| {
        if at.value.is_none() {
            table.findings.error(
                &at.spot,
                "several upstreams are not built yet in this version; keep one",
            );
        }
        at.value.clone()
    })
}

fn tls(
    table: &Reader<'_>,
    url: &At<Url>,
    roots: Field<Vec<CertificateDer<'static>>>,
    server_name: Field<ServerName<'static>>,
) -> Option<UpstreamTls> {
    let roots = roots.optional()?.map(|at| at.value);
    let server_name = match server_name.optional()? {
        Some(at) => at.value,
        None => match ServerName::try_from(url.value.host.clone()) {
            Ok(name) => name,
            Err(_) => {
                let message = "no certificate can name this host; add upstream_server_name";
                table.findings.error(&url.spot, message);
                return None;
            }
        },
    };
    Some(UpstreamTls { server_name, roots })
}

/// A guard that does nothing would be taken for one that does.
fn without_effect<T, U>(table: &Reader<'_>, roots: &Field<T>, server_name: &Field<U>) {
    let spots = [
        roots.good().map(|at| &at.spot),
        server_name.good().map(|at| &at.spot),
    ];
    for spot in spots.into_iter().flatten() {
        let message = "has no effect on an http:// upstream; remove it, or write https://";
        table.findings.error(spot, message);
    }
}

fn resolve(table: &Reader<'_>, url: &At<Url>, resolved: &mut Resolved) -> Option<Vec<SocketAddr>> {
    let name = (url.value.host.clone(), url.value.port);
    let addresses = resolved.entry(name).or_insert_with_key(|(host, port)| {
        let mut addresses: Vec<SocketAddr> = (host.as_str(), *port)
            .to_socket_addrs()
            .map(Iterator::collect)
            .unwrap_or_default();
        // The resolver gives an address once for each kind of socket.
        let mut seen = HashSet::new();
        addresses.retain(|address| seen.insert(*address));
        addresses
    });
    if addresses.is_empty() {
        let message = format!(
            "the name {} does not resolve; correct it, or write an address",
            quoted(&url.value.host)
        );
        table.findings.error(&url.spot, message);
        return None;
    }
    Some(addresses.clone())
}

/// Requests would go round in circles, each lap with the edge's own trust (S8).
fn reaches_us(
    table: &Reader<'_>,
    url: &At<Url>,
    addresses: &[SocketAddr],
    listeners: &Listeners<'_>,
) -> bool {
    for address in addresses {
        if let Some((key, own)) = listeners.behind(*address) {
            let message = format!("{address} is this process itself: {key} listens on {own}");
            table.findings.error(&url.spot, message);
            return true;
        }
    }
    false
}

/// Scheme, host and port of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Url {
    tls: bool,
    /// A name, or an address without brackets.
    host: String,
    port: u16,
}

/// Why text is no URL of an upstream. The text is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UrlFault {
    Scheme,
    Unix,
    User,
    Path,
    Host,
    Port,
}

impl UrlFault {
    fn message(self) -> &'static str {
        match self {
            UrlFault::Scheme => "an upstream starts with http:// or https://",
            UrlFault::Unix => "unix: upstreams are not built yet in this version; remove it",
            UrlFault::User => {
                "an upstream has no user or password; the application's own credentials go into requests"
            }
            UrlFault::Path => {
                "an upstream has no path or query, since requests are forwarded with their own; end it after the host and port"
            }
            UrlFault::Host => "the upstream's host is no name, IPv4 address or [IPv6] address",
            UrlFault::Port => "the upstream's port is no number from 1 to 65535",
        }
    }
}

impl Url {
    fn parse(text: &str) -> Result<Url, UrlFault> {
        if text.starts_with("unix:") {
            return Err(UrlFault::Unix);
        }
        let (scheme, authority) = text.split_once("://").ok_or(UrlFault::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(UrlFault::Scheme),
        };
        if authority.contains('@') {
            return Err(UrlFault::User);
        }
        if authority.contains(['/', '?', '#', '\\']) {
            return Err(UrlFault::Path);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None if tls => 443,
            None => 80,
            Some(digits) => parse_port(digits)?,
        };
        Ok(Url { tls, host, port })
    }
}

fn split_port(authority: &str) -> Result<(String, Option<&str>), UrlFault> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(UrlFault::Host)?;
        let address: Ipv6Addr = host.parse().map_err(|_| UrlFault::Host)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((address.to_string(), Some(port))),
            None if rest.is_empty() => Ok((address.to_string(), None)),
            None => Err(UrlFault::Host),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if is_host(host) {
        Ok((host.to_ascii_lowercase(), port))
    } else {
        Err(UrlFault::Host)
    }
}

fn parse_port(digits: &str) -> Result<u16, UrlFault> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = is_number.then(|| digits.parse().ok()).flatten();
    port.filter(|port| *port != 0).ok_or(UrlFault::Port)
}

/// A name as resolvers know it, which may have underscores (containers do), or an IPv4 address in its one usual form:
/// `127.1` and `0x7f000001` are addresses to some readers only.
fn is_host(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    let looks_numeric = host
        .rsplit('.')
        .next()
        .is_some_and(|label| label.starts_with(|first: char| first.is_ascii_digit()));
    if looks_numeric {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    host.len() <= HOST_BYTES_MAX && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, tls, host, port) in [
            ("http://127.0.0.1:8080", false, "127.0.0.1", 8080),
            ("http://app", false, "app", 80),
            ("https://App.internal", true, "app.internal", 443),
            ("HTTPS://app_1:8443", true, "app_1", 8443),
            ("http://[::1]", false, "::1", 80),
            ("http://[0:0::1]:81", false, "::1", 81),
        ] {
            let host = host.to_owned();
            assert_eq!(Url::parse(text), Ok(Url { tls, host, port }), "{text}");
        }
    }

    #[test]
    fn what_is_no_upstream() {
        for (text, fault) in [
            ("127.0.0.1:8080", UrlFault::Scheme),
            ("ftp://app", UrlFault::Scheme),
            ("", UrlFault::Scheme),
            ("unix:/run/app.sock", UrlFault::Unix),
            ("http://user:secret@app", UrlFault::User),
            ("http://app/", UrlFault::Path),
            ("http://app?x", UrlFault::Path),
            ("http://app#x", UrlFault::Path),
            ("http://", UrlFault::Host),
            ("http://a b", UrlFault::Host),
            ("http://::1", UrlFault::Host),
            ("http://[::1", UrlFault::Host),
            ("http://[::1]x", UrlFault::Host),
            ("http://[127.0.0.1]", UrlFault::Host),
            ("http://127.1", UrlFault::Host),
            ("http://0x7f000001", UrlFault::Host),
            ("http://2130706433", UrlFault::Host),
            ("http://app:", UrlFault::Port),
            ("http://app:0", UrlFault::Port),
            ("http://app:65536", UrlFault::Port),
            ("http://app:+80", UrlFault::Port),
            ("http://a:b:80", UrlFault::Port),
        ] {
            assert_eq!(Url::parse(text), Err(fault), "{text}");
        }
    }
}
