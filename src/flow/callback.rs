//! The way back to a tunnel: a code, and the state cookie of the browser that began; both serve once (S5.3).

use std::sync::PoisonError;

use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{self, Fault};
use super::asked::Asked;
use super::logout::session_user;
use super::rules::{Challenge, Rules, Tunnel};
use super::{Flow, lock};
use crate::authn::session::{SessionError, Short};
use crate::handover::{
    CHALLENGE_COOKIE, ChallengeCode, ChallengePass, Code, SESSION_COOKIE, STATE_COOKIE, Unusable,
    client_prefix, seal_session, state_hash,
};
use crate::seal::Kind;

/// `/api/auth/callback`: a code becomes a session.
pub(super) fn signed_in(
    flow: &Flow,
    rules: &Rules,
    tunnel: &Tunnel,
    asked: &Asked,
) -> Result<Response, Fault> {
    let sign_in = rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    let sealed = asked.parameter("code").ok_or(Fault::CodeBroken)?;
    let (host, now) = (asked.host.as_str(), flow.now_unix());
    let mut scratch = Vec::new();
    let code = Code::open(&sign_in.sealer, host, sealed.as_bytes(), now, &mut scratch);
    let code = code.map_err(unusable)?;
    let place = format!("{}{}", rules.origin(host), code.target);
    match exchange(flow, rules, tunnel, (asked, &code)) {
        Ok(cookie) => {
            let seconds = code.session.expires_at.saturating_sub(now);
            let mut response = answer::redirect(StatusCode::FOUND, &place);
            answer::set_cookie(&mut response, SESSION_COOKIE, &cookie, seconds);
            answer::delete_cookie(&mut response, STATE_COOKIE);
            Ok(response)
        }
        // Another window of this browser was quicker, or somebody went back: the session is there, and stays what it is.
        Err(Fault::OtherBrowser | Fault::CodeUsed)
            if session_user(flow, rules, tunnel, asked).is_some() =>
        {
            Ok(answer::redirect(StatusCode::FOUND, &place))
        }
        Err(fault) => Err(fault),
    }
}

/// The session's cookie for a code, which is used by that.
fn exchange(
    flow: &Flow,
    rules: &Rules,
    tunnel: &Tunnel,
    (asked, code): (&Asked, &Code<'_>),
) -> Result<String, Fault> {
    let sign_in = rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    let (host, now) = (asked.host.as_str(), flow.now_unix());
    is_of_this_browser(asked, &code.state)?;
    let judged = {
        let ended = flow.sessions.ended.read();
        let ended = ended.unwrap_or_else(PoisonError::into_inner);
        let at = (host, tunnel.project.as_str());
        sign_in.sessions.judge(&code.session, at, &ended, now)
    };
    judged.map_err(|error| match error {
        SessionError::Broken => Fault::CodeBroken,
        SessionError::NotAllowed => Fault::NotAllowed,
        SessionError::Expired | SessionError::Ended | SessionError::ClaimsTooOld => Fault::Ended,
    })?;
    if !lock(&flow.hand_overs).admit(&code.session.user(), now) {
        return Err(Fault::TooMany(60 - now % 60));
    }
    let random = flow.random()?;
    let cookie = seal_session(&code.session, Kind::Session, &sign_in.sealer, host, &random);
    let cookie = cookie.ok_or(Fault::Failed)?;
    flow.use_both((&code.id, code.expires_at), &code.state)?;
    Ok(cookie)
}

/// `/api/challenge/callback`: a code becomes a pass.
pub(super) fn challenged(
    flow: &Flow,
    rules: &Rules,
    tunnel: &Tunnel,
    asked: &Asked,
) -> Result<Response, Fault> {
    let challenge = rules.challenge.as_ref().ok_or(Fault::NotFound)?;
    let sealed = asked.parameter("code").ok_or(Fault::CodeBroken)?;
    let (host, now) = (asked.host.as_str(), flow.now_unix());
    let mut scratch = Vec::new();
    let sealer = &challenge.sealer;
    let code = ChallengeCode::open(sealer, host, sealed.as_bytes(), now, &mut scratch);
    let code = code.map_err(unusable)?;
    let place = format!("{}{}", rules.origin(host), code.target);
    let prefix = client_prefix(asked.client);
    match pass_on(flow, challenge, tunnel, (asked, &code, &prefix)) {
        Ok(cookie) => {
            let seconds = challenge.lifetime.as_secs();
            let mut response = answer::redirect(StatusCode::FOUND, &place);
            answer::set_cookie(&mut response, CHALLENGE_COOKIE, &cookie, seconds);
            answer::delete_cookie(&mut response, STATE_COOKIE);
            Ok(response)
        }
        // Another window of this browser was quicker.
        Err(Fault::OtherBrowser | Fault::CodeUsed)
            if asked.cookie(CHALLENGE_COOKIE).is_some_and(|cookie| {
                let at = (host, tunnel.project.as_str());
                let now = (&prefix, now);
                ChallengePass::counts(sealer, at, cookie.as_bytes(), now, &mut Vec::new())
            }) =>
        {
            Ok(answer::redirect(StatusCode::FOUND, &place))
        }
        Err(fault) => Err(fault),
    }
}

/// The pass for a code, which is used by that.
fn pass_on(
    flow: &Flow,
    challenge: &Challenge,
    tunnel: &Tunnel,
    (asked, code, prefix): (&Asked, &ChallengeCode<'_>, &Short),
) -> Result<String, Fault> {
    is_of_this_browser(asked, &code.state)?;
    if code.prefix != *prefix {
        return Err(Fault::OtherBrowser);
    }
    let random = flow.random()?;
    flow.use_both((&code.id, code.expires_at), &code.state)?;
    let expires_at = flow.now_unix() + challenge.lifetime.as_secs();
    let pass = ChallengePass::new(&tunnel.project, code.prefix, expires_at);
    Ok(pass.seal(&challenge.sealer, asked.host.as_str(), &random))
}

fn unusable(error: Unusable) -> Fault {
    match error {
        Unusable::Broken => Fault::CodeBroken,
        Unusable::Expired => Fault::CodeExpired,
    }
}

/// The code is worth nothing to whoever was only led to it.
fn is_of_this_browser(asked: &Asked, state: &Short) -> Result<(), Fault> {
    let cookie = asked.cookie(STATE_COOKIE);
    let is_it = cookie.is_some_and(|cookie| state_hash(cookie.as_bytes()) == *state);
    if is_it {
        Ok(())
    } else {
        Err(Fault::OtherBrowser)
    }
}
