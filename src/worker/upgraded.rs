//! A WebSocket: the handshake with the upstream, then bytes both ways until both sides have ended (S4.3).
//!
//! The edge does not look into the bytes. Each direction has one buffer while it carries something, and none while it
//! waits; it reads again only after the other side has taken what was read. An end on one side is passed on as an end in
//! that direction, and the other direction goes on.

use std::cell::Cell;
use std::time::Duration;

use crate::forward::response::write_switch;
use crate::http::response::{Response, ResponseHead};
use crate::http::websocket;
use crate::policy::Refusal;
use crate::policy::refusal::UpstreamFault;
use crate::runtime::buffer::Buffer;
use crate::runtime::task::both;
use crate::upstream::{Connection, Origin};

use super::answer::ANSWER_HEADROOM;
use super::connection::Keeps;
use super::exchange::Exchange;
use super::relay::{Answer, Signals};
use super::trace::{EndedBy, Phase};

/// What both directions of an upgraded connection share.
struct Relay<'a> {
    upstream: &'a Connection,
    /// When the connection ends however busy it is, on the monotonic clock.
    ends: Duration,
    /// Who broke it off, and why; the first one counts.
    broken: Cell<Option<(EndedBy, &'static str)>>,
}

impl Exchange<'_> {
    /// Forwards a WebSocket handshake. `early` holds what the client sent behind it, which reaches the upstream only
    /// after a 101. The upstream's connection is made for it alone.
    pub(super) async fn upgrade(
        &self,
        servers: &[Origin],
        head: Buffer,
        early: Buffer,
        response: &mut ResponseHead,
    ) -> Keeps {
        let core = self.place.core;
        let snapshot = self.place.snapshot;
        let tunnel = self.place.trace.tunnel.get();
        let tunnel = tunnel.and_then(|index| snapshot.policy.tunnels.get(index));
        let tunnel = tunnel.map(|tunnel| tunnel.hostname.as_str());
        let most = snapshot.limits.upgrades_per_tunnel;
        let Some(_slot) = core
            .admission
            .admit_upgrade(tunnel.unwrap_or_default(), most)
        else {
            core.buffers.give(head);
            core.buffers.give(early);
            return self.refuse_read(Refusal::TooManyUpgrades).await;
        };
        let upstream = match self.connect(servers, true).await {
            Ok(upstream) => upstream,
            Err(refusal) => {
                core.buffers.give(head);
                core.buffers.give(early);
                return self.refuse_read(refusal).await;
            }
        };
        let (answer, early) = self.handshake(&upstream, head, early, response).await;
        if let Some(early) = early {
            core.buffers.give(early);
        }
        match answer {
            Some(answer) => {
                let signals = Signals::new(true);
                self.conclude(upstream, answer, &signals, None).await.0
            }
            None => Keeps::Closed,
        }
    }

    /// Sends the handshake and acts on its answer; `None` once a relay has run to its end.
    async fn handshake(
        &self,
        upstream: &Connection,
        head: Buffer,
        early: Buffer,
        response: &mut ResponseHead,
    ) -> (Option<Answer>, Option<Buffer>) {
        let core = self.place.core;
        let within = self.place.snapshot.timeouts.upstream_response;
        self.place.trace.enter(Phase::Request);
        let (sent, head) = upstream.write_all(head, within).await;
        self.place.trace.stopwatch.stand(core.clock.monotonic());
        core.buffers.give(head);
        if sent.is_err() {
            let fault = if upstream.deadline().fired() {
                UpstreamFault::Timeout
            } else {
                UpstreamFault::Closed
            };
            return (Some(Answer::Fault(fault)), Some(early));
        }
        let mut buffer = core.buffers.take();
        buffer.clear_with_headroom(ANSWER_HEADROOM);
        upstream.deadline().read_within(within);
        self.place.client.deadline.tie(upstream.deadline());
        let (head, buffer) = self.answer_head(upstream, response, buffer).await;
        upstream.deadline().clear_read();
        let length = match head {
            Ok(length) => length,
            Err(answer) => return (Some(answer), Some(early)),
        };
        if response.status == 101 {
            let answer = self.switch(upstream, response, buffer, length, early).await;
            return (answer, None);
        }
        let signals = Signals::new(true);
        // Bytes behind a handshake that failed are no request: they were meant for the other protocol.
        let ordinary = Exchange {
            persistent: self.persistent && early.is_empty() && self.place.client.is_quiet(),
            ..*self
        };
        let answer = ordinary
            .answer_body(upstream, response, buffer, length, &signals)
            .await;
        (Some(answer), Some(early))
    }

    /// The 101 is the first `length` bytes of `buffer`; what lies behind it, and in `early`, is no longer HTTP.
    async fn switch(
        &self,
        upstream: &Connection,
        response: &ResponseHead,
        mut buffer: Buffer,
        length: usize,
        early: Buffer,
    ) -> Option<Answer> {
        let core = self.place.core;
        let client = self.place.client;
        let trace = self.place.trace;
        let timeouts = &self.place.snapshot.timeouts;
        let view = Response {
            bytes: buffer.filled().get(..length).unwrap_or_default(),
            head: response,
        };
        let mut head = self.head_buffer(view);
        if write_switch(view, self.terms(true), &mut head).is_err() {
            return Some(Answer::Fault(UpstreamFault::AnswerHeadTooLong));
        }
        buffer.consume(length);
        trace.forwarded(response.status);
        let (sent, head) = client.write_all(head, timeouts.client_write_idle).await;
        core.buffers.give(head);
        if sent.is_err() {
            core.buffers.give(early);
            return Some(Answer::ClientGone);
        }
        let now = core.clock.monotonic();
        trace.stopwatch.deliver(now);
        trace.enter(Phase::Upgraded);
        // From here on it is read from, and so is noticed when it leaves.
        client.deadline.untie();
        let relay = Relay {
            upstream,
            ends: now + timeouts.upgrade_lifetime,
            broken: Cell::new(None),
        };
        // A waiting connection keeps no buffer of a handshake that brought nothing else.
        let towards_client = self.relay_to_client(&relay, buffer);
        let towards_upstream = self.relay_to_upstream(&relay, early);
        both(towards_client, towards_upstream).await;
        client.deadline.clear();
        match relay.broken.get() {
            Some((by, reason)) => trace.end(by, reason),
            None => {
                trace.enter(Phase::Done);
                trace.end(EndedBy::Complete, "forwarded");
            }
        }
        None
    }

    async fn relay_to_client(&self, relay: &Relay<'_>, mut buffer: Buffer) {
        let core = self.place.core;
        let client = self.place.client;
        let idle = self.place.snapshot.timeouts.client_write_idle;
        loop {
            if !buffer.is_empty() {
                self.place.trace.add_bytes_out(buffer.len());
                let (sent, returned) = client.write_all(buffer, idle).await;
                buffer = returned;
                if sent.is_err() {
                    let reason = if client.deadline.fired() {
                        "client_write_timeout"
                    } else {
                        "client_closed"
                    };
                    self.break_off(relay, EndedBy::Client, reason);
                    break;
                }
            }
            core.buffers.give(buffer);
            self.expect_more(relay);
            let result;
            (result, buffer) = relay.upstream.read_waiting(&core.buffers).await;
            match result {
                Ok(1..) => {}
                Ok(0) | Err(_) if self.is_over(relay) => break,
                Ok(0) => {
                    client.finish(idle).await;
                    break;
                }
                Err(_) => {
                    self.break_off(relay, EndedBy::Upstream, "upstream_closed");
                    break;
                }
            }
        }
        core.buffers.give(buffer);
    }

    async fn relay_to_upstream(&self, relay: &Relay<'_>, mut buffer: Buffer) {
        let core = self.place.core;
        let client = self.place.client;
        let idle = self.place.snapshot.timeouts.upstream_read_idle;
        loop {
            if !buffer.is_empty() {
                self.place.trace.add_bytes_in(buffer.len());
                let (sent, returned) = relay.upstream.write_all(buffer, idle).await;
                buffer = returned;
                if sent.is_err() {
                    let reason = if relay.upstream.deadline().fired() {
                        "upstream_timeout"
                    } else {
                        "upstream_closed"
                    };
                    self.break_off(relay, EndedBy::Upstream, reason);
                    break;
                }
            }
            core.buffers.give(buffer);
            self.expect_more(relay);
            let result;
            (result, buffer) = client.read_waiting(core).await;
            match result {
                Ok(1..) => {}
                Ok(0) | Err(_) if self.is_over(relay) => break,
                Ok(0) => {
                    relay.upstream.finish(idle).await;
                    break;
                }
                Err(_) => {
                    self.break_off(relay, EndedBy::Client, "client_closed");
                    break;
                }
            }
        }
        core.buffers.give(buffer);
    }

    /// Bytes went one way: both sides may be silent for another while, but not beyond the end of the whole.
    fn expect_more(&self, relay: &Relay<'_>) {
        if relay.broken.get().is_some() {
            return;
        }
        let left = relay.ends.saturating_sub(self.place.core.clock.monotonic());
        let within = left.min(self.place.snapshot.timeouts.upstream_read_idle);
        self.place.client.deadline.read_within(within);
        relay.upstream.deadline().read_within(within);
    }

    /// Whether a read ended because the time was over, or because the other direction was broken off.
    fn is_over(&self, relay: &Relay<'_>) -> bool {
        if relay.broken.get().is_some() {
            return true;
        }
        let core = self.place.core;
        let fired = self.place.client.deadline.fired() || relay.upstream.deadline().fired();
        let is_cut = self.place.trace.is_cut();
        if !fired && !core.is_aborted() && !is_cut {
            return false;
        }
        let reason = if is_cut {
            "permission_ended"
        } else if !fired {
            "drain_timeout"
        } else if core.clock.monotonic() >= relay.ends {
            "upgrade_lifetime"
        } else {
            "upgrade_idle"
        };
        self.break_off(relay, EndedBy::Edge, reason);
        true
    }

    /// Ends both sides at once: reads and writes under way complete.
    fn break_off(&self, relay: &Relay<'_>, by: EndedBy, reason: &'static str) {
        if relay.broken.get().is_none() {
            relay.broken.set(Some((by, reason)));
        }
        self.place.client.abort();
        relay.upstream.shutdown();
    }

    /// Whether a 101 is the one that this request asked for.
    pub(super) fn switched(&self, response: Response<'_>) -> Result<(), UpstreamFault> {
        match &self.websocket {
            // Nobody asked for another protocol: the request went without its `Upgrade`.
            None => Err(UpstreamFault::SwitchedProtocols),
            Some(accept) if websocket::granted(response, accept) => Ok(()),
            Some(_) => Err(UpstreamFault::BadUpgrade),
        }
    }
}
