//! Secrets from files: raw bytes, less one final newline if the rest is text.

use std::path::PathBuf;

use super::field::{At, Field};
use super::files::{self, Purpose};
use super::problem::Findings;
use super::reader::Reader;
use crate::secret::Secret;

/// The secret named `key`, given as `key` in the environment or as the file `key_file`. The environment wins.
pub(super) fn secret(table: &Reader<'_>, key: &str) -> Field<Secret> {
    let given = table.secret(key);
    if let Field::Absent(_) = given {
        secret_file(table, &format!("{key}_file"))
    } else {
        given
    }
}

/// The secret in the file that `key` names.
pub(super) fn secret_file(table: &Reader<'_>, key: &str) -> Field<Secret> {
    let file = table.file(key);
    file.then(|at| read_secret(at, table.findings))
}

fn read_secret(at: &At<PathBuf>, findings: &Findings) -> Option<Secret> {
    findings.sources.borrow_mut().add_file(&at.value);
    match files::read(&at.value, Purpose::Secret) {
        Ok(contents) => Some(secret_from_file_bytes(&contents.bytes)),
        Err(error) => {
            findings.error(&at.spot, error.message(&at.value, Purpose::Secret));
            None
        }
    }
}

/// A secret from the bytes of its file.
pub fn secret_from_file_bytes(bytes: &[u8]) -> Secret {
    Secret::new(without_final_newline(bytes).to_vec())
}

/// An editor's final newline is not part of a password; the last byte of random bytes is part of the key.
fn without_final_newline(bytes: &[u8]) -> &[u8] {
    let printable = |byte: &u8| (0x20..=0x7e).contains(byte);
    match bytes.strip_suffix(b"\n") {
        Some(text) if text.iter().all(printable) => text,
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::without_final_newline;

    #[test]
    fn only_a_line_of_text_loses_its_newline() {
        for (bytes, kept) in [
            (&b"secret\n"[..], &b"secret"[..]),
            (b"secret", b"secret"),
            (b"secret\n\n", b"secret\n\n"),
            (b"secret\r\n", b"secret\r\n"),
            (b"\x00\xffx\n", b"\x00\xffx\n"),
            (b"\n", b""),
            (b"", b""),
        ] {
            assert_eq!(without_final_newline(bytes), kept);
        }
    }
}
