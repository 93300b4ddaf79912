//! The fields that tell an upstream who sends a request, on tunnels that want them.
//!
//! Comes in: the permit, which says who was let through, and the request that is forwarded. Goes out: whole field lines,
//! to stand in its head. What a client sent under these names is removed there in any case (S3.2).

use crate::assertion::{Claims, Signer, percent_encode};
use crate::authz::Permit;
use crate::http::request::Request;

/// What the lines say beside who it is.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub signer: &'a Signer,
    pub now_unix: u64,
    pub request_id: &'a str,
    /// The tunnel's.
    pub project: &'a str,
}

/// Where the lines are made; used again and again, so that they cost no allocation.
#[derive(Debug, Default)]
pub struct Scratch {
    claims: Vec<u8>,
    lines: Vec<u8>,
}

/// The lines for one request. A field whose value there is not is absent, never empty.
pub fn lines<'s>(
    permit: &Permit,
    request: Request<'_>,
    said: Said<'_>,
    scratch: &'s mut Scratch,
) -> &'s [u8] {
    let Scratch { claims, lines } = scratch;
    let identity = permit.identity();
    let (subject, credential) = (identity.subject(), identity.vouched_by());
    let mechanism = identity.mechanism().as_str();
    lines.clear();
    for (name, value) in [
        ("X-Adit-Subject: ", subject),
        ("X-Adit-Credential: ", credential),
        ("X-Adit-Method: ", Some(mechanism)),
    ] {
        if let Some(value) = value {
            lines.extend_from_slice(name.as_bytes());
            percent_encode(value, lines);
            lines.extend_from_slice(b"\r\n");
        }
    }
    lines.extend_from_slice(b"X-Adit-Assertion: ");
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let claimed = Claims {
        now_unix: said.now_unix,
        request_id: said.request_id,
        subject,
        credential,
        mechanism,
        project: said.project,
        // Both are ASCII, or the head would not have been one.
        method: text(request.method_name()),
        host: request.head.host.as_str(),
        path: text(request.path()),
    };
    said.signer.sign(&claimed, claims, lines);
    lines.extend_from_slice(b"\r\n");
    lines
}
