//! A configuration out of several files and the environment, and who may read and write them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod config_support;

use adit::config::settings::{AdminListen, Driver, Settings};
use config_support::{ADMIN_TOKEN, Folder, SECRET, set_mode};

const MAIN: &str = r#"include = ["conf.d/*.toml"]
[engine]
host = "edge.example.com"
[https]
listen = ["127.0.0.1:0"]
[[https.certificate]]
cert_file = "cert.pem"
key_file = "key.pem"
[tokens]
hs256_secret_file = "secret"
[tokens.ce]
projects = ["proj-1"]
permissions = ["tunnels.streams.create-delete"]
"#;
const TUNNELS: &str = r#"[[project]]
id = "proj-1"
workspace = "ws-1"
[[tunnel]]
hostname = "app.t.edge.example.com"
project = "proj-1"
upstream = "http://127.0.0.1:8080"
token_auth = true
"#;

fn settings(folder: &Folder, environment: &[(&str, &str)]) -> Settings {
    match folder.load(environment) {
        Ok(loaded) => loaded.settings,
        Err(report) => panic!("{report}"),
    }
}

/// One more tunnel, on a port of its own.
fn tunnel(host: &str, port: u16) -> String {
    format!(
        "[[tunnel]]\nhostname = \"{host}.t.edge.example.com\"\nproject = \"proj-1\"\nupstream = \"http://127.0.0.1:{port}\"\ntoken_auth = true\n"
    )
}

#[test]
fn included_files_add_up_in_the_order_of_their_names() {
    let folder = Folder::new();
    folder.write("conf.d/20.toml", 0o644, tunnel("second", 8082));
    folder.write("conf.d/10.toml", 0o644, tunnel("first", 8081));
    folder.write("conf.d/00.toml", 0o644, TUNNELS);
    folder.write("conf.d/.hidden.toml", 0o644, "not TOML");
    folder.write("conf.d/30.toml.bak", 0o644, "not TOML");
    assert_eq!(folder.messages(MAIN, &[]), "");
    let settings = settings(&folder, &[]);
    let hosts: Vec<&str> = settings
        .tunnels
        .iter()
        .filter_map(|tunnel| tunnel.hostname.split('.').next())
        .collect();
    assert_eq!(hosts, ["app", "first", "second"]);
}

#[test]
fn an_error_names_the_file_it_is_in() {
    let folder = Folder::new();
    folder.write("conf.d/00.toml", 0o644, TUNNELS);
    folder.write(
        "conf.d/10.toml",
        0o644,
        format!("\n{}", tunnel("app", 8081)),
    );
    folder.write("conf.d/20.toml", 0o644, "[limit]\nhead_bytes = 1\n");
    let expected = "\
conf.d/10.toml:3:12: tunnel[2].hostname: \"app.t.edge.example.com\" is already a tunnel at conf.d/00.toml:5:12
conf.d/20.toml:1:2: limit: unknown key; did you mean \"limits\"?";
    assert_eq!(folder.messages(MAIN, &[]), expected);
}

#[test]
fn a_single_value_is_given_once_in_all_files() {
    let folder = Folder::new();
    folder.write("conf.d/00.toml", 0o644, TUNNELS);
    folder.write(
        "conf.d/10.toml",
        0o644,
        "[engine]\nname = \"edge-1\"\nhost = \"b.example.com\"\n[https]\nlisten = []\n",
    );
    let expected = "\
conf.d/10.toml:3:1: engine.host: already given at adit.toml:3:1; give it once
conf.d/10.toml:5:1: https.listen: already given at adit.toml:5:1; give it once";
    assert_eq!(folder.messages(MAIN, &[]), expected);
}

#[test]
fn only_the_main_file_includes() {
    let folder = Folder::new();
    let text = format!("include = [\"x.toml\"]\n{TUNNELS}");
    folder.write("conf.d/00.toml", 0o644, text);
    let expected =
        "conf.d/00.toml:1:1: include: only the main file includes others; move it to adit.toml:1:1";
    assert_eq!(folder.messages(MAIN, &[]), expected);
}

