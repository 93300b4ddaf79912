//! What a configuration means, after every check: the only type that the rest of the process is built from.

mod access;
mod sign_in;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::authn::Authorization;
use crate::boundary::TunnelProperties;
use crate::certificate::San;
use crate::http::host::CanonicalHost;
use crate::json::Json;
use crate::limits::{Limits, Timeouts};
use crate::policy::client_address::Trust;
use crate::secret::Secret;
use crate::token::{Algorithm, KeySet, P521Key};
pub use access::{Access, Geoip, Project, PublicAccess, TlsVersion, TrustedIps};
pub use sign_in::{Challenge, Oidc, SignIn, SignInGrant, SignInProvider, SignInUser};

/// One checked configuration. Every name in it resolves, every file it needs was read.
#[derive(Debug)]
pub struct Settings {
    pub engine: Engine,
    pub cores: Cores,
    pub https: Option<Https>,
    pub http: Option<Http>,
    pub client_address: Trust,
    pub tokens: Option<Tokens>,
    pub credentials: Vec<Credential>,
    pub issuers: Vec<Issuer>,
    pub client_cas: Vec<ClientCa>,
    pub projects: Vec<Project>,
    pub tunnels: Vec<Tunnel>,
    pub sign_in: Option<SignIn>,
    pub challenge: Option<Challenge>,
    pub geoip: Option<Geoip>,
    pub timeouts: Timeouts,
    pub limits: Limits,
    pub admin: Option<Admin>,
    pub log: Log,
}

impl Settings {
    /// A tunnel as the filters of boundaries see it.
    pub fn properties(&self, tunnel: &Tunnel) -> TunnelProperties {
        let https = self.https.as_ref();
        let access = &tunnel.access;
        TunnelProperties {
            hostname: Some(tunnel.hostname.clone()),
            host: Some(tunnel.hostname.clone()),
            tls_mode: https.map(|_| "terminated"),
            tls_min_version: https
                .map(|https| https.tls_min_version.max(access.tls_min_version).as_str()),
            upstream_tls: tunnel.upstream.is_tls(),
            token_auth: tunnel.token_auth,
            rstream_auth: tunnel.rstream_auth,
            mtls_auth: tunnel.mtls_auth,
            challenge_mode: tunnel.challenge_mode,
            labels: tunnel.labels.clone(),
            trusted_ips: access
                .trusted_ips
                .as_ref()
                .map(|list| list.texts.clone())
                .unwrap_or_default(),
            geo_ip: access
                .geoip
                .iter()
                .map(|one| one.as_str().to_owned())
                .collect(),
            ..TunnelProperties::default()
        }
    }

    /// Whether any tunnel's upstream is told who sends.
    pub fn identity_headers(&self) -> bool {
        self.tunnels.iter().any(|tunnel| tunnel.identity_headers)
    }
}

