//! What tokens are verified with, and what bounds them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::boundary::{self, Boundary};
use crate::config::settings::{Credential, CredentialKind, Issuer, IssuerKeys, Settings, Tokens};
use crate::control::key_sets::{KeySetId, KeySets};
use crate::json::Json;
use crate::token::{self, Bounds, Credentials, P521Key, TokenKeys};

pub(super) fn keys(
    settings: &Settings,
    tokens: &Tokens,
    key_sets: &KeySets,
    boundaries: &mut Boundaries,
) -> Result<TokenKeys, rustls::Error> {
    let ce = tokens.ce.as_ref().map(|ce| Bounds {
        projects: boxed(&ce.projects),
        permissions: Some(boxed(&ce.permissions)),
        ..Bounds::default()
    });
    let credentials = settings.credentials.iter().map(|credential| {
        Ok(token::Credential {
            bounds: Arc::new(bounds(credential, boundaries)?),
            kind: kind(&credential.kind),
            live: !credential.revoked && !tokens.revocations.credentials.contains(&credential.id),
            changed_at: credential.updated_at,
        })
    });
    let credentials: Vec<_> = credentials.collect::<Result<_, rustls::Error>>()?;
    let credentials = Credentials::new(credentials, tokens.revocations.tokens.clone());
    let issuers = settings.issuers.iter().map(|issuer| {
        let name = issuer.issuer.as_str().into();
        Ok((name, foreign(issuer, key_sets, boundaries)?))
    });
    let issuers: Vec<_> = issuers.collect::<Result<_, rustls::Error>>()?;
    let keys = TokenKeys::new(tokens.hs256_secret.expose(), ce, &settings.engine.host);
    let keys = keys.with_credentials(credentials, tokens.require_stored_pat);
    Ok(keys.with_issuers(issuers))
}

fn foreign(
    issuer: &Issuer,
    key_sets: &KeySets,
    known: &mut Boundaries,
) -> Result<token::Issuer, rustls::Error> {
    let boundary = match &issuer.boundary {
        Some(written) => Some(compiled(written, known)?),
        None => None,
    };
    let (keys, fetched) = match &issuer.keys {
        IssuerKeys::Fixed(keys) => (keys.clone(), false),
        IssuerKeys::Url(from) => {
            let id = KeySetId {
                issuer: issuer.issuer.clone(),
                url: from.url.clone(),
            };
            (key_sets.keys(&id, &issuer.algorithms), true)
        }
    };
    Ok(token::Issuer {
        audience: issuer.audience.clone(),
        max_lifetime: issuer.max_lifetime,
        algorithms: issuer.algorithms.clone(),
        keys,
        fetched,
        bounds: Arc::new(Bounds {
            projects: boxed(&issuer.projects),
            permissions: Some(boxed(&issuer.permissions)),
            boundary,
            ..Bounds::default()
        }),
        resources_claim: issuer.resources_claim.clone(),
        subject_claim: issuer.subject_claim.clone(),
    })
}

/// Compiled boundaries of one core: equal ones share one form.
pub(super) type Boundaries = HashMap<*const Json, Arc<Boundary>>;

pub(super) fn bounds(
    credential: &Credential,
    known: &mut Boundaries,
) -> Result<Bounds, rustls::Error> {
    let boundary = match &credential.boundary {
        Some(written) => Some(compiled(written, known)?),
        None => None,
    };
    Ok(Bounds {
        id: credential.id.as_str().into(),
        projects: boxed(&credential.projects),
        permissions: credential.permissions.as_deref().map(boxed),
        boundary,
    })
}

fn compiled(written: &Arc<Json>, known: &mut Boundaries) -> Result<Arc<Boundary>, rustls::Error> {
    if let Some(same) = known.get(&Arc::as_ptr(written)) {
        return Ok(same.clone());
    }
    // It was compiled once when it was checked.
    let boundary = boundary::parse(written)
        .map_err(|error| rustls::Error::General(format!("a credential's boundary: {error}")))?;
    let boundary = Arc::new(boundary);
    known.insert(Arc::as_ptr(written), boundary.clone());
    Ok(boundary)
}

fn kind(kind: &CredentialKind) -> token::CredentialKind {
    match kind {
        CredentialKind::Pat { token_sha256 } => token::CredentialKind::Pat(*token_sha256),
        CredentialKind::App { public_key } => {
            token::CredentialKind::App(P521Key::clone(public_key))
        }
        CredentialKind::User => token::CredentialKind::User,
        CredentialKind::Certificate { .. } | CredentialKind::CertificateName { .. } => {
            token::CredentialKind::Certificate
        }
    }
}

fn boxed(texts: &[String]) -> Box<[Box<str>]> {
    texts.iter().map(|text| text.as_str().into()).collect()
}
