//! Names of hosts and hosts of tunnels: canonical spelling, and which name covers which.
//!
//! Labels follow `^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$` after lower-casing. A wildcard is `*.` and a parent.

use std::net::IpAddr;

use crate::limits::HOST_BYTES_MAX;

/// Why text is no host name; made into a message by [`Fault::cure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Empty,
    TooLong,
    NotAscii,
    SchemeOrPort,
    Address,
    Wildcard,
    Label,
}

impl Fault {
    pub(super) fn cure(self) -> &'static str {
        match self {
            Fault::Empty => "a host name must not be empty",
            Fault::TooLong => "a host name has at most 253 characters",
            Fault::NotAscii => "write an international name in its ASCII form (xn--...)",
            Fault::SchemeOrPort => "write the name alone, without scheme, port or path",
            Fault::Address => "an address is not a name",
            Fault::Wildcard => {
                "\"*\" may stand only as the whole first label of a tunnel's hostname"
            }
            Fault::Label => {
                "each label has 1 to 63 letters, digits and hyphens, and no hyphen at its ends"
            }
        }
    }
}

/// Lower case, without a final dot.
pub(super) fn canonical(text: &str) -> Result<String, Fault> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if name.is_empty() {
        return Err(Fault::Empty);
    }
    if !name.is_ascii() {
        return Err(Fault::NotAscii);
    }
    if name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Err(Fault::Address);
    }
    if name.contains([':', '/', '@']) {
        return Err(Fault::SchemeOrPort);
    }
    if name.contains('*') {
        return Err(Fault::Wildcard);
    }
    if name.len() > HOST_BYTES_MAX {
        return Err(Fault::TooLong);
    }
    if !name.split('.').all(|label| is_label(label.as_bytes())) {
        return Err(Fault::Label);
    }
    Ok(name)
}

/// A tunnel's host: a name, or `*.` and a name.
pub(super) fn canonical_or_wildcard(text: &str) -> Result<String, Fault> {
    match text.strip_prefix("*.") {
        None => canonical(text),
        Some(parent) => {
            let wildcard = format!("*.{}", canonical(parent)?);
            if wildcard.len() > HOST_BYTES_MAX {
                return Err(Fault::TooLong);
            }
            Ok(wildcard)
        }
    }
}

fn is_label(label: &[u8]) -> bool {
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let hyphen = Some(&b'-');
    (1..=63).contains(&label.len())
        && label.iter().all(inner)
        && label.first() != hyphen
        && label.last() != hyphen
}

/// Whether a tunnel of this host could take requests or cookies of the base host (S1.4): it is the base host, a parent
/// of it, or a wildcard above it. A wildcard counts at any depth, so that this does not depend on how deep one reaches.
pub(super) fn reaches_base_host(hostname: &str, base_host: &str) -> bool {
    let parent = hostname.strip_prefix("*.").unwrap_or(hostname);
    let is_above = base_host
        .strip_suffix(parent)
        .is_some_and(|rest| rest.ends_with('.'));
    is_above || hostname == base_host
}

/// Whether a certificate with this name holds for this host of a tunnel (RFC 6125 6.4.3: one label per wildcard).
pub(super) fn certificate_covers(certificate: &str, hostname: &str) -> bool {
    if certificate == hostname {
        return true;
    }
    let Some(parent) = certificate.strip_prefix("*.") else {
        return false;
    };
    hostname
        .split_once('.')
        .is_some_and(|(label, rest)| label != "*" && rest == parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let long_label = "a".repeat(64);
        let long_name = format!("{}.example", vec!["a".repeat(60); 5].join("."));
        for (text, expected) in [
            ("edge.example.com", Ok("edge.example.com")),
            ("Edge.Example.COM.", Ok("edge.example.com")),
            ("localhost", Ok("localhost")),
            ("a-b.xn--bcher-kva.example", Ok("a-b.xn--bcher-kva.example")),
            ("", Err(Fault::Empty)),
            (".", Err(Fault::Empty)),
            ("a..b", Err(Fault::Label)),
            ("a.b..", Err(Fault::Label)),
            ("-a.b", Err(Fault::Label)),
            ("a-.b", Err(Fault::Label)),
            ("a_b.c", Err(Fault::Label)),
            ("a b", Err(Fault::Label)),
            (&long_label, Err(Fault::Label)),
            (&long_name, Err(Fault::TooLong)),
            ("bücher.example", Err(Fault::NotAscii)),
            ("127.0.0.1", Err(Fault::Address)),
            ("[::1]", Err(Fault::Address)),
            ("a.b:443", Err(Fault::SchemeOrPort)),
            ("https://a.b", Err(Fault::SchemeOrPort)),
            ("*.a.b", Err(Fault::Wildcard)),
        ] {
            assert_eq!(canonical(text), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn wildcards_only_in_front() {
        for (text, expected) in [
            ("*.T.example.com", Ok("*.t.example.com")),
            ("t.example.com", Ok("t.example.com")),
            ("*", Err(Fault::Wildcard)),
            ("*.", Err(Fault::Empty)),
            ("*.*.a", Err(Fault::Wildcard)),
            ("a.*.b", Err(Fault::Wildcard)),
            ("a*.b", Err(Fault::Wildcard)),
        ] {
            assert_eq!(
                canonical_or_wildcard(text),
                expected.map(str::to_owned),
                "{text}"
            );
        }
    }

    #[test]
    fn the_base_host_is_out_of_reach() {
        let base = "edge.eu.example.com";
        for (hostname, reaches) in [
            ("edge.eu.example.com", true),
            ("eu.example.com", true),
            ("com", true),
            ("*.eu.example.com", true),
            ("*.example.com", true),
            ("*.edge.eu.example.com", false),
            ("app.edge.eu.example.com", false),
            ("*.t.edge.eu.example.com", false),
            ("ge.eu.example.com", false),
            ("*.u.example.com", false),
            ("other.eu.example.com", false),
        ] {
            assert_eq!(reaches_base_host(hostname, base), reaches, "{hostname}");
        }
    }

    #[test]
    fn certificates() {
        for (certificate, hostname, covers) in [
            ("a.b.c", "a.b.c", true),
            ("*.b.c", "a.b.c", true),
            ("*.b.c", "b.c", false),
            ("*.b.c", "x.a.b.c", false),
            ("*.b.c", "*.b.c", true),
            ("*.c", "*.b.c", false),
            ("a.b.c", "*.b.c", false),
        ] {
            assert_eq!(
                certificate_covers(certificate, hostname),
                covers,
                "{certificate} {hostname}"
            );
        }
    }
}
