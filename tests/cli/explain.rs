//! `adit explain`: why a request gets through or does not, and never a token.

use serde_json::Value;

use crate::support::countries::database;
use crate::support::folder::serving;
use crate::support::http::{bearer, get, plain};
use crate::support::process::adit_reading;
use crate::support::{Finished, Folder, HOST, Origin, Process, adit};

const IN_OR_OTHER: &str = r#"{"OR":[
    {"projects":["elsewhere"],"scopes":{"tunnels":{"connect":{}}}},
    {"projects":["proj-1"],"scopes":{"tunnels":{"connect":{"params":{"path":{"regex":"^/in/"}}}}}}]}"#;

fn folder() -> Folder {
    Folder::serving("127.0.0.1:9".parse().unwrap(), "")
}

fn explain(folder: &Folder, more: &[&str]) -> Finished {
    let file = folder.path("adit.toml");
    adit(&[&["explain", "--config", file.to_str().unwrap()], more].concat())
}

fn token(folder: &Folder, more: &[&str]) -> String {
    let secret = folder.path("secret");
    let minted = adit(
        &[
            &["token", "mint", "--secret-file", secret.to_str().unwrap()],
            more,
        ]
        .concat(),
    );
    assert_eq!((minted.code, minted.err.as_str()), (0, ""));
    minted.out.trim().to_owned()
}

fn url(path: &str) -> String {
    format!("https://{HOST}{path}")
}

/// What the steps of this name saw.
fn saw<'a>(finished: &'a Finished, step: &str) -> Vec<&'a str> {
    let lines = finished.out.lines();
    lines
        .filter_map(|line| Some(line.strip_prefix(step)?.trim_start()))
        .collect()
}

#[test]
fn a_boundary_is_answered_leaf_by_leaf_and_no_token_is_shown() {
    let folder = folder();
    let token = token(&folder, &["--boundary", IN_OR_OTHER, "--subject", "ci"]);
    let field = format!("Authorization: Bearer {token}");
    let rows = [
        ("/in/side", "allows", "forwarded"),
        (
            "/out",
            "allows other paths than /out",
            "403 path_outside_boundary",
        ),
        (
            "/in/../out",
            "has a rule for paths, which none with two readings meets",
            "403 path_ambiguous",
        ),
    ];
    for (path, leaf, verdict) in rows {
        let explained = explain(&folder, &["--url", &url(path), "--header", &field]);
        assert_eq!((explained.code, explained.err.as_str()), (0, ""), "{path}");
        assert_eq!(
            saw(&explained, "boundary"),
            [
                "1, OR[1]: is not for project proj-1",
                &format!("1, OR[2]: {leaf}")
            ]
        );
        assert_eq!(saw(&explained, "token"), ["good, of ci"]);
        assert_eq!(saw(&explained, "verdict"), [verdict]);
        for part in token.split('.') {
            assert!(!explained.out.contains(part), "{}", explained.out);
        }
    }
}

#[test]
fn without_a_proof_it_says_where_one_is_looked_for() {
    let explained = explain(&folder(), &["--url", &url("")]);
    assert_eq!(
        explained.out,
        format!(
            "\
request     GET / of {HOST}
client      127.0.0.1
tunnel      {HOST}, project proj-1, workspace ws-1
path        /, which has one reading
guard       token_auth = true: Authorization, or rstream.token in the query
proof       none
verdict     401 token_missing
"
        )
    );
    let explained = explain(&folder(), &["--url", "https://other.t.edge.example/"]);
    assert_eq!(
        saw(&explained, "tunnel"),
        ["none has the host other.t.edge.example"]
    );
    assert_eq!(saw(&explained, "verdict"), ["404 host_unknown"]);
}

