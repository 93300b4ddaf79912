//! `adit user hash-password`: what it prints lets the user in, and the password is seen nowhere.

use adit::password::PasswordHash;

use crate::support::process::adit_reading;
use crate::support::{Finished, adit};

fn hash(input: &str) -> Finished {
    adit_reading(&["user", "hash-password"], input.as_bytes())
}

#[test]
fn the_hash_is_that_of_the_first_line() {
    for input in ["correct horse", "correct horse\n", "correct horse\r\nx\n"] {
        let finished = hash(input);
        assert_eq!((finished.code, finished.err.as_str()), (0, ""));
        let text = finished.out.strip_suffix('\n').unwrap();
        let hash = PasswordHash::parse(text).unwrap();
        assert!(hash.verify(b"correct horse"), "{input:?}");
    }
    assert_ne!(hash("correct horse").out, hash("correct horse").out);
}

#[test]
fn no_password_and_one_that_is_too_long_are_refused() {
    for input in ["", "\n", &"a".repeat(1025)] {
        let finished = hash(input);
        assert_eq!((finished.code, finished.out.as_str()), (2, ""));
        assert_eq!(finished.err, "adit: a password has 1 to 1024 bytes\n");
    }
    assert_eq!(hash(&"a".repeat(1024)).code, 0);
}

#[test]
fn a_password_is_no_argument() {
    assert_eq!(adit(&["user", "hash-password", "secret"]).code, 2);
}
