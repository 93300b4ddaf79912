//! Configuration: TOML in, [`settings::Settings`] or a list of errors out.
//!
//! Owns: every step from a path to checked settings. Comes in: the path of the main file and the environment. Goes
//! out: [`Loaded`], or a [`Report`] of everything that is wrong at once, each with file, line, column and key, and
//! what would do. What was written (`written`, joined by `gather`) and what it means (`settings`) are two types; only
//! the second can build anything.
//!
//! Refuses: unknown keys (a misspelt guard is a missing guard), a tunnel without authentication that is not declared
//! public (S10.2), names that reach the base host (S1.4), secrets that others can read and files that others can write
//! (S10.1), and an upstream that is this process itself (S8).
//!
//! Tested in `tests/config_errors` (the exact messages), `tests/config_sources.rs` (several files, the environment,
//! access rights) and `tests/config_reference.rs` (the files in `config/`).

mod access;
mod address;
mod bounds;
mod certificate;
mod client_address;
mod client_ca;
mod credential;
mod credential_certificate;
mod credential_file;
mod diff;
pub mod environment;
mod field;
mod files;
mod gather;
mod geoip;
mod hostname;
mod issuer;
mod issuer_keys;
mod jwks_url;
mod listener;
mod nearest;
mod oidc;
mod problem;
mod process;
mod project;
mod reader;
mod resources;
mod revocations;
pub mod settings;
mod sign_in;
mod sign_in_grant;
mod sources;
mod state;
mod tokens;
mod tunnel;
mod units;
mod unreachable;
mod upstream;
mod written;

use std::path::Path;

pub use address::is_public;
pub use credential_file::secret_from_file_bytes;
pub use diff::diff;
pub use environment::{is_override, is_secret};
pub use listener::reaches;
pub use problem::{Problem, Report};
pub use revocations::revocations;
pub use sources::{Fingerprint, Sources};
pub use state::state_file;
pub use upstream::lookup;

use field::Field;
use listener::Listeners;
use problem::{Findings, Place, Source, Spot};
use project::ProjectIds;
use reader::Reader;
use settings::{HttpMode, Settings};
use tunnel::Context;

/// A configuration that may be used.
#[derive(Debug)]
pub struct Loaded {
    pub settings: Settings,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<Problem>,
    /// The files that it was made of.
    pub sources: Sources,
}

/// Reads and checks the configuration at `path` with the overrides of `environment`. Binds nothing; resolves the names
/// of upstreams, so it may wait for DNS.
pub fn load(path: &Path, environment: &[(String, String)]) -> Result<Loaded, Report> {
    load_with_sources(path, environment).0
}

/// As [`load`], and looks for what takes longer to find: credentials and issuers that can connect to no tunnel.
pub fn check(path: &Path, environment: &[(String, String)]) -> Result<Loaded, Report> {
    read(path, environment, Care::Thorough).0
}

/// As [`load`], and tells which files it read, good or bad.
pub fn load_with_sources(
    path: &Path,
    environment: &[(String, String)],
) -> (Result<Loaded, Report>, Sources) {
    read(path, environment, Care::Usual)
}

/// What is looked for besides faults.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    Usual,
    Thorough,
}

fn read(
    path: &Path,
    environment: &[(String, String)],
    care: Care,
) -> (Result<Loaded, Report>, Sources) {
    let findings = Findings::default();
    let main = Source::file(path, 0);
    let root = gather::gather(&main, environment, &findings);
    let settings = root.and_then(|root| {
        let spot = Spot {
            place: Place::start(&main),
            key: String::new(),
        };
        let root = Reader::new(Some(&root), spot, TABLES, &findings);
        let settings = understand(&root)?;
        if care == Care::Thorough && !findings.any_error() {
            unreachable::warn(&root, &settings);
        }
        Some(settings)
    });
    let sources = findings.sources.take();
    let loaded = findings.conclude().and_then(|warnings| match settings {
        Some(settings) => Ok(Loaded {
            settings,
            warnings,
            sources: sources.clone(),
        }),
        None => Err(Report::unexplained(path)),
    });
    (loaded, sources)
}

const TABLES: &[&str] = &[
    "include",
    "engine",
    "cores",
    "https",
    "http",
    "client_address",
    "tokens",
    "project",
    "tunnel",
    "credential",
    "issuer",
    "client_ca",
    "sign_in",
    "challenge",
    "geoip",
    "timeouts",
    "limits",
    "admin",
    "log",
];

