//! The style that can be read off the source tree: who imports whom, where unsafe lives, how long things get.
//!
//! A plain scan of text, not a parser: comments and literals are blanked out first, so a rule sees code only. Each rule
//! is a function from one [`Source`] to its complaints (`rules.rs`), and `breaches.rs` feeds each a breach.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod breaches;
mod rfc;
mod rules;
mod source;

use std::fs;
use std::path::Path;

use rules::*;
use source::{Source, blank_comments_and_literals, test_modules};

#[test]
fn rooms_import_what_they_may() {
    check("src", ".rs", imports);
}

#[test]
fn pure_rooms_name_nothing_impure() {
    check("src", ".rs", impurities);
}

#[test]
fn unsafe_lives_below_runtime() {
    check("src", ".rs", unsafe_code);
}

#[test]
fn functions_are_short() {
    // In tests a long function is a table of cases.
    for folder in ["src", "benches", "scripts"] {
        check(folder, ".rs", long_functions);
    }
}

#[test]
fn files_are_short() {
    check("src", ".rs", long_file);
}

#[test]
fn files_open_with_docs() {
    check("src", ".rs", missing_docs);
}

#[test]
fn nothing_is_unfinished() {
    for folder in ["src", "tests", "benches", "scripts"] {
        check(folder, ".rs", unfinished);
    }
}

#[test]
fn tests_do_not_sleep() {
    for folder in ["src", "tests"] {
        check(folder, ".rs", sleeps);
    }
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    for folder in ["src", "tests", "benches", "scripts", "config", ".ci"] {
        check(folder, "", machine_paths);
    }
    for file in ["README.md", "Cargo.toml"] {
        check(file, "", machine_paths);
    }
}

/// Runs `rule` over every file below `folder` whose name ends with `ending`, and panics with all complaints.
fn check(folder: &str, ending: &str, rule: fn(&Source) -> Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![];
    collect(&root.join(folder), &mut files);
    files.retain(|file| file.ends_with(ending));
    let read = |file: &String| {
        let path = Path::new(file).strip_prefix(root).unwrap();
        let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
        (path.to_str().unwrap().replace('\\', "/"), text)
    };
    let texts: Vec<_> = files.iter().map(read).collect();
    let test_modules: Vec<_> = texts
        .iter()
        .filter(|(path, _)| path.ends_with(".rs"))
        .flat_map(|(path, text)| test_modules(path, &blank_comments_and_literals(text)))
        .collect();
    let for_tests = |path: &str| {
        test_modules
            .iter()
            .any(|stem| path == format!("{stem}.rs") || path.starts_with(&format!("{stem}/")))
    };
    let complaints: Vec<String> = texts
        .iter()
        .map(|(path, text)| Source::new(path, text, for_tests(path)))
        .flat_map(|source| rule(&source))
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn collect(path: &Path, files: &mut Vec<String>) {
    if path.is_file() {
        files.push(path.to_str().unwrap().to_owned());
    } else if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            // What others wrote for node.
            if entry.file_name() != "node_modules" {
                collect(&entry.path(), files);
            }
        }
    }
}
