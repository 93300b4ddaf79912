//! Signing in at the base host: the form, the session that comes of it, and the code that a tunnel gets (S5.3, S5.4).

use std::sync::PoisonError;
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::answer::{self, Fault};
use super::asked::Asked;
use super::failures::Try;
use super::rules::{Builtin, Provider, Rules, SignIn, SignedIn, Tunnel};
use super::{Flow, lock, logout, oidc};
use crate::authn::session::{INPUTS_MAX, Session, SessionError, Short, short};
use crate::handover::{
    BASE_COOKIE, CODE_SECONDS, Code, FORM_COOKIE, FlowRequest, FormToken, REQUEST_SECONDS,
    SIGN_IN_CALLBACK_PATH, Unusable, open_session, request_id, seal_session,
};
use crate::limits::PASSWORD_BYTES_MAX;
use crate::oidc::Prompt;
use crate::pages::{self, DeniedPage, SignInError, SignInPage};
use crate::seal::Kind;
use crate::secret::Secret;

/// The form; or, to a browser that is signed in already, the way back.
pub(super) async fn show(flow: &Flow, rules: &Rules, asked: &Asked) -> Result<Response, Fault> {
    let sign_in = rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    let sealed = asked.parameter("request").ok_or(Fault::LinkBroken)?;
    let mut scratch = Vec::new();
    let (request, tunnel) = wanted(flow, rules, sign_in, &sealed, &mut scratch)?;
    let mut kept = Vec::new();
    let mut prompt = Prompt::Usual;
    if let Some(session) = base_session(flow, rules, asked, &mut kept) {
        let judged = sign_in.sessions.judge_grants(
            session.inputs,
            session.claims_at,
            &tunnel.project,
            flow.now_unix(),
        );
        match judged {
            Ok(()) => {
                let place = hand_over(flow, rules, (&request, &sealed, tunnel), &session)?;
                return Ok(answer::redirect(StatusCode::FOUND, &place));
            }
            Err(SessionError::NotAllowed) => {
                return denied(flow, rules, asked, (request.host, session.subject));
            }
            // Who it was says nothing any more; who it is now, the form asks.
            Err(SessionError::Broken | SessionError::Expired | SessionError::Ended) => {}
            Err(SessionError::ClaimsTooOld) => prompt = Prompt::None,
        }
    }
    match &sign_in.provider {
        Provider::Builtin(_) => form(flow, rules, asked, (&request, &sealed), None),
        Provider::Oidc(provider) => oidc::begin(flow, rules, provider, &request, prompt).await,
    }
}

/// Takes the form.
pub(super) async fn submit(
    flow: &Flow,
    rules: &Rules,
    asked: &Asked,
    body: Body,
) -> Result<Response, Fault> {
    let sign_in = rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    asked.is_own(rules)?;
    let fields = asked.form(body).await?;
    let sealed = fields.field("request")?;
    let mut scratch = Vec::new();
    let (request, tunnel) = wanted(flow, rules, sign_in, &sealed, &mut scratch)?;
    check_form(
        flow,
        rules,
        asked,
        &fields.field("form_token")?,
        &purpose(&sealed),
    )?;
    let name = fields.field("user")?;
    let password = Secret::new(fields.field("password")?.into_bytes());
    let signed_in = match &sign_in.provider {
        Provider::Builtin(users) => builtin(flow, users, asked, (&name, password)).await,
        Provider::Oidc(_) => return Err(Fault::NotFound),
    };
    let (error, wait) = match signed_in {
        Ok(Some(signed_in)) => {
            return completed(flow, rules, asked, (&request, &sealed, tunnel), &signed_in);
        }
        Ok(None) => (SignInError::WrongPassword, None),
        Err(Fault::TooMany(seconds)) => (SignInError::TooManyAttempts, Some(seconds)),
        Err(fault) => return Err(fault),
    };
    let again = Some((error, name.as_str()));
    let mut response = form(flow, rules, asked, (&request, &sealed), again)?;
    if let Some(seconds) = wait {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

/// The tunnel of a request that was good when it was sealed anew.
pub(super) fn wanted_again<'r>(
    rules: &'r Rules,
    request: &FlowRequest<'_>,
) -> Result<&'r Tunnel, Fault> {
    let tunnel = rules.tunnel(request.host).filter(|tunnel| tunnel.signs_in);
    tunnel.ok_or(Fault::LinkBroken)
}

