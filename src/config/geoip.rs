//! `[geoip]`: the database that says which country an address is in.
//!
//! Refuses a file that is no such database or is damaged anywhere: a guard that cannot look would have to let everybody in,
//! or nobody.

use std::sync::Arc;

use super::field::Field;
use super::files::{self, Purpose};
use super::reader::Reader;
use super::settings::Geoip;
use crate::network::countries::Countries;

pub(super) const EXAMPLE: &str = "database = \"/var/lib/GeoIP/GeoLite2-Country.mmdb\"";

pub(super) fn geoip(root: &Reader<'_>) -> Field<Geoip> {
    root.table("geoip", &["database"]).then(|at| {
        let table = &at.value;
        let findings = table.findings;
        let file = table.file("database").required(findings, EXAMPLE)?;
        let path = file.value;
        findings.sources.borrow_mut().add_file(&path);
        let error = |message: String| findings.error(&file.spot, message);
        let contents = match files::read(&path, Purpose::Database) {
            Ok(contents) => contents,
            Err(fault) => {
                error(fault.message(&path, Purpose::Database));
                return None;
            }
        };
        match Countries::read(&contents.bytes) {
            Ok(countries) => Some(Geoip {
                database: path,
                countries: Arc::new(countries),
            }),
            Err(fault) => {
                error(format!("{}: {fault}", path.display()));
                None
            }
        }
    })
}
