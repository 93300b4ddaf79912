//! What is wrong with a configuration, where, and how to leave.
//!
//! Owns: [`Problem`] and [`Report`], the text an operator reads; `Place` and `Spot`, where something was written; and
//! `Findings`, which collects while the other files go on reading. Refuses nothing by itself. No secret's value is
//! ever put into a message.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::sources::Sources;

/// One thing that is wrong, or only doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named, or `environment`.
    pub file: PathBuf,
    /// Counted from 1; 0: the file as a whole.
    pub line: usize,
    /// In characters, counted from 1; 0: the file as a whole.
    pub column: usize,
    /// The full key path, entries of lists counted from 1: `tunnel[2].token_auth`. For an environment variable its
    /// name. Empty: the file as a whole.
    pub key: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Why a configuration was refused: every problem found, in the order of the files and their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    problems: Vec<Problem>,
}

impl Report {
    /// Never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// For settings that could not be made though nothing was found wrong: a fault of ours, and refused all the same.
    pub(super) fn unexplained(main: &Path) -> Report {
        let problem = Problem {
            file: main.to_path_buf(),
            line: 0,
            column: 0,
            key: String::new(),
            message: "not usable, and adit fails to say why: please report this".to_owned(),
        };
        Report {
            problems: vec![problem],
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// One of the things that were read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: PathBuf,
    /// In which order the sources were read; the environment comes last.
    order: usize,
    /// Lines that are not TOML; what else is wrong there would only repeat it.
    broken_lines: RefCell<Vec<usize>>,
}

impl Source {
    pub(super) fn file(name: &Path, order: usize) -> Rc<Source> {
        Rc::new(Source {
            name: name.to_path_buf(),
            order,
            broken_lines: RefCell::default(),
        })
    }

    pub(super) fn environment() -> Rc<Source> {
        Source::file(Path::new("environment"), usize::MAX)
    }

    pub(super) fn is_environment(&self) -> bool {
        self.order == usize::MAX
    }
}

/// Where something was written.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) source: Rc<Source>,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// The source as a whole.
    pub(super) fn whole(source: &Rc<Source>) -> Place {
        Place {
            source: Rc::clone(source),
            line: 0,
            column: 0,
        }
    }

    /// Where a file begins: the place of what it lacks.
    pub(super) fn start(source: &Rc<Source>) -> Place {
        Place {
            source: Rc::clone(source),
            line: 1,
            column: 1,
        }
    }

    pub(super) fn position(&self) -> (usize, usize) {
        (self.line, self.column)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.source.name.display();
        write!(f, "{name}:{}:{}", self.line, self.column)
    }
}

/// A key and where it, or its value, was written.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) key: String,
}

impl Spot {
    /// The key as its writer knows it: an environment variable has another name.
    pub(super) fn name(&self) -> String {
        if self.place.source.is_environment() {
            variable(&self.key)
        } else {
            self.key.clone()
        }
    }
}

/// The environment variable that sets the key of this path.
pub(super) fn variable(key: &str) -> String {
    if key.starts_with("ADIT_") {
        return key.to_owned();
    }
    format!("ADIT_{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Collects what is found while reading goes on.
#[derive(Debug, Default)]
pub(super) struct Findings {
    errors: RefCell<Vec<Finding>>,
    warnings: RefCell<Vec<Finding>>,
    incomplete: Cell<bool>,
    /// The files that were read on the way.
    pub(super) sources: RefCell<Sources>,
}

#[derive(Debug)]
struct Finding {
    spot: Spot,
    syntax: bool,
    message: String,
}

impl Findings {
    pub(super) fn error(&self, spot: &Spot, message: impl Into<String>) {
        self.errors.borrow_mut().push(Finding {
            spot: spot.clone(),
            syntax: false,
            message: message.into(),
        });
    }

    pub(super) fn warn(&self, spot: &Spot, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Finding {
            spot: spot.clone(),
            syntax: false,
            message: message.into(),
        });
    }

    /// Something that is not TOML. What the parser saved of such a file may lack what its writer wrote, so from now on
    /// nothing counts as missing.
    pub(super) fn syntax(&self, place: Place, message: String) {
        self.incomplete.set(true);
        let source = Rc::clone(&place.source);
        source.broken_lines.borrow_mut().push(place.line);
        let key = String::new();
        self.errors.borrow_mut().push(Finding {
            spot: Spot { place, key },
            syntax: true,
            message,
        });
    }

    /// A source that could not be read as a whole.
    pub(super) fn unreadable(&self, source: &Rc<Source>, message: String) {
        self.syntax(Place::whole(source), message);
    }

    /// Whether the configuration is refused already.
    pub(super) fn any_error(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    /// Whether something that is not there may have been written all the same.
    pub(super) fn incomplete(&self) -> bool {
        self.incomplete.get()
    }

    /// The warnings, or the report that refuses the configuration.
    pub(super) fn conclude(self) -> Result<Vec<Problem>, Report> {
        let problems = in_order(self.errors.into_inner());
        if problems.is_empty() {
            Ok(in_order(self.warnings.into_inner()))
        } else {
            Err(Report { problems })
        }
    }
}

fn in_order(mut findings: Vec<Finding>) -> Vec<Problem> {
    findings.retain(|finding| {
        let place = &finding.spot.place;
        finding.syntax || !place.source.broken_lines.borrow().contains(&place.line)
    });
    findings.sort_by_key(|finding| {
        let place = &finding.spot.place;
        (place.source.order, place.line, place.column)
    });
    let mut problems: Vec<Problem> = findings.into_iter().map(problem).collect();
    problems.dedup();
    problems
}

fn problem(finding: Finding) -> Problem {
    let Finding { spot, message, .. } = finding;
    Problem {
        file: spot.place.source.name.clone(),
        line: spot.place.line,
        column: spot.place.column,
        key: spot.name(),
        message,
    }
}
