use proptest::prelude::*;

use super::*;
use crate::limits::{PATTERN_BYTES_MAX, PATTERNS_MAX};

fn compiled(pattern: &str) -> Result<Arc<Pattern>, PatternError> {
    let mut set = PatternSet::default();
    let pattern = set.add(pattern)?;
    set.compile()?;
    Ok(pattern)
}

fn refusal(patterns: &[String]) -> Option<PatternError> {
    let mut set = PatternSet::default();
    for pattern in patterns {
        if let Err(error) = set.add(pattern) {
            return Some(error);
        }
    }
    set.compile().err()
}

#[test]
fn patterns_match_anywhere_and_anchors_are_the_ends_of_the_text() {
    let table: &[(&str, &[u8], bool)] = &[
        ("api", b"/x/api", true),
        ("api", b"/x/apo", false),
        ("^/api", b"/api/x", true),
        ("^/api", b"/x/api", false),
        ("^/api", b"\n/api", false),
        ("/api$", b"/x/api", true),
        ("/api$", b"/api/x", false),
        ("/api$", b"/api\n", false),
        ("^/api$", b"/api", true),
        ("^/api$", b"/api/", false),
        ("^(?:/a|/b)$", b"/b", true),
        ("^/a|/b$", b"/x/b", true),
        ("^/a|/b$", b"/b/x", false),
        ("", b"", true),
        ("", b"/", true),
        ("^$", b"", true),
        ("^$", b"/", false),
        ("^/.$", b"/\xff", true),
        ("^/.$", b"/\xc3\xa9", false),
        ("^/\u{e9}$", "/\u{e9}".as_bytes(), true),
        ("^/\u{e9}$", "/\u{c9}".as_bytes(), false),
        ("^/A", b"/a", false),
        ("(?i)^/A", b"/a", true),
        (r"^/v\d+/", b"/v12/x", true),
        (r"^/v\d+/", "/v\u{661}/x".as_bytes(), false),
        (r"\bapi\b", b"/api/", true),
        (r"\bapi\b", b"/apis/", false),
        (r"^/[^/]+/edit$", b"/a/edit", true),
        (r"^/[^/]+/edit$", b"/a/b/edit", false),
    ];
    for (pattern, text, expected) in table {
        let matches = compiled(pattern).unwrap().matches(text);
        assert_eq!(matches, *expected, "{pattern} on {}", text.escape_ascii());
    }
}

proptest! {
    /// What is compared as it stands matches what its automaton would. With `(?:)` before it, it is no literal to us.
    #[test]
    fn a_literal_is_what_its_automaton_is(
        text in "[ab/%~!,:=@_-]{0,6}",
        end in prop::sample::select(vec!["", "$", "(/|$)", "(?:/|$)", "($|/)", "(?:$|/)"]),
        asked in "[ab/%~!,:=@_\n$^-]{0,8}",
        behind in "[a/\n$]{0,3}",
    ) {
        let pattern = format!("^{text}{end}");
        prop_assert!(literal::Literal::of(&pattern).is_some());
        let (short, long) = (compiled(&pattern).unwrap(), compiled(&format!("(?:){pattern}")).unwrap());
        for asked in [asked, text.clone(), format!("{text}{behind}"), format!("/{text}")] {
            prop_assert_eq!(short.matches(asked.as_bytes()), long.matches(asked.as_bytes()), "{} on {:?}", pattern, asked);
        }
    }
}

#[test]
fn what_means_more_than_itself_is_no_literal() {
    for byte in 0..=0x7f_u8 {
        let pattern = format!("^/{}a", char::from(byte));
        let Some(literal) = literal::Literal::of(&pattern) else {
            continue;
        };
        assert_eq!(&*literal.text, &pattern.as_bytes()[1..]);
        // It means itself to an automaton too, and nothing else.
        let automaton = compiled(&format!("(?:){pattern}")).unwrap();
        for other in 0..=0xff_u8 {
            assert_eq!(
                automaton.matches(&[b'/', other, b'a']),
                other == byte,
                "{pattern}"
            );
        }
    }
    for pattern in [
        "/a", "^/a|b", "^^/a", "^/a$$", "^/\u{e9}", "^/a.b", "^/a\\", "^(/a)", "(?i)^/a",
    ] {
        assert_eq!(literal::Literal::of(pattern), None, "{pattern}");
    }
}

#[test]
fn what_no_automaton_can_do_is_refused() {
    for pattern in [
        "(",
        "a)",
        "a)|(b",
        "[",
        "a{2,1}",
        "*",
        r"\",
        r"(a)\1",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?>a)",
        "(?z)",
        r"\pL",
        "[\u{e9}]",
        r"(?u)\bé\b",
    ] {
        assert_eq!(
            compiled(pattern).err(),
            Some(PatternError::Syntax),
            "{pattern}"
        );
    }
}

