//! When the key set of one issuer is fetched. Pure: the time comes in.

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

/// A set is renewed after this, so that a key that its issuer took away is gone here too.
const REFRESH_EVERY: Duration = Duration::from_secs(5 * 60);
/// After a failure it is tried again so soon, then after twice that, and so on.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(60);
/// Fetches that unknown keys may cause: one in this time, and some at once.
const ASKED_EVERY: Duration = Duration::from_secs(10);
const ASKED_AT_ONCE: u32 = 4;
/// A key that a set was fetched for is not asked for again so soon.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
const UNKNOWN_MAX: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// What a request for a key comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The set is fetched now.
    Fetch,
    /// It is not; for so long no key is worth asking for.
    No { rest: Duration },
}

/// All times are on the monotonic clock.
#[derive(Debug)]
pub(crate) struct Plan {
    due: Duration,
    failures: u32,
    /// When all that unknown keys have spent is earned again.
    even_at: Duration,
    /// Until when a key counts as one that the issuer does not have.
    unknown: LruCache<Option<Box<str>>, Duration>,
}

impl Plan {
    /// The first fetch is due at once.
    pub(crate) fn new(now: Duration) -> Self {
        Plan {
            due: now,
            failures: 0,
            even_at: now,
            unknown: LruCache::new(UNKNOWN_MAX),
        }
    }

    /// When the set is to be fetched whoever asks.
    pub(crate) fn due(&self) -> Duration {
        self.due
    }

    /// A token names a key that is not in the set.
    pub(crate) fn ask(&mut self, kid: Option<&str>, now: Duration) -> Answer {
        // Borrowing an `Option<Box<str>>` as a key would need a type of its own.
        let kid: Option<Box<str>> = kid.map(Into::into);
        if self.unknown.get(&kid).is_some_and(|until| *until > now) {
            return Answer::No {
                rest: Duration::ZERO,
            };
        }
        let rest = self.rest(now);
        if !rest.is_zero() {
            return Answer::No { rest };
        }
        self.even_at = self.even_at.max(now) + ASKED_EVERY;
        Answer::Fetch
    }

    /// For how long unknown keys cause no fetch.
    pub(crate) fn rest(&self, now: Duration) -> Duration {
        let most = now + ASKED_EVERY * (ASKED_AT_ONCE - 1);
        self.even_at.saturating_sub(most)
    }

    /// A fetch that this key was asked for has brought it, or the issuer does not have it.
    pub(crate) fn answered(&mut self, kid: Option<Box<str>>, now: Duration) {
        self.unknown.put(kid, now + UNKNOWN_FOR);
    }

    /// A fetch has ended.
    pub(crate) fn fetched(&mut self, good: bool, now: Duration) {
        let pause = if good {
            self.failures = 0;
            REFRESH_EVERY
        } else {
            let pause = RETRY_FIRST * 2_u32.saturating_pow(self.failures.min(6));
            self.failures += 1;
            pause.min(RETRY_LAST)
        };
        self.due = now + pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fetches(plan: &mut Plan, keys: std::ops::Range<u32>, now: Duration) -> usize {
        let mut ask = |key: u32| plan.ask(Some(&key.to_string()), now) == Answer::Fetch;
        keys.filter(|key| ask(*key)).count()
    }

    #[test]
    fn unknown_keys_cause_some_fetches_at_once_and_one_in_ten_seconds() {
        let mut plan = Plan::new(SECOND);
        assert_eq!(fetches(&mut plan, 0..1000, SECOND), 4);
        assert_eq!(plan.rest(SECOND), 10 * SECOND);
        assert_eq!(
            plan.ask(Some("x"), SECOND),
            Answer::No { rest: 10 * SECOND }
        );
        assert_eq!(fetches(&mut plan, 0..1000, 10 * SECOND), 0);
        assert_eq!(fetches(&mut plan, 0..1000, 11 * SECOND), 1);
        assert_eq!(fetches(&mut plan, 0..1000, 600 * SECOND), 4);
    }

    #[test]
    fn a_key_that_the_issuer_does_not_have_costs_nothing_for_a_minute() {
        let mut plan = Plan::new(SECOND);
        plan.answered(Some("gone".into()), SECOND);
        plan.answered(None, SECOND);
        let no = Answer::No {
            rest: Duration::ZERO,
        };
        for kid in [Some("gone"), None] {
            assert_eq!(plan.ask(kid, 60 * SECOND), no);
        }
        assert_eq!(plan.ask(Some("other"), 60 * SECOND), Answer::Fetch);
        assert_eq!(plan.ask(Some("gone"), 61 * SECOND), Answer::Fetch);
        assert_eq!(plan.ask(None, 61 * SECOND), Answer::Fetch);
        // Who makes names up pushes out names, and learns nothing by it.
        for name in 0..10_000 {
            plan.answered(Some(name.to_string().into()), SECOND);
        }
        assert_eq!(plan.unknown.len(), UNKNOWN_MAX.get());
    }

    #[test]
    fn a_set_is_renewed_and_a_failure_is_tried_again_ever_later() {
        let mut plan = Plan::new(SECOND);
        assert_eq!(plan.due(), SECOND);
        plan.fetched(true, SECOND);
        assert_eq!(plan.due(), 301 * SECOND);
        for pause in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            plan.fetched(false, SECOND);
            assert_eq!(plan.due(), SECOND * (1 + pause));
        }
        plan.fetched(true, SECOND);
        plan.fetched(false, SECOND);
        assert_eq!(plan.due(), 2 * SECOND);
    }
}
