//! One permitted request: to its upstream, and the answer back.

use crate::authn::Identity;
use crate::authz::Permit;
use crate::clock::Now;
use crate::http::auth_scheme::binds_connection;
use crate::http::body::Framing;
use crate::http::field::FieldKind;
use crate::http::request::{Method, Request, RequestError};
use crate::http::response::ResponseHead;
use crate::http::scan::ScanError;
use crate::http::websocket;
use crate::policy::{Refusal, refusal::UpstreamFault};
use crate::respond;
use crate::runtime::buffer::Buffer;
use crate::runtime::task::both;
use crate::upstream::{ConnectError, Connection, Origin};

use super::connection::{Keeps, Place};
use super::relay::{Answer, Signals};
use super::trace::{EndedBy, Phase};

/// One understood request and the terms it is answered under.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub place: Place<'a>,
    pub request: Request<'a>,
    /// When it was judged.
    pub judged_at: Now,
    /// Whether client and edge both want the connection to go on.
    pub persistent: bool,
    /// Whether a token came in the query: the answer must not be kept or tell its address (S5.12).
    pub token_in_query: bool,
    /// Whether a browser proved by itself who it was: what it gets is for that one alone (S5.12).
    pub for_one: bool,
    /// Where it asks for a WebSocket: what the upstream must answer (S4.3).
    pub websocket: Option<websocket::Accept>,
    /// Whether trailer fields pass: the tunnel's `trailers`, once the tunnel is known.
    pub trailers: bool,
    /// Whether the edge itself answers, by its control thread.
    pub from_edge: bool,
}

