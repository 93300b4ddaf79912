//! Settings of what browsers go through: signing in, and challenges.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use crate::pages::Logo;
use crate::password::PasswordHash;
use crate::seal::Sealer;
use crate::secret::Secret;

/// `[sign_in]`.
#[derive(Debug)]
pub struct SignIn {
    pub provider: SignInProvider,
    /// How long one sign-in lasts, at the base host and at all tunnels together.
    pub session_lifetime: Duration,
    /// How long what a provider says of groups counts.
    pub claims_max_age: Duration,
    pub sealer: Arc<Sealer>,
    /// What the pages are headed with; `None`: the base host.
    pub title: Option<String>,
    pub logo: Option<Logo>,
    pub grants: Vec<SignInGrant>,
}

impl SignIn {
    /// The projects that somebody may enter.
    pub fn projects(&self) -> impl Iterator<Item = &str> {
        let users = match &self.provider {
            SignInProvider::Builtin(users) => users.as_slice(),
            SignInProvider::Oidc(_) => &[],
        };
        let users = users.iter().map(|user| &user.projects);
        let grants = self.grants.iter().map(|grant| &grant.projects);
        users.chain(grants).flatten().map(String::as_str)
    }
}

/// Who says who somebody is.
#[derive(Debug, PartialEq)]
pub enum SignInProvider {
    /// The users of the configuration.
    Builtin(Vec<SignInUser>),
    Oidc(Oidc),
}

/// One `[[sign_in.user]]`.
#[derive(Debug, PartialEq, Eq)]
pub struct SignInUser {
    pub name: String,
    pub password_hash: PasswordHash,
    pub projects: Vec<String>,
}

/// One `[[sign_in.grant]]`: whoever meets any of these may enter the projects.
#[derive(Debug, PartialEq, Eq)]
pub struct SignInGrant {
    /// Lower case.
    pub emails: Vec<String>,
    /// Lower case.
    pub email_domains: Vec<String>,
    pub groups: Vec<String>,
    pub subjects: Vec<String>,
    pub projects: Vec<String>,
}

/// An OpenID Connect provider that browsers sign in at.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The exact `iss`: an `https` URL, or an `http` one of a loopback address.
    pub issuer: String,
    pub client_id: String,
    /// `None`: a public client, which proves itself by PKCE alone.
    pub client_secret: Option<Secret>,
    /// Has `openid`.
    pub scopes: Vec<String>,
    /// The claim with the user's groups.
    pub groups_claim: String,
    /// Certificates of `ca_file`; `None`: the system's roots.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// A name may lead into a private network.
    pub private_addresses: bool,
}

/// Whether a provider made of one is as good as one made of the other. Nobody outside can measure how long that takes.
impl PartialEq for Oidc {
    fn eq(&self, other: &Oidc) -> bool {
        let Oidc {
            issuer,
            client_id,
            client_secret,
            scopes,
            groups_claim,
            roots,
            private_addresses,
        } = self;
        let secret = |secret: &Option<Secret>| secret.as_ref().map(|one| one.expose().to_vec());
        *issuer == other.issuer
            && *client_id == other.client_id
            && secret(client_secret) == secret(&other.client_secret)
            && *scopes == other.scopes
            && *groups_claim == other.groups_claim
            && *roots == other.roots
            && *private_addresses == other.private_addresses
    }
}

/// `[challenge]`.
#[derive(Debug)]
pub struct Challenge {
    /// Leading zero bits of a proof of work.
    pub difficulty_bits: u8,
    /// How long a challenge that was met counts.
    pub lifetime: Duration,
    /// That of `[sign_in]`, where there is one.
    pub sealer: Arc<Sealer>,
}
