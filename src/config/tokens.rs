//! `[tokens]`: the secret that tokens are signed with, and which kinds of token count.

use std::path::PathBuf;

use super::credential_file;
use super::field::{At, Field};
use super::project::{self, ProjectIds};
use super::reader::Reader;
use super::revocations::revocations;
use super::settings::{CeTokens, Revocations, Tokens};
use crate::limits::{HS256_SECRET_BYTES_MIN, TOKEN_CACHE_ENTRIES_MAX};
use crate::secret::Secret;

const CACHE_ENTRIES: u64 = 65536;
/// What a token needs to connect to a tunnel.
const CONNECT: &str = "tunnels.streams.create-delete";

/// `[tokens]`. `projects` is `None` if they are not known.
pub(super) fn tokens(root: &Reader<'_>, projects: Option<&ProjectIds<'_>>) -> Field<Tokens> {
    let known = &[
        "hs256_secret",
        "hs256_secret_file",
        "require_stored_pat",
        "revocations_file",
        "cache_entries",
        "ce",
    ];
    root.table("tokens", known).then(|at| {
        let table = &at.value;
        let secret = credential_file::secret(table, "hs256_secret")
            .then(|at| long_enough(table, at))
            .required(
                table.findings,
                "hs256_secret_file = \"/etc/adit/secrets/hs256\"",
            );
        let cache_entries = table
            .integer("cache_entries", 1..=TOKEN_CACHE_ENTRIES_MAX)
            .or(CACHE_ENTRIES);
        let revocations = table
            .file("revocations_file")
            .then(|at| taken_back(table, at));
        let require_stored_pat = table.boolean("require_stored_pat").or(true);
        let ce = table
            .table("ce", &["projects", "permissions"])
            .then(|at| ce(&at.value, projects))
            .optional();
        Some(Tokens {
            hs256_secret: secret?.value,
            cache_entries: usize::try_from(cache_entries?).ok()?,
            require_stored_pat: require_stored_pat?,
            revocations: revocations.or(Revocations::default())?,
            ce: ce?.map(|at| at.value),
        })
    })
}

fn taken_back(table: &Reader<'_>, at: &At<PathBuf>) -> Option<Revocations> {
    table.findings.sources.borrow_mut().add_file(&at.value);
    revocations(&at.value)
        .map_err(|message| table.findings.error(&at.spot, message))
        .ok()
}

fn long_enough(table: &Reader<'_>, at: &At<Secret>) -> Option<Secret> {
    let length = at.value.expose().len();
    if length < HS256_SECRET_BYTES_MIN {
        let message = format!(
            "the secret has {length} bytes and needs at least {HS256_SECRET_BYTES_MIN}: openssl rand -hex 32"
        );
        table.findings.error(&at.spot, message);
        return None;
    }
    Some(at.value.clone())
}

fn ce(table: &Reader<'_>, projects: Option<&ProjectIds<'_>>) -> Option<CeTokens> {
    let findings = table.findings;
    let named = table
        .texts("projects")
        .then(|at| filled(table, at))
        .then(|at| Some(warn_of_missing(table, &at.value, projects?)))
        .required(findings, "projects = [\"proj-1\"]");
    let permissions = table
        .texts("permissions")
        .then(|at| filled(table, at))
        .required(findings, &format!("permissions = [\"{CONNECT}\"]"));
    let permissions = permissions?;
    if permissions.value.iter().all(|at| at.value != CONNECT) {
        let message = format!("without \"{CONNECT}\" no request of such a token can pass");
        findings.warn(&permissions.spot, message);
    }
    Some(CeTokens {
        projects: named?.value,
        permissions: permissions.value.into_iter().map(|at| at.value).collect(),
    })
}

/// An empty bound would let nothing through: that is said by leaving `[tokens.ce]` out.
fn filled(table: &Reader<'_>, at: &At<Vec<At<String>>>) -> Option<Vec<At<String>>> {
    if at.value.is_empty() {
        let message = "an empty list lets no token through; fill it, or remove [tokens.ce]";
        table.findings.error(&at.spot, message);
        return None;
    }
    Some(at.value.clone())
}

/// An id that no project has lets nothing in, so it is no error: a bound may name what another node has.
fn warn_of_missing(
    table: &Reader<'_>,
    named: &[At<String>],
    projects: &ProjectIds<'_>,
) -> Vec<String> {
    for at in named {
        if let Some(message) = project::missing(&at.value, projects) {
            table.findings.warn(&at.spot, message);
        }
    }
    named.iter().map(|at| at.value.clone()).collect()
}
