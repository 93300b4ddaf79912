//! Reading a head: until its end, a refusal, or the deadline.

use crate::clock::Now;
use crate::http::HeadLimits;
use crate::http::request::{Method, RequestError, RequestHead};
use crate::http::response::ResponseHead;
use crate::http::scan::{HeadScan, Scan, ScanError, leading_crlf};
use crate::limits::{BUFFER_BYTES, LARGE_BUFFER_BYTES};
use crate::listener::proxy::SIGNATURE;
use crate::policy::{Refusal, refusal::UpstreamFault};
use crate::runtime::buffer::{Buffer, BufferPool};
use crate::upstream;

use super::client::Client;
use super::core::Core;
use super::snapshot::Snapshot;
use super::trace::Trace;

/// Why there is no request head.
pub(super) enum NoHead {
    /// The client left, or stayed silent, before the first byte.
    Quiet,
    /// The client left in the middle.
    Gone,
    /// A PROXY preamble from a peer that is not trusted to send one (S7).
    Preamble,
    Refused(Refusal),
}

/// A whole request head at the beginning of a buffer.
#[derive(Clone, Copy)]
pub(super) struct Arrived {
    pub length: usize,
    /// It was there when it was first looked for: then no time has passed, and nothing can have changed since.
    at_once: bool,
    /// It is parsed already.
    parsed: bool,
}

impl Arrived {
    /// Parses it from `bytes` into `head`, unless that was done.
    pub(super) fn parse(
        self,
        bytes: &[u8],
        head: &mut RequestHead,
        limits: &HeadLimits,
    ) -> Result<(), RequestError> {
        if self.parsed {
            return Ok(());
        }
        head.parse(bytes, limits)
    }

    /// A head that took its time is judged by the time of its end.
    pub(super) fn judged_at(self, core: &Core, trace: &Trace) -> Now {
        if self.at_once {
            trace.started
        } else {
            core.now()
        }
    }
}

/// A request head as it arrives.
pub(super) struct Arriving {
    scan: HeadScan,
    /// The empty line that may stand before a request has not been looked for yet (RFC 9112 2.2).
    may_be_empty: bool,
    /// What came so far is the beginning of a PROXY preamble, or nothing.
    may_be_preamble: bool,
}

impl Arriving {
    /// `first`: nothing came on this connection before.
    pub(super) fn new(first: bool) -> Self {
        Arriving {
            scan: HeadScan::default(),
            may_be_empty: true,
            may_be_preamble: first,
        }
    }

    /// Looks at what came with whatever was read before. Nearly every head is here as a whole, and right: it is parsed into
    /// `head` with the same look.
    pub(super) fn look_first(
        &mut self,
        buffer: &mut Buffer,
        head: &mut RequestHead,
        limits: &HeadLimits,
    ) -> Option<Result<Arrived, NoHead>> {
        let parsed = head.parse_at_once(buffer.filled(), limits);
        let looked = match parsed {
            Some(length) => Some(Ok(length)),
            None => self.look(buffer, limits),
        };
        let arrived = |length| Arrived {
            length,
            at_once: true,
            parsed: parsed.is_some(),
        };
        looked.map(|result| result.map(arrived))
    }

    /// Looks at all that has come so far; answers the length of the head that `buffer` then begins with, or why it is
    /// none. `None`: more must come.
    fn look(&mut self, buffer: &mut Buffer, limits: &HeadLimits) -> Option<Result<usize, NoHead>> {
        if self.may_be_preamble && buffer.filled().starts_with(&SIGNATURE) {
            return Some(Err(NoHead::Preamble));
        }
        self.may_be_preamble = self.may_be_preamble && SIGNATURE.starts_with(buffer.filled());
        // What may still become a preamble is not yet read as anything else.
        let undecided = self.may_be_preamble && !buffer.is_empty();
        if self.may_be_empty && buffer.len() >= 2 && !undecided {
            buffer.consume(leading_crlf(buffer.filled()));
            self.may_be_empty = false;
        }
        if undecided || (buffer.filled() == b"\r" && self.may_be_empty) {
            return None;
        }
        match self.scan.advance(buffer.filled(), limits) {
            Scan::Complete(length) => Some(Ok(length)),
            Scan::Refused(error) => Some(Err(NoHead::Refused(Refusal::Head(error.into())))),
            Scan::Partial => None,
        }
    }

