//! A token in a form of the base host: only the browser that was shown the form can send it, and for one purpose.

use super::wire::{Reader, Writer};
use super::{Unusable, in_time};
use crate::authn::session::{Short, short};
use crate::seal::{Kind, Random, Sealer};

const VERSION: u8 = 1;

/// See the file's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormToken {
    cookie: Short,
    purpose: Short,
    expires_at: u64,
}

impl FormToken {
    /// `cookie`: the value of [`super::FORM_COOKIE`]. `purpose`: what the form is for, whatever it is.
    pub fn new(cookie: &[u8], purpose: Short, expires_at: u64) -> Self {
        FormToken {
            cookie: short(&[b"form", cookie]),
            purpose,
            expires_at,
        }
    }

    pub fn seal(&self, sealer: &Sealer, base_host: &str, random: &Random) -> String {
        let writer = Writer::new(VERSION)
            .hash(&self.cookie)
            .hash(&self.purpose)
            .time(self.expires_at);
        sealer.seal(Kind::Form, base_host, random, &writer.rest(&[]))
    }

    /// Whether this token was made for this browser and purpose.
    pub fn check(
        sealer: &Sealer,
        base_host: &str,
        sealed: &[u8],
        (cookie, purpose): (&[u8], &Short),
        now_unix: u64,
    ) -> Result<(), Unusable> {
        let mut scratch = Vec::new();
        let plain = sealer.open(Kind::Form, base_host, sealed, &mut scratch);
        let token = FormToken::read(plain.map_err(|_| Unusable::Broken)?);
        let token = token.ok_or(Unusable::Broken)?;
        if token.cookie != short(&[b"form", cookie]) || token.purpose != *purpose {
            return Err(Unusable::Broken);
        }
        in_time(token.expires_at, now_unix)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let token = FormToken {
            cookie: reader.hash()?,
            purpose: reader.hash()?,
            expires_at: reader.time()?,
        };
        reader.end()?;
        Some(token)
    }
}
