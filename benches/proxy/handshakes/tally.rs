//! What became of the connections, and the line that says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// A connection that came to its proper end.
pub struct Done {
    pub resumed: bool,
    pub status: u16,
    pub agreed: String,
}

#[derive(Default)]
pub struct Tally {
    /// How long each whole connection took.
    pub micros: Vec<u128>,
    /// By the words of the line: `status.200` and the like.
    counts: BTreeMap<String, u64>,
    agreed: BTreeSet<String>,
    pub errors: u64,
    /// One for each kind of failure.
    pub messages: BTreeMap<&'static str, String>,
}

impl Tally {
    pub fn succeed(&mut self, done: Done, took: Duration, expected: u16) {
        self.micros.push(took.as_micros());
        let handshake = if done.resumed { "resumed" } else { "full" };
        self.count(handshake.to_owned(), 1);
        self.count(format!("status.{}", done.status), 1);
        self.agreed.insert(done.agreed);
        if done.status != expected {
            self.errors += 1;
            let message = format!("{} instead of {expected}", done.status);
            self.messages.insert("status", message);
        }
    }

    pub fn fail(&mut self, kind: &'static str, message: &str) {
        self.errors += 1;
        self.count(format!("failed.{kind}"), 1);
        self.messages.insert(kind, message.to_owned());
    }

    fn count(&mut self, what: String, more: u64) {
        *self.counts.entry(what).or_default() += more;
    }

    pub fn add(&mut self, other: Tally) {
        self.micros.extend(other.micros);
        for (what, count) in other.counts {
            self.count(what, count);
        }
        self.agreed.extend(other.agreed);
        self.errors += other.errors;
        self.messages.extend(other.messages);
    }

    pub fn line(&mut self, took: Duration) -> String {
        self.micros.sort_unstable();
        let done = self.micros.len();
        let percentile = |percent| {
            let at = done.saturating_sub(1) * percent / 100;
            self.micros.get(at).copied().unwrap_or_default()
        };
        let took = took.as_micros();
        let (p50, p99) = (percentile(50), percentile(99));
        let mut line = format!("BENCH {done} {took} {p50} {p99} {}", self.errors);
        for (what, count) in &self.counts {
            let _ = write!(line, " {what}={count}");
        }
        for agreed in &self.agreed {
            let _ = write!(line, " agreed={agreed}");
        }
        line
    }
}
