//! Signing out: at one tunnel, and everywhere (S5.7). A session ends on the edge, not only in the browser.

use std::sync::PoisonError;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Flow;
use super::answer::{self, Fault};
use super::asked::Asked;
use super::rules::{Provider, Rules, Tunnel};
use super::sign_in::{base_session, check_form, form_token};
use crate::authn::session::{Short, short, user_at};
use crate::handover::{BASE_COOKIE, FORM_COOKIE, REQUEST_SECONDS, SESSION_COOKIE, open_session};
use crate::pages;
use crate::seal::Kind;

/// `/.well-known/rstream/logout` of a tunnel: its session, and that of the base host, which would make a new one at once.
pub(super) async fn at_tunnel(
    flow: &Flow,
    rules: &Rules,
    tunnel: &Tunnel,
    asked: &Asked,
) -> Result<Response, Fault> {
    if asked.method != Method::POST {
        return Err(Fault::Method("POST"));
    }
    asked.is_not_foreign(rules)?;
    match asked.content_type().as_deref() {
        None if !asked.has_body() => {}
        Some("application/json") => {}
        None | Some(_) => return Err(Fault::MediaType),
    }
    let mut response = answer::empty(StatusCode::NO_CONTENT);
    if let Some(user) = session_user(flow, rules, tunnel, asked) {
        let host = asked.host.as_str();
        let base_host = rules.base_host.as_str();
        let ended = vec![user_at(&user, host), user_at(&user, base_host)];
        flow.end_sessions(ended).await?;
        answer::delete_cookie(&mut response, SESSION_COOKIE);
        tracing::info!(event = "signed_out", tunnel = host, request_id = asked.id());
    }
    Ok(response)
}

/// Who the session in this request is, if it counts.
pub(super) fn session_user(
    flow: &Flow,
    rules: &Rules,
    tunnel: &Tunnel,
    asked: &Asked,
) -> Option<Short> {
    let sign_in = rules.sign_in.as_ref().filter(|_| tunnel.signs_in)?;
    let cookie = asked.cookie(SESSION_COOKIE)?.as_bytes();
    let (host, mut scratch) = (asked.host.as_str(), Vec::new());
    let session = open_session(Kind::Session, &sign_in.sealer, host, cookie, &mut scratch)?;
    let ended = flow.sessions.ended.read();
    let ended = ended.unwrap_or_else(PoisonError::into_inner);
    let at = (host, tunnel.project.as_str());
    let judged = sign_in
        .sessions
        .judge(&session, at, &ended, flow.now_unix());
    judged.ok().map(|()| session.user())
}

/// `/rstream/logout`: a button, or that nobody is signed in.
pub(super) fn show(flow: &Flow, rules: &Rules, asked: &Asked) -> Result<Response, Fault> {
    rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    if base_session(flow, rules, asked, &mut Vec::new()).is_none() {
        return Ok(answer::page(pages::signed_out(&rules.brand)));
    }
    let (token, cookie) = form_token(flow, rules, asked, purpose())?;
    let mut response = answer::page(pages::sign_out(&rules.brand, &token));
    answer::set_cookie(&mut response, FORM_COOKIE, &cookie, REQUEST_SECONDS);
    Ok(response)
}

/// Ends the session of the base host and all of this user at tunnels.
pub(super) async fn submit(
    flow: &Flow,
    rules: &Rules,
    asked: &Asked,
    body: Body,
) -> Result<Response, Fault> {
    rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    asked.is_own(rules)?;
    let token = asked.form(body).await?.field("form_token")?;
    check_form(flow, rules, asked, &token, &purpose())?;
    let mut scratch = Vec::new();
    let user = base_session(flow, rules, asked, &mut scratch).map(|session| session.user());
    if let Some(user) = user {
        flow.end_sessions(vec![user]).await?;
        tracing::info!(event = "signed_out", request_id = asked.id());
    }
    let page = match at_provider(flow, rules)? {
        Some(place) => pages::hand_over(&rules.brand, &place.host, &place.address),
        None => pages::signed_out(&rules.brand),
    };
    let mut response = answer::page(page);
    answer::delete_cookie(&mut response, BASE_COOKIE);
    answer::delete_cookie(&mut response, FORM_COOKIE);
    Ok(response)
}

struct Place {
    host: String,
    address: String,
}

/// Where the session of a provider elsewhere ends: it would sign the same user in again at once.
fn at_provider(flow: &Flow, rules: &Rules) -> Result<Option<Place>, Fault> {
    let sign_in = rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    let Provider::Oidc(provider) = &sign_in.provider else {
        return Ok(None);
    };
    let state = URL_SAFE_NO_PAD.encode(flow.random::<16>()?);
    let url = provider.logout_url(None, &state);
    Ok(url.map(|url| Place {
        host: url.host_str().unwrap_or_default().to_owned(),
        address: url.into(),
    }))
}

/// Of the form that signs out.
pub(super) fn purpose() -> Short {
    short(&[b"logout"])
}
