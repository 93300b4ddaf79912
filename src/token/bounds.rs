//! What a token may reach at most, and the stored credentials that say so.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::p521_key::P521Key;
use super::{CONNECT_PERMISSION, TokenError};
use crate::boundary::Boundary;

/// The bound of every token of one owner: a stored credential, or `[tokens.ce]`. A token's own claims only narrow it.
#[derive(Debug, Default)]
pub struct Bounds {
    /// The credential's name in logs; empty for `[tokens.ce]`.
    pub id: Box<str>,
    /// It reaches these, and no others.
    pub projects: Box<[Box<str>]>,
    /// `None`: all.
    pub permissions: Option<Box<[Box<str>]>>,
    pub boundary: Option<Arc<Boundary>>,
}

impl Bounds {
    /// Whether it has this permission.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions
            .as_ref()
            .is_none_or(|list| list.iter().any(|one| **one == *permission))
    }

    pub fn owns_project(&self, project: &str) -> bool {
        self.projects.iter().any(|one| **one == *project)
    }

    /// The same, for connecting anywhere in these projects.
    pub fn connect_within(projects: &[&str]) -> Self {
        Bounds {
            projects: projects.iter().map(|one| (*one).into()).collect(),
            permissions: Some([CONNECT_PERMISSION.into()].into()),
            ..Bounds::default()
        }
    }
}

/// One stored credential.
#[derive(Debug)]
pub struct Credential {
    pub bounds: Arc<Bounds>,
    pub kind: CredentialKind,
    /// Nobody has taken it back.
    pub live: bool,
    /// When its rights were changed last, in seconds since the Unix epoch, where that is known.
    pub changed_at: Option<u64>,
}

/// What proves it.
#[derive(Debug)]
pub enum CredentialKind {
    /// A personal access token, by the SHA-256 of its compact form.
    Pat([u8; 32]),
    /// Application tokens signed with this key; the credential's id is their `clientId`.
    App(P521Key),
    /// Auth tokens; the credential's id is their `userId`.
    User,
    /// No token: a client certificate. A token may have been made from it.
    Certificate,
}

/// All stored credentials, and the tokens that were taken back. The one place that says whether a credential is live.
#[derive(Debug, Default)]
pub struct Credentials {
    by_id: HashMap<Box<str>, Arc<Credential>>,
    pats: HashMap<[u8; 32], Arc<Credential>>,
    revoked_tokens: HashSet<[u8; 32]>,
}

impl Credentials {
    /// `revoked_tokens`: SHA-256 of compact tokens of any family. Of two credentials with one id the last counts; a
    /// configuration has none such.
    pub fn new(
        credentials: impl IntoIterator<Item = Credential>,
        revoked_tokens: HashSet<[u8; 32]>,
    ) -> Self {
        let mut all = Credentials {
            revoked_tokens,
            ..Credentials::default()
        };
        for credential in credentials {
            let credential = Arc::new(credential);
            if let CredentialKind::Pat(hash) = credential.kind {
                all.pats.insert(hash, credential.clone());
            }
            let id = credential.bounds.id.clone();
            all.by_id.insert(id, credential);
        }
        all
    }

    /// All that nobody has taken back, in no order.
    pub(super) fn live(&self) -> impl Iterator<Item = &Credential> {
        let all = self.by_id.values().map(AsRef::as_ref);
        all.filter(|credential: &&Credential| credential.live)
    }

    /// The live record of a personal access token; `None`: there is no record.
    pub(super) fn pat(&self, hash: &[u8; 32]) -> Option<Result<&Credential, TokenError>> {
        self.pats.get(hash).map(|credential| live(credential))
    }

    /// The key of an application, whether live or not: first its token must prove itself.
    pub(super) fn app_key(&self, client_id: &str) -> Result<&P521Key, TokenError> {
        match self.by_id.get(client_id).map(|found| &found.kind) {
            Some(CredentialKind::App(key)) => Ok(key),
            Some(CredentialKind::Pat(_) | CredentialKind::User | CredentialKind::Certificate)
            | None => Err(TokenError::UnknownCredential),
        }
    }

    /// The live credential of an application.
    pub(super) fn app(&self, client_id: &str) -> Result<&Credential, TokenError> {
        self.app_key(client_id)?;
        self.any(client_id)
    }

    /// The live credential of a user.
    pub(super) fn user(&self, user_id: &str) -> Result<&Credential, TokenError> {
        match self.by_id.get(user_id).map(|found| &found.kind) {
            Some(CredentialKind::User) => self.any(user_id),
            Some(CredentialKind::Pat(_) | CredentialKind::App(_) | CredentialKind::Certificate)
            | None => Err(TokenError::UnknownCredential),
        }
    }

    /// The live credential with this id, of any kind.
    pub(super) fn any(&self, id: &str) -> Result<&Credential, TokenError> {
        let found = self.by_id.get(id).ok_or(TokenError::UnknownCredential)?;
        live(found)
    }

    /// Whether any token was taken back by its hash: only then must one be hashed.
    pub(super) fn revokes_tokens(&self) -> bool {
        !self.revoked_tokens.is_empty()
    }

    pub(super) fn is_revoked(&self, hash: &[u8; 32]) -> bool {
        self.revoked_tokens.contains(hash)
    }
}

fn live(credential: &Credential) -> Result<&Credential, TokenError> {
    credential
        .live
        .then_some(credential)
        .ok_or(TokenError::Revoked)
}
