//! The last refusals of a core, kept on the core itself until somebody asks: as much as a page shows, and no queue that
//! could fill up.

use std::time::Duration;

use arrayvec::ArrayString;

use super::record::Record;
use crate::limits::RECENT_REFUSALS;
use crate::policy::client_address::REQUEST_ID_BYTES_MAX;

/// What is told of one refusal. Like the access log it has no query, no token and no cookie.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Wall clock at the start of the exchange.
    pub at: Duration,
    pub request_id: ArrayString<REQUEST_ID_BYTES_MAX>,
    pub client: ArrayString<45>,
    pub method: ArrayString<32>,
    /// What was asked for, cut off where it is long; printable ASCII.
    pub host: ArrayString<96>,
    pub path: ArrayString<128>,
    pub status: u16,
    pub reason: &'static str,
    pub detail: &'static str,
    pub mechanism: &'static str,
    pub credential: ArrayString<64>,
}

impl Refused {
    fn of(record: &Record<'_>) -> Self {
        Refused {
            at: record.started,
            request_id: beginning(record.request_id.as_bytes()),
            client: beginning(record.client.as_bytes()),
            method: beginning(record.method),
            host: beginning(record.host.as_bytes()),
            path: beginning(record.path),
            status: record.status,
            reason: record.reason,
            detail: record.detail,
            mechanism: record.mechanism,
            credential: beginning(record.credential.as_bytes()),
        }
    }
}

/// As much as there is room for; what is not printable ASCII is a `?`.
fn beginning<const ROOM: usize>(value: &[u8]) -> ArrayString<ROOM> {
    let value = value.get(..ROOM).unwrap_or(value);
    let is_shown = |byte: &u8| matches!(byte, b' '..=b'~');
    let mut text = ArrayString::new();
    match std::str::from_utf8(value) {
        // In one piece: there is hardly ever anything else.
        Ok(plain) if value.iter().all(is_shown) => text.push_str(plain),
        Ok(_) | Err(_) => {
            for byte in value {
                text.push(if is_shown(byte) {
                    char::from(*byte)
                } else {
                    '?'
                });
            }
        }
    }
    text
}

/// The last [`RECENT_REFUSALS`] of a core; a new one takes the place of the oldest.
#[derive(Debug)]
pub struct Recent {
    kept: Vec<Refused>,
    /// Where the next one goes: behind the others, or in the place of the oldest.
    next: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Recent {
            kept: Vec::with_capacity(RECENT_REFUSALS),
            next: 0,
        }
    }
}

impl Recent {
    /// Remembers the refusal that `record` tells of. Does not allocate.
    pub fn note(&mut self, record: &Record<'_>) {
        let refused = Refused::of(record);
        match self.kept.get_mut(self.next) {
            Some(oldest) => *oldest = refused,
            None => self.kept.push(refused),
        }
        self.next = (self.next + 1) % RECENT_REFUSALS;
    }

    /// A copy of them, in no order.
    pub fn copy(&self) -> Vec<Refused> {
        self.kept.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_in_the_room_there_was_at_the_start() {
        let mut recent = Recent::default();
        let room = recent.kept.capacity();
        for second in 0..RECENT_REFUSALS as u64 * 2 + 3 {
            recent.note(&Record {
                started: Duration::from_secs(second),
                ..Record::default()
            });
        }
        let mut seconds: Vec<_> = recent.copy().iter().map(|it| it.at.as_secs()).collect();
        seconds.sort_unstable();
        let expected: Vec<_> =
            (RECENT_REFUSALS as u64 + 3..RECENT_REFUSALS as u64 * 2 + 3).collect();
        assert_eq!(seconds, expected);
        assert_eq!(recent.kept.capacity(), room);
    }

    #[test]
    fn what_is_long_is_cut_and_what_a_terminal_would_obey_is_not_there() {
        let path = [b"/\x1b\xff".as_slice(), &[b'a'; 200]].concat();
        let refused = Refused::of(&Record {
            path: &path,
            ..Record::default()
        });
        assert_eq!(refused.path.len(), 128);
        assert!(refused.path.starts_with("/??aaa"));
    }
}
