//! The WebSocket handshake (RFC 6455 4), the only upgrade there is (S4.3).
//!
//! Comes in: a parsed request, and later the head of a 101. Goes out: whether the one asks for a WebSocket, and whether
//! the other grants it. Refuses nothing: a request that asks for anything else, or not quite for this, is an ordinary
//! request without its `Upgrade`. An edge that relays blindly after some other switch hands its upstream to the client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use super::Version;
use super::body::Framing;
use super::field::FieldKind;
use super::request::{Method, Request};
use super::response::Response;

/// What is hashed behind a key (RFC 6455 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Length of a SHA-1 in base64.
const ACCEPT_BYTES: usize = 28;

/// The `Sec-WebSocket-Accept` that answers one request's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept([u8; ACCEPT_BYTES]);

impl Accept {
    fn of(key: &[u8]) -> Self {
        let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        hash.update(key);
        hash.update(GUID);
        let mut text = [0; ACCEPT_BYTES];
        let written = STANDARD.encode_slice(hash.finish(), &mut text);
        debug_assert_eq!(written, Ok(ACCEPT_BYTES));
        Accept(text)
    }
}

/// What a 101 must say, where `request` asks for a WebSocket: GET in HTTP/1.1 without a body, one `Upgrade: websocket`
/// that `Connection` names, version 13 and one key of sixteen bytes.
pub fn requested(request: Request<'_>) -> Option<Accept> {
    let head = request.head;
    if !head.upgrade || head.method != Method::Get || head.framing != Framing::None {
        return None;
    }
    let protocol = only(request.values(FieldKind::Upgrade))?;
    let version = only(request.values_named(b"Sec-WebSocket-Version"))?;
    let key = only(request.values_named(b"Sec-WebSocket-Key"))?;
    let is_key = key.len() == 24 && STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16);
    let is_handshake = protocol.eq_ignore_ascii_case(b"websocket") && version == b"13" && is_key;
    is_handshake.then(|| Accept::of(key))
}

/// Whether a 101 switches to the WebSocket that was asked for. One that says so in HTTP/1.0, without naming its
/// `Upgrade` in `Connection`, or twice, is no such answer.
pub fn granted(response: Response<'_>, accept: &Accept) -> bool {
    let upgrades = &response.head.fields;
    let is_nominated = upgrades
        .iter()
        .any(|field| field.kind == FieldKind::Upgrade && field.nominated);
    response.head.status == 101
        && response.head.version == Version::Http11
        && is_nominated
        && only(response.values(FieldKind::Upgrade))
            .is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
        && only(response.values_named(b"Sec-WebSocket-Accept")) == Some(&accept.0)
}

/// The value of a field that stands there exactly once.
fn only<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    values.next().filter(|_| values.next().is_none())
}

/// Any two heads: what asks for a WebSocket is granted by the one right answer to it, and by nothing shorter.
pub fn fuzz_websocket(bytes: &[u8]) {
    use super::HeadLimits;
    use super::request::RequestHead;
    use super::response::ResponseHead;

    let limits = HeadLimits {
        head_bytes: 4096,
        header_fields: 32,
        target_bytes: 1024,
    };
    let mut head = RequestHead::new();
    if head.parse(bytes, &limits).is_err() {
        return;
    }
    let Some(accept) = requested(Request { bytes, head: &head }) else {
        return;
    };
    assert!(head.upgrade && head.method == Method::Get && head.version == Version::Http11);
    let text = String::from_utf8_lossy(&accept.0);
    let start = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n";
    for (answer, good) in [
        (format!("{start}Sec-WebSocket-Accept: {text}\r\n\r\n"), true),
        (format!("{start}\r\n"), false),
        (
            format!("{start}Sec-WebSocket-Accept: {text}=\r\n\r\n"),
            false,
        ),
    ] {
        let mut head = ResponseHead::new();
        assert_eq!(head.parse(answer.as_bytes(), Method::Get, &limits), Ok(()));
        let response = Response {
            bytes: answer.as_bytes(),
            head: &head,
        };
        assert_eq!(granted(response, &accept), good);
    }
}

#[cfg(test)]
mod tests;
