//! The head towards the upstream.

use super::{Overflow, Room, Writer, cookie};
use crate::authn::{Identity, query};
use crate::authz::{self, Permit};
use crate::http::HeadLimits;
use crate::http::body::Framing;
use crate::http::field::{Field, FieldKind};
use crate::http::request::{Request, RequestError, RequestHead};
use crate::http::{decimal, trim};

/// What the edge itself says of a request.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The client's address; empty where it is unknown.
    pub client: &'a str,
    /// `http` or `https`: how the client reached the edge.
    pub scheme: &'a str,
    pub request_id: &'a str,
    /// The request is a WebSocket handshake (S4.3).
    pub websocket: bool,
    /// The tunnel has `trailers = true`.
    pub trailers: bool,
    /// What the edge says of the sender: whole lines, or nothing (see [`super::identity`]).
    pub identity: &'a [u8],
}

/// Writes the head of a permitted request, spending the permit; answers who it was for.
pub fn write<R: Room>(
    permit: Permit,
    request: Request<'_>,
    origin: Origin<'_>,
    out: &mut R,
) -> Result<Identity, Overflow> {
    let mut writer = Writer::new(out, request.bytes);
    request_line(&mut writer, request);
    host(&mut writer, request);
    for field in &request.head.fields {
        // How often it may still be forwarded is counted, whoever names it (RFC 9110 7.6.2).
        if !field.nominated || field.kind == FieldKind::MaxForwards {
            client_field(&mut writer, &permit, request, field);
        }
    }
    framing(&mut writer, request);
    hop(&mut writer, request, origin);
    said(&mut writer, request, origin);
    writer.put([origin.identity]);
    writer.finish()?;
    Ok(permit.into_identity())
}

/// Writes the head of a request for a page of the edge itself, which the control thread answers. Its cookies go whole: they
/// are what it is about.
pub fn write_for_edge<R: Room>(
    request: Request<'_>,
    origin: Origin<'_>,
    out: &mut R,
) -> Result<(), Overflow> {
    let mut writer = Writer::new(out, request.bytes);
    request_line(&mut writer, request);
    host(&mut writer, request);
    for field in &request.head.fields {
        let passes = matches!(
            field.kind,
            FieldKind::Cookie | FieldKind::Origin | FieldKind::Referer | FieldKind::Other
        );
        if passes && !field.nominated {
            writer.received(field);
        }
    }
    framing(&mut writer, request);
    said(&mut writer, request, origin);
    writer.finish()
}

/// What the edge says of every request.
fn said<R: Room>(writer: &mut Writer<'_, '_, R>, request: Request<'_>, origin: Origin<'_>) {
    if !origin.client.is_empty() {
        writer.field(b"X-Forwarded-For", origin.client.as_bytes());
    }
    writer.put([
        b"X-Forwarded-Proto: ",
        origin.scheme.as_bytes(),
        b"\r\nX-Forwarded-Host: ",
        request.head.host.as_str().as_bytes(),
        b"\r\nX-Request-Id: ",
        origin.request_id.as_bytes(),
        b"\r\n",
    ]);
}

/// Path and query as they arrived, without our parameter. A query that held nothing else goes with its `?`.
fn request_line<R: Room>(writer: &mut Writer<'_, '_, R>, request: Request<'_>) {
    writer.put([request.method_name(), b" ", request.path()]);
    match request.query() {
        None => {}
        Some(all) if !query::present(all) => writer.put([b"?", all]),
        Some(all) => {
            for (index, parameter) in query::without_token(all).enumerate() {
                writer.put([if index == 0 { b"?" } else { b"&" }, parameter]);
            }
        }
    }
    writer.put([b" HTTP/1.1\r\n"]);
}

/// S1.2: the canonical host and the port that the client gave.
fn host<R: Room>(writer: &mut Writer<'_, '_, R>, request: Request<'_>) {
    writer.put([b"Host: ", request.head.host.as_str().as_bytes()]);
    if let Some(port) = request.head.host_port {
        writer.put([b":", decimal(port.into(), &mut [0; 20])]);
    }
    writer.put([b"\r\n"]);
}

