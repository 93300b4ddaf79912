//! What the flows answer: pages, redirects, cookies, and every way in which they can refuse.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::handover::STATE_COOKIE;
use crate::pages::{self, Asset, Brand, Failure, Header, Page};

/// Why a request comes to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    NotFound,
    /// With what is allowed.
    Method(&'static str),
    MediaType,
    TooLong,
    /// It is not a page of this host that sent it.
    Foreign,
    /// The form is not ours, not for this browser, or too old.
    FormBroken,
    /// The request in the link is not ours, or for what is no more.
    LinkBroken,
    LinkExpired,
    /// The code is not ours, or not for this tunnel.
    CodeBroken,
    CodeExpired,
    CodeUsed,
    /// Another browser began this.
    OtherBrowser,
    /// Signed in, and may not enter this project.
    NotAllowed,
    /// Signed out meanwhile.
    Ended,
    /// The proof of work is none.
    Unproven,
    /// Too many of this client or its network; seconds to wait.
    TooMany(u64),
    /// Everything that verifies is taken.
    Busy,
    /// The provider elsewhere, or what it sends the browser back with; with its reason.
    Provider(StatusCode, &'static str),
    /// Could not be written to disk, or there is no randomness.
    Failed,
}

impl Fault {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Fault::NotFound => StatusCode::NOT_FOUND,
            Fault::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Fault::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Fault::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::Foreign
            | Fault::FormBroken
            | Fault::OtherBrowser
            | Fault::NotAllowed
            | Fault::Ended
            | Fault::Unproven => StatusCode::FORBIDDEN,
            Fault::LinkBroken
            | Fault::LinkExpired
            | Fault::CodeBroken
            | Fault::CodeExpired
            | Fault::CodeUsed => StatusCode::BAD_REQUEST,
            Fault::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Fault::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Fault::Provider(status, _) => status,
            Fault::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Its name in the log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Fault::NotFound => "not_found",
            Fault::Method(_) => "method_not_allowed",
            Fault::MediaType => "media_type",
            Fault::TooLong => "too_long",
            Fault::Foreign => "cross_origin",
            Fault::FormBroken => "form_broken",
            Fault::LinkBroken => "link_broken",
            Fault::LinkExpired => "link_expired",
            Fault::CodeBroken => "code_broken",
            Fault::CodeExpired => "code_expired",
            Fault::CodeUsed => "code_used",
            Fault::OtherBrowser => "other_browser",
            Fault::NotAllowed => "project_not_allowed",
            Fault::Ended => "session_ended",
            Fault::Unproven => "proof_of_work",
            Fault::TooMany(_) => "too_many",
            Fault::Busy => "busy",
            Fault::Provider(_, reason) => reason,
            Fault::Failed => "failed",
        }
    }

    /// `host`: of the tunnel where to begin anew, as browsers show it.
    pub(super) fn page(self, brand: &Brand, host: Option<&str>, request_id: &str) -> Response {
        let shown = match self {
            Fault::LinkBroken
            | Fault::LinkExpired
            | Fault::CodeBroken
            | Fault::CodeExpired
            | Fault::CodeUsed
            | Fault::FormBroken
            | Fault::OtherBrowser
            | Fault::Ended => Some(pages::expired(brand, host)),
            Fault::Provider(StatusCode::BAD_REQUEST, _) => Some(pages::expired(brand, host)),
            Fault::Busy
            | Fault::Failed
            | Fault::Provider(
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::INTERNAL_SERVER_ERROR,
                _,
            ) => Some(pages::unavailable(brand)),
            Fault::NotFound
            | Fault::Method(_)
            | Fault::MediaType
            | Fault::TooLong
            | Fault::Foreign
            | Fault::NotAllowed
            | Fault::Unproven
            | Fault::Provider(..)
            | Fault::TooMany(_) => {
                let failure = Failure::of_status(self.status().as_u16());
                failure.map(|failure| pages::failure(brand, failure, request_id))
            }
        };
        let mut response = shown.map_or_else(|| empty(self.status()), page);
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        if let Fault::Method(allowed) = self {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        if let Fault::TooMany(seconds) = self {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        // The cookie that it came with is used up too: what is begun next needs a new one.
        if self == Fault::CodeUsed {
            delete_cookie(&mut response, STATE_COOKIE);
        }
        response
    }
}

/// Its fields take the place of those that other answers have.
pub(super) fn page(page: Page) -> Response {
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = empty(status);
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(page.content_type);
    headers.insert(header::CONTENT_TYPE, kind);
    add_fields(headers, &page.headers);
    *response.body_mut() = Body::from(page.body);
    response
}

/// A file that pages load.
pub(super) fn asset(asset: &Asset<'_>) -> Response {
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(asset.content_type);
    headers.insert(header::CONTENT_TYPE, kind);
    add_fields(headers, &asset.headers);
    *response.body_mut() = Body::from(asset.body.to_vec());
    response
}

fn add_fields(headers: &mut HeaderMap, fields: &[Header]) {
    for (name, value) in fields {
        if let Ok(name) = HeaderName::try_from(*name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// To a place of ours; `location` is absolute (S5.5).
pub(super) fn redirect(status: StatusCode, location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut response = empty(status);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// Nobody keeps it, and nobody is told where it came from.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let none = HeaderValue::from_static("no-referrer");
    headers.insert(header::REFERRER_POLICY, none);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// Leaves a cookie for so many seconds; 0 deletes it.
pub(super) fn set_cookie(response: &mut Response, name: &str, value: &str, seconds: u64) {
    let line = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    if let Ok(line) = HeaderValue::from_str(&line) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
}

pub(super) fn delete_cookie(response: &mut Response, name: &str) {
    set_cookie(response, name, "", 0);
}
