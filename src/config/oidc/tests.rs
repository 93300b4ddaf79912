//! The exact messages, as `tests/config_errors` has them for tables that are in use.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::environment::{self, is_secret};
use crate::config::field::Field;
use crate::config::problem::{Findings, Place, Source, Spot};
use crate::config::written;

const SECRET: &str = "canary-client-secret";

/// Loads without a word.
const BASE: &str = r#"[sign_in.oidc]
issuer = "https://idp.example.com"
client_id = "edge"
client_secret_file = "secret"
"#;

fn read(text: &str, environment: &[(&str, &str)]) -> (Option<Oidc>, String) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, mode: u32, contents: &str| {
        let path = folder.path().join(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write("ca.pem", 0o644, &pair.cert.pem());
    write("secret", 0o600, &format!("{SECRET}\n"));
    write("open", 0o644, SECRET);
    write("empty", 0o600, "");
    let findings = Findings::default();
    let source = Source::file(&folder.path().join("adit.toml"), 0);
    let mut root = written::parse(text, &source, &findings);
    let environment: Vec<_> = environment
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    environment::overlay(&mut root, &environment, &findings);
    let spot = Spot {
        place: Place::start(&source),
        key: String::new(),
    };
    let root = Reader::new(Some(&root), spot, &["sign_in"], &findings);
    let found = match root.table("sign_in", &["oidc"]) {
        Field::Good(at) => at.value.table("oidc", KNOWN).then(|at| oidc(&at.value)),
        Field::Absent(_) | Field::Bad => panic!("no table in {text}"),
    };
    let found = found.good().map(|at| at.value.clone());
    let messages = findings.conclude().err().map(|report| report.to_string());
    let messages = messages.unwrap_or_default();
    assert!(!messages.contains("canary"), "a secret is in: {messages}");
    assert_eq!(found.is_none(), !messages.is_empty(), "{messages}");
    let shown = format!("{}/", folder.path().display());
    (found, messages.replace(&shown, ""))
}

#[test]
fn every_key_has_a_default_or_is_asked_for() {
    let (found, _) = read(BASE, &[]);
    let found = found.unwrap();
    assert_eq!(found.issuer, "https://idp.example.com");
    assert!(found.client_secret.unwrap().equals(SECRET.as_bytes()));
    assert_eq!(found.scopes, ["openid", "email"]);
    assert_eq!(found.groups_claim, "groups");
    assert!(found.roots.is_none() && !found.private_addresses);

    let more = "scopes = [\"openid\", \"profile\"]\ngroups_claim = \"roles\"\nca_file = \"ca.pem\"\nprivate_addresses = true\n";
    let (found, _) = read(&(BASE.to_owned() + more), &[]);
    let found = found.unwrap();
    assert_eq!(found.scopes, ["openid", "profile"]);
    assert_eq!(found.groups_claim, "roles");
    assert!(found.roots.is_some_and(|roots| roots.len() == 1) && found.private_addresses);

    let public = BASE.replace("client_secret_file = \"secret\"\n", "");
    assert!(read(&public, &[]).0.unwrap().client_secret.is_none());
    let (_, messages) = read("[sign_in.oidc]\n", &[]);
    assert_eq!(
        messages,
        "adit.toml:1:10: sign_in.oidc.issuer: missing; write issuer = \"https://idp.example.com\"\n\
         adit.toml:1:10: sign_in.oidc.client_id: missing; write client_id = \"edge\""
    );
}

#[test]
fn the_secret_may_come_from_the_environment_and_is_hidden_there() {
    let name = "ADIT_SIGN_IN__OIDC__CLIENT_SECRET";
    assert!(is_secret(name));
    let (found, _) = read(BASE, &[(name, "canary-of-the-environment")]);
    let secret = found.unwrap().client_secret.unwrap();
    assert!(secret.equals(b"canary-of-the-environment"));
    assert!(!format!("{secret:?}").contains("canary"));
}

/// Each case changes the base, and leads to this message.
fn check(cases: &[(&str, &str, &str)]) {
    for (from, to, message) in cases {
        let text = BASE.replacen(from, to, 1);
        assert_ne!(text, BASE, "{from}");
        assert_eq!(read(&text, &[]).1, format!("adit.toml:{message}"), "{to}");
    }
}

#[test]
fn an_issuer_is_one_that_nobody_else_can_speak_for() {
    check(&[
        (
            "issuer = \"https://idp.example.com\"",
            "issuer = \"idp.example.com\"",
            "2:10: sign_in.oidc.issuer: expected a URL such as \"https://idp.example.com\"",
        ),
        (
            "https://idp.example.com",
            "https://user:canary@idp.example.com",
            "2:10: sign_in.oidc.issuer: no user and no password belong into the URL of an issuer",
        ),
        (
            "https://idp.example.com",
            "https://idp.example.com/?a",
            "2:10: sign_in.oidc.issuer: an issuer has neither ? nor # (OpenID Connect Discovery 3)",
        ),
        (
            "https://idp.example.com",
            "http://idp.example.com",
            "2:10: sign_in.oidc.issuer: without TLS anybody on the way could sign in as anybody: write https:// (http:// is for a loopback address such as 127.0.0.1 alone)",
        ),
        (
            "https://idp.example.com",
            "ftp://idp.example.com",
            "2:10: sign_in.oidc.issuer: a provider is reached by https://",
        ),
        (
            "https://idp.example.com",
            "https://10.0.0.1",
            "2:10: sign_in.oidc.issuer: is in a private network: write private_addresses = true if that is meant",
        ),
    ]);
    for issuer in [
        "http://127.0.0.1:8080",
        "http://[::1]/realm",
        "https://8.8.8.8/",
    ] {
        let text = BASE.replace("https://idp.example.com", issuer);
        assert_eq!(read(&text, &[]).0.unwrap().issuer, issuer);
    }
}

#[test]
fn each_other_fault_has_its_message() {
    check(&[
        (
            "\"edge\"",
            "\"\"",
            "3:13: sign_in.oidc.client_id: expected the name that the provider gave this edge, found \"\"",
        ),
        (
            "client_secret_file = \"secret\"",
            "client_secret = \"canary\"",
            "4:17: sign_in.oidc.client_secret: a secret does not belong here; name its file in client_secret_file",
        ),
        (
            "\"secret\"",
            "\"empty\"",
            "4:22: sign_in.oidc.client_secret_file: the secret is empty; without one, leave it out: a public client proves itself by PKCE alone",
        ),
        (
            "client_secret_file",
            "client_secret_fil",
            "4:1: sign_in.oidc.client_secret_fil: unknown key; did you mean \"client_secret_file\"?",
        ),
        (
            "client_id = \"edge\"",
            "client_id = \"edge\"\nscopes = [\"email\"]",
            "4:10: sign_in.oidc.scopes: add \"openid\": without it the provider says nothing about who signs in",
        ),
        (
            "client_id = \"edge\"",
            "client_id = \"edge\"\nscopes = [\"openid email\"]",
            "4:11: sign_in.oidc.scopes[1]: expected one scope, found \"openid email\"",
        ),
        (
            "client_id = \"edge\"",
            "client_id = \"edge\"\ngroups_claim = \"\"",
            "4:16: sign_in.oidc.groups_claim: expected the name of a claim, found \"\"",
        ),
        (
            "client_id = \"edge\"",
            "client_id = \"edge\"\nca_file = \"secret\"",
            "4:11: sign_in.oidc.ca_file: secret has no PEM block CERTIFICATE",
        ),
    ]);
    let text = BASE.replace("\"secret\"", "\"open\"");
    assert!(read(&text, &[]).1.contains("by other users"));
}
