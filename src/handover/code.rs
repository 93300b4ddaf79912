//! What the base host hands to a tunnel through the browser, and what the tunnel then leaves there.

use super::wire::{Reader, Writer};
use super::{Unusable, in_time, read_in_time, return_target};
use crate::authn::session::{Session, Short, short};
use crate::seal::{Kind, Random, Sealer};

const VERSION: u8 = 1;

/// A sign-in on its way to a tunnel: sealed for its host, used once, and by the browser that began alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code<'a> {
    /// 128 random bits.
    pub id: Short,
    /// [`super::request_id`] of what it answers.
    pub request: Short,
    /// [`super::state_hash`] of the cookie without which it is worth nothing.
    pub state: Short,
    /// In seconds.
    pub expires_at: u64,
    pub target: &'a str,
    /// What becomes of it: it names the project and the user.
    pub session: Session<'a>,
}

impl<'a> Code<'a> {
    /// The value of `code=` on `host`. `None`: the session is longer than a cookie may be.
    pub fn seal(&self, sealer: &Sealer, host: &str, random: &Random) -> Option<String> {
        let session = self.session.write().ok()?;
        let writer = Writer::new(VERSION)
            .hash(&self.id)
            .hash(&self.request)
            .hash(&self.state)
            .time(self.expires_at)
            .text(return_target(self.target.as_bytes()));
        Some(sealer.seal(Kind::Code, host, random, &writer.rest(&session)))
    }

    pub fn open(
        sealer: &Sealer,
        host: &str,
        sealed: &[u8],
        now_unix: u64,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Self, Unusable> {
        let plain = sealer.open(Kind::Code, host, sealed, scratch);
        read_in_time(plain, Code::read, |code| code.expires_at, now_unix)
    }

    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, VERSION)?;
        Some(Code {
            id: reader.hash()?,
            request: reader.hash()?,
            state: reader.hash()?,
            expires_at: reader.time()?,
            target: return_target(reader.text()?.as_bytes()),
            session: Session::read(reader.rest())?,
        })
    }
}

/// The value of a session's cookie: [`Kind::Session`] for a tunnel, [`Kind::BaseSession`] for the base host. `None`: it is
/// longer than a cookie may be.
pub fn seal_session(
    session: &Session<'_>,
    kind: Kind,
    sealer: &Sealer,
    host: &str,
    random: &Random,
) -> Option<String> {
    let plain = session.write().ok()?;
    Some(sealer.seal(kind, host, random, &plain))
}

/// Opens one; whether it counts is another question.
pub fn open_session<'a>(
    kind: Kind,
    sealer: &Sealer,
    host: &str,
    sealed: &[u8],
    scratch: &'a mut Vec<u8>,
) -> Option<Session<'a>> {
    let plain = sealer.open(kind, host, sealed, scratch).ok()?;
    Session::read(plain)
}

/// A challenge that was met, on its way to a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeCode<'a> {
    pub id: Short,
    pub state: Short,
    pub prefix: Short,
    pub expires_at: u64,
    pub target: &'a str,
}

impl<'a> ChallengeCode<'a> {
    pub fn seal(&self, sealer: &Sealer, host: &str, random: &Random) -> String {
        let writer = Writer::new(VERSION)
            .hash(&self.id)
            .hash(&self.state)
            .hash(&self.prefix)
            .time(self.expires_at)
            .text(return_target(self.target.as_bytes()));
        sealer.seal(Kind::ChallengeCode, host, random, &writer.rest(&[]))
    }

    pub fn open(
        sealer: &Sealer,
        host: &str,
        sealed: &[u8],
        now_unix: u64,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Self, Unusable> {
        let plain = sealer.open(Kind::ChallengeCode, host, sealed, scratch);
        read_in_time(plain, ChallengeCode::read, |code| code.expires_at, now_unix)
    }

    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let code = ChallengeCode {
            id: reader.hash()?,
            state: reader.hash()?,
            prefix: reader.hash()?,
            expires_at: reader.time()?,
            target: return_target(reader.text()?.as_bytes()),
        };
        reader.end()?;
        Some(code)
    }
}

/// What the challenge's cookie says. It is never authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengePass {
    project: Short,
    prefix: Short,
    expires_at: u64,
}

impl ChallengePass {
    /// `prefix`: [`super::client_prefix`].
    pub fn new(project: &str, prefix: Short, expires_at: u64) -> Self {
        ChallengePass {
            project: short(&[project.as_bytes()]),
            prefix,
            expires_at,
        }
    }

    pub fn seal(&self, sealer: &Sealer, host: &str, random: &Random) -> String {
        let writer = Writer::new(VERSION)
            .hash(&self.project)
            .hash(&self.prefix)
            .time(self.expires_at);
        sealer.seal(Kind::Challenge, host, random, &writer.rest(&[]))
    }

    /// Whether a cookie of `host` says that its sender met a challenge of this project from the network it is in now.
    pub fn counts(
        sealer: &Sealer,
        (host, project): (&str, &str),
        sealed: &[u8],
        (prefix, now_unix): (&Short, u64),
        scratch: &mut Vec<u8>,
    ) -> bool {
        let plain = sealer.open(Kind::Challenge, host, sealed, scratch);
        let pass = plain.ok().and_then(ChallengePass::read);
        pass.is_some_and(|pass| {
            pass.project == short(&[project.as_bytes()])
                && pass.prefix == *prefix
                && in_time(pass.expires_at, now_unix).is_ok()
        })
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let pass = ChallengePass {
            project: reader.hash()?,
            prefix: reader.hash()?,
            expires_at: reader.time()?,
        };
        reader.end()?;
        Some(pass)
    }
}
