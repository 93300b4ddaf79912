//! Boundaries: which projects, tunnels and paths a credential may touch.
//!
//! Owns: the grammar of `resources.tunnels` ([`parse`]), its compiled form ([`Boundary`]) and the one question this
//! edge asks of it: may this credential connect to this tunnel at this path ([`Boundary::connect`]). A strict JSON tree
//! comes in, then a [`ConnectContext`] per request; a [`Connect`] goes out. Refuses every boundary it does not wholly
//! understand: unknown keys, empty lists, patterns over the limits. A boundary that is not understood never means
//! "everything".
//!
//! Invariants: the target, the filters and the path are judged within one leaf, never collected across branches; the
//! answer and its reason do not depend on the order of children (S2); evaluation allocates nothing.
//!
//! Tested in `tests.rs` (grammar and cases) and `model.rs` (against a naive evaluator).

mod action;
mod doubts;
mod explain;
mod filter;
mod grammar;
#[cfg(test)]
pub(crate) mod model;
pub mod normal;
mod properties;
#[cfg(test)]
mod tests;
mod unmet;

pub use action::as_if_connecting;
pub use doubts::{Doubt, doubts};
pub use explain::LeafAnswer;
pub use grammar::parse;
pub use properties::TunnelProperties;
pub use unmet::{Condition, conditions};

use std::fmt;

use crate::http::path::JudgedPath;
use crate::http::path_boundary::{PathBoundary, PatternError, Tree};
use crate::json::Json;
use filter::Filter;

/// A compiled boundary.
#[derive(Debug)]
pub struct Boundary {
    root: Tree<Leaf>,
    has_path_rule: bool,
    bytes: usize,
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub struct ConnectContext<'a> {
    /// The tunnel's project; empty if it has none, and then no leaf that names projects matches.
    pub project: &'a str,
    /// The workspace of that project, likewise.
    pub workspace: &'a str,
    pub tunnel: &'a TunnelProperties,
    pub path: &'a JudgedPath<'a>,
}

/// Whether a credential may connect; of several boundaries that must all allow it, the greatest answer is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Connect {
    Allowed,
    /// Other paths of this tunnel are; this target can be read as more than one path (S2).
    PathAmbiguous,
    /// Other paths of this tunnel are.
    PathOutsideBoundary,
    /// No path of this tunnel is within the boundary.
    OutsideBoundary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundaryError {
    NotAnObject,
    /// A value of another type than its key takes.
    WrongType,
    UnknownKey,
    /// An object that needs a key and has none of those it may have.
    MissingKey,
    /// Keys that exclude each other, or `AND`/`OR` beside another key.
    KeysClash,
    /// A list or an id that must not be empty.
    Empty,
    ListTooLong,
    TooDeep,
    TooManyNodes,
    /// A field that `create` cannot ask for.
    FieldNotAllowed,
    /// An entry of `trusted_ips` or `geo_ip` that is no network or country.
    BadEntry,
    Pattern(PatternError),
}

impl Boundary {
    pub fn connect(&self, context: &ConnectContext<'_>) -> Connect {
        let judge = |paths| {
            self.root
                .holds(&mut |leaf: &Leaf| leaf.allows(context, paths))
        };
        if judge(Paths::Judged) {
            Connect::Allowed
        } else if !judge(Paths::Satisfied) {
            Connect::OutsideBoundary
        } else if context.path.ambiguity.is_some() {
            Connect::PathAmbiguous
        } else {
            Connect::PathOutsideBoundary
        }
    }

    /// Whether any leaf judges paths: then ambiguous targets matter to this credential (S2).
    pub fn has_path_rule(&self) -> bool {
        self.has_path_rule
    }

