//! Key and credential bytes: hidden in `Debug`, wiped when dropped, compared in full.

use zeroize::Zeroizing;

/// Bytes that must not be printed and do not outlive their use.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the caller keeps no copy.
    pub fn new(bytes: Vec<u8>) -> Self {
        Secret(Zeroizing::new(bytes))
    }

    /// The bytes themselves, for the one call that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether `other` has the same bytes. Takes as long for a wrong first byte as for a wrong last one; only the
    /// length shows.
    pub fn equals(&self, other: &[u8]) -> bool {
        let mine = self.expose();
        mine.len() == other.len()
            && mine
                .iter()
                .zip(other)
                .fold(0u8, |difference, (a, b)| difference | (a ^ b))
                == 0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}
