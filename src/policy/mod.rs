//! The policy of a moment, and [`decide()`]: who gets through.
//!
//! Owns: the compiled policy of one core and the order in which a request is judged. Comes in: a parsed request, what is
//! known of its connection, the time, and the core's memory of verified tokens (which changes no verdict). Goes out: a
//! [`Decision`]. No socket, no clock, no allocation on the warm path. `adit run`, the tests and every tool that explains
//! a verdict call this one function.

mod budget;
pub mod client_address;
mod decide;
pub mod explain;
pub mod reach;
pub mod refusal;

use std::net::IpAddr;
use std::sync::Arc;

use crate::authn::session::{Ended, SessionRules};
use crate::authn::{Authorization, Identity};
use crate::authz::Permit;
use crate::boundary::TunnelProperties;
use crate::certificate::{Certificates, PeerCertificate};
use crate::http::host::CanonicalHost;
use crate::http::request::Request;
use crate::network::NetworkPolicy;
use crate::network::countries::Countries;
use crate::route::Routes;
use crate::seal::Sealer;
use crate::token::{KeySet, TokenKeys, WantedKey};

pub use decide::{Memory, decide};
pub use refusal::Refusal;

/// Everything that verdicts come from. Immutable; built off the data path, one copy for each core. What is large stands
/// behind a pointer of that core's own, so that other keys do not copy it.
#[derive(Clone, Debug)]
pub struct Policy {
    pub base_host: CanonicalHost,
    /// The port that browsers see.
    pub public_port: u16,
    /// Host to index in `tunnels`.
    pub routes: Arc<Routes<usize>>,
    pub tunnels: Arc<Vec<Tunnel>>,
    /// `https.tls_min_version` is TLS 1.3: that of every name.
    pub tls13_only: bool,
    /// Which country an address is in; `None`: nobody knows. Read by all cores, and counted by none of them while they judge.
    pub countries: Option<Arc<Countries>>,
    /// Some tunnel's upstream is told who sends: the base host shows the keys of assertions.
    pub shows_assertion_keys: bool,
    /// `None`: no token is ever good.
    pub keys: Option<TokenKeys>,
    /// `None`: no browser is asked to sign in or to meet a challenge.
    pub browsers: Option<Arc<Browsers>>,
    /// Client certificates that somebody has registered.
    pub certificates: Arc<Certificates>,
    /// Tokens that fail per second and client; 0: no limit (S9).
    pub failed_verifications_per_second: u64,
    /// Tokens that take a public key, likewise.
    pub expensive_verifications_per_second: u64,
}

impl Policy {
    /// What a handshake for this name asks for (rstream 1.2, 10.1); `None`: the client names nobody.
    pub fn handshake(&self, name: Option<&CanonicalHost>) -> Handshake {
        let tunnel = name.and_then(|name| self.routes.find(name));
        self.handshake_of(tunnel.and_then(|index| self.tunnels.get(*index)))
    }

    fn handshake_of(&self, tunnel: Option<&Tunnel>) -> Handshake {
        Handshake {
            asks_for_certificate: tunnel.is_some_and(|tunnel| tunnel.mechanisms.certificate),
            tls13_only: self.tls13_only || tunnel.is_some_and(|tunnel| tunnel.tls13_only),
        }
    }

    /// The same with other keys of one issuer; see [`TokenKeys::with_key_set`].
    pub fn with_key_set(&self, issuer: &str, set: &KeySet) -> Option<Self> {
        let keys = self.keys.as_ref()?.with_key_set(issuer, set)?;
        Some(Policy {
            keys: Some(keys),
            ..self.clone()
        })
    }
}

/// What browsers are asked for, and by what their cookies are opened.
#[derive(Debug)]
pub struct Browsers {
    /// Read by all cores, and counted by none of them while they judge.
    pub sealer: Arc<Sealer>,
    pub sessions: SessionRules,
}

