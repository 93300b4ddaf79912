//! Sealed values: what the edge gives to a browser to keep, and to nobody to read or change (S5.10).
//!
//! Comes in: a kind, a host and a few bytes. Goes out: base64url, and the bytes again from it. Pure but for the randomness
//! that the caller brings. Refuses: what was sealed as another kind, for another host, under a key that is gone, or changed.
//!
//! Each value is sealed under a key of its own: HKDF-SHA256 (RFC 5869) of the master, 32 random bytes, the kind, the version
//! and the host. So a nonce is never used twice under one key, however many values there are. Kind and host are
//! authenticated once more as additional data.
//!
//! ```text
//! base64url( version (1 byte) | random (32 bytes) | AES-256-GCM( plain ) | tag (16 bytes) )
//! ```

use arrayvec::ArrayVec;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::limits::{SEAL_KEY_BYTES_MIN, SEALED_BYTES_MAX};
use crate::secret::Secret;

const VERSION: u8 = 1;
const RANDOM_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + RANDOM_BYTES;

/// Randomness for one value.
pub type Random = [u8; RANDOM_BYTES];

/// What a value is for. None is taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who is signed in at a tunnel.
    Session,
    /// Who is signed in at the base host.
    BaseSession,
    /// What a sign-in elsewhere is wanted for.
    Provider,
    /// What a sign-in is wanted for.
    Request,
    /// What a challenge is wanted for.
    ChallengeRequest,
    /// Hands a sign-in over to a tunnel.
    Code,
    /// Hands a challenge that was met over to a tunnel.
    ChallengeCode,
    /// A challenge was met.
    Challenge,
    /// A form of ours, in this browser.
    Form,
}

impl Kind {
    fn name(self) -> &'static [u8] {
        match self {
            Kind::Session => b"session",
            Kind::BaseSession => b"base-session",
            Kind::Provider => b"provider",
            Kind::Request => b"request",
            Kind::ChallengeRequest => b"challenge-request",
            Kind::Code => b"code",
            Kind::ChallengeCode => b"challenge-code",
            Kind::Challenge => b"challenge",
            Kind::Form => b"form",
        }
    }
}

/// Seals with one key, and opens what that key or the one before has sealed.
#[derive(Debug)]
pub struct Sealer {
    current: Secret,
    previous: Option<Secret>,
}

/// Why there is no plain text: it is not ours, or not for this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl Sealer {
    /// `None`: a key is shorter than 32 bytes.
    pub fn new(current: Secret, previous: Option<Secret>) -> Option<Self> {
        let is_long = |key: &Secret| key.expose().len() >= SEAL_KEY_BYTES_MIN;
        let all_long = is_long(&current) && previous.as_ref().is_none_or(is_long);
        all_long.then_some(Sealer { current, previous })
    }

    /// Whether both seal and open with the same keys.
    pub fn has_keys_of(&self, other: &Sealer) -> bool {
        let is_same_previous = match (&self.previous, &other.previous) {
            (Some(one), Some(other)) => one.equals(other.expose()),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        is_same_previous && self.current.equals(other.current.expose())
    }

    /// Seals `plain` for this kind and host. `random` must be new for every value.
    pub fn seal(&self, kind: Kind, host: &str, random: &Random, plain: &[u8]) -> String {
        let mut sealed = Zeroizing::new(Vec::with_capacity(HEAD_BYTES + plain.len() + TAG_BYTES));
        sealed.push(VERSION);
        sealed.extend_from_slice(random);
        let mut text = Zeroizing::new(plain.to_vec());
        let key = one_key(&self.current, kind, host, random);
        let tag = key.and_then(|key| {
            key.seal_in_place_separate_tag(nonce(), Aad::from(additional(kind, host)), &mut text)
                .ok()
        });
        // ring fails only for texts of gigabytes; what comes of nothing opens as nothing.
        let Some(tag) = tag else {
            return String::new();
        };
        sealed.extend_from_slice(&text);
        sealed.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(&*sealed)
    }

    /// Opens a value of this kind for this host, into `scratch`, whose beginning the plain text is.
    pub fn open<'s>(
        &self,
        kind: Kind,
        host: &str,
        sealed: &[u8],
        scratch: &'s mut Vec<u8>,
    ) -> Result<&'s [u8], Broken> {
        if sealed.len() > SEALED_BYTES_MAX {
            return Err(Broken);
        }
        let keys = std::iter::once(&self.current).chain(&self.previous);
        let mut length = None;
        for master in keys {
            length = open_with(master, kind, host, sealed, scratch);
            if length.is_some() {
                break;
            }
        }
        scratch
            .get(HEAD_BYTES..HEAD_BYTES + length.ok_or(Broken)?)
            .ok_or(Broken)
    }
}

/// The length of the plain text, which then stands behind the head in `scratch`.
fn open_with(
    master: &Secret,
    kind: Kind,
    host: &str,
    sealed: &[u8],
    scratch: &mut Vec<u8>,
) -> Option<usize> {
    scratch.clear();
    // Never more than this is decoded; a vector that has been so long once does not grow again.
    scratch.resize(sealed.len(), 0);
    let length = URL_SAFE_NO_PAD.decode_slice(sealed, scratch).ok()?;
    scratch.truncate(length);
    let (head, text) = scratch.split_at_mut_checked(HEAD_BYTES)?;
    let (version, random) = head.split_first()?;
    let random: &Random = random.try_into().ok()?;
    if *version != VERSION {
        return None;
    }
    let key = one_key(master, kind, host, random)?;
    let plain = key
        .open_in_place(nonce(), Aad::from(additional(kind, host)), text)
        .ok()?;
    Some(plain.len())
}