/// Somebody has signed in: makes the session of the base host, and hands it over if the project may be entered.
pub(super) fn completed(
    flow: &Flow,
    rules: &Rules,
    asked: &Asked,
    wanted: (&FlowRequest<'_>, &str, &Tunnel),
    signed_in: &SignedIn,
) -> Result<Response, Fault> {
    let sign_in = rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    let now = flow.now_unix();
    let lifetime = sign_in.session_lifetime.as_secs();
    let inputs = signed_in.inputs.get(..INPUTS_MAX);
    let session = Session {
        provider: sign_in.sessions.provider,
        project: Short::default(),
        sid: signed_in.sid,
        issued_at: flow.now_ms(),
        claims_at: now,
        expires_at: now + lifetime,
        subject: &signed_in.subject,
        email: &signed_in.email,
        name: &signed_in.name,
        inputs: inputs.unwrap_or(&signed_in.inputs),
    };
    let (host, random) = (rules.base_host.as_str(), flow.random()?);
    let cookie = seal_session(&session, Kind::BaseSession, &sign_in.sealer, host, &random);
    let cookie = cookie.ok_or(Fault::NotAllowed)?;
    tracing::info!(
        event = "signed_in",
        user = signed_in.subject,
        tunnel = wanted.0.host,
        request_id = asked.id()
    );
    // Not a redirect: browsers hold those behind a form to its page's form-action, and where a tunnel redirects to is not
    // known here. Nor does a provider's page tell where it all leads. The form's cookie stays: forms in other tabs go on.
    let mut response = match hand_over(flow, rules, wanted, &session) {
        Ok(place) => {
            let host = rules.authority(wanted.0.host);
            answer::page(pages::hand_over(&rules.brand, &host, &place))
        }
        Err(Fault::NotAllowed) => {
            let who = (wanted.0.host, signed_in.name.as_str());
            denied(flow, rules, asked, who)?
        }
        Err(fault) => return Err(fault),
    };
    answer::set_cookie(&mut response, BASE_COOKIE, &cookie, lifetime);
    Ok(response)
}

/// The request in the link, and the tunnel that it is for.
fn wanted<'a, 'r>(
    flow: &Flow,
    rules: &'r Rules,
    sign_in: &SignIn,
    sealed: &str,
    scratch: &'a mut Vec<u8>,
) -> Result<(FlowRequest<'a>, &'r Tunnel), Fault> {
    let (host, now) = (rules.base_host.as_str(), flow.now_unix());
    let request = FlowRequest::open(&sign_in.sealer, host, sealed.as_bytes(), now, scratch);
    let request = request.map_err(|error| match error {
        Unusable::Broken => Fault::LinkBroken,
        Unusable::Expired => Fault::LinkExpired,
    })?;
    let tunnel = wanted_again(rules, &request)?;
    Ok((request, tunnel))
}

/// The session of the base host in this request, if it counts.
pub(super) fn base_session<'a>(
    flow: &Flow,
    rules: &Rules,
    asked: &Asked,
    scratch: &'a mut Vec<u8>,
) -> Option<Session<'a>> {
    let sign_in = rules.sign_in.as_ref()?;
    let cookie = asked.cookie(BASE_COOKIE)?.as_bytes();
    let host = rules.base_host.as_str();
    let session = open_session(Kind::BaseSession, &sign_in.sealer, host, cookie, scratch)?;
    let ended = flow.sessions.ended.read();
    let ended = ended.unwrap_or_else(PoisonError::into_inner);
    let counts = session.provider == sign_in.sessions.provider
        && flow.now_unix() < session.expires_at
        && !ended.has(&session, host);
    counts.then_some(session)
}

