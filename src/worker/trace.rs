//! What an exchange came to, gathered as it goes and written once at its end.

use std::cell::Cell;

use arrayvec::ArrayString;

use crate::authn::Identity;
use crate::clock::Now;
use crate::http::request::Request;
use crate::http::trace_context::trace_id;
use crate::policy::client_address::{
    REQUEST_ID_BYTES_MAX, forwarded, forwarded_scheme, is_in, request_id,
};
use crate::policy::{Refusal, Scheme};
use crate::telemetry::counters::Verdict;
use crate::telemetry::record::Record;

use super::client::{Client, ClientAddress};
use super::core::Core;
use super::snapshot::Snapshot;
use super::stopwatch::Stopwatch;

/// What an exchange is doing; the last one is where it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Head,
    Decision,
    Connect,
    Request,
    Answer,
    Body,
    /// Bytes go both ways after a 101.
    Upgraded,
    Done,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Phase::Head => "head",
            Phase::Decision => "decision",
            Phase::Connect => "connect",
            Phase::Request => "request",
            Phase::Answer => "answer",
            Phase::Body => "body",
            Phase::Upgraded => "upgraded",
            Phase::Done => "done",
        }
    }
}

/// Who ended an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Both sides, in order.
    Complete,
    Client,
    Upstream,
    Edge,
}

impl EndedBy {
    fn as_str(self) -> &'static str {
        match self {
            EndedBy::Complete => "complete",
            EndedBy::Client => "client",
            EndedBy::Upstream => "upstream",
            EndedBy::Edge => "edge",
        }
    }
}

/// One exchange as it goes. Both directions write here, so every part is a cell.
pub struct Trace {
    pub started: Now,
    pub request_id: ArrayString<REQUEST_ID_BYTES_MAX>,
    /// Whose request it is.
    pub client: ClientAddress,
    /// How the client came, as the upstream is told: to us, or to a trusted proxy.
    pub scheme: Scheme,
    pub phase: Cell<Phase>,
    /// The status sent to the client; 0 until then.
    pub status: Cell<u16>,
    pub reason: Cell<&'static str>,
    /// Which rule an upstream broke.
    pub detail: Cell<&'static str>,
    pub ended_by: Cell<EndedBy>,
    pub verdict: Cell<Verdict>,
    pub tunnel: Cell<Option<usize>>,
    pub bytes_in: Cell<u64>,
    pub bytes_out: Cell<u64>,
    /// What the edge itself adds.
    pub stopwatch: Stopwatch,
    /// It was cut off: what else happens to it only follows from that.
    is_cut: Cell<bool>,
}

impl Trace {
    pub fn new(core: &Core, client: &Client) -> Self {
        Trace {
            started: core.now(),
            request_id: core.request_id(),
            client: client.address,
            scheme: client.facts().scheme,
            phase: Cell::new(Phase::Head),
            status: Cell::new(0),
            reason: Cell::new("client_closed"),
            detail: Cell::new(""),
            ended_by: Cell::new(EndedBy::Client),
            verdict: Cell::new(Verdict::Refused),
            tunnel: Cell::new(None),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            stopwatch: Stopwatch::default(),
            is_cut: Cell::new(false),
        }
    }

