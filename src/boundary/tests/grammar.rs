use super::*;
use crate::http::path_boundary::PatternError;
use crate::limits::{
    BOUNDARY_DEPTH_MAX, BOUNDARY_LIST_MAX, BOUNDARY_NODES_MAX, PATTERN_BYTES_MAX, PATTERNS_MAX,
};

#[test]
fn targets_and_scopes_that_are_refused() {
    use BoundaryError::{Empty, KeysClash, MissingKey, NotAnObject, UnknownKey, WrongType};
    for (text, error) in [
        ("null".to_owned(), NotAnObject),
        ("true".into(), NotAnObject),
        (r#""all""#.into(), NotAnObject),
        (r#"[{"projects":["p1"]}]"#.into(), NotAnObject),
        ("{}".into(), MissingKey),
        (r#"{"project":["p1"]}"#.into(), UnknownKey),
        (r#"{"projects":["p1"],"x":1}"#.into(), UnknownKey),
        (r#"{"projects":[]}"#.into(), Empty),
        (r#"{"projects":[""]}"#.into(), Empty),
        (r#"{"projects":"p1"}"#.into(), WrongType),
        (r#"{"projects":[1]}"#.into(), WrongType),
        (r#"{"projects":null}"#.into(), WrongType),
        (
            r#"{"projects":["p1"],"workspaces":["w1"]}"#.into(),
            KeysClash,
        ),
        (r#"{"AND":[]}"#.into(), Empty),
        (r#"{"OR":[]}"#.into(), Empty),
        (r#"{"AND":{"projects":["p1"]}}"#.into(), WrongType),
        (
            r#"{"AND":[{"projects":["p1"]}],"projects":["p1"]}"#.into(),
            KeysClash,
        ),
        (
            r#"{"AND":[{"projects":["p1"]}],"OR":[{"projects":["p1"]}]}"#.into(),
            KeysClash,
        ),
        (r#"{"OR":[{"projects":["p1"]},{}]}"#.into(), MissingKey),
        (r#"{"and":[{"projects":["p1"]}]}"#.into(), UnknownKey),
        (r#"{"NOT":[{"projects":["p1"]}]}"#.into(), UnknownKey),
        (r#"{"scopes":{}}"#.into(), MissingKey),
        (r#"{"scopes":{"webtty":{}}}"#.into(), UnknownKey),
        (
            r#"{"scopes":{"tunnels":{"connect":true},"webtty":{}}}"#.into(),
            UnknownKey,
        ),
        (r#"{"scopes":{"tunnels":{}}}"#.into(), MissingKey),
        (r#"{"scopes":{"tunnels":true}}"#.into(), NotAnObject),
        (
            r#"{"scopes":{"tunnels":{"delete":true}}}"#.into(),
            UnknownKey,
        ),
    ] {
        assert_eq!(refusal(&text), Some(error), "{text}");
    }
}

#[test]
fn actions_and_rules_that_are_refused() {
    use BoundaryError::{
        BadEntry, Empty, FieldNotAllowed, KeysClash, MissingKey, NotAnObject, UnknownKey, WrongType,
    };
    let create = |entry: &str| format!(r#"{{"scopes":{{"tunnels":{{"create":{entry}}}}}}}"#);
    let list = |entry: &str| format!(r#"{{"scopes":{{"tunnels":{{"list":{entry}}}}}}}"#);
    let pattern = BoundaryError::Pattern(PatternError::Syntax);
    for (text, error) in [
        (connect("null"), NotAnObject),
        (connect("1"), NotAnObject),
        (connect("[]"), NotAnObject),
        (connect(r#"{"select":{}}"#), UnknownKey),
        (connect(r#"{"params":{"method":"GET"}}"#), UnknownKey),
        (connect(r#"{"params":{"path":"/a","x":1}}"#), UnknownKey),
        (path("{}"), MissingKey),
        (path("null"), NotAnObject),
        (path(r#"["/a"]"#), NotAnObject),
        (path(r#"{"prefix":"/a"}"#), UnknownKey),
        (path(r#"{"exact":"/a","regex":"/a"}"#), KeysClash),
        (path(r#"{"exact":1}"#), WrongType),
        (path(r#"{"oneof":"/a"}"#), WrongType),
        (path(r#"{"oneof":[null]}"#), WrongType),
        (path(r#"{"regex":"("}"#), pattern),
        (path(r#"{"AND":[]}"#), Empty),
        (path(r#"{"OR":["/a"],"exact":"/b"}"#), KeysClash),
        (filters("[]"), NotAnObject),
        (filters(r#"{"colour":"red"}"#), UnknownKey),
        (filters(r#"{"name":true}"#), NotAnObject),
        (filters(r#"{"publish":"true"}"#), WrongType),
        (filters(r#"{"publish":{"exact":true}}"#), WrongType),
        (filters(r#"{"port":"443"}"#), WrongType),
        (filters(r#"{"port":443.0}"#), WrongType),
        (filters(r#"{"labels":["a"]}"#), NotAnObject),
        (filters(r#"{"labels":{"a":1}}"#), NotAnObject),
        (filters(r#"{"trusted_ips":"10.0.0.1"}"#), WrongType),
        (filters(r#"{"trusted_ips":["10.0.0.1/33"]}"#), BadEntry),
        (filters(r#"{"geo_ip":["DEU"]}"#), BadEntry),
        (filters(r#"{"OR":[{"name":"a"}],"name":"a"}"#), KeysClash),
        (create(r#"{"params":{"path":"/a"}}"#), UnknownKey),
        (
            create(r#"{"filters":{"project_id":"p1"}}"#),
            FieldNotAllowed,
        ),
        (
            create(r#"{"filters":{"AND":[{"status":"online"}]}}"#),
            FieldNotAllowed,
        ),
        (create(r#"{"filters":{"name":{"regex":"("}}}"#), pattern),
        (list(r#"{"params":{}}"#), UnknownKey),
        (list(r#"{"select":{"colour":true}}"#), UnknownKey),
        (list(r#"{"select":{"name":1}}"#), WrongType),
        (list(r#"{"filters":{"x":1}}"#), UnknownKey),
    ] {
        assert_eq!(refusal(&text), Some(error), "{text}");
    }
}

/// The twins of the refusals above that are one step inside.
#[test]
fn what_the_grammar_takes() {
    for text in [
        r#"{"scopes":{"tunnels":{"create":{"filters":{"name":"a"}}}}}"#,
        r#"{"scopes":{"tunnels":{"create":{},"connect":false}}}"#,
        r#"{"scopes":{"tunnels":{"list":{"select":{"name":true,"labels":false},"filters":{"status":"online"}}}}}"#,
        r#"{"workspaces":["w1"],"scopes":{"tunnels":{"list":{"select":{}}}}}"#,
    ] {
        assert_eq!(refusal(text), None, "{text}");
    }
}

#[test]
fn limits() {
    let nested = |depth: usize| {
        let (open, close) = (r#"{"AND":["#.repeat(depth), "]}".repeat(depth));
        format!(r#"{open}{{"projects":["p"]}}{close}"#)
    };
    // The strict JSON reader stops sixteen levels of objects in lists, so the tree is made by hand.
    let mut deep = tree(&nested(1));
    for _ in 1..BOUNDARY_DEPTH_MAX {
        deep = Json::Object(vec![("OR".into(), Json::Array(vec![deep]))]);
    }
    assert!(parse(&deep).is_ok());
    deep = Json::Object(vec![("OR".into(), Json::Array(vec![deep]))]);
    assert_eq!(parse(&deep).err(), Some(BoundaryError::TooDeep));

    let list = |count: usize| format!(r#"{{"projects":["p"{}]}}"#, r#","p""#.repeat(count - 1));
    assert_eq!(refusal(&list(BOUNDARY_LIST_MAX)), None);
    assert_eq!(
        refusal(&list(BOUNDARY_LIST_MAX + 1)),
        Some(BoundaryError::ListTooLong)
    );

    // Lists of leaves and the three operators that hold them.
    let nodes = |count: usize| {
        let any = |leaves: usize| {
            let leaves = vec![r#"{"projects":["p"]}"#; leaves];
            format!(r#"{{"OR":[{}]}}"#, leaves.join(","))
        };
        format!(r#"{{"OR":[{},{}]}}"#, any(256), any(count - 256 - 3))
    };
    assert_eq!(refusal(&nodes(BOUNDARY_NODES_MAX)), None);
    assert_eq!(
        refusal(&nodes(BOUNDARY_NODES_MAX + 1)),
        Some(BoundaryError::TooManyNodes)
    );

    let pattern = |bytes: usize| path(&format!(r#"{{"regex":"^{}"}}"#, "a".repeat(bytes - 1)));
    assert_eq!(refusal(&pattern(PATTERN_BYTES_MAX)), None);
    let too_long = BoundaryError::Pattern(PatternError::TooLong);
    assert_eq!(refusal(&pattern(PATTERN_BYTES_MAX + 1)), Some(too_long));
}

#[test]
fn patterns_are_counted_over_paths_labels_and_every_action() {
    let patterns = |paths: usize| {
        let list: Vec<String> = (0..paths)
            .map(|n| format!(r#"{{"regex":"^/{n}"}}"#))
            .collect();
        format!(
            r#"{{"scopes":{{"tunnels":{{
                "create":{{"filters":{{"name":{{"regex":"^c"}}}}}},
                "list":{{"filters":{{"labels":{{"a":{{"regex":"^l"}},"b":{{"regex":"^/0"}}}}}}}},
                "connect":{{"params":{{"path":{{"OR":[{}]}}}}}}}}}}}}"#,
            list.join(",")
        )
    };
    assert_eq!(refusal(&patterns(PATTERNS_MAX - 2)), None);
    let too_many = BoundaryError::Pattern(PatternError::TooMany);
    assert_eq!(refusal(&patterns(PATTERNS_MAX - 1)), Some(too_many));
}

#[test]
fn memory_grows_with_what_is_kept() {
    let small = boundary(r#"{"projects":["p1"]}"#).bytes();
    let ids = boundary(&format!(r#"{{"projects":["{}"]}}"#, "p".repeat(1000))).bytes();
    let pattern = |regex: &str| boundary(&path(&format!(r#"{{"regex":"{regex}"}}"#))).bytes();
    let (beginning, automaton) = (pattern("^/api"), pattern("^/api/[a-z]+"));
    assert!(ids >= small + 990 && automaton > small + 500);
    assert!(beginning > small && beginning < small + 250, "{beginning}");
}

/// Snapshots are made on another thread than the one that uses them.
#[test]
fn boundaries_may_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<Boundary>();
}
