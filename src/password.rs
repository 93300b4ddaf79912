//! Passwords of built-in users: argon2id (RFC 9106) in the PHC string format, with parameters that an edge can afford.
//!
//! Comes in: the text of a hash, a password, and a salt for a new one. Goes out: whether they fit, or the new text. Refuses:
//! other algorithms and versions, parameters that are too weak, and such as would let one sign-in take the machine's memory.

use std::fmt::{self, Display};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::limits::{
    PASSWORD_BYTES_MAX, PASSWORD_LANES_MAX, PASSWORD_MEMORY_KIB_MAX, PASSWORD_PASSES_MAX,
    PASSWORD_WORK_KIB_MIN,
};
use crate::secret::Secret;

const SALT_BYTES: std::ops::RangeInclusive<usize> = 8..=64;
const OUTPUT_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// What a new hash is made with: the first choice of OWASP's list for argon2id.
const MEMORY_KIB: u32 = 46 * 1024;
const PASSES: u32 = 1;
const LANES: u32 = 1;

/// A salt for a new hash.
pub type SaltBytes = [u8; 16];

/// A checked hash of a password.
#[derive(Clone)]
pub struct PasswordHash {
    params: Params,
    salt: Vec<u8>,
    output: Secret,
    /// As it was written.
    text: Secret,
}

/// What is wrong with the text of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashError {
    /// Not `$argon2id$v=19$m=..,t=..,p=..$salt$hash`.
    Form,
    TooWeak,
    TooExpensive,
}

impl Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HashError::Form => {
                f.write_str("not a hash of the form $argon2id$v=19$m=..,t=..,p=..$salt$hash; make one: adit user hash-password")
            }
            HashError::TooWeak => write!(
                f,
                "its parameters are too weak: m (KiB) times t must be at least {PASSWORD_WORK_KIB_MIN}; make a new one: adit user hash-password"
            ),
            HashError::TooExpensive => write!(
                f,
                "its parameters are too expensive: m at most {PASSWORD_MEMORY_KIB_MAX}, t at most {PASSWORD_PASSES_MAX}, p at most {PASSWORD_LANES_MAX}; make a new one: adit user hash-password"
            ),
        }
    }
}

impl PasswordHash {
    /// Reads the text of a hash.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let mut parts = text.split('$');
        let heads = [parts.next(), parts.next(), parts.next()];
        if heads != [Some(""), Some("argon2id"), Some("v=19")] {
            return Err(HashError::Form);
        }
        let (Some(params), Some(salt), Some(output), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HashError::Form);
        };
        let bytes = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| HashError::Form);
        let (salt, output) = (bytes(salt)?, bytes(output)?);
        if !SALT_BYTES.contains(&salt.len()) || !OUTPUT_BYTES.contains(&output.len()) {
            return Err(HashError::Form);
        }
        Ok(PasswordHash {
            params: affordable(params, output.len())?,
            salt,
            output: Secret::new(output),
            text: Secret::new(text.as_bytes().to_vec()),
        })
    }

    /// Makes one. `None`: the password is empty or too long.
    pub fn make(password: &[u8], salt: SaltBytes) -> Option<Self> {
        const BYTES: usize = 32;
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
            return None;
        }
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(BYTES)).ok()?;
        let output = computed(&params, password, &salt, BYTES)?;
        let text = format!(
            "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${}${}",
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(&*output)
        );
        PasswordHash::parse(&text).ok()
    }

    /// Whether it is that of `password`. Takes as long as the parameters say, whatever the answer: tens of milliseconds.
    pub fn verify(&self, password: &[u8]) -> bool {
        let length = self.output.expose().len();
        let output = computed(&self.params, password, &self.salt, length);
        output.is_some_and(|output| self.output.equals(&output))
    }

    /// As it was written.
    pub fn text(&self) -> &[u8] {
        self.text.expose()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(hidden)")
    }
}

impl PartialEq for PasswordHash {
    fn eq(&self, other: &Self) -> bool {
        self.text.equals(other.text.expose())
    }
}

impl Eq for PasswordHash {}