#[derive(Debug)]
pub struct Engine {
    /// Base host, canonical (lower case, no final dot).
    pub host: String,
    /// Node name in logs and metrics; default: the base host.
    pub name: String,
    pub state_dir: PathBuf,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Cores {
    pub workers: Workers,
    pub driver: Driver,
    /// Submission entries of each ring; 256 to 32768, a power of two.
    pub ring_entries: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Workers {
    /// One on each CPU this process may run on.
    All,
    /// This many, on the first CPUs this process may run on.
    Count(usize),
    /// One on each of these CPUs.
    Cpus(Vec<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    Auto,
    IoUring,
    Epoll,
}

#[derive(Debug)]
pub struct Https {
    pub listen: Vec<SocketAddr>,
    /// The port browsers see. `None`: that of the first bound listen entry.
    pub public_port: Option<u16>,
    pub tls_min_version: TlsVersion,
    /// In the order written; without SNI the first is used. Never empty.
    pub certificates: Vec<Certificate>,
}

#[derive(Debug)]
pub struct Certificate {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    /// DNS names of the leaf (subjectAltName), lower case; a wildcard is `*.` and a parent.
    pub names: Vec<String>,
}

#[derive(Debug)]
pub struct Http {
    pub listen: Vec<SocketAddr>,
    pub mode: HttpMode,
    /// Only peers that [`Settings::client_address`] lists may connect (S6.3).
    pub behind_tls_balancer: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMode {
    Redirect,
    Serve,
}

#[derive(Debug)]
pub struct Tokens {
    /// At least 32 bytes.
    pub hs256_secret: Secret,
    /// Verified tokens that one core remembers.
    pub cache_entries: usize,
    /// A personal access token must be that of a [`Credential`].
    pub require_stored_pat: bool,
    /// What was taken back beside the configuration.
    pub revocations: Revocations,
    /// Tokens without `type`; `None`: refused.
    pub ce: Option<CeTokens>,
}

/// What `revocations_file` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// `None`: there is no such file.
    pub file: Option<PathBuf>,
    /// Ids of credentials.
    pub credentials: HashSet<String>,
    /// SHA-256 of compact tokens.
    pub tokens: HashSet<[u8; 32]>,
}

/// One stored credential.
#[derive(Debug, PartialEq, Eq)]
pub struct Credential {
    pub id: String,
    pub kind: CredentialKind,
    pub projects: Vec<String>,
    /// `None`: all.
    pub permissions: Option<Vec<String>>,
    /// `resources.tunnels`, checked. Credentials with equal ones share it.
    pub boundary: Option<Arc<Json>>,
    pub revoked: bool,
    /// Seconds since the Unix epoch.
    pub updated_at: Option<u64>,
}

/// Another issuer whose tokens count.
#[derive(Debug)]
pub struct Issuer {
    /// The exact `iss`.
    pub issuer: String,
    /// Empty: not looked at.
    pub audience: Vec<String>,
    /// Never empty.
    pub algorithms: Vec<Algorithm>,
    pub keys: IssuerKeys,
    /// Seconds; `None`: unlimited.
    pub max_lifetime: Option<u64>,
    pub projects: Vec<String>,
    pub permissions: Vec<String>,
    /// `resources.tunnels`, checked.
    pub boundary: Option<Arc<Json>>,
    pub resources_claim: Option<String>,
    pub subject_claim: String,
}

/// Where an issuer's keys come from.
#[derive(Debug)]
pub enum IssuerKeys {
    Fixed(KeySet),
    Url(KeySetUrl),
}

/// A key set that is fetched (S4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetUrl {
    /// `https`, or `http` to a loopback address; the host is the issuer's or listed.
    pub url: String,
    /// A name may lead into a private network.
    pub private_addresses: bool,
    /// Certificates of `jwks_ca_file`; `None`: the system's roots.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// A set that could not be renewed for so long is not used any more.
    pub max_stale: Duration,
}

#[derive(Debug, PartialEq, Eq)]
pub enum CredentialKind {
    Pat {
        token_sha256: [u8; 32],
    },
    App {
        public_key: P521Key,
    },
    User,
    /// A client certificate, by the SHA-256 of its DER.
    Certificate {
        sha256: [u8; 32],
    },
    /// A name in certificates that this CA, one of `Settings::client_cas`, vouches for.
    CertificateName {
        client_ca: String,
        name: San,
    },
}

impl CredentialKind {
    /// Whether a client certificate proves it, and no token does.
    pub fn is_certificate(&self) -> bool {
        match self {
            CredentialKind::Certificate { .. } | CredentialKind::CertificateName { .. } => true,
            CredentialKind::Pat { .. } | CredentialKind::App { .. } | CredentialKind::User => false,
        }
    }
}

/// A CA that client certificates may be under.
#[derive(Debug)]
pub struct ClientCa {
    pub name: String,
    /// Never empty.
    pub certificates: Vec<CertificateDer<'static>>,
    /// `None`: it publishes none.
    pub revocations: Option<Vec<CertificateRevocationListDer<'static>>>,
}

/// Bounds of every CE token (S4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeTokens {
    pub projects: Vec<String>,
    pub permissions: Vec<String>,
}

#[derive(Debug)]
pub struct Tunnel {
    /// Canonical exact name, or `*.` and a canonical parent.
    pub hostname: String,
    /// The id of one of `Settings::projects`.
    pub project: String,
    pub upstream: Upstream,
    /// What holds, within the bounds of its project.
    pub access: Access,
    pub token_auth: bool,
    /// Browsers may sign in; [`Settings::sign_in`] is there.
    pub rstream_auth: bool,
    pub mtls_auth: bool,
    /// Browsers must meet a challenge first; [`Settings::challenge`] is there.
    pub challenge_mode: bool,
    pub public: bool,
    pub authorization: Authorization,
    /// Pages of these origins may cause what a browser proves by itself (S5.1).
    pub allowed_origins: Vec<String>,
    /// `path_semicolon = "allow"` (S2).
    pub path_semicolon_allowed: bool,
    /// Trailer fields pass both ways (S3.1).
    pub trailers: bool,
    /// The upstream is told who sends.
    pub identity_headers: bool,
    /// WebSockets go on when what let them in expires (S5.7).
    pub upgrades_outlive_expiry: bool,
    pub labels: Vec<(String, String)>,
}

/// Where a tunnel's requests go: to one of these, in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Never empty; all with TLS, or none.
    pub servers: Vec<UpstreamServer>,
}

impl Upstream {
    pub fn is_tls(&self) -> bool {
        self.servers.iter().any(|server| server.tls.is_some())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamServer {
    pub place: UpstreamPlace,
    pub tls: Option<UpstreamTls>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamPlace {
    Tcp {
        /// A name, or an address without brackets.
        host: String,
        port: u16,
        /// Resolved at load; never empty. Each of them serves.
        addresses: Vec<SocketAddr>,
    },
    /// A socket's path from the root.
    Unix(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    pub server_name: rustls::pki_types::ServerName<'static>,
    /// Certificates of `upstream_ca_file`; `None`: the system's roots.
    pub roots: Option<Vec<CertificateDer<'static>>>,
}

#[derive(Clone, Debug)]
pub struct Admin {
    pub listen: AdminListen,
    /// From `bearer_token_file`.
    pub bearer_token: Option<Secret>,
    /// The status page needs no token. Only where `listen` is a loopback address, or a socket of the file system.
    pub open_on_loopback: bool,
    /// Names a request may use beside those of loopback and the address itself.
    pub hosts: Vec<CanonicalHost>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminListen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug)]
pub struct Log {
    pub level: LogLevel,
    pub access: AccessLog,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    Stdout,
    Off,
    File(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}
