//! The files in `config/` load, and the defaults that `config/reference.toml` states are the defaults used.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod config_support;

use adit::config::Loaded;
use config_support::Folder;

const MINIMAL: &str = include_str!("../config/minimal.toml");
const REFERENCE: &str = include_str!("../config/reference.toml");

/// Loads a shipped file with the paths of its files moved into a folder of the test.
fn load(folder: &Folder, text: &str) -> Loaded {
    let text = text
        .replace("/etc/adit/tls/cert.pem", "cert.pem")
        .replace("/etc/adit/tls/key.pem", "key.pem")
        .replace("/etc/adit/secrets/hs256", "secret")
        .replace("/etc/adit/secrets/idp", "idp")
        .replace("/etc/adit/secrets/seal", "seal")
        .replace("/etc/adit/secrets/admin", "admin");
    folder.write(
        "idp",
        0o600,
        "another secret than the one of the deployment",
    );
    folder.write("seal", 0o600, "a key of more than thirty-two bytes");
    folder.write("adit.toml", 0o644, text);
    match folder.load(&[]) {
        Ok(loaded) => loaded,
        Err(report) => panic!("{report}"),
    }
}

/// The reference with every default written out.
fn spelled_out() -> String {
    let examples = [
        "include =",
        "public_port =",
        "revocations_file =",
        "seal_key_previous_file =",
        "logo_file =",
    ];
    let lines = REFERENCE.lines().map(|line| {
        let key = line.strip_prefix("#: ");
        match key {
            Some(key) if !examples.iter().any(|example| key.starts_with(example)) => key,
            _ => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_minimal_file_loads_without_a_warning_and_fits_a_screen() {
    let loaded = load(&Folder::new(), MINIMAL);
    assert_eq!(loaded.warnings, []);
    assert!(MINIMAL.lines().count() <= 40);
    assert!(MINIMAL.lines().all(|line| line.chars().count() <= 120));
}

#[test]
fn the_stated_defaults_are_the_defaults_used() {
    let folder = Folder::new();
    let (short, long) = (load(&folder, REFERENCE), load(&folder, &spelled_out()));
    assert_eq!(short.warnings, []);
    assert_eq!(long.warnings, []);
    let [short, long] = [short, long].map(|loaded| loaded.settings);
    assert_eq!(format!("{:?}", short.engine), format!("{:?}", long.engine));
    assert_eq!(short.cores, long.cores);
    assert_eq!(short.timeouts, long.timeouts);
    assert_eq!(short.limits, long.limits);
    assert_eq!(format!("{:?}", short.log), format!("{:?}", long.log));
    let [short_tunnels, long_tunnels] =
        [&short, &long].map(|settings| format!("{:?}", settings.tunnels));
    assert_eq!(short_tunnels, long_tunnels);
    let [short_tokens, long_tokens] =
        [&short, &long].map(|settings| settings.tokens.as_ref().unwrap());
    assert_eq!(short_tokens.cache_entries, long_tokens.cache_entries);
    let [short_https, long_https] =
        [&short, &long].map(|settings| settings.https.as_ref().unwrap());
    assert_eq!(short_https.tls_min_version, long_https.tls_min_version);
    let [short_http, long_http] = [&short, &long].map(|settings| settings.http.as_ref().unwrap());
    assert_eq!(short_http.mode, long_http.mode);
    assert_eq!(
        format!("{:?}", short.sign_in),
        format!("{:?}", long.sign_in)
    );
    assert_eq!(
        format!("{:?}", short.challenge),
        format!("{:?}", long.challenge)
    );
}

#[test]
fn the_defaults_are_those_of_the_caps() {
    let settings = load(&Folder::new(), REFERENCE).settings;
    assert_eq!(settings.limits, adit::limits::Limits::default());
    assert_eq!(settings.timeouts, adit::limits::Timeouts::default());
}

/// A key that no line of the reference shows would be unknown to its readers. The error for an unknown key lists all
/// keys of its table, so the code itself says which there are.
#[test]
fn the_reference_shows_every_key() {
    let folder = Folder::new();
    for (table, header) in [
        ("engine", "[engine]"),
        ("cores", "[cores]"),
        ("https", "[https]"),
        ("https.certificate", "[[https.certificate]]"),
        ("http", "[http]"),
        ("tokens", "[tokens]"),
        ("tokens.ce", "[tokens.ce]"),
        ("project", "[[project]]"),
        ("credential", "[[credential]]"),
        ("issuer", "[[issuer]]"),
        ("client_ca", "[[client_ca]]"),
        ("tunnel", "[[tunnel]]"),
        ("sign_in", "[sign_in]"),
        ("sign_in.oidc", "[sign_in.oidc]"),
        ("sign_in.user", "[[sign_in.user]]"),
        ("sign_in.grant", "[[sign_in.grant]]"),
        ("challenge", "[challenge]"),
        ("timeouts", "[timeouts]"),
        ("limits", "[limits]"),
        ("admin", "[admin]"),
        ("log", "[log]"),
    ] {
        let messages = folder.messages(&format!("{header}\nxxxxxxxxxxxxxxxxxxxx = 1\n"), &[]);
        let known = messages
            .lines()
            .find_map(|line| line.split_once("known here: "));
        let (_, known) = known.unwrap_or_else(|| panic!("{table}: {messages}"));
        for key in known.split(", ") {
            let shown = REFERENCE.contains(&format!("{key} = "));
            let named = REFERENCE.contains(&format!("{key},"))
                || REFERENCE.contains(&format!("{key}."))
                || REFERENCE.contains(&format!("{key} but"));
            let as_variable = format!("ADIT_{}__{key}", table.replace('.', "__"));
            let as_variable = as_variable.to_uppercase();
            let from_environment = REFERENCE.contains(&as_variable);
            let is_table = REFERENCE.contains(&format!("[{table}.{key}]"));
            assert!(
                shown || named || from_environment || is_table,
                "{table}.{key} is not in config/reference.toml"
            );
        }
    }
}
