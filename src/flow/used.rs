//! What may be used once, and how often something may happen: tables of a bounded size.

use std::collections::HashMap;

use crate::authn::session::Short;

/// Why something is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotUsed {
    Again,
    /// So many others are remembered that this one could not be.
    Full,
}

/// What was used, as long as it would still be in time.
#[derive(Debug)]
pub(super) struct UsedOnce {
    /// When it expires, in seconds.
    used: HashMap<Short, u64>,
    max: usize,
    /// Until then nothing more has expired.
    next_look: u64,
}

impl UsedOnce {
    pub(super) fn new(max: usize) -> Self {
        UsedOnce {
            used: HashMap::new(),
            max,
            next_look: 0,
        }
    }

    /// Uses something that expires then; never twice.
    pub(super) fn use_once(
        &mut self,
        id: &Short,
        expires_at: u64,
        now_unix: u64,
    ) -> Result<(), NotUsed> {
        if now_unix >= self.next_look {
            self.used.retain(|_, expires_at| *expires_at > now_unix);
            // At a full table too, at most once a second.
            self.next_look = now_unix + 1;
        }
        if self.used.contains_key(id) {
            return Err(NotUsed::Again);
        }
        if self.used.len() >= self.max {
            return Err(NotUsed::Full);
        }
        self.used.insert(*id, expires_at);
        Ok(())
    }
}

/// How often each of many may do something within a minute.
#[derive(Debug)]
pub(super) struct PerMinute {
    counts: HashMap<Short, u32>,
    minute: u64,
    each: u32,
    max: usize,
}

impl PerMinute {
    pub(super) fn new(each: u32, max: usize) -> Self {
        PerMinute {
            counts: HashMap::new(),
            minute: 0,
            each,
            max,
        }
    }

    /// Whether this one may once more.
    pub(super) fn admit(&mut self, who: &Short, now_unix: u64) -> bool {
        let minute = now_unix / 60;
        if minute != self.minute {
            self.counts.clear();
            self.minute = minute;
        }
        if !self.counts.contains_key(who) && self.counts.len() >= self.max {
            return false;
        }
        let count = self.counts.entry(*who).or_default();
        if *count >= self.each {
            return false;
        }
        *count += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> Short {
        u128::from(number).to_be_bytes()
    }

    #[test]
    fn nothing_is_used_twice_while_it_is_in_time() {
        let mut used = UsedOnce::new(3);
        assert_eq!(used.use_once(&id(1), 60, 0), Ok(()));
        assert_eq!(used.use_once(&id(1), 60, 0), Err(NotUsed::Again));
        assert_eq!(used.use_once(&id(1), 90, 59), Err(NotUsed::Again));
        assert_eq!(used.use_once(&id(2), 90, 59), Ok(()));
        assert_eq!(used.use_once(&id(3), 90, 59), Ok(()));
        assert_eq!(used.use_once(&id(4), 90, 59), Err(NotUsed::Full));
        assert_eq!(used.use_once(&id(2), 90, 59), Err(NotUsed::Again));
        assert_eq!(used.use_once(&id(4), 90, 60), Ok(()));
        assert_eq!(used.used.len(), 3);
    }

    #[test]
    fn each_has_a_number_of_its_own_per_minute() {
        let mut counts = PerMinute::new(2, 2);
        for (who, now, admitted) in [
            (1, 0, true),
            (1, 59, true),
            (1, 59, false),
            (2, 59, true),
            (3, 59, false),
            (1, 60, true),
            (3, 60, true),
        ] {
            assert_eq!(counts.admit(&id(who), now), admitted, "{who} at {now}");
        }
    }
}
