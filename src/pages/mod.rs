//! Pages for people: sign-in, challenge mode, errors that a browser shows, and the live page of the admin listener.
//!
//! Owns: their HTML ([`sign_in()`], [`challenge()`] and the others), the files that they load ([`asset`]), their security
//! headers, their English ([`text`]), and the check of a proof of work ([`verify`]). Comes in: values, none of them
//! trusted. Goes out: a [`Page`]. No request is read here, and no cookie, session or seal is made.
//!
//! Invariants: a value is escaped, always (`html.rs`); no page has an inline script or a style attribute; no page loads
//! anything from elsewhere. Pages of the base host load their style and scripts as files. Pages that any host may have to
//! show carry their style with them, allowed by its hash: on a tunnel's host the paths of our files are the tunnel's.
//!
//! No form is answered with a redirect. Browsers hold the redirects behind a form to the form-action of its page, all of
//! them, and where a tunnel redirects to is not known here. So the answer to a form is a page: [`hand_over`] goes on.
//!
//! Tested here for bytes, and in a real Chromium by `tests/cli/pages.rs`.

mod assets;
mod challenge;
mod html;
mod layout;
mod live;
mod notice;
mod proof;
mod sign_in;
#[cfg(test)]
mod tests;
mod text;

pub use assets::{Asset, Logo, LogoError, asset, live_asset};
pub use challenge::{ChallengePage, challenge};
pub use live::{Live, live};
pub use notice::{Failure, FailurePage, FailurePages, expired, failure, hand_over, unavailable};
pub use proof::{BITS_MAX, COUNTER_DIGITS_MAX, NONCE_BYTES_MAX, verify};
pub use sign_in::{DeniedPage, SignInError, SignInPage, denied, sign_in, sign_out, signed_out};

/// Where the sign-in form is posted: fields `request`, `form_token`, `user`, `password`.
pub const SIGN_IN_PATH: &str = "/rstream/auth";
/// Where the sign-out form is posted: field `form_token`.
pub const SIGN_OUT_PATH: &str = "/rstream/logout";
/// Where a solved challenge goes: a GET with `request` and `counter` in the query.
pub const CHALLENGE_PATH: &str = "/rstream/challenge";

/// Whose pages these are, from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// Stands over every page; empty: nothing does.
    pub title: String,
    pub logo: Option<Logo>,
}

/// A header field.
pub type Header = (&'static str, &'static str);

/// An answer with a page in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    pub content_type: &'static str,
    /// All that go with it, `Cache-Control` and `X-Content-Type-Options` too.
    pub headers: [Header; 7],
    pub body: String,
}
