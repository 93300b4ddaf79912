//! What the edge asks the provider itself: its documents, tokens for a code, and the user's claims.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, StatusCode};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::discovery::{self, ClientAuth, Discovery, Keys};
use super::error::{ErrorCode, OidcError, TokenFault};
use super::member;
use crate::config::settings::Oidc;
use crate::fetch::{self, FetchError};
use crate::json::{self, Json};
use crate::limits::{KEY_SET_BYTES_MAX, OIDC_ANSWER_BYTES_MAX};
use crate::secret::Secret;

impl From<FetchError> for OidcError {
    fn from(error: FetchError) -> Self {
        OidcError::Unreachable(error.to_string())
    }
}

/// The discovery document and the keys that it leads to.
pub(super) async fn documents(
    client: &Client,
    settings: &Oidc,
) -> Result<(Discovery, Keys), OidcError> {
    let ask = |address: &str| client.get(address).header(ACCEPT, "application/json");
    let address = discovery::address(&settings.issuer);
    let document = fetch::fetch(ask(&address), OIDC_ANSWER_BYTES_MAX).await?;
    let discovery = Discovery::parse(&document, settings)?;
    let set = fetch::fetch(ask(discovery.jwks_uri.as_str()), KEY_SET_BYTES_MAX).await?;
    let keys = Keys::parse(&set, &discovery.algorithms)?;
    Ok((discovery, keys))
}

/// What a code was exchanged for.
pub(super) struct Tokens {
    pub(super) id_token: String,
    pub(super) access_token: Option<Secret>,
}

/// Exchanges a code (RFC 6749 4.1.3, RFC 7636 4.5).
pub(super) async fn redeem(
    client: &Client,
    discovery: &Discovery,
    settings: &Oidc,
    redirect_uri: &str,
    secrets: (&Secret, &str),
) -> Result<Tokens, OidcError> {
    let request = client.post(discovery.token_endpoint.clone());
    let method = discovery.client_auth;
    let (request, form) = asked(request, method, settings, redirect_uri, secrets)?;
    redeemed(request, form).await
}

/// The request for tokens, and its form.
fn asked(
    mut request: RequestBuilder,
    method: ClientAuth,
    settings: &Oidc,
    redirect_uri: &str,
    (code, verifier): (&Secret, &str),
) -> Result<(RequestBuilder, Zeroizing<String>), OidcError> {
    let code = String::from_utf8_lossy(code.expose());
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", &code)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("code_verifier", verifier);
    let mut proof = None;
    match (method, &settings.client_secret) {
        (ClientAuth::Basic, Some(secret)) => {
            request = request.header(AUTHORIZATION, basic(&settings.client_id, secret)?);
        }
        (ClientAuth::Post, Some(secret)) => {
            form.append_pair("client_id", &settings.client_id);
            proof = Some(encoded(secret.expose()));
        }
        (ClientAuth::Basic | ClientAuth::Post | ClientAuth::None, _) => {
            form.append_pair("client_id", &settings.client_id);
        }
    }
    let form = form.finish();
    let form = match proof {
        Some(secret) => [&*form, "&client_secret=", &*secret].concat(),
        None => form,
    };
    Ok((request, Zeroizing::new(form)))
}

async fn redeemed(request: RequestBuilder, form: Zeroizing<String>) -> Result<Tokens, OidcError> {
    let request = request
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.as_bytes().to_vec());
    let response = request.send().await.map_err(FetchError::Http)?;
    let status = response.status();
    if status != StatusCode::OK && !status.is_client_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
    {
        return Err(FetchError::Status(status).into());
    }
    let body = fetch::body(response, OIDC_ANSWER_BYTES_MAX).await?;
    let tree = json::parse(&body).ok();
    let members = tree.as_ref().and_then(Json::as_object).unwrap_or_default();
    let text = |name| member(members, name).and_then(Json::as_str);
    if status != StatusCode::OK {
        let code = text("error").unwrap_or_default();
        return Err(
            if code == "invalid_client" || status == StatusCode::UNAUTHORIZED {
                OidcError::Client
            } else {
                OidcError::Exchange(ErrorCode::of(code))
            },
        );
    }
    let access_token = text("access_token").map(|token| Secret::new(token.as_bytes().to_vec()));
    Ok(Tokens {
        id_token: text("id_token").ok_or(TokenFault::Missing)?.to_owned(),
        access_token,
    })
}

/// What the provider says about the user whose access token this is.
pub(super) async fn user_info(
    client: &Client,
    endpoint: &Url,
    access_token: &Secret,
) -> Result<Json, OidcError> {
    let value = Zeroizing::new([b"Bearer ", access_token.expose()].concat());
    let request = client
        .get(endpoint.clone())
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, hidden(&value)?);
    match fetch::fetch(request, OIDC_ANSWER_BYTES_MAX).await {
        Ok(body) => json::parse(&body).map_err(|_| OidcError::UserInfo),
        Err(FetchError::Status(status)) if status.is_client_error() => Err(OidcError::UserInfo),
        Err(error) => Err(error.into()),
    }
}

/// Name and secret are encoded before they are joined (RFC 6749 2.3.1).
fn basic(client_id: &str, secret: &Secret) -> Result<HeaderValue, OidcError> {
    let joined = encoded(client_id.as_bytes());
    let joined = Zeroizing::new([&*joined, ":", &*encoded(secret.expose())].concat());
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(joined.as_bytes())));
    hidden(value.as_bytes())
}

fn encoded(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(form_urlencoded::byte_serialize(bytes).collect())
}

/// A value that no message shows.
fn hidden(value: &[u8]) -> Result<HeaderValue, OidcError> {
    let mut value = HeaderValue::from_bytes(value).map_err(|_| OidcError::UserInfo)?;
    value.set_sensitive(true);
    Ok(value)
}
