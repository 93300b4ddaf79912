//! Every answer the edge writes itself: the one place a refusal becomes bytes.
//!
//! Owns: status, fields and body of refusals, redirects and the edge's own pages. Comes in: a refusal and what the client may know. Goes out:
//! bytes in a buffer. The body says which status it is and nothing else: not why, and nothing of the request. Programs read it
//! as JSON; a browser that goes somewhere shows it as a page.

mod redirect;

use crate::authn::Unauthenticated;
use crate::clock::HttpDate;
use crate::forward::{Overflow, Room};
use crate::http::Version;
use crate::http::decimal;
use crate::http::request::{Method, Request};
use crate::pages::FailurePage;
use crate::policy::Refusal;
pub use redirect::{Location, redirect, redirect_status, sent};

/// What an answer of ours depends on beside its status.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// `None` where the head could not be read.
    pub method: Option<Method>,
    pub version: Version,
    /// Whether the connection stays open.
    pub persistent: bool,
    pub request_id: &'a str,
    /// The time of the answer (RFC 9110 6.6.1).
    pub date: HttpDate,
    /// The request carried its token in the query (S5.12).
    pub token_in_query: bool,
}

/// Writes a refusal. `page`: how it is shown instead of JSON, to a browser that asks for pages.
pub fn refusal<R: Room>(
    refusal: Refusal,
    page: Option<&FailurePage>,
    reply: Reply<'_>,
    out: &mut R,
) -> Result<(), Overflow> {
    let mut text = Text::new(out);
    let status = refusal.status();
    text.head(status, "no-store", reply);
    if let Refusal::Unauthenticated(why) = refusal {
        text.put("WWW-Authenticate: Bearer realm=\"rstream\"");
        let is_missing = matches!(
            why,
            Unauthenticated::NoToken | Unauthenticated::NoCertificate
        );
        text.put(if is_missing {
            "\r\n"
        } else {
            ", error=\"invalid_token\"\r\n"
        });
    }
    if refusal == Refusal::ReadOnly {
        text.put("Allow: GET, HEAD\r\n");
    } else if status == 405 {
        text.put("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
    }
    if status == 429 {
        text.put("Retry-After: 1\r\n");
    }
    let Some(page) = page else {
        let pieces = ["{\"error\":\"", phrase(status), ".\"}"];
        return text.body("application/json", &pieces, reply);
    };
    for (name, value) in page.headers {
        let is_written = match name {
            "Cache-Control" | "X-Content-Type-Options" => true,
            "Referrer-Policy" => reply.token_in_query,
            _ => false,
        };
        if !is_written {
            text.field(name, value);
        }
    }
    let [before, after] = &page.around_id;
    text.body(page.content_type, &[before, reply.request_id, after], reply)
}

/// Writes the public keys of assertions, which anybody may keep for an hour.
pub fn key_set<R: Room>(set: &str, reply: Reply<'_>, out: &mut R) -> Result<(), Overflow> {
    let mut text = Text::new(out);
    text.head(200, "public, max-age=3600", reply);
    text.body("application/jwk-set+json", &[set], reply)
}

/// Writes a page of JSON that is true for this moment and client.
pub fn json<R: Room>(page: &str, reply: Reply<'_>, out: &mut R) -> Result<(), Overflow> {
    let mut text = Text::new(out);
    text.head(200, "no-store", reply);
    text.body("application/json", &[page], reply)
}

/// Answers what a browser asks on behalf of a listed origin's page (Fetch 4.8): yes, with credentials. What the page then
/// sends must prove itself as any request.
pub fn preflight<R: Room>(
    request: Request<'_>,
    reply: Reply<'_>,
    out: &mut R,
) -> Result<(), Overflow> {
    let mut text = Text::new(out);
    text.head(204, "no-store", reply);
    let echoed: [(&str, &[u8]); 3] = [
        ("Access-Control-Allow-Origin: ", b"Origin"),
        (
            "Access-Control-Allow-Methods: ",
            b"Access-Control-Request-Method",
        ),
        (
            "Access-Control-Allow-Headers: ",
            b"Access-Control-Request-Headers",
        ),
    ];
    for (name, asked) in echoed {
        if let Some(value) = request.values_named(asked).next() {
            text.put(name);
            text.bytes(value);
            text.put("\r\n");
        }
    }
    text.put("Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n");
    text.end()
}

/// The interim answer that asks for a body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The words of a status (RFC 9110 15).
fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}

