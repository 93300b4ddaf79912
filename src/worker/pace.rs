//! Whether a client goes on with its body fast enough (S9): a trickle of bytes would else hold a connection, and one to
//! the upstream, for as long as it likes.

use std::time::Duration;

use crate::limits::BODY_RATE_GRACE;

/// The pace of one body.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How long the client was waited for, all in all.
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// `bytes` came after a wait of `took`. Answers whether that is too slow: less than `rate` bytes per second over all
    /// the waiting so far, once that is longer than the grace.
    pub(super) fn is_too_slow(&mut self, took: Duration, bytes: usize, rate: u64) -> bool {
        self.waited += took;
        self.bytes += bytes as u64;
        let due = u128::from(rate).saturating_mul(self.waited.as_millis()) / 1000;
        self.waited > BODY_RATE_GRACE && u128::from(self.bytes) < due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_counts_after_the_grace() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::default();
        assert!((0..10).all(|_| !pace.is_too_slow(second, 1, 256)));
        assert!(pace.is_too_slow(second, 1, 256));
        assert!(!pace.is_too_slow(Duration::ZERO, 11 * 256, 256));
        assert!(pace.is_too_slow(12 * second, 0, 256));
        assert!(!pace.is_too_slow(1000 * second, 0, 0));
        assert!(pace.is_too_slow(Duration::MAX / 2, usize::MAX >> 1, u64::MAX));
    }
}
