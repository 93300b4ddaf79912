//! Canaries: no token, secret or query string is seen in any output, whatever was asked and however (S10.3, S11).

use crate::support::folder::{redirecting, serving, signed, token};
use crate::support::http::{Answer, bearer, connect, exchange, get, plain, request, tls};
use crate::support::{BASE_HOST, Folder, HOST, Origin, Process, SECRET};

const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\nbearer_token_file = \"admin\"\n";
const ADMIN_TOKEN: &str = "canary-admin-token-0123456789";

/// What must not be seen: each part of each token, the secret, and every word of a query.
fn hidden(tokens: &[&str]) -> Vec<String> {
    let parts = tokens.iter().flat_map(|token| token.split('.').skip(1));
    let words = ["canary", "rstream.token", "?"].map(str::to_owned);
    parts
        .filter(|part| part.len() > 8)
        .map(str::to_owned)
        .chain(words)
        .collect()
}

fn assert_hidden(text: &str, hidden: &[String], where_it_is: &str) {
    for word in hidden {
        assert!(
            !text.contains(word.as_str()),
            "`{word}` is in {where_it_is}: {text}"
        );
    }
}

fn tokens() -> [String; 4] {
    [
        token(),
        signed(SECRET, None, -60),
        signed("canary-of-another-secret-0123456789abcdef", None, 3600),
        "canary.canary.canary".to_owned(),
    ]
}

/// Requests with every token in every place, and some that are hardly requests.
fn requests(tokens: &[String]) -> Vec<String> {
    let mut requests = Vec::new();
    for token in tokens {
        let query = format!("rstream.token={token}");
        let encoded = format!("%72stream%2Etoken={token}");
        requests.extend([
            get(HOST, "/a?q=canary", &[&bearer(token)]),
            get(HOST, &format!("/b?{query}&q=canary"), &[]),
            get(HOST, &format!("/c?q=canary&{encoded}"), &[]),
            get(HOST, &format!("/d?{query}&{query}"), &[]),
            get(HOST, &format!("/e?{query}"), &[&bearer(token)]),
            get(HOST, "/f", &[&bearer(token), &bearer(token)]),
            get(
                HOST,
                "/g",
                &[&format!("Authorization: Bearer canary {token}")],
            ),
            get(
                HOST,
                "/h",
                &[
                    &format!("Authorization: Basic {token}"),
                    &format!("Cookie: rstream_auth={token}"),
                ],
            ),
            get(
                HOST,
                "/i",
                &[&format!("Referer: https://{HOST}/?{query}"), &bearer(token)],
            ),
            get("unknown.example", &format!("/j?{query}"), &[&bearer(token)]),
            get(BASE_HOST, &format!("/k?{query}"), &[&bearer(token)]),
            get(HOST, &format!("https://{HOST}/l?{query}"), &[]),
            get(HOST, &format!("/m\u{1}?{query}"), &[]),
            get(
                HOST,
                &format!("/n?{query}"),
                &[&format!("X canary: {token}")],
            ),
            request(
                "POST",
                HOST,
                &format!("/o?{query}"),
                &["Content-Length: 3", "Content-Length: 4"],
            ),
            format!("{token} canary\r\n\r\n"),
            format!("GET /p?{query} HTTP/9.9\r\nHost: {HOST}\r\n\r\n"),
        ]);
    }
    requests
}

