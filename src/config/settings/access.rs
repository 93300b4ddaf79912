//! Projects and access policies: what is asked of clients before any proof (rstream 11).

use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;

use crate::network::addresses::AddressSet;
use crate::network::countries::Countries;
use crate::network::country::Country;

/// `[geoip]`: which country an address is in.
#[derive(Clone, Debug)]
pub struct Geoip {
    pub database: PathBuf,
    pub countries: Arc<Countries>,
}

#[derive(Debug)]
pub struct Project {
    pub id: String,
    pub workspace: String,
    pub public_access: PublicAccess,
    /// The bounds of its tunnels.
    pub access: Access,
}

/// Whether the tunnels of a project may be open to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicAccess {
    Allowed,
    /// Every tunnel asks for a token, a session or a certificate.
    AuthRequired,
    /// There is no tunnel.
    Forbidden,
}

/// Where clients may come from, and what TLS they must speak. Of a tunnel: within the bounds of its project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `None`: any address.
    pub trusted_ips: Option<Arc<TrustedIps>>,
    /// Empty: any country. Otherwise there is [`Geoip`].
    pub geoip: Arc<[Country]>,
    /// TLS 1.2: whatever the listener asks for.
    pub tls_min_version: TlsVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

impl TlsVersion {
    pub fn as_str(self) -> &'static str {
        match self {
            TlsVersion::Tls12 => "tls1.2",
            TlsVersion::Tls13 => "tls1.3",
        }
    }
}

/// A list of addresses, compiled once: all cores read it, and the tunnels that have it from their project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIps {
    /// In the order written; never empty.
    pub networks: Vec<IpNet>,
    /// The same in letters.
    pub texts: Arc<[String]>,
    pub set: Arc<AddressSet>,
}

impl TrustedIps {
    /// `None`: the list is empty, which is any address.
    pub fn new(networks: Vec<IpNet>) -> Option<Arc<Self>> {
        if networks.is_empty() {
            return None;
        }
        Some(Arc::new(TrustedIps {
            texts: networks.iter().map(IpNet::to_string).collect(),
            set: Arc::new(AddressSet::new(&networks)),
            networks,
        }))
    }
}
