//! Sign-ins that failed: who must wait, and for how long (S9).
//!
//! A client that fails again and again is refused for a while, whoever it wants to be. A user at whom many fail is only held
//! up for a moment: nobody can be locked out by others. Every try counts as failed until it has succeeded, so that many at
//! once gain nothing. Both tables are bounded; the one that failed longest ago makes room.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::authn::session::{Short, short};
use crate::limits::FAILURES_MAX;

/// So many failures cost nothing: people mistype.
const FREE: u32 = 5;
/// Failures are forgotten after so long without another one.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60);
const CLIENT_WAIT: Duration = Duration::from_secs(2);
const CLIENT_WAIT_MAX: Duration = Duration::from_secs(60);
const USER_WAIT: Duration = Duration::from_millis(250);
const USER_WAIT_MAX: Duration = Duration::from_secs(2);

/// Who tries, and as whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    /// `None`: not known, so only the user counts.
    client: Option<Short>,
    user: Short,
}

impl Try {
    pub(super) fn new(client: Option<IpAddr>, name: &str) -> Self {
        Try {
            client: client.map(client_key),
            user: short(&[b"user", name.as_bytes()]),
        }
    }
}

/// A client: an IPv4 address, or an IPv6 /64.
fn client_key(address: IpAddr) -> Short {
    match address.to_canonical() {
        IpAddr::V4(address) => short(&[b"v4", &address.octets()]),
        IpAddr::V6(address) => {
            let octets = address.octets();
            short(&[b"v6", octets.get(..8).unwrap_or_default()])
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Failures {
    clients: Table,
    users: Table,
}

impl Failures {
    /// Begins a try. Answers how long it is held up, or for how long this client is refused.
    pub(super) fn begin(&mut self, one: &Try, now: Duration) -> Result<Duration, Duration> {
        if let Some(client) = &one.client {
            let wait = self
                .clients
                .wait(client, (CLIENT_WAIT, CLIENT_WAIT_MAX), now);
            if !wait.is_zero() {
                return Err(wait);
            }
            self.clients.add(client, now);
        }
        let held = self.users.delay(&one.user, (USER_WAIT, USER_WAIT_MAX), now);
        self.users.add(&one.user, now);
        Ok(held)
    }

    /// It has succeeded.
    pub(super) fn succeeded(&mut self, one: &Try) {
        self.users.seen.remove(&one.user);
        if let Some(client) = &one.client {
            self.clients.take_back(client);
        }
    }

    /// It was never looked at.
    pub(super) fn dropped(&mut self, one: &Try) {
        self.users.take_back(&one.user);
        if let Some(client) = &one.client {
            self.clients.take_back(client);
        }
    }
}

#[derive(Debug, Default)]
struct Table {
    seen: HashMap<Short, Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    count: u32,
    /// By the monotonic clock.
    last: Duration,
}

impl Table {
    /// What the failures so far cost; doubles with each.
    fn delay(&self, key: &Short, (first, most): (Duration, Duration), now: Duration) -> Duration {
        let seen = self.seen.get(key).filter(|seen| is_fresh(seen, now));
        let Some(over) = seen.and_then(|seen| seen.count.checked_sub(FREE)) else {
            return Duration::ZERO;
        };
        first.saturating_mul(1 << over.min(16)).min(most)
    }

    /// What is left of that now.
    fn wait(&self, key: &Short, bounds: (Duration, Duration), now: Duration) -> Duration {
        let delay = self.delay(key, bounds, now);
        let last = self.seen.get(key).map_or(now, |seen| seen.last);
        (last + delay).saturating_sub(now)
    }

    fn add(&mut self, key: &Short, now: Duration) {
        if self.seen.len() >= FAILURES_MAX && !self.seen.contains_key(key) {
            self.make_room(now);
        }
        let fresh = Seen {
            count: 0,
            last: now,
        };
        let seen = self.seen.entry(*key).or_insert(fresh);
        if !is_fresh(seen, now) {
            *seen = fresh;
        }
        seen.count = seen.count.saturating_add(1);
        seen.last = now;
    }

    fn take_back(&mut self, key: &Short) {
        if let Some(seen) = self.seen.get_mut(key) {
            seen.count = seen.count.saturating_sub(1);
        }
    }

    fn make_room(&mut self, now: Duration) {
        self.seen.retain(|_, seen| is_fresh(seen, now));
        if self.seen.len() >= FAILURES_MAX {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.last);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.seen.remove(&key);
            }
        }
    }
}

fn is_fresh(seen: &Seen, now: Duration) -> bool {
    now.saturating_sub(seen.last) < FORGOTTEN_AFTER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(address: &str, name: &str) -> Try {
        Try::new(address.parse().ok(), name)
    }

    const START: Duration = Duration::from_secs(1000);

    #[test]
    fn a_client_waits_longer_with_each_failure_and_is_forgiven() {
        let mut failures = Failures::default();
        let mallory = one("192.0.2.1", "ana");
        for _ in 0..5 {
            assert_eq!(failures.begin(&mallory, START), Ok(Duration::ZERO));
        }
        let mut now = START;
        for wait in [2, 4, 8, 16, 32, 60, 60] {
            let wait = Duration::from_secs(wait);
            assert_eq!(failures.begin(&mallory, now), Err(wait));
            let early = now + wait - Duration::from_millis(1);
            assert_eq!(
                failures.begin(&mallory, early),
                Err(Duration::from_millis(1))
            );
            now += wait;
            assert!(failures.begin(&mallory, now).is_ok());
        }
        assert_eq!(
            failures.begin(&mallory, now + FORGOTTEN_AFTER),
            Ok(Duration::ZERO)
        );
    }

    #[test]
    fn nobody_is_locked_out_by_others() {
        let mut failures = Failures::default();
        for index in 0..100 {
            let mallory = one(&format!("192.0.2.{index}"), "ana");
            for _ in 0..5 {
                assert!(failures.begin(&mallory, START).is_ok());
            }
        }
        // She is held up for a moment, and others are not at all.
        let ana = one("198.51.100.1", "ana");
        assert_eq!(failures.begin(&ana, START), Ok(USER_WAIT_MAX));
        let bob = one("198.51.100.1", "bob");
        assert_eq!(failures.begin(&bob, START), Ok(Duration::ZERO));
        failures.succeeded(&ana);
        assert_eq!(failures.begin(&ana, START), Ok(Duration::ZERO));
    }

    #[test]
    fn a_network_counts_as_one_and_an_unknown_client_not_at_all() {
        let mut failures = Failures::default();
        for index in 0..5 {
            let address = format!("2001:db8::{index}");
            assert!(failures.begin(&one(&address, "a"), START).is_ok());
        }
        assert!(failures.begin(&one("2001:db8::ffff", "b"), START).is_err());
        assert!(failures.begin(&one("2001:db8:0:1::1", "b"), START).is_ok());
        for _ in 0..20 {
            assert!(failures.begin(&one("unknown", "c"), START).is_ok());
        }
    }

    #[test]
    fn what_succeeded_or_was_dropped_does_not_count() {
        let mut failures = Failures::default();
        let ana = one("192.0.2.1", "ana");
        for round in 0..20 {
            assert_eq!(failures.begin(&ana, START), Ok(Duration::ZERO), "{round}");
            if round % 2 == 0 {
                failures.succeeded(&ana);
            } else {
                failures.dropped(&ana);
            }
        }
    }

    #[test]
    fn the_tables_are_bounded() {
        let mut failures = Failures::default();
        for index in 0..3 * u32::try_from(FAILURES_MAX).unwrap() {
            let address = IpAddr::from(index.to_be_bytes());
            let mallory = Try::new(Some(address), &index.to_string());
            assert!(
                failures
                    .begin(&mallory, START + Duration::from_millis(index.into()))
                    .is_ok()
            );
        }
        assert_eq!(failures.clients.seen.len(), FAILURES_MAX);
        assert_eq!(failures.users.seen.len(), FAILURES_MAX);
    }
}
