//! What an operator reads when a configuration is wrong: exact messages, and what is refused at all.
//!
//! Each case changes one thing in a configuration that loads without a word. `config_sources.rs` has what several
//! files, their access rights and the environment add.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../config_support/mod.rs"]
mod config_support;
#[path = "../config_support/countries.rs"]
mod countries;

mod credentials;
mod entrance;
mod hosts;
mod issuers;
mod listeners;
mod network;
mod projects;
mod sign_in;
mod whole;

use config_support::{Folder, SECRET};

/// Loads without a word.
const BASE: &str = r#"[engine]
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
[[project]]
id = "proj-1"
workspace = "ws-1"
[[tunnel]]
hostname = "app.t.edge.example.com"
project = "proj-1"
upstream = "http://127.0.0.1:8080"
token_auth = true
"#;

/// Of "password".
const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

/// Cases with an empty line between them: `-` lines of the base give way to `+` lines, and lead to the messages after
/// `!`. A case without messages loads without a word.
fn check(cases: &str) {
    let folder = Folder::new();
    other_files(&folder);
    assert_eq!(folder.messages(BASE, &[]), "", "the base itself");
    for case in cases.trim().split("\n\n") {
        let lines = |mark: char| -> String {
            let marked = case.lines().filter_map(|line| line.strip_prefix(mark));
            marked
                .map(|line| format!("{}\n", line.trim_start()))
                .collect()
        };
        let (from, to, messages) = (lines('-'), lines('+'), lines('!'));
        assert!(BASE.contains(&from), "not in the base:\n{from}");
        let text = BASE.replacen(&from, &to, 1);
        let found = folder.messages(&text, &[]);
        assert_eq!(found, messages.trim_end(), "{case}");
    }
}

/// Files that some cases name besides those of every folder.
fn other_files(folder: &Folder) {
    let other = rcgen::generate_simple_self_signed(["edge.example.com".to_owned()]).unwrap();
    folder.write("other.pem", 0o644, other.cert.pem());
    let block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    folder.write("broken.pem", 0o644, block);
    folder.write("open", 0o644, SECRET);
    folder.write("short", 0o600, "canary");
    folder.write("revoked", 0o600, "bot\ntwo words\n");
    let app = adit::token::P521PrivateKey::generate().unwrap().public();
    folder.write("app.pem", 0o644, app.to_pem().unwrap());
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    folder.write("set.json", 0o644, format!("{{\"keys\":[{key}]}}"));
    let german = countries::database(&[("::10.0.0.0/104", "DE"), ("2001:db8::/32", "FR")]);
    folder.write("countries.mmdb", 0o644, &german);
    folder.write("cut.mmdb", 0o644, &german[..german.len() / 2]);
    folder.write("writable.mmdb", 0o646, &german);
    folder.write(
        "nameless.mmdb",
        0o644,
        countries::database(&[("2001:db8::/32", "")]),
    );
    folder.write("spaced", 0o600, "canary with blanks in it");
    folder.write("old.pem", 0o644, tunnels_until(folder, 2020));
    folder.write("tunnels.pem", 0o644, tunnels_until(folder, 4000));
}

/// A certificate with the key of `key.pem` for tunnels alone, valid to the end of this year.
fn tunnels_until(folder: &Folder, year: i32) -> String {
    let key = std::fs::read_to_string(folder.path("key.pem")).unwrap();
    let key = rcgen::KeyPair::from_pem(&key).unwrap();
    let names = ["*.t.edge.example.com".to_owned()];
    let mut parameters = rcgen::CertificateParams::new(names).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(year, 12, 31);
    parameters.self_signed(&key).unwrap().pem()
}
