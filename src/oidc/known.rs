//! What is known of the provider, and how it is kept new: one fetch at a time, within the budget of [`Plan`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::discovery::{Discovery, Keys};
use super::error::OidcError;
use crate::fetch::plan::{Answer, Plan};
use crate::limits::KEY_SET_STALE_MAX;

/// The documents of one fetch.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) discovery: Discovery,
    pub(super) keys: Keys,
}

/// The last good documents, and what has come of the last fetch. All times are on the monotonic clock.
#[derive(Debug)]
pub(super) struct Known(Mutex<State>);

#[derive(Debug)]
struct State {
    good: Option<(Arc<Documents>, Duration)>,
    /// Why the last fetch failed, if it did.
    failure: Option<OidcError>,
    /// Fetches that have ended.
    fetches: u64,
    plan: Plan,
}

/// What a fetch is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Why<'a> {
    /// It is time, or nothing is known.
    Nothing,
    /// A token names a key that is not there; empty: it names none.
    Key(&'a str),
}

/// What whoever asks for a fetch is to do.
pub(super) enum Turn {
    Fetch,
    /// Somebody else has fetched meanwhile, or none is worth it now.
    Ended(Result<Arc<Documents>, OidcError>),
}

impl Known {
    pub(super) fn new(now: Duration) -> Self {
        Known(Mutex::new(State {
            good: None,
            failure: None,
            fetches: 0,
            plan: Plan::new(now),
        }))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere leaves documents that are as good as before.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The documents, unless they are too old, and how many fetches have ended.
    pub(super) fn look(&self, now: Duration) -> (Option<Arc<Documents>>, u64) {
        self.with(|state| (state.current(now), state.fetches))
    }

    pub(super) fn due(&self) -> Duration {
        self.with(|state| state.plan.due())
    }

    /// `seen`: the fetches that had ended when the caller looked. Called by one at a time.
    pub(super) fn turn(&self, seen: u64, why: Why<'_>, now: Duration) -> Turn {
        self.with(|state| {
            let ended = |state: &State| {
                let none = || OidcError::Unreachable("asked too often lately".to_owned());
                let failure = || state.failure.clone().unwrap_or_else(none);
                Turn::Ended(state.current(now).ok_or_else(failure))
            };
            if state.fetches > seen {
                return ended(state);
            }
            let kid = match why {
                Why::Nothing if state.plan.due() <= now => return Turn::Fetch,
                Why::Nothing => None,
                Why::Key(kid) => Some(kid),
            };
            match state.plan.ask(kid, now) {
                Answer::Fetch => Turn::Fetch,
                Answer::No { .. } => ended(state),
            }
        })
    }

    /// A fetch has ended. One that failed leaves what is known.
    pub(super) fn fetched(
        &self,
        fetched: Result<Documents, OidcError>,
        why: Why<'_>,
        now: Duration,
    ) -> Result<Arc<Documents>, OidcError> {
        self.with(|state| {
            state.fetches += 1;
            state.plan.fetched(fetched.is_ok(), now);
            match fetched {
                Ok(documents) => {
                    let documents = Arc::new(documents);
                    state.good = Some((documents.clone(), now));
                    state.failure = None;
                    if let Why::Key(kid) = why {
                        state.plan.answered(Some(kid.into()), now);
                    }
                    Ok(documents)
                }
                Err(error) => {
                    state.failure = Some(error.clone());
                    Err(error)
                }
            }
        })
    }
}

impl State {
    fn current(&self, now: Duration) -> Option<Arc<Documents>> {
        let (documents, at) = self.good.as_ref()?;
        (now.saturating_sub(*at) < KEY_SET_STALE_MAX).then(|| documents.clone())
    }
}
