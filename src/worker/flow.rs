//! Browsers that must sign in or meet a challenge: sent to the base host, and the road to the control thread that answers
//! them there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

use crate::authn::cookie::Cookie;
use crate::authn::{Identity, SessionUser, query};
use crate::forward::request::{self, Origin};
use crate::handover::{self, ChallengeRequest, FlowRequest, STATE_COOKIE};
use crate::http::body::Framing;
use crate::http::response::ResponseHead;
use crate::limits::{BUFFER_BYTES, FLOW_BODY_BYTES_MAX};
use crate::policy::{Refusal, Tunnel};
use crate::respond::{self, Location};
use crate::runtime::buffer::Buffer;
use crate::seal::Sealer;
use crate::telemetry::counters::Verdict;

use super::connection::Keeps;
use super::exchange::Exchange;
use super::trace::{EndedBy, Phase};

/// What a browser is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    SignIn,
    Challenge,
}

/// Bytes that the edge adds to a head at the most.
const ADDED_BYTES_MAX: usize = 1024;

impl Exchange<'_> {
    /// Has the control thread answer. Its answer is the edge's own: its cookies are set, whatever their names.
    pub(super) async fn ask_flow(
        &mut self,
        response: &mut ResponseHead,
        body: Option<Buffer>,
    ) -> (Keeps, Option<Buffer>) {
        let (core, snapshot, trace) = (self.place.core, self.place.snapshot, self.place.trace);
        self.from_edge = true;
        let is_long = match self.request.head.framing {
            Framing::Length(length) => length > FLOW_BODY_BYTES_MAX,
            // None of our pages sends such a body.
            Framing::Chunked | Framing::UntilClose => true,
            Framing::None => false,
        };
        if is_long {
            return self.refuse(Refusal::BodyTooLarge, body).await;
        }
        let (Some(server), None) = (&snapshot.flow, self.websocket) else {
            return self.refuse(Refusal::EdgePath, body).await;
        };
        let mut head = if self.request.bytes.len() + ADDED_BYTES_MAX > BUFFER_BYTES {
            core.buffers.take_large()
        } else {
            core.buffers.take()
        };
        let origin = Origin {
            client: &trace.client.text,
            scheme: self.place.client.facts().scheme.as_str(),
            request_id: &trace.request_id,
            websocket: false,
            trailers: false,
            identity: &[],
        };
        if request::write_for_edge(self.request, origin, &mut head).is_err() {
            core.buffers.give(head);
            return self.refuse(Refusal::EdgePath, body).await;
        }
        let servers = std::slice::from_ref(server);
        let done = match body {
            None => (self.without_body(servers, head, response).await, None),
            Some(body) => {
                let both_ways = || self.with_body(servers, head, body, response);
                core.body_stage.enter(both_ways).await
            }
        };
        if trace.verdict.get() == Verdict::Forwarded {
            trace.verdict.set(Verdict::Answered);
            trace.end(EndedBy::Complete, "answered");
        }
        done
    }

    /// Sends a browser to the base host, which sends it back. A cookie ties that to this browser.
    pub(super) async fn send_to(
        &self,
        flow: Flow,
        body: Option<Buffer>,
    ) -> (Keeps, Option<Buffer>) {
        let (core, snapshot) = (self.place.core, self.place.snapshot);
        let keeps = self.persistent && self.body_is_short(body.as_ref());
        let wanted = snapshot
            .policy
            .browsers
            .as_ref()
            .and_then(|browsers| self.wanted(flow, &browsers.sealer));
        let Some((state, request)) = wanted else {
            return self.refuse(Refusal::EdgeExhausted, body).await;
        };
        let path = match flow {
            Flow::SignIn => handover::SIGN_IN_PATH,
            Flow::Challenge => handover::CHALLENGE_PATH,
        };
        let reason = match flow {
            Flow::SignIn => "sign_in",
            Flow::Challenge => "challenge",
        };
        let query = format!("request={request}");
        let location = Location {
            host: snapshot.policy.base_host.as_str(),
            port: snapshot.public_port,
            path: path.as_bytes(),
            query: query.as_bytes(),
        };
        let mut out = core.buffers.take();
        if respond::sent(location, &state, self.reply(keeps), &mut out).is_err() {
            core.buffers.give(out);
            return self.refuse(Refusal::EdgeExhausted, body).await;
        }
        self.send_page(out, 302, reason, keeps, body).await
    }

    /// The state cookie, and the sealed request that goes with it. `None`: the system has no randomness to give.
    fn wanted(&self, flow: Flow, sealer: &Sealer) -> Option<(String, String)> {
        let salt = random()?;
        let state = match Cookie::read(self.request, STATE_COOKIE.as_bytes()) {
            // What other windows of this browser began goes on.
            Cookie::One(kept) if handover::is_state(kept) => {
                String::from_utf8_lossy(kept).into_owned()
            }
            Cookie::One(_) | Cookie::Absent | Cookie::Several => URL_SAFE_NO_PAD.encode(random()?),
        };
        let place = self.place;
        let target = self.target();
        let now = place.core.now().unix_seconds();
        let seconds = match flow {
            Flow::SignIn => handover::REQUEST_SECONDS,
            Flow::Challenge => handover::CHALLENGE_REQUEST_SECONDS,
        };
        let request = FlowRequest {
            host: self.request.head.host.as_str(),
            target: handover::return_target(&target),
            state: handover::state_hash(state.as_bytes()),
            expires_at: now + seconds,
        };
        let base_host = place.snapshot.policy.base_host.as_str();
        let sealed = match flow {
            Flow::SignIn => request.seal(sealer, base_host, &salt),
            Flow::Challenge => {
                let prefix = handover::client_prefix(place.trace.client.address);
                let request = ChallengeRequest {
                    flow: request,
                    prefix,
                };
                request.seal(sealer, base_host, &salt)
            }
        };
        Some((state, sealed))
    }

    /// Path and query as they came, without our parameter.
    fn target(&self) -> Vec<u8> {
        let mut target = self.request.path().to_vec();
        for (index, parameter) in query::without_token(self.request.query().unwrap_or_default())
            .filter(|parameter| !parameter.is_empty())
            .enumerate()
        {
            target.push(if index == 0 { b'?' } else { b'&' });
            target.extend_from_slice(parameter);
        }
        target
    }

    /// Says who is signed in at this tunnel (rstream 8.2).
    pub(super) async fn tell_session(
        &self,
        tunnel: usize,
        identity: &Identity,
        body: Option<Buffer>,
    ) -> (Keeps, Option<Buffer>) {
        let (core, trace) = (self.place.core, self.place.trace);
        trace.tunnel.set(Some(tunnel));
        let Some(tunnel) = self.place.snapshot.policy.tunnels.get(tunnel) else {
            return self.refuse(Refusal::EdgePath, body).await;
        };
        let page = session_page(tunnel, self.request.head.host.as_str(), identity);
        let keeps = self.persistent && self.body_is_short(body.as_ref());
        let mut out = core.buffers.take();
        let written = respond::json(&page, self.reply(keeps), &mut out);
        debug_assert!(written.is_ok(), "what is told of a user is short");
        self.send_page(out, 200, "answered", keeps, body).await
    }

    /// Says what a page of another origin may ask for: whatever it asks, since it must still prove who sends it.
    pub(super) async fn answer_preflight(
        &self,
        tunnel: usize,
        body: Option<Buffer>,
    ) -> (Keeps, Option<Buffer>) {
        let core = self.place.core;
        self.place.trace.tunnel.set(Some(tunnel));
        let keeps = self.persistent && self.body_is_short(body.as_ref());
        let mut out = core.buffers.take();
        if respond::preflight(self.request, self.reply(keeps), &mut out).is_err() {
            core.buffers.give(out);
            return self.refuse(Refusal::EdgeExhausted, body).await;
        }
        self.send_page(out, 204, "answered", keeps, body).await
    }

    /// Sends a page of ours, and takes the request's body off.
    pub(super) async fn send_page(
        &self,
        out: Buffer,
        status: u16,
        reason: &'static str,
        keeps: bool,
        body: Option<Buffer>,
    ) -> (Keeps, Option<Buffer>) {
        let trace = self.place.trace;
        trace.verdict.set(Verdict::Answered);
        trace.end(EndedBy::Complete, reason);
        match self.send_own(out, status, keeps).await {
            Keeps::Open => {
                trace.enter(Phase::Done);
                self.discard(body).await
            }
            ended @ (Keeps::Linger | Keeps::Closed) => (ended, body),
        }
    }
}

