//! JSON as tokens need it: read strictly or not at all (S4.5).
//!
//! Owns: [`Json`], a plain tree, and the one reader that makes it. Bytes come in, a tree or a [`JsonError`] goes out.
//! Refuses whatever two JSON readers could read differently: bytes that are not UTF-8, a byte order mark, lone
//! surrogates, anything after the value, nesting deeper than [`JSON_DEPTH_MAX`], and a key that stands twice in one
//! object once its escapes are undone (attack: the signer's reader takes the first `permissions`, ours the last).

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::limits::{JSON_DEPTH_MAX, JSON_INTEGER_MAX};

#[cfg(test)]
mod tests;

/// One JSON value. Object members keep their order; no name stands twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Json {
    Null,
    Bool(bool),
    /// Written without sign, fraction and exponent, and at most [`JSON_INTEGER_MAX`]: exact in every reader.
    Integer(u64),
    /// Any other number. Nothing in a token means one, so its value is not kept.
    Number,
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    NotUtf8,
    /// Not one JSON value with nothing but white space around it.
    Syntax,
    TooDeep,
    DuplicateKey,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JsonError::NotUtf8 => "not UTF-8",
            JsonError::Syntax => "not a JSON value",
            JsonError::TooDeep => "nested too deeply",
            JsonError::DuplicateKey => "a key stands twice in one object",
        })
    }
}

impl std::error::Error for JsonError {}

/// Reads exactly one value.
pub fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    let fault = Cell::new(JsonError::Syntax);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Tree {
        depth: 0,
        fault: &fault,
    }
    .deserialize(&mut reader)
    .map_err(|_| fault.get())?;
    reader.end().map_err(|_| JsonError::Syntax)?;
    Ok(value)
}

impl Json {
    pub fn as_str(&self) -> Option<&str> {
        if let Json::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    pub fn as_integer(&self) -> Option<u64> {
        if let Json::Integer(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    pub fn as_array(&self) -> Option<&[Json]> {
        if let Json::Array(items) = self {
            Some(items)
        } else {
            None
        }
    }

    pub fn as_object(&self) -> Option<&[(String, Json)]> {
        if let Json::Object(members) = self {
            Some(members)
        } else {
            None
        }
    }
}

/// Builds one value at a nesting depth. `serde_json` carries only text in its errors, so the cause goes beside it.
#[derive(Clone, Copy)]
struct Tree<'a> {
    /// Arrays and objects around this value.
    depth: usize,
    fault: &'a Cell<JsonError>,
}

impl Tree<'_> {
    fn refuse<E: Error>(self, fault: JsonError) -> E {
        self.fault.set(fault);
        E::custom("")
    }

    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(self.refuse(JsonError::TooDeep));
        }
        Ok(Tree {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(if value <= JSON_INTEGER_MAX {
            Json::Integer(value)
        } else {
            Json::Number
        })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(name) = map.next_key()? {
            members.push((name, map.next_value_seed(inner)?));
        }
        if has_duplicate(&members) {
            return Err(self.refuse(JsonError::DuplicateKey));
        }
        Ok(Json::Object(members))
    }
}

/// Sorts where there are many, because comparing every pair would let one object of a thousand keys cost half a million
/// comparisons.
fn has_duplicate(members: &[(String, Json)]) -> bool {
    const FEW: usize = 8;

    if members.len() <= FEW {
        let mut rest = members;
        while let Some(((name, _), after)) = rest.split_first() {
            if after.iter().any(|(other, _)| other == name) {
                return true;
            }
            rest = after;
        }
        return false;
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.iter().zip(names.iter().skip(1)).any(|(a, b)| a == b)
}

/// Any bytes: a looser reader sees in them the same value, and what is refused here stays refused with space around it.
pub fn fuzz_json(bytes: &[u8]) {
    let read = parse(bytes);
    let spaced = [b" \t", bytes, b"\r\n"].concat();
    assert_eq!(parse(&spaced), read, "white space around a value");
    let Ok(read) = read else {
        return;
    };
    let loose: serde_json::Result<serde_json::Value> = serde_json::from_slice(bytes);
    assert!(loose.is_ok_and(|loose| same_value(&read, &loose)));
    let again = [b"[", bytes, b"]"].concat();
    assert!(
        matches!(
            parse(&again),
            Ok(Json::Array(items)) if items == [read]
        ) || parse(&again) == Err(JsonError::TooDeep)
    );
}

fn same_value(ours: &Json, theirs: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        (Json::Integer(ours), Value::Number(theirs)) => theirs.as_u64() == Some(*ours),
        (Json::Number, Value::Number(theirs)) => theirs
            .as_u64()
            .is_none_or(|number| number > JSON_INTEGER_MAX),
        (Json::String(ours), Value::String(theirs)) => ours == theirs,
        (Json::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| same_value(ours, theirs))
        }
        (Json::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(name, value)| {
                    theirs
                        .get(name)
                        .is_some_and(|theirs| same_value(value, theirs))
                })
        }
        _ => false,
    }
}
