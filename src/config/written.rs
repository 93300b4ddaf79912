//! What was written: the tables of every file and of the environment in one tree, each value with its place.
//!
//! Owns: TOML text to [`Table`], and joining tables. Comes in: text. Goes out: a tree without meaning, which only
//! `reader` looks into. Refuses: what is not TOML, and a key given twice.

use std::rc::Rc;

use toml::de::{DeTable, DeValue};

use super::problem::{Findings, Place, Source, Spot};
use crate::secret::Secret;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    /// A secret from the environment: never printed.
    Hidden(Secret),
    Integer(i128),
    /// A number that is not whole, or beyond every bound.
    OddNumber,
    Boolean(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value {
            Some(text)
        } else {
            None
        }
    }

    /// A whole number that is not negative; the environment knows only text.
    pub(super) fn integer(&self) -> Option<u64> {
        if let Value::Integer(number) = &self.value {
            return u64::try_from(*number).ok();
        }
        let digits = self.text_of_environment()?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten()
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        if let Value::Boolean(value) = &self.value {
            return Some(*value);
        }
        self.text_of_environment()?.parse().ok()
    }

    pub(super) fn list(&self) -> Option<&[Node]> {
        if let Value::List(nodes) = &self.value {
            Some(nodes)
        } else {
            None
        }
    }

    pub(super) fn table(&self) -> Option<&Table> {
        if let Value::Table(table) = &self.value {
            Some(table)
        } else {
            None
        }
    }

    pub(super) fn secret(&self) -> Option<&Secret> {
        if let Value::Hidden(secret) = &self.value {
            Some(secret)
        } else {
            None
        }
    }

    fn text_of_environment(&self) -> Option<&str> {
        self.text().filter(|_| self.place.source.is_environment())
    }
}

impl Value {
    /// What stands there, for a message: `"abc"`, `5`, `a list`.
    pub(super) fn found(&self) -> String {
        match self {
            Value::Text(text) => quoted(text),
            Value::Hidden(_) => "a secret".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::OddNumber => "a number that is not whole".to_owned(),
            Value::Boolean(value) => value.to_string(),
            Value::Date => "a date".to_owned(),
            Value::List(nodes) if nodes.is_empty() => "an empty list".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        }
    }
}

/// Text in quotes, escaped and cut, for a message.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    if text.chars().count() <= SHOWN_MAX {
        return format!("\"{}\"", text.escape_debug());
    }
    let start: String = text.chars().take(SHOWN_MAX).collect();
    format!("\"{}...\"", start.escape_debug())
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key stands; the value has its own place.
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn find(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn find_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index))
    }

    /// Where the last key of this name before `place` stands: in one file that is the one in the same table, since a
    /// table's keys stand together.
    fn last_before(&self, key: &str, place: &Place) -> Option<Place> {
        let own = self.find(key).map(|entry| entry.place.clone());
        let inner = self.entries.iter().filter_map(|entry| {
            let nodes = entry
                .node
                .list()
                .unwrap_or(std::slice::from_ref(&entry.node));
            let tables = nodes.iter().filter_map(Node::table);
            tables
                .filter_map(|table| table.last_before(key, place))
                .max_by_key(Place::position)
        });
        own.into_iter()
            .chain(inner)
            .filter(|found| found.position() < place.position())
            .max_by_key(Place::position)
    }

    /// Joins the tables of another file: arrays of tables one after the other, tables key by key.
    pub(super) fn join(&mut self, other: Table, path: &str, findings: &Findings) {
        for entry in other.entries {
            let path = child_path(path, &entry.key);
            match self.find_mut(&entry.key) {
                None => self.entries.push(entry),
                Some(first) => first.join(entry, path, findings),
            }
        }
    }
}

impl Entry {
    fn join(&mut self, second: Entry, path: String, findings: &Findings) {
        match (&mut self.node.value, second.node.value) {
            (Value::Table(first), Value::Table(second)) => first.join(second, &path, findings),
            (Value::List(first), Value::List(second)) if tables(first) && tables(&second) => {
                first.extend(second);
            }
            _ => {
                let message = format!("already given at {}; give it once", self.place);
                let place = second.place;
                findings.error(&Spot { place, key: path }, message);
            }
        }
    }
}

