//! How much of an exchange's time is the edge's own.
//!
//! It runs from the end of the request's head until that head is with the kernel on its way to the upstream, and from the
//! end of the answer's head until the first piece of the answer is with the kernel on its way to the client. It stands
//! while the edge waits for others: a connection to the upstream, an issuer's keys, the answer. So it holds judgement,
//! both rewritten heads, the first two writes, and whatever else the core did meanwhile. It does not hold what waited in
//! the kernel before the core read it, nor the rest of the bodies, which is as slow as who sends and who reads.

use std::cell::Cell;
use std::time::Duration;

/// All times are of the monotonic clock.
#[derive(Debug, Default)]
pub struct Stopwatch {
    /// Since when it runs; `None`: it stands.
    since: Cell<Option<Duration>>,
    added: Cell<Duration>,
    /// When the first piece of the answer was with the kernel.
    delivered: Cell<Option<Duration>>,
}

impl Stopwatch {
    /// The edge works on it. One that runs goes on.
    pub fn run(&self, now: Duration) {
        if self.since.get().is_none() {
            self.since.set(Some(now));
        }
    }

    /// The edge waits for others.
    pub fn stand(&self, now: Duration) {
        if let Some(since) = self.since.take() {
            let ran = now.saturating_sub(since);
            self.added.set(self.added.get() + ran);
        }
    }

    /// The answer has begun to reach the client; what follows is not counted.
    pub fn deliver(&self, now: Duration) {
        self.stand(now);
        self.delivered.set(Some(now));
    }

    /// What the edge added, and when the answer began to reach the client; `None` where none did.
    pub fn read(&self) -> Option<(Duration, Duration)> {
        Some((self.added.get(), self.delivered.get()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn only_what_is_between_run_and_stand_is_added() {
        let watch = Stopwatch::default();
        watch.run(at(100));
        watch.stand(at(105));
        assert_eq!(watch.read(), None, "no answer yet");
        // An answer that came before its request was written whole: it ran all along.
        watch.run(at(900));
        watch.run(at(905));
        watch.deliver(at(907));
        watch.stand(at(5000));
        assert_eq!(watch.read(), Some((at(12), at(907))));
    }
}
