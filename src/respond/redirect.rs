//! Redirects, always to a host of ours.

use super::{Reply, Text, phrase};
use crate::forward::{Overflow, Room};
use crate::handover::{REQUEST_SECONDS, STATE_COOKIE};
use crate::http::request::Method;

/// Where the redirect listener sends a request (rstream 1.3, S5.5).
#[derive(Clone, Copy, Debug)]
pub struct Location<'a> {
    /// Canonical, and one of ours.
    pub host: &'a str,
    /// The port browsers see; 443 is left out.
    pub port: u16,
    pub path: &'a [u8],
    /// Without our parameter; empty where nothing is left.
    pub query: &'a [u8],
}

/// Writes a permanent redirect to https: 301 for GET and HEAD, 308 where method and body must stay.
pub fn redirect<R: Room>(
    location: Location<'_>,
    reply: Reply<'_>,
    out: &mut R,
) -> Result<(), Overflow> {
    let status = redirect_status(reply.method);
    let mut text = Text::new(out);
    text.head(status, "no-store", reply);
    text.location(location);
    text.body(
        "application/json",
        &["{\"error\":\"", phrase(status), ".\"}"],
        reply,
    )
}

/// Writes a redirect to a page of the base host, with the cookie that ties it to this browser (S5.2, S5.3).
pub fn sent<R: Room>(
    location: Location<'_>,
    state: &str,
    reply: Reply<'_>,
    out: &mut R,
) -> Result<(), Overflow> {
    let mut text = Text::new(out);
    text.head(302, "no-store", reply);
    text.location(location);
    text.put("Set-Cookie: ");
    text.put(STATE_COOKIE);
    text.put("=");
    text.put(state);
    text.put("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=");
    text.number(REQUEST_SECONDS);
    text.put("\r\n");
    text.body(
        "application/json",
        &["{\"error\":\"", phrase(302), ".\"}"],
        reply,
    )
}

/// The status of a redirect for a method.
pub fn redirect_status(method: Option<Method>) -> u16 {
    match method {
        Some(Method::Get | Method::Head) => 301,
        Some(
            Method::Post
            | Method::Put
            | Method::Delete
            | Method::Options
            | Method::Patch
            | Method::Trace
            | Method::Connect
            | Method::Other,
        )
        | None => 308,
    }
}

impl<R: Room> Text<'_, R> {
    /// Always absolute, and to a host of ours (S5.5).
    fn location(&mut self, location: Location<'_>) {
        self.put("Location: https://");
        self.put(location.host);
        if location.port != 443 {
            self.put(":");
            self.number(location.port.into());
        }
        self.bytes(location.path);
        if !location.query.is_empty() {
            self.put("?");
            self.bytes(location.query);
        }
        self.put("\r\n");
    }
}
