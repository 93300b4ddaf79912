//! The evaluator against a naive one: written from the rules alone, over data that is not compiled.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::http::path::Ambiguity;
use crate::json;

const PROJECTS: [&str; 3] = ["p1", "p2", "p3"];
const WORKSPACES: [&str; 2] = ["w1", "w2"];
const NAMES: [&str; 2] = ["web", "api"];
const PATHS: [&str; 5] = ["/", "/a", "/a/b", "/b", "/ab"];

#[derive(Clone, Debug)]
enum Model {
    And(Vec<Model>),
    Or(Vec<Model>),
    Leaf {
        projects: Option<Vec<&'static str>>,
        workspaces: Option<Vec<&'static str>>,
        connect: ModelConnect,
    },
}

#[derive(Clone, Debug)]
enum ModelConnect {
    NoScopes,
    ListOnly,
    Bool(bool),
    Rules {
        name: Option<&'static str>,
        token_auth: Option<bool>,
        path: Option<ModelPath>,
    },
}

#[derive(Clone, Debug)]
enum ModelPath {
    Exact(&'static str),
    OneOf(Vec<&'static str>),
    Begins(&'static str),
    And(Vec<ModelPath>),
    Or(Vec<ModelPath>),
}

#[derive(Clone, Debug)]
struct ModelRequest {
    project: &'static str,
    workspace: &'static str,
    name: Option<&'static str>,
    token_auth: bool,
    path: &'static str,
    ambiguous: bool,
}

impl ModelPath {
    fn json(&self) -> Value {
        let all = |paths: &[ModelPath]| paths.iter().map(ModelPath::json).collect::<Vec<_>>();
        match self {
            ModelPath::Exact(path) => json!(path),
            ModelPath::OneOf(paths) => json!({ "oneof": paths }),
            ModelPath::Begins(path) => json!({ "regex": format!("^{path}") }),
            ModelPath::And(paths) => json!({ "AND": all(paths) }),
            ModelPath::Or(paths) => json!({ "OR": all(paths) }),
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            ModelPath::Exact(wanted) => path == *wanted,
            ModelPath::OneOf(wanted) => wanted.contains(&path),
            ModelPath::Begins(wanted) => path.starts_with(wanted),
            ModelPath::And(paths) => paths.iter().all(|one| one.matches(path)),
            ModelPath::Or(paths) => paths.iter().any(|one| one.matches(path)),
        }
    }
}

impl Model {
    fn json(&self) -> Value {
        let all = |models: &[Model]| models.iter().map(Model::json).collect::<Vec<_>>();
        match self {
            Model::And(models) => json!({ "AND": all(models) }),
            Model::Or(models) => json!({ "OR": all(models) }),
            Model::Leaf {
                projects,
                workspaces,
                connect,
            } => {
                let mut leaf = json!({});
                if let Some(projects) = projects {
                    leaf["projects"] = json!(projects);
                }
                if let Some(workspaces) = workspaces {
                    leaf["workspaces"] = json!(workspaces);
                }
                if let Some(scopes) = connect.scopes() {
                    leaf["scopes"] = json!({ "tunnels": scopes });
                }
                leaf
            }
        }
    }

    /// `paths`: whether path rules are judged, or taken as met.
    fn allows(&self, request: &ModelRequest, paths: bool) -> bool {
        match self {
            Model::And(models) => models.iter().all(|one| one.allows(request, paths)),
            Model::Or(models) => models.iter().any(|one| one.allows(request, paths)),
            Model::Leaf {
                projects,
                workspaces,
                connect,
            } => {
                projects
                    .as_ref()
                    .is_none_or(|ids| ids.contains(&request.project))
                    && workspaces
                        .as_ref()
                        .is_none_or(|ids| ids.contains(&request.workspace))
                    && connect.allows(request, paths)
            }
        }
    }

    fn verdict(&self, request: &ModelRequest) -> Connect {
        match (self.allows(request, true), self.allows(request, false)) {
            (true, _) => Connect::Allowed,
            (false, true) if request.ambiguous => Connect::PathAmbiguous,
            (false, true) => Connect::PathOutsideBoundary,
            (false, false) => Connect::OutsideBoundary,
        }
    }

    /// The same with every list of children turned round.
    fn reversed(&self) -> Model {
        let all = |models: &[Model]| models.iter().rev().map(Model::reversed).collect();
        match self {
            Model::And(models) => Model::And(all(models)),
            Model::Or(models) => Model::Or(all(models)),
            leaf @ Model::Leaf { .. } => leaf.clone(),
        }
    }
}

impl ModelConnect {
    fn scopes(&self) -> Option<Value> {
        match self {
            ModelConnect::NoScopes => None,
            ModelConnect::ListOnly => Some(json!({ "list": true })),
            ModelConnect::Bool(value) => Some(json!({ "connect": value })),
            ModelConnect::Rules {
                name,
                token_auth,
                path,
            } => {
                let mut filters = json!({});
                if let Some(name) = name {
                    filters["name"] = json!(name);
                }
                if let Some(token_auth) = token_auth {
                    filters["token_auth"] = json!(token_auth);
                }
                let mut connect = json!({ "filters": filters });
                if let Some(path) = path {
                    connect["params"] = json!({ "path": path.json() });
                }
                Some(json!({ "connect": connect }))
            }
        }
    }

    fn allows(&self, request: &ModelRequest, paths: bool) -> bool {
        match self {
            ModelConnect::NoScopes => true,
            ModelConnect::ListOnly => false,
            ModelConnect::Bool(value) => *value,
            ModelConnect::Rules {
                name,
                token_auth,
                path,
            } => {
                name.is_none_or(|name| request.name == Some(name))
                    && token_auth.is_none_or(|wanted| wanted == request.token_auth)
                    && path.as_ref().is_none_or(|path| {
                        !paths || (!request.ambiguous && path.matches(request.path))
                    })
            }
        }
    }
}

fn some_of(ids: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(ids), 1..3)
}

fn model_path() -> impl Strategy<Value = ModelPath> {
    let one = || prop::sample::select(&PATHS[..]);
    let leaf = prop_oneof![
        one().prop_map(ModelPath::Exact),
        prop::collection::vec(one(), 0..3).prop_map(ModelPath::OneOf),
        one().prop_map(ModelPath::Begins),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(ModelPath::And),
            prop::collection::vec(inner, 1..3).prop_map(ModelPath::Or),
        ]
    })
}

