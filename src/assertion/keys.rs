//! The keys that assertions are signed with: when they change, how they are stored, what the world sees of them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Deserialize;

use crate::limits::ASSERTION_KEYS_MAX;
use crate::secret::Secret;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// A key is followed by another one at this age.
const NEXT_KEY_AT: u64 = 30 * DAY;
/// So long a key is shown before it signs: upstreams keep the set for hours.
const SHOWN_BEFORE: u64 = DAY;
/// And so long after it has signed for the last time.
const SHOWN_AFTER: u64 = DAY;

/// How often somebody has to look whether keys change; a key may sign for so much longer than its turn lasts.
pub const LOOK_SECONDS: u64 = HOUR;

/// All keys, oldest first.
#[derive(Debug, Default)]
pub struct Keys(Vec<Key>);

/// One Ed25519 key.
pub(super) struct Key {
    /// Seconds since the Unix epoch.
    created_at: u64,
    pkcs8: Secret,
    public: Box<[u8]>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} of {})", self.thumbprint(), self.created_at)
    }
}

/// A key as it is stored. Borrowed from the text: a copy would have to be wiped.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<'t> {
    created_at: u64,
    /// PKCS #8 with the public key (RFC 5958), in base64url.
    pkcs8: &'t str,
}

impl Key {
    fn new(created_at: u64, pkcs8: Secret) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose()).ok()?;
        Some(Key {
            created_at,
            public: pair.public_key().as_ref().into(),
            pkcs8,
        })
    }

    pub(super) fn pair(&self) -> Option<Ed25519KeyPair> {
        Ed25519KeyPair::from_pkcs8(self.pkcs8.expose()).ok()
    }

    /// The key's name: the SHA-256 of its required members in their order (RFC 7638, RFC 8037 2).
    pub(super) fn thumbprint(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(&self.public);
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
    }
}

impl Keys {
    /// From what [`Keys::text`] gave; `None`: it is something else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let stored: Vec<Stored<'_>> = serde_json::from_slice(text).ok()?;
        if stored.len() > ASSERTION_KEYS_MAX {
            return None;
        }
        let keys = stored.iter().map(|stored| {
            let pkcs8 = Secret::new(URL_SAFE_NO_PAD.decode(stored.pkcs8).ok()?);
            Key::new(stored.created_at, pkcs8)
        });
        let mut keys: Vec<Key> = keys.collect::<Option<_>>()?;
        keys.sort_by_key(|key| key.created_at);
        Some(Keys(keys))
    }

    /// What is stored.
    pub fn text(&self) -> Secret {
        /// More than any entry takes: a text that grew would leave copies behind.
        const ENTRY_BYTES_MAX: usize = 256;

        let mut text = String::with_capacity(ENTRY_BYTES_MAX * (1 + self.0.len()));
        for (index, key) in self.0.iter().enumerate() {
            text.push_str(if index == 0 { "[\n" } else { ",\n" });
            text.push_str(r#"{"created_at":"#);
            text.push_str(&key.created_at.to_string());
            text.push_str(r#","pkcs8":""#);
            URL_SAFE_NO_PAD.encode_string(key.pkcs8.expose(), &mut text);
            text.push_str("\"}");
        }
        text.push_str("\n]\n");
        Secret::new(text.into_bytes())
    }

    /// Drops the keys that nobody needs any more and adds one that `make` gives, as PKCS #8, where one is due. Answers
    /// whether there is something new to store.
    pub fn rotate<E>(
        &mut self,
        now_unix: u64,
        make: impl FnOnce() -> Result<Secret, E>,
    ) -> Result<bool, E> {
        let mut changed = false;
        for key in &mut self.0 {
            // Made by a clock that was wrong: it would never be old enough.
            changed |= key.created_at > now_unix;
            key.created_at = key.created_at.min(now_unix);
        }
        let Rotation {
            retired, is_due, ..
        } = rotation(&self.created_at(), now_unix);
        changed |= retired > 0;
        self.0.drain(..retired);
        if is_due && let Some(key) = Key::new(now_unix, make()?) {
            self.0.push(key);
            changed = true;
        }
        Ok(changed)
    }

    /// The key whose turn it is.
    pub(super) fn signing(&self, now_unix: u64) -> Option<&Key> {
        self.0.get(rotation(&self.created_at(), now_unix).signs)
    }

    /// The public halves, as a JWK set.
    pub(super) fn public_set(&self) -> String {
        let keys: Vec<String> = self
            .0
            .iter()
            .map(|key| {
                let (x, kid) = (URL_SAFE_NO_PAD.encode(&key.public), key.thumbprint());
                format!(
                    r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{kid}","use":"sig","alg":"EdDSA"}}"#
                )
            })
            .collect();
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }

    fn created_at(&self) -> Vec<u64> {
        self.0.iter().map(|key| key.created_at).collect()
    }
}

/// What is to become of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rotation {
    /// So many of the oldest are needed no more.
    retired: usize,
    /// The one that signs, counted with those.
    signs: usize,
    is_due: bool,
}

