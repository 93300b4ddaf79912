//! The head of a permitted request as it leaves, in a buffer that it fits into.

use crate::authn::Identity;
use crate::authz::Permit;
use crate::forward::identity::{self, Said};
use crate::forward::request::{self, Origin};
use crate::limits::{BUFFER_BYTES, LARGE_BUFFER_BYTES};
use crate::runtime::buffer::Buffer;

use super::exchange::Exchange;

/// Bytes that the edge adds to a head at the most, beside what it says of the sender.
const ADDED_BYTES_MAX: usize = 1024;

impl Exchange<'_> {
    /// Spends the permit; answers who it was for, and the head, if possible with room for `body` more bytes behind it.
    /// `None`: it fits nowhere, or what it must say of its sender cannot be signed.
    pub(super) fn depart(&self, permit: Permit, body: usize) -> Option<(Identity, Buffer)> {
        let (core, snapshot, trace) = (self.place.core, self.place.snapshot, self.place.trace);
        let mut scratch = core.identity.borrow_mut();
        let identity = if permit.names_sender() {
            let tunnel = snapshot.policy.tunnels.get(permit.tunnel())?;
            let said = Said {
                signer: snapshot.signer.as_deref()?,
                now_unix: core.now().unix_seconds(),
                request_id: &trace.request_id,
                project: &tunnel.project,
            };
            identity::lines(&permit, self.request, said, &mut scratch)
        } else {
            &[]
        };
        let most = self.request.bytes.len() + identity.len() + ADDED_BYTES_MAX;
        let mut head = if most <= BUFFER_BYTES {
            let roomy = (most + body > BUFFER_BYTES).then(|| core.buffers.take_large_if_free());
            roomy.flatten().unwrap_or_else(|| core.buffers.take())
        } else if most <= LARGE_BUFFER_BYTES {
            core.buffers.take_large()
        } else {
            // A path that is nearly as long as a head may be, and is claimed once more.
            Buffer::with_capacity(most)
        };
        let origin = Origin {
            client: &trace.client.text,
            scheme: trace.scheme.as_str(),
            request_id: &trace.request_id,
            websocket: self.websocket.is_some(),
            trailers: self.trailers,
            identity,
        };
        match request::write(permit, self.request, origin, &mut head) {
            Ok(identity) => Some((identity, head)),
            Err(_) => {
                core.buffers.give(head);
                None
            }
        }
    }
}
