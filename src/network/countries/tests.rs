use maxminddb_writer::Database;
use maxminddb_writer::metadata::IpVersion;
use maxminddb_writer::paths::IpAddrWithMask;
use serde_json::{Value, json};

use super::*;

/// A database with these records.
fn database(version: IpVersion, records: &[(&str, Value)]) -> Vec<u8> {
    let mut database = Database::default();
    database.metadata.ip_version = version;
    database.metadata.database_type = "Test-Country".to_owned();
    database.metadata.binary_format_major_version = 2;
    database.metadata.build_epoch = 1_700_000_000;
    for (network, record) in records {
        let record = database.insert_value(record).unwrap();
        database.insert_node(network.parse::<IpAddrWithMask>().unwrap(), record);
    }
    database.write_to(Vec::new()).unwrap()
}

/// A database of both families with these networks; IPv4 lies below `::/96`.
pub(crate) fn sample(networks: &[(&str, &str)]) -> Vec<u8> {
    let records = networks.iter();
    let records: Vec<_> = records
        .map(|(network, code)| (*network, country(code)))
        .collect();
    database(IpVersion::V6, &records)
}

fn country(code: &str) -> Value {
    json!({ "continent": { "code": "EU" }, "country": { "iso_code": code, "names": { "en": code } } })
}

fn found(countries: &Countries, address: &str) -> String {
    let country = countries.find(address.parse().unwrap());
    country.map_or_else(String::new, |country| country.as_str().to_owned())
}

#[test]
fn networks_of_both_families_have_their_countries() {
    let bytes = database(
        IpVersion::V6,
        &[
            // IPv4 lies below ::/96.
            ("::192.0.2.0/120", country("DE")),
            ("::192.0.3.0/120", country("DE")),
            ("::198.51.100.0/121", country("FR")),
            ("::255.255.255.255/128", country("NZ")),
            ("2001:db8::/32", country("FR")),
            (
                "2001:db9::/48",
                json!({ "registered_country": { "iso_code": "FR" } }),
            ),
            ("2001:dba::/48", country("de")),
            ("ff00::/8", country("US")),
        ],
    );
    let countries = Countries::read(&bytes).unwrap();
    for (address, expected) in [
        ("192.0.1.255", ""),
        ("192.0.2.0", "DE"),
        ("192.0.3.255", "DE"),
        ("192.0.4.0", ""),
        ("::ffff:192.0.2.1", "DE"),
        ("198.51.100.127", "FR"),
        ("198.51.100.128", ""),
        ("255.255.255.254", ""),
        ("255.255.255.255", "NZ"),
        ("0.0.0.0", ""),
        ("2001:db7:ffff::", ""),
        ("2001:db8::", "FR"),
        ("2001:db8:ffff::1", "FR"),
        // Where it is registered is not where it is, and a code has two upper-case letters.
        ("2001:db9::1", ""),
        ("2001:dba::1", ""),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "US"),
        // Not the IPv4 address that it ends in.
        ("2002:c000:201::", ""),
    ] {
        assert_eq!(found(&countries, address), expected, "{address}");
    }
    assert!(countries.knows(Country::parse("NZ").unwrap()));
    assert!(!countries.knows(Country::parse("GB").unwrap()));
    assert_eq!(countries.built_at, 1_700_000_000);
}

#[test]
fn a_database_of_ipv4_alone_and_one_that_is_one_record() {
    let v4 = database(
        IpVersion::V4,
        &[
            ("0.0.0.0/1", country("AR")),
            ("192.0.2.0/24", country("DE")),
        ],
    );
    let countries = Countries::read(&v4).unwrap();
    assert_eq!(found(&countries, "127.255.255.255"), "AR");
    assert_eq!(found(&countries, "128.0.0.0"), "");
    assert_eq!(found(&countries, "192.0.2.255"), "DE");
    assert_eq!(found(&countries, "2001:db8::1"), "");
    let all = database(IpVersion::V6, &[("::/0", country("JP"))]);
    let countries = Countries::read(&all).unwrap();
    for address in ["0.0.0.0", "255.255.255.255", "::", "2001:db8::1"] {
        assert_eq!(found(&countries, address), "JP", "{address}");
    }
}

#[test]
fn what_is_no_database_of_countries_is_refused() {
    let no_country = database(
        IpVersion::V4,
        &[("10.0.0.0/8", json!({ "autonomous_system_number": 64496 }))],
    );
    assert_eq!(
        Countries::read(&no_country).unwrap_err(),
        DatabaseError::NoCountry
    );
    let other = database(IpVersion::V4, &[("10.0.0.0/8", json!({ "country": "DE" }))]);
    assert!(matches!(
        Countries::read(&other).unwrap_err(),
        DatabaseError::Damaged(_)
    ));
    for bytes in [&b""[..], b"no database", &[0; 4096]] {
        assert!(matches!(
            Countries::read(bytes).unwrap_err(),
            DatabaseError::Damaged(_)
        ));
    }
}

/// Cut off or overwritten anywhere, a database is refused or read: never more than that.
#[test]
fn damage_is_found_or_does_no_harm() {
    let bytes = database(
        IpVersion::V6,
        &[
            ("::192.0.2.0/120", country("DE")),
            ("2001:db8::/32", country("FR")),
        ],
    );
    for end in 0..bytes.len() {
        assert!(Countries::read(&bytes[..end]).is_err(), "cut at {end}");
    }
    for at in 0..bytes.len() {
        for byte in [0, 1, 0x7f, 0xff, bytes[at] ^ 0x20] {
            let mut damaged = bytes.clone();
            damaged[at] = byte;
            if let Ok(countries) = Countries::read(&damaged) {
                let _ = found(&countries, "192.0.2.1");
            }
        }
    }
}