fn client_field<R: Room>(
    writer: &mut Writer<'_, '_, R>,
    permit: &Permit,
    request: Request<'_>,
    field: &Field,
) {
    let (name, value) = (field.name.of(request.bytes), field.value.of(request.bytes));
    match field.kind {
        // Written anew.
        FieldKind::Host
        | FieldKind::ContentLength
        | FieldKind::TransferEncoding
        | FieldKind::RequestId => {}
        // Meant for this hop alone (RFC 9110 7.6.1); what is agreed with the upstream is written by `hop`.
        FieldKind::Connection
        | FieldKind::KeepAlive
        | FieldKind::ProxyConnection
        | FieldKind::Te
        | FieldKind::Trailer
        | FieldKind::Upgrade
        | FieldKind::Http2Settings
        | FieldKind::Expect
        | FieldKind::ProxyAuthorization
        | FieldKind::ProxyAuthenticate => {}
        // Only the edge may say these (S3.2).
        FieldKind::Protected
        | FieldKind::Adit
        | FieldKind::MethodOverride
        | FieldKind::RstreamAuthorization => {}
        FieldKind::Authorization if permit.withholds_authorization() => {}
        FieldKind::Cookie if cookie::holds_ours(value) => cookies(writer, name, value),
        FieldKind::Referer => writer.field(name, referer(value)),
        FieldKind::MaxForwards => match request.head.forwards_left {
            Some(left) => writer.field(name, decimal(left, &mut [0; 20])),
            None => writer.field(name, value),
        },
        FieldKind::Authorization
        | FieldKind::Cookie
        | FieldKind::SetCookie
        | FieldKind::Origin
        | FieldKind::CacheControl
        | FieldKind::AltSvc
        | FieldKind::Other => writer.received(field),
    }
}

fn cookies<R: Room>(writer: &mut Writer<'_, '_, R>, name: &[u8], value: &[u8]) {
    let mut pairs = cookie::foreign_pairs(value)
        .filter(|pair| !pair.is_empty())
        .peekable();
    if pairs.peek().is_none() {
        return;
    }
    writer.put([name]);
    for (index, pair) in pairs.enumerate() {
        writer.put([if index == 0 { b": " } else { b"; " }, pair]);
    }
    writer.put([b"\r\n"]);
}

/// S10.3: a `Referer` that carries a token is cut to its origin and path; one that has it in its path, as an address
/// within an address, to its origin.
fn referer(value: &[u8]) -> &[u8] {
    if !mentions_token(value) {
        return value;
    }
    let path_end = memchr::memchr2(b'?', b'#', value).unwrap_or(value.len());
    let path = value.get(..path_end).unwrap_or_default();
    if !mentions_token(path) {
        return path;
    }
    let authority = memchr::memmem::find(path, b"://").map_or(0, |at| at + 3);
    let slash = path.iter().skip(authority).position(|&byte| byte == b'/');
    match slash {
        Some(slash) => path.get(..=authority + slash).unwrap_or_default(),
        None => b"",
    }
}

/// Whether the parameter's name stands in `text`, plain or percent-encoded any number of times: a page may have put its
/// own address into a parameter of the next.
fn mentions_token(text: &[u8]) -> bool {
    if memchr::memchr2(b'%', b'.', text).is_none() {
        return false;
    }
    memchr::memmem::find(&fully_decoded(text), b"rstream.token").is_some()
}

/// Decodes until no escape is left, in lower case. One pass: an escape that a decoded byte completes is decoded at once,
/// so that text encoded ten thousand times costs no more than any other.
fn fully_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    for byte in text {
        decoded.push(byte.to_ascii_lowercase());
        while let [.., b'%', high, low] = decoded.as_slice() {
            let digit = |byte: u8| (byte as char).to_digit(16);
            let Some((high, low)) = digit(*high).zip(digit(*low)) else {
                break;
            };
            decoded.truncate(decoded.len() - 3);
            decoded.push(((high << 4 | low) as u8).to_ascii_lowercase());
        }
    }
    decoded
}

fn framing<R: Room>(writer: &mut Writer<'_, '_, R>, request: Request<'_>) {
    match request.head.framing {
        Framing::Length(length) => writer.field(b"Content-Length", decimal(length, &mut [0; 20])),
        Framing::Chunked => writer.field(b"Transfer-Encoding", b"chunked"),
        // A client that announced an empty body keeps its announcement: some methods are refused without one.
        Framing::None | Framing::UntilClose => {
            if request.values(FieldKind::ContentLength).next().is_some() {
                writer.field(b"Content-Length", b"0");
            }
        }
    }
}

