//! A moment, read at the edge and passed down.
//!
//! Owns: [`Now`], its spelling in HTTP ([`HttpDate`]) and that of dates in tokens and configurations ([`date_time`]). Pure
//! rooms take it as an argument and never read a clock, so tests move time instead of waiting.

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

/// A moment in the form of RFC 3339, in whole seconds since the Unix epoch; what is smaller is cut off. `None`: not one,
/// without an offset, or before the epoch.
pub fn date_time(text: &str) -> Option<u64> {
    let moment: toml::value::Datetime = text.parse().ok()?;
    let (date, time) = (moment.date?, moment.time?);
    let offset_minutes = match moment.offset? {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    // Days since the first of March of the year 0, when a leap day is the last of its year.
    let (year, month) = (i64::from(date.year), i64::from(date.month));
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let day_of_year = (153 * month + 2) / 5 + i64::from(date.day) - 1;
    let days =
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
            - 719_468;
    let minutes = days * 1440 + i64::from(time.hour) * 60 + i64::from(time.minute) - offset_minutes;
    u64::try_from(minutes * 60 + i64::from(time.second.unwrap_or(0))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_every_offset() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-11-26T01:30:00+02:30", 1_795_647_600),
            ("2026-11-25T22:59:59.999-00:01", 1_795_647_659),
            ("2100-03-01t00:00:00z", 4_107_542_400),
        ] {
            assert_eq!(date_time(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "2026-11-26",
            "2026-11-26T01:30:00",
            "2026-02-30T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-26T25:00:00Z",
            "yesterday",
        ] {
            assert_eq!(date_time(text), None, "{text}");
        }
    }
}
