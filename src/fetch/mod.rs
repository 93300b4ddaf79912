//! HTTP to servers that others run: no redirects, no proxies, no private addresses that were not asked for, bounded in
//! bytes and time.

pub(crate) mod plan;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use rustls::pki_types::CertificateDer;

use crate::config::is_public;
use crate::upstream::{client_config, roots};

/// Why there is no answer. Shows the address that was asked, and nothing that was sent there.
#[derive(Debug)]
pub(crate) enum FetchError {
    /// The client could not be made.
    Unready(String),
    Http(reqwest::Error),
    Status(StatusCode),
    /// Longer than so many bytes.
    TooLong(usize),
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
            FetchError::TooLong(most) => write!(f, "longer than {most} bytes"),
        }
    }
}

/// What may be reached, and whom it must be.
pub(crate) struct Reach<'a> {
    /// Whose certificates count; `None`: those that the system trusts.
    pub(crate) roots: Option<&'a [CertificateDer<'static>]>,
    /// A name may lead into a private network.
    pub(crate) private_addresses: bool,
    /// The key of the configuration that says so.
    pub(crate) private_key: &'static str,
    /// How long one exchange may take.
    pub(crate) within: Duration,
}

/// A client whose every request resolves and connects anew: an address is judged when it is used.
pub(crate) fn client(reach: &Reach<'_>) -> Result<Client, FetchError> {
    let unready = |error: &dyn Error| FetchError::Unready(error.to_string());
    let roots = roots(reach.roots).map_err(|error| unready(&error))?;
    let tls = client_config(roots).map_err(|error| unready(&error))?;
    let guard = Guard {
        private_addresses: reach.private_addresses,
        private_key: reach.private_key,
    };
    Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(guard))
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .pool_max_idle_per_host(0)
        .timeout(reach.within)
        .user_agent(concat!("adit/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(FetchError::Http)
}

/// The body of a good answer.
pub(crate) async fn fetch(
    request: RequestBuilder,
    bytes_max: usize,
) -> Result<Vec<u8>, FetchError> {
    let response = request.send().await.map_err(FetchError::Http)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    body(response, bytes_max).await
}

/// The body of any answer.
pub(crate) async fn body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, FetchError> {
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FetchError::Http)? {
        if text.len() + chunk.len() > bytes_max {
            return Err(FetchError::TooLong(bytes_max));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

/// Resolves names, and keeps to itself what they must not lead to.
struct Guard {
    private_addresses: bool,
    private_key: &'static str,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (private_addresses, key) = (self.private_addresses, self.private_key);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let is_allowed = |address: &SocketAddr| private_addresses || is_public(address.ip());
            let allowed: Vec<SocketAddr> = found.filter(is_allowed).collect();
            if allowed.is_empty() {
                let why = format!("the name leads to a private network alone ({key})");
                return Err(why.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