fn tables(list: &[Node]) -> bool {
    list.iter().all(|node| node.table().is_some())
}

/// The path of a key within a table; the root's is empty.
pub(super) fn child_path(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
    }
}

/// Reads one file's text; what is not TOML is reported, and the rest is kept.
pub(super) fn parse(text: &str, source: &Rc<Source>, findings: &Findings) -> Table {
    let lines = Lines::of(text, source);
    let (root, errors) = DeTable::parse_recoverable(text);
    let root = lines.table(root.get_ref());
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let place = lines.place(span.start);
        let message = if error.message() == "duplicate key" {
            let key = text.get(span).unwrap_or_default();
            twice(key, root.last_before(key, &place))
        } else {
            format!("not TOML: {}", error.message())
        };
        findings.syntax(place, message);
    }
    root
}

fn twice(key: &str, first: Option<Place>) -> String {
    match first {
        Some(first) => format!("{key} is already given at {first}; give it once"),
        None => format!("{key} is given twice; give it once"),
    }
}

/// Where each line of a text begins.
struct Lines<'a> {
    text: &'a str,
    source: &'a Rc<Source>,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str, source: &'a Rc<Source>) -> Self {
        let after_breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        let starts = std::iter::once(0).chain(after_breaks).collect();
        Lines {
            text,
            source,
            starts,
        }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line));
        let before = start.and_then(|start| self.text.get(*start..offset));
        Place {
            source: Rc::clone(self.source),
            line,
            column: before.map_or(1, |before| before.chars().count() + 1),
        }
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let entries = table.iter().map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            place: self.place(key.span().start),
            node: self.node(value.get_ref(), value.span().start),
        });
        Table {
            entries: entries.collect(),
        }
    }

    fn node(&self, value: &DeValue<'_>, offset: usize) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::OddNumber, Value::Integer),
            DeValue::Float(_) => Value::OddNumber,
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(_) => Value::Date,
            DeValue::Array(list) => {
                let nodes = list
                    .iter()
                    .map(|item| self.node(item.get_ref(), item.span().start));
                Value::List(nodes.collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node {
            place: self.place(offset),
            value,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Table, Result<(), String>) {
        let findings = Findings::default();
        let source = Source::file(Path::new("a.toml"), 0);
        let table = parse(text, &source, &findings);
        let outcome = findings.conclude().map(|_| ());
        (table, outcome.map_err(|report| report.to_string()))
    }

    #[test]
    fn columns_count_characters() {
        let (table, outcome) = read("a = { \"ü\" = 1, b = 2 }\r\n  c = 3");
        assert_eq!(outcome, Ok(()));
        let inner = table.find("a").unwrap().node.table().unwrap();
        assert_eq!(inner.find("b").unwrap().place.position(), (1, 16));
        assert_eq!(table.find("c").unwrap().place.position(), (2, 3));
        assert_eq!(table.find("c").unwrap().node.place.position(), (2, 7));
    }

    #[test]
    fn the_first_of_two_keys_is_the_one_in_the_same_table() {
        let (_, outcome) = read("[[t]]\nid = 1\n[[t]]\nid = 2\nid = 3\n[u]\nid = 4\n");
        let expected = "a.toml:5:1: id is already given at a.toml:4:1; give it once";
        assert_eq!(outcome, Err(expected.to_owned()));
    }

    #[test]
    fn numbers_in_every_base() {
        let (table, _) = read("a = 0x10\nb = 1_000\nc = -1\nd = 1.0");
        let integer = |key| table.find(key).unwrap().node.integer();
        assert_eq!(integer("a"), Some(16));
        assert_eq!(integer("b"), Some(1000));
        assert_eq!(integer("c"), None);
        assert_eq!(integer("d"), None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[\\[\\]{}=.,\"'#a-c0-9ü \\r\\n\\t\\\\]{0,60}") {
            let (_, outcome) = read(&text);
            if let Err(messages) = outcome {
                for message in messages.lines().filter(|line| line.starts_with("a.toml:")) {
                    prop_assert!(!message.starts_with("a.toml:0"), "{message}");
                }
            }
        }
    }
}
