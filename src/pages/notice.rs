//! Pages that say one thing and offer at most one link.

use super::layout::{Layout, Needs, is_web_address, origin_link};
use super::{Brand, Page, text};

/// The answer to a form that leads elsewhere: goes on at once, by itself and without a script.
///
/// `host` is shown, `address` is where it goes, absolute. One that is no web address goes nowhere: 503.
pub fn hand_over(brand: &Brand, host: &str, address: &str) -> Page {
    if !is_web_address(address) {
        return unavailable(brand);
    }
    // It may carry a single-use code, which no referrer may tell (S5.3).
    let mut layout = Layout::open_with(brand, Needs::Files, "", text::HAND_OVER, |html| {
        html.markup("<meta http-equiv=\"refresh\" content=\"0; url=")
            .text(address)
            .markup("\">\n");
    });
    layout
        .html
        .markup("<p class=\"lead\" role=\"status\">")
        .sentence(text::HAND_OVER_TO, host)
        .markup("</p>\n<p><a class=\"button\" href=\"")
        .text(address)
        .markup("\">")
        .text(text::CONTINUE)
        .markup("</a></p>\n");
    layout.close(200)
}

/// A request for sign-in or a challenge that is too old, used up, or none of ours. Fit for any host.
pub fn expired(brand: &Brand, tunnel_host: Option<&str>) -> Page {
    let mut layout = Layout::open(brand, Needs::Nothing, "", text::EXPIRED);
    let html = &mut layout.html;
    html.markup("<p class=\"lead\">")
        .text(text::EXPIRED_WHAT)
        .markup("</p>\n");
    if let Some(host) = tunnel_host {
        html.markup("<p><a class=\"button\" href=\"");
        origin_link(html, host);
        html.markup("\">")
            .label(text::BACK_TO, host)
            .markup("</a></p>\n");
    }
    layout.close(400)
}

/// Sign-in or challenge cannot be done now. Fit for any host.
pub fn unavailable(brand: &Brand) -> Page {
    let mut layout = Layout::open(brand, Needs::Nothing, "", text::UNAVAILABLE);
    layout
        .html
        .markup("<p class=\"lead\">")
        .text(text::UNAVAILABLE_WHAT)
        .markup("</p>\n");
    load_again(&mut layout);
    layout.close(503)
}

/// A refusal that a browser shows. It says no more than its status does: not why, and nothing of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Forbidden,
    NotFound,
    Misdirected,
    TooManyRequests,
    BadGateway,
    Unavailable,
    GatewayTimeout,
}

impl Failure {
    /// The failure of a status, where there is a page for it.
    pub fn of_status(status: u16) -> Option<Failure> {
        Some(match status {
            403 => Failure::Forbidden,
            404 => Failure::NotFound,
            421 => Failure::Misdirected,
            429 => Failure::TooManyRequests,
            502 => Failure::BadGateway,
            503 => Failure::Unavailable,
            504 => Failure::GatewayTimeout,
            _ => return None,
        })
    }

    /// Status, its words (RFC 9110 15), heading, sentence, and whether loading again may help.
    fn parts(self) -> (u16, &'static str, &'static str, &'static str, bool) {
        match self {
            Failure::Forbidden => {
                let (heading, what) = (text::FORBIDDEN, text::FORBIDDEN_WHAT);
                (403, "403 Forbidden", heading, what, false)
            }
            Failure::NotFound => {
                let (heading, what) = (text::NOT_FOUND, text::NOT_FOUND_WHAT);
                (404, "404 Not Found", heading, what, false)
            }
            Failure::Misdirected => {
                let (heading, what) = (text::MISDIRECTED, text::MISDIRECTED_WHAT);
                (421, "421 Misdirected Request", heading, what, true)
            }
            Failure::TooManyRequests => {
                let (heading, what) = (text::TOO_MANY_REQUESTS, text::TOO_MANY_REQUESTS_WHAT);
                (429, "429 Too Many Requests", heading, what, true)
            }
            Failure::BadGateway => {
                let (heading, what) = (text::BAD_GATEWAY, text::BAD_GATEWAY_WHAT);
                (502, "502 Bad Gateway", heading, what, true)
            }
            Failure::Unavailable => {
                let (heading, what) = (text::OVERLOADED, text::OVERLOADED_WHAT);
                (503, "503 Service Unavailable", heading, what, true)
            }
            Failure::GatewayTimeout => {
                let (heading, what) = (text::GATEWAY_TIMEOUT, text::GATEWAY_TIMEOUT_WHAT);
                (504, "504 Gateway Timeout", heading, what, true)
            }
        }
    }
}

/// An error page, fit for any host.
pub fn failure(brand: &Brand, failure: Failure, request_id: &str) -> Page {
    let (status, phrase, heading, what, may_pass) = failure.parts();
    let mut layout = Layout::open(brand, Needs::Nothing, "", heading);
    layout
        .html
        .markup("<p class=\"lead\">")
        .text(what)
        .markup("</p>\n");
    if may_pass {
        load_again(&mut layout);
    }
    layout
        .html
        .markup("<p class=\"reference\">")
        .text(phrase)
        .markup("<br>")
        .text(text::REFERENCE)
        .markup(" <code>")
        .text(request_id)
        .markup("</code></p>\n");
    layout.close(status)
}

/// An empty link is the page itself: nothing of the request is repeated.
fn load_again(layout: &mut Layout) {
    layout
        .html
        .markup("<p><a class=\"button\" href=\"\">")
        .text(text::TRY_AGAIN)
        .markup("</a></p>\n");
}
