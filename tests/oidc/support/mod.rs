//! A client of a provider, as the edge is one.

pub mod browser;
pub mod mock;
pub mod node;

use std::future::Future;
use std::time::Duration;

use adit::config::settings::Oidc;
use adit::oidc::{Addresses, FlowSecrets, OidcError, Prompt, Provider, SignedIn};
use adit::runtime::clock::Clock;
use adit::secret::Secret;
use rustls::pki_types::CertificateDer;
use url::Url;

pub use browser::Browser;
pub use mock::Mock;
pub use node::Node;

/// Far longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const CLIENT_ID: &str = "edge client";
/// Must never be seen anywhere; has what the two encodings of a secret treat differently.
pub const CLIENT_SECRET: &str = "canary-secret +/%&=: of the client";
pub const REDIRECT_URI: &str = "https://edge.example/rstream/auth/oidc/callback";
pub const POST_LOGOUT_URI: &str = "https://edge.example/rstream/auth/out";

pub fn settings(issuer: &str) -> Oidc {
    Oidc {
        issuer: issuer.to_owned(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: Some(Secret::new(CLIENT_SECRET.as_bytes().to_vec())),
        scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
        groups_claim: "groups".to_owned(),
        roots: None,
        private_addresses: false,
    }
}

/// One provider as the edge knows it, with the runtime that it is asked on.
pub struct Edge {
    pub provider: std::sync::Arc<Provider>,
    pub clock: Clock,
    runtime: tokio::runtime::Runtime,
}

impl Edge {
    pub fn new(issuer: &str) -> Edge {
        Edge::with(settings(issuer))
    }

    /// That trusts one certificate alone, and looks into private networks.
    pub fn trusting(issuer: &str, root: Option<CertificateDer<'static>>) -> Edge {
        Edge::with(Oidc {
            roots: root.map(|root| vec![root]),
            private_addresses: true,
            ..settings(issuer)
        })
    }

    pub fn with(settings: Oidc) -> Edge {
        let addresses = Addresses {
            redirect_uri: REDIRECT_URI.to_owned(),
            post_logout_uri: POST_LOGOUT_URI.to_owned(),
        };
        let clock = Clock::default();
        let provider = Provider::new(settings, addresses, clock.clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Edge {
            provider: provider.into(),
            clock,
            runtime,
        }
    }

    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn begin(&self) -> Result<(Url, FlowSecrets), OidcError> {
        self.begin_with(Prompt::Usual)
    }

    pub fn begin_with(&self, prompt: Prompt) -> Result<(Url, FlowSecrets), OidcError> {
        let begin = self.wait(self.provider.begin(prompt))?;
        // As whoever keeps them does.
        let bytes = begin.secrets.to_bytes();
        Ok((begin.url, FlowSecrets::from_bytes(&bytes[..]).unwrap()))
    }

    pub fn finish(&self, query: &str, secrets: &FlowSecrets) -> Result<SignedIn, OidcError> {
        let finished = self.wait(self.provider.finish(query, secrets));
        if let Err(error) = &finished {
            shows_nothing(&error.to_string(), query);
            shows_nothing(&format!("{error:?}"), query);
        }
        finished
    }

    /// All of a sign-in, with a browser.
    pub fn sign_in(&self, browser: &mut Browser, user: &str) -> Result<SignedIn, OidcError> {
        let (url, secrets) = self.begin()?;
        self.finish(&browser.sign_in(&url, user), &secrets)
    }
}

/// No message for an operator has a secret of ours, or what the provider sent.
fn shows_nothing(message: &str, query: &str) {
    assert!(!message.contains("canary"), "{message}");
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if matches!(&*name, "code" | "state") && !value.is_empty() {
            assert!(!message.contains(&*value), "{name} is in {message}");
        }
    }
}

/// The parameter of a URL.
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}
