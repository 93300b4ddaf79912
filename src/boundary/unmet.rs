//! The conditions of a boundary one by one, to say which of them no tunnel meets. Never on the data path.

use super::{Boundary, Connect, ConnectContext, parse};
use crate::json::Json;

/// One thing that a boundary asks of tunnels.
#[derive(Debug)]
pub struct Condition {
    /// What tunnels lack that do not meet it: `has hostname "app.example.com"`.
    text: String,
    /// A boundary that asks for nothing else.
    alone: Boundary,
}

impl Condition {
    pub fn is_met(&self, context: &ConnectContext<'_>) -> bool {
        self.alone.connect(context) == Connect::Allowed
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// All that a boundary which [`parse`] takes asks of the tunnels to connect to, in the order written. Rules for paths
/// are not among it.
pub fn conditions(boundary: &Json) -> Vec<Condition> {
    let mut found = Vec::new();
    leaves(boundary, &mut |leaf| of_leaf(leaf, &mut found));
    found
}

/// What stands below `AND` and `OR`.
fn leaves<'a>(tree: &'a Json, visit: &mut impl FnMut(&'a Json)) {
    let children = ["AND", "OR"].iter().find_map(|name| member(tree, name));
    match children.and_then(Json::as_array) {
        Some(children) => children.iter().for_each(|child| leaves(child, visit)),
        None => visit(tree),
    }
}

fn of_leaf(leaf: &Json, found: &mut Vec<Condition>) {
    for target in ["projects", "workspaces"] {
        if let Some(ids) = member(leaf, target) {
            let text = format!("is in the {target} {}", shown(ids));
            add(text, object(target, ids.clone()), found);
        }
    }
    let actions = member(leaf, "scopes").and_then(|scopes| member(scopes, "tunnels"));
    let connect = actions.and_then(|actions| member(actions, "connect"));
    if let Some(filters) = connect.and_then(|connect| member(connect, "filters")) {
        leaves(filters, &mut |filter| of_filter(filter, found));
    }
}

fn of_filter(filter: &Json, found: &mut Vec<Condition>) {
    let on = |filter: Json| {
        let connect = object("connect", object("filters", filter));
        object("scopes", object("tunnels", connect))
    };
    for (field, value) in filter.as_object().unwrap_or_default() {
        if field != "labels" {
            let text = format!("has {field} {}", shown(value));
            add(text, on(object(field, value.clone())), found);
            continue;
        }
        for (label, value) in value.as_object().unwrap_or_default() {
            let text = format!("has the label {} {}", quoted(label), shown(value));
            add(text, on(object(field, object(label, value.clone()))), found);
        }
    }
}

fn add(text: String, alone: Json, found: &mut Vec<Condition>) {
    if let Ok(alone) = parse(&alone) {
        found.push(Condition { text, alone });
    }
}

fn member<'a>(json: &'a Json, name: &str) -> Option<&'a Json> {
    let mut members = json.as_object()?.iter();
    members.find_map(|(known, value)| (known == name).then_some(value))
}

fn object(name: &str, value: Json) -> Json {
    Json::Object(vec![(name.to_owned(), value)])
}

/// A value of a filter, in words.
fn shown(value: &Json) -> String {
    const ENTRIES_MAX: usize = 4;
    match value {
        Json::String(text) => quoted(text),
        Json::Bool(value) => value.to_string(),
        Json::Integer(value) => value.to_string(),
        Json::Array(entries) => {
            let mut listed: Vec<String> = entries.iter().take(ENTRIES_MAX).map(shown).collect();
            if entries.len() > ENTRIES_MAX {
                listed.push("...".to_owned());
            }
            listed.join(", ")
        }
        Json::Object(members) => {
            let said = |(operator, value): &(String, Json)| match operator.as_str() {
                "regex" => format!("matching {}", shown(value)),
                "oneof" => format!("out of {}", shown(value)),
                _ => shown(value),
            };
            members.iter().map(said).collect()
        }
        Json::Null | Json::Number => String::new(),
    }
}

fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let start: String = text.chars().take(SHOWN_MAX).collect();
    let dots = if start.len() < text.len() { "..." } else { "" };
    format!("\"{}{dots}\"", start.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::super::TunnelProperties;
    use super::*;
    use crate::http::path::JudgedPath;

    fn unmet(boundary: serde_json::Value) -> Vec<String> {
        let json = crate::json::parse(boundary.to_string().as_bytes()).unwrap();
        parse(&json).unwrap();
        let tunnel = TunnelProperties {
            hostname: Some("app.example.com".to_owned()),
            labels: vec![("env".to_owned(), "prod".to_owned())],
            ..TunnelProperties::default()
        };
        let context = ConnectContext {
            project: "p1",
            workspace: "w1",
            tunnel: &tunnel,
            path: &JudgedPath {
                decoded: b"/",
                ambiguity: None,
            },
        };
        let all = conditions(&json).into_iter();
        all.filter(|one| !one.is_met(&context))
            .map(|one| one.text)
            .collect()
    }

    #[test]
    fn each_condition_is_found_wherever_it_stands_and_named_where_it_is_not_met() {
        use serde_json::json;
        let connect = |filters: serde_json::Value| json!({ "scopes": { "tunnels": { "connect": { "filters": filters, "params": { "path": "/a" } }, "list": { "filters": { "name": "x" } } } } });
        for (boundary, expected) in [
            (json!({ "projects": ["p1"] }), vec![]),
            (
                json!({ "projects": ["p2", "p3"] }),
                vec![r#"is in the projects "p2", "p3""#],
            ),
            (
                json!({ "AND": [{ "workspaces": ["w1"] }, { "OR": [{ "workspaces": ["w2"] }] }] }),
                vec![r#"is in the workspaces "w2""#],
            ),
            (
                connect(json!({ "hostname": "app.example.com", "labels": { "env": "prod" } })),
                vec![],
            ),
            (
                connect(
                    json!({ "hostname": "ap.example.com", "labels": { "env": { "oneof": ["a", "b", "c", "d", "e"] }, "hostname": "prod" } }),
                ),
                vec![
                    r#"has hostname "ap.example.com""#,
                    r#"has the label "env" out of "a", "b", "c", "d", ..."#,
                    r#"has the label "hostname" "prod""#,
                ],
            ),
            (
                connect(
                    json!({ "AND": [{ "name": { "regex": "^web" } }, { "OR": [{ "port": 443 }, { "token_auth": true }, { "type": { "exact": "bytestream" } }] }] }),
                ),
                vec![
                    r#"has name matching "^web""#,
                    "has port 443",
                    "has token_auth true",
                ],
            ),
            (
                connect(json!({ "trusted_ips": ["10.0.0.0/8"] })),
                vec![r#"has trusted_ips "10.0.0.0/8""#],
            ),
            (
                json!({ "scopes": { "tunnels": { "connect": false } } }),
                vec![],
            ),
        ] {
            assert_eq!(unmet(boundary.clone()), expected, "{boundary}");
        }
    }
}