/// Every table in turn; a table that fails does not keep the others from being checked.
fn understand(root: &Reader<'_>) -> Option<Settings> {
    let engine = process::engine(root);
    let cores = process::cores(root);
    let log = process::log(root);
    let listeners = Listeners::new(root.findings);
    let https = listener::https(root, &listeners);
    let client_address = client_address::trust(root);
    let http = listener::http(root, &listeners, client_address.as_ref());
    let admin = listener::admin(root, &listeners);
    serves_something(root, &https, &http);
    let geoip = geoip::geoip(root);
    let projects = project::projects(root, &geoip);
    let bounds = projects.as_ref().map(|projects| project::by_id(projects));
    let ids = bounds.as_ref().map(project::ids);
    let tokens = tokens::tokens(root, ids.as_ref());
    let (sign_in, challenge) = sign_in::browsers(root, ids.as_ref());
    let client_cas = client_ca::client_cas(root);
    let credentials = credential::credentials(root, ids.as_ref(), client_cas.as_deref());
    let issuers = issuer::issuers(
        root,
        &issuer::Context {
            projects: ids.as_ref(),
            tokens: tokens.good().map(|at| &at.value),
            credentials: credentials.as_deref(),
        },
    );
    let bounding = credentials.as_ref().zip(issuers.as_ref());
    let reached = bounding.map(|(credentials, issuers)| reached(credentials, issuers, &tokens));
    let certified = credentials.as_ref().map(|all| certified(all));
    let tunnels = tunnel::tunnels(
        root,
        &Context {
            base_host: engine.as_ref().map(|engine| engine.host.as_str()),
            projects: ids.as_ref(),
            bounds: bounds.as_ref(),
            geoip: &geoip,
            tokens: &tokens,
            reached: reached.as_ref(),
            certified: certified.as_ref(),
            sign_in: &sign_in,
            challenge: &challenge,
            has_https: !matches!(https, Field::Absent(_)),
            serves_plain: matches!(&http, Field::Good(at) if at.value.mode == HttpMode::Serve),
            certificates: https.good().map(|at| at.value.certificates.as_slice()),
            tls_min_version: https.good().map(|at| at.value.tls_min_version),
            listeners: &listeners,
        },
    );
    let (timeouts, limits) = (bounds::timeouts(root), bounds::limits(root));
    Some(Settings {
        engine: engine?,
        cores: cores?,
        https: https.optional()?.map(|at| at.value),
        http: http.optional()?.map(|at| at.value),
        client_address: client_address?,
        tokens: tokens.optional()?.map(|at| at.value),
        credentials: credentials?,
        issuers: issuers?,
        client_cas: client_cas?,
        projects: projects?.into_iter().map(|at| at.value).collect(),
        tunnels: tunnels?,
        sign_in: sign_in.optional()?.map(|at| at.value),
        challenge: challenge.optional()?.map(|at| at.value),
        geoip: geoip.optional()?.map(|at| at.value),
        timeouts: timeouts?,
        limits: limits?,
        admin: admin.optional()?.map(|at| at.value),
        log: log?,
    })
}

/// The projects that certificates of anybody reach.
fn certified(credentials: &[settings::Credential]) -> ProjectIds<'_> {
    let all = credentials.iter();
    all.filter(|credential| credential.kind.is_certificate())
        .flat_map(|credential| &credential.projects)
        .map(String::as_str)
        .collect()
}

/// The projects that tokens of anybody reach.
fn reached<'a>(
    credentials: &'a [settings::Credential],
    issuers: &'a [settings::Issuer],
    tokens: &'a Field<settings::Tokens>,
) -> ProjectIds<'a> {
    let bounds = credentials
        .iter()
        .filter(|credential| !credential.kind.is_certificate())
        .map(|credential| &credential.projects);
    let bounds = bounds.chain(issuers.iter().map(|issuer| &issuer.projects));
    let ce = tokens.good().and_then(|at| at.value.ce.as_ref());
    let bounds = bounds.chain(ce.map(|ce| &ce.projects));
    bounds.flatten().map(String::as_str).collect()
}

fn serves_something(
    root: &Reader<'_>,
    https: &Field<settings::Https>,
    http: &Field<settings::Http>,
) {
    let serves = match http {
        Field::Good(at) => at.value.mode == HttpMode::Serve,
        Field::Bad => true,
        Field::Absent(_) => false,
    };
    if let Field::Absent(spot) = https
        && !serves
    {
        root.findings.error(
            spot,
            "no listener would serve a tunnel: add [https], or [http] with mode = \"serve\" on a loopback address",
        );
    }
}