impl Exchange<'_> {
    /// Forwards a request and relays its answer. `body` holds what came behind the head, where there is a body; what
    /// lies behind its end comes back.
    pub(super) async fn forward(
        &self,
        permit: Permit,
        response: &mut ResponseHead,
        body: Option<Buffer>,
    ) -> (Identity, Keeps, Option<Buffer>) {
        let Place {
            core,
            snapshot,
            trace,
            ..
        } = self.place;
        trace.tunnel.set(Some(permit.tunnel()));
        let servers = snapshot.origins.get(permit.tunnel());
        let behind = body.as_ref().map_or(0, Buffer::len);
        let (Some((identity, head)), Some(servers)) = (self.depart(permit, behind), servers) else {
            let refusal = Refusal::Head(RequestError::from(ScanError::HeadTooLong));
            let (keeps, body) = self.refuse(refusal, body).await;
            return (Identity::Anonymous, keeps, body);
        };
        let limit = snapshot.limits.body_bytes;
        if let Framing::Length(length) = self.request.head.framing
            && limit != 0
            && length > limit
        {
            core.buffers.give(head);
            let (keeps, body) = self.refuse(Refusal::BodyTooLarge, body).await;
            return (identity, keeps, body);
        }
        let (keeps, body) = match body {
            Some(early) if self.websocket.is_some() => {
                // In a box of its own: it lasts long, and the stage is for what does not.
                let upgrade = Box::pin(self.upgrade(servers, head, early, response));
                (upgrade.await, None)
            }
            None => (self.without_body(servers, head, response).await, None),
            Some(body) => {
                let both_ways = || self.with_body(servers, head, body, response);
                core.body_stage.enter(both_ways).await
            }
        };
        (identity, keeps, body)
    }

    /// A request that is all head. Where a pooled connection turns out to have been closed before anything came back, it
    /// is sent once more on a new one, if sending it twice does no harm (RFC 9110 9.2.2).
    pub(super) async fn without_body(
        &self,
        servers: &[Origin],
        mut head: Buffer,
        response: &mut ResponseHead,
    ) -> Keeps {
        let Place {
            core,
            snapshot,
            trace,
            ..
        } = self.place;
        let length = head.len();
        let mut retried = false;
        loop {
            let upstream = match self.connect(servers, retried).await {
                Ok(upstream) => upstream,
                Err(refusal) => break self.refuse(refusal, None).await.0,
            };
            trace.enter(Phase::Request);
            let (sent, returned) = upstream
                .write_all(head, snapshot.timeouts.upstream_response)
                .await;
            head = returned;
            trace.stopwatch.stand(core.clock.monotonic());
            let signals = Signals::new(true);
            let answer = match sent {
                Ok(()) => self.answer(&upstream, response, &signals).await,
                Err(_) if upstream.deadline().fired() => Answer::Fault(UpstreamFault::Timeout),
                Err(_) => Answer::Fault(UpstreamFault::Closed),
            };
            if matches!(answer, Answer::Fault(UpstreamFault::Closed))
                && !self.place.client.deadline.left()
                && upstream.reused()
                && !retried
                && is_idempotent(self.request.head.method)
            {
                retried = true;
                trace.stopwatch.run(core.clock.monotonic());
                head.restore(length);
                core.count(|counters| counters.upstream_retries += 1);
                continue;
            }
            core.buffers.give(head);
            break self.conclude(upstream, answer, &signals, None).await.0;
        }
    }

    /// A request whose body follows: it is sent while the answer is awaited, so an upstream may answer early.
    pub(super) async fn with_body(
        &self,
        servers: &[Origin],
        head: Buffer,
        body: Buffer,
        response: &mut ResponseHead,
    ) -> (Keeps, Option<Buffer>) {
        let Place {
            core,
            client,
            snapshot,
            trace,
        } = self.place;
        let upstream = match self.connect(servers, false).await {
            Ok(upstream) => upstream,
            Err(refusal) => {
                core.buffers.give(head);
                return self.refuse(refusal, Some(body)).await;
            }
        };
        trace.enter(Phase::Request);
        if self.waits_for_continue(Some(&body)) {
            let mut out = core.buffers.take();
            let fits = out.append(respond::CONTINUE);
            debug_assert!(fits, "an interim answer is far smaller than a buffer");
            let (sent, out) = client
                .write_all(out, snapshot.timeouts.client_write_idle)
                .await;
            core.buffers.give(out);
            if sent.is_err() {
                return (Keeps::Closed, Some(body));
            }
        }
        let signals = Signals::new(false);
        let upload = self.upload(&upstream, head, body, &signals);
        let answer = self.answer(&upstream, response, &signals);
        let (rest, answer) = both(upload, answer).await;
        self.conclude(upstream, answer, &signals, rest).await
    }

    /// A pooled connection, or a new one where `fresh` is asked for or none is there: to the server whose turn it is, or
    /// the next one where that cannot be reached. Nothing of the request has been sent by then, so any may go on.
    pub(super) async fn connect(
        &self,
        servers: &[Origin],
        fresh: bool,
    ) -> Result<Connection, Refusal> {
        let pools = &self.place.core.pools;
        let turn = pools.turn(servers);
        let in_turn = || servers.iter().cycle().skip(turn).take(servers.len());
        let alone = servers.len() == 1;
        // Where all rest, none of them is worse than another.
        let all_rest = !alone && servers.iter().all(|server| pools.rests(server.id));
        let mut refusal = Refusal::Upstream(UpstreamFault::Connect);
        for server in in_turn() {
            if !alone && !all_rest && pools.rests(server.id) {
                continue;
            }
            match self.connect_to(server, fresh).await {
                Ok(upstream) => return Ok(upstream),
                Err(Refusal::EdgeExhausted) => return Err(Refusal::EdgeExhausted),
                Err(failed) => refusal = failed,
            }
            if !alone {
                let rest = self.place.snapshot.timeouts.upstream_rest;
                pools.rest(server, self.place.core.deadlines.now() + rest);
            }
        }
        Err(refusal)
    }

    async fn connect_to(&self, server: &Origin, fresh: bool) -> Result<Connection, Refusal> {
        let Place {
            core,
            snapshot,
            trace,
            ..
        } = self.place;
        if !fresh && let Some(upstream) = core.pools.take(server.id) {
            core.count(|counters| counters.upstream_reused += 1);
            return Ok(upstream);
        }
        trace.enter(Phase::Connect);
        core.count(|counters| counters.upstream_connects += 1);
        // Boxed: connecting is rare, and its state would be part of every connection's future.
        let within = snapshot.timeouts.upstream_connect;
        let opening = Connection::open(server, &core.deadlines, &core.buffers, within);
        trace.stopwatch.stand(core.clock.monotonic());
        let opened = Box::pin(opening).await;
        trace.stopwatch.run(core.clock.monotonic());
        match opened {
            Ok(upstream) => {
                core.pools.end_rest(server.id);
                Ok(upstream)
            }
            Err(error) => {
                core.count(|counters| counters.upstream_connect_failures += 1);
                Err(match error {
                    ConnectError::Refused => Refusal::Upstream(UpstreamFault::Connect),
                    ConnectError::Timeout => Refusal::Upstream(UpstreamFault::ConnectTimeout),
                    ConnectError::Tls => Refusal::Upstream(UpstreamFault::Tls),
                    ConnectError::Exhausted => {
                        core.make_room();
                        Refusal::EdgeExhausted
                    }
                })
            }
        }
    }

    /// Settles what an answer leaves behind: the upstream's connection, the client's, and the record.
    pub(super) async fn conclude(
        &self,
        upstream: Connection,
        answer: Answer,
        signals: &Signals,
        rest: Option<Buffer>,
    ) -> (Keeps, Option<Buffer>) {
        let Place {
            core,
            trace,
            client,
            ..
        } = self.place;
        client.deadline.untie();
        if client.deadline.left() {
            let (by, reason) = if client.deadline.evicted() {
                (EndedBy::Edge, "evicted")
            } else {
                (EndedBy::Client, "client_closed")
            };
            trace.end(by, reason);
            return (Keeps::Closed, rest);
        }
        match answer {
            Answer::Complete {
                reusable,
                persistent,
            } => {
                trace.enter(Phase::Done);
                trace.end(EndedBy::Complete, "forwarded");
                if reusable
                    && signals.uploaded.get()
                    && !self.is_bound_to_connection()
                    && !core.is_draining()
                {
                    core.pools.give(upstream, core.deadlines.now());
                }
                (
                    if persistent {
                        Keeps::Open
                    } else {
                        Keeps::Linger
                    },
                    rest,
                )
            }
            Answer::Fault(fault) => {
                drop(upstream);
                self.conclude_fault(fault, signals, rest).await
            }
            Answer::Broken(fault) => {
                client.abort();
                match signals.failure.get() {
                    Some(Failure::Refused(refusal)) => trace.end(EndedBy::Client, refusal.reason()),
                    Some(Failure::ClientGone) => trace.end(EndedBy::Client, "client_closed"),
                    None => trace.refuse(Refusal::Upstream(fault)),
                }
                (Keeps::Closed, rest)
            }
            Answer::ClientGone => {
                let reason = if client.deadline.fired() {
                    "client_write_timeout"
                } else {
                    "client_closed"
                };
                trace.end(EndedBy::Client, reason);
                (Keeps::Closed, rest)
            }
        }
    }

    /// The client still waits for an answer.
    async fn conclude_fault(
        &self,
        fault: UpstreamFault,
        signals: &Signals,
        rest: Option<Buffer>,
    ) -> (Keeps, Option<Buffer>) {
        match signals.failure.get() {
            // The client was the reason; the upstream only noticed.
            Some(Failure::Refused(refusal)) => self.refuse(refusal, None).await,
            Some(Failure::ClientGone) => {
                self.place.trace.end(EndedBy::Client, "client_closed");
                (Keeps::Closed, rest)
            }
            // What came behind the body is the next request.
            None if signals.uploaded.get() => {
                (self.refuse_read(Refusal::Upstream(fault)).await, rest)
            }
            None => {
                let (keeps, _) = self.refuse_unfinished(Refusal::Upstream(fault)).await;
                (keeps, rest)
            }
        }
    }

    /// Refuses a request whose body was not read to its end: the connection is out of step and ends.
    async fn refuse_unfinished(&self, refusal: Refusal) -> (Keeps, Option<Buffer>) {
        Exchange {
            persistent: false,
            ..*self
        }
        .refuse(refusal, None)
        .await
    }

    /// S8: `Negotiate` and `NTLM` prove who a connection is, not a request; such a connection is never shared.
    fn is_bound_to_connection(&self) -> bool {
        self.request
            .values(FieldKind::Authorization)
            .any(binds_connection)
    }
}

/// Why the client's side ended an exchange.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    Refused(Refusal),
    ClientGone,
}

fn is_idempotent(method: Method) -> bool {
    match method {
        Method::Get
        | Method::Head
        | Method::Put
        | Method::Delete
        | Method::Options
        | Method::Trace => true,
        Method::Post | Method::Patch | Method::Connect | Method::Other => false,
    }
}
