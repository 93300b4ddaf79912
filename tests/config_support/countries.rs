//! Databases of countries, written as their makers write them.

use maxminddb_writer::Database;
use maxminddb_writer::metadata::IpVersion;
use maxminddb_writer::paths::IpAddrWithMask;
use serde_json::json;

/// A database with these networks of IPv6; those of IPv4 lie below `::/96`.
pub fn database(networks: &[(&str, &str)]) -> Vec<u8> {
    let mut database = Database::default();
    database.metadata.ip_version = IpVersion::V6;
    database.metadata.database_type = "Test-Country".to_owned();
    database.metadata.binary_format_major_version = 2;
    database.metadata.build_epoch = 1_700_000_000;
    for (network, code) in networks {
        let record = json!({ "country": { "iso_code": code, "names": { "en": code } } });
        let record = database.insert_value(record).unwrap();
        database.insert_node(network.parse::<IpAddrWithMask>().unwrap(), record);
    }
    database.write_to(Vec::new()).unwrap()
}
