//! Names of upstreams, resolved anew while the process runs. Never on a core: a resolver may take long.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use super::compile::{self, Lasting};
use crate::config::reaches;
use crate::config::settings::{Tunnel, Upstream, UpstreamPlace};
use crate::upstream::Origin;
use crate::worker::snapshot::Snapshot;

/// Host and port of an upstream.
pub(super) type Name = (String, u16);

/// The upstreams in force, and what is known of their names.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    /// Of each tunnel, in order: its hostname and its servers.
    by_tunnel: Vec<(String, Upstream)>,
    /// Names that did not resolve the last time; told once.
    unresolved: BTreeSet<Name>,
}

impl Upstreams {
    pub(super) fn new(tunnels: &[Tunnel]) -> Self {
        let by_tunnel = tunnels
            .iter()
            .map(|tunnel| (tunnel.hostname.clone(), tunnel.upstream.clone()))
            .collect();
        Upstreams {
            by_tunnel,
            unresolved: BTreeSet::new(),
        }
    }

    /// All names, each once; what is written as an address is none.
    pub(super) fn names(&self) -> BTreeSet<Name> {
        let servers = self
            .by_tunnel
            .iter()
            .flat_map(|(_, upstream)| &upstream.servers);
        servers
            .filter_map(|server| match &server.place {
                UpstreamPlace::Tcp { host, port, .. } => Some((host.clone(), *port)),
                UpstreamPlace::Unix(_) => None,
            })
            .filter(|(host, _)| host.parse::<std::net::IpAddr>().is_err())
            .collect()
    }

    /// Takes over what the names resolve to now; answers whether that is something else. A name that does not resolve, or
    /// to this process itself (S8), keeps the addresses it had. The order of addresses means nothing: resolvers turn it.
    pub(super) fn update(
        &mut self,
        found: &HashMap<Name, Vec<SocketAddr>>,
        listeners: &[SocketAddr],
    ) -> bool {
        let mut changed = false;
        for (name, addresses) in found {
            let own = addresses
                .iter()
                .any(|address| listeners.iter().any(|own| reaches(*address, *own)));
            if addresses.is_empty() || own {
                if self.unresolved.insert(name.clone()) {
                    let why = if own {
                        "it leads to this process itself"
                    } else {
                        "no address"
                    };
                    tracing::warn!(
                        event = "upstream_unresolved",
                        host = name.0,
                        port = name.1,
                        "{why}; the addresses it had go on"
                    );
                }
                continue;
            }
            self.unresolved.remove(name);
            if self.replace(name, addresses) {
                changed = true;
                tracing::info!(
                    event = "upstream_resolved",
                    host = name.0,
                    port = name.1,
                    addresses = addresses.len(),
                    "its addresses have changed"
                );
            }
        }
        changed
    }

    fn replace(&mut self, name: &Name, found: &[SocketAddr]) -> bool {
        let mut changed = false;
        let servers = self
            .by_tunnel
            .iter_mut()
            .flat_map(|(_, upstream)| &mut upstream.servers);
        for server in servers {
            let UpstreamPlace::Tcp {
                host,
                port,
                addresses,
            } = &mut server.place
            else {
                continue;
            };
            let same = |left: &[SocketAddr], right: &[SocketAddr]| {
                left.iter().all(|address| right.contains(address))
            };
            if (&*host, *port) == (&name.0, name.1)
                && !(same(addresses, found) && same(found, addresses))
            {
                *addresses = found.to_vec();
                changed = true;
            }
        }
        changed
    }

    /// A core's copy with the addresses as they are now; everything else stays.
    pub(super) fn redirect(&self, snapshot: &Snapshot, lasting: &mut Lasting) -> Snapshot {
        let origins = self
            .by_tunnel
            .iter()
            .zip(&snapshot.origins)
            .map(|((tunnel, upstream), old)| {
                let rules = |server: usize| {
                    let mut known = old.iter();
                    let origin: Option<&Origin> = known.find(|origin| origin.server == server);
                    origin.and_then(|origin| origin.tls.clone())
                };
                compile::addresses(tunnel, upstream, rules, lasting)
            })
            .collect();
        Snapshot {
            origins,
            ..snapshot.clone()
        }
    }
}

/// The cores' copies with the addresses as they are now.
pub(super) fn redirect_all(
    upstreams: &Upstreams,
    snapshots: &[Arc<Snapshot>],
    lasting: &mut Lasting,
) -> Vec<Arc<Snapshot>> {
    let redirected = snapshots
        .iter()
        .map(|snapshot| Arc::new(upstreams.redirect(snapshot, lasting)))
        .collect();
    lasting.forget_unused();
    redirected
}
