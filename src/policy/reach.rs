//! Who can reach a place at most, for `adit check --who-can-reach`. Never on the data path.

use super::decide::{connect_context, is_edge_path};
use super::{ASSERTION_KEYS_PATH, Policy};
use crate::authz;
use crate::http::host::CanonicalHost;
use crate::http::path::judge;
use crate::token::Owner;

/// Who can reach one path of one host.
#[derive(Debug, PartialEq, Eq)]
pub enum Reach<'a> {
    /// No tunnel has this host, or the path belongs to the edge, which has no page there.
    Nobody,
    /// The tunnel is public, or it is a page of the edge.
    Everybody,
    /// Whoever has a token of these, in their order, unless the token narrows itself.
    Tokens(Vec<Owner<'a>>),
}

/// `path` is the target without its query, still encoded.
pub fn reach<'a>(policy: &'a Policy, host: &CanonicalHost, path: &[u8]) -> Reach<'a> {
    let tunnel = policy.routes.find(host);
    let Some(tunnel) = tunnel.and_then(|index| policy.tunnels.get(*index)) else {
        let is_page = policy.shows_assertion_keys
            && *host == policy.base_host
            && path == ASSERTION_KEYS_PATH.as_bytes();
        if is_page {
            return Reach::Everybody;
        }
        return Reach::Nobody;
    };
    let mut scratch = Vec::new();
    let path = judge(path, &mut scratch, tunnel.semicolon_allowed);
    if is_edge_path(path.decoded) {
        return Reach::Nobody;
    }
    if tunnel.mechanisms.is_public() {
        return Reach::Everybody;
    }
    let context = connect_context(tunnel, &path);
    let keys = policy.keys.iter().filter(|_| tunnel.mechanisms.token);
    let tokens = keys.flat_map(|keys| keys.owners());
    let certificates = policy.certificates.owners();
    let certificates = certificates
        .filter(|owner| tunnel.mechanisms.certificate && owner.live)
        .map(|owner| (Owner::Credential(&owner.bounds.id), &*owner.bounds));
    let mut owners: Vec<Owner<'_>> = tokens
        .chain(certificates)
        .filter(|(_, bounds)| authz::owner(bounds, &context).is_ok())
        .map(|(owner, _)| owner)
        .collect();
    owners.sort_unstable();
    Reach::Tokens(owners)
}
