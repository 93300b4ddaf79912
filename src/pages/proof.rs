//! The proof of work of challenge mode, as the edge checks it: one hash (S5.11).
//!
//! The proof of a nonce is a counter such that SHA-256 of the ASCII text `<nonce>.<counter>` begins with enough zero bits.
//! The counter is decimal, without sign and without leading zeros: each number has one spelling.

use ring::digest::{SHA256, digest};

/// The text has to fit into one block of SHA-256 (`assets/proof.js`): 44 + 1 + 10 bytes do.
pub const NONCE_BYTES_MAX: usize = 44;
/// At 24 bits a search this long fails to end once in e^596 times.
pub const COUNTER_DIGITS_MAX: usize = 10;
/// More zero bits than any browser finds.
pub const BITS_MAX: u8 = 32;

/// Whether a counter proves the work. False for what is no counter, no nonce or no difficulty.
pub fn verify(nonce: &str, counter: &str, bits: u8) -> bool {
    if !is_nonce(nonce) || !is_counter(counter) || bits == 0 || bits > BITS_MAX {
        return false;
    }
    let text = [nonce.as_bytes(), b".", counter.as_bytes()].concat();
    let hash = digest(&SHA256, &text);
    match hash.as_ref().first_chunk() {
        Some(first) => u32::from_be_bytes(*first).leading_zeros() >= u32::from(bits),
        None => false,
    }
}

/// Letters, digits, `-` and `_`, as base64url and hexadecimal have them; never the dot between nonce and counter.
fn is_nonce(nonce: &str) -> bool {
    (1..=NONCE_BYTES_MAX).contains(&nonce.len())
        && nonce
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_counter(counter: &str) -> bool {
    (1..=COUNTER_DIGITS_MAX).contains(&counter.len())
        && counter.bytes().all(|byte| byte.is_ascii_digit())
        && (counter == "0" || !counter.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `sha256sum`: the hashes of these two texts begin with `0000007c7d0b` and `00000d4dc164`.
    const FIRST: (&str, &str) = ("AAAAAAAAAAAAAAAAAAAAAA", "514333");
    const SECOND: (&str, &str) = ("q83vEjRWeJCrze8SNFZ4kA", "159111");

    #[test]
    fn a_hash_has_as_many_zero_bits_as_it_has_and_no_more() {
        assert!(verify(FIRST.0, FIRST.1, 25) && !verify(FIRST.0, FIRST.1, 26));
        assert!(verify(SECOND.0, SECOND.1, 20) && !verify(SECOND.0, SECOND.1, 21));
        assert!(verify(SECOND.0, SECOND.1, 12));
    }

    #[test]
    fn a_proof_is_of_its_own_nonce_and_its_own_counter() {
        assert!(!verify(SECOND.0, FIRST.1, 12) && !verify(FIRST.0, SECOND.1, 12));
        assert!(!verify(SECOND.0, "159112", 12) && !verify(SECOND.0, "15911", 12));
        // The border between the two is fixed.
        assert!(!verify("q83vEjRWeJCrze8SNFZ4kA.1", "59111", 1));
    }

    #[test]
    fn a_counter_has_one_spelling() {
        let counters = [
            "",
            "+159111",
            "-159111",
            "0159111",
            "00",
            " 159111",
            "159111 ",
            "159111\n",
            "1_59111",
            "0x26d87",
            "1e5",
            "159111.0",
            "١٥٩١١١",
            "99999999999",
        ];
        // Any other spelling has another hash, so the difficulty alone would refuse most: one bit would let half through.
        for counter in counters {
            assert!(!is_counter(counter), "{counter:?}");
            assert!(!verify(SECOND.0, counter, 1), "{counter:?}");
        }
        for counter in ["0", "7", "10", "9999999999"] {
            assert!(is_counter(counter), "{counter}");
        }
    }

    #[test]
    fn what_is_no_nonce_or_no_difficulty_proves_nothing() {
        assert!(!verify(SECOND.0, SECOND.1, 0));
        assert!(!verify(SECOND.0, SECOND.1, BITS_MAX + 1));
        for nonce in [
            "",
            "a.b",
            "a b",
            "a\0",
            "ä",
            &"a".repeat(NONCE_BYTES_MAX + 1),
        ] {
            assert!(!is_nonce(nonce), "{nonce:?}");
        }
        assert!(is_nonce(&"a".repeat(NONCE_BYTES_MAX)));
    }
}
