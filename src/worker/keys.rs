//! Keys of other issuers that a core does not have: asked of the control thread, within bounds.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::http::request::Request;
use crate::limits::{KEY_WAIT_MAX, KEY_WAITS_MAX};
use crate::policy::{Connection, Decision, NeedsKeys};
use crate::runtime::asks::Asks;
use crate::token::WantedKey;

use super::core::Core;
use super::snapshot::Snapshot;
use super::trace::Trace;

/// What a core asks the control thread for.
#[derive(Debug)]
pub struct KeyRequest {
    /// Where the answer must go.
    pub core: usize,
    pub ticket: u64,
    pub key: WantedKey,
}

/// All that could be done has been, and what came of it is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyAnswer {
    /// For so long nothing more is asked of this issuer.
    pub rest: Duration,
}

/// Hands a request to the control thread; says whether anybody is there.
pub type AskForKeys = Arc<dyn Fn(KeyRequest) -> bool + Send + Sync>;

/// The requests of one core.
pub struct KeyRequests {
    ask: AskForKeys,
    waiting: Asks<KeyAnswer>,
    /// By issuer: until when nothing more is asked of it, on the monotonic clock.
    rests: RefCell<HashMap<Box<str>, Duration>>,
}

impl fmt::Debug for KeyRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRequests({} open)", self.waiting.len())
    }
}

impl KeyRequests {
    pub fn new(ask: AskForKeys) -> Self {
        KeyRequests {
            ask,
            waiting: Asks::default(),
            rests: RefCell::default(),
        }
    }

    pub fn answer(&self, ticket: u64, answer: KeyAnswer) {
        self.waiting.answer(ticket, answer);
    }

    pub fn sweep(&self, now: Duration) {
        self.waiting.sweep(now);
        self.rests.borrow_mut().retain(|_, until| *until > now);
    }

    /// Returns when the control thread has done what it can; `false`: nothing was done, or not in time.
    async fn get(&self, core: usize, key: WantedKey, now: Duration) -> bool {
        if self.waiting.len() >= KEY_WAITS_MAX || self.rests.borrow().contains_key(&key.issuer) {
            return false;
        }
        let issuer = key.issuer.clone();
        let waiting = self.waiting.begin(now + KEY_WAIT_MAX);
        let ticket = waiting.ticket();
        if !(self.ask)(KeyRequest { core, ticket, key }) {
            return false;
        }
        let Some(answer) = waiting.await else {
            return false;
        };
        if !answer.rest.is_zero() {
            // The time of the question: the rest ends rather too early than too late.
            self.rests.borrow_mut().insert(issuer, now + answer.rest);
        }
        true
    }
}

/// Waits for the key and judges once more, by what is in force then.
pub(super) async fn judge_with_keys(
    (core, trace): (&Core, &Trace),
    needs: NeedsKeys,
    connection: Connection<'_>,
    request: Request<'_>,
) -> (Option<Arc<Snapshot>>, Decision) {
    let NeedsKeys { key, otherwise } = needs;
    let asked_at = core.now().monotonic;
    trace.stopwatch.stand(asked_at);
    let got = core.keys.get(core.index, key, asked_at).await;
    trace.stopwatch.run(core.clock.monotonic());
    if !got {
        return (None, Decision::Refuse(otherwise));
    }
    let snapshot = core.snapshot();
    let decision = core.decide(&snapshot, connection, request, core.now());
    (Some(snapshot), decision)
}