/// `None`: the system has none to give.
fn random() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// The page of rstream 8.2.
fn session_page(tunnel: &Tunnel, host: &str, identity: &Identity) -> String {
    let user = match identity {
        Identity::Anonymous => {
            return serde_json::json!({ "auth": { "authenticated": false } }).to_string();
        }
        Identity::Session(user) => user_page(user),
        Identity::Token(_) | Identity::Certificate(_) => {
            serde_json::json!({ "userId": identity.subject(), "name": null, "email": null, "image": null })
        }
    };
    let method = match identity {
        Identity::Session(_) => "rstream-auth",
        Identity::Token(_) => "token-auth",
        Identity::Certificate(_) => "mtls",
        Identity::Anonymous => "",
    };
    let mechanisms = tunnel.mechanisms;
    let policies: Vec<&str> = [
        (mechanisms.token, "token-auth"),
        (mechanisms.session, "rstream-auth"),
        (mechanisms.certificate, "mtls"),
        (mechanisms.challenge, "challenge-mode"),
    ]
    .into_iter()
    .filter_map(|(on, name)| on.then_some(name))
    .collect();
    serde_json::json!({
        "auth": { "authenticated": true, "method": method },
        "user": user,
        "tunnel": { "host": host, "workspaceId": tunnel.workspace, "projectId": tunnel.project },
        "policies": policies,
    })
    .to_string()
}

fn user_page(user: &SessionUser) -> serde_json::Value {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    serde_json::json!({
        "userId": user.subject, "name": known(&user.name), "email": known(&user.email), "image": null,
    })
}
