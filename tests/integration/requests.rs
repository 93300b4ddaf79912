//! What reaches the upstream is the request that was judged: its bytes, without what is not the client's to say.

use std::sync::mpsc::channel;

use crate::support::head;
use crate::support::wire::Delimited;
use crate::support::{Edge, HOST, PATIENCE, Tunnel, Upstream, ok};

/// What the edge adds to every request of these tests.
const ADDED: &str = "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\
                     X-Forwarded-Host: app.t.example.test\r\nX-Request-Id: ID\r\n\r\n";

/// The head as it left, with `ID` for the id that the edge made up.
fn without_id(head: &[u8]) -> String {
    let id = head::value(head, "x-request-id").unwrap();
    assert!(
        !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    );
    // Byte by byte, whatever the encoding.
    let head: String = head.iter().map(|byte| char::from(*byte)).collect();
    head.replace(&format!("X-Request-Id: {id}\r\n"), "X-Request-Id: ID\r\n")
}

/// Sends heads to a public tunnel; each must leave as its twin, with what the edge adds.
fn forwarded(table: &[(&str, &str)]) {
    let upstream = Upstream::fixed("");
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    for (sent, left) in table {
        assert_eq!(client.ask(sent).status, 200, "{sent:?}");
        let left = format!("{left}{ADDED}");
        assert_eq!(without_id(&upstream.next_request().head), left, "{sent:?}");
    }
}

#[test]
fn fields_keep_their_order_spelling_and_number() {
    forwarded(&[
        (
            "GET /a HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: app.t.example.test\r\n",
        ),
        (
            "GET /a HTTP/1.1\r\nx-B:  2 \r\nHost: app.t.example.test\r\nX-b: \"1,  2\"\r\nX-B:\r\n\
             Accept: text/*;q=0.3\r\nOrigin: null\r\nCookie: a=1; b=2\r\nUser-Agent: t\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: app.t.example.test\r\nx-B: 2\r\nX-b: \"1,  2\"\r\nX-B: \r\n\
             Accept: text/*;q=0.3\r\nOrigin: null\r\nCookie: a=1; b=2\r\nUser-Agent: t\r\n",
        ),
        (
            "BREW /pot HTTP/1.1\r\nHost: app.t.example.test\r\nX-A: \u{e4}\r\n\r\n",
            "BREW /pot HTTP/1.1\r\nHost: app.t.example.test\r\nX-A: \u{c3}\u{a4}\r\n",
        ),
    ]);
}

#[test]
fn path_and_query_leave_as_they_came() {
    let targets = [
        "/",
        "//",
        "/a//b/../c/./d",
        "/%2e%2E/%2f%5C;a=b/%zz/%",
        "/a?",
        "/a?b=c&&d&=&%26?x=/..//",
        "/~!$&'()*+,;=:@/[]|^`{}\\\"<>",
        "/%C3%A4%00",
        "/a?rstream.tokens=1&xrstream.token=2",
    ];
    let table: Vec<_> = targets
        .iter()
        .map(|target| {
            let head = format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n");
            (format!("{head}\r\n"), head)
        })
        .collect();
    let table: Vec<_> = table.iter().map(|(a, b)| (&a[..], &b[..])).collect();
    forwarded(&table);
}

#[test]
fn a_target_with_a_host_is_reduced_and_host_is_canonical() {
    forwarded(&[
        (
            "GET http://app.t.example.test/a?b HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
            "GET /a?b HTTP/1.1\r\nHost: app.t.example.test\r\n",
        ),
        (
            "GET http://APP.T.example.test?b HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
            "GET /?b HTTP/1.1\r\nHost: app.t.example.test\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nHost: APP.t.Example.TEST.:8080\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: app.t.example.test:8080\r\n",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: app.t.example.test\r\n",
        ),
        (
            "OPTIONS http://app.t.example.test HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: app.t.example.test\r\n",
        ),
        (
            "OPTIONS http://app.t.example.test/ HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
            "OPTIONS / HTTP/1.1\r\nHost: app.t.example.test\r\n",
        ),
        (
            "OPTIONS http://app.t.example.test?a HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
            "OPTIONS /?a HTTP/1.1\r\nHost: app.t.example.test\r\n",
        ),
        (
            "GET / HTTP/1.0\r\nHost: app.t.example.test\r\nConnection: keep-alive\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: app.t.example.test\r\n",
        ),
    ]);
}

#[test]
fn what_speaks_of_this_hop_ends_here() {
    let gone = [
        "Connection: close, X-Hop ,x-other\r\nX-Hop: 1\r\nx-HOP: 2\r\nX_Other: 3\r\n",
        "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n",
        "Proxy-Connection: keep-alive\r\n",
        "Proxy-Authorization: Basic eA==\r\nProxy-Authenticate: Basic\r\n",
        "Proxy_Authorization: Basic eA==\r\n",
        "TE: trailers\r\n",
        "Trailer: X-Sum\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
        "Upgrade: h2c\r\nhttp2_settings: AAMA\r\n",
    ];
    let upstream = Upstream::fixed("");
    let edge = Edge::before(&upstream);
    for fields in gone {
        let head = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{fields}X-Kept: 1\r\n\r\n");
        assert_eq!(edge.client().ask(head).status, 200);
        let kept = match fields.contains("Sec-WebSocket") {
            true => "Sec-WebSocket-Version: 13\r\n",
            false => "",
        };
        let left = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{kept}X-Kept: 1\r\n{ADDED}");
        assert_eq!(
            without_id(&upstream.next_request().head),
            left,
            "{fields:?}"
        );
    }
}

