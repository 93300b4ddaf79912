//! Fetching one key set (S4.6): no redirects, no private addresses that were not asked for, bounded in bytes and time.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, header};

use crate::config::is_public;
use crate::config::settings::KeySetUrl;
use crate::control::compile::roots;
use crate::limits::{KEY_SET_BYTES_MAX, KEY_SET_WITHIN};
use crate::upstream::client_config;

/// Why there is no set.
#[derive(Debug)]
pub(super) enum FetchError {
    /// The client could not be made.
    Unready(String),
    Http(reqwest::Error),
    Status(StatusCode),
    TooLong,
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FetchError::Unready(why) => f.write_str(why),
            FetchError::Http(error) => {
                write!(f, "{error}")?;
                let mut source = error.source();
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
            FetchError::Status(status) if status.is_redirection() => {
                write!(f, "answered {status}; redirects are not followed")
            }
            FetchError::Status(status) => write!(f, "answered {status}"),
            FetchError::TooLong => write!(f, "longer than {KEY_SET_BYTES_MAX} bytes"),
        }
    }
}

/// The text of the set.
pub(super) async fn fetch(source: &KeySetUrl) -> Result<Vec<u8>, FetchError> {
    let request = client(source)?
        .get(&source.url)
        .header(header::ACCEPT, "application/jwk-set+json, application/json");
    let mut response = request.send().await.map_err(FetchError::Http)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FetchError::Http)? {
        if text.len() + chunk.len() > KEY_SET_BYTES_MAX {
            return Err(FetchError::TooLong);
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

/// A client for one fetch: the next one resolves and connects anew.
fn client(source: &KeySetUrl) -> Result<Client, FetchError> {
    let unready = |error: &dyn Error| FetchError::Unready(error.to_string());
    let roots = roots(source.roots.as_deref()).map_err(|error| unready(&error))?;
    let tls = client_config(roots).map_err(|error| unready(&error))?;
    let guard = Guard {
        private_addresses: source.private_addresses,
    };
    Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(guard))
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .timeout(KEY_SET_WITHIN)
        .user_agent(concat!("adit/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(FetchError::Http)
}

/// Resolves names, and keeps to itself what they must not lead to.
struct Guard {
    private_addresses: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let private_addresses = self.private_addresses;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let is_allowed = |address: &SocketAddr| private_addresses || is_public(address.ip());
            let allowed: Vec<SocketAddr> = found.filter(is_allowed).collect();
            if allowed.is_empty() {
                return Err(
                    "the name leads to a private network alone (jwks_private_addresses)".into(),
                );
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
