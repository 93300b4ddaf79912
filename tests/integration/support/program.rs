//! Programs that people have, run as they run them.

use std::io::Write;
use std::process::{Child, Command, Stdio};

/// Runs a program; answers what it wrote, to both.
pub fn run(command: &mut Command, input: &str) -> String {
    let mut child = started(command);
    // One that fails early reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    finished(child)
}

/// Starts a program whose standard input stays open.
pub fn started(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; this test needs it"))
}

/// What a program has written when it ended, to both.
pub fn finished(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}
