//! `config/adit.schema.json` is true: it has every key that the reader knows and no other, each with a description and the
//! default that `config/reference.toml` states, it takes the files in `config/`, and it refuses what is wrong with them.
//!
//! A key that you added is missing here? Write it into `properties` of its table in `config/adit.schema.json`: with
//! `description`, a type (`type`, `enum`, `$ref` to one of `$defs`), and `default`; where it has none, the description says
//! `Default: ` and what happens, or the key stands in `required` of its table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod config_support;

use std::collections::BTreeSet;

use config_support::Folder;
use jsonschema::Validator;
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../config/adit.schema.json");
const MINIMAL: &str = include_str!("../config/minimal.toml");
const REFERENCE: &str = include_str!("../config/reference.toml");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

fn parsed(text: &str) -> Value {
    let table: toml::Table = toml::from_str(text).unwrap();
    serde_json::to_value(table).unwrap()
}

/// The reference with every commented key written out.
fn spelled_out() -> String {
    let lines = REFERENCE.lines();
    let lines = lines.map(|line| line.strip_prefix("#: ").unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// A table of the configuration: its header, and the schema of what is in it.
struct Table {
    /// Such as `[[sign_in.user]]`; empty for the file itself.
    header: String,
    path: String,
    schema: Value,
}

impl Table {
    fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.schema["properties"].as_object().unwrap().iter()
    }
}

/// Every table that the schema describes.
fn tables() -> Vec<Table> {
    let mut all = vec![Table {
        header: String::new(),
        path: String::new(),
        schema: schema(),
    }];
    let mut index = 0;
    while index < all.len() {
        let table = &all[index];
        let mut inner = Vec::new();
        for (key, value) in table.properties() {
            let path = match table.path.as_str() {
                "" => key.clone(),
                outer => format!("{outer}.{key}"),
            };
            let (header, schema) = match value["items"]["properties"].is_object() {
                true => (format!("[[{path}]]"), &value["items"]),
                false => (format!("[{path}]"), value),
            };
            if schema["properties"].is_object() {
                let schema = schema.clone();
                inner.push(Table {
                    header,
                    path,
                    schema,
                });
            }
        }
        all.extend(inner);
        index += 1;
    }
    all
}

/// The keys of a table by the error for an unknown one, which lists them all.
fn known(folder: &Folder, header: &str) -> BTreeSet<String> {
    let messages = folder.messages(&format!("{header}\nxxxxxxxxxxxxxxxxxxxx = 1\n"), &[]);
    let mut lines = messages.lines();
    let known = lines.find_map(|line| line.split_once("known here: "));
    let (_, known) = known.unwrap_or_else(|| panic!("{header}: {messages}"));
    known.split(", ").map(str::to_owned).collect()
}

#[test]
fn it_has_the_keys_that_the_reader_knows_and_no_others() {
    let folder = Folder::new();
    let mut wrong = Vec::new();
    for table in tables() {
        let reader = known(&folder, &table.header);
        let schema: BTreeSet<String> = table.properties().map(|(key, _)| key.clone()).collect();
        let place = match table.header.as_str() {
            "" => "the top",
            header => header,
        };
        for key in reader.difference(&schema) {
            wrong.push(format!(
                "{place}: add \"{key}\" to its properties, with a description, a type, and a default"
            ));
        }
        for key in schema.difference(&reader) {
            wrong.push(format!("{place}: the reader knows no \"{key}\": remove it"));
        }
        if table.schema["additionalProperties"] != json!(false) {
            wrong.push(format!(
                "{place}: \"additionalProperties\": false is missing"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "config/adit.schema.json:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_key_is_described_and_has_a_type_and_a_default_or_is_required() {
    let mut wrong = Vec::new();
    for table in tables() {
        let required = table.schema["required"].as_array().cloned();
        let required = required.unwrap_or_default();
        for (key, value) in table.properties() {
            let path = format!("{} {key}", table.header);
            let description = value["description"].as_str().unwrap_or_default();
            if !description.ends_with(['.', '"']) {
                wrong.push(format!(
                    "{path}: a description, which ends with a full stop"
                ));
            }
            let types = ["type", "$ref", "oneOf", "anyOf", "not"];
            if !types.iter().any(|word| !value[word].is_null()) {
                wrong.push(format!("{path}: a type"));
            }
            let is_table =
                value["properties"].is_object() || value["items"]["properties"].is_object();
            let has_default = !value["default"].is_null()
                || description.contains("Default: ")
                || !value["not"].is_null();
            if !is_table && !has_default && !required.contains(&json!(key)) {
                wrong.push(format!(
                    "{path}: a default, \"Default: \" in its description, or a place in required"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "config/adit.schema.json lacks:\n{}",
        wrong.join("\n")
    );
}

/// A line `#: key = value` of the reference under a table, where the schema has a default, states that default.
#[test]
fn its_defaults_are_those_of_the_reference() {
    let tables = tables();
    let (mut table, mut seen) = (String::new(), BTreeSet::new());
    for line in REFERENCE.lines() {
        let line = line.strip_prefix("#: ").map_or_else(
            || (line.to_owned(), false),
            |stated| (stated.to_owned(), true),
        );
        match line {
            (header, false) if header.starts_with('[') => table = header,
            (stated, true) => {
                let value = parsed(&stated);
                let (key, value) = value.as_object().unwrap().iter().next().unwrap();
                let found = tables.iter().find(|found| found.header == table);
                let found = found.unwrap_or_else(|| panic!("{table} is no table of the schema"));
                let default = &found.schema["properties"][key]["default"];
                seen.insert(format!("{table} {key}"));
                if !default.is_null() {
                    assert_eq!(
                        value, default,
                        "{table} {key}: config/reference.toml, config/adit.schema.json"
                    );
                }
            }
            _ => {}
        }
    }
    assert!(seen.len() > 50, "{seen:?}");
    // And it is valid under its own type.
    let root = schema();
    for table in &tables {
        for (key, value) in table.properties() {
            if value["default"].is_null() {
                continue;
            }
            let mut alone = value.clone();
            alone["$defs"] = root["$defs"].clone();
            let valid = jsonschema::draft202012::new(&alone).unwrap();
            assert!(valid.is_valid(&value["default"]), "{} {key}", table.header);
        }
    }
}

#[test]
fn the_shipped_files_are_valid() {
    let validator = validator();
    for text in [MINIMAL, REFERENCE, &spelled_out()] {
        let errors: Vec<String> = validator
            .iter_errors(&parsed(text))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

/// Every table of the reference with one key more, and every value of it as a type that it is not, are refused.
#[test]
fn wrong_keys_and_wrong_types_are_refused() {
    /// What is inside of them is free.
    const FREE: &[&str] = &["labels", "resources"];

    fn changed(value: &Value, path: &str, all: &mut Vec<(String, Value)>) {
        let inner: Vec<(String, Value)> = match value {
            Value::Object(members) => {
                let mut more = members.clone();
                more.insert("xxxx".to_owned(), json!(1));
                all.push((format!("{path}.xxxx"), Value::Object(more)));
                members
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| (index.to_string(), item.clone()))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                all.push((path.to_owned(), json!({ "xxxx": 1 })));
                return;
            }
        };
        for (key, item) in inner {
            if FREE.contains(&key.as_str()) {
                continue;
            }
            let before = all.len();
            changed(&item, &format!("{path}.{key}"), all);
            for (_, wrong) in all.iter_mut().skip(before) {
                let mut whole = value.clone();
                if let Value::Array(items) = &mut whole {
                    items[key.parse::<usize>().unwrap()] = wrong.take();
                } else {
                    whole[&key] = wrong.take();
                }
                *wrong = whole;
            }
        }
    }

    let validator = validator();
    let good = parsed(&spelled_out());
    assert!(validator.is_valid(&good));
    let mut all = Vec::new();
    changed(&good, "", &mut all);
    assert!(all.len() > 100);
    for (path, wrong) in all {
        assert!(
            !validator.is_valid(&wrong),
            "{path}: the schema takes a wrong value here"
        );
    }
}

/// What the schema refuses altogether, the reader refuses too: a secret, which no file may hold.
#[test]
fn what_it_has_no_place_for_the_reader_refuses() {
    let folder = Folder::new();
    let mut seen = 0;
    for table in tables() {
        for (key, value) in table.properties() {
            if value["not"].is_null() {
                continue;
            }
            seen += 1;
            let text = format!("{}\n{key} = \"x\"\n", table.header);
            let said = folder.messages(&text, &[]);
            assert!(
                said.contains("a secret does not belong here"),
                "{} {key}: the reader takes it by now; say so in config/adit.schema.json",
                table.header
            );
        }
    }
    assert!(seen >= 7, "{seen}");
}

#[test]
fn a_secret_in_a_file_and_a_required_key_left_out_are_refused() {
    let validator = validator();
    let good = parsed(MINIMAL);
    assert!(validator.is_valid(&good));
    let mut secret = good.clone();
    secret["tokens"]["hs256_secret"] = json!("0123456789abcdef0123456789abcdef");
    assert!(!validator.is_valid(&secret));
    let mut incomplete = good;
    incomplete["tunnel"][0]
        .as_object_mut()
        .unwrap()
        .remove("upstream");
    assert!(!validator.is_valid(&incomplete));
}
