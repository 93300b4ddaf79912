//! `adit demo` does all set-up by itself, and what it prints to type works as printed.

use std::process::Command;

use crate::support::process::{Finished, Process};

/// A running demo whose folder lies in a folder of the test.
pub struct Demo {
    pub process: Process,
    pub welcome: String,
    temporary: tempfile::TempDir,
}

impl Demo {
    pub fn start() -> Demo {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_adit"));
        command.args(["demo", "--port", "0"]);
        command.env_clear().env("TMPDIR", temporary.path());
        let mut process = Process::spawn(command);
        process
            .out
            .until(|line| line.contains("Ctrl-C"), "the welcome");
        let welcome = process.out.seen.join("\n");
        Demo {
            process,
            welcome,
            temporary,
        }
    }

    /// The lines to type that begin with `start`.
    pub fn lines(&self, start: &str) -> Vec<String> {
        let lines = self.welcome.lines().map(str::trim_start);
        lines
            .filter(|line| line.starts_with(start))
            .map(str::to_owned)
            .collect()
    }

    /// The name and the password to sign in with.
    pub fn user(&self) -> (String, String) {
        let line = &self.lines("Sign in as ")[0];
        let words: Vec<&str> = line.split([' ', ':']).collect();
        (words[3].to_owned(), words[7].to_owned())
    }

    /// Interrupts it, which takes its folder away; answers with the lines behind the welcome.
    pub fn end(self) -> Finished {
        self.process.signal("INT");
        let mut finished = self.process.finish();
        assert_eq!(self.temporary.path().read_dir().unwrap().count(), 0);
        finished.out.drain(..self.welcome.len());
        finished
    }

    /// What lies in the folder of the test.
    pub fn left_behind(&self) -> usize {
        self.temporary.path().read_dir().unwrap().count()
    }
}

/// Types a line into a shell; answers what it printed.
fn typed(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_printed_lines_show_a_401_a_200_a_403_and_a_302_and_the_log_says_why() {
    let mut demo = Demo::start();
    let lines = demo.lines("curl ");
    assert_eq!(lines.len(), 4, "{}", demo.welcome);
    let answers: Vec<String> = lines.iter().map(|line| typed(line)).collect();
    assert!(answers[0].starts_with("HTTP/1.1 401 "), "{}", answers[0]);
    assert!(answers[0].contains("{\"error\":\"Unauthorized.\"}"));
    assert!(answers[1].starts_with("HTTP/1.1 200 "), "{}", answers[1]);
    assert!(answers[1].contains("GET /hello HTTP/1.1"), "{}", answers[1]);
    assert!(!answers[1].to_lowercase().contains("authorization"));
    assert!(answers[2].starts_with("HTTP/1.1 403 "), "{}", answers[2]);
    assert!(answers[3].starts_with("HTTP/1.1 302 "), "{}", answers[3]);
    let asked = demo.lines("https://people.")[0].replace("people", "edge");
    let page = format!("\r\nLocation: {asked}rstream/");
    assert!(answers[3].contains(&page), "{}", answers[3]);
    let reasons = [
        "token_missing",
        "forwarded",
        "path_outside_boundary",
        "sign_in",
    ];
    for reason in reasons {
        let wanted = format!(" reason=\"{reason}\" ");
        demo.process.out.find(|line| line.contains(&wanted), reason);
    }
}

#[test]
fn nothing_it_prints_later_has_a_token_or_a_query_and_an_interrupt_takes_its_folder_away() {
    let demo = Demo::start();
    let url = &demo.lines("https://")[0];
    let (page, token) = url.split_once("?rstream.token=").unwrap();
    let certificate = demo.lines("curl ")[0]
        .split_once("--cacert ")
        .map(|(_, rest)| rest.split(' ').next().unwrap().to_owned())
        .unwrap();
    let answer = typed(&format!(
        "curl -s --cacert {certificate} '{page}?q=canary-query&rstream.token={token}'"
    ));
    assert!(
        answer.contains("GET /hello?q=canary-query HTTP/1.1"),
        "{answer}"
    );
    assert_eq!(demo.left_behind(), 1);
    let finished = demo.end();
    assert_eq!(finished.code, 0, "{finished:?}");
    assert_eq!(finished.err, "");
    let later = &finished.out;
    assert!(later.contains("reason=\"forwarded\""), "{later}");
    let signature = token.rsplit('.').next().unwrap();
    for hidden in ["canary-query", signature, "rstream.token", "?"] {
        assert!(!later.contains(hidden), "{hidden} is in {later}");
    }
}

#[test]
fn the_printed_live_page_is_there_and_tells_of_the_refusals() {
    let demo = Demo::start();
    let url = demo.lines("http://")[0].clone();
    assert!(typed(&format!("curl -si {url}")).starts_with("HTTP/1.1 200 "));
    typed(&demo.lines("curl ")[0]);
    let status: serde_json::Value =
        serde_json::from_str(&typed(&format!("curl -s {url}status"))).unwrap();
    assert_eq!(status["recent_refusals"][0]["reason"], "token_missing");
    let guards: Vec<_> = status["tunnels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tunnel| tunnel["guards"].to_string())
        .collect();
    let expected = [
        r#"["token_auth"]"#,
        r#"["rstream_auth"]"#,
        r#"["challenge_mode","public"]"#,
    ];
    assert_eq!(guards, expected);
}

#[test]
fn a_taken_port_is_named_with_a_way_out() {
    let demo = Demo::start();
    let url = demo.lines("https://")[0].clone();
    let port = url.split([':', '/']).nth(4).unwrap();
    let second = crate::support::adit(&["demo", "--port", port]);
    assert_eq!(second.code, 1);
    let expected = format!(
        "adit: demo: cannot listen on 127.0.0.1:{port}: Address already in use (os error 98); another process listens there (perhaps adit itself, started before)\nTry another port: adit demo --port 0\n"
    );
    assert_eq!(second.err, expected);
    assert_eq!(second.out, "");
}