/// One published tunnel, as far as verdicts go.
#[derive(Debug)]
pub struct Tunnel {
    /// As configured: the stable name in logs and metrics.
    pub hostname: String,
    pub project: String,
    pub workspace: String,
    pub mechanisms: Mechanisms,
    /// Where its clients may come from.
    pub network: NetworkPolicy,
    /// Its own `tls_min_version`, or that of its project, is TLS 1.3.
    pub tls13_only: bool,
    /// Whose the `Authorization` field is (S4.2).
    pub authorization: Authorization,
    /// `path_semicolon = "allow"` (S2).
    pub semicolon_allowed: bool,
    /// `trailers = true`: trailer fields pass both ways (S3.1).
    pub trailers: bool,
    /// `identity_headers = true`: its upstream is told who sends.
    pub names_sender: bool,
    /// `upgrades_outlive_expiry = true`: a WebSocket goes on when what let it in expires, but for that alone (S5.7).
    pub upgrades_outlive_expiry: bool,
    /// Pages of other origins that may cause what a browser proves by itself (S5.1).
    pub allowed_origins: Vec<Box<str>>,
    /// What a boundary's filters may ask for.
    pub properties: TunnelProperties,
}

/// What a tunnel takes as a proof. None at all: `public = true`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mechanisms {
    /// `token_auth = true`.
    pub token: bool,
    /// `mtls_auth = true`.
    pub certificate: bool,
    /// `rstream_auth = true`.
    pub session: bool,
    /// `challenge_mode = true`: no proof of who it is, and asked for before a session.
    pub challenge: bool,
}

impl Mechanisms {
    /// Nothing is asked for.
    pub fn is_public(self) -> bool {
        self == Mechanisms::default()
    }

    /// Whether somebody must prove who it is.
    pub fn authenticates(self) -> bool {
        self.token || self.certificate || self.session
    }
}

/// What a TLS handshake asks of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    /// A certificate, which the client may decline to show.
    pub asks_for_certificate: bool,
    /// TLS 1.3: an older client fails.
    pub tls13_only: bool,
}

/// What is known of the connection a request came on.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    pub scheme: Scheme,
    /// The canonical TLS server name; `None` where the client sent none, or without TLS.
    pub server_name: Option<&'a CanonicalHost>,
    /// Mapped IPv6 addresses are given as IPv4. `None`: unknown.
    pub client: Option<IpAddr>,
    /// What the handshake asked for, by the policy of that time. Without TLS: nothing.
    pub handshake: Handshake,
    /// The certificate whose key the client has; whose that is has not been asked.
    pub certificate: Option<&'a PeerCertificate>,
}

impl Connection<'_> {
    /// One without TLS.
    pub fn plain(client: Option<IpAddr>) -> Self {
        Connection {
            scheme: Scheme::Http,
            server_name: None,
            client,
            handshake: Handshake::default(),
            certificate: None,
        }
    }

    /// The same for one request, which may be from somebody else (S7).
    pub fn of(self, client: Option<IpAddr>) -> Self {
        Connection { client, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// All that a verdict looks at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub connection: Connection<'a>,
    pub request: Request<'a>,
    /// Who has been signed out.
    pub ended: &'a Ended,
}

/// What is to be done with a request.
#[derive(Debug)]
pub enum Decision {
    Forward(Permit),
    Refuse(Refused),
    /// A token asks for a key that its issuer may have by now.
    NeedsKeys(Box<NeedsKeys>),
    /// A browser that must sign in first, at the tunnel with this index.
    NeedsSignIn(usize),
    /// A browser that must meet a challenge first, likewise.
    NeedsChallenge(usize),
    /// The edge itself answers.
    Endpoint(Endpoint),
}

/// What to wait for before a request is judged once more.
#[derive(Debug)]
pub struct NeedsKeys {
    pub key: WantedKey,
    /// The verdict where it cannot be had.
    pub otherwise: Refused,
}

/// What the edge answers itself.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// The public keys of assertions, for upstreams: a page of the base host.
    AssertionKeys,
    /// Who is signed in at the tunnel with this index.
    Session(usize, Identity),
    /// What a page of another origin, which may, may ask of the tunnel with this index (S5.9).
    Preflight(usize),
    /// A step of signing in, signing out or a challenge, which the control thread answers; of this tunnel, or of the base
    /// host.
    Flow(Option<usize>),
}

/// The path of the keys of assertions on the base host. It lies where the edge owns every path (S1.4).
pub const ASSERTION_KEYS_PATH: &str = "/.well-known/rstream/jwks.json";

/// A no, and how far the request came.
#[derive(Debug)]
pub struct Refused {
    pub refusal: Refusal,
    /// The tunnel it was for, by its index in the policy, once that was found.
    pub tunnel: Option<usize>,
    /// Who it was, where that was proven.
    pub identity: Identity,
}
