//! Where an issuer's keys come from: a URL, or something that is read here and now.

use std::path::PathBuf;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use super::credential_file;
use super::field::{At, Field};
use super::files::{self, Contents, Purpose};
use super::jwks_url;
use super::reader::Reader;
use super::settings::{IssuerKeys, Tokens};
use crate::limits::{HS256_SECRET_BYTES_MIN, KEY_SET_BYTES_MAX};
use crate::secret::Secret;
use crate::token::{Algorithm, KeySet, VerifyingKey};

/// The one source of keys that is written.
pub(super) fn keys(
    table: &Reader<'_>,
    tokens: Option<&Tokens>,
    issuer: Option<&str>,
    algorithms: &[Algorithm],
) -> Option<IssuerKeys> {
    const SOURCES: [&str; 4] = [
        "jwks_url",
        "jwks_file",
        "public_key_file",
        "hs256_secret_file",
    ];
    let written = |key: &&&str| !matches!(table.look_up(key), Field::Absent(_));
    let mut sources = SOURCES.iter().filter(written);
    let (Some(source), None) = (sources.next(), sources.next()) else {
        let message =
            "needs one source of keys: jwks_url, jwks_file, public_key_file or hs256_secret_file";
        table.findings.error(&table.spot, message);
        return None;
    };
    if *source == "jwks_url" {
        return jwks_url::source(table, issuer?).map(IssuerKeys::Url);
    }
    jwks_url::without_effect(table);
    let fixed = match *source {
        "jwks_file" => set(
            table,
            &table.file(source).required(table.findings, "")?,
            algorithms,
        ),
        "public_key_file" => {
            let at = table.file(source).required(table.findings, "")?;
            public_key(table, &at, algorithms).map(KeySet::One)
        }
        _ => {
            let secret = credential_file::secret_file(table, source);
            let at = secret.required(table.findings, "")?;
            shared_secret(table, &at, tokens, algorithms).map(KeySet::One)
        }
    };
    fixed.map(IssuerKeys::Fixed)
}

fn shared_secret(
    table: &Reader<'_>,
    at: &At<Secret>,
    tokens: Option<&Tokens>,
    algorithms: &[Algorithm],
) -> Option<VerifyingKey> {
    let findings = table.findings;
    if algorithms != [Algorithm::Hs256] {
        let message = "a shared secret is for HS256 alone: write algorithms = [\"HS256\"]";
        findings.error(&table.spot_of("algorithms"), message);
        return None;
    }
    let ours = tokens.map(|tokens| tokens.hs256_secret.expose());
    if ours == Some(at.value.expose()) {
        let message = "is the deployment secret: the issuer could make every token of this edge";
        findings.error(&at.spot, message);
        return None;
    }
    let key = VerifyingKey::secret(at.value.expose());
    if key.is_none() {
        let message = format!("the secret needs at least {HS256_SECRET_BYTES_MIN} bytes");
        findings.error(&at.spot, message);
    }
    key
}

fn public_key(
    table: &Reader<'_>,
    at: &At<PathBuf>,
    algorithms: &[Algorithm],
) -> Option<VerifyingKey> {
    let findings = table.findings;
    let contents = contents(table, at)?;
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(&contents.bytes);
    let shown = at.value.display();
    let Ok(spki) = spki else {
        findings.error(&at.spot, format!("{shown} has no PEM block PUBLIC KEY"));
        return None;
    };
    VerifyingKey::from_spki(&spki, algorithms)
        .map_err(|error| findings.error(&at.spot, format!("{shown}: {error}")))
        .ok()
}

fn set(table: &Reader<'_>, at: &At<PathBuf>, algorithms: &[Algorithm]) -> Option<KeySet> {
    let contents = contents(table, at)?;
    let set = (contents.bytes.len() <= KEY_SET_BYTES_MAX)
        .then(|| KeySet::parse(&contents.bytes, algorithms))
        .flatten()
        .filter(|set| !set.is_empty());
    if set.is_none() {
        let shown = at.value.display();
        let message = format!("{shown} is no key set with a key for one of the algorithms");
        table.findings.error(&at.spot, message);
    }
    set
}

fn contents(table: &Reader<'_>, at: &At<PathBuf>) -> Option<Contents> {
    let findings = table.findings;
    findings.sources.borrow_mut().add_file(&at.value);
    files::read(&at.value, Purpose::Certificates)
        .map_err(|error| {
            let message = error.message(&at.value, Purpose::Certificates);
            findings.error(&at.spot, message);
        })
        .ok()
}
