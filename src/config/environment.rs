//! Overrides from the environment: `ADIT_<TABLE>__<KEY>` sets one scalar outside arrays of tables.
//!
//! Comes in: the environment as given by the caller, who removes the variables that [`is_secret`] names after reading.
//! Goes out: values laid over the tree of the files. Refuses: reaching into arrays of tables; unknown names are found
//! by `reader`, as in a file. Other `ADIT_` names without `__` belong to somebody else and are ignored.

use super::problem::{Findings, Place, Source, Spot};
use super::written::{Entry, Node, Table, Value};
use crate::secret::Secret;

/// Variables whose value is itself a secret; in a file the key of the same name with `_file` at the end names its file.
const SECRETS: [&str; 7] = [
    "ADIT_TOKENS__HS256_SECRET",
    "ADIT_ADMIN__BEARER_TOKEN",
    "ADIT_SIGN_IN__SEAL_KEY",
    "ADIT_SIGN_IN__SEAL_KEY_PREVIOUS",
    "ADIT_CHALLENGE__SEAL_KEY",
    "ADIT_CHALLENGE__SEAL_KEY_PREVIOUS",
    "ADIT_SIGN_IN__OIDC__CLIENT_SECRET",
];

/// Whether this environment variable overrides a key.
pub fn is_override(name: &str) -> bool {
    name.strip_prefix("ADIT_")
        .is_some_and(|rest| rest.contains("__"))
}

/// Whether this environment variable holds a secret and should be removed from the environment once it was read.
pub fn is_secret(name: &str) -> bool {
    SECRETS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
}

/// Lays the overrides over what the files say.
pub(super) fn overlay(root: &mut Table, environment: &[(String, String)], findings: &Findings) {
    let place = Place::whole(&Source::environment());
    let mut overrides: Vec<&(String, String)> = environment
        .iter()
        .filter(|(name, _)| is_override(name))
        .collect();
    overrides.sort();
    for (name, value) in overrides {
        let path = name
            .strip_prefix("ADIT_")
            .unwrap_or(name)
            .to_ascii_lowercase();
        let keys: Vec<&str> = path.split("__").collect();
        let value = if is_secret(name) {
            Value::Hidden(Secret::new(value.clone().into_bytes()))
        } else {
            Value::Text(value.clone())
        };
        if set(root, &keys, &place, value).is_err() {
            let key = name.clone();
            let place = place.clone();
            findings.error(
                &Spot { place, key },
                "only single values outside arrays of tables can be set from the environment",
            );
        }
    }
}

/// The path leads into a list.
struct Unreachable;

fn set(table: &mut Table, keys: &[&str], place: &Place, value: Value) -> Result<(), Unreachable> {
    let Some((key, rest)) = keys.split_first() else {
        return Ok(());
    };
    if table.find(key).is_none() {
        table
            .entries
            .push(entry(key, place, Value::Table(Table::default())));
    }
    let Some(found) = table.find_mut(key) else {
        return Ok(());
    };
    if rest.is_empty() {
        *found = entry(key, place, value);
        return Ok(());
    }
    if let Value::Table(inner) = &mut found.node.value {
        set(inner, rest, place, value)
    } else {
        Err(Unreachable)
    }
}

fn entry(key: &str, place: &Place, value: Value) -> Entry {
    Entry {
        key: key.to_owned(),
        place: place.clone(),
        node: Node {
            place: place.clone(),
            value,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{is_override, is_secret};

    #[test]
    fn only_names_with_a_table_and_a_key_override() {
        for (name, overrides) in [
            ("ADIT_HTTPS__PUBLIC_PORT", true),
            ("ADIT_TOKENS__CE__PROJECTS", true),
            ("ADIT_CONFIG", false),
            ("ADIT_HTTPS_PUBLIC_PORT", false),
            ("XADIT_HTTPS__PUBLIC_PORT", false),
            ("PATH__X", false),
        ] {
            assert_eq!(is_override(name), overrides, "{name}");
        }
    }

    #[test]
    fn secrets_are_known_by_name() {
        assert!(is_secret("ADIT_TOKENS__HS256_SECRET"));
        assert!(is_secret("ADIT_SIGN_IN__SEAL_KEY_PREVIOUS"));
        assert!(!is_secret("ADIT_TOKENS__HS256_SECRET_FILE"));
    }
}
