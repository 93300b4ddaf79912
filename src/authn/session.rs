//! What a session's cookie holds, and whether it counts now (design of browser sign-in, S5.6, S5.7, S5.12).
//!
//! Comes in: the plain text of a sealed cookie, the rules of the snapshot, who has been signed out, the time. Goes out: who
//! it is and whether that one may enter a project, or why the session does not count. The cookie carries only what was true
//! when it was made; users, grants and projects are the snapshot's of every request.

mod rules;
#[cfg(test)]
mod tests;

use ring::digest::{Context, SHA256};

pub use rules::{Ended, Grant, SessionError, SessionRules};

/// The first half of a SHA-256: names without their length.
pub type Short = [u8; 16];

/// Most grant inputs in one session: more would not fit into a cookie.
pub const INPUTS_MAX: usize = 8;
/// Longest subject, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 255;
/// E-mail and name are for pages and logs, and cut to this many bytes.
pub const SHOWN_BYTES_MAX: usize = 128;

const VERSION: u8 = 1;

/// A hash of several parts, each with its length.
pub fn short(parts: &[&[u8]]) -> Short {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    let digest = context.finish();
    let half = digest.as_ref().get(..16).unwrap_or_default();
    half.try_into().unwrap_or_default()
}

/// One session, as its cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session<'a> {
    /// Who signed the user in: another provider's `ana` is another one.
    pub provider: Short,
    /// The tunnel's project, by [`short`] of its id.
    pub project: Short,
    /// The provider's own session; zeros where it has none.
    pub sid: Short,
    /// When it began, in milliseconds since the Unix epoch.
    pub issued_at: u64,
    /// When the provider said what the grants rest on, in seconds.
    pub claims_at: u64,
    /// When it ends, in seconds.
    pub expires_at: u64,
    pub subject: &'a str,
    pub email: &'a str,
    pub name: &'a str,
    /// What about the user some grant rested on; each is a key of [`SessionRules::grants`].
    pub inputs: &'a [Short],
}

/// Why a session cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    Subject,
    Inputs,
}

impl<'a> Session<'a> {
    /// Its bytes, to be sealed for the tunnel's host.
    pub fn write(&self) -> Result<Vec<u8>, TooLong> {
        if self.subject.len() > SUBJECT_BYTES_MAX {
            return Err(TooLong::Subject);
        }
        if self.inputs.len() > INPUTS_MAX {
            return Err(TooLong::Inputs);
        }
        let mut bytes = vec![VERSION];
        for hash in [&self.provider, &self.project, &self.sid] {
            bytes.extend_from_slice(hash);
        }
        for time in [self.issued_at, self.claims_at, self.expires_at] {
            bytes.extend_from_slice(&time.to_be_bytes());
        }
        for text in [self.subject, cut(self.email), cut(self.name)] {
            bytes.push(u8::try_from(text.len()).map_err(|_| TooLong::Subject)?);
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(self.inputs.as_flattened());
        Ok(bytes)
    }

    /// Reads what [`Session::write`] wrote; `None`: it is of another version.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        if rest.take::<1>()? != [VERSION] {
            return None;
        }
        let (provider, project, sid) = (rest.take()?, rest.take()?, rest.take()?);
        let mut time = || rest.take().map(u64::from_be_bytes);
        let (issued_at, claims_at, expires_at) = (time()?, time()?, time()?);
        let (subject, email, name) = (rest.text()?, rest.text()?, rest.text()?);
        let (inputs, []) = rest.0.as_chunks() else {
            return None;
        };
        Some(Session {
            provider,
            project,
            sid,
            issued_at,
            claims_at,
            expires_at,
            subject,
            email,
            name,
            inputs,
        })
    }

    /// Who it is, for [`Ended`].
    pub fn user(&self) -> Short {
        user(&self.provider, self.subject)
    }
}

/// A user of a provider, whatever the session.
pub fn user(provider: &Short, subject: &str) -> Short {
    short(&[b"user", provider, subject.as_bytes()])
}

/// The user at one host alone.
pub fn user_at(user: &Short, host: &str) -> Short {
    short(&[b"user at", user, host.as_bytes()])
}

/// At a border of characters.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(SHOWN_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn text(&mut self) -> Option<&'a str> {
        let [length] = self.take()?;
        let (text, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}