/// The address at the tunnel, with a new code. Only for whoever may enter the tunnel's project.
fn hand_over(
    flow: &Flow,
    rules: &Rules,
    (request, sealed, tunnel): (&FlowRequest<'_>, &str, &Tunnel),
    session: &Session<'_>,
) -> Result<String, Fault> {
    let sign_in = rules.sign_in.as_ref().ok_or(Fault::NotFound)?;
    let now = flow.now_unix();
    let judged =
        sign_in
            .sessions
            .judge_grants(session.inputs, session.claims_at, &tunnel.project, now);
    judged.map_err(|_| Fault::NotAllowed)?;
    let code = Code {
        id: flow.random()?,
        request: request_id(sealed.as_bytes()),
        state: request.state,
        expires_at: now + CODE_SECONDS,
        target: request.target,
        // It begins here and not when the code is used: a sign-out in between ends it too.
        session: Session {
            project: short(&[tunnel.project.as_bytes()]),
            issued_at: flow.now_ms(),
            ..session.clone()
        },
    };
    let code = code.seal(&sign_in.sealer, request.host, &flow.random()?);
    let code = code.ok_or(Fault::Failed)?;
    let origin = rules.origin(request.host);
    Ok(format!("{origin}{SIGN_IN_CALLBACK_PATH}?code={code}"))
}

/// `again`: why the form is shown once more, and what had been typed.
fn form(
    flow: &Flow,
    rules: &Rules,
    asked: &Asked,
    (request, sealed): (&FlowRequest<'_>, &str),
    again: Option<(SignInError, &str)>,
) -> Result<Response, Fault> {
    let (token, cookie) = form_token(flow, rules, asked, purpose(sealed))?;
    let page = SignInPage {
        tunnel_host: &rules.authority(request.host),
        request: sealed,
        form_token: &token,
        user_name: again.map(|(_, name)| name),
        error: again.map(|(error, _)| error),
    };
    let mut response = answer::page(pages::sign_in(&rules.brand, &page));
    answer::set_cookie(&mut response, FORM_COOKIE, &cookie, REQUEST_SECONDS);
    Ok(response)
}

/// Signed in, but not for this project: as another user perhaps, so the page has a way out.
fn denied(
    flow: &Flow,
    rules: &Rules,
    asked: &Asked,
    (host, user): (&str, &str),
) -> Result<Response, Fault> {
    let (token, cookie) = form_token(flow, rules, asked, logout::purpose())?;
    let page = DeniedPage {
        tunnel_host: &rules.authority(host),
        user_name: Some(user),
        form_token: &token,
    };
    let mut response = answer::page(pages::denied(&rules.brand, &page));
    answer::set_cookie(&mut response, FORM_COOKIE, &cookie, REQUEST_SECONDS);
    Ok(response)
}

fn purpose(sealed: &str) -> Short {
    short(&[b"sign-in", &request_id(sealed.as_bytes())])
}

/// A token for a form, and the cookie of the browser that it is for.
pub(super) fn form_token(
    flow: &Flow,
    rules: &Rules,
    asked: &Asked,
    purpose: Short,
) -> Result<(String, String), Fault> {
    let cookie = match asked.cookie(FORM_COOKIE).filter(|value| is_ours(value)) {
        // Forms in other windows go on.
        Some(cookie) => cookie.to_owned(),
        None => hex(&flow.random::<32>()?),
    };
    let sealer = rules.sealer().ok_or(Fault::NotFound)?;
    let token = FormToken::new(
        cookie.as_bytes(),
        purpose,
        flow.now_unix() + REQUEST_SECONDS,
    );
    let token = token.seal(sealer, rules.base_host.as_str(), &flow.random()?);
    Ok((token, cookie))
}

/// Whether this browser was shown this form.
pub(super) fn check_form(
    flow: &Flow,
    rules: &Rules,
    asked: &Asked,
    token: &str,
    purpose: &Short,
) -> Result<(), Fault> {
    let cookie = asked.cookie(FORM_COOKIE).filter(|value| is_ours(value));
    let cookie = cookie.ok_or(Fault::FormBroken)?.as_bytes();
    let sealer = rules.sealer().ok_or(Fault::NotFound)?;
    let checked = FormToken::check(
        sealer,
        rules.base_host.as_str(),
        token.as_bytes(),
        (cookie, purpose),
        flow.now_unix(),
    );
    checked.map_err(|_| Fault::FormBroken)
}

fn is_ours(cookie: &str) -> bool {
    cookie.len() == 64 && cookie.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `None`: the name or the password is wrong; which one, nobody learns.
async fn builtin(
    flow: &Flow,
    users: &Builtin,
    asked: &Asked,
    (name, password): (&str, Secret),
) -> Result<Option<SignedIn>, Fault> {
    if password.expose().len() > PASSWORD_BYTES_MAX {
        return Err(Fault::TooLong);
    }
    let (user, exists) = users.find(name).ok_or(Fault::NotFound)?;
    let one = Try::new(asked.client, name);
    let began = lock(&flow.failures).begin(&one, flow.clock.monotonic());
    let held = began.map_err(|wait| Fault::TooMany(wait.as_secs() + 1))?;
    hold(flow, held)
        .await
        .inspect_err(|_| lock(&flow.failures).dropped(&one))?;
    let hash = user.clone();
    let verified = flow
        .passwords
        .run(move || hash.password_hash.verify(password.expose()))
        .await;
    let Ok(verified) = verified else {
        lock(&flow.failures).dropped(&one);
        return Err(Fault::Busy);
    };
    if !(verified && exists) {
        // A name that nobody has may be a password in the wrong field.
        let known = exists.then_some(user.name.as_str());
        tracing::info!(
            event = "sign_in_failed",
            user = known,
            request_id = asked.id()
        );
        return Ok(None);
    }
    lock(&flow.failures).succeeded(&one);
    Ok(Some(SignedIn {
        subject: user.name.clone(),
        email: String::new(),
        name: user.name.clone(),
        sid: Short::default(),
        inputs: user.inputs.clone(),
    }))
}

/// Lets somebody wait; only so many at a time.
async fn hold(flow: &Flow, held: Duration) -> Result<(), Fault> {
    if held.is_zero() {
        return Ok(());
    }
    let place = flow.held.try_acquire().map_err(|_| Fault::Busy)?;
    tokio::time::sleep(held).await;
    drop(place);
    Ok(())
}
