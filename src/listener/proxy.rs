//! The PROXY protocol, version 2: what a balancer says about its client before the client's first byte (S7).
//!
//! Comes in: the first 16 bytes, then as many as they announce. Goes out: whose connection it is. Read exactly: nothing
//! behind the preamble is touched, since that may be a TLS handshake. Refuses version 1, datagrams, and whatever does
//! not fill its announced length. Extensions (TLVs) must be well formed and are not interpreted; their checksum protects
//! against nothing that TCP does not.

use std::net::IpAddr;

use crate::limits::PROXY_BYTES_MAX;

/// What a preamble begins with.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes up to and with the length of the rest.
pub const PREFIX_BYTES: usize = 16;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Address(IpAddr),
    /// The balancer's own, such as a health check.
    Local,
    /// The balancer does not say, or it is a Unix socket's.
    Unknown,
}

/// Not a preamble that all readers would read alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The first bytes of a preamble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    family: Family,
    /// Bytes that follow; at most [`PROXY_BYTES_MAX`].
    pub length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// The command is LOCAL: the rest says nothing.
    Local,
    Unspecified,
    V4,
    V6,
    Unix,
}

impl Family {
    /// Bytes of the two addresses and ports.
    fn address_bytes(self) -> usize {
        match self {
            Family::Local | Family::Unspecified => 0,
            Family::V4 => 12,
            Family::V6 => 36,
            Family::Unix => 216,
        }
    }
}

impl Prefix {
    /// Reads the first [`PREFIX_BYTES`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Prefix, Malformed> {
        let [rest @ .., command, family, high, low] = bytes else {
            return Err(Malformed);
        };
        if rest != SIGNATURE {
            return Err(Malformed);
        }
        let family = match (command, family) {
            // A receiver takes LOCAL with any family.
            (0x20, _) => Family::Local,
            (0x21, 0x00) => Family::Unspecified,
            (0x21, 0x11) => Family::V4,
            (0x21, 0x21) => Family::V6,
            (0x21, 0x31) => Family::Unix,
            _ => return Err(Malformed),
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length < family.address_bytes() || length > PROXY_BYTES_MAX {
            return Err(Malformed);
        }
        Ok(Prefix { family, length })
    }

    /// Reads the `length` bytes that follow.
    pub fn source(self, rest: &[u8]) -> Result<Source, Malformed> {
        if rest.len() != self.length {
            return Err(Malformed);
        }
        let (addresses, extensions) = rest
            .split_at_checked(self.family.address_bytes())
            .ok_or(Malformed)?;
        let source = match self.family {
            Family::Local => return Ok(Source::Local),
            // An unknown family's addresses have no known length, so nothing behind them can be checked.
            Family::Unspecified => return Ok(Source::Unknown),
            Family::Unix => Source::Unknown,
            Family::V4 => Source::Address(IpAddr::from(
                *addresses.first_chunk::<4>().ok_or(Malformed)?,
            )),
            Family::V6 => Source::Address(
                IpAddr::from(*addresses.first_chunk::<16>().ok_or(Malformed)?).to_canonical(),
            ),
        };
        check_extensions(extensions)?;
        Ok(source)
    }
}