/// A key serves for one value, so one nonce is enough.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        32
    }
}

fn one_key(master: &Secret, kind: Kind, host: &str, random: &Random) -> Option<LessSafeKey> {
    let info = [
        b"adit seal ".as_slice(),
        kind.name(),
        &[0, VERSION],
        host.as_bytes(),
    ];
    let secret = Salt::new(HKDF_SHA256, random).extract(master.expose());
    let mut key = Zeroizing::new([0; 32]);
    secret.expand(&info, KeyLength).ok()?.fill(&mut *key).ok()?;
    let key = UnboundKey::new(&AES_256_GCM, &*key).ok()?;
    Some(LessSafeKey::new(key))
}

/// The kind and the host, which no other pair spells alike.
fn additional(kind: Kind, host: &str) -> ArrayVec<u8, 320> {
    let mut bytes = ArrayVec::new();
    for part in [kind.name(), &[0], host.as_bytes()] {
        // A host has at most 253 bytes; of a longer one the key differs already.
        let _ = bytes.try_extend_from_slice(part);
    }
    bytes
}

/// Any bytes: nothing opens that was not sealed here.
pub fn fuzz_seal(bytes: &[u8]) {
    let sealer = Sealer::new(Secret::new(vec![7; 32]), None);
    let mut scratch = Vec::new();
    if let Some(sealer) = sealer {
        assert!(
            sealer
                .open(Kind::Session, "a", bytes, &mut scratch)
                .is_err()
        );
        let sealed = sealer.seal(Kind::Session, "a", &[3; 32], bytes);
        let opened = sealer.open(Kind::Session, "a", sealed.as_bytes(), &mut scratch);
        assert!(sealed.len() > SEALED_BYTES_MAX || opened == Ok(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(current: u8, previous: Option<u8>) -> Sealer {
        let key = |byte| Secret::new(vec![byte; 32]);
        Sealer::new(key(current), previous.map(key)).unwrap()
    }

    const HOST: &str = "app.t.example.com";

    fn opened(sealer: &Sealer, kind: Kind, host: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut scratch = Vec::new();
        let plain = sealer.open(kind, host, sealed, &mut scratch);
        plain.map(<[u8]>::to_vec).ok()
    }

    #[test]
    fn a_value_opens_as_what_it_was_sealed_for_and_as_nothing_else() {
        const KINDS: [Kind; 9] = [
            Kind::Session,
            Kind::BaseSession,
            Kind::Provider,
            Kind::Request,
            Kind::ChallengeRequest,
            Kind::Code,
            Kind::ChallengeCode,
            Kind::Challenge,
            Kind::Form,
        ];
        let one = sealer(1, None);
        for kind in KINDS {
            let sealed = one.seal(kind, HOST, &[9; 32], b"plain");
            for other in KINDS {
                let found = opened(&one, other, HOST, sealed.as_bytes());
                assert_eq!(found.is_some(), kind == other, "{kind:?} as {other:?}");
            }
            for host in [
                "",
                "app.t.example.co",
                "app.t.example.com.",
                "b.t.example.com",
            ] {
                assert_eq!(opened(&one, kind, host, sealed.as_bytes()), None, "{host}");
            }
            assert_eq!(
                opened(&sealer(2, None), kind, HOST, sealed.as_bytes()),
                None
            );
        }
    }

    #[test]
    fn every_changed_byte_breaks_it() {
        let one = sealer(1, None);
        let sealed = one.seal(Kind::Session, HOST, &[9; 32], b"plain");
        assert_eq!(
            opened(&one, Kind::Session, HOST, sealed.as_bytes()),
            Some(b"plain".to_vec())
        );
        for index in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(opened(&one, Kind::Session, HOST, &changed), None, "{index}");
        }
        for length in 0..sealed.len() {
            let cut = &sealed.as_bytes()[..length];
            assert_eq!(opened(&one, Kind::Session, HOST, cut), None, "{length}");
        }
        for more in ["=", "A", "."] {
            let longer = format!("{sealed}{more}");
            assert_eq!(opened(&one, Kind::Session, HOST, longer.as_bytes()), None);
        }
    }

    #[test]
    fn the_key_before_opens_and_does_not_seal() {
        let (old, both, new) = (sealer(1, None), sealer(2, Some(1)), sealer(2, None));
        let by_old = old.seal(Kind::Session, HOST, &[9; 32], b"");
        let by_both = both.seal(Kind::Session, HOST, &[9; 32], b"");
        let opens = |by: &Sealer, sealed: &str| {
            opened(by, Kind::Session, HOST, sealed.as_bytes()).is_some()
        };
        assert!(opens(&both, &by_old) && opens(&both, &by_both));
        assert!(opens(&new, &by_both) && !opens(&new, &by_old) && !opens(&old, &by_both));
        let short = Secret::new(vec![1; 31]);
        assert!(Sealer::new(short.clone(), None).is_none());
        assert!(Sealer::new(Secret::new(vec![1; 32]), Some(short)).is_none());
    }

    #[test]
    fn equal_texts_do_not_look_alike_and_long_ones_are_not_looked_at() {
        let one = sealer(1, None);
        let seal = |random: u8| one.seal(Kind::Session, HOST, &[random; 32], b"plain");
        assert_ne!(seal(1)[50..], seal(2)[50..]);
        let long = vec![b'A'; SEALED_BYTES_MAX + 1];
        assert_eq!(opened(&one, Kind::Session, HOST, &long), None);
    }
}
