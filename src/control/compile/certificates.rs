//! Client certificates and the CAs that vouch for names in them.

use super::tokens::{Boundaries, bounds};
use crate::certificate::{Authority, AuthorityError, CertificateCredential, Certificates, San};
use crate::config::settings::{Credential, CredentialKind, Settings};

pub(super) fn all(
    settings: &Settings,
    boundaries: &mut Boundaries,
) -> Result<Certificates, rustls::Error> {
    let revoked = settings.tokens.as_ref();
    let revoked = revoked.map(|tokens| &tokens.revocations.credentials);
    let mut owner = |credential: &Credential, subject: &str| {
        let is_revoked = revoked.is_some_and(|ids| ids.contains(&credential.id));
        Ok::<_, rustls::Error>(CertificateCredential {
            bounds: bounds(credential, boundaries)?.into(),
            subject: subject.into(),
            live: !credential.revoked && !is_revoked,
        })
    };
    let mut by_fingerprint = Vec::new();
    let mut named: Vec<(&str, San, CertificateCredential)> = Vec::new();
    for credential in &settings.credentials {
        match &credential.kind {
            CredentialKind::Certificate { sha256 } => {
                by_fingerprint.push((*sha256, owner(credential, "")?));
            }
            CredentialKind::CertificateName { client_ca, name } => {
                named.push((client_ca, name.clone(), owner(credential, name.as_str())?));
            }
            CredentialKind::Pat { .. } | CredentialKind::App { .. } | CredentialKind::User => {}
        }
    }
    let mut authorities = Vec::new();
    for ca in &settings.client_cas {
        // It was read once when it was checked.
        let unusable = |error: AuthorityError| {
            rustls::Error::General(format!("client_ca {}: {error:?}", ca.name))
        };
        let authority = Authority::new(&ca.certificates, ca.revocations.as_deref());
        authorities.push((ca.name.as_str(), authority.map_err(unusable)?));
    }
    for (ca, name, owner) in named {
        let authority = authorities.iter_mut().find(|(name, _)| *name == ca);
        if let Some((_, authority)) = authority {
            authority.register(name, owner);
        }
    }
    let authorities = authorities.into_iter().map(|(_, authority)| authority);
    Ok(Certificates::new(by_fingerprint, authorities.collect()))
}
