//! A refusal says the same to everybody, in the form that its reader can take: a page to a browser that goes somewhere, JSON
//! to everything else. Neither says why, or anything of the request.

use crate::support::{Edge, HOST, Response, Tunnel, Upstream};

const NAVIGATES: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\
                         Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
const DOWN: &str = "down.t.example.test";
const PUBLIC: &str = "public.t.example.test";

fn edge(upstream: &Upstream) -> Edge {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", gone.local_addr().unwrap());
    Edge::setup()
        .tunnel(Tunnel::guarded(HOST, upstream))
        .tunnel(Tunnel::public(PUBLIC, upstream))
        .tunnel(Tunnel::to(DOWN, &gone).line("public = true"))
        .tables("[limits]\nbody_bytes = 10\n")
        .start()
}

/// Requests that are refused, each with its status, what the page is headed with, and the reason in the log.
fn refused(edge: &Edge) -> Vec<(String, u16, &'static str, &'static str)> {
    let expired = edge.token(|claims| {
        claims.insert("exp".into(), 1.into());
    });
    let get = |host: &str, fields: &str| {
        format!("GET /secret?q=secret HTTP/1.1\r\nHost: {host}\r\n{fields}")
    };
    vec![
        (get(HOST, ""), 401, "Proof needed", "token_missing"),
        (
            get(HOST, &format!("Authorization: Bearer {expired}\r\n")),
            401,
            "Proof needed",
            "token_expired",
        ),
        (
            get("other.example.test", ""),
            404,
            "Nothing here",
            "host_unknown",
        ),
        (
            format!("GET /.well-known/rstream/secret HTTP/1.1\r\nHost: {PUBLIC}\r\n"),
            404,
            "Nothing here",
            "edge_path_unknown",
        ),
        (
            format!("POST /secret HTTP/1.1\r\nHost: {PUBLIC}\r\nContent-Length: 11\r\n"),
            413,
            "Too large",
            "body_too_large",
        ),
        (
            get(DOWN, ""),
            502,
            "The site does not answer properly",
            "upstream_connect",
        ),
    ]
}

fn ask(edge: &Edge, head: &str, fields: &str) -> Response {
    let body = if head.starts_with("POST") {
        "secret body"
    } else {
        ""
    };
    edge.client().ask(format!("{head}{fields}\r\n{body}"))
}

#[test]
fn a_browser_that_goes_somewhere_is_shown_a_page() {
    let upstream = Upstream::fixed("inside");
    let edge = edge(&upstream);
    for (head, status, heading, reason) in refused(&edge) {
        let answer = ask(&edge, &head, NAVIGATES);
        assert_eq!(answer.status, status, "{head}");
        let line = edge.log_line();
        assert_eq!(line["reason"], reason, "{head}");
        assert_eq!(
            answer.field("content-type"),
            Some("text/html; charset=utf-8"),
            "{head}"
        );
        let page = answer.text();
        assert!(page.contains(&format!("<h1>{heading}</h1>")), "{page}");
        let id = line["request_id"].as_str().unwrap();
        assert!(page.contains(&format!("<code>{id}</code>")), "{page}");
        assert_eq!(answer.field("x-request-id"), Some(id));
        assert!(!page.contains("secret") && !page.contains(reason), "{page}");
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        let policy = answer.field("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        let asked = answer.field("www-authenticate").is_some();
        assert_eq!(asked, status == 401, "{head}");
    }
    upstream.assert_untouched();
}

/// One step outside each: programs, scripts of pages, frames, and what only looks for a head.
#[test]
fn everybody_else_reads_json() {
    let upstream = Upstream::fixed("inside");
    let edge = edge(&upstream);
    let others = [
        "",
        "Accept: */*\r\n",
        "Accept: application/json\r\n",
        "Accept: text/html\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n",
        "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
    ];
    for (head, status, _, reason) in refused(&edge) {
        for fields in others {
            let answer = ask(&edge, &head, fields);
            assert_eq!(
                (answer.status, edge.reason().as_str()),
                (status, reason),
                "{head}{fields}"
            );
            assert_eq!(answer.field("content-type"), Some("application/json"));
            assert!(answer.text().starts_with("{\"error\":\""), "{head}{fields}");
        }
    }
    let mut client = edge.client();
    client.send(format!(
        "HEAD / HTTP/1.1\r\nHost: {HOST}\r\n{NAVIGATES}\r\n"
    ));
    let answer = client.response_to_head();
    assert_eq!(
        (answer.status, answer.field("content-type")),
        (401, Some("application/json"))
    );
    upstream.assert_untouched();
}

#[test]
fn a_connection_stays_in_step_after_a_page() {
    let upstream = Upstream::fixed("inside");
    let edge = edge(&upstream);
    let mut client = edge.client();
    for _ in 0..3 {
        let refused = client.ask(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{NAVIGATES}\r\n"));
        assert_eq!((refused.status, refused.closes()), (401, false));
        let let_in = client.ask(format!(
            "GET / HTTP/1.1\r\nHost: {PUBLIC}\r\n{NAVIGATES}\r\n"
        ));
        assert_eq!((let_in.status, let_in.text()), (200, "inside"));
    }
}
