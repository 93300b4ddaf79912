//! Reading a PROXY preamble: exactly its own bytes, and in time (S7).

use std::net::IpAddr;

use crate::limits::PROXY_WITHIN;
use crate::listener::proxy::{PREFIX_BYTES, Prefix, SIGNATURE, Source};
use crate::runtime::buffer::Buffer;
use crate::runtime::deadline::Deadline;
use crate::runtime::socket::Socket;

/// Why a connection ends for its preamble: without an answer, since nobody knows whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPreamble {
    /// The first bytes of a trusted balancer are something else.
    Missing,
    /// It is not whole, or not one that all readers would read alike.
    Malformed,
    Late,
    /// Its sender is not trusted to send one.
    Unlisted,
    /// None was waited for: only balancers may connect, and this peer is none (S6.3).
    NoBalancer,
}

impl BadPreamble {
    /// The stable word in metrics.
    pub fn reason(self) -> &'static str {
        match self {
            BadPreamble::Missing => "proxy_missing",
            BadPreamble::Malformed => "proxy_bad",
            BadPreamble::Late => "proxy_late",
            BadPreamble::Unlisted => "proxy_unlisted",
            BadPreamble::NoBalancer => "balancer_unlisted",
        }
    }
}

/// Reads the preamble of `peer`, a trusted balancer, and not one byte more. Answers whose connection it is; `None`: the
/// balancer does not say.
pub(super) async fn read(
    socket: &Socket,
    deadline: &Deadline,
    peer: IpAddr,
) -> Result<Option<IpAddr>, BadPreamble> {
    deadline.read_within(PROXY_WITHIN);
    let prefix = fill(socket, deadline, PREFIX_BYTES, |bytes| {
        let known = bytes.len().min(SIGNATURE.len());
        bytes.get(..known) == SIGNATURE.get(..known)
    })
    .await?;
    let prefix = Prefix::parse(prefix.filled()).map_err(|_| BadPreamble::Malformed)?;
    let rest = fill(socket, deadline, prefix.length, |_| true).await?;
    deadline.clear_read();
    match prefix.source(rest.filled()) {
        Ok(Source::Address(address)) => Ok(Some(address)),
        Ok(Source::Local) => Ok(Some(peer)),
        Ok(Source::Unknown) => Ok(None),
        Err(_) => Err(BadPreamble::Malformed),
    }
}

/// Reads exactly `count` bytes, as long as `is_preamble` holds for those that are there.
async fn fill(
    socket: &Socket,
    deadline: &Deadline,
    count: usize,
    is_preamble: impl Fn(&[u8]) -> bool,
) -> Result<Buffer, BadPreamble> {
    let mut buffer = Buffer::with_capacity(count);
    while buffer.len() < count {
        let (result, returned) = socket.read(buffer).await;
        buffer = returned;
        match result {
            Ok(1..) if is_preamble(buffer.filled()) => {}
            Ok(1..) => return Err(BadPreamble::Missing),
            Ok(0) | Err(_) if deadline.fired() => return Err(BadPreamble::Late),
            // A port check without a word.
            Ok(0) | Err(_) if buffer.is_empty() => return Err(BadPreamble::Missing),
            Ok(0) | Err(_) => return Err(BadPreamble::Malformed),
        }
    }
    Ok(buffer)
}
