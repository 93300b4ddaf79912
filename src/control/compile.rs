//! From checked settings to what a core works by.

mod certificates;
pub(super) mod flows;
pub(super) mod sessions;
mod tokens;

use std::collections::HashMap;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};

use crate::config::settings::{
    Access, Https, Settings, TlsVersion, Tunnel, Upstream, UpstreamPlace, UpstreamTls,
};
use crate::control::key_sets::KeySets;
use crate::http::HeadLimits;
use crate::http::host::CanonicalHost;
use crate::network::NetworkPolicy;
use crate::pages::FailurePages;
use crate::policy::{self, Mechanisms, Policy};
use crate::route::Routes;
use crate::runtime::socket::Address;
use crate::tls::names::{Identity, ServerNames, TicketKeys};
use crate::upstream::{Origin, OriginTls, client_config, roots};
use crate::worker::snapshot::Snapshot;
use tokens::Boundaries;

/// What stays the same over reloads: ticket keys, and the numbers by which pools know their servers.
pub(super) struct Lasting {
    tickets: TicketKeys,
    /// Sets that issuers publish at a URL.
    pub(super) key_sets: KeySets,
    /// Where browsers are answered that sign in or meet a challenge.
    pub(super) flow: Option<Origin>,
    origins: HashMap<OriginKey, Numbered>,
    next_origin: u64,
}

struct Numbered {
    id: u64,
    /// Somebody asked for it since the last [`Lasting::forget_unused`].
    used: bool,
}

/// What makes two servers the same one (S8).
#[derive(PartialEq, Eq, Hash)]
struct OriginKey {
    tunnel: String,
    address: Address,
    tls: Option<(ServerName<'static>, Option<Vec<CertificateDer<'static>>>)>,
}

impl Lasting {
    pub(super) fn new() -> Result<Self, rustls::Error> {
        Ok(Lasting {
            tickets: TicketKeys::generate()?,
            key_sets: KeySets::default(),
            flow: None,
            origins: HashMap::new(),
            next_origin: 0,
        })
    }

    /// A number is never given twice: a connection that outlives its server belongs to nobody.
    fn origin_id(&mut self, key: OriginKey) -> u64 {
        let next = &mut self.next_origin;
        let numbered = self.origins.entry(key).or_insert_with(|| {
            *next += 1;
            Numbered {
                id: *next,
                used: true,
            }
        });
        numbered.used = true;
        numbered.id
    }

    /// Forgets the servers that nothing compiled since the last call has.
    pub(super) fn forget_unused(&mut self) {
        self.origins
            .retain(|_, numbered| std::mem::take(&mut numbered.used));
    }
}

/// Compiles one core's copy.
pub(super) fn snapshot(
    settings: &Settings,
    public_port: u16,
    lasting: &mut Lasting,
) -> Result<Snapshot, rustls::Error> {
    let origins = settings
        .tunnels
        .iter()
        .map(|tunnel| origins(tunnel, lasting))
        .collect::<Result<_, _>>()?;
    let server_names = match &settings.https {
        Some(https) => Some(Arc::new(server_names(https, &lasting.tickets)?)),
        None => None,
    };
    Ok(Snapshot {
        node: settings.engine.name.clone(),
        policy: Arc::new(policy(settings, public_port, &lasting.key_sets)?),
        origins,
        server_names,
        public_port,
        trust: settings.client_address.clone(),
        behind_tls_balancer: settings
            .http
            .as_ref()
            .is_some_and(|http| http.behind_tls_balancer),
        limits: settings.limits.clone(),
        head_limits: HeadLimits::from(&settings.limits),
        timeouts: settings.timeouts.clone(),
        signer: None,
        flow: lasting.flow.clone(),
        failures: FailurePages::new(&flows::brand(settings, "")),
        token_cache_entries: settings
            .tokens
            .as_ref()
            .map_or(1, |tokens| tokens.cache_entries),
    })
}

/// What verdicts come from.
pub(super) fn policy(
    settings: &Settings,
    public_port: u16,
    key_sets: &KeySets,
) -> Result<Policy, rustls::Error> {
    let mut routes = Routes::default();
    for (index, tunnel) in settings.tunnels.iter().enumerate() {
        routes.insert(&tunnel.hostname, index);
    }
    let mut boundaries = Boundaries::default();
    let keys = settings.tokens.as_ref();
    let keys = keys
        .map(|tokens| tokens::keys(settings, tokens, key_sets, &mut boundaries))
        .transpose()?;
    let certificates = certificates::all(settings, &mut boundaries)?;
    let base_host = CanonicalHost::parse(settings.engine.host.as_bytes())
        .map_err(|_| rustls::Error::General("engine.host is not a host name".to_owned()))?;
    let projects = settings.projects.iter();
    let workspaces: HashMap<&str, &str> = projects
        .map(|project| (project.id.as_str(), project.workspace.as_str()))
        .collect();
    let https = settings.https.as_ref();
    Ok(Policy {
        base_host,
        tls13_only: https.is_some_and(|https| https.tls_min_version == TlsVersion::Tls13),
        countries: settings.geoip.as_ref().map(|geoip| geoip.countries.clone()),
        public_port,
        routes: routes.into(),
        tunnels: settings
            .tunnels
            .iter()
            .map(|tunnel| policy_tunnel(settings, tunnel, &workspaces))
            .collect::<Vec<_>>()
            .into(),
        shows_assertion_keys: settings.identity_headers(),
        keys,
        certificates: certificates.into(),
        browsers: sessions::browsers(settings).map(Arc::new),
        failed_verifications_per_second: settings.limits.failed_verifications_per_second,
        expensive_verifications_per_second: settings.limits.expensive_verifications_per_second,
    })
}

