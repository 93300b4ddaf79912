//! The table of the rules of RFC 9112 and 9110 (`tests/rfc9112.txt`): each row names a test that is there.

use std::fs;
use std::path::Path;

const LEVELS: [&str; 3] = ["MUST", "SHOULD", "choice"];

#[test]
fn every_rule_of_http_names_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("tests/rfc9112.txt")).unwrap();
    let rows = table
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    let mut complaints = vec![];
    for (line, number) in rows {
        let complaint = match line.split(" | ").collect::<Vec<_>>()[..] {
            [_, level, ..] if !LEVELS.contains(&level) => "no level of the three",
            [_, _, _, test] if holds(root, test) => continue,
            [_, _, _, _] => "the test is not there",
            _ => "not four columns",
        };
        complaints.push(format!("tests/rfc9112.txt:{number}: {complaint}: {line}"));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn holds(root: &Path, test: &str) -> bool {
    let Some((file, name)) = test.split_once("::") else {
        return false;
    };
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let function = format!("fn {name}() {{");
    lines.windows(2).any(|pair| pair == ["#[test]", &function])
}
