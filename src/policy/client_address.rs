//! Who a request is from, where proxies stand before the edge (S7).
//!
//! A connection's address is that of its peer, or what a trusted balancer said in its preamble; a trusted proxy may say
//! more in each request. Comes in: the request, the address so far, the networks that are believed. Goes out: the
//! address, or `None` where it is unknown, which no list of allowed addresses covers.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::Scheme;
use crate::http::field::{Field, FieldKind};
use crate::http::request::Request;
use crate::http::trim;

/// Whose word is taken. Networks of IPv4 hold for mapped addresses too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// These begin every connection with a PROXY preamble.
    pub proxy_protocol_from: Vec<IpNet>,
    /// These say in `X-Forwarded-For` who a request is from, and in `X-Request-Id` what it is called.
    pub forwarded_from: Vec<IpNet>,
}

impl Trust {
    /// Nobody is listed.
    pub fn is_empty(&self) -> bool {
        self.proxy_protocol_from.is_empty() && self.forwarded_from.is_empty()
    }

    /// Whether a peer's word is taken in any way.
    pub fn lists(&self, peer: IpAddr) -> bool {
        is_in(&self.proxy_protocol_from, peer) || is_in(&self.forwarded_from, peer)
    }
}

/// What counts as one client: an IPv4 address, or the /64 that an IPv6 customer has at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressKey {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl AddressKey {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => AddressKey::V4(address.octets()),
            IpAddr::V6(address) => {
                let [first, second, third, fourth, ..] = address.segments();
                AddressKey::V6([first, second, third, fourth])
            }
        }
    }
}

/// Longest request id that is taken over, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 64;

/// Whether one of `networks` holds the address.
pub fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// The client that a trusted `peer` speaks for: in all `X-Forwarded-For` lines joined, from the right, the first one
/// that is not trusted itself. `None`: an entry on the way there is no address.
pub fn forwarded(request: Request<'_>, peer: IpAddr, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut client = peer;
    // Only this spelling: a client may send `X_Forwarded_For` past a proxy that adds its own line.
    let spoken = |field: &&Field| request.name(field).eq_ignore_ascii_case(b"x-forwarded-for");
    let fields = request.head.fields.iter().rev().filter(spoken);
    let entries =
        fields.flat_map(|field| field.value.of(request.bytes).rsplit(|&byte| byte == b','));
    for entry in entries {
        client = parse(trim(entry))?;
        if !is_in(trusted, client) {
            break;
        }
    }
    Some(client)
}

/// How the client of a trusted proxy came to it, where that says so in one field, and in no other spelling of its name.
pub fn forwarded_scheme(request: Request<'_>) -> Option<Scheme> {
    let spoken = |field: &&Field| {
        let name = request.name(field);
        name.eq_ignore_ascii_case(b"x-forwarded-proto")
    };
    let mut fields = request.head.fields.iter().filter(spoken);
    let field = fields.next().filter(|_| fields.next().is_none())?;
    match field.value.of(request.bytes) {
        b"https" => Some(Scheme::Https),
        b"http" => Some(Scheme::Http),
        _ => None,
    }
}

/// An address, with or without a port, an IPv6 one with or without brackets (with a port only in them).
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .filter(|text| text.contains(':'))
        .unwrap_or(text);
    let address = bare
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    // `SocketAddr` takes a zone, which means something on the proxy's machine only.
    let address = address.ok().filter(|_| !text.contains('%'))?;
    Some(address.to_canonical())
}

