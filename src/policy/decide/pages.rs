//! Paths that the edge answers itself (rstream 7.3 step 3, S1.4).

use super::is_edge_path;
use crate::http::request::{Method, Request};
use crate::policy::{ASSERTION_KEYS_PATH, Endpoint, Facts, Mechanisms, Policy, Refusal};

/// Below these on the base host, signing in and challenges have their pages.
const FLOW: [&[u8]; 4] = [
    b"/rstream/auth",
    b"/rstream/logout",
    b"/rstream/challenge",
    b"/rstream/assets",
];

/// What a path of a tunnel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The upstream's.
    Tunnel,
    /// The edge's, which has no page there.
    Nobody,
    Session,
    Flow,
}

/// Whose a path of a tunnel is. A page has one spelling; all others that decode to it are nobody's.
pub(super) fn owner(mechanisms: Mechanisms, raw: &[u8], decoded: &[u8]) -> Owner {
    const SIGNED_IN: &[u8] = b"/api/auth/callback";
    const MET: &[u8] = b"/api/challenge/callback";

    let by_browsers = mechanisms.session || mechanisms.challenge;
    match raw {
        b"/.well-known/rstream/session" => Owner::Session,
        b"/.well-known/rstream/logout" if mechanisms.session => Owner::Flow,
        _ if raw == SIGNED_IN && mechanisms.session => Owner::Flow,
        _ if raw == MET && mechanisms.challenge => Owner::Flow,
        _ if is_edge_path(decoded) => Owner::Nobody,
        _ if by_browsers
            && ((decoded == SIGNED_IN && mechanisms.session)
                || (decoded == MET && mechanisms.challenge)) =>
        {
            Owner::Nobody
        }
        _ => Owner::Tunnel,
    }
}

/// What the edge answers where no tunnel has the host: only on its base host. `refusal` is why no tunnel was found; any
/// other reason than that nobody has the host stands.
pub(super) fn of_base_host(
    policy: &Policy,
    facts: &Facts<'_>,
    refusal: Refusal,
) -> Result<Endpoint, Refusal> {
    let request = facts.request;
    if refusal != Refusal::UnknownHost || request.head.host != policy.base_host {
        return Err(refusal);
    }
    let path = request.path();
    if policy.shows_assertion_keys && path == ASSERTION_KEYS_PATH.as_bytes() {
        return reads(request).map(|()| Endpoint::AssertionKeys);
    }
    let is_flow = |start: &&[u8]| {
        path.strip_prefix(*start)
            .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    };
    if policy.browsers.is_some() && FLOW.iter().any(is_flow) {
        return Ok(Endpoint::Flow(None));
    }
    Err(refusal)
}

/// Whether a request only reads.
pub(super) fn reads(request: Request<'_>) -> Result<(), Refusal> {
    match request.head.method {
        Method::Get | Method::Head => Ok(()),
        Method::Post
        | Method::Put
        | Method::Delete
        | Method::Options
        | Method::Patch
        | Method::Trace
        | Method::Connect
        | Method::Other => Err(Refusal::ReadOnly),
    }
}
