//! Patterns that are nothing but a beginning, a whole text, or a path with all below it: most rules. They are compared as they
//! stand; no automaton is built for them.

/// `^`, characters that mean themselves, and an end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) text: Box<[u8]>,
    end: End,
}

/// What may stand behind the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Anything,
    Nothing,
    /// Nothing, or a slash and anything.
    Segment,
}

const ENDS: [(&str, End); 5] = [
    ("(/|$)", End::Segment),
    ("(?:/|$)", End::Segment),
    ("($|/)", End::Segment),
    ("(?:$|/)", End::Segment),
    ("$", End::Nothing),
];

impl Literal {
    /// `None`: it takes an automaton, or is no pattern at all.
    pub(super) fn of(pattern: &str) -> Option<Self> {
        let rest = pattern.strip_prefix('^')?;
        let ended = |(written, end): &(&str, End)| Some((rest.strip_suffix(written)?, *end));
        let (text, end) = ENDS.iter().find_map(ended).unwrap_or((rest, End::Anything));
        let means_itself = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_~%:=@,!".contains(&byte);
        text.bytes().all(means_itself).then(|| Literal {
            text: text.as_bytes().into(),
            end,
        })
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let behind = text.strip_prefix(&*self.text);
        behind.is_some_and(|behind| match self.end {
            End::Anything => true,
            End::Nothing => behind.is_empty(),
            End::Segment => behind.first().is_none_or(|byte| *byte == b'/'),
        })
    }
}
