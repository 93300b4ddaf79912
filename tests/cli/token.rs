//! `adit token mint` and `inspect`: what is minted is read, opens the door it should, and no other.

use serde_json::Value;

use crate::support::http::{bearer, get, plain};
use crate::support::process::adit_reading;
use crate::support::{CONNECT, Finished, Folder, HOST, Origin, Process, adit};

const BELOW_IN: &str = r#"{"projects":["proj-1"],"scopes":{"tunnels":{"connect":{"params":{"path":{"regex":"^/in/"}}}}}}"#;

fn mint(folder: &Folder, more: &[&str]) -> Finished {
    let secret = folder.path("secret");
    adit(
        &[
            &["token", "mint", "--secret-file", secret.to_str().unwrap()],
            more,
        ]
        .concat(),
    )
}

fn inspect(token: &str) -> Value {
    let finished = adit(&["token", "inspect", "--json", token]);
    assert_eq!((finished.code, finished.err.as_str()), (0, ""));
    serde_json::from_str(&finished.out).unwrap()
}

#[test]
fn what_is_minted_is_what_is_shown() {
    let folder = Folder::new();
    let arguments = [
        "--subject",
        "ci-bot",
        "--permissions",
        CONNECT,
        "--boundary",
        BELOW_IN,
        "--expires-in",
        "10m",
        "--not-before-in",
        "1m",
    ];
    let minted = mint(&folder, &arguments);
    assert_eq!((minted.code, minted.err.as_str()), (0, ""));
    let token = minted.out.strip_suffix('\n').unwrap();
    let shown = inspect(token);
    assert_eq!(
        shown["header"],
        serde_json::json!({ "alg": "HS256", "typ": "JWT" })
    );
    let claims = &shown["claims"];
    assert_eq!(claims["sub"], "ci-bot");
    assert_eq!(claims["permissions"], serde_json::json!([CONNECT]));
    assert_eq!(
        claims["resources"]["tunnels"],
        serde_json::from_str::<Value>(BELOW_IN).unwrap()
    );
    let [issued, start, end] = ["iat", "nbf", "exp"].map(|date| claims[date].as_u64().unwrap());
    assert_eq!((start - issued, end - issued), (60, 600));
    assert_eq!(shown["signature_checked"], false);
    let read = adit_reading(&["token", "inspect", "-"], minted.out.as_bytes());
    assert_eq!(read.code, 0);
    assert!(
        read.out.contains("\"sub\": \"ci-bot\"") && read.out.ends_with("signature not checked\n")
    );
    let signature = token.rsplit('.').next().unwrap();
    assert!(!read.out.contains(signature), "what is shown is no token");
}

#[test]
fn a_pattern_that_allows_more_than_it_seems_to_is_warned_of() {
    let boundary = |pattern: &str| {
        format!(
            r#"{{"scopes":{{"tunnels":{{"connect":{{"params":{{"path":{{"regex":"{pattern}"}}}}}}}}}}}}"#
        )
    };
    let minted = mint(&Folder::new(), &["--boundary", &boundary("^/in")]);
    assert_eq!(minted.code, 0);
    assert_eq!(
        minted.err,
        "warning: the pattern \"^/in\" allows \"/inx\" too: end it with (/|$) where whole segments are meant\n"
    );
    assert_eq!(inspect(minted.out.trim())["header"]["alg"], "HS256");
    let minted = mint(&Folder::new(), &["--boundary", &boundary("^/in(/|$)")]);
    assert_eq!((minted.code, minted.err.as_str()), (0, ""));
}

#[test]
fn without_options_a_token_is_for_an_hour_and_for_all_the_edge_allows() {
    let claims = inspect(mint(&Folder::new(), &[]).out.trim())["claims"].clone();
    let claims = claims.as_object().unwrap();
    let names: Vec<&str> = claims.keys().map(String::as_str).collect();
    assert_eq!(names, ["exp", "iat"]);
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        3600
    );
    let endless = inspect(mint(&Folder::new(), &["--expires-in", "never"]).out.trim());
    assert_eq!(endless["claims"].get("exp"), None);
}

