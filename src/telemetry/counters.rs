//! The numbers of one core: plain, since nobody else touches them; other threads get a copy when they ask.

use std::collections::BTreeMap;

use super::latency::Histogram;
use crate::authn::Mechanism;

/// Statuses that are counted apart: 100 to 599.
const STATUSES: usize = 500;

/// What one core has counted since the start of the process.
#[derive(Clone, Debug)]
pub struct Counters {
    /// By mechanism, verdict and status.
    requests: [[Vec<u64>; 4]; 3],
    /// Refusals by reason; the reasons are a closed list.
    refusals: BTreeMap<&'static str, u64>,
    /// Connections ended for their PROXY preamble, by reason; the reasons are a closed list.
    bad_preambles: BTreeMap<&'static str, u64>,
    /// What the edge itself added to forwarded exchanges.
    pub added: Histogram,
    /// From the first byte of a forwarded request to the first piece of its answer.
    pub first_byte: Histogram,
    pub connections_total: u64,
    pub connections_open: u64,
    /// Connections closed at once because the core was full.
    pub connections_shed: u64,
    /// Connections that waited and were ended for another one.
    pub connections_evicted: u64,
    /// Connections closed at once because their address had too many.
    pub connections_over_address: u64,
    pub accepts_exhausted: u64,
    pub handshakes_ok: u64,
    /// Those of them that went on with an earlier session.
    pub handshakes_resumed: u64,
    pub handshakes_unknown_name: u64,
    pub handshakes_failed: u64,
    /// The client did not prove to have its certificate's key.
    pub handshakes_bad_proof: u64,
    pub upstream_connects: u64,
    pub upstream_connect_failures: u64,
    pub upstream_reused: u64,
    pub upstream_retries: u64,
    pub upstream_idle: u64,
    /// Servers that could not be connected to and get no requests, as each core sees them.
    pub upstream_resting: u64,
    pub token_cache_hits: u64,
    pub token_cache_misses: u64,
    pub token_cache_entries: u64,
    pub log_lines_dropped: u64,
    pub panics: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// CPU time of the core's thread.
    pub cpu_nanoseconds: u64,
}

impl Default for Counters {
    fn default() -> Self {
        let row = || [(); 4].map(|()| vec![0; STATUSES]);
        Counters {
            requests: [row(), row(), row()],
            refusals: BTreeMap::new(),
            bad_preambles: BTreeMap::new(),
            added: Histogram::default(),
            first_byte: Histogram::default(),
            connections_total: 0,
            connections_open: 0,
            connections_shed: 0,
            connections_evicted: 0,
            connections_over_address: 0,
            accepts_exhausted: 0,
            handshakes_ok: 0,
            handshakes_resumed: 0,
            handshakes_unknown_name: 0,
            handshakes_failed: 0,
            handshakes_bad_proof: 0,
            upstream_connects: 0,
            upstream_connect_failures: 0,
            upstream_reused: 0,
            upstream_retries: 0,
            upstream_idle: 0,
            upstream_resting: 0,
            token_cache_hits: 0,
            token_cache_misses: 0,
            token_cache_entries: 0,
            log_lines_dropped: 0,
            panics: 0,
            bytes_in: 0,
            bytes_out: 0,
            cpu_nanoseconds: 0,
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It got its upstream's answer.
    Forwarded,
    Refused,
    /// The redirect listener sent it on.
    Redirected,
    /// The edge itself had the answer.
    Answered,
}

impl Verdict {
    pub const ALL: [Verdict; 4] = [
        Verdict::Forwarded,
        Verdict::Refused,
        Verdict::Redirected,
        Verdict::Answered,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Forwarded => "forwarded",
            Verdict::Refused => "refused",
            Verdict::Redirected => "redirected",
            Verdict::Answered => "answered",
        }
    }
}

impl Counters {
    /// Counts one finished exchange. A status outside 100 to 599 is not one and is left out.
    pub fn request(&mut self, mechanism: Mechanism, verdict: Verdict, status: u16) {
        let rows = self
            .requests
            .get_mut(mechanism as usize)
            .and_then(|rows| rows.get_mut(verdict as usize));
        let index = usize::from(status).checked_sub(100);
        if let Some(count) = rows.zip(index).and_then(|(row, index)| row.get_mut(index)) {
            *count += 1;
        }
    }

