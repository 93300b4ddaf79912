//! A moment, read at the edge and passed down.
//!
//! Owns: [`Now`]. Pure rooms take it as an argument and never read a clock, so tests move time instead of waiting.

use std::time::Duration;

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since an arbitrary moment before the start of the process; never goes back.
    pub monotonic: Duration,
    /// Time since the Unix epoch, as the machine believes it.
    pub unix: Duration,
}

impl Now {
    /// Whole seconds since the Unix epoch: the unit of a token's dates (RFC 7519 2).
    pub fn unix_seconds(&self) -> u64 {
        self.unix.as_secs()
    }
}
