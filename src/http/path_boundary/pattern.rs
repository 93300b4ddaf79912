//! Patterns as DFAs, within the limits of one credential.

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex_automata::dfa::{Automaton, StartKind, dense, sparse};
use regex_automata::nfa::thompson::{self, NFA, State, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use super::literal::Literal;
use crate::limits::{
    DETERMINIZE_BYTES_MAX, DFA_BYTES_MAX, PATTERN_BYTES_MAX, PATTERN_NEST_MAX,
    PATTERN_NFA_BYTES_MAX, PATTERN_STEPS_MAX, PATTERNS_MAX,
};

/// One compiled pattern: bytes, no Unicode tables, a match anywhere. Its author anchors it with `^` and `$`, the ends
/// of the text. No text can make it slow: it is compared, or a DFA looks at each byte once.
#[derive(Debug, Default)]
pub struct Pattern {
    pub(super) program: OnceLock<Program>,
}

/// How a text is matched.
#[derive(Debug)]
pub(super) enum Program {
    Literal(Literal),
    Automaton(Box<sparse::DFA<Vec<u8>>>),
}

impl Program {
    /// Bytes that it takes on the heap.
    fn memory_usage(&self) -> usize {
        match self {
            Program::Literal(literal) => literal.text.len(),
            Program::Automaton(dfa) => size_of_val(&**dfa) + dfa.memory_usage(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// Not a pattern, or one that needs look-around, back-references or Unicode classes.
    Syntax,
    /// Longer than [`PATTERN_BYTES_MAX`].
    TooLong,
    /// More than [`PATTERNS_MAX`] distinct ones.
    TooMany,
    /// Their automata are larger than the limits of one credential.
    TooLarge,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PatternError::Syntax => "not a pattern that can be compiled",
            PatternError::TooLong => "a pattern is too long",
            PatternError::TooMany => "too many different patterns",
            PatternError::TooLarge => "the patterns need too much memory",
        })
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Nothing matches a pattern that was not compiled.
    pub fn matches(&self, text: &[u8]) -> bool {
        match self.program.get() {
            None => false,
            Some(Program::Literal(literal)) => literal.matches(text),
            Some(Program::Automaton(dfa)) => {
                let input = Input::new(text).anchored(Anchored::No).earliest(true);
                matches!(dfa.try_search_fwd(&input), Ok(Some(_)))
            }
        }
    }
}

/// All patterns of one credential. They are collected while its rules are read and compiled once those are known to be
/// sound: the limits hold for all together, whatever their order, and a bad rule costs no compilation.
#[derive(Debug, Default)]
pub struct PatternSet {
    patterns: Vec<(Box<str>, Arc<Pattern>)>,
}

impl PatternSet {
    /// The pattern with this text; the same text gives the same pattern. It matches nothing before
    /// [`PatternSet::compile`].
    pub fn add(&mut self, text: &str) -> Result<Arc<Pattern>, PatternError> {
        if let Some((_, known)) = self.patterns.iter().find(|(known, _)| **known == *text) {
            return Ok(Arc::clone(known));
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        if self.patterns.len() == PATTERNS_MAX {
            return Err(PatternError::TooMany);
        }
        let pattern = Arc::new(Pattern::default());
        self.patterns.push((text.into(), Arc::clone(&pattern)));
        Ok(pattern)
    }

    /// Compiles all of them or fails; gives the bytes they take.
    pub fn compile(self) -> Result<usize, PatternError> {
        // What a build used up cannot be asked for afterwards, so each pattern gets an equal share.
        let count = self.patterns.len().max(1);
        let mut kept = 0;
        let mut keep = |pattern: &Pattern, program: Program| {
            kept += size_of::<Pattern>() + program.memory_usage();
            // A pattern is set here only, and a set compiles once: `self` is consumed.
            let _ = pattern.program.set(program);
        };
        let mut nfas = Vec::with_capacity(self.patterns.len());
        for (text, pattern) in &self.patterns {
            match Literal::of(text) {
                Some(literal) => keep(pattern, Program::Literal(literal)),
                None => nfas.push((nfa(text)?, pattern)),
            }
        }
        let mut used = 0;
        for (nfa, pattern) in nfas {
            let (dfa, bytes) = automaton(&nfa, count, used)?;
            used += bytes;
            keep(pattern, Program::Automaton(Box::new(dfa)));
        }
        if used > DFA_BYTES_MAX {
            return Err(PatternError::TooLarge);
        }
        Ok(kept)
    }
}

/// The automaton of one of `count` patterns, of which those before took `used` bytes while they were built; and the bytes
/// that this one took.
fn automaton(
    nfa: &NFA,
    count: usize,
    used: usize,
) -> Result<(sparse::DFA<Vec<u8>>, usize), PatternError> {
    // Each byte of working memory holds about one NFA state of one DFA state, which is stepped once per class of bytes: this
    // bounds the time, however the memory is spent.
    let steps = PATTERN_STEPS_MAX / nfa.byte_classes().alphabet_len();
    let determinize_bytes = DETERMINIZE_BYTES_MAX.min(steps) / count;
    // Branches that consume nothing (`(?:||||)`) are walked at every step and take no memory: where there are many, there may
    // be few DFA states.
    let states = steps / count / branches(nfa).max(1);
    let state_bytes = nfa.byte_classes().alphabet_len().next_power_of_two() * size_of::<u32>();
    let dfa_bytes = DFA_BYTES_MAX.saturating_sub(used).min(
        states
            .saturating_mul(state_bytes)
            .saturating_add(DFA_OVERHEAD_BYTES),
    );
    let config = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .minimize(false)
        .accelerate(false)
        .dfa_size_limit(Some(dfa_bytes))
        .determinize_size_limit(Some(determinize_bytes));
    let dfa = dense::Builder::new()
        .configure(config)
        .build_from_nfa(nfa)
        .map_err(|error| too_large_or(error.is_size_limit_exceeded()))?;
    // Sparse, a rule takes half the memory or less, and a tenth longer than a dense table for a decision.
    let sparse = dfa
        .to_sparse()
        .map_err(|error| too_large_or(error.is_size_limit_exceeded()))?;
    Ok((sparse, dfa.memory_usage()))
}

/// What a DFA takes beside its states, about.
const DFA_OVERHEAD_BYTES: usize = 2048;

/// Ways on from all states that consume nothing.
fn branches(nfa: &NFA) -> usize {
    nfa.states()
        .iter()
        .map(|state| match state {
            State::Union { alternates } => alternates.len(),
            State::BinaryUnion { .. } => 2,
            State::ByteRange { .. }
            | State::Sparse(_)
            | State::Dense(_)
            | State::Look { .. }
            | State::Capture { .. }
            | State::Fail
            | State::Match { .. } => 0,
        })
        .sum()
}

/// Parsed on its own and then built from its tree, never pasted into another pattern: `a)|(b` stays an error.
fn nfa(text: &str) -> Result<NFA, PatternError> {
    let syntax = syntax::Config::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(PATTERN_NEST_MAX);
    let tree = syntax::parse_with(text, &syntax).map_err(|_| PatternError::Syntax)?;
    let config = thompson::Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(PATTERN_NFA_BYTES_MAX));
    thompson::Compiler::new()
        .configure(config)
        .build_from_hir(&tree)
        .map_err(|error| too_large_or(error.size_limit().is_some()))
}

fn too_large_or(size: bool) -> PatternError {
    if size {
        PatternError::TooLarge
    } else {
        PatternError::Syntax
    }
}
