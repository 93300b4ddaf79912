//! Answers that the edge writes itself, and what they leave of the connection.

use std::time::Duration;

use crate::authn::{Identity, navigation, query};
use crate::http::Version;
use crate::http::body::{BodyDecoder, Framing};
use crate::http::request::Method;
use crate::limits::REFUSED_BODY_BYTES_MAX;
use crate::policy::Refusal;
use crate::respond::{self, Location, Reply};
use crate::runtime::buffer::Buffer;
use crate::telemetry::counters::Verdict;

use super::client::Client;
use super::connection::{Keeps, Next, Place};
use super::core::Core;
use super::exchange::Exchange;
use super::pace::Pace;
use super::snapshot::Snapshot;
use super::trace::{EndedBy, Phase, Trace};

/// How long a connection that we end may still send, so that it reads our last answer before a reset can overtake it.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// Refuses what could not be read as a request: nothing of it is interpreted further, and the connection ends. An answer to
/// what begins as a HEAD has no body all the same (RFC 9110 9.3.2).
pub(super) async fn refuse_unread(
    core: &Core,
    client: &Client,
    snapshot: &Snapshot,
    refusal: Refusal,
    trace: &Trace,
    buffer: Buffer,
) -> Next {
    let method = buffer
        .filled()
        .starts_with(b"HEAD ")
        .then_some(Method::Head);
    core.buffers.give(buffer);
    let reply = Reply {
        method,
        version: Version::Http11,
        persistent: false,
        request_id: &trace.request_id,
        date: core.date(),
        token_in_query: false,
    };
    let mut out = core.buffers.take();
    let written = respond::refusal(refusal, None, reply, &mut out);
    debug_assert!(written.is_ok(), "a refusal is far smaller than a buffer");
    trace.refuse(refusal);
    let (sent, out) = client
        .write_all(out, snapshot.timeouts.client_write_idle)
        .await;
    core.buffers.give(out);
    if sent.is_ok() {
        trace.status.set(refusal.status());
    }
    trace.finish(core, snapshot, client, None, &Identity::Anonymous);
    Next::Linger
}

impl Exchange<'_> {
    /// Answers a request with a refusal and, where the connection can stay in step, takes the request's body off it.
    pub(super) async fn refuse(
        &self,
        refusal: Refusal,
        body: Option<Buffer>,
    ) -> (Keeps, Option<Buffer>) {
        let keeps = self.persistent && !refusal.closes() && self.body_is_short(body.as_ref());
        match self.write_refusal(refusal, keeps).await {
            Keeps::Open => self.discard(body).await,
            ended @ (Keeps::Linger | Keeps::Closed) => (ended, body),
        }
    }

    /// Answers with the keys of assertions, likewise.
    pub(super) async fn show_keys(&self, body: Option<Buffer>) -> (Keeps, Option<Buffer>) {
        let Place { core, snapshot, .. } = self.place;
        let page = snapshot.signer.as_ref().map(|signer| signer.key_set());
        let Some(page) = page else {
            return self.refuse(Refusal::UnknownHost, body).await;
        };
        let keeps = self.persistent && self.body_is_short(body.as_ref());
        let mut out = core.buffers.take();
        let written = respond::key_set(page, self.reply(keeps), &mut out);
        debug_assert!(written.is_ok(), "the set is far smaller than a buffer");
        self.send_page(out, 200, "answered", keeps, body).await
    }

    /// Refuses a request that was read to its end.
    pub(super) async fn refuse_read(&self, refusal: Refusal) -> Keeps {
        self.write_refusal(refusal, self.persistent && !refusal.closes())
            .await
    }

    async fn write_refusal(&self, refusal: Refusal, keeps: bool) -> Keeps {
        self.place.trace.refuse(refusal);
        let mut out = self.place.core.buffers.take();
        let page = if navigation::shows_errors(self.request) {
            self.place.snapshot.failures.of_status(refusal.status())
        } else {
            None
        };
        let written = respond::refusal(refusal, page, self.reply(keeps), &mut out);
        debug_assert!(written.is_ok(), "a refusal is far smaller than a buffer");
        self.send_own(out, refusal.status(), keeps).await
    }

    /// Sends an answer of ours.
    pub(super) async fn send_own(&self, out: Buffer, status: u16, keeps: bool) -> Keeps {
        let Place {
            core,
            client,
            snapshot,
            trace,
        } = self.place;
        let (sent, out) = client
            .write_all(out, snapshot.timeouts.client_write_idle)
            .await;
        core.buffers.give(out);
        if sent.is_err() {
            return Keeps::Closed;
        }
        trace.status.set(status);
        if keeps { Keeps::Open } else { Keeps::Linger }
    }

    pub(super) fn reply(&self, persistent: bool) -> Reply<'_> {
        Reply {
            method: Some(self.request.head.method),
            version: self.request.head.version,
            persistent,
            request_id: &self.place.trace.request_id,
            date: self.place.core.date(),
            token_in_query: self.token_in_query,
        }
    }

    /// Whether the rest of the body is worth reading to keep the connection. A client that waits for `100 Continue` may
    /// never send it, so its connection would be out of step.
    pub(super) fn body_is_short(&self, body: Option<&Buffer>) -> bool {
        match self.request.head.framing {
            Framing::None => true,
            Framing::Length(length) => {
                length <= REFUSED_BODY_BYTES_MAX && !self.waits_for_continue(body)
            }
            Framing::Chunked | Framing::UntilClose => !self.waits_for_continue(body),
        }
    }

    pub(super) fn waits_for_continue(&self, body: Option<&Buffer>) -> bool {
        self.request.head.expects_continue && body.is_none_or(Buffer::is_empty)
    }

    /// Reads the body of a refused request to its end; gives up, and with it the connection, after
    /// [`REFUSED_BODY_BYTES_MAX`].
    pub(super) async fn discard(&self, body: Option<Buffer>) -> (Keeps, Option<Buffer>) {
        let Place {
            core,
            client,
            snapshot,
            ..
        } = self.place;
        let Some(mut buffer) = body else {
            return (Keeps::Open, None);
        };
        let mut decoder = BodyDecoder::new(self.request.head.framing);
        let mut wire_bytes = 0u64;
        let mut pace = Pace::default();
        loop {
            let Ok(decoded) = decoder.decode(buffer.filled_mut()) else {
                return (Keeps::Linger, Some(buffer));
            };
            buffer.consume(decoded.consumed);
            wire_bytes += decoded.consumed as u64;
            if decoder.finished() {
                return (Keeps::Open, Some(buffer));
            }
            // Chunk lines count too: many empty ones are no reason to stay.
            if wire_bytes > 2 * REFUSED_BODY_BYTES_MAX {
                return (Keeps::Linger, Some(buffer));
            }
            buffer.clear();
            client.deadline.read_within(snapshot.timeouts.body_idle);
            let began = core.clock.monotonic();
            let (result, returned) = client.read(buffer).await;
            client.deadline.clear_read();
            buffer = returned;
            let took = core.clock.monotonic().saturating_sub(began);
            let rate = snapshot.limits.body_min_rate;
            match result {
                Ok(count @ 1..) if !pace.is_too_slow(took, count, rate) => {}
                Ok(_) | Err(_) => {
                    core.buffers.give(buffer);
                    return (Keeps::Closed, None);
                }
            }
        }
    }
}

