//! The seeds of every fuzz target, through the same functions that `scripts/fuzz.sh` feeds with whatever it invents.
//!
//! A new target is a `fuzz_NAME` function beside its parser, a row here, `tests/fuzz/targets/NAME.rs` with its entry in
//! `tests/fuzz/Cargo.toml`, and a folder `tests/fuzz/seeds/NAME`. What the fuzzer finds becomes a seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 18] = [
    ("body", adit::http::body::fuzz_body),
    ("boundary", adit::boundary::fuzz_boundary),
    ("cookie", adit::forward::fuzz_cookie),
    ("field", adit::http::field::fuzz_field),
    ("forward", adit::forward::request::fuzz_forward),
    ("handover", adit::handover::fuzz_handover),
    ("host", adit::http::host::fuzz_host),
    ("json", adit::json::fuzz_json),
    ("path", adit::http::path::fuzz_path),
    ("proxy", adit::listener::proxy::fuzz_proxy),
    ("query", adit::authn::query::fuzz_query),
    ("request", adit::http::request::fuzz_request),
    ("response", adit::http::response::fuzz_response),
    ("scan", adit::http::scan::fuzz_scan),
    ("seal", adit::seal::fuzz_seal),
    ("target", adit::http::target::fuzz_target),
    ("token", adit::token::fuzz_token),
    ("websocket", adit::http::websocket::fuzz_websocket),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn stems(folder: &str) -> BTreeSet<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries(&root().join(folder))
        .into_iter()
        .map(stem)
        .collect()
}

/// Names behind `before` in a text, up to the first other character.
fn names_after(text: &str, before: &str) -> Vec<String> {
    let name = |rest: &str| {
        rest.split(|character: char| !character.is_ascii_lowercase())
            .next()
            .map(str::to_owned)
    };
    text.split(before).skip(1).filter_map(name).collect()
}

fn sources(folder: &Path, found: &mut BTreeSet<String>) {
    for path in entries(folder) {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.extend(names_after(
                &fs::read_to_string(&path).unwrap(),
                "pub fn fuzz_",
            ));
        }
    }
}

#[test]
fn every_seed_and_every_beginning_of_it_is_harmless() {
    for (name, target) in TARGETS {
        let seeds = entries(&root().join("tests/fuzz/seeds").join(name));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in seeds {
            let bytes = fs::read(&seed).unwrap();
            // Shown only where the target panics.
            println!("{}", seed.display());
            for end in (0..=bytes.len()).rev() {
                target(&bytes[..end]);
            }
        }
    }
}

#[test]
fn every_fuzz_function_is_a_target() {
    let rows: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut functions = BTreeSet::new();
    sources(&root().join("src"), &mut functions);
    assert_eq!(functions, rows, "pub fn fuzz_* and the rows here");
    assert_eq!(stems("tests/fuzz/targets"), rows, "tests/fuzz/targets");
    assert_eq!(stems("tests/fuzz/seeds"), rows, "tests/fuzz/seeds");
    let manifest = fs::read_to_string(root().join("tests/fuzz/Cargo.toml")).unwrap();
    let built = names_after(&manifest, "[[bin]]\nname = \"");
    assert_eq!(BTreeSet::from_iter(built), rows, "tests/fuzz/Cargo.toml");
    for name in rows {
        let file = root().join(format!("tests/fuzz/targets/{name}.rs"));
        let text = fs::read_to_string(file).unwrap();
        assert_eq!(names_after(&text, "fuzz_"), ["target", name.as_str()]);
    }
}
