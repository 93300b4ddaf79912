//! Shows a token, for the command line. Never on the data path.

use std::fmt;

use serde_json::{Value, json};

use super::TokenError;
use super::compact::Compact;
use crate::json::{self, JsonError};

/// A token's header and claims, for people. The signature is neither checked nor shown: what is shown cannot be used
/// as a token, and proves nothing.
#[derive(Clone, Debug)]
pub struct Inspection {
    header: Value,
    claims: Value,
}

/// Reads a token as strictly as verification does, without a key.
pub fn inspect(token: &str) -> Result<Inspection, TokenError> {
    let token = Compact::split(token.as_bytes())?;
    token.signature()?;
    Ok(Inspection {
        header: value(&token.header_bytes()?)?,
        claims: value(&token.payload_bytes()?)?,
    })
}

impl Inspection {
    pub fn json(&self) -> Value {
        json!({ "header": self.header, "claims": self.claims, "signature_checked": false })
    }
}

/// Prints ASCII only: what is not is written as JSON escapes, so that no token can play tricks with a terminal.
impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, value) in [("header", &self.header), ("claims", &self.claims)] {
            writeln!(f, "{title}:")?;
            // Outside of strings JSON is ASCII, so an escape always stands where one may.
            for c in format!("{value:#}\n").chars() {
                if matches!(c, ' '..='~' | '\n') {
                    write!(f, "{c}")?;
                } else {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(f, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        f.write_str("signature not checked")
    }
}

/// Strictly, and then again into a tree that keeps every number as it was written.
fn value(bytes: &[u8]) -> Result<Value, TokenError> {
    json::parse(bytes)?;
    serde_json::from_slice(bytes).map_err(|_| TokenError::BadJson(JsonError::Syntax))
}