#[test]
fn patterns() {
    let folder = Folder::new();
    folder.write("tunnels.toml", 0o644, TUNNELS);
    for (include, expected) in [
        (r#"["tunnels.toml"]"#, ""),
        (r#"["tun*.toml", "none/*.toml"]"#, ""),
        (
            r#"["tunnels.toml", "more.toml"]"#,
            "adit.toml:1:28: include[2]: there is no file more.toml",
        ),
        (
            r#"["*/tunnels.toml", "tunnels.toml"]"#,
            "adit.toml:1:12: include[1]: \"*\" may stand in the last part of the path only",
        ),
        (
            r#"["tunnels.toml", "*s.toml"]"#,
            "tunnels.toml: the same file was read already; include it once",
        ),
        (
            r#"["tunnels.toml", "a*.toml"]"#,
            "adit.toml: the same file was read already; include it once",
        ),
        (
            r#""tunnels.toml""#,
            "adit.toml:1:11: include: expected a list such as [\"conf.d/*.toml\"], found \"tunnels.toml\"",
        ),
        (
            r#"["tunnels.toml", 5]"#,
            "adit.toml:1:28: include[2]: expected a file or a pattern, found 5",
        ),
    ] {
        let text = MAIN.replacen(r#"["conf.d/*.toml"]"#, include, 1);
        let messages = folder.messages(&text, &[]);
        let first = messages.lines().next().unwrap_or_default();
        assert_eq!(first, expected, "{include}");
    }
}

#[test]
fn what_is_not_toml_in_one_file_hides_nothing_in_another() {
    let folder = Folder::new();
    folder.write("conf.d/00.toml", 0o644, "[[project]\n");
    folder.write("conf.d/10.toml", 0o644, "[log]\nlevel = 5\n");
    folder.write("conf.d/20.toml", 0o644, b"# \xff\n");
    let expected = "\
conf.d/00.toml:1:11: not TOML: unclosed array table, expected `]`
conf.d/10.toml:2:9: log.level: expected one of \"debug\", \"info\", \"warn\", \"error\", found 5
conf.d/20.toml: not UTF-8 at byte 3";
    assert_eq!(folder.messages(MAIN, &[]), expected);
}

#[test]
fn a_missing_main_file_is_one_message() {
    let folder = Folder::new();
    let report = folder.load(&[]).unwrap_err();
    let expected = format!(
        "{0}: cannot be opened: there is no such file",
        folder.path("adit.toml").display()
    );
    assert_eq!(report.to_string(), expected);
    assert_eq!(report.problems().len(), 1);
}

#[test]
fn the_environment_overrides_single_values() {
    let folder = Folder::new();
    let with_port = "public_port = 443\n[[https.certificate]]";
    let main = MAIN.replacen("[[https.certificate]]", with_port, 1);
    folder.write("adit.toml", 0o644, format!("{main}{TUNNELS}"));
    assert_eq!(settings(&folder, &[]).https.unwrap().public_port, Some(443));
    let environment = [
        ("ADIT_HTTPS__PUBLIC_PORT", "8443"),
        ("ADIT_CORES__DRIVER", "epoll"),
        ("ADIT_LIMITS__HEAD_BYTES", "32KiB"),
        ("ADIT_LIMITS__BODY_BYTES", "1000"),
        ("ADIT_TIMEOUTS__DRAIN", "5s"),
        ("ADIT_ADMIN__LISTEN", "127.0.0.1:0"),
        ("ADIT_ADMIN__BEARER_TOKEN", ADMIN_TOKEN),
        ("ADIT_CONFIG", "ignored"),
        ("ADIT_HTTPS_PUBLIC_PRT", "ignored"),
        ("PATH__X", "ignored"),
    ];
    let settings = settings(&folder, &environment);
    assert_eq!(settings.https.unwrap().public_port, Some(8443));
    assert_eq!(settings.cores.driver, Driver::Epoll);
    assert_eq!(settings.limits.head_bytes, 32 * 1024);
    assert_eq!(settings.limits.body_bytes, 1000);
    assert_eq!(settings.timeouts.drain.as_secs(), 5);
    let admin = settings.admin.unwrap();
    assert_eq!(
        admin.listen,
        AdminListen::Tcp("127.0.0.1:0".parse().unwrap())
    );
    assert!(admin.bearer_token.unwrap().equals(ADMIN_TOKEN.as_bytes()));
}

#[test]
fn a_secret_from_the_environment_wins_over_its_file() {
    let folder = Folder::new();
    folder.write("adit.toml", 0o644, format!("{MAIN}{TUNNELS}"));
    let from_file = settings(&folder, &[]).tokens.unwrap().hs256_secret;
    assert!(
        from_file.equals(SECRET.as_bytes()),
        "less the final newline"
    );
    let other = "canary-other-0123456789abcdefghijkl";
    let environment = [("ADIT_TOKENS__HS256_SECRET", other)];
    let from_environment = settings(&folder, &environment).tokens.unwrap();
    assert!(from_environment.hs256_secret.equals(other.as_bytes()));
    assert!(!format!("{from_environment:?}").contains("canary"));
}

#[test]
fn mistakes_in_the_environment() {
    let folder = Folder::new();
    let text = format!("{MAIN}{TUNNELS}");
    for (name, value, expected) in [
        (
            "ADIT_HTTPS__PUBLIC_PRT",
            "canary",
            "environment: ADIT_HTTPS__PUBLIC_PRT: unknown key; did you mean \"ADIT_HTTPS__PUBLIC_PORT\"?",
        ),
        (
            "ADIT_HTTP2__X",
            "canary",
            "environment: ADIT_HTTP2: unknown key; did you mean \"ADIT_HTTPS\"?",
        ),
        (
            "ADIT_HTTPS__PUBLIC_PORT",
            "many",
            "environment: ADIT_HTTPS__PUBLIC_PORT: expected a whole number from 1 to 65535, found \"many\"",
        ),
        (
            "ADIT_HTTPS__LISTEN",
            "127.0.0.1:0",
            "environment: ADIT_HTTPS__LISTEN: expected a list, each entry an address and a port such as \"0.0.0.0:443\" or \"[::]:443\", found \"127.0.0.1:0\"",
        ),
        (
            "ADIT_TUNNEL__PUBLIC",
            "false",
            "environment: ADIT_TUNNEL__PUBLIC: only single values outside arrays of tables can be set from the environment",
        ),
        (
            "ADIT_CREDENTIAL__ID",
            "x",
            "environment: ADIT_CREDENTIAL: only single values outside arrays of tables can be set from the environment",
        ),
        (
            "ADIT_TOKENS__HS256_SECRET",
            "canary-short",
            "environment: ADIT_TOKENS__HS256_SECRET: the secret has 12 bytes and needs at least 32: openssl rand -hex 32",
        ),
        (
            "ADIT_LOG__LEVEL",
            "loud",
            "environment: ADIT_LOG__LEVEL: expected one of \"debug\", \"info\", \"warn\", \"error\", found \"loud\"",
        ),
    ] {
        assert_eq!(folder.messages(&text, &[(name, value)]), expected, "{name}");
    }
}

#[test]
fn a_configuration_that_others_can_write_is_refused() {
    let folder = Folder::new();
    folder.write("conf.d/00.toml", 0o644, TUNNELS);
    assert_eq!(folder.messages(MAIN, &[]), "");

    set_mode(&folder.path("conf.d/00.toml"), 0o646);
    let expected = "conf.d/00.toml: can be written by other users: chmod go-w conf.d/00.toml";
    assert_eq!(folder.messages(MAIN, &[]), expected);

    set_mode(&folder.path("conf.d/00.toml"), 0o644);
    set_mode(&folder.path("conf.d"), 0o777);
    let expected = "conf.d/00.toml: conf.d can be written by other users: chmod go-w conf.d (whoever can write the folder can exchange conf.d/00.toml)";
    assert_eq!(folder.messages(MAIN, &[]), expected);

    // A sticky folder keeps others from exchanging files, but not from adding to what a pattern matches.
    set_mode(&folder.path("conf.d"), 0o1777);
    assert_eq!(folder.messages(MAIN, &[]), expected);
}

#[test]
fn a_symbolic_link_is_judged_by_both_its_folders() {
    let folder = Folder::new();
    folder.write("open/tunnels.toml", 0o644, TUNNELS);
    std::fs::create_dir(folder.path("conf.d")).unwrap();
    std::os::unix::fs::symlink("../open/tunnels.toml", folder.path("conf.d/00.toml")).unwrap();
    assert_eq!(folder.messages(MAIN, &[]), "");
    set_mode(&folder.path("open"), 0o777);
    let messages = folder.messages(MAIN, &[]);
    assert!(
        messages.contains("can be written by other users"),
        "{messages}"
    );
}

#[test]
fn certificates_that_others_can_write_are_refused() {
    let folder = Folder::new();
    folder.write("conf.d/00.toml", 0o644, TUNNELS);
    set_mode(&folder.path("cert.pem"), 0o666);
    let expected = "adit.toml:7:13: https.certificate[1].cert_file: cert.pem can be written by other users: chmod go-w cert.pem";
    assert_eq!(folder.messages(MAIN, &[]), expected);
}

/// Wherever an editor stopped writing: an answer, never a panic.
#[test]
fn every_beginning_of_a_configuration_is_answered() {
    let folder = Folder::new();
    let text = format!("{MAIN}{TUNNELS}");
    for (end, _) in text.char_indices() {
        folder.messages(&text[..end], &[]);
    }
}