fn model_connect() -> impl Strategy<Value = ModelConnect> {
    let rules = (
        prop::option::of(prop::sample::select(&NAMES[..])),
        prop::option::of(any::<bool>()),
        prop::option::weighted(0.7, model_path()),
    )
        .prop_map(|(name, token_auth, path)| ModelConnect::Rules {
            name,
            token_auth,
            path,
        });
    prop_oneof![
        1 => Just(ModelConnect::ListOnly),
        1 => any::<bool>().prop_map(ModelConnect::Bool),
        5 => rules,
    ]
}

fn model() -> impl Strategy<Value = Model> {
    let scoped = (
        0..3,
        some_of(&PROJECTS),
        some_of(&WORKSPACES),
        model_connect(),
    )
        .prop_map(|(target, projects, workspaces, connect)| Model::Leaf {
            projects: (target == 1).then_some(projects),
            workspaces: (target == 2).then_some(workspaces),
            connect,
        });
    let unscoped = some_of(&PROJECTS).prop_map(|projects| Model::Leaf {
        projects: Some(projects),
        workspaces: None,
        connect: ModelConnect::NoScopes,
    });
    prop_oneof![4 => scoped, 1 => unscoped].prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Model::And),
            prop::collection::vec(inner, 1..4).prop_map(Model::Or),
        ]
    })
}

fn model_request() -> impl Strategy<Value = ModelRequest> {
    (
        prop::sample::select(&PROJECTS[..]),
        prop::sample::select(&WORKSPACES[..]),
        prop::option::of(prop::sample::select(&NAMES[..])),
        any::<bool>(),
        prop::sample::select(&PATHS[..]),
        prop::bool::weighted(0.2),
    )
        .prop_map(
            |(project, workspace, name, token_auth, path, ambiguous)| ModelRequest {
                project,
                workspace,
                name,
                token_auth,
                path,
                ambiguous,
            },
        )
}

fn evaluate(model: &Model, request: &ModelRequest) -> Connect {
    let text = model.json().to_string();
    let boundary = parse(&json::parse(text.as_bytes()).unwrap()).unwrap();
    let tunnel = TunnelProperties {
        name: request.name.map(str::to_owned),
        token_auth: request.token_auth,
        ..TunnelProperties::default()
    };
    boundary.connect(&ConnectContext {
        project: request.project,
        workspace: request.workspace,
        tunnel: &tunnel,
        path: &JudgedPath {
            decoded: request.path.as_bytes(),
            ambiguity: request.ambiguous.then_some(Ambiguity::Percent),
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_naive_evaluator(model in model(), request in model_request()) {
        prop_assert_eq!(evaluate(&model, &request), model.verdict(&request));
    }

    #[test]
    fn the_order_of_children_changes_nothing(model in model(), request in model_request()) {
        prop_assert_eq!(evaluate(&model, &request), evaluate(&model.reversed(), &request));
    }

    /// What connects here connects somewhere.
    #[test]
    fn somewhere_covers_here(model in model(), request in model_request()) {
        let text = model.json().to_string();
        let boundary = parse(&json::parse(text.as_bytes()).unwrap()).unwrap();
        if model.verdict(&request) == Connect::Allowed {
            prop_assert!(boundary.allows_connect_somewhere());
        }
    }
}