/// `m=..,t=..,p=..`, in this order.
fn affordable(text: &str, length: usize) -> Result<Params, HashError> {
    let mut parts = text.split(',');
    let mut number = |name: &str| {
        let digits = parts.next()?.strip_prefix(name)?.strip_prefix('=')?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u32>().ok()).flatten()
    };
    let numbers = (number("m"), number("t"), number("p"));
    let (Some(memory), Some(passes), Some(lanes)) = numbers else {
        return Err(HashError::Form);
    };
    if parts.next().is_some() {
        return Err(HashError::Form);
    }
    if memory > PASSWORD_MEMORY_KIB_MAX
        || passes > PASSWORD_PASSES_MAX
        || lanes > PASSWORD_LANES_MAX
    {
        return Err(HashError::TooExpensive);
    }
    if u64::from(memory) * u64::from(passes) < PASSWORD_WORK_KIB_MIN {
        return Err(HashError::TooWeak);
    }
    Params::new(memory, passes, lanes, Some(length)).map_err(|_| HashError::Form)
}

fn computed(
    params: &Params,
    password: &[u8],
    salt: &[u8],
    length: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut output = Zeroizing::new(vec![0; length]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2
        .hash_password_into(password, salt, &mut output)
        .ok()?;
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "c29tZXNhbHRzb21lc2FsdA";
    const OUTPUT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn error(params: &str) -> Option<HashError> {
        let text = format!("$argon2id$v=19${params}${SALT}${OUTPUT}");
        PasswordHash::parse(&text).err()
    }

    #[test]
    fn a_hash_fits_its_password_alone() {
        let made = PasswordHash::make(b"correct horse", [7; 16]).unwrap();
        let text = std::str::from_utf8(made.text()).unwrap();
        let read = PasswordHash::parse(text).unwrap();
        assert_eq!(read, made);
        assert!(read.verify(b"correct horse"));
        assert!(!read.verify(b"correct horse "));
        assert!(!read.verify(b""));
        assert_eq!(format!("{read:?}"), "PasswordHash(hidden)");
        assert!(PasswordHash::make(b"", [7; 16]).is_none());
        assert!(PasswordHash::make(&[b'a'; PASSWORD_BYTES_MAX + 1], [7; 16]).is_none());
    }

    /// A vector of the reference implementation (phc-winner-argon2, test.c: argon2id, version 19).
    #[test]
    fn the_reference_s_hash_is_understood() {
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(PasswordHash::parse(text).unwrap().verify(b"password"));
    }

    #[test]
    fn parameters_are_neither_weak_nor_ruinous() {
        for good in [
            "m=19456,t=2,p=1",
            "m=47104,t=1,p=1",
            "m=7168,t=5,p=1",
            "m=262144,t=1,p=4",
        ] {
            assert_eq!(error(good), None, "{good}");
        }
        for weak in ["m=19456,t=1,p=1", "m=8,t=1,p=1", "m=7167,t=5,p=1"] {
            assert_eq!(error(weak), Some(HashError::TooWeak), "{weak}");
        }
        for expensive in [
            "m=262145,t=1,p=1",
            "m=4294967295,t=1,p=1",
            "m=19456,t=17,p=1",
            "m=65536,t=2,p=5",
        ] {
            assert_eq!(
                error(expensive),
                Some(HashError::TooExpensive),
                "{expensive}"
            );
        }
        for form in [
            "",
            "t=2,m=19456,p=1",
            "m=19456,t=2",
            "m=19456,t=2,p=1,data=a",
            "m=+19456,t=2,p=1",
            "m=19456,t=2,p=0",
            "m=4294967296,t=1,p=1",
        ] {
            assert_eq!(error(form), Some(HashError::Form), "{form}");
        }
    }

    #[test]
    fn other_forms_are_none() {
        for text in [
            "",
            "secret",
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1$c29t$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFh",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ=$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$2b$12$abcdefghijklmnopqrstuv",
        ] {
            assert_eq!(
                PasswordHash::parse(text).err(),
                Some(HashError::Form),
                "{text}"
            );
        }
    }
}
