//! Pages that say one thing and offer at most one link.

use super::layout::{Layout, Needs, is_web_address, origin_link};
use super::{Brand, Header, Page, text};

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
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    ContentTooLarge,
    Misdirected,
    TooManyRequests,
    BadGateway,
    Unavailable,
    GatewayTimeout,
}

/// All of them.
const FAILURES: [Failure; 10] = [
    Failure::BadRequest,
    Failure::Unauthorized,
    Failure::Forbidden,
    Failure::NotFound,
    Failure::ContentTooLarge,
    Failure::Misdirected,
    Failure::TooManyRequests,
    Failure::BadGateway,
    Failure::Unavailable,
    Failure::GatewayTimeout,
];

impl Failure {
    /// The failure of a status, where there is a page for it.
    pub fn of_status(status: u16) -> Option<Failure> {
        FAILURES
            .into_iter()
            .find(|failure| failure.parts().0 == status)
    }

    /// Status, its words (RFC 9110 15), heading, sentence, and whether loading again may help.
    fn parts(self) -> (u16, &'static str, &'static str, &'static str, bool) {
        match self {
            Failure::BadRequest => {
                let (heading, what) = (text::BAD_REQUEST, text::BAD_REQUEST_WHAT);
                (400, "400 Bad Request", heading, what, false)
            }
            Failure::Unauthorized => {
                let (heading, what) = (text::UNAUTHORIZED, text::UNAUTHORIZED_WHAT);
                (401, "401 Unauthorized", heading, what, false)
            }
            Failure::Forbidden => {
                let (heading, what) = (text::FORBIDDEN, text::FORBIDDEN_WHAT);
                (403, "403 Forbidden", heading, what, false)
            }
            Failure::NotFound => {
                let (heading, what) = (text::NOT_FOUND, text::NOT_FOUND_WHAT);
                (404, "404 Not Found", heading, what, false)
            }
            Failure::ContentTooLarge => {
                let (heading, what) = (text::CONTENT_TOO_LARGE, text::CONTENT_TOO_LARGE_WHAT);
                (413, "413 Content Too Large", heading, what, false)
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
    with_reference(brand, failure, request_id).0
}

/// An error page, and where in its body the request id stands.
fn with_reference(brand: &Brand, failure: Failure, request_id: &str) -> (Page, usize) {
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
        .markup(" <code>");
    let place = layout.html.len();
    layout.html.text(request_id).markup("</code></p>\n");
    (layout.close(status), place)
}

/// The error pages of one configuration, made once, so that a refusal costs no more than copying one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailurePages(Vec<FailurePage>);

/// An error page but for the request id. Its status is that of the refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailurePage {
    status: u16,
    pub content_type: &'static str,
    pub headers: [Header; 7],
    /// What stands before the request id in the body, and what after it.
    pub around_id: [String; 2],
}

impl FailurePages {
    pub fn new(brand: &Brand) -> Self {
        let pages = FAILURES.map(|failure| {
            let (page, place) = with_reference(brand, failure, "");
            let (before, after) = page.body.split_at_checked(place).unwrap_or_default();
            FailurePage {
                status: page.status,
                content_type: page.content_type,
                headers: page.headers,
                around_id: [before.to_owned(), after.to_owned()],
            }
        });
        FailurePages(pages.into())
    }

    /// The page of a status, where there is one.
    pub fn of_status(&self, status: u16) -> Option<&FailurePage> {
        self.0.iter().find(|page| page.status == status)
    }
}

/// An empty link is the page itself: nothing of the request is repeated.
fn load_again(layout: &mut Layout) {
    layout
        .html
        .markup("<p><a class=\"button\" href=\"\">")
        .text(text::TRY_AGAIN)
        .markup("</a></p>\n");
}
