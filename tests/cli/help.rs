//! Help: every command and every flag is explained, within the width of a screen.

use adit::token::P521PrivateKey;

use crate::support::adit;

const COMMANDS: &[&[&str]] = &[
    &[],
    &["run"],
    &["check"],
    &["demo"],
    &["explain"],
    &["token"],
    &["token", "mint"],
    &["token", "inspect"],
    &["credential"],
    &["credential", "hash"],
    &["credential", "fingerprint"],
    &["credential", "new-app"],
    &["user"],
    &["user", "hash-password"],
    &["schema"],
    &["completions"],
    &["man"],
];

fn help(command: &[&str], flag: &str) -> String {
    let finished = adit(&[command, &[flag]].concat());
    assert_eq!(
        (finished.code, finished.err.as_str()),
        (0, ""),
        "{command:?}"
    );
    finished.out
}

#[test]
fn every_command_explains_itself_and_each_of_its_flags() {
    for command in COMMANDS {
        let text = help(command, "--help");
        let usage = format!(
            "Usage: adit{}",
            command
                .iter()
                .map(|word| format!(" {word}"))
                .collect::<String>()
        );
        assert!(text.contains(&usage), "{command:?}: {text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{command:?}: {text}"
        );
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let flag = line.trim_start();
            if !flag.starts_with('-') || line.len() - flag.len() > 6 {
                continue;
            }
            let beside = flag.split_once("  ").map(|(_, text)| text.trim());
            let explained = beside
                .filter(|text| !text.is_empty())
                .or(lines.get(index + 1).copied());
            assert!(
                explained.is_some_and(|text| text.trim().len() >= "Print help".len()),
                "{command:?}: {line}"
            );
        }
    }
}

#[test]
fn the_short_help_fits_a_screen() {
    for command in COMMANDS {
        let lines = help(command, "-h").lines().count();
        assert!(lines <= 30, "{command:?}: {lines} lines");
    }
}

#[test]
fn the_version_is_the_package_s() {
    let expected = format!("adit {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(help(&[], "--version"), expected);
}

/// Nothing but what the shell itself accepts, with every command in it.
#[test]
fn completions_are_scripts_that_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let finished = adit(&["completions", shell]);
        assert_eq!((finished.code, finished.err.as_str()), (0, ""), "{shell}");
        for command in COMMANDS.iter().flat_map(|words| words.last()) {
            assert!(finished.out.contains(command), "{shell}: {command}");
        }
    }
    let script = adit(&["completions", "bash"]).out;
    let complete = format!(
        "{script}\nCOMP_WORDS=(adit tok) COMP_CWORD=1; _adit adit tok adit; echo \"${{COMPREPLY[*]}}\""
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &complete])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "token\n");
    assert_eq!(adit(&["completions", "tcsh"]).code, 2);
}

#[test]
fn every_command_has_a_manual_page() {
    for command in COMMANDS {
        let finished = adit(&[&["man"], *command].concat());
        assert_eq!(
            (finished.code, finished.err.as_str()),
            (0, ""),
            "{command:?}"
        );
        let name = [&["adit"], *command].concat().join("-").replace('-', "\\-");
        for wanted in [".TH ", ".SH SYNOPSIS", ".SH DESCRIPTION", &name] {
            assert!(
                finished.out.contains(wanted),
                "{command:?}: {wanted}: {}",
                finished.out
            );
        }
    }
    let finished = adit(&["man", "token", "mind"]);
    assert_eq!(finished.code, 2);
    assert_eq!(finished.err, "adit: man: there is no command mind\n");
}

#[test]
fn the_schema_is_that_of_the_repository() {
    let shipped = include_str!("../../config/adit.schema.json");
    assert_eq!(adit(&["schema"]).out, shipped);
}

/// The examples in the help of `token mint` are typed as they stand.
#[test]
fn the_examples_of_token_mint_work() {
    let folder = crate::support::Folder::new();
    let text = help(&["token", "mint"], "--help");
    let (_, examples) = text.split_once("Examples:").unwrap();
    let joined = examples.replace("\\\n", " ");
    let examples: Vec<&str> = joined
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("adit "))
        .collect();
    assert_eq!(examples.len(), 4, "{text}");
    let key = P521PrivateKey::generate().unwrap();
    folder.write("reports.key", 0o600, key.to_pem().unwrap().as_bytes());
    for example in examples {
        let line = example
            .replace(
                "/etc/adit/secrets/hs256",
                folder.path("secret").to_str().unwrap(),
            )
            .replace(
                "/etc/adit/keys/reports.key",
                folder.path("reports.key").to_str().unwrap(),
            )
            .replacen("adit", env!("CARGO_BIN_EXE_adit"), 1);
        let output = std::process::Command::new("sh")
            .args(["-c", &line])
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        assert_eq!(output.stdout.split(|byte| *byte == b'.').count(), 3);
    }
}
