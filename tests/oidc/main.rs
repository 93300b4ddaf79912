//! Sign-in at an OpenID Connect provider: against a real one (`provider.mjs`, run by node), and against one that lies
//! where no real one does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod faults;
mod login;
mod logout;
mod outages;
mod support;
