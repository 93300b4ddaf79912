//! The URL of an upstream: scheme, host and port, and nothing else.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::limits::HOST_BYTES_MAX;

/// Scheme, host and port of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub tls: bool,
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
}

/// Why text is no URL of an upstream. The text is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UrlFault {
    Scheme,
    User,
    Path,
    Host,
    Port,
}

impl UrlFault {
    pub fn message(self) -> &'static str {
        match self {
            UrlFault::Scheme => "an upstream starts with http://, https:// or unix:/",
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
    /// Reads one with `http` or `https`. A single `/` at the end means nothing and is accepted.
    pub fn parse(text: &str) -> Result<Url, UrlFault> {
        let (scheme, authority) = text.split_once("://").ok_or(UrlFault::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(UrlFault::Scheme),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
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
            ("http://app/", false, "app", 80),
            ("https://app:8443/", true, "app", 8443),
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
            ("unix:/run/app.sock", UrlFault::Scheme),
            ("http://user:secret@app", UrlFault::User),
            ("http://app//", UrlFault::Path),
            ("http://app/x", UrlFault::Path),
            ("http://app/?", UrlFault::Path),
            ("http://app?x", UrlFault::Path),
            ("http://app#x", UrlFault::Path),
            ("http://", UrlFault::Host),
            ("http:///", UrlFault::Host),
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