/// RFC 9110 7.6.2.
#[test]
fn trace_and_options_are_forwarded_as_often_as_they_say() {
    let upstream = Upstream::fixed("");
    let edge = Edge::before(&upstream);
    let ask = |method: &str, left: &str| {
        let head = format!("{method} / HTTP/1.1\r\nHost: {HOST}\r\n{left}\r\n");
        edge.client().ask(head).status
    };
    for (method, sent, arrived) in [
        ("OPTIONS", "7", "6"),
        ("TRACE", "1", "0"),
        ("OPTIONS", "0010", "9"),
        // To other methods it means nothing.
        ("GET", "0", "0"),
        ("options", "0", "0"),
        ("POST", "many", "many"),
    ] {
        assert_eq!(ask(method, &format!("Max-Forwards: {sent}\r\n")), 200);
        assert_eq!(edge.reason(), "forwarded");
        let request = upstream.next_request();
        assert_eq!(
            request.field("max-forwards"),
            Some(arrived),
            "{method} {sent}"
        );
    }
    // Naming it in Connection does not switch the count off.
    let nominated = "Connection: max-forwards\r\nMax-Forwards: 3\r\n";
    assert_eq!(ask("OPTIONS", nominated), 200);
    assert_eq!(edge.reason(), "forwarded");
    assert_eq!(upstream.next_request().field("max-forwards"), Some("2"));
    for (left, status, reason) in [
        ("Max-Forwards: 0\r\n", 501, "last_forward"),
        ("max_forwards: 0\r\n", 501, "last_forward"),
        ("Max-Forwards: -1\r\n", 400, "bad_max_forwards"),
        ("Max-Forwards:\r\n", 400, "bad_max_forwards"),
        ("Max-Forwards: 5, 5\r\n", 400, "bad_max_forwards"),
        (
            "Max-Forwards: 5\r\nMax-Forwards: 5\r\n",
            400,
            "bad_max_forwards",
        ),
        (
            "Max-Forwards: 9223372036854775808\r\n",
            400,
            "bad_max_forwards",
        ),
    ] {
        for method in ["TRACE", "OPTIONS"] {
            assert_eq!(ask(method, left), status, "{left}");
            assert_eq!(edge.reason(), reason, "{left}");
        }
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn only_the_edge_says_what_only_the_edge_may_say() {
    let names = [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Anything",
        "X-Real-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Client-Cert",
        "X-Client-Cert-Chain",
        "X-SSL-Client-Verify",
        "X-Tls-Version",
        "X-Adit-Subject",
        "X-Original-URL",
        "X-Original-URI",
        "X-Rewrite-URL",
        "X-Original-Host",
        "X-Host",
        "X-Path",
        "X-Script-Name",
        "Proxy",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Request-Id",
        "Rstream-Authorization",
    ];
    let twins = [
        "X-Forwarded",
        "XForwarded-For",
        "X-Real-IPs",
        "X-Adit",
        "Real-IP",
        "X-Hosts",
    ];
    let spellings = |name: &str| {
        [
            name.to_owned(),
            name.to_lowercase(),
            name.to_uppercase(),
            name.replace('-', "_"),
            name.to_lowercase().replacen('-', "_", 1),
        ]
    };
    let lines = |names: &[&str]| -> String {
        let all = names.iter().flat_map(|name| spellings(name));
        all.map(|name| format!("{name}: 6.6.6.6\r\n")).collect()
    };
    let upstream = Upstream::fixed("");
    let edge = Edge::setup()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables("[limits]\nheader_fields = 256")
        .start();
    let (gone, kept) = (lines(&names), lines(&twins));
    let head = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{gone}{kept}\r\n");
    assert_eq!(edge.client().ask(head).status, 200);
    let left = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{kept}{ADDED}");
    assert_eq!(without_id(&upstream.next_request().head), left);
}

#[test]
fn the_scheme_is_the_one_the_client_used_and_ids_differ() {
    let upstream = Upstream::fixed("");
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, &upstream))
        .start();
    let get = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: gopher\r\n\r\n");
    let mut ids = Vec::new();
    for (mut client, scheme) in [(edge.client(), "http"), (edge.tls_client(HOST), "https")] {
        for _ in 0..2 {
            client.ask(&get);
            let request = upstream.next_request();
            assert_eq!(request.field("x-forwarded-proto"), Some(scheme));
            let id = request.field("x-request-id").unwrap().to_owned();
            assert_eq!(edge.log_line()["request_id"], id.as_str());
            assert!(!ids.contains(&id));
            ids.push(id);
        }
    }
}

