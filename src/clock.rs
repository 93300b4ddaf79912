//! A moment, read at the edge and passed down.
//!
//! Owns: [`Now`] and its spelling in HTTP, [`HttpDate`]. Pure rooms take it as an argument and never read a clock, so tests move time instead of waiting.

use std::time::{Duration, UNIX_EPOCH};

use arrayvec::ArrayString;

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

/// The value of a `Date` field: an IMF-fixdate has 29 characters (RFC 9110 5.6.7).
pub type HttpDate = ArrayString<29>;

/// A time since the Unix epoch as HTTP writes it.
pub fn http_date(unix: Duration) -> HttpDate {
    use std::fmt::Write;
    let mut date = HttpDate::new();
    let written = write!(date, "{}", httpdate::HttpDate::from(UNIX_EPOCH + unix));
    debug_assert!(written.is_ok(), "a date of this form has 29 characters");
    date
}