/// What is agreed with the upstream alone (RFC 9110 7.6.1): the switch to a WebSocket, and trailers.
fn hop<R: Room>(writer: &mut Writer<'_, '_, R>, request: Request<'_>, origin: Origin<'_>) {
    if origin.websocket {
        writer.field(b"Connection", b"Upgrade");
        writer.field(b"Upgrade", b"websocket");
        return;
    }
    if !origin.trailers {
        return;
    }
    if request.head.framing == Framing::Chunked {
        for names in request.values(FieldKind::Trailer) {
            writer.field(b"Trailer", names);
        }
    }
    let wants_trailers = |field: &&Field| {
        let mut codings = field.value.of(request.bytes).split(|byte| *byte == b',');
        field.kind == FieldKind::Te
            && field.nominated
            && codings.any(|coding| trim(coding).eq_ignore_ascii_case(b"trailers"))
    };
    if request.head.fields.iter().find(wants_trailers).is_some() {
        writer.field(b"Connection", b"TE");
        writer.field(b"TE", b"trailers");
    }
}

/// Any bytes: an accepted request leaves as one request that is accepted again and means the same, and nothing leaves
/// that is the edge's own, or this hop's.
pub fn fuzz_forward(bytes: &[u8]) {
    let limits = HeadLimits {
        head_bytes: 4096,
        header_fields: 32,
        target_bytes: 1024,
    };
    let mut head = RequestHead::new();
    if head.parse(bytes, &limits).is_err() {
        return;
    }
    let request = Request { bytes, head: &head };
    let origin = Origin {
        client: "192.0.2.1",
        scheme: "https",
        request_id: "id",
        websocket: false,
        trailers: false,
        identity: b"",
    };
    let mut written = Vec::new();
    let result = write(authz::public(0, true), request, origin, &mut written);
    assert!(result.is_ok(), "a vector has room");

    let mut again = RequestHead::new();
    let wider = HeadLimits {
        head_bytes: 8192,
        header_fields: 64,
        ..limits
    };
    let result = again.parse(&written, &wider);
    if head.forwards_left == Some(0) {
        assert_eq!(
            result,
            Err(RequestError::LastForward),
            "the next hop is the last"
        );
        return;
    }
    assert_eq!(result, Ok(()), "it parses again");
    let left = Request {
        bytes: &written,
        head: &again,
    };
    assert_eq!(left.method_name(), request.method_name());
    assert_eq!(left.path(), request.path(), "one spelling of the path");
    assert_eq!((again.host, again.host_port), (head.host, head.host_port));
    assert_eq!(again.framing, head.framing);
    let rest: Vec<&[u8]> = query::without_token(request.query().unwrap_or_default()).collect();
    assert_eq!(left.query().unwrap_or_default(), rest.join(&b'&'));
    for field in &again.fields {
        assert_may_leave(left, field);
    }
    assert_eq!(left.values_named(b"X-Forwarded-For").count(), 1);
}

/// A field that left the edge is the application's, or one that the edge wrote.
fn assert_may_leave(left: Request<'_>, field: &Field) {
    let is_added = [
        &b"X-Forwarded-For"[..],
        b"X-Forwarded-Proto",
        b"X-Forwarded-Host",
    ]
    .contains(&left.name(field));
    match field.kind {
        FieldKind::Protected => assert!(is_added),
        FieldKind::Cookie => assert!(!cookie::holds_ours(left.value(field))),
        FieldKind::Host
        | FieldKind::ContentLength
        | FieldKind::TransferEncoding
        | FieldKind::RequestId => assert_eq!(left.values(field.kind).count(), 1),
        FieldKind::SetCookie
        | FieldKind::Referer
        | FieldKind::Origin
        | FieldKind::CacheControl
        | FieldKind::AltSvc
        | FieldKind::MaxForwards
        | FieldKind::Other => {}
        FieldKind::Connection
        | FieldKind::KeepAlive
        | FieldKind::ProxyConnection
        | FieldKind::Te
        | FieldKind::Trailer
        | FieldKind::Upgrade
        | FieldKind::Http2Settings
        | FieldKind::Expect
        | FieldKind::Authorization
        | FieldKind::RstreamAuthorization
        | FieldKind::ProxyAuthorization
        | FieldKind::ProxyAuthenticate
        | FieldKind::Adit
        | FieldKind::MethodOverride => unreachable!("{:?} left the edge", field.kind),
    }
}

#[cfg(test)]
mod tests;
