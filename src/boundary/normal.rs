//! One spelling for list entries, used for a tunnel's properties and for the filters that ask for them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `address/prefix` with the host bits cleared; a lone address is its longest prefix. `None`: not a network.
pub fn network(entry: &str) -> Option<String> {
    let (address, prefix) = match entry.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (entry, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    if prefix > longest {
        return None;
    }
    let host_bits = longest - prefix;
    let network: IpAddr = match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    };
    Some(format!("{network}/{prefix}"))
}

/// An ISO 3166-1 alpha-2 code in upper case. `None`: not two letters.
pub fn country(entry: &str) -> Option<String> {
    (entry.len() == 2 && entry.bytes().all(|byte| byte.is_ascii_alphabetic()))
        .then(|| entry.to_ascii_uppercase())
}
