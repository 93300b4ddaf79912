//! Which clients can be sent to a page (S5.8): a browser that is going somewhere, and nobody else.

use crate::http::field::FieldKind;
use crate::http::request::{Method, Request};
use crate::http::websocket;

/// Whether an answer with a page or a redirect would be looked at by a person. What says nothing of itself may be one.
pub fn is_navigation(request: Request<'_>) -> bool {
    request.head.method == Method::Get
        && may_go_somewhere(request)
        && (request.values_named(b"Accept").next().is_none()
            || accepts(request, &[b"text/html", b"*/*"]))
}

/// Whether an error should be a page: only a browser that goes somewhere, by a link or a form, and asks for a page by name.
/// Programs, which take anything, get the form that they can read.
pub fn shows_errors(request: Request<'_>) -> bool {
    // The lists of programs seldom have this letter, and to look for it is cheaper than to take them apart.
    let may_list_it = |line: &[u8]| memchr::memchr2(b'h', b'H', line).is_some();
    matches!(request.head.method, Method::Get | Method::Post)
        && request.values_named(b"Accept").any(may_list_it)
        && accepts(request, &[b"text/html"])
        && may_go_somewhere(request)
}

/// Whether nothing says that this is not a browser with a new page to fill (Fetch Metadata 2).
fn may_go_somewhere(request: Request<'_>) -> bool {
    websocket::requested(request).is_none()
        && request
            .values_named(b"Sec-Fetch-Mode")
            .all(|mode| mode == b"navigate")
        && request
            .values_named(b"Sec-Fetch-Dest")
            .all(|destination| destination == b"document")
}

/// Whether `Accept` lists one of these media ranges (RFC 9110 12.5.1), whatever its weight.
fn accepts(request: Request<'_>, wanted: &[&[u8]]) -> bool {
    request
        .values_named(b"Accept")
        .flat_map(|line| line.split(|&byte| byte == b','))
        .any(|entry| {
            let range = entry.split(|&byte| byte == b';').next().unwrap_or_default();
            let range = range.trim_ascii();
            wanted.iter().any(|one| range.eq_ignore_ascii_case(one))
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

    /// Whether it is a navigation, a preflight, and shown errors as pages.
    fn parsed(method: &str, fields: &str) -> (bool, bool, bool) {
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
        (
            is_navigation(request),
            is_preflight(request),
            shows_errors(request),
        )
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
    fn only_who_asks_for_a_page_by_name_gets_errors_as_pages() {
        let browser = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
        let asks = "Accept: text/html,*/*;q=0.8\r\n";
        for (method, fields, shown) in [
            ("GET", [browser, asks].concat(), true),
            ("POST", [browser, asks].concat(), true),
            ("GET", asks.to_owned(), true),
            ("PUT", [browser, asks].concat(), false),
            ("HEAD", [browser, asks].concat(), false),
            ("GET", browser.to_owned(), false),
            ("GET", String::new(), false),
            ("GET", "Accept: */*\r\n".to_owned(), false),
            ("GET", "Accept: application/json\r\n".to_owned(), false),
            ("GET", [asks, "Sec-Fetch-Mode: cors\r\n"].concat(), false),
            ("GET", [asks, "Sec-Fetch-Dest: iframe\r\n"].concat(), false),
            (
                "GET",
                [asks, "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"].concat(),
                false,
            ),
        ] {
            assert_eq!(parsed(method, &fields).2, shown, "{method} {fields}");
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
