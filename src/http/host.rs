//! The canonical host: computed once, used for routing, SNI comparison, policy and redirects (S1.2).
//!
//! Comes in: the value of a `Host` field, the authority of an absolute-form target, a name from TLS or a
//! configuration. Goes out: one spelling per host. It refuses user information, empty labels, escapes and every byte
//! outside letters, digits, `-`, `.` and `_`, so that no later reader finds another host in it.

use std::fmt::Write;
use std::net::Ipv6Addr;

use arrayvec::ArrayString;

use super::every_pair;
use crate::limits::HOST_BYTES_MAX;

/// Longest label of a name, in bytes (RFC 1035 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A host name in lower case, without a final dot and without a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CanonicalHost(ArrayString<HOST_BYTES_MAX>);

/// Why bytes are not a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    Empty,
    TooLong,
    /// A byte that no name has, an empty label, or one longer than 63 bytes.
    BadName,
    /// Brackets around something that is no IPv6 address (RFC 3986 3.2.2).
    BadAddress,
    /// A colon without digits after it, or a number over 65535.
    BadPort,
}

impl CanonicalHost {
    /// Parses a name, an IPv4 address or a bracketed IPv6 address, without a port.
    pub fn parse(host: &[u8]) -> Result<Self, HostError> {
        let mut canonical = CanonicalHost::none();
        canonical.read(host)?;
        Ok(canonical)
    }

    /// Parses a host with an optional port (RFC 9110 7.2). An empty port is refused: readers disagree on it.
    pub fn parse_authority(value: &[u8]) -> Result<(Self, Option<u16>), HostError> {
        let mut canonical = CanonicalHost::none();
        let port = canonical.read_authority(value)?;
        Ok((canonical, port))
    }

    /// As [`CanonicalHost::parse_authority`], in place: the value is large, and every request has one. After an error it is
    /// of no use.
    pub(super) fn read_authority(&mut self, value: &[u8]) -> Result<Option<u16>, HostError> {
        let host_end = if value.starts_with(b"[") {
            memchr::memchr(b']', value).map_or(value.len(), |bracket| bracket + 1)
        } else {
            memchr::memchr(b':', value).unwrap_or(value.len())
        };
        let (host, rest) = value.split_at_checked(host_end).ok_or(HostError::Empty)?;
        let port = match rest.split_first() {
            None => None,
            Some((b':', digits)) => Some(parse_port(digits)?),
            Some(_) => return Err(HostError::BadAddress),
        };
        self.read(host)?;
        Ok(port)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of a head that was not parsed: no host routes to it.
    pub(super) fn none() -> Self {
        CanonicalHost(ArrayString::new_const())
    }

    fn read(&mut self, host: &[u8]) -> Result<(), HostError> {
        self.0.clear();
        if host.starts_with(b"[") {
            return self.read_bracketed(host);
        }
        let name = host.strip_suffix(b".").unwrap_or(host);
        if name.is_empty() {
            return Err(HostError::Empty);
        }
        if name.len() > HOST_BYTES_MAX {
            return Err(HostError::TooLong);
        }
        let lower = |byte: u8| byte.is_ascii_lowercase() | byte.is_ascii_digit() | (byte == b'-');
        let known = |byte: u8| byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'_');
        let in_name = |known: bool, one, next| known | ((one == b'.') & (next != b'.'));
        let is_lower = every_pair(name, |one, next| in_name(lower(one), one, next));
        let bounded = |label: &[u8]| label.len() <= LABEL_BYTES_MAX;
        // "a.." leaves a final dot after the one that is dropped.
        if name.starts_with(b".")
            || name.ends_with(b".")
            || !(is_lower || every_pair(name, |one, next| in_name(known(one), one, next)))
            || !(bounded(name) || name.split(|byte| *byte == b'.').all(bounded))
        {
            return Err(HostError::BadName);
        }
        let name = std::str::from_utf8(name).map_err(|_| HostError::BadName)?;
        self.0.try_push_str(name).map_err(|_| HostError::TooLong)?;
        if !is_lower {
            self.0.make_ascii_lowercase();
        }
        Ok(())
    }

    /// One address has many spellings; the canonical one is that of RFC 5952. Zones are refused (RFC 9110 7.2).
    fn read_bracketed(&mut self, host: &[u8]) -> Result<(), HostError> {
        let address = host
            .strip_prefix(b"[")
            .and_then(|rest| rest.strip_suffix(b"]"))
            .and_then(|inner| std::str::from_utf8(inner).ok())
            .and_then(|text| text.parse::<Ipv6Addr>().ok())
            .ok_or(HostError::BadAddress)?;
        write!(self.0, "[{address}]").map_err(|_| HostError::TooLong)
    }
}

fn parse_port(digits: &[u8]) -> Result<u16, HostError> {
    if digits.is_empty() || digits.len() > 5 {
        return Err(HostError::BadPort);
    }
    let mut port: u32 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(HostError::BadPort);
        }
        port = port * 10 + u32::from(digit - b'0');
    }
    u16::try_from(port).map_err(|_| HostError::BadPort)
}

/// Any bytes: canonical twice is canonical once, and the port does not change the host.
pub fn fuzz_host(bytes: &[u8]) {
    if let Ok(host) = CanonicalHost::parse(bytes) {
        let again = CanonicalHost::parse(host.as_str().as_bytes());
        assert_eq!(again, Ok(host), "canonical twice is canonical once");
        assert!(!host.as_str().bytes().any(|byte| byte.is_ascii_uppercase()));
    }
    if let Ok((host, port)) = CanonicalHost::parse_authority(bytes) {
        let text = match port {
            Some(port) => format!("{}:{port}", host.as_str()),
            None => host.as_str().to_owned(),
        };
        let again = CanonicalHost::parse_authority(text.as_bytes());
        assert_eq!(again, Ok((host, port)), "what is forwarded reads the same");
    }
}

#[cfg(test)]
mod tests;
