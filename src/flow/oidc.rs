//! Signing in at an OpenID Connect provider: there, back, and out.
//!
//! What a sign-in is wanted for goes with the browser, sealed in a cookie that serves once. Nothing waits here.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;

use super::Flow;
use super::answer::{self, Fault};
use super::asked::Asked;
use super::input;
use super::rules::{Provider, Rules, SignIn, SignedIn};
use super::sign_in::{completed, wanted_again};
use crate::authn::session::{Short, short, user};
use crate::handover::{
    FlowRequest, PROVIDER_COOKIE, ProviderFlow, REQUEST_SECONDS, Unusable, request_id,
};
use crate::limits::OIDC_QUERY_BYTES_MAX;
use crate::oidc::{self, FlowSecrets, OidcError, Prompt};

/// Sends a browser to the provider.
pub(super) async fn begin(
    flow: &Flow,
    rules: &Rules,
    provider: &oidc::Provider,
    request: &FlowRequest<'_>,
    prompt: Prompt,
) -> Result<Response, Fault> {
    let sign_in = rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    let begun = provider.begin(prompt).await.map_err(fault)?;
    let secrets = begun.secrets.to_bytes();
    let kept = ProviderFlow {
        request: *request,
        secrets: &secrets[..],
    };
    let base_host = rules.base_host.as_str();
    let cookie = kept.seal(&sign_in.sealer, base_host, &flow.random()?);
    let mut response = answer::redirect(StatusCode::FOUND, begun.url.as_str());
    answer::set_cookie(&mut response, PROVIDER_COOKIE, &cookie, REQUEST_SECONDS);
    Ok(response)
}

/// The browser comes back.
pub(super) async fn finish(flow: &Flow, rules: &Rules, asked: &Asked) -> Result<Response, Fault> {
    let (sign_in, provider) = at_provider(rules)?;
    let sealed = asked.cookie(PROVIDER_COOKIE).ok_or(Fault::OtherBrowser)?;
    let (host, now) = (rules.base_host.as_str(), flow.now_unix());
    let mut scratch = Vec::new();
    let kept = ProviderFlow::open(&sign_in.sealer, host, sealed.as_bytes(), now, &mut scratch);
    let kept = kept.map_err(|error| match error {
        Unusable::Broken => Fault::OtherBrowser,
        Unusable::Expired => Fault::LinkExpired,
    })?;
    let tunnel = wanted_again(rules, &kept.request)?;
    let secrets = FlowSecrets::from_bytes(kept.secrets).ok_or(Fault::OtherBrowser)?;
    flow.use_once(&request_id(sealed.as_bytes()), kept.request.expires_at)?;
    let finished = provider.finish(asked.query(), &secrets).await;
    let mut response = match finished {
        Ok(user) => {
            let wanted = (&kept.request, sealed, tunnel);
            completed(flow, rules, asked, wanted, &signed_in(sign_in, user))?
        }
        // The provider knows nobody any more and was not to ask.
        Err(OidcError::LoginRequired) => {
            return begin(flow, rules, provider, &kept.request, Prompt::Usual).await;
        }
        Err(error) => {
            tracing::warn!(
                event = "sign_in_failed",
                reason = error.reason(),
                request_id = asked.id(),
                "{error}"
            );
            return Err(fault(error));
        }
    };
    answer::delete_cookie(&mut response, PROVIDER_COOKIE);
    Ok(response)
}

/// The provider says that somebody is out (OpenID Connect Back-Channel Logout 1.0, 2.8).
pub(super) async fn logout(flow: &Flow, rules: &Rules, body: Body) -> Result<Response, Fault> {
    let (sign_in, provider) = at_provider(rules)?;
    let bytes = axum::body::to_bytes(body, OIDC_QUERY_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| Fault::TooLong)?;
    let out = provider
        .back_channel_logout(&bytes)
        .await
        .map_err(|error| {
            tracing::warn!(event = "logout_refused", reason = error.reason(), "{error}");
            fault(error)
        })?;
    let subject = out.subject.as_deref();
    let everywhere = subject.map(|subject| user(&sign_in.sessions.provider, subject));
    // With the name of a session, the user's other sessions go on.
    let ended = match (out.sid.as_deref(), everywhere) {
        (Some(sid), _) => vec![session_id(sign_in, sid)],
        (None, Some(user)) => vec![user],
        (None, None) => return Err(Fault::LinkBroken),
    };
    flow.end_sessions(ended).await?;
    tracing::info!(event = "signed_out", "by the provider");
    Ok(answer::empty(StatusCode::OK))
}

/// The settings, and the provider, where users sign in at one.
fn at_provider(rules: &Rules) -> Result<(&SignIn, &oidc::Provider), Fault> {
    let sign_in = rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    match &sign_in.provider {
        Provider::Oidc(provider) => Ok((sign_in, provider)),
        Provider::Builtin(_) => Err(Fault::NotFound),
    }
}

fn session_id(sign_in: &SignIn, sid: &str) -> Short {
    short(&[b"sid", &sign_in.sessions.provider, sid.as_bytes()])
}

/// Only what some grant names goes on with the browser.
fn signed_in(sign_in: &SignIn, user: oidc::SignedIn) -> SignedIn {
    let email = user.email.unwrap_or_default();
    let domain = email.rsplit_once('@').map(|(_, domain)| domain);
    let addresses = domain.map(|domain| [input::email(&email), input::email_domain(domain)]);
    let groups = user.groups.iter().map(|name| input::group(name));
    let inputs = addresses
        .into_iter()
        .flatten()
        .chain([input::subject(&user.subject)])
        .chain(groups)
        .filter(|input| sign_in.sessions.grants.contains_key(input));
    SignedIn {
        inputs: inputs.collect(),
        sid: user
            .sid
            .as_deref()
            .map_or(Short::default(), |sid| session_id(sign_in, sid)),
        name: user.name.unwrap_or_default(),
        subject: user.subject,
        email,
    }
}

pub(super) fn fault(error: OidcError) -> Fault {
    let status = match &error {
        OidcError::Unreachable(_) | OidcError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        OidcError::State
        | OidcError::Issuer
        | OidcError::Nonce
        | OidcError::LoginRequired
        | OidcError::Replayed => StatusCode::BAD_REQUEST,
        OidcError::Denied => StatusCode::FORBIDDEN,
        OidcError::Discovery(_)
        | OidcError::Refused(_)
        | OidcError::Exchange(_)
        | OidcError::Client
        | OidcError::Token(_)
        | OidcError::UserInfo => StatusCode::BAD_GATEWAY,
        OidcError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Fault::Provider(status, error.reason())
}
