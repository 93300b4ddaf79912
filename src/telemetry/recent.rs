//! The last refusals of a core, kept on the core itself until somebody asks: as much as a page shows, and no queue that
//! could fill up.

use std::time::Duration;

use super::record::Record;
use crate::limits::RECENT_REFUSALS;
use crate::policy::client_address::REQUEST_ID_BYTES_MAX;

/// What is told of one refusal. Like the access log it has no query, no token and no cookie.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Wall clock at the start of the exchange.
    pub at: Duration,
    pub request_id: Beginning<REQUEST_ID_BYTES_MAX>,
    pub client: Beginning<45>,
    pub method: Beginning<32>,
    /// What was asked for.
    pub host: Beginning<96>,
    pub path: Beginning<128>,
    pub status: u16,
    pub reason: &'static str,
    pub detail: &'static str,
    pub mechanism: &'static str,
    pub credential: Beginning<64>,
}

impl Refused {
    fn of(record: &Record<'_>) -> Self {
        Refused {
            at: record.started,
            request_id: Beginning::of(record.request_id),
            client: Beginning::of(record.client),
            method: Beginning::of(record.method),
            host: Beginning::of(record.host),
            path: Beginning::of(record.path),
            status: record.status,
            reason: record.reason,
            detail: record.detail,
            mechanism: record.mechanism,
            credential: Beginning::of(record.credential),
        }
    }
}

/// The beginning of a text: as much as there is room for, in printable ASCII; any other byte is a `?`.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<const ROOM: usize> {
    bytes: [u8; ROOM],
    length: usize,
}

impl<const ROOM: usize> Beginning<ROOM> {
    fn of(text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        let text = text.get(..ROOM).unwrap_or(text);
        let mut bytes = [0; ROOM];
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = if matches!(from, b' '..=b'~') {
                *from
            } else {
                b'?'
            };
        }
        Beginning {
            bytes,
            length: text.len(),
        }
    }

    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        // It is ASCII.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
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
        assert_eq!(refused.path.as_str().len(), 128);
        assert!(refused.path.as_str().starts_with("/??aaa"));
    }
}
