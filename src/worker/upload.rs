//! A request's body on its way to the upstream.

use std::time::Duration;

use crate::http::body::{BodyDecoder, Framing};
use crate::policy::Refusal;
use crate::runtime::buffer::Buffer;
use crate::upstream::Connection;

use super::connection::Place;
use super::exchange::{Exchange, Failure};
use super::pace::Pace;
use super::relay::{HEADROOM, Signals, frame};

/// How much of a body is read and dropped when its answer is already with the client.
const DROPPED_BYTES_MAX: usize = 1024 * 1024;

impl Exchange<'_> {
    /// Sends the head and the body to the upstream. `body` holds what came behind the head. Comes back with what lies
    /// behind the body's end, once the client has sent it all.
    pub(super) async fn upload(
        &self,
        upstream: &Connection,
        head: Buffer,
        mut body: Buffer,
        signals: &Signals,
    ) -> Option<Buffer> {
        let Place {
            core,
            snapshot,
            trace,
            ..
        } = self.place;
        let framing = self.request.head.framing;
        let mut decoder = BodyDecoder::with_trailers(framing, self.trailers);
        let mut head = Some(head);
        let mut reading = Reading::default();
        loop {
            let consumed = match self.decode(&mut decoder, &mut body) {
                Ok(consumed) => consumed,
                Err(refusal) => return self.fail(upstream, signals, refusal),
            };
            let finished = decoder.finished();
            let rest = finished.then(|| self.rest(&body, consumed.wire));
            body.truncate(consumed.payload);
            let trailers = self.trailer_section(&decoder);
            let last = finished && trailers.is_none();
            frame(&mut body, framing == Framing::Chunked, last);
            if !signals.answered.get() {
                let idle = if signals.answering.get() {
                    snapshot.timeouts.upstream_read_idle
                } else {
                    snapshot.timeouts.upstream_response
                };
                let begins = head.is_some();
                let pieces = (head.take(), body, trailers);
                let (sent, returned) = self.send(upstream, pieces, idle).await;
                if begins {
                    trace.stopwatch.stand(core.clock.monotonic());
                }
                body = returned;
                if sent.is_err() && !signals.answering.get() {
                    // The answer's side finds out whether the upstream said why.
                    return None;
                }
            }
            if let Some(rest) = rest {
                signals.uploaded.set(true);
                self.place.client.deadline.tie(upstream.deadline());
                if !signals.answering.get() {
                    let within = snapshot.timeouts.upstream_response;
                    upstream.deadline().read_within(within);
                }
                core.buffers.give(body);
                return Some(rest);
            }
            body = self.roomier(body, decoder.remaining());
            body.clear_with_headroom(HEADROOM);
            body = self
                .read_body(upstream, body, signals, &mut reading)
                .await?;
        }
    }

    /// Takes the chunk lines out of what was read, and counts it.
    fn decode(&self, decoder: &mut BodyDecoder, body: &mut Buffer) -> Result<Consumed, Refusal> {
        let Place {
            snapshot, trace, ..
        } = self.place;
        let decoded = decoder.decode(body.filled_mut()).map_err(Refusal::Body)?;
        let bytes = trace.bytes_in.get() + decoded.payload as u64;
        trace.bytes_in.set(bytes);
        if snapshot.limits.body_bytes != 0 && bytes > snapshot.limits.body_bytes {
            return Err(Refusal::BodyTooLarge);
        }
        Ok(Consumed {
            wire: decoded.consumed,
            payload: decoded.payload,
        })
    }

    /// Reads more of the body; `None` where nothing more is to be done for it.
    async fn read_body(
        &self,
        upstream: &Connection,
        body: Buffer,
        signals: &Signals,
        reading: &mut Reading,
    ) -> Option<Buffer> {
        let Place {
            core,
            client,
            snapshot,
            ..
        } = self.place;
        if !signals.answered.get() {
            client.deadline.read_within(snapshot.timeouts.body_idle);
        }
        let began = core.clock.monotonic();
        let (result, body) = client.read(body).await;
        match result {
            _ if signals.abandoned.get() => None,
            Ok(count @ 1..) if signals.answered.get() => {
                reading.dropped += count;
                (reading.dropped <= DROPPED_BYTES_MAX).then_some(body)
            }
            Ok(count @ 1..) => {
                client.deadline.clear_read();
                let took = core.clock.monotonic().saturating_sub(began);
                let rate = snapshot.limits.body_min_rate;
                if reading.pace.is_too_slow(took, count, rate) {
                    return self.fail(upstream, signals, Refusal::BodyTooSlow);
                }
                Some(body)
            }
            Ok(0) | Err(_) if signals.answered.get() => None,
            Ok(0) | Err(_) if client.deadline.fired() => {
                self.fail(upstream, signals, Refusal::BodyTimeout)
            }
            Ok(0) | Err(_) => {
                signals.failure.set(Some(Failure::ClientGone));
                upstream.shutdown();
                None
            }
        }
    }

    /// Ends the exchange because of what the client sent, or did not send.
    fn fail(&self, upstream: &Connection, signals: &Signals, refusal: Refusal) -> Option<Buffer> {
        signals.failure.set(Some(Failure::Refused(refusal)));
        upstream.shutdown();
        None
    }

    /// Writes a piece of the request: in one write with the head, where both fit into one buffer; the last one with the
    /// trailers behind it.
    async fn send(
        &self,
        upstream: &Connection,
        (head, piece, trailers): (Option<Buffer>, Buffer, Option<Buffer>),
        idle: Duration,
    ) -> (std::io::Result<()>, Buffer) {
        let core = self.place.core;
        let mut joined = false;
        if let Some(mut head) = head {
            joined = head.append(piece.filled());
            let (result, head) = upstream.write_all(head, idle).await;
            core.buffers.give(head);
            if result.is_err() {
                return (result, piece);
            }
        }
        let (result, piece) = if joined {
            (Ok(()), piece)
        } else {
            upstream.write_all(piece, idle).await
        };
        let Some(trailers) = trailers.filter(|_| result.is_ok()) else {
            return (result, piece);
        };
        let (result, trailers) = upstream.write_all(trailers, idle).await;
        core.buffers.give(trailers);
        (result, piece)
    }
}

/// What the reads of one body came to so far.
#[derive(Default)]
struct Reading {
    /// Bytes that came after the answer.
    dropped: usize,
    pace: Pace,
}

/// What one read held.
struct Consumed {
    /// Bytes of this message, chunk lines included.
    wire: usize,
    payload: usize,
}
