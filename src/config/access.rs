//! What a `[[project]]` or a `[[tunnel]]` asks of clients before any proof: `trusted_ips`, `geoip`, `tls_min_version`
//! (rstream 11).
//!
//! Refuses: networks with bits beyond their prefix, codes that are no country's, a list of countries where nobody knows in
//! which one an address is.

use ipnet::IpNet;

use super::client_address::networks;
use super::field::{At, Field};
use super::geoip;
use super::reader::Reader;
use super::settings::{Geoip, TlsVersion};
use super::written::quoted;
use crate::network::country::Country;

/// What one table says, with its places. A list that is empty is none.
pub(super) struct Written {
    pub(super) trusted_ips: Option<At<Vec<At<IpNet>>>>,
    pub(super) geoip: Option<At<Vec<At<Country>>>>,
    pub(super) tls_min_version: Option<At<TlsVersion>>,
}

/// Reads a project or a tunnel.
pub(super) fn read(table: &Reader<'_>, database: &Field<Geoip>) -> Option<Written> {
    let trusted_ips = networks(table, "trusted_ips").optional();
    let geoip = countries(table, database).optional();
    let versions = [("tls1.2", TlsVersion::Tls12), ("tls1.3", TlsVersion::Tls13)];
    let tls_min_version = table.word("tls_min_version", &versions).optional();
    Some(Written {
        trusted_ips: trusted_ips?.filter(|at| !at.value.is_empty()),
        geoip: geoip?.filter(|at| !at.value.is_empty()),
        tls_min_version: tls_min_version?,
    })
}

fn countries(table: &Reader<'_>, database: &Field<Geoip>) -> Field<Vec<At<Country>>> {
    let expected = "a country as two upper-case letters of ISO 3166-1, such as \"DE\"";
    let list = table.list("geoip", expected, |node| Some(node.text()?.to_owned()));
    list.then(|list| {
        let mut countries: Vec<At<Country>> = Vec::new();
        let mut all_good = true;
        for at in &list.value {
            let Some(country) = Country::parse(&at.value) else {
                let found = quoted(&at.value);
                let cure = cure(&at.value);
                let message = format!("expected {expected}, found {found}{cure}");
                table.findings.error(&at.spot, message);
                all_good = false;
                continue;
            };
            if !countries.iter().any(|known| known.value == country) {
                let spot = at.spot.clone();
                countries.push(At {
                    value: country,
                    spot,
                });
            }
        }
        all_good &= countries.is_empty() || can_be_found(table, &countries, database);
        all_good.then_some(countries)
    })
}

/// What is most likely meant by a code that is none.
fn cure(code: &str) -> String {
    let upper = code.to_ascii_uppercase();
    let meant = match upper.as_str() {
        "UK" => "GB",
        "EL" => "GR",
        other => other,
    };
    match Country::parse(meant) {
        Some(meant) => format!("; write \"{}\"", meant.as_str()),
        None => String::new(),
    }
}

/// Whether anybody knows which country an address is in.
fn can_be_found(table: &Reader<'_>, countries: &[At<Country>], database: &Field<Geoip>) -> bool {
    let at = match database {
        Field::Good(at) => at,
        Field::Bad => return true,
        Field::Absent(_) => {
            let message = format!(
                "nobody could pass without a database that knows the country of an address: add [geoip] with {}",
                geoip::EXAMPLE
            );
            table.findings.error(&table.spot_of("geoip"), message);
            return false;
        }
    };
    for country in countries {
        if !at.value.countries.knows(country.value) {
            let message = format!(
                "no address is in {:?} by the database of [geoip]",
                country.value
            );
            table.findings.warn(&country.spot, message);
        }
    }
    true
}
