//! Why a boundary says what it says, leaf by leaf, for `adit explain`. Never on the data path.

use super::{Boundary, ConnectContext, Leaf, Paths, Rule};
use crate::http::path_boundary::Tree;

/// What one leaf says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafAnswer {
    Allows,
    /// It is for other projects or workspaces.
    OtherTarget,
    /// It allows other actions than connecting, or none.
    NoConnect,
    /// Its filters do not match the tunnel.
    FiltersFail,
    /// Its path rule does not match.
    PathFails,
    /// It has a path rule, which an ambiguous path never meets (S2).
    PathAmbiguous,
}

impl Boundary {
    /// Every leaf with its place, such as `OR[2].AND[1]`, in the order written; the only leaf of a boundary has none.
    pub fn leaves(&self, context: &ConnectContext<'_>) -> Vec<(String, LeafAnswer)> {
        let mut leaves = Vec::new();
        walk(&self.root, String::new(), &mut |place, leaf| {
            leaves.push((place, leaf.answer(context)));
        });
        leaves
    }
}

fn walk(tree: &Tree<Leaf>, place: String, visit: &mut impl FnMut(String, &Leaf)) {
    let (operator, children) = match tree {
        Tree::All(children) => ("AND", children),
        Tree::Any(children) => ("OR", children),
        Tree::Leaf(leaf) => return visit(place, leaf),
    };
    let dot = if place.is_empty() { "" } else { "." };
    for (index, child) in children.iter().enumerate() {
        let number = index + 1;
        walk(child, format!("{place}{dot}{operator}[{number}]"), visit);
    }
}

impl Leaf {
    fn answer(&self, context: &ConnectContext<'_>) -> LeafAnswer {
        if self.allows(context, Paths::Judged) {
            return LeafAnswer::Allows;
        }
        if !self.target.covers(context.project, context.workspace) {
            return LeafAnswer::OtherTarget;
        }
        match &self.connect {
            Rule::Denied => LeafAnswer::NoConnect,
            _ if !self.allows(context, Paths::Satisfied) => LeafAnswer::FiltersFail,
            Rule::Allowed | Rule::If { .. } if context.path.ambiguity.is_some() => {
                LeafAnswer::PathAmbiguous
            }
            Rule::Allowed | Rule::If { .. } => LeafAnswer::PathFails,
        }
    }
}