/// The id that a trusted proxy gave the request: one field, 1 to [`REQUEST_ID_BYTES_MAX`] letters, digits, `.`, `_`, `-`.
pub fn request_id(request: Request<'_>) -> Option<&str> {
    let mut values = request.values(FieldKind::RequestId);
    let value = values.next().filter(|_| values.next().is_none())?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fits = (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.iter().all(plain);
    std::str::from_utf8(value).ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HeadLimits;
    use crate::http::request::RequestHead;

    fn with<T>(fields: &str, look: impl FnOnce(Request<'_>) -> T) -> T {
        let bytes = format!("GET / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
        let limits = HeadLimits {
            head_bytes: 4096,
            header_fields: 32,
            target_bytes: 1024,
        };
        let mut head = RequestHead::new();
        head.parse(bytes.as_bytes(), &limits).unwrap();
        look(Request {
            bytes: bytes.as_bytes(),
            head: &head,
        })
    }

    #[test]
    fn the_first_untrusted_from_the_right_is_the_client() {
        let trusted = ["10.0.0.0/8", "2001:db8:f::/48"].map(|text| text.parse().unwrap());
        let cases = [
            // No field: the peer itself.
            ("", "10.0.0.1"),
            ("X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"),
            // What an untrusted client wrote stands to the left and counts for nothing.
            ("X-Forwarded-For: 1.1.1.1, 192.0.2.1\r\n", "192.0.2.1"),
            ("X-Forwarded-For: rubbish, 192.0.2.1\r\n", "192.0.2.1"),
            (
                "X-Forwarded-For: 192.0.2.1, 10.0.0.2,10.0.0.3\r\n",
                "192.0.2.1",
            ),
            (
                "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.0.0.2\r\n",
                "192.0.2.1",
            ),
            (
                "x-FORWARDED-for: 192.0.2.1\r\nX-Forwarded-For: 198.51.100.1\r\n",
                "198.51.100.1",
            ),
            ("X-Forwarded-For: 10.0.0.9, 10.0.0.2\r\n", "10.0.0.9"),
            ("X-Forwarded-For: 192.0.2.1, 2001:db8:f::1\r\n", "192.0.2.1"),
            (
                "X-Forwarded-For: 192.0.2.1, ::ffff:10.1.1.1\r\n",
                "192.0.2.1",
            ),
            ("X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1"),
            ("X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1"),
            ("X-Forwarded-For: [2001:db8::1]\r\n", "2001:db8::1"),
            ("X-Forwarded-For: [2001:db8::1]:443\r\n", "2001:db8::1"),
            ("X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"),
            // Entries that are no address, met on the way.
            ("X-Forwarded-For: 192.0.2.1, rubbish\r\n", "unknown"),
            (
                "X-Forwarded-For: 192.0.2.1, rubbish, 10.0.0.2\r\n",
                "unknown",
            ),
            ("X-Forwarded-For: unknown\r\n", "unknown"),
            ("X-Forwarded-For: _hidden\r\n", "unknown"),
            ("X-Forwarded-For:\r\n", "unknown"),
            ("X-Forwarded-For: 192.0.2.1,\r\n", "unknown"),
            ("X-Forwarded-For: 192.0.2.1, , 10.0.0.2\r\n", "unknown"),
            ("X-Forwarded-For: 192.0.2.1.\r\n", "unknown"),
            ("X-Forwarded-For: 192.0.2.256\r\n", "unknown"),
            ("X-Forwarded-For: 0192.0.2.1\r\n", "unknown"),
            ("X-Forwarded-For: 192.0.2.1:\r\n", "unknown"),
            ("X-Forwarded-For: 192.0.2.1:70000\r\n", "unknown"),
            ("X-Forwarded-For: [192.0.2.1]\r\n", "unknown"),
            ("X-Forwarded-For: [2001:db8::1\r\n", "unknown"),
            ("X-Forwarded-For: fe80::1%eth0\r\n", "unknown"),
            ("X-Forwarded-For: [fe80::1%1]:80\r\n", "unknown"),
            ("X-Forwarded-For: \"192.0.2.1\"\r\n", "unknown"),
            ("X-Forwarded-For: 192.0.2.1 10.0.0.2\r\n", "unknown"),
            // Another spelling is another field.
            ("X_Forwarded_For: 192.0.2.1\r\n", "10.0.0.1"),
            ("Forwarded: for=192.0.2.1\r\n", "10.0.0.1"),
        ];
        for (fields, client) in cases {
            let peer = "10.0.0.1".parse().unwrap();
            let found = with(fields, |request| forwarded(request, peer, &trusted));
            let found = found.map_or("unknown".to_owned(), |address| address.to_string());
            assert_eq!(found, client, "{fields}");
        }
    }

    #[test]
    fn one_plain_word_says_how_a_client_came() {
        let proto = "X-Forwarded-Proto: https\r\n";
        for (fields, scheme) in [
            (proto, Some(Scheme::Https)),
            ("x-forwarded-PROTO:http\r\n", Some(Scheme::Http)),
            ("", None),
            ("X-Forwarded-Proto:\r\n", None),
            ("X-Forwarded-Proto: HTTPS\r\n", None),
            ("X-Forwarded-Proto: https, http\r\n", None),
            ("X_Forwarded_Proto: https\r\n", None),
            (&*proto.repeat(2), None),
        ] {
            assert_eq!(with(fields, forwarded_scheme), scheme, "{fields}");
        }
    }

    #[test]
    fn one_plain_request_id_is_taken_over() {
        let longest = "x".repeat(REQUEST_ID_BYTES_MAX);
        for good in ["a", "A-b_c.9", &longest] {
            let fields = format!("X-Request-Id: {good}\r\n");
            with(&fields, |request| {
                assert_eq!(request_id(request), Some(good))
            });
        }
        for bad in [
            String::new(),
            "X-Request-Id:\r\n".to_owned(),
            "X-Request-Id: a b\r\n".to_owned(),
            "X-Request-Id: a\"b\r\n".to_owned(),
            "X-Request-Id: \u{e9}\r\n".to_owned(),
            "X-Request-Id: a\r\nX-Request-Id: a\r\n".to_owned(),
            format!("X-Request-Id: x{longest}\r\n"),
        ] {
            with(&bad, |request| {
                assert_eq!(request_id(request), None, "{bad}")
            });
        }
    }
}