#[test]
fn framing_leaves_in_one_form() {
    let upstream = Upstream::fixed("");
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    let table = [
        (
            "Content-Length: 007\r\n\r\n1234567",
            Some("7"),
            None,
            "1234567",
        ),
        ("Content-Length: 0\r\n\r\n", Some("0"), None, ""),
        ("\r\n", None, None, ""),
        (
            "transfer-encoding: CHUNKED\r\n\r\n3;a=\"b\"\r\nabc\r\n2 ;c\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n",
            None,
            Some("chunked"),
            "abcde",
        ),
    ];
    for (rest, length, coding, body) in table {
        client.ask(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{rest}"));
        let request = upstream.next_request();
        assert_eq!(request.field("content-length"), length, "{rest:?}");
        assert_eq!(request.field("transfer-encoding"), coding, "{rest:?}");
        assert_eq!(request.body, body.as_bytes(), "{rest:?}");
    }
    // No extension, no trailer.
    let bytes = upstream.bytes(0);
    assert_eq!(memchr::memmem::find(&bytes, b"X-Sum"), None);
    assert_eq!(memchr::memmem::find(&bytes, b";"), None);
}

/// An expectation, sent without the body.
fn expecting(host: &str, token: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\n{token}Content-Length: 4\r\nExpect: 100-Continue\r\n\r\n"
    )
}

#[test]
fn a_client_that_waits_is_told_to_go_on_once_and_after_the_decision() {
    let upstream = Upstream::scripted(|mut peer| {
        let head = peer.request_head().unwrap();
        // An upstream that speaks as well does not make two of them.
        peer.send("HTTP/1.1 100 Continue\r\n\r\n");
        let body = peer.body(head.delimited).unwrap();
        peer.record(crate::support::upstream::Recorded { body, ..head });
        peer.send(ok("got it"));
    });
    let edge = Edge::setup()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tunnel(Tunnel::guarded("b.t.example.test", &upstream))
        .start();
    let mut client = edge.client();
    assert_eq!(client.ask(expecting(HOST, "")).status, 100);
    let answer = client.ask("body");
    assert_eq!((answer.status, answer.text()), (200, "got it"));
    let request = upstream.next_request();
    assert_eq!(
        (request.field("expect"), &request.body[..]),
        (None, &b"body"[..])
    );

    // One step outside: the answer is the refusal, and no body was asked for.
    let answer = edge.client().ask(expecting("b.t.example.test", ""));
    assert_eq!((answer.status, answer.closes()), (401, true));
    assert_eq!(upstream.connections(), 1);
    let token = format!("Authorization: Bearer {}\r\n", edge.token(|_| ()));
    let mut client = edge.client();
    assert_eq!(
        client.ask(expecting("b.t.example.test", &token)).status,
        100
    );
    assert_eq!(client.ask("body").status, 200);
}

#[test]
fn nobody_is_told_to_go_on_who_does_not_wait() {
    let upstream = Upstream::fixed("");
    let edge = Edge::before(&upstream);
    for head in [
        // The body is there already.
        format!("{}body", expecting(HOST, "")),
        // Version 1.0 knows no interim answers (RFC 9110 10.1.1).
        expecting(HOST, "").replace("HTTP/1.1", "HTTP/1.0") + "body",
        // There is no body.
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\n\r\n"),
        format!(
            "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n"
        ),
    ] {
        assert_eq!(edge.client().ask(&head).status, 200, "{head:?}");
        assert_eq!(upstream.next_request().field("expect"), None);
    }
    let mut client = edge.client();
    let old = expecting(HOST, "").replace("HTTP/1.1", "HTTP/1.0");
    client.send(old);
    client.send("body");
    assert_eq!(client.response().status, 200);
}

#[test]
fn other_expectations_are_not_met() {
    let upstream = Upstream::fixed("");
    let edge = Edge::before(&upstream);
    for value in ["200-ok", "100-continue, x", "", "100-continue;q=1"] {
        let mut client = edge.client();
        let answer = client.ask(format!(
            "GET / HTTP/1.1\r\nHost: {HOST}\r\nExpect: {value}\r\n\r\n"
        ));
        assert_eq!((answer.status, answer.closes()), (417, true), "{value:?}");
        client.assert_closed();
        assert_eq!(edge.reason(), "expectation_unsupported");
    }
    upstream.assert_untouched();
}

#[test]
fn an_upload_begins_before_it_ends() {
    let (sender, seen) = channel();
    let upstream = Upstream::scripted(move |mut peer| {
        let head = peer.request_head().unwrap();
        assert_eq!(head.delimited, Delimited::Length(4));
        let _ = sender.send(peer.exactly(2).unwrap());
        peer.exactly(2).unwrap();
        peer.send(ok("done"));
    });
    let edge = Edge::before(&upstream);
    let mut client = edge.client();
    client.send(format!(
        "PUT / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nab"
    ));
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), b"ab");
    assert_eq!(client.ask("cd").text(), "done");
}
