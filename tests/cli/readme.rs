//! The README says what the code does: its lists are complete, its configuration loads.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Folder, adit};

const README: &str = include_str!("../../README.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// The part of the README below a heading, to the next one of its kind.
fn section(title: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("\n## {title}\n")).expect(title);
    rest.split("\n## ").next().unwrap()
}

/// Words in backticks that open a row of a table.
fn table_words(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.flat_map(|row| {
        let (cell, _) = row.split_once(" |").unwrap();
        cell.split("`")
            .step_by(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    })
    .collect()
}

/// String literals that look like a reason.
fn words(code: &str) -> impl Iterator<Item = String> {
    let is_word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let literals = code.split('"').skip(1).step_by(2);
    literals
        .filter(move |text| is_word(text))
        .map(str::to_owned)
}

/// Every word that a record's `reason` can be: what the `reason` functions answer, and what the worker sets itself.
fn reasons() -> BTreeSet<String> {
    let mut reasons = BTreeSet::new();
    for (path, text) in sources("src") {
        let mut bodies = text
            .split("fn reason(")
            .skip(1)
            .map(|rest| rest.split("\n    }\n").next().unwrap());
        if path.ends_with("tests.rs") {
            continue;
        }
        let folder = path.parent().unwrap().file_name().unwrap();
        if folder == "worker" {
            for end in text.split("trace.end(").skip(1) {
                reasons.extend(words(end.split(';').next().unwrap()));
            }
            for end in text.split("let reason = ").skip(1) {
                reasons.extend(words(end.split("};").next().unwrap()));
            }
            for set in text.split("reason: Cell::new(").skip(1) {
                reasons.extend(words(set.split(')').next().unwrap()));
            }
        }
        bodies.by_ref().for_each(|body| reasons.extend(words(body)));
    }
    reasons
}

#[test]
fn every_reason_is_in_the_table_and_the_table_has_no_other() {
    let (written, used) = (table_words(section("Reason codes")), reasons());
    assert!(
        used.len() > 60 && used.contains("client_write_timeout") && used.contains("redirected"),
        "{used:?}"
    );
    let missing: Vec<_> = used.difference(&written).collect();
    let invented: Vec<_> = written.difference(&used).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing {missing:?}, invented {invented:?}"
    );
}

#[test]
fn every_metric_is_in_the_table_and_the_table_has_no_other() {
    let sources = sources("src/telemetry");
    let shipped = sources
        .iter()
        .map(|(_, source)| source.split("#[cfg(test)]").next().unwrap());
    let used: BTreeSet<String> = shipped
        .flat_map(words)
        .filter(|word| word.starts_with("adit_"))
        .collect();
    assert!(used.len() > 20, "{used:?}");
    assert_eq!(table_words(section("Metrics")), used);
}

/// Comments and tests cite the security rules by their numbers.
#[test]
fn every_rule_that_the_code_cites_stands_in_the_readme() {
    let rules = section("Security rules");
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        for (at, _) in text.match_indices('S') {
            let before = text[..at].chars().next_back().unwrap_or(' ');
            let number: String = text[at + 1..]
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == '.')
                .collect();
            let number = number.trim_end_matches('.');
            let cited = !(before.is_alphanumeric() || "_-\"\\".contains(before))
                && number.starts_with(|c: char| c.is_ascii_digit());
            let follows = text[at + 1 + number.len()..].chars().next();
            if cited && !follows.is_some_and(char::is_alphanumeric) && number.len() < 5 {
                let known = rules.contains(&format!("**S{number}**"))
                    || rules.contains(&format!("### S{number} "));
                assert!(known, "{} cites S{number}", path.display());
            }
        }
    }
}

#[test]
fn the_smallest_configuration_is_the_shipped_one_and_is_good() {
    let minimal = include_str!("../../config/minimal.toml");
    let block = README
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert!(
        minimal.ends_with(block),
        "the README shows another smallest configuration than config/minimal.toml"
    );
    let folder = Folder::new();
    let text = block
        .replace("/etc/adit/tls/", "")
        .replace("/etc/adit/secrets/hs256", "secret")
        .replace("edge.example.com", "edge.example");
    folder.configure(&text);
    let finished = adit(&[
        "check",
        "--config",
        folder.path("adit.toml").to_str().unwrap(),
    ]);
    assert_eq!(finished.code, 0, "{}", finished.err);
}

#[test]
fn every_file_that_is_named_is_there() {
    for (_, rest) in README
        .match_indices("](")
        .map(|(at, _)| README.split_at(at + 2))
    {
        let target = rest.split([')', '#']).next().unwrap();
        if !target.is_empty() && !target.contains("://") {
            assert!(root().join(target).exists(), "{target}");
        }
    }
}
