//! `[client_address]`: whose word on a client's address is taken.

use std::net::IpAddr;

use ipnet::IpNet;

use super::reader::Reader;
use crate::policy::client_address::Trust;

/// `[client_address]`; absent, nobody is believed.
pub(super) fn trust(root: &Reader<'_>) -> Option<Trust> {
    let known = &["proxy_protocol_from", "forwarded_from"];
    let table = root.table_or_empty("client_address", known)?;
    let proxy_protocol_from = networks(&table, "proxy_protocol_from");
    let forwarded_from = networks(&table, "forwarded_from");
    Some(Trust {
        proxy_protocol_from: proxy_protocol_from?,
        forwarded_from: forwarded_from?,
    })
}

fn networks(table: &Reader<'_>, key: &str) -> Option<Vec<IpNet>> {
    let expected = "an address or a network such as \"10.0.0.0/8\"";
    let written = table.list(key, expected, |node| parse(node.text()?));
    let mut networks = Vec::new();
    let mut all_good = true;
    for at in written.or(Vec::new())? {
        let network = at.value;
        let plain = network.trunc();
        if plain != network {
            let message = format!("the address has bits beyond its prefix; write \"{plain}\"");
            table.findings.error(&at.spot, message);
            all_good = false;
        }
        if !networks.contains(&plain) {
            networks.push(plain);
        }
    }
    all_good.then_some(networks)
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