    /// Whether there can be a tunnel that it lets connect to: asked before a token is minted. Projects and workspaces
    /// are weighed exactly, filters and paths count as satisfiable unless they cannot match anything. The cost grows
    /// with the ids named, so this is not for requests.
    pub fn allows_connect_somewhere(&self) -> bool {
        // The empty id stands for every one that is not named.
        let (mut projects, mut workspaces) = (vec![""], vec![""]);
        self.root.for_each(&mut |leaf| match &leaf.target {
            Target::Everywhere => {}
            Target::Projects(ids) => projects.extend(ids.iter().map(|id| &**id)),
            Target::Workspaces(ids) => workspaces.extend(ids.iter().map(|id| &**id)),
        });
        for ids in [&mut projects, &mut workspaces] {
            ids.sort_unstable();
            ids.dedup();
        }
        projects.iter().any(|project| {
            workspaces.iter().any(|workspace| {
                self.root.holds(&mut |leaf: &Leaf| {
                    leaf.target.covers(project, workspace) && leaf.connect.is_possible()
                })
            })
        })
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// How leaves with a path rule are judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paths {
    /// By the path of the request; an ambiguous one meets no rule.
    Judged,
    /// As if the path met every rule: tells a wrong path from a wrong tunnel.
    Satisfied,
}

#[derive(Debug)]
struct Leaf {
    target: Target,
    connect: Rule,
}

impl Leaf {
    fn allows(&self, context: &ConnectContext<'_>, paths: Paths) -> bool {
        self.target.covers(context.project, context.workspace)
            && self.connect.allows(context, paths)
    }
}

#[derive(Debug)]
enum Target {
    Everywhere,
    Projects(Box<[Box<str>]>),
    Workspaces(Box<[Box<str>]>),
}

impl Target {
    /// Ids in a boundary are never empty, so a tunnel without an id is in no list.
    fn covers(&self, project: &str, workspace: &str) -> bool {
        match self {
            Target::Everywhere => true,
            Target::Projects(ids) => ids.iter().any(|id| **id == *project),
            Target::Workspaces(ids) => ids.iter().any(|id| **id == *workspace),
        }
    }
}

/// The `connect` entry of a leaf's scopes.
#[derive(Debug)]
enum Rule {
    /// `false`, or scopes without a `connect` entry.
    Denied,
    /// `true`, or no scopes at all.
    Allowed,
    If {
        filter: Option<Filter>,
        path: Option<PathBoundary>,
    },
}

impl Rule {
    fn allows(&self, context: &ConnectContext<'_>, paths: Paths) -> bool {
        match self {
            Rule::Denied => false,
            Rule::Allowed => true,
            Rule::If { filter, path } => {
                filter.as_ref().is_none_or(|filter| filter.matches(context))
                    && path.as_ref().is_none_or(|path| {
                        paths == Paths::Satisfied
                            || (context.path.ambiguity.is_none()
                                && path.allows(context.path.decoded))
                    })
            }
        }
    }

    fn is_possible(&self) -> bool {
        match self {
            Rule::Denied => false,
            Rule::Allowed => true,
            Rule::If { filter, path } => {
                filter.as_ref().is_none_or(Filter::is_possible)
                    && path.as_ref().is_none_or(PathBoundary::is_possible)
            }
        }
    }
}

/// Any path (the first line) and any boundary: the order of children changes nothing, and neither does a boundary joined
/// with itself.
pub fn fuzz_boundary(bytes: &[u8]) {
    let split = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let (path, rest) = bytes.split_at(split);
    let Ok(json) = crate::json::parse(rest) else {
        return;
    };
    let boundary = parse(&json);
    let turned = parse(&turned(&json));
    assert_eq!(boundary.is_ok(), turned.is_ok());
    let (Ok(boundary), Ok(turned)) = (boundary, turned) else {
        return;
    };
    assert_eq!(doubts(&json).len(), doubts(&self::turned(&json)).len());
    let joined = ["AND", "OR"].map(|join| {
        let twice = Json::Array(vec![json.clone(), json.clone()]);
        parse(&Json::Object(vec![(join.to_owned(), twice)]))
    });
    let tunnel = TunnelProperties {
        name: Some("web".to_owned()),
        token_auth: true,
        labels: vec![("env".to_owned(), "prod".to_owned())],
        ..TunnelProperties::default()
    };
    let mut scratch = Vec::new();
    let path = crate::http::path::judge(path, &mut scratch, false);
    for (project, workspace) in [("", ""), ("p1", "w1"), ("p2", "w1")] {
        let context = ConnectContext {
            project,
            workspace,
            tunnel: &tunnel,
            path: &path,
        };
        let answer = boundary.connect(&context);
        assert_eq!(turned.connect(&context), answer, "the order decides");
        // The double one may be over a limit.
        for joined in joined.iter().flatten() {
            assert_eq!(joined.connect(&context), answer);
        }
        if answer == Connect::Allowed {
            assert!(boundary.allows_connect_somewhere());
        }
        assert!(
            boundary.has_path_rule()
                || matches!(answer, Connect::Allowed | Connect::OutsideBoundary)
        );
    }
}

/// The same value with all lists and members in the opposite order.
fn turned(json: &Json) -> Json {
    match json {
        Json::Array(items) => Json::Array(items.iter().rev().map(turned).collect()),
        Json::Object(members) => {
            let member = |(name, value): &(String, Json)| (name.clone(), turned(value));
            Json::Object(members.iter().rev().map(member).collect())
        }
        Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Number | Json::String(_) => {
            json.clone()
        }
    }
}

impl From<PatternError> for BoundaryError {
    fn from(error: PatternError) -> Self {
        BoundaryError::Pattern(error)
    }
}

impl fmt::Display for BoundaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BoundaryError::NotAnObject => "an object is needed here",
            BoundaryError::WrongType => "a value has the wrong type",
            BoundaryError::UnknownKey => "an unknown key",
            BoundaryError::MissingKey => "an object lacks a key it needs",
            BoundaryError::KeysClash => "keys that exclude each other",
            BoundaryError::Empty => "an empty list or id",
            BoundaryError::ListTooLong => "a list is too long",
            BoundaryError::TooDeep => "AND and OR are nested too deeply",
            BoundaryError::TooManyNodes => "too many rules",
            BoundaryError::FieldNotAllowed => "a field that create filters cannot use",
            BoundaryError::BadEntry => "an entry is neither a network nor a country code",
            BoundaryError::Pattern(error) => return error.fmt(f),
        })
    }
}

impl std::error::Error for BoundaryError {}
