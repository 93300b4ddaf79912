//! Reading a head: until its end, a refusal, or the deadline.

use crate::http::HeadLimits;
use crate::http::request::RequestError;
use crate::http::scan::{HeadScan, Scan, ScanError, leading_crlf};
use crate::limits::{BUFFER_BYTES, LARGE_BUFFER_BYTES};
use crate::listener::proxy::SIGNATURE;
use crate::policy::{Refusal, refusal::UpstreamFault};
use crate::runtime::buffer::{Buffer, BufferPool};
use crate::upstream;

use super::client::Client;
use super::core::Core;
use super::snapshot::Snapshot;

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

    /// Looks at all that has come so far; answers the length of the head that `buffer` then begins with, or why it is
    /// none. `None`: more must come.
    pub(super) fn look(
        &mut self,
        buffer: &mut Buffer,
        limits: &HeadLimits,
    ) -> Option<Result<usize, NoHead>> {
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
    ) -> (Result<usize, NoHead>, Buffer) {
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
        (result, buffer)
    }
}

/// Reads until `buffer` begins with a whole answer head; answers its length. The caller sets the deadline.
pub(super) async fn read_answer(
    core: &Core,
    upstream: &upstream::Connection,
    snapshot: &Snapshot,
    mut buffer: Buffer,
) -> (Result<usize, UpstreamFault>, Buffer) {
    let mut scan = HeadScan::response();
    let result = loop {
        match scan.advance(buffer.filled(), &snapshot.head_limits) {
            Scan::Complete(length) => break Ok(length),
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
