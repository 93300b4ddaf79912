//! Looks keys up in a [`Table`] and reports every value that is not what its key needs.
//!
//! Comes in: the tree that was written and the keys a table knows. Goes out: typed values with their [`Spot`].
//! Refuses: unknown keys (naming the nearest), wrong types and values out of range.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::field::{At, Field};
use super::files;
use super::nearest::nearest;
use super::problem::{Findings, Place, Spot, variable};
use super::units;
use super::written::{Entry, Node, Table, child_path};
use crate::limits::TIMEOUT_MAX;
use crate::secret::Secret;

/// One table, being read.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    pub(super) findings: &'a Findings,
    /// `None`: the table is not written, and all its keys are absent.
    table: Option<&'a Table>,
    /// The table itself.
    pub(super) spot: Spot,
    known: &'static [&'static str],
    /// Known keys that an unknown one most likely stands for: they are not simply absent.
    misspelt: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// Starts on a table, and reports every key in it that is not among the known.
    pub(super) fn new(
        table: Option<&'a Table>,
        spot: Spot,
        known: &'static [&'static str],
        findings: &'a Findings,
    ) -> Reader<'a> {
        let mut reader = Reader {
            findings,
            table,
            spot,
            known,
            misspelt: Vec::new(),
        };
        for entry in table.map_or(&[][..], |table| &table.entries) {
            if !known.contains(&entry.key.as_str()) {
                reader.unknown(entry);
            }
        }
        reader
    }

    fn unknown(&mut self, entry: &Entry) {
        let spot = Spot {
            place: entry.place.clone(),
            key: child_path(&self.spot.key, &entry.key),
        };
        let candidates = self.known.iter().copied();
        let message = match nearest(&entry.key, candidates) {
            Some(meant) => {
                self.misspelt.push(meant);
                let shown = if spot.place.source.is_environment() {
                    variable(&child_path(&self.spot.key, meant))
                } else {
                    meant.to_owned()
                };
                let consequence = consequence(meant);
                format!("unknown key; did you mean \"{shown}\"?{consequence}")
            }
            None => format!("unknown key; known here: {}", self.known.join(", ")),
        };
        self.findings.error(&spot, message);
    }

    /// Where `key` is, or where its absence is felt.
    pub(super) fn spot_of(&self, key: &str) -> Spot {
        let place = match self.table.and_then(|table| table.find(key)) {
            Some(entry) => entry.node.place.clone(),
            None => self.spot.place.clone(),
        };
        Spot {
            place,
            key: child_path(&self.spot.key, key),
        }
    }

    pub(super) fn look_up(&self, key: &str) -> Field<&'a Entry> {
        debug_assert!(self.known.contains(&key), "{key} is not among the known");
        let spot = self.spot_of(key);
        match self.table.and_then(|table| table.find(key)) {
            Some(value) => Field::Good(At { value, spot }),
            None if self.misspelt.contains(&key) || self.findings.incomplete() => Field::Bad,
            None => Field::Absent(spot),
        }
    }

    /// Any value: `convert` gives `None` for one that is not what `expected` says.
    pub(super) fn value<T>(
        &self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(&Node) -> Option<T>,
    ) -> Field<T> {
        self.look_up(key).then(|at| {
            let node = &at.value.node;
            let converted = convert(node);
            if converted.is_none() {
                self.mismatch(&at.spot, expected, node);
            }
            converted
        })
    }

    fn mismatch(&self, spot: &Spot, expected: &str, node: &Node) {
        let found = node.value.found();
        self.findings
            .error(spot, format!("expected {expected}, found {found}"));
    }

    pub(super) fn text(&self, key: &str) -> Field<String> {
        self.value(key, "text in quotes", owned_text)
    }

    pub(super) fn boolean(&self, key: &str) -> Field<bool> {
        self.value(key, "true or false", Node::boolean)
    }

    pub(super) fn integer(&self, key: &str, range: RangeInclusive<u64>) -> Field<u64> {
        let (start, end) = (range.start(), range.end());
        let expected = if *end == u64::MAX {
            format!("a whole number, {start} or more")
        } else {
            format!("a whole number from {start} to {end}")
        };
        self.value(key, &expected, |node| {
            node.integer().filter(|number| range.contains(number))
        })
    }

    /// A number of bytes.
    pub(super) fn size(&self, key: &str, range: RangeInclusive<u64>) -> Field<u64> {
        let (start, end) = (range.start(), range.end());
        let bounds = if *end == u64::MAX {
            String::new()
        } else {
            format!(" from {start} to {end} bytes")
        };
        let expected = format!("a size{bounds} such as \"64KiB\" (B, KiB, MiB, GiB)");
        self.value(key, &expected, |node| {
            let size = node.integer().or_else(|| node.text().and_then(units::size));
            size.filter(|size| range.contains(size))
        })
    }

    /// A deadline: longer than zero.
    pub(super) fn duration(&self, key: &str) -> Field<Duration> {
        let expected = "a duration from 1ms to 365d such as \"10s\" (ms, s, m, h, d)";
        self.value(key, expected, |node| {
            let duration = units::duration(node.text()?)?;
            (!duration.is_zero() && duration <= TIMEOUT_MAX).then_some(duration)
        })
    }

    /// One of a closed list of words.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Field<T> {
        let quoted: Vec<String> = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        let expected = match quoted.as_slice() {
            [one, other] => format!("{one} or {other}"),
            all => format!("one of {}", all.join(", ")),
        };
        self.value(key, &expected, |node| {
            let written = node.text()?;
            let (_, meaning) = words.iter().find(|(word, _)| *word == written)?;
            Some(*meaning)
        })
    }

    /// A list of values, each with its own spot.
    pub(super) fn list<T>(
        &self,
        key: &str,
        expected: &str,
        convert: impl Fn(&Node) -> Option<T>,
    ) -> Field<Vec<At<T>>> {
        let list_expected = format!("a list, each entry {expected}");
        self.look_up(key).then(|at| {
            let Some(nodes) = at.value.node.list() else {
                self.mismatch(&at.spot, &list_expected, &at.value.node);
                return None;
            };
            let mut values = Vec::new();
            for (index, node) in nodes.iter().enumerate() {
                let spot = Spot {
                    place: node.place.clone(),
                    key: format!("{}[{}]", at.spot.key, index + 1),
                };
                match convert(node) {
                    Some(value) => values.push(At { value, spot }),
                    None => self.mismatch(&spot, expected, node),
                }
            }
            (values.len() == nodes.len()).then_some(values)
        })
    }

    pub(super) fn texts(&self, key: &str) -> Field<Vec<At<String>>> {
        self.list(key, "text in quotes", owned_text)
    }

    /// A secret from the environment; in a file it has no place.
    pub(super) fn secret(&self, key: &str) -> Field<Secret> {
        self.look_up(key).then(|at| {
            let secret = at.value.node.secret();
            if secret.is_none() {
                let message = format!("a secret does not belong here; name its file in {key}_file");
                self.findings.error(&at.spot, message);
            }
            secret.cloned()
        })
    }

    /// A file; a relative path starts at the folder of the file that names it.
    pub(super) fn file(&self, key: &str) -> Field<PathBuf> {
        self.text(key).then(|at| {
            if at.value.is_empty() {
                self.findings.error(&at.spot, "expected a file, found \"\"");
                return None;
            }
            let folder = files::folder_of(&at.spot.place.source.name);
            Some(match folder.to_str() {
                Some(".") => PathBuf::from(&at.value),
                _ => folder.join(&at.value),
            })
        })
    }

    /// A path from the root: it must not depend on where the process was started.
    pub(super) fn absolute_path(&self, key: &str) -> Field<PathBuf> {
        let expected = "a path that starts with \"/\"";
        self.value(key, expected, |node| {
            let path = Path::new(node.text()?);
            path.is_absolute().then(|| path.to_path_buf())
        })
    }

    /// A table in this one.
    pub(super) fn table(&self, key: &str, known: &'static [&'static str]) -> Field<Reader<'a>> {
        self.look_up(key).then(|at| {
            // A table's own place is that of its name, which every form of TOML table has.
            let place = at.value.place.clone();
            let key = at.spot.key.clone();
            let table = at.value.node.table();
            if table.is_none() {
                self.mismatch(&at.spot, "a table", &at.value.node);
            }
            let spot = Spot { place, key };
            table.map(|table| Reader::new(Some(table), spot, known, self.findings))
        })
    }

    /// A table in this one; an absent table has every key absent. `None`: not usable.
    pub(super) fn table_or_empty(
        &self,
        key: &str,
        known: &'static [&'static str],
    ) -> Option<Reader<'a>> {
        match self.table(key, known) {
            Field::Good(at) => Some(at.value),
            Field::Absent(spot) => Some(Reader::new(None, spot, known, self.findings)),
            Field::Bad => None,
        }
    }

    /// An array of tables; absent means empty. `None`: not usable.
    pub(super) fn tables(
        &self,
        key: &str,
        known: &'static [&'static str],
    ) -> Option<Vec<Reader<'a>>> {
        let entry = match self.look_up(key) {
            Field::Good(at) => at.value,
            Field::Absent(_) => return Some(Vec::new()),
            Field::Bad => return None,
        };
        let spot = self.spot_of(key);
        let Some(nodes) = entry.node.list() else {
            let message = if spot.place.source.is_environment() {
                "only single values outside arrays of tables can be set from the environment"
                    .to_owned()
            } else {
                let found = entry.node.value.found();
                format!(
                    "expected an array of tables, [[{}]], found {found}",
                    spot.key
                )
            };
            self.findings.error(&spot, message);
            return None;
        };
        let mut readers = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let place: Place = node.place.clone();
            let key = format!("{}[{}]", spot.key, index + 1);
            let spot = Spot { place, key };
            match node.table() {
                Some(table) => readers.push(Reader::new(Some(table), spot, known, self.findings)),
                None => self.mismatch(&spot, "a table", node),
            }
        }
        (readers.len() == nodes.len()).then_some(readers)
    }

    /// A table of words to words, whose keys are free.
    pub(super) fn words(&self, key: &str) -> Field<Vec<(String, String)>> {
        self.look_up(key).then(|at| {
            let Some(table) = at.value.node.table() else {
                self.mismatch(&at.spot, "a table of text to text", &at.value.node);
                return None;
            };
            let mut words = Vec::new();
            for entry in &table.entries {
                let spot = Spot {
                    place: entry.node.place.clone(),
                    key: child_path(&at.spot.key, &entry.key),
                };
                match entry.node.text() {
                    Some(word) => words.push((entry.key.clone(), word.to_owned())),
                    None => self.mismatch(&spot, "text in quotes", &entry.node),
                }
            }
            (words.len() == table.entries.len()).then_some(words)
        })
    }
}

fn owned_text(node: &Node) -> Option<String> {
    node.text().map(str::to_owned)
}

/// What the absence of a guard would mean.
fn consequence(key: &str) -> &'static str {
    match key {
        "token_auth" => " Without it this tunnel would have no authentication.",
        "upstream_ca_file" => {
            " Without it any certificate authority of the system would be trusted."
        }
        "tls_min_version" => " Without it TLS 1.2 would be accepted.",
        "trusted_ips" => " Without it clients could come from any address.",
        "geoip" => " Without it clients could come from any country.",
        "public_access" => " Without it tunnels could be open to everybody.",
        "body_bytes" => " Without it request bodies would have no limit.",
        "bearer_token_file" => " Without it the admin listener would ask for no token.",
        _ => "",
    }
}
