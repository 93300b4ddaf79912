//! What the flows go by, of one configuration.

use std::sync::Arc;
use std::time::Duration;

use ring::hmac;

use crate::authn::session::{SessionRules, Short};
use crate::http::host::CanonicalHost;
use crate::oidc;
use crate::pages::Brand;
use crate::password::PasswordHash;
use crate::route::Routes;
use crate::seal::Sealer;

/// One configuration's rules.
#[derive(Debug)]
pub struct Rules {
    pub base_host: CanonicalHost,
    /// The port browsers see.
    pub public_port: u16,
    pub tunnels: Routes<Tunnel>,
    pub sign_in: Option<SignIn>,
    pub challenge: Option<Challenge>,
    pub brand: Brand,
}

impl Rules {
    /// As browsers write the origin of a host of ours.
    pub(super) fn origin(&self, host: &str) -> String {
        format!("https://{}", self.authority(host))
    }

    /// As browsers show a host of ours.
    pub(super) fn authority(&self, host: &str) -> String {
        match self.public_port {
            443 => host.to_owned(),
            port => format!("{host}:{port}"),
        }
    }

    /// What forms are sealed with.
    pub(super) fn sealer(&self) -> Option<&Sealer> {
        let sign_in = self.sign_in.as_ref().map(|one| &*one.sealer);
        sign_in.or(self.challenge.as_ref().map(|one| &*one.sealer))
    }

    /// Where users sign in, if that is elsewhere.
    pub fn provider(&self) -> Option<&Arc<oidc::Provider>> {
        match &self.sign_in.as_ref()?.provider {
            Provider::Oidc(provider) => Some(provider),
            Provider::Builtin(_) => None,
        }
    }

    pub(super) fn tunnel(&self, host: &str) -> Option<&Tunnel> {
        let host = CanonicalHost::parse(host.as_bytes()).ok()?;
        self.tunnels.find(&host)
    }
}

/// What the flows must know of a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    pub project: String,
    /// `rstream_auth`.
    pub signs_in: bool,
    /// `challenge_mode`.
    pub challenges: bool,
}

#[derive(Debug)]
pub struct SignIn {
    pub provider: Provider,
    pub sessions: SessionRules,
    pub session_lifetime: Duration,
    pub sealer: Arc<Sealer>,
}

#[derive(Debug)]
pub struct Challenge {
    pub difficulty_bits: u8,
    pub lifetime: Duration,
    pub sealer: Arc<Sealer>,
}

/// Who says who somebody is.
#[derive(Debug)]
pub enum Provider {
    Builtin(Builtin),
    /// Somebody else.
    Oidc(Arc<oidc::Provider>),
}

/// The users of the configuration.
#[derive(Debug)]
pub struct Builtin {
    users: Vec<Arc<User>>,
    /// Picks whose hash is computed for a name that nobody has.
    decoys: hmac::Key,
}

#[derive(Debug)]
pub struct User {
    pub name: String,
    pub password_hash: PasswordHash,
    /// What about this user meets a grant.
    pub inputs: Vec<Short>,
}

impl Builtin {
    /// `secret` is new for every process: whose hash stands in for a name is nobody's to know.
    pub fn new(users: Vec<User>, secret: &[u8; 32]) -> Self {
        Builtin {
            users: users.into_iter().map(Arc::new).collect(),
            decoys: hmac::Key::new(hmac::HMAC_SHA256, secret),
        }
    }

    /// The user of this name, and whether there is one: for any other name somebody's hash is computed too, so that both
    /// take as long. `None`: there are no users at all.
    pub(super) fn find(&self, name: &str) -> Option<(Arc<User>, bool)> {
        let found = self.users.iter().find(|user| user.name == name);
        if let Some(user) = found {
            return Some((user.clone(), true));
        }
        let tag = hmac::sign(&self.decoys, name.as_bytes());
        let bytes = tag.as_ref().first_chunk().copied().unwrap_or_default();
        let count = u64::try_from(self.users.len()).ok()?;
        let index = u64::from_be_bytes(bytes).checked_rem(count)?;
        let decoy = self.users.get(usize::try_from(index).ok()?)?;
        Some((decoy.clone(), false))
    }
}

/// Somebody whom a provider vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedIn {
    pub(super) subject: String,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) sid: Short,
    pub(super) inputs: Vec<Short>,
}
