//! What a client has sent behind a head: the beginning of its body, of its WebSocket, or of the next request.

use crate::http::body::Framing;
use crate::runtime::buffer::Buffer;

use super::connection::{Keeps, Next};
use super::core::Core;
use super::relay::HEADROOM;

/// Takes what lies behind a WebSocket handshake off it, and the handshake into memory of its own size: the connection may
/// last for hours.
fn split_for_upgrade(core: &Core, buffer: &mut Buffer, length: usize) -> Buffer {
    let mut early = core.buffers.take();
    if buffer.len() - length > early.spare() {
        early = core.buffers.take_large();
    }
    let fits = early.append(buffer.filled().get(length..).unwrap_or_default());
    debug_assert!(fits, "what was read with a head fits into a buffer");
    let mut head = Buffer::with_capacity(length);
    let fits = head.append(buffer.filled().get(..length).unwrap_or_default());
    debug_assert!(fits, "a buffer is as large as it was asked to be");
    core.buffers.give(std::mem::replace(buffer, head));
    early
}

/// Where the client's bytes behind the head are. A request with a body gets them in a buffer of its own, since the head
/// is still needed while the body goes through; without one they stay behind the head and are the next request.
pub(super) fn body_start(
    core: &Core,
    buffer: &mut Buffer,
    length: usize,
    framing: Framing,
    upgrade: bool,
) -> Option<Buffer> {
    if upgrade {
        return Some(split_for_upgrade(core, buffer, length));
    }
    if framing == Framing::None {
        return None;
    }
    let behind = buffer.filled().get(length..).unwrap_or_default();
    let mut body = if behind.len() + HEADROOM > crate::limits::BUFFER_BYTES {
        core.buffers.take_large()
    } else {
        core.buffers.take()
    };
    body.clear_with_headroom(HEADROOM);
    let fits = body.append(behind);
    debug_assert!(fits, "what was read with a head fits into a buffer");
    buffer.truncate(length);
    Some(body)
}

pub(super) fn go_on(
    core: &Core,
    keeps: Keeps,
    mut buffer: Buffer,
    length: usize,
    rest: Option<Buffer>,
) -> Next {
    match keeps {
        Keeps::Open => match rest {
            Some(mut rest) => {
                core.buffers.give(buffer);
                rest.compact();
                Next::Request(rest)
            }
            None => {
                buffer.consume(length);
                Next::Request(buffer)
            }
        },
        Keeps::Linger | Keeps::Closed => {
            core.buffers.give(buffer);
            if let Some(rest) = rest {
                core.buffers.give(rest);
            }
            if keeps == Keeps::Linger {
                Next::Linger
            } else {
                Next::Close
            }
        }
    }
}