fn network(access: &Access) -> NetworkPolicy {
    let trusted = access.trusted_ips.as_ref();
    let countries = access.geoip.iter().copied();
    NetworkPolicy {
        trusted: trusted.map(|trusted| trusted.set.clone()),
        countries: (!access.geoip.is_empty()).then(|| countries.collect()),
    }
}

/// `workspaces`: by the ids of projects.
fn policy_tunnel(
    settings: &Settings,
    tunnel: &Tunnel,
    workspaces: &HashMap<&str, &str>,
) -> policy::Tunnel {
    let workspace = workspaces.get(tunnel.project.as_str());
    let workspace = workspace.copied().unwrap_or_default().to_owned();
    policy::Tunnel {
        hostname: tunnel.hostname.clone(),
        project: tunnel.project.clone(),
        mechanisms: Mechanisms {
            token: tunnel.token_auth,
            certificate: tunnel.mtls_auth,
            session: tunnel.rstream_auth,
            challenge: tunnel.challenge_mode,
        },
        network: network(&tunnel.access),
        tls13_only: tunnel.access.tls_min_version == TlsVersion::Tls13,
        authorization: tunnel.authorization,
        semicolon_allowed: tunnel.path_semicolon_allowed,
        trailers: tunnel.trailers,
        names_sender: tunnel.identity_headers,
        upgrades_outlive_expiry: tunnel.upgrades_outlive_expiry,
        allowed_origins: tunnel
            .allowed_origins
            .iter()
            .map(|origin| origin.as_str().into())
            .collect(),
        properties: settings.properties(tunnel),
        workspace,
    }
}

fn origins(tunnel: &Tunnel, lasting: &mut Lasting) -> Result<Vec<Origin>, rustls::Error> {
    let mut rules = Vec::new();
    for server in &tunnel.upstream.servers {
        rules.push(match &server.tls {
            Some(tls) => Some(OriginTls {
                config: Arc::new(upstream_tls(tls)?),
                server_name: tls.server_name.clone(),
            }),
            None => None,
        });
    }
    let rules = |server: usize| rules.get(server).cloned().flatten();
    Ok(addresses(
        &tunnel.hostname,
        &tunnel.upstream,
        rules,
        lasting,
    ))
}

/// Each address of a tunnel's servers, once. `rules` gives the TLS rules of a server by its place in the list.
pub(super) fn addresses(
    tunnel: &str,
    upstream: &Upstream,
    rules: impl Fn(usize) -> Option<OriginTls>,
    lasting: &mut Lasting,
) -> Vec<Origin> {
    let mut origins: Vec<Origin> = Vec::new();
    for (index, server) in upstream.servers.iter().enumerate() {
        let addresses = match &server.place {
            UpstreamPlace::Tcp { addresses, .. } => {
                addresses.iter().copied().map(Address::Tcp).collect()
            }
            UpstreamPlace::Unix(path) => vec![Address::Unix(path.clone())],
        };
        for address in addresses {
            let tls = server.tls.as_ref();
            let id = lasting.origin_id(OriginKey {
                tunnel: tunnel.to_owned(),
                address: address.clone(),
                tls: tls.map(|tls| (tls.server_name.clone(), tls.roots.clone())),
            });
            if !origins.iter().any(|origin| origin.id == id) {
                origins.push(Origin {
                    id,
                    address,
                    tls: rules(index),
                    server: index,
                });
            }
        }
    }
    origins
}

fn upstream_tls(tls: &UpstreamTls) -> Result<ClientConfig, rustls::Error> {
    client_config(roots(tls.roots.as_deref())?)
}

fn server_names(https: &Https, tickets: &TicketKeys) -> Result<ServerNames, rustls::Error> {
    let identities: Vec<Identity<'_>> = https
        .certificates
        .iter()
        .map(|certificate| Identity {
            chain: &certificate.chain,
            key: &certificate.key,
            names: &certificate.names,
        })
        .collect();
    ServerNames::new(&identities, tickets)
}