/// Type, length, value, again and again, to the last byte.
fn check_extensions(mut bytes: &[u8]) -> Result<(), Malformed> {
    while !bytes.is_empty() {
        let [_, high, low, rest @ ..] = bytes else {
            return Err(Malformed);
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        bytes = rest.get(length..).ok_or(Malformed)?;
    }
    Ok(())
}

/// Any bytes: what is taken for a preamble says the same when it is written anew, and every byte of it counts.
pub fn fuzz_proxy(bytes: &[u8]) {
    let Some((prefix, rest)) = bytes.split_at_checked(PREFIX_BYTES) else {
        assert!(Prefix::parse(bytes).is_err());
        return;
    };
    let Ok(prefix) = Prefix::parse(prefix) else {
        return;
    };
    assert!(prefix.length <= PROXY_BYTES_MAX);
    let Some(rest) = rest.get(..prefix.length) else {
        return;
    };
    let Ok(source) = prefix.source(rest) else {
        return;
    };
    assert!(rest.is_empty() || prefix.source(rest.get(1..).unwrap_or_default()).is_err());
    let Source::Address(address) = source else {
        return;
    };
    let (family, mut addresses) = match address {
        IpAddr::V4(address) => (0x11, address.octets().to_vec()),
        IpAddr::V6(address) => (0x21, address.octets().to_vec()),
    };
    addresses.resize(addresses.len() * 2 + 4, 0);
    let mut anew = SIGNATURE.to_vec();
    anew.extend([0x21, family, 0, addresses.len() as u8]);
    let again = Prefix::parse(&anew).and_then(|prefix| prefix.source(&addresses));
    assert_eq!(again, Ok(source));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(command: u8, family: u8, rest: &[u8]) -> Result<Source, Malformed> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend((rest.len() as u16).to_be_bytes());
        fuzz_proxy(&[&bytes, rest].concat());
        Prefix::parse(&bytes)?.source(rest)
    }

    fn v4(more: &[u8]) -> Vec<u8> {
        [&[192, 0, 2, 7, 10, 0, 0, 1, 1, 2, 3, 4], more].concat()
    }

    fn v6(address: &str) -> Vec<u8> {
        let address: std::net::Ipv6Addr = address.parse().unwrap();
        [&address.octets()[..], &[0; 20]].concat()
    }

    #[test]
    fn addresses_are_read_and_mapped_ones_are_ipv4() {
        let is = |text: &str| Ok(Source::Address(text.parse().unwrap()));
        assert_eq!(parse(0x21, 0x11, &v4(b"")), is("192.0.2.7"));
        assert_eq!(parse(0x21, 0x21, &v6("2001:db8::7")), is("2001:db8::7"));
        assert_eq!(parse(0x21, 0x21, &v6("::ffff:192.0.2.7")), is("192.0.2.7"));
        assert_eq!(parse(0x20, 0x11, &v4(b"")), Ok(Source::Local));
        assert_eq!(parse(0x20, 0x00, b""), Ok(Source::Local));
        assert_eq!(parse(0x21, 0x00, b"anything"), Ok(Source::Unknown));
        assert_eq!(parse(0x21, 0x31, &[0; 216]), Ok(Source::Unknown));
    }

    #[test]
    fn extensions_are_whole_or_the_preamble_is_refused() {
        assert!(parse(0x21, 0x11, &v4(&[4, 0, 0, 3, 0, 2, 7, 7])).is_ok());
        for bad in [&[4][..], &[4, 0], &[4, 0, 1], &[4, 0, 0, 3, 0, 2, 7]] {
            assert_eq!(parse(0x21, 0x11, &v4(bad)), Err(Malformed), "{bad:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        // Version 1 and 3, an unknown command, datagrams, families without a transport, unknown families.
        for (command, family) in [
            (0x11, 0x11),
            (0x31, 0x11),
            (0x22, 0x11),
            (0x21, 0x12),
            (0x21, 0x22),
            (0x21, 0x10),
            (0x21, 0x01),
            (0x21, 0x41),
        ] {
            assert_eq!(parse(command, family, &[0; 216]), Err(Malformed));
        }
        assert_eq!(parse(0x21, 0x11, &v4(b"")[..11]), Err(Malformed));
        assert_eq!(parse(0x21, 0x21, &v4(b"")), Err(Malformed));
        assert_eq!(parse(0x21, 0x31, &[0; 215]), Err(Malformed));
        assert!(parse(0x21, 0x00, &[0; PROXY_BYTES_MAX]).is_ok());
        assert_eq!(parse(0x21, 0x00, &[0; PROXY_BYTES_MAX + 1]), Err(Malformed));
        assert!(Prefix::parse(b"PROXY TCP4 192.0").is_err());
        assert!(Prefix::parse(b"").is_err());
    }
}
