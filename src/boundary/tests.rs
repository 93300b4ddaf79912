use super::*;
use crate::http::path::Ambiguity;
use crate::json::{self, Json};

mod filters;
mod grammar;

fn tree(text: &str) -> Json {
    json::parse(text.as_bytes()).unwrap()
}

fn boundary(text: &str) -> Boundary {
    parse(&tree(text)).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn refusal(text: &str) -> Option<BoundaryError> {
    parse(&tree(text)).err()
}

/// A boundary whose only leaf asks this of `connect`.
fn connect(entry: &str) -> String {
    format!(r#"{{"scopes":{{"tunnels":{{"connect":{entry}}}}}}}"#)
}

fn path(rule: &str) -> String {
    connect(&format!(r#"{{"params":{{"path":{rule}}}}}"#))
}

fn filters(filter: &str) -> String {
    connect(&format!(r#"{{"filters":{filter}}}"#))
}

struct Request<'a> {
    project: &'a str,
    workspace: &'a str,
    tunnel: TunnelProperties,
    decoded: &'a [u8],
    ambiguity: Option<Ambiguity>,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Request {
            project: "p1",
            workspace: "w1",
            tunnel: TunnelProperties::default(),
            decoded: b"/",
            ambiguity: None,
        }
    }
}

impl<'a> Request<'a> {
    fn at(decoded: &'a str) -> Self {
        Request {
            decoded: decoded.as_bytes(),
            ..Request::default()
        }
    }

    fn ambiguous(self) -> Self {
        Request {
            ambiguity: Some(Ambiguity::DotSegment),
            ..self
        }
    }

    fn of(self, project: &'a str, workspace: &'a str) -> Self {
        Request {
            project,
            workspace,
            ..self
        }
    }

    fn on(tunnel: TunnelProperties) -> Self {
        Request {
            tunnel,
            ..Request::default()
        }
    }

    fn ask(&self, boundary: &str) -> Connect {
        self::boundary(boundary).connect(&ConnectContext {
            project: self.project,
            workspace: self.workspace,
            tunnel: &self.tunnel,
            path: &JudgedPath {
                decoded: self.decoded,
                ambiguity: self.ambiguity,
            },
        })
    }
}

#[test]
fn targets_name_projects_or_workspaces() {
    use Connect::{Allowed, OutsideBoundary};
    let request = Request::default();
    for (boundary, expected) in [
        (r#"{"projects":["p1"]}"#, Allowed),
        (r#"{"projects":["p2"]}"#, OutsideBoundary),
        (r#"{"projects":["p2","p1"]}"#, Allowed),
        (r#"{"projects":["P1"]}"#, OutsideBoundary),
        (r#"{"projects":["p1 "]}"#, OutsideBoundary),
        (r#"{"workspaces":["w1"]}"#, Allowed),
        (r#"{"workspaces":["p1"]}"#, OutsideBoundary),
        (
            r#"{"AND":[{"projects":["p1"]},{"workspaces":["w1"]}]}"#,
            Allowed,
        ),
        (
            r#"{"AND":[{"projects":["p1"]},{"workspaces":["w2"]}]}"#,
            OutsideBoundary,
        ),
        // Case 16: a tunnel has one project.
        (
            r#"{"AND":[{"projects":["p1"]},{"projects":["p2"]}]}"#,
            OutsideBoundary,
        ),
        (
            r#"{"OR":[{"projects":["p1"]},{"projects":["p2"]}]}"#,
            Allowed,
        ),
        (
            r#"{"OR":[{"projects":["p3"]},{"projects":["p2"]}]}"#,
            OutsideBoundary,
        ),
    ] {
        assert_eq!(request.ask(boundary), expected, "{boundary}");
    }
}

#[test]
fn a_tunnel_without_ids_is_in_no_list() {
    for boundary in [r#"{"projects":["p1"]}"#, r#"{"workspaces":["w1"]}"#] {
        let request = Request::default().of("", "");
        assert_eq!(request.ask(boundary), Connect::OutsideBoundary);
    }
    assert_eq!(
        Request::default().of("", "").ask(&connect("true")),
        Connect::Allowed
    );
}

#[test]
fn an_action_that_is_absent_or_false_is_denied() {
    use Connect::{Allowed, OutsideBoundary};
    for (boundary, expected) in [
        (connect("true"), Allowed),
        (connect("false"), OutsideBoundary),
        (connect("{}"), Allowed),
        (connect(r#"{"params":{}}"#), Allowed),
        // Case 15.
        (
            r#"{"scopes":{"tunnels":{"list":true}}}"#.into(),
            OutsideBoundary,
        ),
        (
            r#"{"scopes":{"tunnels":{"create":true,"list":{}}}}"#.into(),
            OutsideBoundary,
        ),
        (
            r#"{"scopes":{"tunnels":{"create":false,"connect":true}}}"#.into(),
            Allowed,
        ),
    ] {
        assert_eq!(Request::default().ask(&boundary), expected, "{boundary}");
    }
}

#[test]
fn paths() {
    use Connect::{Allowed, PathOutsideBoundary};
    for (rule, at, expected) in [
        // Case 13.
        (r#"{"exact":"/ping"}"#, "/ping", Allowed),
        (r#"{"exact":"/ping"}"#, "/private", PathOutsideBoundary),
        (r#""/ping""#, "/ping", Allowed),
        (r#""/ping""#, "/ping/", PathOutsideBoundary),
        (r#""/ping""#, "/Ping", PathOutsideBoundary),
        // Case 14.
        (r#"{"regex":"^/api"}"#, "/api/x", Allowed),
        (r#"{"regex":"^/api"}"#, "/x/api", PathOutsideBoundary),
        (r#"{"regex":"api"}"#, "/x/api", Allowed),
        (r#"{"oneof":["/a","/b"]}"#, "/b", Allowed),
        (r#"{"oneof":["/a","/b"]}"#, "/c", PathOutsideBoundary),
        (r#"{"oneof":[]}"#, "", PathOutsideBoundary),
        (
            r#"{"AND":[{"regex":"^/a"},{"regex":"z$"}]}"#,
            "/a/z",
            Allowed,
        ),
        (
            r#"{"AND":[{"regex":"^/a"},{"regex":"z$"}]}"#,
            "/a/y",
            PathOutsideBoundary,
        ),
        (r#"{"OR":["/a",{"AND":["/b"]}]}"#, "/b", Allowed),
        (
            r#"{"OR":["/a",{"AND":["/b","/c"]}]}"#,
            "/b",
            PathOutsideBoundary,
        ),
    ] {
        assert_eq!(Request::at(at).ask(&path(rule)), expected, "{rule} {at}");
    }
}

#[test]
fn an_ambiguous_path_meets_no_rule_and_harms_no_other_leaf() {
    let any = path(r#"{"regex":""}"#);
    assert_eq!(Request::at("/api").ask(&any), Connect::Allowed);
    assert_eq!(
        Request::at("/api").ambiguous().ask(&any),
        Connect::PathAmbiguous
    );
    assert_eq!(
        Request::at("/api").ambiguous().ask(&connect("true")),
        Connect::Allowed
    );

    let other = r#"{"projects":["p2"]}"#;
    let mine = r#"{"projects":["p1"]}"#;
    for (parts, expected) in [
        ([any.as_str(), other], Connect::PathAmbiguous),
        ([any.as_str(), mine], Connect::Allowed),
    ] {
        let [first, second] = parts;
        for boundary in [
            format!(r#"{{"OR":[{first},{second}]}}"#),
            format!(r#"{{"OR":[{second},{first}]}}"#),
        ] {
            let request = Request::at("/api").ambiguous();
            assert_eq!(request.ask(&boundary), expected, "{boundary}");
        }
    }
    for boundary in [
        format!(r#"{{"AND":[{any},{other}]}}"#),
        format!(r#"{{"AND":[{other},{any}]}}"#),
    ] {
        let request = Request::at("/api").ambiguous();
        assert_eq!(
            request.ask(&boundary),
            Connect::OutsideBoundary,
            "{boundary}"
        );
    }
}

/// Case 17: the path of one branch and the project of another allow nothing together.
#[test]
fn target_filter_and_path_are_judged_within_one_leaf() {
    let leaf = |project: &str, rule: &str| {
        format!(
            r#"{{"projects":["{project}"],"scopes":{{"tunnels":{{"connect":{{"params":{{"path":{rule}}}}}}}}}}}"#
        )
    };
    let (a, b) = (leaf("p2", r#"{"regex":"."}"#), leaf("p1", r#""/a""#));
    for boundary in [
        format!(r#"{{"OR":[{a},{b}]}}"#),
        format!(r#"{{"OR":[{b},{a}]}}"#),
    ] {
        assert_eq!(
            Request::at("/b").ask(&boundary),
            Connect::PathOutsideBoundary
        );
        assert_eq!(Request::at("/a").ask(&boundary), Connect::Allowed);
        let elsewhere = Request::at("/a").of("p3", "w1");
        assert_eq!(elsewhere.ask(&boundary), Connect::OutsideBoundary);
    }
}

#[test]
fn a_path_rule_is_seen_wherever_it_stands() {
    assert!(boundary(&path(r#""/a""#)).has_path_rule());
    let far = format!(r#"{{"OR":[{{"projects":["p1"]}},{}]}}"#, path(r#""/a""#));
    assert!(boundary(&far).has_path_rule());
    assert!(!boundary(r#"{"OR":[{"projects":["p1"]}]}"#).has_path_rule());
    assert!(!boundary(&filters(r#"{"name":"/a"}"#)).has_path_rule());
}

#[test]
fn connecting_somewhere() {
    for (text, expected) in [
        (r#"{"projects":["p1"]}"#.to_owned(), true),
        (
            r#"{"AND":[{"projects":["p1"]},{"projects":["p2"]}]}"#.into(),
            false,
        ),
        (
            r#"{"AND":[{"projects":["p1","p2"]},{"projects":["p2","p3"]}]}"#.into(),
            true,
        ),
        (
            r#"{"AND":[{"projects":["p1"]},{"workspaces":["w1"]}]}"#.into(),
            true,
        ),
        (
            r#"{"AND":[{"workspaces":["w1"]},{"workspaces":["w2"]}]}"#.into(),
            false,
        ),
        (r#"{"scopes":{"tunnels":{"list":true}}}"#.into(), false),
        (connect("true"), true),
        (connect("false"), false),
        (path(r#"{"oneof":[]}"#), false),
        (path(r#"{"OR":[{"oneof":[]},"/a"]}"#), true),
        (filters(r#"{"name":{"oneof":[]}}"#), false),
        (filters(r#"{"name":{"oneof":["a"]}}"#), true),
        (
            format!(r#"{{"AND":[{{"projects":["p1"]}},{}]}}"#, connect("false")),
            false,
        ),
        (
            format!(r#"{{"OR":[{{"projects":["p1"]}},{}]}}"#, connect("false")),
            true,
        ),
    ] {
        assert_eq!(
            boundary(&text).allows_connect_somewhere(),
            expected,
            "{text}"
        );
    }
}