struct Text<'o, R> {
    out: &'o mut R,
    fits: bool,
}

impl<'o, R: Room> Text<'o, R> {
    fn new(out: &'o mut R) -> Self {
        Text { out, fits: true }
    }

    /// One bounds check for all pieces.
    fn all<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        self.fits = self.fits && self.out.append_all(pieces);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.all([bytes]);
    }

    fn put(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.bytes(decimal(number, &mut [0; 20]));
    }

    fn field(&mut self, name: &str, value: &str) {
        self.all([name.as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }

    /// `caching`: for how long the answer may be kept, where nothing speaks against it (S5.12).
    fn head(&mut self, status: u16, caching: &str, reply: Reply<'_>) {
        let caching = if reply.token_in_query {
            "private, no-store"
        } else {
            caching
        };
        self.all([
            b"HTTP/1.1 ",
            decimal(status.into(), &mut [0; 20]),
            b" ",
            phrase(status).as_bytes(),
            b"\r\nDate: ",
            reply.date.as_bytes(),
            b"\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: ",
            reply.request_id.as_bytes(),
            b"\r\nCache-Control: ",
            caching.as_bytes(),
            b"\r\n",
        ]);
        if reply.token_in_query {
            self.put("Referrer-Policy: no-referrer\r\n");
        }
        match (reply.persistent, reply.version) {
            (false, _) => self.put("Connection: close\r\n"),
            (true, Version::Http10) => self.put("Connection: keep-alive\r\n"),
            (true, Version::Http11) => {}
        }
    }

    /// Ends the head of an answer that has no body.
    fn end(mut self) -> Result<(), Overflow> {
        self.put("\r\n");
        if self.fits { Ok(()) } else { Err(Overflow) }
    }

    /// Ends the head, and adds the body unless the request was a HEAD.
    fn body(
        mut self,
        content_type: &str,
        pieces: &[&str],
        reply: Reply<'_>,
    ) -> Result<(), Overflow> {
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        self.all([
            b"Content-Type: ",
            content_type.as_bytes(),
            b"\r\nContent-Length: ",
            decimal(length, &mut [0; 20]),
            b"\r\n\r\n",
        ]);
        if reply.method != Some(Method::Head) {
            for piece in pieces {
                self.put(piece);
            }
        }
        if self.fits { Ok(()) } else { Err(Overflow) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::authz::Forbidden;
    use crate::clock::http_date;
    use crate::pages::{self, Brand, Failure, FailurePages};
    use crate::token::TokenError;

    fn reply(method: Method) -> Reply<'static> {
        Reply {
            method: Some(method),
            version: Version::Http11,
            persistent: true,
            request_id: "id-1",
            date: http_date(Duration::from_secs(784_111_777)),
            token_in_query: false,
        }
    }

    fn text(refused: Refusal, reply: Reply<'_>) -> String {
        let mut out = Vec::new();
        refusal(refused, None, reply, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_refusal_says_its_status_and_no_more() {
        let answer = text(
            Refusal::Forbidden(Forbidden::PathOutsideBoundary),
            reply(Method::Get),
        );
        assert_eq!(
            answer,
            "HTTP/1.1 403 Forbidden\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Content-Type-Options: nosniff\r\n\
             X-Request-Id: id-1\r\nCache-Control: no-store\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n\
             {\"error\":\"Forbidden.\"}"
        );
    }

    #[test]
    fn a_refusal_is_a_page_with_the_same_status_and_every_field_once() {
        let brand = Brand {
            title: "T".to_owned(),
            logo: None,
        };
        let pages = FailurePages::new(&brand);
        let refused = Refusal::Forbidden(Forbidden::PathOutsideBoundary);
        for token_in_query in [false, true] {
            let reply = Reply {
                token_in_query,
                ..reply(Method::Get)
            };
            let mut out = Vec::new();
            refusal(refused, pages.of_status(403), reply, &mut out).unwrap();
            let answer = String::from_utf8(out).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
            let fields: Vec<&str> = head.split("\r\n").skip(1).collect();
            let names: BTreeSet<&str> = fields
                .iter()
                .filter_map(|field| Some(field.split_once(':')?.0))
                .collect();
            assert_eq!(names.len(), fields.len(), "{head}");
            for name in ["Content-Security-Policy", "Referrer-Policy", "X-Request-Id"] {
                assert!(names.contains(name), "{name}: {head}");
            }
            assert!(head.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"));
            assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())));
            assert_eq!(
                body,
                pages::failure(&brand, Failure::Forbidden, "id-1").body
            );
        }
    }

    #[test]
    fn every_bad_token_gets_the_same_answer_and_none_gets_another_challenge() {
        let bad = |error| {
            text(
                Refusal::Unauthenticated(Unauthenticated::Token(error)),
                reply(Method::Get),
            )
        };
        assert_eq!(bad(TokenError::Expired), bad(TokenError::BadSignature));
        assert!(
            bad(TokenError::Expired).contains(
                "WWW-Authenticate: Bearer realm=\"rstream\", error=\"invalid_token\"\r\n"
            )
        );
        let none = text(
            Refusal::Unauthenticated(Unauthenticated::NoToken),
            reply(Method::Get),
        );
        assert!(none.contains("WWW-Authenticate: Bearer realm=\"rstream\"\r\n"));
    }

    #[test]
    fn head_gets_the_length_and_no_body() {
        let answer = text(Refusal::UnknownHost, reply(Method::Head));
        assert!(answer.contains("Content-Length: 22\r\n") && answer.ends_with("\r\n\r\n"));
    }

    #[test]
    fn a_key_set_may_be_kept_and_its_page_is_read_only() {
        let page = |reply| {
            let mut out = Vec::new();
            key_set("{}", reply, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            page(reply(Method::Get)),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Content-Type-Options: nosniff\r\n\
             X-Request-Id: id-1\r\nCache-Control: public, max-age=3600\r\nContent-Type: application/jwk-set+json\r\n\
             Content-Length: 2\r\n\r\n{}"
        );
        assert!(page(reply(Method::Head)).ends_with("Content-Length: 2\r\n\r\n"));
        let with_token = Reply {
            token_in_query: true,
            ..reply(Method::Get)
        };
        assert!(page(with_token).contains("\r\nCache-Control: private, no-store\r\n"));
        let refused = text(Refusal::ReadOnly, reply(Method::Post));
        assert!(
            refused.starts_with("HTTP/1.1 405 ") && refused.contains("\r\nAllow: GET, HEAD\r\n")
        );
    }

    #[test]
    fn a_redirect_is_absolute_and_keeps_the_method() {
        let location = Location {
            host: "a.example",
            port: 8443,
            path: b"/x%20y",
            query: b"b=1",
        };
        let mut out = Vec::new();
        redirect(location, reply(Method::Post), &mut out).unwrap();
        let answer = String::from_utf8(out).unwrap();
        assert!(answer.starts_with("HTTP/1.1 308 "));
        assert!(answer.contains("\r\nLocation: https://a.example:8443/x%20y?b=1\r\n"));
        assert_eq!(redirect_status(Some(Method::Get)), 301);
    }
}
