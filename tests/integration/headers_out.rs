//! What the upstream never sees, and what it cannot tell the client (S3, S5).

use crate::stage::{Stage, bearer, get, target};
use crate::support::edge::SECRET;
use crate::support::{Edge, HOST, Upstream, head, sign};

use serde_json::json;

/// S3.4: the owner of an open tunnel would collect tokens.
#[test]
fn an_open_tunnel_gets_no_token_good_expired_or_of_another_family() {
    let stage = Stage::public();
    let now = stage.edge.clock().now().unix_seconds();
    let hs256 = json!({ "alg": "HS256" });
    let good = stage.edge.token(|_| ());
    for token in [
        good.clone(),
        sign(SECRET, &hs256, &json!({ "exp": now - 1 })),
        sign(SECRET, &hs256, &json!({ "nbf": now + 1000 })),
        sign("x", &hs256, &json!({ "type": "pat" })),
    ] {
        for line in [
            format!("Bearer {token}"),
            format!("bearer  {token}"),
            format!("Bearer\t{token}"),
            format!("Bearer {token}, x"),
        ] {
            let recorded = stage.forwards("/", &format!("AUTHORIZATION: {line}\r\n"));
            assert_eq!(recorded.field("authorization"), None, "{line}");
        }
    }
    // An application's own, and one that is only near to ours.
    let stranger = sign("another secret", &hs256, &json!({ "sub": "a" }));
    for line in ["Basic YTpi", "Bearer mine", &format!("Bearer {stranger}")] {
        let recorded = stage.forwards("/", &format!("Authorization: {line}\r\n"));
        assert_eq!(recorded.field("authorization"), Some(line));
    }
    let recorded = stage.forwards(
        &format!("/?rstream.token={good}&rstream%2etoken=x&a=%2F"),
        "",
    );
    assert_eq!(target(&recorded), "/?a=%2F");
    let bytes = stage.upstream.bytes(0);
    assert!(memchr::memmem::find(&bytes, good.as_bytes()).is_none());
}

#[test]
fn the_names_of_the_edge_are_written_by_the_edge_alone() {
    let stage = Stage::public();
    let mut lines = String::new();
    for name in [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Real-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Client-Cert",
        "X-SSL-Subject",
        "X-Tls-Version",
        "X-Adit-Subject",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Request-Id",
        "Rstream-Authorization",
    ] {
        let under = name.replace('-', "_");
        lines.push_str(&format!(
            "{name}: evil\r\n{}: evil\r\n",
            under.to_lowercase()
        ));
    }
    let recorded = stage.forwards("/", &format!("{lines}X-Mine: 1\r\n"));
    let names: Vec<String> = recorded
        .fields()
        .iter()
        .map(|(name, _)| name.to_lowercase())
        .collect();
    assert_eq!(
        names,
        [
            "host",
            "x-mine",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-request-id"
        ]
    );
    assert!(!head::text(&recorded.head).contains("evil"));
    assert_eq!(recorded.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(recorded.field("x-forwarded-host"), Some(HOST));
}

#[test]
fn the_request_id_is_one_in_answer_log_and_upstream() {
    let upstream = Upstream::fixed("");
    let edge = Edge::before(&upstream);
    let answer = edge.client().ask(get("/", "X-Request-Id: chosen\r\n"));
    assert_eq!(answer.status, 200);
    let line = edge.log_line();
    let recorded = upstream.next_request();
    assert_eq!(recorded.field("x-request-id"), line["request_id"].as_str());
    assert_ne!(line["request_id"], "chosen");
}

#[test]
fn referer_and_cookies_are_cut() {
    let stage = Stage::public();
    let token = stage.edge.token(|_| ());
    let recorded = stage.forwards(
        "/",
        &format!(
            "Referer: https://{HOST}/x?a=1&rstream%2Etoken={token}\r\n\
             Cookie: a=1; rstream_auth={token}; __Host-rstream_challenge=x; b=2\r\nCookie: RSTREAM_AUTH=y\r\n"
        ),
    );
    assert_eq!(
        recorded.field("referer"),
        Some(&*format!("https://{HOST}/x"))
    );
    assert_eq!(recorded.field("cookie"), Some("a=1; b=2"));
    let other = format!("https://{HOST}/x?a=1");
    let recorded = stage.forwards("/", &format!("Referer: {other}\r\nCookie: a=1;b\r\n"));
    assert_eq!(recorded.field("referer"), Some(&*other));
    assert_eq!(recorded.field("cookie"), Some("a=1;b"));
}

fn answering(lines: &'static str) -> Stage {
    let upstream = Upstream::serving(move |_| {
        format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n").into()
    });
    let edge = Edge::before(&upstream);
    Stage { edge, upstream }
}

#[test]
fn an_upstream_sets_no_cookie_of_ours_and_none_for_its_neighbours() {
    let stage = answering(
        "Set-Cookie: __Host-rstream_auth=x; Path=/\r\nset-cookie: a=1; Domain=t.example.test; Path=/\r\n\
         Alt-Svc: h2=\":9\"\r\nX-Adit-Subject: root\r\nx_adit_x: 1\r\nX-Own: 1\r\nDate: d\r\n",
    );
    let answer = stage.edge.client().ask(get("/", ""));
    assert_eq!(
        head::fields(&answer.head),
        [
            ("set-cookie", "a=1; Path=/"),
            ("X-Own", "1"),
            ("Date", "d"),
            ("Content-Length", "0")
        ]
    );
}

/// S5.12.
#[test]
fn an_answer_to_a_token_in_the_query_is_not_kept_and_tells_no_address() {
    let stage = answering("Cache-Control: public\r\nReferrer-Policy: unsafe-url\r\n");
    let policies = |target: &str, lines: &str| {
        let answer = stage.edge.client().ask(get(target, lines));
        (
            answer.field("cache-control").unwrap().to_owned(),
            answer.field("referrer-policy").map(str::to_owned),
        )
    };
    let strict = (
        "private, no-store".to_owned(),
        Some("no-referrer".to_owned()),
    );
    let own = ("public".to_owned(), Some("unsafe-url".to_owned()));
    assert_eq!(policies("/?rstream%2etoken=x", ""), strict);
    assert_eq!(policies("/?rstream.tokens=x", ""), own);
    assert_eq!(policies("/", &bearer("x")), own);
    // The edge's own answers, likewise.
    let guarded = Stage::guarded();
    let refused = guarded.refuses("/?rstream.token=x", "", 401, "token_malformed");
    assert_eq!(refused.field("referrer-policy"), Some("no-referrer"));
    assert_eq!(refused.field("cache-control"), Some("private, no-store"));
    let refused = guarded.refuses("/", "", 401, "token_missing");
    assert_eq!(refused.field("referrer-policy"), None);
    assert_eq!(refused.field("cache-control"), Some("no-store"));
}

/// S10.3: neither the query nor a credential is in the log.
#[test]
fn the_log_has_no_secret() {
    let stage = Stage::guarded();
    let token = stage.edge.token(|_| ());
    stage.forwards(&format!("/path?rstream.token={token}&private=1"), "");
    stage.forwards("/path", &bearer(&token));
    stage.refuses("/", &bearer(&format!("{token}x")), 401, "token_signature");
    let text = stage.edge.log_text();
    assert!(text.contains("/path") && text.contains("tester"));
    for secret in [
        &*token,
        "private",
        SECRET,
        token.rsplit('.').next().unwrap(),
    ] {
        assert!(!text.contains(secret), "{text}");
    }
}
