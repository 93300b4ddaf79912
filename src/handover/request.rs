//! What a sign-in or a challenge is wanted for: made by a core, sealed for the base host.

use super::wire::{Reader, Writer};
use super::{Unusable, read_in_time, return_target};
use crate::authn::session::{Short, short};
use crate::seal::{Kind, Random, Sealer};

const VERSION: u8 = 1;

/// Where a browser wants to go, and which browser it is. It completes nothing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRequest<'a> {
    /// The tunnel's host as the browser named it, canonical.
    pub host: &'a str,
    /// In origin form, without a token. See [`return_target`].
    pub target: &'a str,
    /// [`super::state_hash`] of the state cookie.
    pub state: Short,
    /// In seconds.
    pub expires_at: u64,
}

impl<'a> FlowRequest<'a> {
    /// The value of `request=` on the base host.
    pub fn seal(&self, sealer: &Sealer, base_host: &str, random: &Random) -> String {
        sealer.seal(Kind::Request, base_host, random, &self.write(&[]))
    }

    /// Opens one. `scratch` keeps its texts.
    pub fn open(
        sealer: &Sealer,
        base_host: &str,
        sealed: &[u8],
        now_unix: u64,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Self, Unusable> {
        let plain = sealer.open(Kind::Request, base_host, sealed, scratch);
        read_in_time(
            plain,
            FlowRequest::read,
            |request| request.expires_at,
            now_unix,
        )
    }

    pub(super) fn write(&self, rest: &[u8]) -> Vec<u8> {
        let writer = Writer::new(VERSION)
            .hash(&self.state)
            .time(self.expires_at)
            .text(self.host)
            .text(return_target(self.target.as_bytes()));
        writer.rest(rest)
    }

    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (request, rest) = FlowRequest::read_some(bytes)?;
        rest.is_empty().then_some(request)
    }

    pub(super) fn read_some(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let request = FlowRequest {
            state: reader.hash()?,
            expires_at: reader.time()?,
            host: reader.text()?,
            target: return_target(reader.text()?.as_bytes()),
        };
        Some((request, reader.rest()))
    }
}

/// A request for a challenge: it is for one network alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengeRequest<'a> {
    pub flow: FlowRequest<'a>,
    /// [`super::client_prefix`] of whoever asked.
    pub prefix: Short,
}

impl<'a> ChallengeRequest<'a> {
    /// The value of `request=` on the base host. The 256 bits of `random` are what makes it one of its own.
    pub fn seal(&self, sealer: &Sealer, base_host: &str, random: &Random) -> String {
        let plain = self.flow.write(&self.prefix);
        sealer.seal(Kind::ChallengeRequest, base_host, random, &plain)
    }

    /// Opens one. `scratch` keeps its texts.
    pub fn open(
        sealer: &Sealer,
        base_host: &str,
        sealed: &[u8],
        now_unix: u64,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Self, Unusable> {
        let plain = sealer.open(Kind::ChallengeRequest, base_host, sealed, scratch);
        read_in_time(
            plain,
            ChallengeRequest::read,
            |request| request.flow.expires_at,
            now_unix,
        )
    }

    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (flow, rest) = FlowRequest::read_some(bytes)?;
        Some(ChallengeRequest {
            flow,
            prefix: rest.try_into().ok()?,
        })
    }
}

/// Which request it is: a sealed text has one spelling alone.
pub fn request_id(sealed: &[u8]) -> Short {
    short(&[b"request", sealed])
}
