//! The head towards the client.

use super::{Overflow, Room, Writer, cookie};
use crate::clock::HttpDate;
use crate::http::Version;
use crate::http::body::Framing;
use crate::http::field::{Field, FieldKind};
use crate::http::response::Response;

/// What the client is to be told beyond the upstream's own words.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The tunnel's own host, canonical.
    pub host: &'a str,
    /// The version the client speaks.
    pub client: Version,
    /// Whether the connection stays open after this answer, if its body allows it.
    pub persistent: bool,
    /// The request carried its token in the query: the answer must not be kept or tell its address (S5.12).
    pub token_in_query: bool,
    /// A browser proved by itself who it was: what does not say who may keep it is for that one alone (S5.12).
    pub for_one: bool,
    /// The tunnel has `trailers = true`.
    pub trailers: bool,
    /// It is the edge's own answer: its cookies are set.
    pub from_edge: bool,
    /// For an answer that does not say when it was made (RFC 9110 6.6.1).
    pub date: HttpDate,
}

/// How the body goes to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// There is none.
    Nothing,
    /// As many bytes as announced.
    Length,
    Chunked,
    /// Until the connection closes.
    UntilClose,
}

impl Delivery {
    /// How a body that comes in `framing` goes to a client of `version`: one that does not know chunks gets the end of
    /// the connection instead.
    pub fn choose(framing: Framing, version: Version) -> Self {
        match (framing, version) {
            (Framing::None, _) => Delivery::Nothing,
            (Framing::Length(_), _) => Delivery::Length,
            (Framing::Chunked | Framing::UntilClose, Version::Http11) => Delivery::Chunked,
            (Framing::Chunked | Framing::UntilClose, Version::Http10) => Delivery::UntilClose,
        }
    }
}

/// Writes a final answer's head; answers how its body goes on and whether the connection stays open after it.
pub fn write<R: Room>(
    response: Response<'_>,
    terms: Terms<'_>,
    out: &mut R,
) -> Result<(Delivery, bool), Overflow> {
    let delivery = Delivery::choose(response.head.framing, terms.client);
    let persistent = terms.persistent && delivery != Delivery::UntilClose;
    let mut writer = Writer::new(out, response.bytes);
    status_line(&mut writer, response);
    fields(&mut writer, response, terms);
    if response.values_named(b"Date").next().is_none() {
        writer.field(b"Date", terms.date.as_bytes());
    }
    if delivery == Delivery::Chunked {
        writer.field(b"Transfer-Encoding", b"chunked");
        if terms.trailers {
            for names in response.values(FieldKind::Trailer) {
                writer.field(b"Trailer", names);
            }
        }
    }
    if terms.token_in_query {
        writer.field(b"Referrer-Policy", b"no-referrer");
        writer.field(b"Cache-Control", b"private, no-store");
    } else if terms.for_one && !says_who_may_keep_it(response) {
        writer.field(b"Cache-Control", b"private");
    }
    match (persistent, terms.client) {
        (false, _) => writer.field(b"Connection", b"close"),
        (true, Version::Http10) => writer.field(b"Connection", b"keep-alive"),
        (true, Version::Http11) => {}
    }
    writer.finish()?;
    Ok((delivery, persistent))
}

/// Writes the 101 that begins a WebSocket; what follows it is no longer HTTP.
pub fn write_switch<R: Room>(
    response: Response<'_>,
    terms: Terms<'_>,
    out: &mut R,
) -> Result<(), Overflow> {
    let mut writer = Writer::new(out, response.bytes);
    status_line(&mut writer, response);
    writer.field(b"Connection", b"Upgrade");
    writer.field(b"Upgrade", b"websocket");
    fields(&mut writer, response, terms);
    writer.finish()
}

/// Writes an interim answer (1xx): its fields, and nothing of ours.
pub fn write_interim<R: Room>(
    response: Response<'_>,
    terms: Terms<'_>,
    out: &mut R,
) -> Result<(), Overflow> {
    let mut writer = Writer::new(out, response.bytes);
    status_line(&mut writer, response);
    fields(
        &mut writer,
        response,
        Terms {
            token_in_query: false,
            ..terms
        },
    );
    writer.finish()
}

fn status_line<R: Room>(writer: &mut Writer<'_, '_, R>, response: Response<'_>) {
    let status = response.head.status;
    // Three digits, or it would not have been read.
    let digits = [status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
    let reason = response.head.reason.of(response.bytes);
    writer.put([b"HTTP/1.1 ", &digits, b" ", reason, b"\r\n"]);
}

fn fields<R: Room>(writer: &mut Writer<'_, '_, R>, response: Response<'_>, terms: Terms<'_>) {
    for field in &response.head.fields {
        if field.nominated || !passes(field, response, terms) {
            continue;
        }
        if field.kind == FieldKind::SetCookie {
            let (name, value) = (field.name, field.value);
            let (name, value) = (name.of(response.bytes), value.of(response.bytes));
            set_cookie(writer, name, value, terms.host);
        } else {
            writer.received(field);
        }
    }
}

fn says_who_may_keep_it(response: Response<'_>) -> bool {
    let mut fields = response.head.fields.iter();
    fields.any(|field| field.kind == FieldKind::CacheControl && !field.nominated)
}

/// S5.2: tenants share a parent domain; none sets a cookie for another.
fn set_cookie<R: Room>(writer: &mut Writer<'_, '_, R>, name: &[u8], value: &[u8], host: &str) {
    writer.put([name]);
    for (index, part) in cookie::without_foreign_domain(value, host).enumerate() {
        writer.put([if index == 0 { b": ".as_slice() } else { b";" }, part]);
    }
    writer.put([b"\r\n"]);
}

fn passes(field: &Field, response: Response<'_>, terms: Terms<'_>) -> bool {
    match field.kind {
        // Meant for this hop alone; what is agreed with the client is written anew.
        FieldKind::Connection
        | FieldKind::KeepAlive
        | FieldKind::ProxyConnection
        | FieldKind::Te
        | FieldKind::TransferEncoding
        | FieldKind::Trailer
        | FieldKind::Upgrade
        | FieldKind::Http2Settings
        | FieldKind::ProxyAuthenticate
        | FieldKind::ProxyAuthorization => false,
        // The edge's own words, and an invitation to reach the service around it (S5.12).
        FieldKind::Adit | FieldKind::AltSvc => false,
        FieldKind::SetCookie => {
            terms.from_edge || !cookie::sets_ours(field.value.of(response.bytes))
        }
        FieldKind::CacheControl => !terms.token_in_query,
        FieldKind::Other => {
            !(terms.token_in_query
                && field
                    .name
                    .of(response.bytes)
                    .eq_ignore_ascii_case(b"referrer-policy"))
        }
        // Interim answers and 204 have no body, so a length is a lie that some reader waits for (RFC 9110 8.6).
        FieldKind::ContentLength => !matches!(response.head.status, 100..200 | 204),
        FieldKind::Host
        | FieldKind::Expect
        | FieldKind::MaxForwards
        | FieldKind::Authorization
        | FieldKind::RstreamAuthorization
        | FieldKind::Cookie
        | FieldKind::Referer
        | FieldKind::Origin
        | FieldKind::RequestId
        | FieldKind::Protected
        | FieldKind::MethodOverride => true,
    }
}

#[cfg(test)]
mod tests;
