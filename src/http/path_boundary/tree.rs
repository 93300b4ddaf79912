//! `AND` and `OR`.

/// Rules joined by `AND` and `OR`. There is no negation: a leaf that says no never makes the whole say yes.
#[derive(Debug)]
pub enum Tree<T> {
    /// Every one; never true when empty, so that a lost list cannot open anything.
    All(Box<[Tree<T>]>),
    /// At least one.
    Any(Box<[Tree<T>]>),
    Leaf(T),
}

impl<T> Tree<T> {
    /// Whether the tree is true when `leaf` says which leaves are. The order of children does not matter.
    pub fn holds<F: FnMut(&T) -> bool>(&self, leaf: &mut F) -> bool {
        match self {
            Tree::All(children) => {
                !children.is_empty() && children.iter().all(|child| child.holds(leaf))
            }
            Tree::Any(children) => children.iter().any(|child| child.holds(leaf)),
            Tree::Leaf(value) => leaf(value),
        }
    }

    /// Visits every leaf once.
    pub fn for_each<'a, F: FnMut(&'a T)>(&'a self, visit: &mut F) {
        match self {
            Tree::All(children) | Tree::Any(children) => {
                children.iter().for_each(|child| child.for_each(visit));
            }
            Tree::Leaf(value) => visit(value),
        }
    }
}
