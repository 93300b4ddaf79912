//! A sign-in that is under way at a provider elsewhere, kept by the browser that began it.

use super::request::FlowRequest;
use super::wire::Writer;
use super::{Unusable, read_in_time};
use crate::seal::{Kind, Random, Sealer};

const VERSION: u8 = 1;

/// The value of [`super::PROVIDER_COOKIE`] on the base host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderFlow<'a> {
    pub request: FlowRequest<'a>,
    /// What the provider's answer is checked by. Whoever reads it can sign in with an answer that is not theirs.
    pub secrets: &'a [u8],
}

impl<'a> ProviderFlow<'a> {
    pub fn seal(&self, sealer: &Sealer, base_host: &str, random: &Random) -> String {
        let plain = Writer::new(VERSION).rest(&self.request.write(self.secrets));
        sealer.seal(Kind::Provider, base_host, random, &plain)
    }

    /// Opens one. `scratch` keeps its texts.
    pub fn open(
        sealer: &Sealer,
        base_host: &str,
        sealed: &[u8],
        now_unix: u64,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Self, Unusable> {
        let plain = sealer.open(Kind::Provider, base_host, sealed, scratch);
        read_in_time(
            plain,
            ProviderFlow::read,
            |flow| flow.request.expires_at,
            now_unix,
        )
    }

    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (request, secrets) = FlowRequest::read_some(rest)?;
        (*version == VERSION).then_some(ProviderFlow { request, secrets })
    }
}
