//! Whose page a browser's request comes from (S5.1).
//!
//! A certificate, as a cookie, goes along with requests that other pages cause. Hosts of one edge are one site to a
//! browser, so no same-site rule keeps one tenant's page from another's.

use crate::http::field::FieldKind;
use crate::http::request::{Method, Request};
use crate::http::websocket;

/// What counts as the tunnel's own page.
#[derive(Clone, Copy, Debug)]
pub struct OwnOrigin<'a> {
    /// Canonical.
    pub host: &'a str,
    /// The port that browsers see.
    pub port: u16,
    /// Other origins that may, as browsers write them.
    pub allowed: &'a [Box<str>],
}

impl OwnOrigin<'_> {
    /// Whether a request changes nothing, or comes from a page that may cause it. What says nothing of its page is no
    /// browser's.
    pub fn admits(&self, request: Request<'_>) -> bool {
        if is_safe(request.head.method) && websocket::requested(request).is_none() {
            return true;
        }
        let mut sites = request.values_named(b"Sec-Fetch-Site");
        let mut origins = request.values(FieldKind::Origin);
        sites.all(|site| matches!(site, b"same-origin" | b"none"))
            && origins.all(|origin| self.is_own(origin) || self.is_allowed(origin))
    }

    /// Whether the one page that a request comes from is its own or listed.
    pub fn is_listed(&self, request: Request<'_>) -> bool {
        let mut origins = request.values(FieldKind::Origin);
        let is_good = |origin: &[u8]| self.is_own(origin) || self.is_allowed(origin);
        origins.next().is_some_and(is_good) && origins.next().is_none()
    }

    fn is_own(&self, origin: &[u8]) -> bool {
        let Some(authority) = origin.strip_prefix(b"https://") else {
            return false;
        };
        let port = authority.strip_prefix(self.host.as_bytes());
        match port {
            Some(b"") => self.port == 443,
            Some([b':', digits @ ..]) => {
                self.port != 443 && crate::http::decimal(self.port.into(), &mut [0; 20]) == digits
            }
            Some(_) | None => false,
        }
    }

    fn is_allowed(&self, origin: &[u8]) -> bool {
        self.allowed.iter().any(|one| one.as_bytes() == origin)
    }
}

fn is_safe(method: Method) -> bool {
    match method {
        Method::Get | Method::Head | Method::Options | Method::Trace => true,
        Method::Post
        | Method::Put
        | Method::Delete
        | Method::Patch
        | Method::Connect
        | Method::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HeadLimits;
    use crate::http::request::RequestHead;

    const WEBSOCKET: &str = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

    fn admits(method: &str, fields: &str, port: u16) -> bool {
        let head = format!("{method} / HTTP/1.1\r\nHost: app.t.example.com\r\n{fields}\r\n");
        let mut parsed = RequestHead::new();
        let limits = HeadLimits {
            head_bytes: 4096,
            header_fields: 32,
            target_bytes: 1024,
        };
        parsed.parse(head.as_bytes(), &limits).unwrap();
        let allowed = ["https://admin.example.com".into()];
        let own = OwnOrigin {
            host: "app.t.example.com",
            port,
            allowed: &allowed,
        };
        own.admits(Request {
            bytes: head.as_bytes(),
            head: &parsed,
        })
    }

    #[test]
    fn only_its_own_pages_and_listed_ones_may_cause_what_changes_something() {
        for (fields, port, good) in [
            ("", 443, true),
            ("Origin: https://app.t.example.com\r\n", 443, true),
            ("Origin: https://app.t.example.com:8443\r\n", 8443, true),
            ("Origin: https://app.t.example.com:443\r\n", 443, false),
            ("Origin: https://app.t.example.com\r\n", 8443, false),
            ("Origin: https://app.t.example.com:8444\r\n", 8443, false),
            ("Origin: https://app.t.example.com:08443\r\n", 8443, false),
            ("Origin: http://app.t.example.com\r\n", 443, false),
            ("Origin: https://app.t.example.com.\r\n", 443, false),
            ("Origin: https://evil.t.example.com\r\n", 443, false),
            ("Origin: https://app.t.example.com.evil.com\r\n", 443, false),
            ("Origin: https://admin.example.com\r\n", 443, true),
            ("Origin: https://admin.example.com:444\r\n", 443, false),
            ("Origin: null\r\n", 443, false),
            ("Origin: \r\n", 443, false),
            (
                "Origin: https://app.t.example.com\r\nOrigin: https://evil.t.example.com\r\n",
                443,
                false,
            ),
            ("Sec-Fetch-Site: same-origin\r\n", 443, true),
            ("Sec-Fetch-Site: none\r\n", 443, true),
            ("Sec-Fetch-Site: same-site\r\n", 443, false),
            ("Sec-Fetch-Site: cross-site\r\n", 443, false),
            (
                "Sec-Fetch-Site: same-site\r\nOrigin: https://app.t.example.com\r\n",
                443,
                false,
            ),
            (
                "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n",
                443,
                false,
            ),
        ] {
            for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE", "get"] {
                assert_eq!(admits(method, fields, port), good, "{method} {fields}");
            }
            let upgrade = format!("{WEBSOCKET}{fields}");
            assert_eq!(admits("GET", &upgrade, port), good, "{upgrade}");
            for method in ["GET", "HEAD", "OPTIONS"] {
                assert!(admits(method, fields, port), "{method} {fields}");
            }
        }
    }
}
