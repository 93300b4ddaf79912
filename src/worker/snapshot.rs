//! What a core works by at a moment: compiled off the data path, swapped as a whole.

use std::sync::Arc;

use crate::assertion::Signer;
use crate::http::HeadLimits;
use crate::limits::{Limits, Timeouts};
use crate::pages::FailurePages;
use crate::policy::Policy;
use crate::policy::client_address::Trust;
use crate::tls::names::ServerNames;
use crate::upstream::Origin;

/// One compiled configuration, one copy for each core. Held through an `Arc` that no other core touches; the control
/// thread holds it too, so that the last drop, which may take long, is never on a core.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Node name in logs.
    pub node: String,
    /// Behind a pointer of this core's own, so that other addresses of upstreams do not copy it.
    pub policy: Arc<Policy>,
    /// The servers that each tunnel's requests go to, by the tunnel's index in the policy.
    pub origins: Vec<Vec<Origin>>,
    /// Where the control thread answers browsers that sign in; `None`: nobody is asked to.
    pub flow: Option<Origin>,
    /// `None` where nothing listens with TLS.
    pub server_names: Option<Arc<ServerNames>>,
    /// The port browsers see, for redirects.
    pub public_port: u16,
    /// Whose word on a client's address is taken.
    pub trust: Trust,
    /// The plain listener is for the peers in `trust` alone (S6.3).
    pub behind_tls_balancer: bool,
    pub limits: Limits,
    pub head_limits: HeadLimits,
    pub timeouts: Timeouts,
    /// Says to upstreams who sends; `None` where no tunnel asks for that. One for all cores: it is only read.
    pub signer: Option<Arc<Signer>>,
    /// How browsers are shown refusals.
    pub failures: FailurePages,
    /// Verified tokens that a core remembers.
    pub token_cache_entries: usize,
}

impl Snapshot {
    /// Whether trailer fields pass on this tunnel.
    pub fn passes_trailers(&self, tunnel: usize) -> bool {
        let tunnel = self.policy.tunnels.get(tunnel);
        tunnel.is_some_and(|tunnel| tunnel.trailers)
    }
}
