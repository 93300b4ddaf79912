//! A text that a pattern matches, for people who write patterns. Never on the data path.

use std::collections::{HashSet, VecDeque};

use regex_automata::dfa::Automaton;
use regex_automata::{Anchored, Input};

use super::Pattern;
use super::pattern::Program;

impl Pattern {
    /// A shortest text that it matches, of letters where there is a choice; `None` where nothing does, or where no
    /// printable text does.
    pub fn example(&self) -> Option<String> {
        let dfa = match self.program.get()? {
            Program::Literal(literal) => {
                return Some(String::from_utf8_lossy(&literal.text).into_owned());
            }
            Program::Automaton(dfa) => dfa,
        };
        let input = Input::new("").anchored(Anchored::No);
        let start = dfa.start_state_forward(&input).ok()?;
        let (mut seen, mut waiting) = (HashSet::from([start]), VecDeque::new());
        waiting.push_back((start, String::new()));
        while let Some((state, text)) = waiting.pop_front() {
            if dfa.is_match_state(dfa.next_eoi_state(state)) {
                return Some(text);
            }
            for letter in ('a'..='z').chain('0'..='9').chain(' '..='~') {
                // All of them are ASCII.
                let next = dfa.next_state(state, letter as u8);
                if !dfa.is_dead_state(next) && seen.insert(next) {
                    waiting.push_back((next, format!("{text}{letter}")));
                }
            }
        }
        None
    }
}