#[test]
fn the_example_of_the_readme_is_what_is_said() {
    const README: &str = include_str!("../../README.md");
    const MINIMAL: &str = include_str!("../../config/minimal.toml");
    let folder = folder();
    let here = folder.path("");
    let here = here.display();
    let text = MINIMAL.replace("/etc/adit/tls/", &format!("{here}"));
    folder.configure(&text.replace("/etc/adit/secrets/hs256", &format!("{here}secret")));
    let boundary = README
        .lines()
        .find(|line| line.starts_with("{\"projects\""))
        .unwrap();
    let field = bearer(&token(&folder, &["--boundary", boundary]));
    let url = "https://app.t.edge.example.com/apix/list";
    let explained = explain(&folder, &["--url", url, "-H", &field]);
    let (_, example) = README
        .split_once("/apix/list -H \"Authorization: Bearer $TOKEN\"\n")
        .unwrap();
    let example = example.split("```").nth(2).unwrap();
    let example = example.strip_prefix("text\n").unwrap();
    let constant = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("proof"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(constant(&explained.out), constant(example));
    assert!(saw(&explained, "proof")[0].starts_with("Authorization: Bearer eyJ"));
}

#[test]
fn for_machines_it_is_one_object_that_says_what_the_process_says() {
    let origin = Origin::start();
    let folder = Folder::serving(origin.address, "");
    let mut process = Process::run(&folder);
    let rows = [
        ("/good", bearer(&token(&folder, &[])), 200),
        ("/none", "Accept: */*".to_owned(), 401),
        ("/other", bearer("a.b.c"), 401),
    ];
    for (path, field, status) in rows {
        let request = get(HOST, path, &[&field]);
        assert_eq!(plain(process.address("http"), &request).status(), status);
        let reason = process.record(path)["reason"].clone();
        let file = folder.path("adit.toml");
        let arguments = ["explain", "--json", "--raw", "-", "--plain", "--config"];
        let arguments = [&arguments[..], &[file.to_str().unwrap()]].concat();
        let explained = adit_reading(&arguments, request.as_bytes());
        assert_eq!((explained.code, explained.err.as_str()), (0, ""));
        let said: Value = serde_json::from_str(&explained.out).unwrap();
        assert_eq!(said["forwarded"], status == 200, "{path}");
        assert_eq!(said["reason"], reason, "{path}");
        let first = &said["steps"][0];
        assert_eq!(first["step"], "request");
        assert_eq!(first["saw"], format!("GET {path} of {HOST}"));
    }
}

#[test]
fn what_is_no_request_is_a_usage_error_with_its_cure() {
    let folder = folder();
    let rows: [(&[&str], &str); 4] = [
        (
            &["--url", "app.t.edge.example/"],
            "--url needs https:// or http:// and a host",
        ),
        (
            &["--url", "https://a/", "--server-name", "a b"],
            "--server-name is no host name",
        ),
        (&["--raw", "/nowhere"], "--raw /nowhere: No such file"),
        (
            &["--raw", "/dev/null"],
            "an empty line is missing behind its fields",
        ),
    ];
    for (arguments, problem) in rows {
        let explained = explain(&folder, arguments);
        assert_eq!(
            (explained.code, explained.out.as_str()),
            (2, ""),
            "{arguments:?}"
        );
        assert!(explained.err.contains(problem), "{}", explained.err);
    }
    // A head that is no head has a verdict.
    folder.write("raw", 0o600, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    let raw = folder.path("raw");
    let explained = explain(&folder, &["--raw", raw.to_str().unwrap()]);
    assert_eq!(saw(&explained, "verdict"), ["400 bad_field_name"]);
}

#[test]
fn where_a_client_comes_from_is_a_step_of_its_own() {
    let folder = folder();
    folder.write(
        "countries.mmdb",
        0o644,
        database(&[("::192.0.2.0/120", "DE"), ("::198.51.100.0/120", "FR")]),
    );
    let lists = "trusted_ips = [\"192.0.2.0/25\", \"198.51.100.0/24\", \"203.0.113.1\"]\ngeoip = [\"DE\"]\n[geoip]\ndatabase = \"countries.mmdb\"\n";
    folder.configure(&serving("127.0.0.1:9".parse().unwrap(), lists));
    let token = token(&folder, &[]);
    let field = format!("Authorization: Bearer {token}");
    for (client, network, verdict) in [
        (
            "192.0.2.1",
            "its address in DE is in trusted_ips and geoip",
            "forwarded",
        ),
        (
            "::ffff:192.0.2.1",
            "its address in DE is in trusted_ips and geoip",
            "forwarded",
        ),
        (
            "192.0.2.129",
            "its address is not in trusted_ips",
            "403 address_not_trusted",
        ),
        (
            "198.51.100.1",
            "its address in FR is not in geoip",
            "403 country_not_allowed",
        ),
        (
            "203.0.113.1",
            "its address in no known country is not in geoip",
            "403 country_unknown",
        ),
    ] {
        let explained = explain(
            &folder,
            &[
                "--url",
                &url("/"),
                "--header",
                &field,
                "--client-ip",
                client,
            ],
        );
        assert_eq!(
            (explained.code, explained.err.as_str()),
            (0, ""),
            "{client}"
        );
        assert_eq!(saw(&explained, "network"), [network]);
        assert_eq!(saw(&explained, "verdict"), [verdict]);
        // Whoever may not come is asked for nothing.
        let asked = !saw(&explained, "guard").is_empty();
        assert_eq!(asked, verdict == "forwarded", "{}", explained.out);
    }
}
