//! What a core tells of itself: counters and one record for each exchange.
//!
//! Owns: the counters of a core ([`counters::Counters`]) and its times ([`latency`]), the access record and its two
//! spellings ([`record`]), the last refusals ([`recent`]), and the queue of finished lines towards the thread that writes
//! them ([`queue`]). Comes in: what an exchange came to. Goes out: numbers and log lines. Refuses to wait: a line that does
//! not fit into the queue is dropped and counted.
//!
//! Invariant: no query string, no token and no cookie is ever given to this room.

pub mod counters;
pub mod latency;
pub mod metrics;
pub mod queue;
pub mod recent;
pub mod record;
