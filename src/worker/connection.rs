//! One downstream connection, from its first byte to its last: the data path in order.

use std::sync::Arc;

use crate::authn::{Identity, Mechanism, query};
use crate::certificate::PeerCertificate;
use crate::http::request::Request;
use crate::http::response::ResponseHead;
use crate::http::websocket;
use crate::policy::{Decision, Endpoint, Refusal, Refused};
use crate::runtime::buffer::Buffer;
use crate::runtime::task::watched;
use crate::tls::stream::HandshakeError;

use super::behind::{body_start, go_on};
use super::client::{Client, Entry, Newcomer, NotOpened, Waited};
use super::core::{Core, Work};
use super::exchange::Exchange;
use super::flow::Flow;
use super::head::{Arrived, Arriving, NoHead};
use super::keys::judge_with_keys;
use super::preamble::BadPreamble;
use super::refuse::{LINGER, linger, redirect, refuse_unread};
use super::snapshot::Snapshot;
use super::standing::Judged;
use super::trace::{EndedBy, Phase, Trace};

/// What becomes of a connection after an exchange.
pub(super) enum Next {
    /// It goes on; the buffer may hold the beginning of the next request.
    Request(Buffer),
    /// It ends after what was sent; the client may still be sending.
    Linger,
    /// It is over.
    Close,
}

/// Serves one accepted socket to its end.
pub async fn serve(core: &Core, newcomer: Newcomer) {
    let entry = newcomer.entry;
    // Boxed, as the other parts that a connection goes through once: they would be part of its future all along.
    let opened = Box::pin(Client::open(core, newcomer)).await;
    core.count(|counters| match &opened {
        Ok(client) if entry == Entry::Https => {
            counters.handshakes_ok += 1;
            counters.handshakes_resumed += u64::from(client.is_resumed());
        }
        Ok(_) => {}
        Err(NotOpened::TooManyFromAddress) => counters.connections_over_address += 1,
        Err(NotOpened::Preamble(bad)) => counters.bad_preamble(bad.reason()),
        Err(NotOpened::Handshake(HandshakeError::UnknownName)) => {
            counters.handshakes_unknown_name += 1;
        }
        Err(NotOpened::Handshake(HandshakeError::BadProof)) => {
            counters.handshakes_bad_proof += 1;
        }
        Err(NotOpened::Handshake(
            HandshakeError::LargeCertificate | HandshakeError::Tls | HandshakeError::Closed,
        )) => {
            counters.handshakes_failed += 1;
        }
    });
    let Ok(client) = opened else { return };
    let mut served = 0;
    let mut carried: Option<Buffer> = None;
    loop {
        let buffer = match carried.take() {
            Some(buffer) => buffer,
            None if served > 0 && core.is_draining() => {
                break Box::pin(client.finish(LINGER)).await;
            }
            None => {
                let idle = core.snapshot().timeouts.idle;
                match client.wait_idle(core, idle, served > 0).await {
                    Waited::Read(buffer) => buffer,
                    Waited::Readable => client.request_buffer(core),
                    Waited::Ended => break Box::pin(client.finish(LINGER)).await,
                }
            }
        };
        served += 1;
        let exchange = core
            .stage
            .enter(|| one_request(core, &client, entry, buffer, served));
        match exchange.await {
            Next::Request(buffer) if buffer.is_empty() => core.buffers.give(buffer),
            Next::Request(buffer) => carried = Some(buffer),
            Next::Linger => break Box::pin(linger(core, &client)).await,
            Next::Close => break,
        }
    }
}