#[test]
fn ordinary_patterns_fit_sixteen_at_a_time() {
    let patterns: Vec<String> = (0..PATTERNS_MAX)
        .map(|n| format!("^/api/v[0-9]+/(?:users|teams)/[^/]+/part-{n}$"))
        .collect();
    assert_eq!(refusal(&patterns), None);
}

#[test]
fn counts_and_lengths_end_at_their_limits() {
    let distinct =
        |count: usize| -> Vec<String> { (0..count).map(|n| format!("^/{n}$")).collect() };
    assert_eq!(refusal(&distinct(PATTERNS_MAX)), None);
    assert_eq!(
        refusal(&distinct(PATTERNS_MAX + 1)),
        Some(PatternError::TooMany)
    );
    let same = vec!["^/a".to_owned(); 3 * PATTERNS_MAX];
    assert_eq!(refusal(&same), None);

    let long = |bytes: usize| vec![format!("^{}", "a".repeat(bytes - 1))];
    assert_eq!(refusal(&long(PATTERN_BYTES_MAX)), None);
    assert_eq!(
        refusal(&long(PATTERN_BYTES_MAX + 1)),
        Some(PatternError::TooLong)
    );

    let nested = |depth: usize| vec![format!("{}a{}", "(?:".repeat(depth), ")".repeat(depth))];
    assert_eq!(refusal(&nested(60)), None);
    assert_eq!(refusal(&nested(70)), Some(PatternError::Syntax));
}

#[test]
fn the_same_text_is_one_pattern() {
    let mut set = PatternSet::default();
    let first = set.add("^/a").unwrap();
    assert!(Arc::ptr_eq(&first, &set.add("^/a").unwrap()));
    assert!(!Arc::ptr_eq(&first, &set.add("^/b").unwrap()));
}

#[test]
fn a_pattern_that_was_not_compiled_matches_nothing() {
    let mut set = PatternSet::default();
    let pattern = set.add("").unwrap();
    assert!(!pattern.matches(b""));
    set.compile().unwrap();
    assert!(pattern.matches(b""));
}

/// The limit is for all together: each of these fits alone.
#[test]
fn memory_is_counted_over_all_patterns() {
    let large = |letter: char| format!("^[a-z]*{letter}[a-z]{{6}}$");
    assert_eq!(refusal(&[large('a')]), None);
    let all: Vec<String> = ('a'..='p').map(large).collect();
    assert_eq!(refusal(&all), Some(PatternError::TooLarge));
    let reversed: Vec<String> = all.into_iter().rev().collect();
    assert_eq!(refusal(&reversed), Some(PatternError::TooLarge));
}

#[test]
fn hostile_patterns_are_refused() {
    for pattern in [
        "[ab]*a[ab]{15}",
        "(?:a{0,255}){0,255}",
        "(?:(?:a{1,100}){1,100}){1,100}",
        "(?:a?){1000}a{1000}",
        "(?:.*a){600}",
        "(?:.?){300}a",
        "(?:[0-9a-fx].*){300}",
        "(?:(?:q|[ac]|w|e|r|t|y|u|[zx]|i|o|p).*){300}",
        "((a{0,30}){0,30}){0,30}b",
        // Steps that take no memory.
        &format!("^[a-z]*c(?:[a-z](?:{})){{8}}$", "|".repeat(200)),
        &format!("^(?:[a-z](?:{}))*c[a-z]{{9}}$", "|".repeat(800)),
        &format!("^(?:[a-z](?:{}x){{60}})*c[a-z]{{6}}$", "|".repeat(80)),
        r"(?:\x00|[\x01-\xff]{1,50}){50}",
    ] {
        assert_eq!(
            compiled(pattern).err(),
            Some(PatternError::TooLarge),
            "{pattern}"
        );
    }
}

#[test]
fn a_path_boundary_without_rules_allows_nothing() {
    let none = || Vec::new().into_boxed_slice();
    assert!(!PathBoundary::new(Tree::All(none())).allows(b"/"));
    assert!(!PathBoundary::new(Tree::Any(none())).allows(b"/"));
    assert!(!TextRule::OneOf(Box::default()).matches(b""));
}

#[test]
fn exact_and_one_of_compare_bytes() {
    let exact = TextRule::Exact("/Ping".into());
    let one_of = TextRule::OneOf(["/a".into(), "/b".into()].into());
    for (rule, text, expected) in [
        (&exact, "/Ping", true),
        (&exact, "/ping", false),
        (&exact, "/Ping/", false),
        (&exact, "/Pin", false),
        (&one_of, "/b", true),
        (&one_of, "/c", false),
        (&one_of, "/", false),
    ] {
        assert_eq!(
            rule.matches(text.as_bytes()),
            expected,
            "{rule:?} on {text}"
        );
    }
}
