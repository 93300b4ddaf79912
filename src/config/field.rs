//! What a look-up of a key gives: a value with its place, nothing, or something that was already complained about.

use super::problem::{Findings, Spot};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) spot: Spot,
}

/// What a look-up gave.
#[derive(Clone, Debug)]
pub(super) enum Field<T> {
    /// Not written; the spot is the table that could have it.
    Absent(Spot),
    /// Written, but not usable, which is reported already: nothing more is to be said about it.
    Bad,
    Good(At<T>),
}

impl<T> Field<T> {
    /// The value; an absent one is reported together with an example of what to write.
    pub(super) fn required(self, findings: &Findings, example: &str) -> Option<At<T>> {
        match self {
            Field::Good(at) => Some(at),
            Field::Bad => None,
            Field::Absent(spot) => {
                findings.error(&spot, format!("missing; write {example}"));
                None
            }
        }
    }

    /// The value if there is one. `None`: it was written, but is not usable.
    pub(super) fn optional(self) -> Option<Option<At<T>>> {
        match self {
            Field::Good(at) => Some(Some(at)),
            Field::Absent(_) => Some(None),
            Field::Bad => None,
        }
    }

    /// The value, or what its absence means. `None`: it was written, but is not usable.
    pub(super) fn or(self, default: T) -> Option<T> {
        self.optional().map(|at| at.map_or(default, |at| at.value))
    }

    /// Goes on with a good value; the closure reports what is wrong with it.
    pub(super) fn then<U>(self, next: impl FnOnce(&At<T>) -> Option<U>) -> Field<U> {
        match self {
            Field::Absent(spot) => Field::Absent(spot),
            Field::Bad => Field::Bad,
            Field::Good(at) => match next(&at) {
                Some(value) => Field::Good(At {
                    value,
                    spot: at.spot,
                }),
                None => Field::Bad,
            },
        }
    }

    pub(super) fn good(&self) -> Option<&At<T>> {
        match self {
            Field::Good(at) => Some(at),
            Field::Absent(_) | Field::Bad => None,
        }
    }
}
