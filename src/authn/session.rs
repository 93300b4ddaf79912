//! What a session's cookie holds, and whether it counts now (design of browser sign-in, S5.6, S5.7, S5.12).
//!
//! Comes in: the plain text of a sealed cookie, the rules of the snapshot, who has been signed out, the time. Goes out: who
//! it is and whether that one may enter a project, or why the session does not count. The cookie carries only what was true
//! when it was made; users, grants and projects are the snapshot's of every request.

use std::collections::HashMap;

use ring::digest::{Context, SHA256};

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

/// Who has been signed out, and when. Times are in milliseconds since the Unix epoch: sessions that began then or before
/// have ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    before: HashMap<Short, u64>,
}

impl Ended {
    /// `what`: a user ([`user`]), a user at one host ([`user_at`]), or the session of a provider.
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

    fn has(&self, session: &Session<'_>, host: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "app.t.example.com";
    const NOW: u64 = 1_700_000_000;

    fn session<'a>(inputs: &'a [Short], subject: &'a str) -> Session<'a> {
        Session {
            provider: [1; 16],
            project: short(&[b"p1"]),
            sid: [3; 16],
            issued_at: NOW * 1000 - 5,
            claims_at: NOW,
            expires_at: NOW + 60,
            subject,
            email: "ana@example.com",
            name: "Ana",
            inputs,
        }
    }

    fn rules() -> SessionRules {
        let grant = |project: &str, rests_on_group| Grant {
            projects: vec![project.into()],
            rests_on_group,
        };
        SessionRules {
            provider: [1; 16],
            grants: HashMap::from([
                ([10; 16], grant("p1", false)),
                ([11; 16], grant("p2", false)),
                ([12; 16], grant("p1", true)),
            ]),
            claims_max_age: 900,
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let inputs = [[4; 16]; INPUTS_MAX];
        let long = "s".repeat(SUBJECT_BYTES_MAX);
        let written = session(&inputs, &long).write().unwrap();
        assert_eq!(Session::read(&written), Some(session(&inputs, &long)));
        for length in 0..written.len() {
            let found = Session::read(&written[..length]);
            // Fewer inputs are a session too; that they are not fewer, the seal says.
            let whole =
                (written.len() - length).is_multiple_of(16) && length >= written.len() - 128;
            assert_eq!(found.is_some(), whole, "{length}");
        }
        let mut other = written.clone();
        other[0] = 2;
        assert_eq!(Session::read(&other), None);
        let longer = format!("{long}s");
        assert_eq!(session(&[], &longer).write(), Err(TooLong::Subject));
        assert_eq!(session(&[[0; 16]; 9], "a").write(), Err(TooLong::Inputs));
    }

    #[test]
    fn the_longest_one_fits_into_a_cookie() {
        let inputs = [[4; 16]; INPUTS_MAX];
        let long = "\u{fc}".repeat(200);
        let subject = "s".repeat(SUBJECT_BYTES_MAX);
        let session = Session {
            email: &long,
            name: &long,
            ..session(&inputs, &subject)
        };
        let written = session.write().unwrap();
        assert_eq!(Session::read(&written).unwrap().name.len(), SHOWN_BYTES_MAX);
        let sealed = (written.len() + 1 + 32 + 16).div_ceil(3) * 4;
        assert!(sealed <= 1024, "{sealed}");
    }

    #[test]
    fn a_session_counts_by_the_rules_of_now() {
        let judge = |session: &Session<'_>, ended: &Ended, now| {
            rules().judge(session, (HOST, "p1"), ended, now)
        };
        let good = session(&[[10; 16]], "ana");
        let nobody = Ended::default();
        assert_eq!(judge(&good, &nobody, NOW), Ok(()));
        assert_eq!(judge(&good, &nobody, NOW + 59), Ok(()));
        assert_eq!(judge(&good, &nobody, NOW + 60), Err(SessionError::Expired));
        let by = |change: fn(&mut Session<'_>)| {
            let mut other = good.clone();
            change(&mut other);
            judge(&other, &nobody, NOW)
        };
        assert_eq!(by(|one| one.provider = [2; 16]), Err(SessionError::Broken));
        assert_eq!(by(|one| one.project = [2; 16]), Err(SessionError::Broken));
        for (inputs, claims_at, verdict) in [
            (&[][..], NOW, Err(SessionError::Ended)),
            (&[[9; 16]], NOW, Err(SessionError::Ended)),
            (&[[11; 16]], NOW, Err(SessionError::NotAllowed)),
            (&[[11; 16], [10; 16]], NOW, Ok(())),
            (&[[12; 16]], NOW - 900, Ok(())),
            (&[[12; 16]], NOW - 901, Err(SessionError::ClaimsTooOld)),
            (&[[12; 16], [10; 16]], NOW - 901, Ok(())),
            (
                &[[12; 16], [11; 16]],
                NOW - 901,
                Err(SessionError::ClaimsTooOld),
            ),
        ] {
            let session = Session {
                claims_at,
                ..session(inputs, "ana")
            };
            assert_eq!(judge(&session, &nobody, NOW), verdict, "{inputs:?}");
        }
    }

    #[test]
    fn signing_out_ends_what_began_before_it() {
        let good = session(&[[10; 16]], "ana");
        let user = good.user();
        let ended = |what, before| {
            let mut ended = Ended::default();
            ended.note(what, before);
            ended.note(what, 0);
            rules().judge(&good, (HOST, "p1"), &ended, NOW).is_err()
        };
        for what in [user, user_at(&user, HOST), good.sid] {
            assert!(ended(what, good.issued_at));
            assert!(!ended(what, good.issued_at - 1));
        }
        assert!(!ended(user_at(&user, "b.t.example.com"), u64::MAX));
        assert!(!ended(super::user(&good.provider, "bob"), u64::MAX));
        assert!(!ended(super::user(&[9; 16], "ana"), u64::MAX));
    }
}
