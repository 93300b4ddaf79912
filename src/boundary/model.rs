//! A naive reading of boundaries: written from the rules alone, over data that is not compiled. `generated.rs` below
//! it holds the evaluator against it.

use serde_json::{Value, json};

use super::*;
use crate::http::path::judge;

mod generated;

pub(crate) use generated::{model, request};

/// What a rule is about, or such things joined.
#[derive(Clone, Debug)]
pub(crate) enum Joined<T> {
    And(Vec<Joined<T>>),
    Or(Vec<Joined<T>>),
    One(T),
}

impl<T> Joined<T> {
    fn holds(&self, one: &dyn Fn(&T) -> bool) -> bool {
        match self {
            Joined::And(all) => all.iter().all(|joined| joined.holds(one)),
            Joined::Or(any) => any.iter().any(|joined| joined.holds(one)),
            Joined::One(inner) => one(inner),
        }
    }

    fn json(&self, one: &dyn Fn(&T) -> Value) -> Value {
        let all = |list: &[Joined<T>]| {
            list.iter()
                .map(|joined| joined.json(one))
                .collect::<Value>()
        };
        match self {
            Joined::And(list) => json!({ "AND": all(list) }),
            Joined::Or(list) => json!({ "OR": all(list) }),
            Joined::One(inner) => one(inner),
        }
    }
}

/// A boundary.
#[derive(Clone, Debug)]
pub(crate) struct Model(pub(crate) Joined<ModelLeaf>);

#[derive(Clone, Debug)]
pub(crate) struct ModelLeaf {
    target: ModelTarget,
    connect: ModelConnect,
}

