//! Whether a boundary allows an action that this edge does not judge: asked before a token is minted.

use super::{Boundary, BoundaryError, parse};
use crate::json::Json;

/// The boundary with connecting in the place of another action, `create` or `list`; that action's filters count as met.
pub fn as_if_connecting(boundary: &Json, action: &str) -> Result<Boundary, BoundaryError> {
    parse(boundary)?;
    parse(&put(boundary, action))
}

fn put(tree: &Json, action: &str) -> Json {
    let Json::Object(members) = tree else {
        return tree.clone();
    };
    let member = |(name, value): &(String, Json)| {
        let value = match (name.as_str(), value) {
            ("AND" | "OR", Json::Array(children)) => {
                Json::Array(children.iter().map(|child| put(child, action)).collect())
            }
            ("scopes", scopes) => of_scopes(scopes, action),
            (_, value) => value.clone(),
        };
        (name.clone(), value)
    };
    Json::Object(members.iter().map(member).collect())
}

fn of_scopes(scopes: &Json, action: &str) -> Json {
    let tunnels = scopes.as_object().and_then(|scopes| scopes.first());
    let actions = tunnels.and_then(|(_, actions)| actions.as_object());
    let allowed = actions.is_some_and(|actions| {
        let mut actions = actions.iter();
        actions.any(|(name, value)| name == action && *value != Json::Bool(false))
    });
    let connect = vec![("connect".to_owned(), Json::Bool(allowed))];
    Json::Object(vec![("tunnels".to_owned(), Json::Object(connect))])
}