    pub fn refusal(&mut self, reason: &'static str) {
        *self.refusals.entry(reason).or_default() += 1;
    }

    /// All request counts that are not zero.
    pub fn requests(&self) -> impl Iterator<Item = (Mechanism, Verdict, u16, u64)> {
        Mechanism::ALL
            .into_iter()
            .zip(&self.requests)
            .flat_map(|(mechanism, rows)| {
                Verdict::ALL
                    .into_iter()
                    .zip(rows)
                    .flat_map(move |(verdict, row)| {
                        row.iter()
                            .zip(100u16..)
                            .filter(|&(&count, _)| count > 0)
                            .map(move |(&count, status)| (mechanism, verdict, status, count))
                    })
            })
    }

    /// Counts a connection that its PROXY preamble, or the lack of one, ended.
    pub fn bad_preamble(&mut self, reason: &'static str) {
        *self.bad_preambles.entry(reason).or_default() += 1;
    }

    pub fn bad_preambles(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.bad_preambles
            .iter()
            .map(|(&reason, &count)| (reason, count))
    }

    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.refusals
            .iter()
            .map(|(&reason, &count)| (reason, count))
    }

    /// Adds another core's numbers.
    pub fn merge(&mut self, other: &Counters) {
        for (mine, theirs) in self
            .requests
            .iter_mut()
            .flatten()
            .zip(other.requests.iter().flatten())
        {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
        for (reason, count) in other.refusals() {
            *self.refusals.entry(reason).or_default() += count;
        }
        for (reason, count) in other.bad_preambles() {
            *self.bad_preambles.entry(reason).or_default() += count;
        }
        self.added.merge(&other.added);
        self.first_byte.merge(&other.first_byte);
        for (mine, theirs) in self.plain_mut().into_iter().zip(other.clone().plain_mut()) {
            *mine += *theirs;
        }
    }

    fn plain_mut(&mut self) -> [&mut u64; 25] {
        [
            &mut self.connections_total,
            &mut self.connections_open,
            &mut self.connections_shed,
            &mut self.connections_evicted,
            &mut self.connections_over_address,
            &mut self.accepts_exhausted,
            &mut self.handshakes_ok,
            &mut self.handshakes_resumed,
            &mut self.handshakes_unknown_name,
            &mut self.handshakes_failed,
            &mut self.handshakes_bad_proof,
            &mut self.upstream_connects,
            &mut self.upstream_connect_failures,
            &mut self.upstream_reused,
            &mut self.upstream_retries,
            &mut self.upstream_idle,
            &mut self.upstream_resting,
            &mut self.token_cache_hits,
            &mut self.token_cache_misses,
            &mut self.token_cache_entries,
            &mut self.log_lines_dropped,
            &mut self.panics,
            &mut self.bytes_in,
            &mut self.bytes_out,
            &mut self.cpu_nanoseconds,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_add_up() {
        let mut first = Counters::default();
        first.request(Mechanism::Token, Verdict::Forwarded, 200);
        first.refusal("token_expired");
        let mut second = Counters {
            panics: 2,
            ..first.clone()
        };
        second.request(Mechanism::None, Verdict::Refused, 999);
        first.merge(&second);
        assert_eq!(
            first.requests().collect::<Vec<_>>(),
            [(Mechanism::Token, Verdict::Forwarded, 200, 2)]
        );
        assert_eq!(first.refusals().collect::<Vec<_>>(), [("token_expired", 2)]);
        assert_eq!(first.panics, 2);
    }
}
