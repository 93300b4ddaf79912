//! Whom a token names: once for logs, where it must be harmless, and once for upstreams, where it must be exact.

use crate::limits::{SUBJECT_BYTES_MAX, TOLD_SUBJECT_BYTES_MAX};

/// The claim `sub`, or what stands for it.
#[derive(Debug)]
pub(super) struct Subject {
    exact: Exact,
    /// `None`: the exact one is as harmless.
    printable: Option<Box<str>>,
}

#[derive(Debug)]
enum Exact {
    Absent,
    Known(Box<str>),
    /// Over [`TOLD_SUBJECT_BYTES_MAX`]: not kept.
    TooLong,
}

impl Subject {
    pub(super) fn of(claim: Option<&str>) -> Self {
        let claimed = claim.unwrap_or_default();
        let exact = match claim {
            None => Exact::Absent,
            Some(subject) if subject.len() > TOLD_SUBJECT_BYTES_MAX => Exact::TooLong,
            Some(subject) => Exact::Known(subject.into()),
        };
        let is_harmless = claimed.len() <= SUBJECT_BYTES_MAX
            && claimed.bytes().all(|byte| is_printable(byte.into()));
        Subject {
            printable: (!is_harmless).then(|| printable(claimed)),
            exact,
        }
    }

    /// For logs: several subjects may look the same.
    pub(super) fn printable(&self) -> &str {
        let printable = self.printable.as_deref();
        printable.or(self.exact()).unwrap_or_default()
    }

    /// To its last byte; `None`: absent, or too long.
    pub(super) fn exact(&self) -> Option<&str> {
        match &self.exact {
            Exact::Known(subject) => Some(subject),
            Exact::Absent | Exact::TooLong => None,
        }
    }

    pub(super) fn is_too_long(&self) -> bool {
        matches!(self.exact, Exact::TooLong)
    }

    pub(super) fn bytes(&self) -> usize {
        let printable = self.printable.as_deref().map_or(0, str::len);
        printable + self.exact().map_or(0, str::len)
    }
}

fn printable(subject: &str) -> Box<str> {
    subject
        .chars()
        .take(SUBJECT_BYTES_MAX)
        .map(|c| if is_printable(c) { c } else { '?' })
        .collect()
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~')
}

const _: () = assert!(SUBJECT_BYTES_MAX <= TOLD_SUBJECT_BYTES_MAX);
