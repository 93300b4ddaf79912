//! Settings of what browsers go through: signing in, and challenges.

use std::sync::Arc;
use std::time::Duration;

use crate::password::PasswordHash;
use crate::seal::Sealer;

/// `[sign_in]`.
#[derive(Debug)]
pub struct SignIn {
    pub provider: SignInProvider,
    /// How long one sign-in lasts, at the base host and at all tunnels together.
    pub session_lifetime: Duration,
    /// How long what a provider says of groups counts.
    pub claims_max_age: Duration,
    pub sealer: Arc<Sealer>,
    /// What the pages are headed with.
    pub title: String,
    pub logo: Option<Logo>,
    pub grants: Vec<SignInGrant>,
}

impl SignIn {
    /// The projects that somebody may enter.
    pub fn projects(&self) -> impl Iterator<Item = &str> {
        let SignInProvider::Builtin(users) = &self.provider;
        let users = users.iter().map(|user| &user.projects);
        let grants = self.grants.iter().map(|grant| &grant.projects);
        users.chain(grants).flatten().map(String::as_str)
    }
}

/// Who says who somebody is.
#[derive(Debug, PartialEq, Eq)]
pub enum SignInProvider {
    /// The users of the configuration.
    Builtin(Vec<SignInUser>),
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

/// An image for the pages.
#[derive(Debug, PartialEq, Eq)]
pub struct Logo {
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
}

/// `[challenge]`.
#[derive(Debug)]
pub struct Challenge {
    /// Leading zero bits of a proof of work.
    pub difficulty_bits: u32,
    /// How long a challenge that was met counts.
    pub lifetime: Duration,
    /// That of `[sign_in]`, where there is one.
    pub sealer: Arc<Sealer>,
}
