//! Which clients can be sent to a page (S5.8): a browser that is going somewhere, and nobody else.

use crate::http::field::FieldKind;
use crate::http::request::{Method, Request};
use crate::http::websocket;

/// Whether an answer with a page or a redirect would be looked at by a person. What says nothing of itself may be one.
pub fn is_navigation(request: Request<'_>) -> bool {
    request.head.method == Method::Get
        && websocket::requested(request).is_none()
        && request
            .values_named(b"Sec-Fetch-Mode")
            .all(|mode| mode == b"navigate")
        && request
            .values_named(b"Sec-Fetch-Dest")
            .all(|destination| destination == b"document")
        && accepts_pages(request)
}

/// Whether `Accept` is absent, or lists pages or anything.
fn accepts_pages(request: Request<'_>) -> bool {
    let mut lines = request.values_named(b"Accept").peekable();
    lines.peek().is_none()
        || lines
            .flat_map(|line| line.split(|&byte| byte == b','))
            .any(|entry| {
                let range = entry.split(|&byte| byte == b';').next().unwrap_or_default();
                let range = range.trim_ascii();
                range.eq_ignore_ascii_case(b"text/html") || range == b"*/*"
            })
}

/// Whether a browser asks what another origin's page may do (Fetch 3.2.2): who that is, it never says.
pub fn is_preflight(request: Request<'_>) -> bool {
    request.head.method == Method::Options
        && request.values(FieldKind::Origin).next().is_some()
        && request
            .values_named(b"Access-Control-Request-Method")
            .next()
            .is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HeadLimits;
    use crate::http::request::RequestHead;

    fn parsed(method: &str, fields: &str) -> (bool, bool) {
        let head = format!("{method} / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
        let mut parsed = RequestHead::new();
        let limits = HeadLimits {
            head_bytes: 4096,
            header_fields: 32,
            target_bytes: 1024,
        };
        parsed.parse(head.as_bytes(), &limits).unwrap();
        let request = Request {
            bytes: head.as_bytes(),
            head: &parsed,
        };
        (is_navigation(request), is_preflight(request))
    }

    #[test]
    fn only_who_goes_somewhere_is_sent_to_a_page() {
        for (fields, navigation) in [
            ("", true),
            ("Accept: */*\r\n", true),
            ("Accept: text/html,application/xml;q=0.9\r\n", true),
            ("Accept: application/json, Text/HTML;q=0.1\r\n", true),
            ("Accept: application/json\r\n", false),
            ("Accept: text/*\r\n", false),
            ("Accept: \r\n", false),
            ("Accept: application/json\r\nAccept: text/html\r\n", true),
            (
                "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
                true,
            ),
            ("Sec-Fetch-Mode: cors\r\n", false),
            (
                "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
                false,
            ),
            (
                "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Mode: cors\r\n",
                false,
            ),
            (
                "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
                false,
            ),
        ] {
            assert_eq!(parsed("GET", fields).0, navigation, "{fields}");
            for method in ["HEAD", "POST", "OPTIONS", "get"] {
                assert!(!parsed(method, fields).0, "{method} {fields}");
            }
        }
    }

    #[test]
    fn a_preflight_says_what_it_asks_for() {
        let asks = "Origin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n";
        assert!(parsed("OPTIONS", asks).1);
        assert!(!parsed("GET", asks).1);
        assert!(!parsed("OPTIONS", "Origin: https://a.example\r\n").1);
        assert!(!parsed("OPTIONS", "Access-Control-Request-Method: PUT\r\n").1);
    }
}
