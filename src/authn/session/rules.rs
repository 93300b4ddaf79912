//! Whether a session counts now: by the rules of the snapshot, and by who has been signed out.

use std::collections::HashMap;

use super::{Session, Short, short, user_at};

/// Who has been signed out, and when. Times are in milliseconds since the Unix epoch: sessions that began then or before
/// have ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    before: HashMap<Short, u64>,
}

impl Ended {
    /// `what`: a user ([`super::user`]), a user at one host ([`super::user_at`]), or the session of a provider.
    pub fn note(&mut self, what: Short, before: u64) {
        let known = self.before.entry(what).or_default();
        *known = before.max(*known);
    }

    /// Forgets what no session can be older than.
    pub fn forget_before(&mut self, oldest: u64) {
        self.before.retain(|_, before| *before >= oldest);
    }

    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    pub fn len(&self) -> usize {
        self.before.len()
    }

    /// All that was noted.
    pub fn iter(&self) -> impl Iterator<Item = (&Short, u64)> {
        self.before.iter().map(|(what, before)| (what, *before))
    }

    /// Whether a session at this host has ended: a tunnel's, or that of the base host.
    pub fn has(&self, session: &Session<'_>, host: &str) -> bool {
        if self.before.is_empty() {
            return false;
        }
        let user = session.user();
        [user, user_at(&user, host), session.sid]
            .iter()
            .any(|what| {
                self.before
                    .get(what)
                    .is_some_and(|before| session.issued_at <= *before)
            })
    }
}

/// What a grant opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    pub projects: Vec<Box<str>>,
    /// It rests on a group, which a provider may change at any time.
    pub rests_on_group: bool,
}

/// Who may enter what, of one configuration.
#[derive(Debug, Default)]
pub struct SessionRules {
    pub provider: Short,
    /// By what about a user each rests on: see [`short`] and the inputs of a [`Session`].
    pub grants: HashMap<Short, Grant>,
    /// How long what a provider said of groups counts, in seconds.
    pub claims_max_age: u64,
}

/// Why a session does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// Not one of ours for this host.
    Broken,
    Expired,
    /// Signed out, or its user is gone.
    Ended,
    /// What it says of groups is too old: the provider must be asked again.
    ClaimsTooOld,
    /// It counts, and its user may not enter this project.
    NotAllowed,
}

impl SessionError {
    /// The stable word in the log.
    pub fn reason(self) -> &'static str {
        match self {
            SessionError::Broken => "session_broken",
            SessionError::Expired => "session_expired",
            SessionError::Ended => "session_ended",
            SessionError::ClaimsTooOld => "session_claims_old",
            SessionError::NotAllowed => "session_not_allowed",
        }
    }
}

impl SessionRules {
    /// Whether a session opens this project now.
    pub fn judge(
        &self,
        session: &Session<'_>,
        (host, project): (&str, &str),
        ended: &Ended,
        now_unix: u64,
    ) -> Result<(), SessionError> {
        if session.provider != self.provider || session.project != short(&[project.as_bytes()]) {
            return Err(SessionError::Broken);
        }
        if now_unix >= session.expires_at {
            return Err(SessionError::Expired);
        }
        if ended.has(session, host) {
            return Err(SessionError::Ended);
        }
        self.judge_grants(session.inputs, session.claims_at, project, now_unix)
    }

    /// Whether somebody of whom this is true may enter a project.
    pub fn judge_grants(
        &self,
        inputs: &[Short],
        claims_at: u64,
        project: &str,
        now_unix: u64,
    ) -> Result<(), SessionError> {
        let is_old = now_unix.saturating_sub(claims_at) > self.claims_max_age;
        let mut verdict = SessionError::Ended;
        for grant in inputs.iter().filter_map(|input| self.grants.get(input)) {
            let opens = grant.projects.iter().any(|one| **one == *project);
            match (opens, grant.rests_on_group && is_old) {
                (true, false) => return Ok(()),
                (true, true) => verdict = SessionError::ClaimsTooOld,
                (false, _) if verdict == SessionError::Ended => verdict = SessionError::NotAllowed,
                (false, _) => {}
            }
        }
        Err(verdict)
    }
}
