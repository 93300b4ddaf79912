//! Signing out on every core.

use std::io;
use std::sync::mpsc::channel;
use std::sync::{Arc, RwLock};

use super::{ANSWER_WITHIN, Engine};
use crate::authn::session::{Ended, Short};
use crate::control::ended_sessions::oldest;
use crate::worker::{Command, SignOuts};

impl Engine {
    /// Ends all sessions of these that began then (in milliseconds) or before: on disk, synced, and on every core when it
    /// returns.
    pub fn sign_out(&self, what: &[Short], before: u64) -> io::Result<()> {
        self.ended.note(what, before, self.now_ms())?;
        self.end_sessions(what, before);
        Ok(())
    }

    /// Tells every core, and returns when all know: every head that arrives after that is judged without these sessions.
    pub fn end_sessions(&self, what: &[Short], before: u64) {
        self.tell_ended(what.iter().map(|what| (*what, before)).collect());
    }

    /// Takes over the sign-outs that another process has written since.
    pub(in crate::control) fn look_for_sign_outs(&self) {
        match self.ended.look() {
            Ok(None) => {}
            Ok(Some(new)) => {
                self.tell_ended(new.iter().map(|(what, before)| (*what, before)).collect());
                tracing::info!(event = "sign_outs_taken_over", "in force");
            }
            Err(error) => {
                tracing::error!(event = "sign_outs_refused", "{error}");
            }
        }
    }

    /// Who has been signed out so far.
    pub(in crate::control) fn known_sign_outs(&self) -> Arc<RwLock<Ended>> {
        self.ended.known()
    }

    fn tell_ended(&self, what: Vec<(Short, u64)>) {
        let sign_outs = Arc::new(SignOuts {
            what,
            forget_before: oldest(self.now_ms()),
        });
        let (noted, known) = channel();
        for core in &self.cores {
            core.commands.send(Command::EndSessions(sign_outs.clone()));
            let noted = noted.clone();
            core.commands.send(Command::Report(Box::new(move |_| {
                noted.send(()).unwrap_or_default()
            })));
        }
        drop(noted);
        for _ in &self.cores {
            let _ = known.recv_timeout(ANSWER_WITHIN);
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().unix.as_millis()).unwrap_or(u64::MAX)
    }
}