#[test]
fn a_minted_token_is_accepted_and_its_bounds_hold() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let process = Process::run(&folder);
    let ask = |path: &str, options: &[&str]| {
        let token = mint(&folder, options).out;
        plain(
            process.address("http"),
            &get(HOST, path, &[&bearer(token.trim())]),
        )
        .status()
    };
    assert_eq!(ask("/out", &[]), 200);
    assert_eq!(ask("/in/x", &["--boundary", BELOW_IN]), 200);
    assert_eq!(ask("/out", &["--boundary", BELOW_IN]), 403);
    assert_eq!(
        ask("/in/x", &["--permissions", "tunnels.resources.read-only"]),
        403
    );
    assert_eq!(
        ask("/out", &["--not-before-in", "1h", "--expires-in", "2h"]),
        401
    );
    folder.write(
        "secret",
        0o600,
        "another-secret-that-is-long-enough-0123456789",
    );
    assert_eq!(ask("/out", &[]), 401);
    assert_eq!(origin.heads().len(), 2);
}

#[test]
fn bad_arguments_are_2_with_the_cure_and_mint_nothing() {
    let folder = Folder::new();
    for (options, said) in [
        (
            &["--expires-in", "90"][..],
            "write a number and a unit: 90s, 10m, 1h, 30d",
        ),
        (&["--expires-in", "0s"], "write a number and a unit"),
        (&["--boundary", "{"], "adit: --boundary is not JSON: "),
        (
            &["--boundary", "[]"],
            "adit: no token made: boundary: an object is needed here",
        ),
        (
            &["--boundary", r#"{"project":["p"]}"#],
            "boundary: an unknown key",
        ),
        (
            &["--boundary", r#"{"scopes":{"tunnels":{"connect":false}}}"#],
            "it lets connect nowhere",
        ),
        (
            &["--expires-in", "1m", "--not-before-in", "2m"],
            "the dates leave no moment to use the token",
        ),
        (&["--bogus"], "unexpected argument '--bogus'"),
    ] {
        let finished = mint(&folder, options);
        assert_eq!(
            (finished.code, finished.out.as_str()),
            (2, ""),
            "{options:?}"
        );
        assert!(finished.err.contains(said), "{options:?}: {}", finished.err);
    }
    folder.write("secret", 0o600, "short");
    let finished = mint(&folder, &[]);
    assert_eq!((finished.code, finished.out.as_str()), (2, ""));
    assert_eq!(
        finished.err,
        "adit: no token made: the secret is shorter than 32 bytes\n"
    );
    for arguments in [
        &["token"][..],
        &["token", "mint"],
        &["token", "inspect"],
        &["bogus"],
        &[],
    ] {
        let finished = adit(arguments);
        assert_eq!(finished.code, 2, "{arguments:?}");
        assert!(
            finished.err.contains("Usage: adit"),
            "{arguments:?}: {}",
            finished.err
        );
    }
}

#[test]
fn a_secret_file_that_cannot_be_read_is_named() {
    let finished = adit(&["token", "mint", "--secret-file", "/nowhere/secret"]);
    assert_eq!((finished.code, finished.out.as_str()), (1, ""));
    assert_eq!(
        finished.err,
        "adit: --secret-file /nowhere/secret: No such file or directory (os error 2)\n"
    );
}

#[test]
fn what_is_no_token_is_1_and_is_not_repeated() {
    let twice = "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxLCJhIjoyfQ.c2lnbmF0dXJl"; // {"a":1,"a":2}
    let long = "a".repeat(9000);
    for (text, reason) in [
        (
            "canary",
            "token_malformed (a token is three parts of base64url without padding, joined by dots)",
        ),
        ("canary.canary.", "token_malformed"),
        (twice, "token_json"),
        (&long, "token_too_long (a token has at most 8192 bytes)"),
    ] {
        let finished = adit_reading(&["token", "inspect", "-"], text.as_bytes());
        assert_eq!((finished.code, finished.out.as_str()), (1, ""), "{text}");
        assert!(
            finished
                .err
                .starts_with("adit: not a token that the edge would read: "),
            "{}",
            finished.err
        );
        assert!(finished.err.contains(reason), "{}", finished.err);
        assert!(!finished.err.contains("canary"), "{}", finished.err);
    }
}
