//! What a provider says about itself (OpenID Connect Discovery 1.0 section 3), and its keys. Pure: text comes in.

use std::net::IpAddr;

use url::{Host, Url};

use super::error::DiscoveryFault;
use super::member;
use crate::config::is_public;
use crate::config::settings::Oidc;
use crate::json::{self, Json};
use crate::token::{Algorithm, Jws, KeySet, VerifyingKey};

/// What an ID token may be signed with: no HS256, whose key is the client's secret, so that everybody who verifies could
/// also sign.
const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];

/// How the client proves itself where codes are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    /// `client_secret_basic`.
    Basic,
    /// `client_secret_post`.
    Post,
    /// It has no secret.
    None,
}

/// A discovery document that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Discovery {
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    /// Never empty.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) client_auth: ClientAuth,
    /// Its callbacks say who answers (RFC 9207).
    pub(super) names_issuer: bool,
}

/// Where the document of an issuer is.
pub(super) fn address(issuer: &str) -> String {
    let issuer = issuer.trim_end_matches('/');
    format!("{issuer}/.well-known/openid-configuration")
}

impl Discovery {
    pub(super) fn parse(text: &[u8], settings: &Oidc) -> Result<Self, DiscoveryFault> {
        let tree = json::parse(text).map_err(|_| DiscoveryFault::NotJson)?;
        let document = Document {
            members: tree.as_object().ok_or(DiscoveryFault::NotJson)?,
            plain: settings.issuer.starts_with("http://"),
            private_addresses: settings.private_addresses,
        };
        if document.text("issuer")? != Some(&settings.issuer) {
            return Err(DiscoveryFault::OtherIssuer);
        }
        let offered = document.texts("id_token_signing_alg_values_supported")?;
        let offered = offered.ok_or(DiscoveryFault::NoAlgorithm)?;
        let offered: Vec<Algorithm> = offered.into_iter().filter_map(Algorithm::parse).collect();
        let algorithms: Vec<Algorithm> = ALGORITHMS
            .into_iter()
            .filter(|algorithm| offered.contains(algorithm))
            .collect();
        if algorithms.is_empty() {
            return Err(DiscoveryFault::NoAlgorithm);
        }
        let names_issuer = "authorization_response_iss_parameter_supported";
        Ok(Discovery {
            authorization_endpoint: document.page("authorization_endpoint")?,
            token_endpoint: document.endpoint("token_endpoint")?,
            jwks_uri: document.endpoint("jwks_uri")?,
            userinfo_endpoint: document.optional("userinfo_endpoint", Document::endpoint)?,
            end_session_endpoint: document.optional("end_session_endpoint", Document::page)?,
            algorithms,
            client_auth: document.client_auth(settings.client_secret.is_some())?,
            names_issuer: member(document.members, names_issuer) == Some(&Json::Bool(true)),
        })
    }
}

struct Document<'a> {
    members: &'a [(String, Json)],
    /// The issuer itself is spoken to in the clear, on a loopback address.
    plain: bool,
    private_addresses: bool,
}

impl Document<'_> {
    fn text(&self, name: &'static str) -> Result<Option<&str>, DiscoveryFault> {
        let value = member(self.members, name);
        let text = value.map(|value| value.as_str().ok_or(DiscoveryFault::Member(name)));
        text.transpose()
    }

    fn texts(&self, name: &'static str) -> Result<Option<Vec<&str>>, DiscoveryFault> {
        let Some(value) = member(self.members, name) else {
            return Ok(None);
        };
        let list = value.as_array().unwrap_or_default().iter();
        let texts: Option<Vec<&str>> = list.map(Json::as_str).collect();
        Ok(Some(texts.ok_or(DiscoveryFault::Member(name))?))
    }

    /// An address that browsers are sent to. What is not https could be read and changed on the way; what is on this
    /// machine is so only for an issuer that is too.
    fn page(&self, name: &'static str) -> Result<Url, DiscoveryFault> {
        let text = self.text(name)?.ok_or(DiscoveryFault::Member(name))?;
        let refused = DiscoveryFault::Address(name);
        let url = Url::parse(text).map_err(|_| refused)?;
        let is_bare = url.username().is_empty() && url.password().is_none();
        let is_safe = match url.scheme() {
            "https" => true,
            "http" => self.plain && literal(&url).is_some_and(|address| address.is_loopback()),
            _ => false,
        };
        let is_whole = is_bare && url.fragment().is_none() && url.host().is_some();
        (is_safe && is_whole).then_some(url).ok_or(refused)
    }

    /// An address that is asked from here. A name is looked at when it has been resolved.
    fn endpoint(&self, name: &'static str) -> Result<Url, DiscoveryFault> {
        let url = self.page(name)?;
        let is_private = literal(&url).is_some_and(|address| !is_public(address));
        if is_private && !self.private_addresses && url.scheme() == "https" {
            return Err(DiscoveryFault::Address(name));
        }
        Ok(url)
    }

    fn optional(
        &self,
        name: &'static str,
        read: impl Fn(&Self, &'static str) -> Result<Url, DiscoveryFault>,
    ) -> Result<Option<Url>, DiscoveryFault> {
        let is_there = member(self.members, name).is_some();
        is_there.then(|| read(self, name)).transpose()
    }

    /// A document that does not say takes `client_secret_basic`.
    fn client_auth(&self, has_secret: bool) -> Result<ClientAuth, DiscoveryFault> {
        if !has_secret {
            return Ok(ClientAuth::None);
        }
        let Some(offered) = self.texts("token_endpoint_auth_methods_supported")? else {
            return Ok(ClientAuth::Basic);
        };
        if offered.contains(&"client_secret_basic") {
            Ok(ClientAuth::Basic)
        } else if offered.contains(&"client_secret_post") {
            Ok(ClientAuth::Post)
        } else {
            Err(DiscoveryFault::NoClientAuth)
        }
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// The keys of a provider.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    stated: KeySet,
    /// The same read without PS256: an RSA key that does not say what it is for is for RS256, the default of OpenID
    /// Connect. One key is never good for both.
    unstated: KeySet,
}

impl Keys {
    pub(super) fn parse(text: &[u8], algorithms: &[Algorithm]) -> Result<Self, DiscoveryFault> {
        let others = algorithms.iter().copied();
        let others: Vec<Algorithm> = others.filter(|one| *one != Algorithm::Ps256).collect();
        let set = |algorithms: &[Algorithm]| {
            KeySet::parse(text, algorithms).ok_or(DiscoveryFault::KeySet)
        };
        Ok(Keys {
            stated: set(algorithms)?,
            unstated: set(&others)?,
        })
    }

    pub(super) fn find(&self, jws: &Jws<'_>) -> Option<&VerifyingKey> {
        let (algorithm, kid) = (jws.algorithm(), jws.kid());
        let set = if algorithm == Algorithm::Rs256 {
            &self.unstated
        } else {
            &self.stated
        };
        set.find(algorithm, kid)
    }
}

#[cfg(test)]
mod tests;
