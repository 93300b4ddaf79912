use super::*;
use crate::http::HeadLimits;
use crate::http::request::RequestHead;
use crate::http::response::ResponseHead;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 4096,
    header_fields: 32,
    target_bytes: 1024,
};

/// The handshake of RFC 6455 1.3.
const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn asks(text: &str) -> Option<Accept> {
    let mut head = RequestHead::new();
    head.parse(text.as_bytes(), &LIMITS)
        .unwrap_or_else(|error| panic!("{error:?}: {text}"));
    requested(Request {
        bytes: text.as_bytes(),
        head: &head,
    })
}

fn grants(text: &str) -> bool {
    let mut head = ResponseHead::new();
    head.parse(text.as_bytes(), Method::Get, &LIMITS)
        .unwrap_or_else(|error| panic!("{error:?}: {text}"));
    let response = Response {
        bytes: text.as_bytes(),
        head: &head,
    };
    granted(response, &asks(HANDSHAKE).unwrap())
}

#[test]
fn the_handshake_of_the_rfc() {
    let accept = asks(HANDSHAKE).unwrap();
    assert_eq!(&accept.0, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(grants(ANSWER));
}

#[test]
fn the_same_in_other_words() {
    for (from, to) in [
        ("Upgrade: websocket", "upgrade: WebSocket"),
        ("Connection: Upgrade", "Connection: keep-alive, upgrade"),
        (
            "Connection: Upgrade",
            "Connection: keep-alive\r\nConnection: UPGRADE",
        ),
        ("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
    ] {
        assert_eq!(
            asks(&HANDSHAKE.replacen(from, to, 1)),
            asks(HANDSHAKE),
            "{to}"
        );
    }
}

#[test]
fn an_ordinary_request() {
    for (from, to) in [
        ("GET", "POST"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Upgrade: websocket", "Upgrade: websocket, h2c"),
        (
            "Upgrade: websocket",
            "Upgrade: websocket\r\nUpgrade: websocket",
        ),
        ("Upgrade: websocket", "Upgrade: websocket/13"),
        ("Connection: Upgrade", "Connection: keep-alive"),
        ("Connection: Upgrade\r\n", ""),
        ("Version: 13", "Version: 8"),
        ("Version: 13", "Version: 013"),
        ("Version: 13", "Version: 13, 8"),
        ("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13"),
        ("ZQ==", "ZQ="),
        ("ZQ==", "ZR=="),
        (
            "ZQ==",
            "ZQ==\r\nSec_WebSocket_Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
        ("dGhlIHNhbXBsZSBub25jZQ==", ""),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQAA"),
        ("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n"),
        ("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ] {
        assert_eq!(asks(&HANDSHAKE.replacen(from, to, 1)), None, "{to}");
    }
}

#[test]
fn an_answer_that_grants_something_else() {
    for (from, to) in [
        ("HTTP/1.1", "HTTP/1.0"),
        ("101", "200"),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Upgrade: websocket\r\n", ""),
        ("Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: h2c"),
        ("Connection: Upgrade\r\n", ""),
        ("Connection: Upgrade", "Connection: keep-alive"),
        ("s3pP", "S3pP"),
        ("xOo=", "xOo"),
        (
            "xOo=",
            "xOo=\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        ),
        ("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", ""),
    ] {
        assert!(!grants(&ANSWER.replacen(from, to, 1)), "{to}");
    }
}
