//! `[sign_in]` and `[challenge]`: who may enter by browser, and what browsers must do first.
//!
//! Refuses: a key that is too short, a user without a usable hash, a sign-in that nobody can pass, a grant that names nobody.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::credential::some_projects;
use super::credential_file;
use super::field::{At, Field};
use super::files::{self, Purpose};
use super::problem::Place;
use super::project::{ProjectIds, identifier};
use super::reader::Reader;
use super::settings::{Challenge, SignIn, SignInProvider, SignInUser};
use super::written::quoted;
use super::{oidc, sign_in_grant};
use crate::limits::{
    DIFFICULTY_BITS_MAX, DIFFICULTY_BITS_MIN, SEAL_KEY_BYTES_MIN, SESSION_LIFETIME_MAX,
};
use crate::pages::Logo;
use crate::password::PasswordHash;
use crate::seal::Sealer;
use crate::secret::Secret;

const SESSION_LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
const CLAIMS_MAX_AGE: Duration = Duration::from_secs(15 * 60);
const TITLE_LETTERS_MAX: usize = 64;
const DIFFICULTY_BITS: u64 = 20;
const CHALLENGE_LIFETIME: Duration = Duration::from_secs(60 * 60);

const KNOWN: &[&str] = &[
    "provider",
    "session_lifetime",
    "seal_key",
    "seal_key_file",
    "seal_key_previous",
    "seal_key_previous_file",
    "claims_max_age",
    "title",
    "logo_file",
    "oidc",
    "user",
    "grant",
];

/// `[sign_in]` and `[challenge]`, which share a key. `projects` is `None` if they are not known.
pub(super) fn browsers(
    root: &Reader<'_>,
    projects: Option<&ProjectIds<'_>>,
) -> (Field<SignIn>, Field<Challenge>) {
    let sign_in = root
        .table("sign_in", KNOWN)
        .then(|at| sign_in(&at.value, projects));
    let known = &[
        "difficulty_bits",
        "lifetime",
        "seal_key",
        "seal_key_file",
        "seal_key_previous",
        "seal_key_previous_file",
    ];
    let challenge = root
        .table("challenge", known)
        .then(|at| challenge(&at.value, &sign_in));
    (sign_in, challenge)
}

fn sign_in(table: &Reader<'_>, projects: Option<&ProjectIds<'_>>) -> Option<SignIn> {
    let lifetime = within(table, "session_lifetime", SESSION_LIFETIME);
    let claims_max_age = within(table, "claims_max_age", CLAIMS_MAX_AGE);
    let sealer = sealer(table);
    let expected = "1 to 64 characters of one line";
    let title = table.value("title", expected, |node| {
        let text = node.text()?;
        let fits = (1..=TITLE_LETTERS_MAX).contains(&text.chars().count());
        (fits && !text.chars().any(char::is_control)).then(|| text.to_owned())
    });
    let title = title.optional();
    let logo = table.file("logo_file").then(|at| logo(table, at));
    let logo = logo.optional();
    let is_oidc = is_oidc(table);
    let grants = sign_in_grant::grants(table, projects, is_oidc != Some(true));
    let provider = provider(table, projects, is_oidc);
    let (provider, grants) = (provider?, grants?);
    if is_oidc? && grants.is_empty() {
        let message = "nobody can enter anything: add a [[sign_in.grant]], or remove [sign_in]";
        table.findings.error(&table.spot, message);
        return None;
    }
    Some(SignIn {
        provider,
        session_lifetime: lifetime?,
        claims_max_age: claims_max_age?,
        sealer: sealer?,
        title: title?.map(|at| at.value),
        logo: logo?.map(|at| at.value),
        grants,
    })
}

fn is_oidc(table: &Reader<'_>) -> Option<bool> {
    let provider = table.value("provider", "\"builtin\" or \"oidc\"", |node| {
        match node.text()? {
            "builtin" => Some(false),
            "oidc" => Some(true),
            _ => None,
        }
    });
    provider.or(false)
}

/// Each provider has its own tables; one of the other is a mistake, and not left out.
fn provider(
    table: &Reader<'_>,
    projects: Option<&ProjectIds<'_>>,
    is_oidc: Option<bool>,
) -> Option<SignInProvider> {
    let findings = table.findings;
    let provider = table.table("oidc", oidc::KNOWN);
    let provider = provider.then(|at| oidc::oidc(&at.value));
    let users = users(table, projects)?;
    if is_oidc? {
        if !users.is_empty() {
            let message =
                "[[sign_in.user]] counts only with provider = \"builtin\": remove the users";
            findings.error(&table.spot, message);
            return None;
        }
        let example = "[sign_in.oidc] with issuer and client_id";
        let provider = provider.required(findings, example)?;
        return Some(SignInProvider::Oidc(provider.value));
    }
    if let Field::Good(at) = &provider {
        let message = "counts only with provider = \"oidc\"";
        findings.error(&at.spot, message);
        return None;
    }
    if users.is_empty() {
        let message = "nobody can sign in: add a [[sign_in.user]], or remove [sign_in]";
        findings.error(&table.spot, message);
        return None;
    }
    Some(SignInProvider::Builtin(users))
}

