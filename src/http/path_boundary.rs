//! The only code that compares paths.
//!
//! Owns: [`PathBoundary`], the rule a path must meet, and what it is made of: [`TextRule`] (exact, one of, pattern),
//! [`Tree`] (`AND` and `OR`) and [`PatternSet`] (patterns compiled within the limits of one credential). Judged path
//! bytes come in (percent-decoded once, S2), yes or no goes out. Whether a path may be judged at all is asked before:
//! an ambiguous one meets no rule. Comparison is byte by byte; letter case counts.

mod example;
mod literal;
mod pattern;
#[cfg(test)]
mod tests;
mod tree;

pub use pattern::{Pattern, PatternError, PatternSet};
pub use tree::Tree;

use std::sync::Arc;

/// What the judged path of a request must be.
#[derive(Debug)]
pub struct PathBoundary(Tree<TextRule>);

impl PathBoundary {
    pub fn new(rules: Tree<TextRule>) -> Self {
        PathBoundary(rules)
    }

    pub fn allows(&self, decoded: &[u8]) -> bool {
        self.0.holds(&mut |rule| rule.matches(decoded))
    }

    /// Whether some path may meet it, as far as the shape of the rules tells.
    pub fn is_possible(&self) -> bool {
        self.0.holds(&mut TextRule::is_possible)
    }
}

/// What one text must be.
#[derive(Debug)]
pub enum TextRule {
    Exact(Box<str>),
    /// An empty list matches nothing.
    OneOf(Box<[Box<str>]>),
    Pattern(Arc<Pattern>),
}

impl TextRule {
    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            TextRule::Exact(wanted) => wanted.as_bytes() == text,
            TextRule::OneOf(wanted) => wanted.iter().any(|one| one.as_bytes() == text),
            TextRule::Pattern(pattern) => pattern.matches(text),
        }
    }

    /// Whether some text may match. A pattern counts as possible.
    pub fn is_possible(&self) -> bool {
        match self {
            TextRule::Exact(_) | TextRule::Pattern(_) => true,
            TextRule::OneOf(wanted) => !wanted.is_empty(),
        }
    }
}
