//! A breach for every rule, and the like that is none.

use crate::rules::*;
use crate::source::{Source, blank_comments_and_literals, test_modules};

#[track_caller]
fn caught(rule: fn(&Source) -> Vec<String>, path: &str, text: &str, breaches: usize) {
    let complaints = rule(&Source::new(path, text, false));
    assert_eq!(complaints.len(), breaches, "{text}\n{complaints:?}");
}

#[test]
fn imports_upwards() {
    let route = "src/route/table.rs";
    caught(imports, route, "use crate::http::Span;", 0);
    caught(imports, route, "use crate::policy::Permit;", 1);
    caught(imports, route, "use crate::{http::{a, b}, config::X};", 1);
    caught(imports, route, "use super::super::policy;", 1);
    caught(imports, route, "use super::policy;", 0);
    caught(imports, "src/respond.rs", "use super::worker::Slot;", 1);
    caught(imports, route, "fn f() { crate::worker::run() }", 1);
    caught(
        imports,
        route,
        "// crate::worker\nlet s = \"crate::worker\";",
        0,
    );
    let test_only = "#[cfg(test)]\nmod tests { use crate::worker::X; }\n";
    caught(imports, route, test_only, 0);
    caught(
        imports,
        route,
        &format!("{test_only}use crate::worker::X;"),
        1,
    );
    caught(imports, "src/util/mod.rs", "", 1);
}

#[test]
fn impure_words() {
    caught(impurities, "src/policy/mod.rs", "use std::net::IpAddr;", 0);
    caught(
        impurities,
        "src/policy/mod.rs",
        "use std::net::TcpStream;",
        1,
    );
    caught(
        impurities,
        "src/worker/mod.rs",
        "use std::net::TcpStream;",
        0,
    );
}

#[test]
fn unsafe_outside_runtime() {
    caught(unsafe_code, "src/runtime/fd.rs", "unsafe { x() }", 0);
    caught(unsafe_code, "src/tls/mod.rs", "unsafe { x() }", 1);
    caught(
        unsafe_code,
        "src/tls/mod.rs",
        "#![deny(unsafe_code)] // unsafe",
        0,
    );
}

#[test]
fn length() {
    let function = |lines: usize| format!("fn f(a: [u8; 2]) {{\n{}}}\n", "x;\n".repeat(lines - 2));
    caught(long_functions, "src/a.rs", &function(FUNCTION_LINES_MAX), 0);
    caught(
        long_functions,
        "src/a.rs",
        &function(FUNCTION_LINES_MAX + 1),
        1,
    );
    caught(long_file, "src/a.rs", &"//\n".repeat(FILE_LINES_MAX), 0);
    caught(long_file, "src/a.rs", &"//\n".repeat(FILE_LINES_MAX + 1), 1);
}

#[test]
fn unfinished_work() {
    caught(missing_docs, "src/a.rs", "//! Owns: a.\n", 0);
    caught(missing_docs, "src/a.rs", "use std::fs;\n//! Late.\n", 1);
    caught(unfinished, "src/a.rs", "let todo = 'x'; // todo!()", 0);
    caught(unfinished, "src/a.rs", "todo!()", 1);
    caught(unfinished, "src/a.rs", "#[ignore = \"slow\"]", 1);
    caught(unfinished, "src/a.rs", concat!("// FIX", "ME"), 1);
}

#[test]
fn sleeping_tests() {
    caught(sleeps, "tests/a.rs", "fn f() { sleep(1) }", 1);
    caught(sleeps, "src/runtime/a.rs", "fn f() { sleep(1) }", 0);
    caught(
        sleeps,
        "src/runtime/a.rs",
        "#[cfg(test)]\nfn f() { sleep(1) }",
        1,
    );
}

#[test]
fn machine_names() {
    let folder = concat!("/wo", "rk");
    caught(machine_paths, "README.md", &format!("cd {folder}/main"), 1);
    caught(
        machine_paths,
        "README.md",
        &format!("see src{folder}/mod.rs and {folder}er"),
        0,
    );
}

#[test]
fn literals_are_blank() {
    for text in [
        r##"let a = r#"fn x() {"#;"##,
        r"let a = b'\'';",
        r#"let a = "\"{";"#,
        "let a = '{';",
        "/* { /* { */ { */",
    ] {
        let code = blank_comments_and_literals(text);
        assert_eq!(code.len(), text.len());
        assert!(!code.contains(['{', '\\']), "{text}: {code}");
    }
    let lifetimes = "fn f<'a>(x: &'a str) -> &'a str { for_\"x\"; x }";
    assert!(blank_comments_and_literals(lifetimes).ends_with("; x }"));
    assert_eq!(
        test_modules("src/a/mod.rs", "#[cfg(test)]\nmod tests;\n"),
        ["src/a/tests"]
    );
}