#[test]
fn no_output_of_the_edge_tells_a_token_a_secret_or_a_query() {
    let origin = Origin::start();
    for format in ["json", "text"] {
        let folder = Folder::new();
        folder.write("admin", 0o600, ADMIN_TOKEN);
        let log = format!("[log]\nlevel = \"debug\"\nformat = \"{format}\"\n");
        folder.configure(&serving(origin.address, &format!("{ADMIN}{log}")));
        let mut process = Process::begin(&folder, |_| ());
        process.err.until(
            |line| line.contains("started") && line.contains("node-1"),
            "the start",
        );
        let [https, http, admin] =
            ["https", "http", "admin"].map(|entry| listening(&process, entry));
        let tokens = tokens();
        let hidden = hidden(&tokens.each_ref().map(String::as_str));
        let mut statuses = std::collections::BTreeSet::new();
        for request in requests(&tokens) {
            for answer in [plain(http, &request), tls(&folder, https, HOST, &request)] {
                statuses.insert(answer.status());
                // The service may show its own path and query, and here it does; the edge never does.
                if answer.status() == 200 {
                    assert_hidden(
                        answer.body(),
                        &hidden[..hidden.len() - 3],
                        "the upstream's answer",
                    );
                } else {
                    assert_hidden(&answer.0, &hidden, "a refusal");
                }
            }
        }
        assert!(
            [200, 400, 401, 404, 421, 505]
                .iter()
                .all(|status| statuses.contains(status)),
            "{statuses:?}"
        );
        let metrics = plain(
            admin,
            &get("localhost", "/metrics", &[&bearer(ADMIN_TOKEN)]),
        );
        assert_eq!(metrics.status(), 200);
        assert_hidden(metrics.body(), &hidden, "/metrics");
        for target in ["/", "/status"] {
            let page = plain(admin, &get("localhost", target, &[&bearer(ADMIN_TOKEN)]));
            assert_eq!(page.status(), 200);
            // What is no printable ASCII is shown as `?`, and such a byte is in no request here.
            assert_hidden(page.body(), &hidden, target);
        }
        // A reload that fails tells of files, and not what is in them.
        folder.write("secret", 0o600, "canary");
        process.signal("HUP");
        process
            .err
            .until(|line| line.contains("config_refused"), "the refusal");
        process.signal("TERM");
        let finished = process.finish();
        assert_eq!(finished.code, 0);
        assert_eq!(
            finished.out.lines().count(),
            2 * requests(&tokens).len(),
            "one line each"
        );
        assert_hidden(&finished.out, &hidden, "standard output");
        assert_hidden(&finished.err, &hidden[..hidden.len() - 1], "standard error");
    }
    let seen = origin.heads().concat();
    let credentials = tokens();
    for part in credentials[0].split('.').skip(1) {
        assert!(
            !seen.contains(part),
            "the good token reached the upstream: {seen}"
        );
    }
    assert!(!seen.contains("rstream.token"), "{seen}");
}

/// Reads the start log in either format.
fn listening(process: &Process, entry: &str) -> std::net::SocketAddr {
    let wanted = [
        format!("\"entry\":\"{entry}\""),
        format!("entry=\"{entry}\""),
    ];
    let line = process
        .err
        .seen
        .iter()
        .find(|line| wanted.iter().any(|wanted| line.contains(wanted)));
    let (_, address) = line.unwrap().split_once("127.0.0.1:").unwrap();
    let port: String = address.chars().take_while(char::is_ascii_digit).collect();
    format!("127.0.0.1:{port}").parse().unwrap()
}

#[test]
fn a_redirect_keeps_the_query_and_loses_the_token() {
    let origin = Origin::start();
    let folder = Folder::new();
    folder.configure(&redirecting(origin.address));
    let process = Process::run(&folder);
    let port = process.address("https").port();
    let to = |target: &str| format!("https://{HOST}:{port}{target}");
    let tokens = tokens();
    let ask = |target: &str| -> Answer {
        plain(
            process.address("redirect"),
            &get(HOST, target, &[&bearer(&tokens[0])]),
        )
    };
    for token in &tokens {
        for (target, location) in [
            (format!("/a?rstream.token={token}"), to("/a")),
            (
                format!("/a?x=1&rstream.token={token}&y=2"),
                to("/a?x=1&y=2"),
            ),
            (format!("/a?%72stream.token={token}&y=%20"), to("/a?y=%20")),
            (
                format!("/a?rstream.token={token}&RSTREAM.TOKEN=1"),
                to("/a?RSTREAM.TOKEN=1"),
            ),
        ] {
            let answer = ask(&target);
            assert_eq!(
                (answer.status(), answer.field("location")),
                (301, Some(location.as_str())),
                "{target}"
            );
            for part in token.split('.') {
                assert!(!answer.0.contains(part) || part == "canary", "{}", answer.0);
            }
        }
    }
    assert_eq!(ask("/a?x=1").field("location"), Some(to("/a?x=1").as_str()));
    let unknown = get("unknown.example", "/a?q=canary", &[]);
    assert_eq!(
        exchange(connect(process.address("redirect")), &unknown).status(),
        404
    );
    process.signal("TERM");
    let finished = process.finish();
    assert!(finished.out.contains("\"reason\":\"redirected\""));
    let hidden = hidden(&tokens.each_ref().map(String::as_str));
    assert_hidden(&finished.out, &hidden, "standard output");
    assert_hidden(&finished.err, &hidden, "standard error");
    assert!(origin.heads().is_empty(), "nothing was forwarded");
}