    /// Takes over what a trusted proxy says of the request (S7).
    pub fn hear(&mut self, request: Request<'_>, snapshot: &Snapshot) {
        let trust = &snapshot.trust;
        let Some(peer) = self.client.address else {
            return;
        };
        if !is_in(&trust.forwarded_from, peer) {
            return;
        }
        self.client = forwarded(request, peer, &trust.forwarded_from).into();
        if snapshot.behind_tls_balancer && self.scheme == Scheme::Http {
            self.scheme = forwarded_scheme(request).unwrap_or(Scheme::Http);
        }
        if let Some(id) = request_id(request) {
            self.request_id = ArrayString::from(id).unwrap_or(self.request_id);
        }
    }

    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
    }

    /// The upstream's final head goes to the client.
    pub fn forwarded(&self, status: u16) {
        self.status.set(status);
        self.verdict.set(Verdict::Forwarded);
        self.enter(Phase::Body);
    }

    pub fn add_bytes_in(&self, bytes: usize) {
        self.bytes_in.set(self.bytes_in.get() + bytes as u64);
    }

    pub fn add_bytes_out(&self, bytes: usize) {
        self.bytes_out.set(self.bytes_out.get() + bytes as u64);
    }

    /// The exchange ends early, and why.
    pub fn end(&self, by: EndedBy, reason: &'static str) {
        if self.is_cut.get() {
            return;
        }
        self.ended_by.set(by);
        self.reason.set(reason);
    }

    /// It may not go on; `why` as a request would be refused now (S5.7).
    pub fn cut(&self, why: &'static str) {
        self.end(EndedBy::Edge, "permission_ended");
        self.detail.set(why);
        self.is_cut.set(true);
    }

    pub fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    /// The exchange ends with this refusal.
    pub fn refuse(&self, refusal: Refusal) {
        if self.is_cut.get() {
            return;
        }
        let by = match refusal {
            Refusal::Upstream(fault) => {
                self.detail.set(fault.detail());
                EndedBy::Upstream
            }
            Refusal::Head(_)
            | Refusal::Body(_)
            | Refusal::BodyTooLarge
            | Refusal::HeadTimeout
            | Refusal::BodyTimeout
            | Refusal::BodyTooSlow
            | Refusal::UnknownHost
            | Refusal::Misdirected
            | Refusal::HandshakeOutdated
            | Refusal::SchemeMismatch
            | Refusal::EdgePath
            | Refusal::ReadOnly
            | Refusal::Unauthenticated(_)
            | Refusal::TooManyVerifications
            | Refusal::TooManyUpgrades
            | Refusal::EdgeExhausted
            | Refusal::Network(_)
            | Refusal::Forbidden(_) => EndedBy::Edge,
        };
        self.end(by, refusal.reason());
    }

    /// Counts and logs the exchange. `request` is there once the head was understood.
    pub fn finish(
        &self,
        core: &Core,
        snapshot: &Snapshot,
        client: &Client,
        request: Option<Request<'_>>,
        identity: &Identity,
    ) {
        let mechanism = identity.mechanism();
        core.count(|counters| {
            counters.request(mechanism, self.verdict.get(), self.status.get());
            counters.bytes_in += self.bytes_in.get();
            counters.bytes_out += self.bytes_out.get();
            match (self.verdict.get(), self.stopwatch.read()) {
                (Verdict::Refused, _) => counters.refusal(self.reason.get()),
                (Verdict::Forwarded, Some((added, delivered))) => {
                    counters.added.observe(added);
                    let since = self.started.monotonic;
                    counters.first_byte.observe(delivered.saturating_sub(since));
                }
                (Verdict::Forwarded | Verdict::Redirected | Verdict::Answered, _) => {}
            }
        });
        // What nobody was answered to is no refusal.
        let refused = self.verdict.get() == Verdict::Refused && self.status.get() != 0;
        if !refused && !core.has_log() {
            return;
        }
        let mut record = self.record(core, snapshot, client, request, identity);
        if refused {
            core.remember(&record);
        }
        if core.has_log() {
            record.trace_id = request.and_then(trace_id).unwrap_or_default();
            record.duration = core.now().monotonic.saturating_sub(self.started.monotonic);
            core.log(&record);
        }
    }

    fn record<'a>(
        &'a self,
        core: &Core,
        snapshot: &'a Snapshot,
        client: &Client,
        request: Option<Request<'a>>,
        identity: &'a Identity,
    ) -> Record<'a> {
        let tunnel = self
            .tunnel
            .get()
            .and_then(|index| snapshot.policy.tunnels.get(index));
        Record {
            started: self.started.unix,
            node: &snapshot.node,
            core: core.index,
            request_id: &self.request_id,
            client: &self.client.text,
            method: request
                .map(|request| request.method_name())
                .unwrap_or_default(),
            scheme: client.facts().scheme.as_str(),
            host: request
                .map(|request| request.head.host.as_str())
                .unwrap_or_default(),
            path: request.map(|request| request.path()).unwrap_or_default(),
            tunnel: tunnel
                .map(|tunnel| tunnel.hostname.as_str())
                .unwrap_or_default(),
            status: self.status.get(),
            reason: self.reason.get(),
            detail: self.detail.get(),
            mechanism: identity.mechanism().as_str(),
            credential: identity.name(),
            ended_by: self.ended_by.get().as_str(),
            phase: self.phase.get().as_str(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            ..Record::default()
        }
    }
}
