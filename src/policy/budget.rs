//! How many tokens that fail each client may make this core verify (S9).
//!
//! Comes in: an address, the time, the rate of the configuration. Goes out: whether one more token is looked at. Only what
//! is verified anew counts, so a token that the core remembers is never refused here.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

use super::client_address::AddressKey;
use crate::limits::BUDGETS_MAX;

/// So much of its rate a client may use at once.
const BURST: Duration = Duration::from_secs(4);

/// What the clients of one core have spent. Who has been quiet for longest is forgotten first, and begins anew.
#[derive(Debug)]
pub struct Budgets {
    /// When all that a client has spent is earned again, on the monotonic clock.
    even_at: LruCache<Option<AddressKey>, Duration>,
}

impl Default for Budgets {
    fn default() -> Self {
        let most = NonZeroUsize::new(BUDGETS_MAX).unwrap_or(NonZeroUsize::MIN);
        Budgets {
            even_at: LruCache::new(most),
        }
    }
}

impl Budgets {
    /// Whether a client may cause one more. All whose address is unknown share one budget.
    pub fn has_left(&self, client: Option<IpAddr>, now: Duration) -> bool {
        let even_at = self.even_at.peek(&client.map(AddressKey::of));
        even_at.is_none_or(|&even_at| even_at <= now + BURST)
    }

    /// One more was caused, at a rate of `per_second`; 0: no limit.
    pub fn spend(&mut self, client: Option<IpAddr>, now: Duration, per_second: u64) {
        if per_second == 0 {
            return;
        }
        let cost = Duration::from_secs(1) / u32::try_from(per_second).unwrap_or(u32::MAX);
        let even_at = self
            .even_at
            .get_or_insert_mut(client.map(AddressKey::of), || now);
        *even_at = (*even_at).max(now) + cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How many a client may cause at one moment.
    fn at_once(budgets: &mut Budgets, client: Option<IpAddr>, now: Duration) -> usize {
        let mut count = 0;
        while budgets.has_left(client, now) {
            budgets.spend(client, now, 10);
            count += 1;
            assert!(count < 100, "there is an end");
        }
        count
    }

    #[test]
    fn a_client_has_its_rate_and_four_seconds_of_it_at_once() {
        let mut budgets = Budgets::default();
        let client = "192.0.2.1".parse().ok();
        assert_eq!(at_once(&mut budgets, client, SECOND), 41);
        assert_eq!(at_once(&mut budgets, client, SECOND), 0);
        assert_eq!(at_once(&mut budgets, client, 2 * SECOND), 10);
        assert_eq!(at_once(&mut budgets, client, 60 * SECOND), 41);
    }

    #[test]
    fn a_client_is_an_address_or_a_network_of_64_bits_and_the_unknown_are_one() {
        let mut budgets = Budgets::default();
        let is_spent = |budgets: &Budgets, client: &str| {
            !budgets.has_left(client.parse().ok(), Duration::ZERO)
        };
        for client in ["192.0.2.1", "2001:db8::1", "unknown"] {
            at_once(&mut budgets, client.parse().ok(), Duration::ZERO);
        }
        assert!(is_spent(&budgets, "::ffff:192.0.2.1"));
        assert!(is_spent(&budgets, "2001:db8::ffff:1"));
        assert!(is_spent(&budgets, "also unknown"));
        assert!(!is_spent(&budgets, "192.0.2.2"));
        assert!(!is_spent(&budgets, "2001:db8:0:1::1"));
    }

    #[test]
    fn without_a_limit_nothing_is_counted_and_with_one_the_table_is_bounded() {
        let mut budgets = Budgets::default();
        budgets.spend(None, SECOND, 0);
        assert!(budgets.even_at.is_empty());
        for number in 0..2 * BUDGETS_MAX as u32 {
            budgets.spend(Some(IpAddr::from(number.to_be_bytes())), SECOND, 10);
        }
        assert_eq!(budgets.even_at.len(), BUDGETS_MAX);
    }
}