    /// Reads until `buffer` begins with a whole request head. What follows it stays in the buffer.
    pub(super) async fn read(
        mut self,
        core: &Core,
        client: &Client,
        snapshot: &Snapshot,
        mut buffer: Buffer,
    ) -> (Result<Arrived, NoHead>, Buffer) {
        client.deadline.read_within(snapshot.timeouts.header);
        client.deadline.pend();
        let result = loop {
            match make_room(buffer, &core.buffers) {
                Ok(roomier) => buffer = roomier,
                Err(full) => {
                    buffer = full;
                    break Err(NoHead::Refused(Refusal::Head(RequestError::from(
                        ScanError::HeadTooLong,
                    ))));
                }
            }
            if buffer.capacity() > BUFFER_BYTES {
                client.deadline.begin_long_head();
            }
            let (result, returned) = client.read(buffer).await;
            buffer = returned;
            match result {
                Ok(1..) => client.deadline.hear(),
                Ok(0) | Err(_) if buffer.is_empty() => break Err(NoHead::Quiet),
                Ok(0) | Err(_) if client.deadline.fired() => {
                    break Err(NoHead::Refused(Refusal::HeadTimeout));
                }
                Ok(0) | Err(_) => break Err(NoHead::Gone),
            }
            if let Some(result) = self.look(&mut buffer, &snapshot.head_limits) {
                break result;
            }
        };
        client.deadline.clear_read();
        let arrived = |length| Arrived {
            length,
            at_once: false,
            parsed: false,
        };
        (result.map(arrived), buffer)
    }
}

/// Reads until `buffer` begins with a whole answer head; answers its length, and whether it is parsed already, as an answer
/// to `method`, into `head`. The caller sets the deadline.
pub(super) async fn read_answer(
    core: &Core,
    upstream: &upstream::Connection,
    snapshot: &Snapshot,
    method: Method,
    head: &mut ResponseHead,
    mut buffer: Buffer,
) -> (Result<(usize, bool), UpstreamFault>, Buffer) {
    let limits = &snapshot.head_limits;
    let mut scan = HeadScan::response();
    let mut is_new = true;
    let result = loop {
        // Nearly every head comes as a whole, and is right.
        if is_new && !buffer.is_empty() {
            is_new = false;
            if let Some(length) = head.parse_at_once(buffer.filled(), method, limits) {
                break Ok((length, true));
            }
        }
        match scan.advance(buffer.filled(), limits) {
            Scan::Complete(length) => break Ok((length, false)),
            Scan::Refused(ScanError::HeadTooLong) => break Err(UpstreamFault::AnswerHeadTooLong),
            Scan::Refused(ScanError::Malformed | ScanError::LineEnd | ScanError::TargetTooLong) => {
                break Err(UpstreamFault::AnswerMalformed);
            }
            Scan::Partial => {}
        }
        match make_room(buffer, &core.buffers) {
            Ok(roomier) => buffer = roomier,
            Err(full) => {
                buffer = full;
                break Err(UpstreamFault::AnswerHeadTooLong);
            }
        }
        let (result, returned) = upstream.read(buffer).await;
        buffer = returned;
        match result {
            Ok(1..) => {}
            Ok(0) | Err(_) if upstream.deadline().fired() => break Err(UpstreamFault::Timeout),
            Ok(0) | Err(_) if buffer.is_empty() => break Err(UpstreamFault::Closed),
            Ok(0) | Err(_) => break Err(UpstreamFault::AnswerTruncated),
        }
    };
    (result, buffer)
}

/// Makes room to read into: in place, or in a large buffer. Fails where the buffer is as large as it gets.
fn make_room(mut buffer: Buffer, pool: &BufferPool) -> Result<Buffer, Buffer> {
    if buffer.spare() > 0 {
        return Ok(buffer);
    }
    if buffer.headroom() > 0 {
        buffer.compact();
        return Ok(buffer);
    }
    if buffer.capacity() >= LARGE_BUFFER_BYTES {
        return Err(buffer);
    }
    let mut large = pool.take_large();
    let fits = large.append(buffer.filled());
    debug_assert!(fits, "a large buffer holds an ordinary one");
    pool.give(buffer);
    Ok(large)
}
