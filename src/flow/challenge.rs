//! Challenges at the base host: a proof of work, redeemed once (S5.11). It is never authentication.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::answer::{self, Fault};
use super::asked::Asked;
use super::rules::{Challenge, Rules};
use super::{Flow, lock, not_used};
use crate::authn::session::Short;
use crate::handover::{
    CHALLENGE_CALLBACK_PATH, CHALLENGE_REQUEST_SECONDS, CODE_SECONDS, ChallengeCode,
    ChallengeRequest, Unusable, client_prefix, request_id,
};
use crate::pages::{self, ChallengePage};

/// The page that works for it; with a counter, what came of the work.
pub(super) fn show(flow: &Flow, rules: &Rules, asked: &Asked) -> Result<Response, Fault> {
    let challenge = rules.challenge.as_ref().ok_or(Fault::NotFound)?;
    let sealed = asked.parameter("request").ok_or(Fault::LinkBroken)?;
    let mut scratch = Vec::new();
    let request = wanted(flow, rules, challenge, (asked, &sealed), &mut scratch)?;
    let id = request_id(sealed.as_bytes());
    let nonce = URL_SAFE_NO_PAD.encode(id);
    // A request that only looks takes nothing.
    if asked.method == Method::GET
        && let Some(counter) = asked.parameter("counter")
    {
        if !pages::verify(&nonce, &counter, challenge.difficulty_bits) {
            return Err(Fault::Unproven);
        }
        redeem(flow, &request, &id, flow.now_unix())?;
        return handed_over(flow, rules, challenge, &request);
    }
    let host = rules.authority(request.flow.host);
    let page = ChallengePage {
        tunnel_host: &host,
        request: &sealed,
        nonce: &nonce,
        difficulty_bits: challenge.difficulty_bits,
        return_url: &format!("https://{host}{}", request.flow.target),
    };
    Ok(answer::page(pages::challenge(&rules.brand, &page)))
}

/// Back to the tunnel, with a code. It is worth something only beside the state cookie of the browser that began.
fn handed_over(
    flow: &Flow,
    rules: &Rules,
    challenge: &Challenge,
    request: &ChallengeRequest<'_>,
) -> Result<Response, Fault> {
    let code = ChallengeCode {
        id: flow.random()?,
        state: request.flow.state,
        prefix: request.prefix,
        expires_at: flow.now_unix() + CODE_SECONDS,
        target: request.flow.target,
    };
    let host = request.flow.host;
    let code = code.seal(&challenge.sealer, host, &flow.random()?);
    let origin = rules.origin(host);
    let place = format!("{origin}{CHALLENGE_CALLBACK_PATH}?code={code}");
    Ok(answer::redirect(StatusCode::FOUND, &place))
}

/// Once for each request, and so often for each network.
fn redeem(flow: &Flow, request: &ChallengeRequest<'_>, id: &Short, now: u64) -> Result<(), Fault> {
    let mut challenges = lock(&flow.challenges);
    let (used, redemptions) = &mut *challenges;
    let expires_at = now + CHALLENGE_REQUEST_SECONDS;
    used.use_once(id, request.flow.expires_at.max(expires_at), now)
        .map_err(not_used)?;
    if !redemptions.admit(&request.prefix, now) {
        return Err(Fault::TooMany(60 - now % 60));
    }
    Ok(())
}

/// The request in the link, for this network and a tunnel that asks for it.
fn wanted<'a>(
    flow: &Flow,
    rules: &Rules,
    challenge: &Challenge,
    (asked, sealed): (&Asked, &str),
    scratch: &'a mut Vec<u8>,
) -> Result<ChallengeRequest<'a>, Fault> {
    let (host, now) = (rules.base_host.as_str(), flow.now_unix());
    let sealer = &challenge.sealer;
    let request = ChallengeRequest::open(sealer, host, sealed.as_bytes(), now, scratch);
    let request = request.map_err(|error| match error {
        Unusable::Broken => Fault::LinkBroken,
        Unusable::Expired => Fault::LinkExpired,
    })?;
    let asks = rules
        .tunnel(request.flow.host)
        .is_some_and(|tunnel| tunnel.challenges);
    if !asks || request.prefix != client_prefix(asked.client) {
        return Err(Fault::LinkBroken);
    }
    Ok(request)
}
