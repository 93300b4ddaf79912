//! An upstream's answer on its way to the client.

use std::time::Duration;

use crate::forward::response::{Delivery, Terms, write, write_interim};
use crate::http::Version;
use crate::http::auth_scheme::asks_to_bind_connection;
use crate::http::body::BodyDecoder;
use crate::http::response::{Response, ResponseHead};
use crate::limits::{BUFFER_BYTES, INTERIM_ANSWERS_MAX};
use crate::policy::refusal::UpstreamFault;
use crate::runtime::buffer::Buffer;
use crate::upstream::Connection;

use super::connection::Place;
use super::exchange::Exchange;
use super::head::read_answer;
use super::relay::{Answer, HEADROOM, Signals, frame};
use super::trace::Phase;

/// Room before an answer's bytes, so that the head we write in its place may be this much longer.
pub(super) const ANSWER_HEADROOM: usize = 512;

/// How long a client may go on sending a body whose answer it already has.
const EARLY_ANSWER_LINGER: Duration = Duration::from_secs(2);

impl Exchange<'_> {
    /// Relays the upstream's answer to the client.
    pub(super) async fn answer(
        &self,
        upstream: &Connection,
        response: &mut ResponseHead,
        signals: &Signals,
    ) -> Answer {
        let mut buffer = self.answer_buffer(upstream);
        buffer.clear_with_headroom(ANSWER_HEADROOM);
        if signals.uploaded.get() {
            self.place.client.deadline.tie(upstream.deadline());
            upstream
                .deadline()
                .read_within(self.place.snapshot.timeouts.upstream_response);
        }
        let (head, buffer) = self.answer_head(upstream, response, buffer).await;
        upstream.deadline().clear_read();
        upstream.answered(buffer.len() + ANSWER_HEADROOM >= BUFFER_BYTES);
        let answer = match head {
            Ok(length) => {
                signals.answering.set(true);
                // From now on a pause in taking the request is one of an exchange that goes both ways.
                let idle = self.place.snapshot.timeouts.upstream_read_idle;
                upstream.deadline().stretch_write(idle);
                self.answer_body(upstream, response, buffer, length, signals)
                    .await
            }
            Err(answer) => answer,
        };
        signals.answered.set(true);
        if !signals.uploaded.get() {
            signals
                .abandoned
                .set(!matches!(answer, Answer::Complete { .. }));
            self.end_early(upstream, answer, signals).await;
        }
        answer
    }

    /// Room to read an answer into: for as much as there is at once, where the last one was long.
    fn answer_buffer(&self, upstream: &Connection) -> Buffer {
        let pool = &self.place.core.buffers;
        let large = upstream.answers_long().then(|| pool.take_large_if_free());
        large.flatten().unwrap_or_else(|| pool.take())
    }

    /// The answer is over and the request is not: what is left of it has nowhere to go.
    async fn end_early(&self, upstream: &Connection, answer: Answer, signals: &Signals) {
        upstream.shutdown();
        match answer {
            Answer::Complete { .. } => {
                self.place.client.finish(EARLY_ANSWER_LINGER).await;
                self.place.client.deadline.write_within(EARLY_ANSWER_LINGER);
            }
            // The client's direction was the first to end: what it still sends is read while it reads the refusal.
            Answer::Fault(_) if signals.failure.get().is_some() => {}
            // The refusal is written when both directions have ended; stop waiting for the client's.
            Answer::Fault(_) => self.place.client.deadline.read_within(Duration::ZERO),
            Answer::Broken(_) | Answer::ClientGone => self.place.client.abort(),
        }
    }

    /// Reads heads until the final one, passing interim answers on.
    pub(super) async fn answer_head(
        &self,
        upstream: &Connection,
        response: &mut ResponseHead,
        mut buffer: Buffer,
    ) -> (Result<usize, Answer>, Buffer) {
        let Place {
            core,
            snapshot,
            trace,
            ..
        } = self.place;
        let method = self.request.head.method;
        for interims in 0..=INTERIM_ANSWERS_MAX {
            let reading = read_answer(core, upstream, snapshot, method, response, buffer);
            let (head, returned) = reading.await;
            buffer = returned;
            let (length, parsed) = match head {
                Ok(head) => head,
                // The answer had begun, so the request is not to be sent again.
                Err(UpstreamFault::Closed) if interims > 0 => {
                    return (Err(Answer::Fault(UpstreamFault::AnswerTruncated)), buffer);
                }
                Err(fault) => return (Err(Answer::Fault(fault)), buffer),
            };
            trace.stopwatch.run(core.clock.monotonic());
            trace.enter(Phase::Answer);
            let bytes = buffer.filled().get(..length).unwrap_or_default();
            if !parsed && let Err(error) = response.parse(bytes, method, &snapshot.head_limits) {
                return (Err(Answer::Fault(UpstreamFault::Answer(error))), buffer);
            }
            match response.status {
                101 => {
                    let switched = self.switched(Response {
                        bytes,
                        head: response,
                    });
                    return (switched.map(|()| length).map_err(Answer::Fault), buffer);
                }
                100..200 if interims == INTERIM_ANSWERS_MAX => break,
                100..200 => {
                    if let Err(answer) = self
                        .interim(Response {
                            bytes,
                            head: response,
                        })
                        .await
                    {
                        return (Err(answer), buffer);
                    }
                    trace.stopwatch.stand(core.clock.monotonic());
                    buffer.consume(length);
                }
                _ => return (Ok(length), buffer),
            }
        }
        (Err(Answer::Fault(UpstreamFault::TooManyInterim)), buffer)
    }

    /// Passes an interim answer on (RFC 9110 15.2). `100 Continue` is the edge's to say, and a client of HTTP/1.0 knows
    /// none of them.
    async fn interim(&self, response: Response<'_>) -> Result<(), Answer> {
        let Place {
            core,
            client,
            snapshot,
            ..
        } = self.place;
        if response.head.status == 100 || self.request.head.version == Version::Http10 {
            return Ok(());
        }
        let mut out = self.head_buffer(response);
        if write_interim(response, self.terms(true), &mut out).is_err() {
            return Err(Answer::Fault(UpstreamFault::AnswerHeadTooLong));
        }
        let (sent, out) = client
            .write_all(out, snapshot.timeouts.client_write_idle)
            .await;
        core.buffers.give(out);
        sent.map_err(|_| Answer::ClientGone)
    }

    pub(super) fn terms(&self, persistent: bool) -> Terms<'_> {
        Terms {
            host: self.request.head.host.as_str(),
            client: self.request.head.version,
            persistent,
            token_in_query: self.token_in_query,
            for_one: self.for_one,
            trailers: self.trailers,
            from_edge: self.from_edge,
            date: self.place.core.date(),
        }
    }

    /// Room for a head written anew.
    pub(super) fn head_buffer(&self, response: Response<'_>) -> Buffer {
        let pool = &self.place.core.buffers;
        if response.bytes.len() + ANSWER_HEADROOM > BUFFER_BYTES {
            pool.take_large()
        } else {
            pool.take()
        }
    }

    /// Writes the final head, which is the first `length` bytes of `buffer`, and relays the body.
    pub(super) async fn answer_body(
        &self,
        upstream: &Connection,
        response: &ResponseHead,
        mut buffer: Buffer,
        length: usize,
        signals: &Signals,
    ) -> Answer {
        let Place { core, trace, .. } = self.place;
        let view = Response {
            bytes: buffer.filled().get(..length).unwrap_or_default(),
            head: response,
        };
        let reusable = response.persistent && !asks_for_connection_scheme(view);
        // A client that is still sending its body is told that this is the last answer.
        let wanted = self.persistent && !core.is_draining() && signals.uploaded.get();
        let mut head = self.head_buffer(view);
        let Ok((delivery, persistent)) = write(view, self.terms(wanted), &mut head) else {
            return Answer::Fault(UpstreamFault::AnswerHeadTooLong);
        };
        buffer.consume(length);
        if delivery == Delivery::UntilClose {
            self.place.client.end_is_answer_end();
        }
        let mut head = Some(head);
        let mut decoder = BodyDecoder::with_trailers(
            response.framing,
            self.trailers && delivery == Delivery::Chunked,
        );
        let mut ended = false;
        loop {
            let Ok(decoded) = decoder.decode(buffer.filled_mut()) else {
                return self.broken(&decoder, head.is_some());
            };
            let left_over = decoded.consumed < buffer.len();
            let finished = decoder.finished() || ended;
            trace.add_bytes_out(decoded.payload);
            buffer.truncate(decoded.payload);
            let trailers = self.trailer_section(&decoder);
            let last = finished && trailers.is_none();
            frame(&mut buffer, delivery == Delivery::Chunked, last);
            if head.is_some() {
                trace.forwarded(response.status);
            }
            let begins = head.is_some();
            let (sent, returned) = self.deliver(head.take(), buffer, trailers).await;
            buffer = returned;
            if sent.is_err() {
                return Answer::ClientGone;
            }
            if begins {
                trace.stopwatch.deliver(core.clock.monotonic());
            }
            if finished {
                core.buffers.give(buffer);
                return Answer::Complete {
                    reusable: reusable && !left_over && !ended,
                    persistent,
                };
            }
            buffer = self.roomier(buffer, decoder.remaining());
            buffer.clear_with_headroom(HEADROOM);
            match self.read_answer_body(upstream, buffer, &mut decoder).await {
                Ok((returned, end)) => (buffer, ended) = (returned, end),
                Err(fault) => return Answer::Broken(fault),
            }
        }
    }

    /// Reads more of the body; answers whether the upstream ended it by closing.
    async fn read_answer_body(
        &self,
        upstream: &Connection,
        buffer: Buffer,
        decoder: &mut BodyDecoder,
    ) -> Result<(Buffer, bool), UpstreamFault> {
        let idle = self.place.snapshot.timeouts.upstream_read_idle;
        upstream.deadline().read_within(idle);
        let (result, buffer) = upstream.read(buffer).await;
        upstream.deadline().clear_read();
        match result {
            Ok(1..) => Ok((buffer, false)),
            Ok(0) | Err(_) if upstream.deadline().fired() => Err(UpstreamFault::Timeout),
            Ok(0) if decoder.end_of_input().is_ok() => Ok((buffer, true)),
            Ok(0) | Err(_) => Err(UpstreamFault::BodyTruncated),
        }
    }

    /// The answer's body breaks its own framing: before anything was sent that is an ordinary fault.
    fn broken(&self, decoder: &BodyDecoder, unsent: bool) -> Answer {
        let fault = match decoder.failure() {
            Some(error) => UpstreamFault::AnswerBody(error),
            None => UpstreamFault::BodyTruncated,
        };
        if unsent {
            Answer::Fault(fault)
        } else {
            Answer::Broken(fault)
        }
    }

    /// Writes a piece of the answer; the first one with the head, in one write where both fit into one buffer;
    /// the last one with the trailers behind it.
    async fn deliver(
        &self,
        head: Option<Buffer>,
        mut piece: Buffer,
        trailers: Option<Buffer>,
    ) -> (std::io::Result<()>, Buffer) {
        let Place {
            core,
            client,
            snapshot,
            ..
        } = self.place;
        let idle = snapshot.timeouts.client_write_idle;
        if let Some(head) = head {
            if piece.prepend(head.filled()) {
                core.buffers.give(head);
            } else {
                let (result, head) = client.write_all(head, idle).await;
                core.buffers.give(head);
                if result.is_err() {
                    return (result, piece);
                }
            }
        }
        let (result, piece) = client.write_all(piece, idle).await;
        let Some(trailers) = trailers.filter(|_| result.is_ok()) else {
            return (result, piece);
        };
        let (result, trailers) = client.write_all(trailers, idle).await;
        core.buffers.give(trailers);
        (result, piece)
    }
}

/// S8: an upstream that asks for `Negotiate` or `NTLM` binds what follows to its connection.
fn asks_for_connection_scheme(response: Response<'_>) -> bool {
    let challenges = response.values_named(b"www-authenticate");
    let proxies = response.values_named(b"proxy-authenticate");
    challenges.chain(proxies).any(asks_to_bind_connection)
}