/// Reads, judges and answers one request. The snapshot is taken once, when its head is there.
async fn one_request(
    core: &Core,
    client: &Client,
    entry: Entry,
    mut buffer: Buffer,
    served: u64,
) -> Next {
    let mut trace = Trace::new(core, client);
    let mut snapshot = core.snapshot();
    let mut work = core.take_work();
    let mut arriving = Arriving::new(served == 1);
    let looked = arriving.look_first(&mut buffer, &mut work.request, &snapshot.head_limits);
    let head = match looked {
        Some(head) => head,
        None => {
            // Whoever takes long to send a head holds none of ours meanwhile.
            core.give_work(work);
            let (head, returned) = arriving.read(core, client, &snapshot, buffer).await;
            buffer = returned;
            // Every head that arrives after a reload is judged by the new one, however long ago its first byte came.
            snapshot = core.snapshot();
            work = core.take_work();
            head
        }
    };
    let next = match head {
        // Its last bytes came when it was being ended for another: no answer would reach it.
        Ok(_) if !client.deadline.engage() => gone(core, client, &snapshot, &trace, buffer),
        Ok(arrived) => {
            judge(
                core,
                client,
                entry,
                &snapshot,
                &mut work,
                &mut trace,
                (buffer, arrived),
                served,
            )
            .await
        }
        Err(NoHead::Quiet) => {
            core.buffers.give(buffer);
            Box::pin(client.finish(LINGER)).await;
            Next::Close
        }
        Err(NoHead::Preamble) => {
            core.buffers.give(buffer);
            core.count(|counters| counters.bad_preamble(BadPreamble::Unlisted.reason()));
            Next::Close
        }
        Err(NoHead::Gone) => gone(core, client, &snapshot, &trace, buffer),
        Err(NoHead::Refused(refusal)) => {
            refuse_unread(core, client, &snapshot, refusal, &trace, buffer).await
        }
    };
    core.give_work(work);
    next
}

/// There is nobody to answer: the client left in the middle of its head, or was ended for another.
fn gone(core: &Core, client: &Client, snapshot: &Snapshot, trace: &Trace, buffer: Buffer) -> Next {
    core.buffers.give(buffer);
    if client.deadline.evicted() {
        trace.end(EndedBy::Edge, "evicted");
    }
    trace.finish(core, snapshot, client, None, &Identity::Anonymous);
    Next::Close
}

/// What an exchange of one request needs to know of its surroundings.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub core: &'a Core,
    pub client: &'a Client,
    pub snapshot: &'a Snapshot,
    pub trace: &'a Trace,
}

#[expect(
    clippy::too_many_arguments,
    reason = "the one place where all that an exchange needs comes together"
)]
async fn judge(
    core: &Core,
    client: &Client,
    entry: Entry,
    snapshot: &Arc<Snapshot>,
    work: &mut Work,
    trace: &mut Trace,
    (mut buffer, arrived): (Buffer, Arrived),
    served: u64,
) -> Next {
    let length = arrived.length;
    let Work {
        request: head,
        response,
    } = work;
    let bytes = buffer.filled().get(..length).unwrap_or_default();
    if let Err(error) = arrived.parse(bytes, head, &snapshot.head_limits) {
        let refusal = Refusal::Head(error);
        return refuse_unread(core, client, snapshot, refusal, trace, buffer).await;
    }
    trace.hear(Request { bytes, head }, snapshot);
    trace.enter(Phase::Decision);
    let websocket = websocket::requested(Request { bytes, head });
    client.asked(buffer.len());
    let rest = body_start(core, &mut buffer, length, head.framing, websocket.is_some());
    let bytes = buffer.filled().get(..length).unwrap_or_default();
    let request = Request { bytes, head };
    let connection = client.facts().of(trace.client.address);
    let now = arrived.judged_at(core, trace);
    trace.stopwatch.run(now.monotonic);
    let decided =
        (entry != Entry::Redirect).then(|| core.decide(snapshot, connection, request, now));
    let (newer, decision) = match decided {
        Some(Decision::NeedsKeys(needs)) => {
            let judging = judge_with_keys((core, trace), *needs, connection, request);
            let (newer, decision) = Box::pin(judging).await;
            (newer, Some(decision))
        }
        decided => (None, decided),
    };
    let snapshot = newer.as_ref().unwrap_or(snapshot);
    let place = Place {
        core,
        client,
        snapshot,
        trace,
    };
    let mut exchange = Exchange {
        place,
        request,
        judged_at: if newer.is_some() { core.now() } else { now },
        // Bytes behind a handshake are no request, whatever the answer is (S4.3).
        persistent: head.persistent
            && another_may_follow(core, snapshot, served)
            && (websocket.is_none() || rest.as_ref().is_none_or(Buffer::is_empty)),
        token_in_query: carries_token(request),
        for_one: false,
        websocket,
        trailers: false,
        from_edge: false,
    };
    let Some(decision) = decision else {
        let (next, rest) = redirect(&exchange, rest).await;
        trace.finish(core, snapshot, client, Some(request), &Identity::Anonymous);
        return go_on(core, next, buffer, length, rest);
    };
    let (identity, keeps, rest) = obey(&mut exchange, decision, response, rest).await;
    trace.finish(core, snapshot, client, Some(request), &identity);
    go_on(core, keeps, buffer, length, rest)
}

