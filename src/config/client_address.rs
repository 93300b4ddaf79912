//! `[client_address]`: whose word on a client's address is taken.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::field::{At, Field};
use super::reader::Reader;
use crate::policy::client_address::Trust;

/// `[client_address]`; absent, nobody is believed.
pub(super) fn trust(root: &Reader<'_>) -> Option<Trust> {
    let known = &["proxy_protocol_from", "forwarded_from"];
    let table = root.table_or_empty("client_address", known)?;
    let proxy_protocol_from = networks(&table, "proxy_protocol_from").or(Vec::new());
    let forwarded_from = networks(&table, "forwarded_from").or(Vec::new());
    let plain = |networks: Vec<At<IpNet>>| networks.into_iter().map(|at| at.value).collect();
    Some(Trust {
        proxy_protocol_from: plain(proxy_protocol_from?),
        forwarded_from: plain(forwarded_from?),
    })
}

/// A list of networks, each of them once.
pub(super) fn networks(table: &Reader<'_>, key: &str) -> Field<Vec<At<IpNet>>> {
    let expected = "an address or a network such as \"10.0.0.0/8\"";
    table
        .list(key, expected, |node| parse(node.text()?))
        .then(|list| {
            let mut seen = HashSet::new();
            let mut networks = Vec::new();
            let mut all_good = true;
            for at in &list.value {
                let plain = at.value.trunc();
                if plain != at.value {
                    let message =
                        format!("the address has bits beyond its prefix; write \"{plain}\"");
                    table.findings.error(&at.spot, message);
                    all_good = false;
                }
                if seen.insert(plain) {
                    networks.push(at.clone());
                }
            }
            all_good.then_some(networks)
        })
}

/// A network, or a single address; mapped IPv4 is written as IPv4.
fn parse(text: &str) -> Option<IpNet> {
    let network = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .ok()?;
    match network {
        IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some() => None,
        IpNet::V4(_) | IpNet::V6(_) => Some(network),
    }
}
