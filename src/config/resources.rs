//! `resources`: a boundary, as JSON text or as a TOML table, in the grammar of tokens.

use std::collections::HashMap;
use std::sync::Arc;

use super::field::{At, Field};
use super::problem::Findings;
use super::reader::Reader;
use super::written::{Entry, Node, Value};
use crate::boundary;
use crate::json::{self, Json};

/// The boundary in `resources`, checked; patterns that likely mean something else are warned of. Equal ones are one.
pub(super) fn boundary(
    table: &Reader<'_>,
    known: &mut HashMap<String, Arc<Json>>,
) -> Field<Arc<Json>> {
    table
        .look_up("resources")
        .then(|at| match checked(at, known, table.findings) {
            Ok(boundary) => Some(boundary),
            Err(message) => {
                table.findings.error(&at.spot, message);
                None
            }
        })
}

fn checked(
    at: &At<&Entry>,
    known: &mut HashMap<String, Arc<Json>>,
    findings: &Findings,
) -> Result<Arc<Json>, String> {
    let node = &at.value.node;
    let tree = match &node.value {
        Value::Text(text) => json::parse(text.as_bytes())
            .map_err(|error| format!("not the JSON of a boundary: {error}"))?,
        Value::Table(_) => {
            tree(node).ok_or("dates and numbers that are not whole have no place here")?
        }
        Value::Hidden(_)
        | Value::Integer(_)
        | Value::OddNumber
        | Value::Boolean(_)
        | Value::Date
        | Value::List(_) => {
            let found = node.value.found();
            return Err(format!(
                "expected a boundary as JSON text or as a table, found {found}"
            ));
        }
    };
    let mut members = match tree {
        Json::Object(members) => members.into_iter(),
        Json::Null
        | Json::Bool(_)
        | Json::Integer(_)
        | Json::Number
        | Json::String(_)
        | Json::Array(_) => Vec::new().into_iter(),
    };
    let (Some((name, tunnels)), None) = (members.next(), members.next()) else {
        return Err(ONE_KEY.to_owned());
    };
    if name != "tunnels" {
        return Err(ONE_KEY.to_owned());
    }
    let text = format!("{tunnels:?}");
    if let Some(same) = known.get(&text) {
        return Ok(same.clone());
    }
    boundary::parse(&tunnels).map_err(|error| error.to_string())?;
    for doubt in boundary::doubts(&tunnels) {
        findings.warn(&at.spot, doubt.to_string());
    }
    let tunnels = Arc::new(tunnels);
    known.insert(text, tunnels.clone());
    Ok(tunnels)
}

const ONE_KEY: &str = "expected an object with one key, \"tunnels\", and the boundary in it";

/// A value as JSON has it.
fn tree(node: &Node) -> Option<Json> {
    Some(match &node.value {
        Value::Text(text) => Json::String(text.clone()),
        Value::Boolean(value) => Json::Bool(*value),
        Value::Integer(number) => match u64::try_from(*number) {
            Ok(number) => Json::Integer(number),
            Err(_) => Json::Number,
        },
        Value::List(nodes) => Json::Array(nodes.iter().map(tree).collect::<Option<_>>()?),
        Value::Table(table) => {
            let member = |entry: &Entry| Some((entry.key.clone(), tree(&entry.node)?));
            Json::Object(table.entries.iter().map(member).collect::<Option<_>>()?)
        }
        Value::Hidden(_) | Value::OddNumber | Value::Date => return None,
    })
}
