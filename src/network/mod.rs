//! The network policy of a tunnel: the addresses and the countries that its clients may come from (rstream 11).
//!
//! Owns: sets of addresses ([`addresses::AddressSet`]), countries ([`country::Country`]), and which country an address is in
//! ([`countries::Countries`]). Comes in: networks as they are configured, the bytes of a MaxMind database, an address.
//! Goes out: yes, or a [`Denial`] with its reason. Everything is compiled when it is loaded, so that the data path does a
//! binary search or two and nothing else: no lock, no allocation, no byte of a database.
//!
//! Invariant: where a list is set, what is not known to be in it is denied. An IPv4 address in an IPv6 one (mapped,
//! RFC 4291 2.5.5.2) is that IPv4 address, and in no network of IPv6.

pub mod addresses;
pub mod countries;
pub mod country;

use std::net::IpAddr;
use std::sync::Arc;

use addresses::AddressSet;
use countries::Countries;
use country::CountrySet;

/// Where the clients of a tunnel may come from. The default: anywhere.
#[derive(Clone, Debug, Default)]
pub struct NetworkPolicy {
    /// `None`: any address.
    pub trusted: Option<Arc<AddressSet>>,
    /// `None`: any country.
    pub countries: Option<CountrySet>,
}

/// Why a client may not come from where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Nobody knows its address, and there is a list.
    AddressUnknown,
    AddressNotTrusted,
    /// There is no database, or it has no country for the address.
    CountryUnknown,
    CountryNotAllowed,
}

impl Denial {
    /// The stable word in the log and in metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Denial::AddressUnknown => "address_unknown",
            Denial::AddressNotTrusted => "address_not_trusted",
            Denial::CountryUnknown => "country_unknown",
            Denial::CountryNotAllowed => "country_not_allowed",
        }
    }
}

impl NetworkPolicy {
    /// Whether anything is asked of where a client comes from.
    pub fn is_open(&self) -> bool {
        self.trusted.is_none() && self.countries.is_none()
    }

    /// Whether this client may come: its address first, then its country (rstream 11.3). `None`: its address is unknown.
    pub fn admit(
        &self,
        client: Option<IpAddr>,
        countries: Option<&Countries>,
    ) -> Result<(), Denial> {
        if self.is_open() {
            return Ok(());
        }
        let client = client.ok_or(Denial::AddressUnknown)?;
        if let Some(trusted) = &self.trusted
            && !trusted.contains(client)
        {
            return Err(Denial::AddressNotTrusted);
        }
        let Some(allowed) = &self.countries else {
            return Ok(());
        };
        let country = countries.and_then(|countries| countries.find(client));
        match country {
            None => Err(Denial::CountryUnknown),
            Some(country) if allowed.contains(country) => Ok(()),
            Some(_) => Err(Denial::CountryNotAllowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::country::Country;

    fn address(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn a_list_denies_what_is_not_known_to_be_in_it() {
        let networks = ["10.0.0.0/8".parse().unwrap()];
        let trusted = Some(Arc::new(AddressSet::new(&networks)));
        let german = Country::parse("DE").unwrap();
        let countries = Some([german].into_iter().collect());
        let open = NetworkPolicy::default();
        let by_address = NetworkPolicy {
            trusted,
            ..NetworkPolicy::default()
        };
        let by_country = NetworkPolicy {
            countries,
            ..NetworkPolicy::default()
        };
        assert_eq!(open.admit(None, None), Ok(()));
        for (policy, client, verdict) in [
            (&by_address, "10.0.0.1", Ok(())),
            (&by_address, "::ffff:10.0.0.1", Ok(())),
            (&by_address, "11.0.0.1", Err(Denial::AddressNotTrusted)),
            (&by_address, "unknown", Err(Denial::AddressUnknown)),
            (&by_country, "unknown", Err(Denial::AddressUnknown)),
            // Without a database nobody's country is known.
            (&by_country, "10.0.0.1", Err(Denial::CountryUnknown)),
        ] {
            assert_eq!(policy.admit(address(client), None), verdict, "{client}");
        }
    }
}