/// A duration of a second or more; a sign-out is not remembered for longer than the longest one.
fn within(table: &Reader<'_>, key: &str, default: Duration) -> Option<Duration> {
    let duration = table.duration(key).then(|at| {
        let fits = (Duration::from_secs(1)..=SESSION_LIFETIME_MAX).contains(&at.value);
        if !fits {
            let message = "must be from 1s to 30d";
            table.findings.error(&at.spot, message);
        }
        fits.then_some(at.value)
    });
    duration.or(default)
}

fn challenge(table: &Reader<'_>, sign_in: &Field<SignIn>) -> Option<Challenge> {
    let range = DIFFICULTY_BITS_MIN..=DIFFICULTY_BITS_MAX;
    let difficulty_bits = table.integer("difficulty_bits", range).or(DIFFICULTY_BITS);
    let lifetime = within(table, "lifetime", CHALLENGE_LIFETIME);
    let sealer = match sign_in {
        Field::Absent(_) => sealer(table),
        Field::Bad => None,
        Field::Good(sign_in) => {
            let keys = [
                "seal_key",
                "seal_key_file",
                "seal_key_previous",
                "seal_key_previous_file",
            ];
            let given = keys.iter().find_map(|key| {
                let found = table.look_up(key);
                found.good().map(|at| at.spot.clone())
            });
            match given {
                Some(spot) => {
                    let message = "the key of [sign_in] seals challenges too: remove this one";
                    table.findings.error(&spot, message);
                    None
                }
                None => Some(sign_in.value.sealer.clone()),
            }
        }
    };
    Some(Challenge {
        difficulty_bits: u8::try_from(difficulty_bits?).ok()?,
        lifetime: lifetime?,
        sealer: sealer?,
    })
}

fn sealer(table: &Reader<'_>) -> Option<Arc<Sealer>> {
    let current = credential_file::secret(table, "seal_key").then(|at| long_enough(table, at));
    let current = current.required(
        table.findings,
        "seal_key_file = \"/etc/adit/secrets/seal\", of 32 bytes or more",
    );
    let previous = credential_file::secret(table, "seal_key_previous");
    let previous = previous.then(|at| long_enough(table, at)).optional();
    let previous = previous?.map(|at| at.value);
    Sealer::new(current?.value, previous).map(Arc::new)
}

fn long_enough(table: &Reader<'_>, at: &At<Secret>) -> Option<Secret> {
    let length = at.value.expose().len();
    if length < SEAL_KEY_BYTES_MIN {
        let message = format!(
            "the key has {length} bytes and needs at least {SEAL_KEY_BYTES_MIN}: openssl rand -hex 32"
        );
        table.findings.error(&at.spot, message);
        return None;
    }
    Some(at.value.clone())
}

fn logo(table: &Reader<'_>, at: &At<PathBuf>) -> Option<Logo> {
    let findings = table.findings;
    findings.sources.borrow_mut().add_file(&at.value);
    let contents = files::read(&at.value, Purpose::Certificates);
    let contents = contents
        .map_err(|error| findings.error(&at.spot, error.message(&at.value, Purpose::Certificates)))
        .ok()?;
    let logo = Logo::parse(contents.bytes.to_vec());
    logo.map_err(|_| {
        let message = "expected an image of at most 256 KiB, PNG or SVG";
        findings.error(&at.spot, message);
    })
    .ok()
}

fn users(table: &Reader<'_>, projects: Option<&ProjectIds<'_>>) -> Option<Vec<SignInUser>> {
    let tables = table.tables("user", &["name", "password_hash", "projects"])?;
    let mut names: HashMap<String, Place> = HashMap::new();
    let users: Vec<Option<SignInUser>> = tables
        .iter()
        .map(|table| user(table, projects, &mut names))
        .collect();
    users.into_iter().collect()
}

fn user(
    table: &Reader<'_>,
    projects: Option<&ProjectIds<'_>>,
    names: &mut HashMap<String, Place>,
) -> Option<SignInUser> {
    let findings = table.findings;
    let name = identifier(table, "name").then(|at| {
        if let Some(first) = names.get(&at.value) {
            let message = format!("{} is already a user at {first}", quoted(&at.value));
            findings.error(&at.spot, message);
            return None;
        }
        names.insert(at.value.clone(), at.spot.place.clone());
        Some(at.value.clone())
    });
    let name = name.required(findings, "name = \"ana\"");
    let hash = table.text("password_hash").then(|at| {
        let hash = PasswordHash::parse(&at.value);
        hash.map_err(|error| findings.error(&at.spot, error.to_string()))
            .ok()
    });
    let hash = hash.required(
        findings,
        "password_hash = \"$argon2id$...\", made by: adit user hash-password",
    );
    let projects = table
        .texts("projects")
        .then(|at| some_projects(table, at, projects))
        .required(findings, "projects = [\"proj-1\"]");
    Some(SignInUser {
        name: name?.value,
        password_hash: hash?.value,
        projects: projects?.value,
    })
}
