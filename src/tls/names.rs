//! Server names and the TLS configuration of each.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::client_auth::AnyCertificate;
use super::suites::{SUITES, SuiteOrder};

/// What all cores and all configurations of one process share, so that a client may resume on any core and after any
/// reload.
#[derive(Clone, Debug)]
pub struct TicketKeys(Arc<dyn ProducesTickets>);

impl TicketKeys {
    /// Makes new keys; they rotate by themselves every six hours and are accepted for twice that.
    pub fn generate() -> Result<Self, rustls::Error> {
        Ok(TicketKeys(rustls::crypto::ring::Ticketer::new()?))
    }
}

/// A certificate with its key and the names it is for.
#[derive(Debug)]
pub struct Identity<'a> {
    /// Leaf first.
    pub chain: &'a [CertificateDer<'static>],
    pub key: &'a PrivateKeyDer<'static>,
    /// Lower case; a wildcard is `*.` and a parent.
    pub names: &'a [String],
}

/// Finds the rules of a server name: exact names before wildcards, the first certificate where the client names nobody.
#[derive(Debug)]
pub struct ServerNames {
    exact: HashMap<Box<str>, Arc<NameRules>>,
    /// By parent: `t.example.com` for `*.t.example.com`.
    wildcard: HashMap<Box<str>, Arc<NameRules>>,
    first: Arc<NameRules>,
}

/// What is asked of the client in a handshake for a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// A certificate, or the word that there is none; and no session is resumed (S6.1).
    pub certificate: bool,
    /// TLS 1.3: an older client gets the alert `protocol_version`.
    pub tls13: bool,
}

/// The TLS rules of a certificate of ours: one configuration for each combination of demands and order of suites.
#[derive(Debug)]
pub struct NameRules {
    plain: Versions,
    /// Asks for a client certificate.
    asking: Versions,
}

#[derive(Debug)]
struct Versions {
    all: Orders,
    tls13: Orders,
}

#[derive(Debug)]
struct Orders {
    edge: Arc<ServerConfig>,
    client: Arc<ServerConfig>,
}

impl ServerNames {
    /// Builds the table. A name that several certificates have belongs to the first of them.
    ///
    /// Fails where a key does not fit its certificate, or where `identities` is empty.
    pub fn new(identities: &[Identity<'_>], tickets: &TicketKeys) -> Result<Self, rustls::Error> {
        let mut exact = HashMap::new();
        let mut wildcard = HashMap::new();
        let mut first = None;
        for identity in identities {
            let config = Arc::new(NameRules::new(identity, tickets)?);
            first.get_or_insert_with(|| config.clone());
            for name in identity.names {
                match name.strip_prefix("*.") {
                    Some(parent) => wildcard
                        .entry(parent.into())
                        .or_insert_with(|| config.clone()),
                    None => exact
                        .entry(name.as_str().into())
                        .or_insert_with(|| config.clone()),
                };
            }
        }
        let first = first.ok_or_else(|| rustls::Error::General("no certificate".to_owned()))?;
        Ok(ServerNames {
            exact,
            wildcard,
            first,
        })
    }

    /// The rules for a name in lower case; `None` where no certificate is for it. A wildcard stands for exactly
    /// one label (RFC 6125 6.4.3).
    pub fn find(&self, name: Option<&str>) -> Option<&Arc<NameRules>> {
        let Some(name) = name else {
            return Some(&self.first);
        };
        self.exact.get(name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.wildcard.get(parent)
        })
    }
}

impl NameRules {
    /// The configuration that makes these demands and chooses the suite in this order.
    pub fn config(&self, demands: Demands, order: SuiteOrder) -> &Arc<ServerConfig> {
        let versions = if demands.certificate {
            &self.asking
        } else {
            &self.plain
        };
        let orders = if demands.tls13 {
            &versions.tls13
        } else {
            &versions.all
        };
        match order {
            SuiteOrder::Edge => &orders.edge,
            SuiteOrder::Client => &orders.client,
        }
    }

    fn new(identity: &Identity<'_>, tickets: &TicketKeys) -> Result<Self, rustls::Error> {
        let provider = Arc::new(CryptoProvider {
            cipher_suites: SUITES.to_vec(),
            ..rustls::crypto::ring::default_provider()
        });
        let key = identity.key.clone_key();
        let ours = CertifiedKey::from_der(identity.chain.to_vec(), key, &provider)?;
        let ours = Arc::new(SingleCertAndKey::from(ours));
        let config = |asks: bool, versions: &[&'static SupportedProtocolVersion]| {
            let builder = ServerConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(versions)?;
            let builder = if asks {
                builder.with_client_cert_verifier(AnyCertificate::new())
            } else {
                builder.with_no_client_auth()
            };
            let mut config = builder.with_cert_resolver(ours.clone());
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.max_early_data_size = 0;
            config.send_tls13_tickets = 0;
            if !asks {
                config.ticketer = tickets.0.clone();
                config.send_tls13_tickets = 1;
            }
            let client = Arc::new(config.clone());
            config.ignore_client_order = true;
            let edge = Arc::new(config);
            Ok::<_, rustls::Error>(Orders { edge, client })
        };
        let versions = |asks: bool| {
            Ok::<_, rustls::Error>(Versions {
                all: config(asks, &[&TLS13, &TLS12])?,
                tls13: config(asks, &[&TLS13])?,
            })
        };
        Ok(NameRules {
            plain: versions(false)?,
            asking: versions(true)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(
        names: &[&str],
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>, Vec<String>) {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let made = rcgen::generate_simple_self_signed(names.clone()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        (made.cert.der().clone(), key, names)
    }

    #[test]
    fn exact_before_wildcard_and_one_label_only() {
        let made = [
            certificate(&["*.t.example.com"]),
            certificate(&["a.t.example.com", "example.org"]),
        ];
        let identities: Vec<_> = made
            .iter()
            .map(|(der, key, names)| Identity {
                chain: std::slice::from_ref(der),
                key,
                names,
            })
            .collect();
        let names = ServerNames::new(&identities, &TicketKeys::generate().unwrap()).unwrap();
        let find = |name| names.find(name).map(Arc::as_ptr);
        let wild = find(Some("b.t.example.com")).unwrap();
        let exact = find(Some("example.org")).unwrap();
        assert_ne!(wild, exact);
        assert_eq!(find(Some("a.t.example.com")), Some(exact));
        assert_eq!(find(None), Some(wild));
        assert_eq!(find(Some("x.b.t.example.com")), None);
        assert_eq!(find(Some("t.example.com")), None);
        assert_eq!(find(Some("example.net")), None);
    }
}