/// Forwards or refuses; what lies behind the request comes back.
async fn obey(
    exchange: &mut Exchange<'_>,
    decision: Decision,
    response: &mut ResponseHead,
    rest: Option<Buffer>,
) -> (Identity, Keeps, Option<Buffer>) {
    match decision {
        Decision::Forward(permit) => {
            exchange.for_one = matches!(
                permit.identity().mechanism(),
                Mechanism::Mtls | Mechanism::Session
            );
            exchange.trailers = exchange.place.snapshot.passes_trailers(permit.tunnel());
            let tunnel = permit.tunnel();
            let ends_at = ends_at(exchange, permit.identity());
            let forwarding = exchange.forward(permit, response, rest);
            let judged = Judged::new(exchange, tunnel, ends_at);
            let (identity, keeps, rest) = watched(forwarding, judged).await;
            if identity.mechanism() != Mechanism::None {
                exchange.place.client.deadline.prove();
            }
            (identity, keeps, rest)
        }
        Decision::Refuse(refused) => refuse(exchange, refused, rest).await,
        // Its keys were asked for, or cannot be.
        Decision::NeedsKeys(needs) => refuse(exchange, needs.otherwise, rest).await,
        Decision::NeedsSignIn(tunnel) => interact(exchange, tunnel, Flow::SignIn, rest).await,
        Decision::NeedsChallenge(tunnel) => interact(exchange, tunnel, Flow::Challenge, rest).await,
        Decision::Endpoint(Endpoint::Flow(tunnel)) => {
            exchange.place.trace.tunnel.set(tunnel);
            let (keeps, rest) = exchange.ask_flow(response, rest).await;
            (Identity::Anonymous, keeps, rest)
        }
        Decision::Endpoint(Endpoint::AssertionKeys) => {
            let (keeps, rest) = exchange.show_keys(rest).await;
            (Identity::Anonymous, keeps, rest)
        }
        Decision::Endpoint(Endpoint::Preflight(tunnel)) => {
            let (keeps, rest) = exchange.answer_preflight(tunnel, rest).await;
            (Identity::Anonymous, keeps, rest)
        }
        Decision::Endpoint(Endpoint::Session(tunnel, identity)) => {
            let (keeps, rest) = exchange.tell_session(tunnel, &identity, rest).await;
            (identity, keeps, rest)
        }
    }
}

/// When the proof of a request ends, in seconds since the Unix epoch.
fn ends_at(exchange: &Exchange<'_>, identity: &Identity) -> Option<u64> {
    match identity {
        Identity::Anonymous => None,
        Identity::Token(token) => token.expires_at(),
        Identity::Session(user) => Some(user.expires_at),
        Identity::Certificate(_) => {
            let certificate = exchange.place.client.facts().certificate;
            certificate.map(PeerCertificate::ends_at)
        }
    }
}

/// Sends a browser to sign in, or to a challenge.
async fn interact(
    exchange: &Exchange<'_>,
    tunnel: usize,
    flow: Flow,
    rest: Option<Buffer>,
) -> (Identity, Keeps, Option<Buffer>) {
    exchange.place.trace.tunnel.set(Some(tunnel));
    let (keeps, rest) = exchange.send_to(flow, rest).await;
    (Identity::Anonymous, keeps, rest)
}

async fn refuse(
    exchange: &Exchange<'_>,
    refused: Refused,
    rest: Option<Buffer>,
) -> (Identity, Keeps, Option<Buffer>) {
    exchange.place.trace.tunnel.set(refused.tunnel);
    let (keeps, rest) = exchange.refuse(refused.refusal, rest).await;
    (refused.identity, keeps, rest)
}

/// Whether an exchange left its connection in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// The next request may follow.
    Open,
    Linger,
    Closed,
}

/// Whether this connection may have one more request after so many.
fn another_may_follow(core: &Core, snapshot: &Snapshot, served: u64) -> bool {
    let last = snapshot.limits.requests_per_connection;
    !core.is_draining() && (last == 0 || served < last)
}

fn carries_token(request: Request<'_>) -> bool {
    request.query().is_some_and(query::present)
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    fn bytes_of<'a, F: Future>(_: impl FnOnce(&'a Core, Newcomer) -> F) -> usize {
        size_of::<F>()
    }

    /// An idle connection is its future, its socket and its deadline; under TLS also the session. Everything else is
    /// borrowed for the length of an exchange.
    #[test]
    fn an_idle_connection_is_small() {
        let bytes = bytes_of(serve);
        assert!(bytes <= 1664, "{bytes}");
    }
}