#[derive(Clone, Debug)]
enum ModelTarget {
    Everywhere,
    Projects(Vec<&'static str>),
    Workspaces(Vec<&'static str>),
}

#[derive(Clone, Debug)]
enum ModelConnect {
    NoScopes,
    ListOnly,
    Bool(bool),
    Rules {
        filter: Option<Joined<ModelFilter>>,
        path: Option<Joined<Text>>,
    },
}

/// One filter object; what is `None` is not in it.
#[derive(Clone, Debug, Default)]
struct ModelFilter {
    name: Option<Text>,
    hostname: Option<Text>,
    workspace_id: Option<Text>,
    token_auth: Option<bool>,
    env: Option<Text>,
    tier: Option<Text>,
}

#[derive(Clone, Debug)]
enum Text {
    Exact(&'static str),
    OneOf(Vec<&'static str>),
    Begins(&'static str),
}

impl Text {
    fn json(&self) -> Value {
        match self {
            Text::Exact(text) => json!(text),
            Text::OneOf(texts) => json!({ "oneof": texts }),
            Text::Begins(text) => json!({ "regex": format!("^{text}") }),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Text::Exact(wanted) => text == *wanted,
            Text::OneOf(wanted) => wanted.contains(&text),
            Text::Begins(wanted) => text.starts_with(wanted),
        }
    }
}

/// A path as it is sent, as it is decoded, and whether it can be read as another.
type ModelPath = (&'static str, &'static str, bool);

/// A tunnel and the path that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct ModelRequest {
    pub(crate) project: &'static str,
    pub(crate) workspace: &'static str,
    name: Option<&'static str>,
    hostname: Option<&'static str>,
    token_auth: bool,
    env: Option<&'static str>,
    tier: Option<&'static str>,
    path: ModelPath,
}

impl ModelRequest {
    pub(crate) fn raw_path(&self) -> &'static str {
        self.path.0
    }

    pub(crate) fn tunnel(&self) -> TunnelProperties {
        let labels = [("env", self.env), ("tier", self.tier), ("other", Some("x"))];
        let labels = labels.into_iter();
        TunnelProperties {
            name: self.name.map(str::to_owned),
            hostname: self.hostname.map(str::to_owned),
            token_auth: self.token_auth,
            labels: labels
                .filter_map(|(label, value)| Some((label.to_owned(), value?.to_owned())))
                .collect(),
            ..TunnelProperties::default()
        }
    }
}

impl ModelFilter {
    fn json(&self) -> Value {
        let mut filter = json!({});
        for (name, rule) in [
            ("name", &self.name),
            ("hostname", &self.hostname),
            ("workspace_id", &self.workspace_id),
        ] {
            if let Some(rule) = rule {
                filter[name] = rule.json();
            }
        }
        if let Some(token_auth) = self.token_auth {
            filter["token_auth"] = json!(token_auth);
        }
        for (label, rule) in [("env", &self.env), ("tier", &self.tier)] {
            if let Some(rule) = rule {
                filter["labels"][label] = rule.json();
            }
        }
        filter
    }

    fn matches(&self, request: &ModelRequest) -> bool {
        let fits = |rule: &Option<Text>, value: Option<&str>| match (rule, value) {
            (None, _) => true,
            (Some(rule), Some(value)) => rule.matches(value),
            (Some(_), None) => false,
        };
        fits(&self.name, request.name)
            && fits(&self.hostname, request.hostname)
            && fits(&self.workspace_id, Some(request.workspace))
            && fits(&self.env, request.env)
            && fits(&self.tier, request.tier)
            && self
                .token_auth
                .is_none_or(|wanted| wanted == request.token_auth)
    }
}

impl ModelLeaf {
    fn json(&self) -> Value {
        let mut leaf = match &self.target {
            ModelTarget::Everywhere => json!({}),
            ModelTarget::Projects(ids) => json!({ "projects": ids }),
            ModelTarget::Workspaces(ids) => json!({ "workspaces": ids }),
        };
        let actions = match &self.connect {
            ModelConnect::NoScopes => return leaf,
            ModelConnect::ListOnly => json!({ "list": true }),
            ModelConnect::Bool(value) => json!({ "connect": value }),
            ModelConnect::Rules { filter, path } => {
                let mut connect = json!({});
                if let Some(filter) = filter {
                    connect["filters"] = filter.json(&ModelFilter::json);
                }
                if let Some(path) = path {
                    connect["params"] = json!({ "path": path.json(&Text::json) });
                }
                json!({ "connect": connect })
            }
        };
        leaf["scopes"] = json!({ "tunnels": actions });
        leaf
    }

    fn allows(&self, request: &ModelRequest, paths: bool) -> bool {
        let target = match &self.target {
            ModelTarget::Everywhere => true,
            ModelTarget::Projects(ids) => ids.contains(&request.project),
            ModelTarget::Workspaces(ids) => ids.contains(&request.workspace),
        };
        let (_, decoded, ambiguous) = request.path;
        target
            && match &self.connect {
                ModelConnect::NoScopes => true,
                ModelConnect::ListOnly => false,
                ModelConnect::Bool(value) => *value,
                ModelConnect::Rules { filter, path } => {
                    let filter = filter.as_ref();
                    let filter = filter.is_none_or(|joined| {
                        joined.holds(&|filter: &ModelFilter| filter.matches(request))
                    });
                    let path = path.as_ref().is_none_or(|joined| {
                        !paths || (!ambiguous && joined.holds(&|rule: &Text| rule.matches(decoded)))
                    });
                    filter && path
                }
            }
    }
}

impl Model {
    pub(crate) fn json(&self) -> Value {
        self.0.json(&ModelLeaf::json)
    }

    pub(crate) fn verdict(&self, request: &ModelRequest) -> Connect {
        // Whether rules for paths are judged, or taken as met.
        let allows = |paths| {
            self.0
                .holds(&|leaf: &ModelLeaf| leaf.allows(request, paths))
        };
        match (allows(true), allows(false)) {
            (true, _) => Connect::Allowed,
            (false, true) if request.path.2 => Connect::PathAmbiguous,
            (false, true) => Connect::PathOutsideBoundary,
            (false, false) => Connect::OutsideBoundary,
        }
    }
}

/// What the evaluator says.
fn evaluate(boundary: &Json, request: &ModelRequest) -> Connect {
    let boundary = parse(boundary).unwrap();
    let mut scratch = Vec::new();
    boundary.connect(&ConnectContext {
        project: request.project,
        workspace: request.workspace,
        tunnel: &request.tunnel(),
        path: &judge(request.raw_path().as_bytes(), &mut scratch, false),
    })
}

fn tree(model: &Model) -> Json {
    crate::json::parse(model.json().to_string().as_bytes()).unwrap()
}