/// Of keys that were made at these moments, oldest first. The newest that has been shown long enough signs; where none
/// has, nothing was signed before, and the oldest signs at once.
fn rotation(created_at: &[u64], now: u64) -> Rotation {
    let age = |created_at: &u64| now.saturating_sub(*created_at);
    let signs = created_at.iter().rposition(|one| age(one) >= SHOWN_BEFORE);
    // A key signs until its successor does, and until somebody has looked.
    let after = SHOWN_BEFORE + LOOK_SECONDS + SHOWN_AFTER;
    let successors = created_at.iter().skip(1);
    Rotation {
        retired: successors.filter(|next| age(next) >= after).count(),
        signs: signs.unwrap_or(0),
        is_due: created_at
            .last()
            .is_none_or(|newest| age(newest) >= NEXT_KEY_AT),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Hour, how many keys are dropped, the one that signs, whether one is due: of keys made at these hours.
    #[test]
    fn keys_are_shown_before_they_sign_and_after_they_have_signed() {
        const NEXT: u64 = 30 * 24;
        let first: &[u64] = &[0];
        let second: &[u64] = &[0, NEXT];
        for (made, hour, expected) in [
            (&[][..], 0, (0, 0, true)),
            (first, 0, (0, 0, false)),
            (first, NEXT - 1, (0, 0, false)),
            (first, NEXT, (0, 0, true)),
            (first, 10 * NEXT, (0, 0, true)),
            (second, NEXT, (0, 0, false)),
            (second, NEXT + 23, (0, 0, false)),
            (second, NEXT + 24, (0, 1, false)),
            (second, NEXT + 48, (0, 1, false)),
            (second, NEXT + 49, (1, 1, false)),
            (second, 2 * NEXT, (1, 1, true)),
            (&[0, NEXT, 2 * NEXT], 2 * NEXT + 23, (1, 1, false)),
            (&[0, NEXT, 2 * NEXT], 2 * NEXT + 24, (1, 2, false)),
            (&[0, NEXT, 2 * NEXT], 2 * NEXT + 49, (2, 2, false)),
            // Two processes made their first key in the same hour.
            (&[5, 5], 5, (0, 0, false)),
            (&[5, 5], 29, (0, 1, false)),
        ] {
            let made: Vec<u64> = made.iter().map(|hour| hour * HOUR).collect();
            let found = rotation(&made, hour * HOUR);
            let found = (found.retired, found.signs, found.is_due);
            assert_eq!(found, expected, "{made:?} at {hour}");
        }
        // A second before is not yet.
        let age = |seconds| rotation(&[0], seconds).is_due;
        assert!(!age(NEXT_KEY_AT - 1) && age(NEXT_KEY_AT));
    }

    pub(in crate::assertion) fn make() -> Result<Secret, ()> {
        let random = ring::rand::SystemRandom::new();
        let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Ok(Secret::new(document.as_ref().to_vec()))
    }

    fn nothing_is_made() -> Result<Secret, ()> {
        panic!("no key is due")
    }

    /// Every hour of four months: there is always one that signs, it was shown for a day (but the first), and whatever
    /// signed within the last day is shown.
    #[test]
    fn a_set_that_was_fetched_within_a_day_has_the_key_that_signs() {
        let mut keys = Keys::default();
        let mut shown: Vec<String> = Vec::new();
        let mut signed: Vec<String> = Vec::new();
        let start = 1_700_000_000;
        let mut names = std::collections::BTreeSet::new();
        for hour in 0..120 * 24_usize {
            let now = start + hour as u64 * HOUR;
            let before = keys.0.len();
            let changed = keys.rotate(now, make).unwrap();
            assert!(changed || keys.0.len() == before);
            assert!((1..=3).contains(&keys.0.len()));
            let kid = keys.signing(now).unwrap().thumbprint();
            let set = keys.public_set();
            names.insert(kid.clone());
            if let Some(yesterday) = hour.checked_sub(24) {
                assert!(shown[yesterday].contains(&kid), "at hour {hour}");
                assert!(set.contains(&signed[yesterday]), "at hour {hour}");
            }
            shown.push(set);
            signed.push(kid);
        }
        assert_eq!(names.len(), 4, "one a month");
    }

    #[test]
    fn what_is_stored_is_read_again_and_nothing_else_is() {
        let mut keys = Keys::default();
        assert_eq!(keys.rotate(100, make), Ok(true));
        assert_eq!(keys.rotate(100 + NEXT_KEY_AT, make), Ok(true));
        assert_eq!(keys.rotate(100 + NEXT_KEY_AT, nothing_is_made), Ok(false));
        let text = keys.text();
        let again = Keys::parse(text.expose()).unwrap();
        assert_eq!(format!("{again:?}"), format!("{keys:?}"));
        assert_eq!(again.text().expose(), text.expose());
        let text = String::from_utf8(text.expose().to_vec()).unwrap();
        let entry = text.lines().nth(1).unwrap().trim_end_matches(',');
        let private = entry.split('"').nth(5).unwrap();
        let mut other = URL_SAFE_NO_PAD.decode(private).unwrap();
        other[20] ^= 1;
        for bad in [
            String::new(),
            "{}".to_owned(),
            "[{}]".to_owned(),
            format!("{text}x"),
            text.replace("pkcs8", "key"),
            text.replace("\"pkcs8\"", "\"more\":1,\"pkcs8\""),
            // One bit of the private half is another: it does not belong to the public one.
            text.replace(private, &URL_SAFE_NO_PAD.encode(other)),
            format!("[{}]", vec![entry; ASSERTION_KEYS_MAX + 1].join(",")),
        ] {
            assert!(
                bad != text && Keys::parse(bad.as_bytes()).is_none(),
                "{bad}"
            );
        }
        assert!(Keys::parse(b"[]").is_some());
        let debug = format!("{keys:?}");
        assert!(!debug.contains(private), "{debug}");
    }

    /// Else a clock that was once wrong would end rotation for years.
    #[test]
    fn a_key_from_the_future_is_as_old_as_now() {
        let mut keys = Keys::default();
        keys.rotate(10 * NEXT_KEY_AT, make).unwrap();
        assert_eq!(keys.rotate(100, nothing_is_made), Ok(true));
        assert_eq!(keys.rotate(100, nothing_is_made), Ok(false));
        assert_eq!(keys.rotate(100 + NEXT_KEY_AT, make), Ok(true));
        assert_eq!(keys.0.len(), 2);
    }
}
