//! `revocations_file`: ids of credentials and hashes of tokens that count no more, one in a line.
//!
//! It is a file of its own, so that it can be read while the configuration is broken (S10.1). A line that is neither an id
//! nor a hash refuses the whole file: a mistyped hash would take nothing back.

use std::path::Path;

use super::credential::sha256;
use super::files::{self, Purpose};
use super::project::is_identifier;
use super::settings::Revocations;

/// Reads the list, or says what is wrong with it.
pub fn revocations(file: &Path) -> Result<Revocations, String> {
    let contents = files::read(file, Purpose::Configuration)
        .map_err(|error| error.message(file, Purpose::Configuration))?;
    let text = std::str::from_utf8(&contents.bytes)
        .map_err(|_| format!("{} is not UTF-8", file.display()))?;
    let mut revocations = Revocations {
        file: Some(file.to_path_buf()),
        ..Revocations::default()
    };
    for (index, line) in text.lines().enumerate() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        let place = || format!("{}:{}", file.display(), index + 1);
        match entry.strip_prefix("sha256:") {
            Some(digits) => {
                let hash = sha256(digits)
                    .ok_or_else(|| format!("{}: sha256: needs 64 hex digits", place()))?;
                revocations.tokens.insert(hash);
            }
            None if is_identifier(entry) => {
                revocations.credentials.insert(entry.to_owned());
            }
            None => {
                return Err(format!(
                    "{}: neither the id of a credential nor sha256: and the hash of a token",
                    place()
                ));
            }
        }
    }
    Ok(revocations)
}