/// Sends a request on a plain port to the same place over TLS. Evaluates nothing, forwards nothing (rstream 1.3).
pub(super) async fn redirect(
    exchange: &Exchange<'_>,
    body: Option<Buffer>,
) -> (Keeps, Option<Buffer>) {
    let Place {
        core,
        client,
        snapshot,
        trace,
    } = exchange.place;
    let request = exchange.request;
    let host = &request.head.host;
    if snapshot.policy.routes.find(host).is_none() && *host != snapshot.policy.base_host {
        return exchange.refuse(Refusal::UnknownHost, body).await;
    }
    let keeps = exchange.persistent && request.head.framing == Framing::None;
    let mut kept = core.buffers.take_large();
    for (index, parameter) in query::without_token(request.query().unwrap_or_default()).enumerate()
    {
        let fits = (index == 0 || kept.append(b"&")) && kept.append(parameter);
        debug_assert!(fits, "a query is smaller than a large buffer");
    }
    let location = Location {
        host: host.as_str(),
        port: snapshot.public_port,
        // A browser would take the `*` of `OPTIONS *` for a part of the host.
        path: request.path().strip_prefix(b"*").unwrap_or(request.path()),
        query: kept.filled(),
    };
    let mut out = core.buffers.take_large();
    let written = respond::redirect(location, exchange.reply(keeps), &mut out);
    debug_assert!(
        written.is_ok(),
        "a redirect is little longer than its target"
    );
    core.buffers.give(kept);
    let (sent, out) = client
        .write_all(out, snapshot.timeouts.client_write_idle)
        .await;
    core.buffers.give(out);
    if sent.is_err() {
        return (Keeps::Closed, body);
    }
    trace
        .status
        .set(respond::redirect_status(Some(request.head.method)));
    trace.verdict.set(Verdict::Redirected);
    trace.end(EndedBy::Complete, "redirected");
    trace.enter(Phase::Done);
    (if keeps { Keeps::Open } else { Keeps::Linger }, body)
}

/// Ends a connection so that the client can read our last answer: bytes that arrive on a closed socket are answered with
/// a reset, which may overtake it.
pub(super) async fn linger(core: &Core, client: &Client) {
    /// More than this is not worth waiting for.
    const DISCARDED_BYTES_MAX: usize = 1024 * 1024;

    client.finish(LINGER).await;
    client.deadline.write_within(LINGER);
    client.deadline.pend();
    client.deadline.hear();
    let mut buffer = core.buffers.take();
    let mut discarded = 0;
    while discarded < DISCARDED_BYTES_MAX {
        let (result, returned) = client.read(buffer).await;
        buffer = returned;
        buffer.clear();
        match result {
            Ok(count @ 1..) => discarded += count,
            Ok(0) | Err(_) => break,
        }
    }
    core.buffers.give(buffer);
}
