//! Which country an address is in, by a MaxMind database.
//!
//! A database is walked once, when it is loaded, and every record of it is read then: what is damaged is found before
//! anything is judged by it. What remains is where each run of addresses of one country begins. The field that counts is
//! `country.iso_code`, where an address is; `registered_country`, in whose name a network is registered, is not looked at,
//! and neither is what a database says of the IPv4 address in an address of 6to4 or Teredo.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use maxminddb::{LookupResult, MaxMindDbError, Reader, WithinOptions, path};

use super::country::{Country, CountrySet};

/// The countries of all addresses. Immutable: all cores read the same one.
pub struct Countries {
    v4: Runs<u32>,
    v6: Runs<u128>,
    known: CountrySet,
    /// When the database was made, in seconds since the Unix epoch.
    pub built_at: u64,
}

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Countries")
            .field("built_at", &self.built_at)
            .field("runs", &(self.v4.starts.len() + self.v6.starts.len()))
            .finish_non_exhaustive()
    }
}

/// Why a file is no database of countries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseError {
    /// What the reader said: it is no database, or it is damaged.
    Damaged(String),
    /// Its tree has more ends than its size allows, or they are out of order.
    Tree,
    /// No record has a `country.iso_code`.
    NoCountry,
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseError::Damaged(what) => write!(f, "no MaxMind database, or damaged: {what}"),
            DatabaseError::Tree => f.write_str("damaged: its tree has no order"),
            DatabaseError::NoCountry => f.write_str(
                "no record in it has country.iso_code: use one such as GeoLite2-Country",
            ),
        }
    }
}

impl From<MaxMindDbError> for DatabaseError {
    fn from(error: MaxMindDbError) -> Self {
        let said = error.to_string();
        let said = said.strip_prefix("invalid database: ").unwrap_or(&said);
        DatabaseError::Damaged(said.to_owned())
    }
}

/// Runs of numbers with one country each: where each begins, in ascending order, up to where the next one does.
#[derive(Default)]
struct Runs<T> {
    starts: Vec<T>,
    /// Of the run with the same index; `None`: no country.
    countries: Vec<Option<Country>>,
    /// Where the next network may begin. `None` in a list with runs: nothing is left.
    free: Option<T>,
}

impl<T: Copy + Ord + Default> Runs<T> {
    /// Adds the network from `first` to just before `end`; `None`: to the last number.
    fn push(
        &mut self,
        first: T,
        end: Option<T>,
        country: Option<Country>,
    ) -> Result<(), DatabaseError> {
        let free = match self.free {
            None if self.starts.is_empty() => T::default(),
            Some(free) if free <= first => free,
            Some(_) | None => return Err(DatabaseError::Tree),
        };
        if free < first {
            self.begin(free, None);
        }
        self.begin(first, country);
        self.free = end;
        Ok(())
    }

    fn begin(&mut self, start: T, country: Option<Country>) {
        if self.countries.last() != Some(&country) {
            self.starts.push(start);
            self.countries.push(country);
        }
    }

    fn finish(&mut self) {
        if let Some(free) = self.free {
            self.begin(free, None);
        }
        self.starts.shrink_to_fit();
        self.countries.shrink_to_fit();
    }

    fn find(&self, number: T) -> Option<Country> {
        let behind = self.starts.partition_point(|start| *start <= number);
        *self.countries.get(behind.checked_sub(1)?)?
    }
}

impl Countries {
    /// Reads a whole database. Takes a second or so for the largest.
    pub fn read(database: &[u8]) -> Result<Self, DatabaseError> {
        let reader = Reader::from_source(database)?;
        let metadata = reader.metadata();
        // A tree has one end more than it has forks.
        let networks_max = u64::from(metadata.node_count) + 1;
        let mut found = Countries {
            v4: Runs::default(),
            v6: Runs::default(),
            known: CountrySet::default(),
            built_at: metadata.build_epoch,
        };
        let mut records = HashMap::new();
        let mut networks = 0;
        for network in reader.networks(WithinOptions::default())? {
            let network = network?;
            networks += 1;
            if networks > networks_max {
                return Err(DatabaseError::Tree);
            }
            let country = country_of(&network, &mut records)?;
            if let Some(country) = country {
                found.known.insert(country);
            }
            found.push(&network, country)?;
        }
        found.v4.finish();
        found.v6.finish();
        if found.known.is_empty() {
            return Err(DatabaseError::NoCountry);
        }
        Ok(found)
    }

    fn push(
        &mut self,
        found: &LookupResult<'_, &[u8]>,
        country: Option<Country>,
    ) -> Result<(), DatabaseError> {
        let network = found.network()?;
        match (network.network(), network.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let end = last.to_bits().checked_add(1);
                self.v4.push(first.to_bits(), end, country)
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                // IPv4 addresses stand below ::/96, and in a network that lies over all of that.
                let (first, last) = (first.to_bits(), last.to_bits());
                if first == 0 && last >= u128::from(u32::MAX) {
                    self.v4.push(0, None, country)?;
                }
                self.v6.push(first, last.checked_add(1), country)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                Err(DatabaseError::Tree)
            }
        }
    }

    /// The country of an address, where the database has one.
    pub fn find(&self, address: IpAddr) -> Option<Country> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.find(address.to_bits()),
            IpAddr::V6(address) => self.v6.find(address.to_bits()),
        }
    }

    /// Whether any address is in this country.
    pub fn knows(&self, country: Country) -> bool {
        self.known.contains(country)
    }
}

/// The country of a record. Many networks share one; `records` has what was read so far.
fn country_of(
    found: &LookupResult<'_, &[u8]>,
    records: &mut HashMap<usize, Option<Country>>,
) -> Result<Option<Country>, DatabaseError> {
    let Some(offset) = found.offset() else {
        return Ok(None);
    };
    if let Some(known) = records.get(&offset) {
        return Ok(*known);
    }
    let code: Option<&str> = found.decode_path(&path!["country", "iso_code"])?;
    let country = code.and_then(Country::of_letters);
    records.insert(offset, country);
    Ok(country)
}

#[cfg(test)]
pub(crate) mod tests;
