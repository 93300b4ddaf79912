//! What passes through a browser while it signs in or meets a challenge: the sealed values, their times and their names
//! (S5.2, S5.3, S5.11).
//!
//! Comes in: what a value says, a sealer, randomness, the time. Goes out: the sealed text, and what it says again. Cores make
//! requests and read what a challenge left; everything else is the control thread's. Refuses: what is of another kind, for
//! another host, changed, or too old. Invariant: a target that comes out of here leads to no other host than the one it
//! stands beside.
//!
//! ```text
//! tunnel --request--> base host --code--> tunnel     (the state cookie of the tunnel stays in the browser that began)
//! ```

mod code;
mod form;
mod provider;
mod request;
mod target;
mod wire;

use std::net::IpAddr;

pub use code::{ChallengeCode, ChallengePass, Code, open_session, seal_session};
pub use form::FormToken;
pub use provider::ProviderFlow;
pub use request::{ChallengeRequest, FlowRequest, request_id};
pub use target::return_target;

use crate::authn::session::{Short, short};
use crate::seal::Broken;

/// At a tunnel: who is signed in, and that a challenge was met.
pub use crate::authn::cookie::{CHALLENGE as CHALLENGE_COOKIE, SESSION as SESSION_COOKIE};
/// Ties a flow to the browser that began it, at a tunnel.
pub const STATE_COOKIE: &str = "__Host-rstream_state";
/// The session at the base host.
pub const BASE_COOKIE: &str = "__Host-rstream_base";
/// What a sign-in at a provider elsewhere is wanted for, at the base host.
pub const PROVIDER_COOKIE: &str = "__Host-rstream_provider";
/// Ties the base host's forms to a browser.
pub const FORM_COOKIE: &str = "__Host-rstream_form";

pub const SIGN_IN_PATH: &str = "/rstream/auth";
pub const BASE_LOGOUT_PATH: &str = "/rstream/logout";
pub const CHALLENGE_PATH: &str = "/rstream/challenge";
/// What pages load lies below it.
pub const ASSETS_PATH: &str = "/rstream/assets/";
/// Where a provider sends browsers back to.
pub const PROVIDER_CALLBACK_PATH: &str = "/rstream/auth/oidc/callback";
/// Where a provider says that somebody is out.
pub const PROVIDER_LOGOUT_PATH: &str = "/rstream/auth/oidc/logout";
pub const SIGN_IN_CALLBACK_PATH: &str = "/api/auth/callback";
pub const CHALLENGE_CALLBACK_PATH: &str = "/api/challenge/callback";
pub const LOGOUT_PATH: &str = "/.well-known/rstream/logout";

/// How long somebody has to sign in; the state cookie lives as long.
pub const REQUEST_SECONDS: u64 = 600;
/// How long a browser has to meet a challenge.
pub const CHALLENGE_REQUEST_SECONDS: u64 = 120;
/// How long a code takes through the browser at most.
pub const CODE_SECONDS: u64 = 60;

/// Why a value does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Not ours, not of this kind, or not for this host.
    Broken,
    Expired,
}

/// Whether this may be a state cookie that a core made: 32 random bytes in base64url (RFC 4648 5).
pub fn is_state(cookie: &[u8]) -> bool {
    cookie.len() == 43
        && cookie
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What requests and codes keep of a state cookie, whose value says nothing by itself.
pub fn state_hash(cookie: &[u8]) -> Short {
    short(&[b"state", cookie])
}

/// The network that a challenge is tied to: IPv4 /24, IPv6 /48. Clients without a known address count as one.
pub fn client_prefix(address: Option<IpAddr>) -> Short {
    match address.map(|address| address.to_canonical()) {
        None => short(&[b"prefix", b"unknown"]),
        Some(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            short(&[b"prefix", b"v4", &[a, b, c]])
        }
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, e, f, ..] = address.octets();
            short(&[b"prefix", b"v6", &[a, b, c, d, e, f]])
        }
    }
}

fn in_time(expires_at: u64, now_unix: u64) -> Result<(), Unusable> {
    if now_unix < expires_at {
        Ok(())
    } else {
        Err(Unusable::Expired)
    }
}

/// Reads a value that was opened, which counts until a time that it says itself.
fn read_in_time<'a, T>(
    opened: Result<&'a [u8], Broken>,
    read: impl FnOnce(&'a [u8]) -> Option<T>,
    expires_at: impl FnOnce(&T) -> u64,
    now_unix: u64,
) -> Result<T, Unusable> {
    let value = opened.ok().and_then(read).ok_or(Unusable::Broken)?;
    in_time(expires_at(&value), now_unix)?;
    Ok(value)
}

/// Any bytes are no value of ours, and as a target they lead nowhere else.
pub fn fuzz_handover(bytes: &[u8]) {
    let target = return_target(bytes);
    assert!(target.starts_with('/') && !target.starts_with("//"));
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()) && !target.contains(['\\', '#']));
    let _ = (FlowRequest::read(bytes), ChallengeRequest::read(bytes));
    let _ = (Code::read(bytes), ChallengeCode::read(bytes));
    let _ = ProviderFlow::read(bytes);
    let _ = (ChallengePass::read(bytes), FormToken::read(bytes));
}

#[cfg(test)]
mod tests;
