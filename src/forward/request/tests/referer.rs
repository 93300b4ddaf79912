//! What of an address may tell the next host.

use super::*;

/// S10.3.
#[test]
fn a_referer_with_a_token_is_cut() {
    for (value, expected) in [
        ("https://a.example/x?y=1#z", "https://a.example/x?y=1#z"),
        ("https://a.example/x?rstream.token=t", "https://a.example/x"),
        (
            "https://a.example/x?y&RSTREAM%2etoken=t",
            "https://a.example/x",
        ),
        (
            "https://a.example/x?to=%2Fy%3Frstream%252Etoken%253Dt",
            "https://a.example/x",
        ),
        ("https://a.example/x#rstream.token=t", "https://a.example/x"),
        (
            "https://a.example/x;rstream.token=t?y",
            "https://a.example/",
        ),
        (
            "https://a.example/go/https%3A%2F%2Fb%3Frstream.token%3Dt",
            "https://a.example/",
        ),
        (
            "https://a.example/rstream%25252etoken",
            "https://a.example/",
        ),
        ("/x?rstream.token=t", "/x"),
        ("/rstream.token=t?x", "/"),
        ("rstream.token=t", ""),
        (
            "https://a.example/rstream-token?rstream_token=1",
            "https://a.example/rstream-token?rstream_token=1",
        ),
        ("https://a.example/?%zz%2", "https://a.example/?%zz%2"),
    ] {
        let expected = format!("Referer: {expected}\r\n");
        assert_eq!(left(&format!("Referer: {value}\r\n")), expected, "{value}");
    }
}

/// Each layer took one more pass over the whole; sixty thousand bytes of them held a core for seconds.
#[test]
fn a_referer_encoded_many_times_is_read_once() {
    let layers = |count: usize| format!("?rstream%{}2Etoken=t", "25".repeat(count));
    for count in [0, 1, 2, 25_000] {
        let value = format!("https://a.example/x{}", layers(count));
        assert_eq!(
            referer(value.as_bytes()),
            b"https://a.example/x",
            "{count} layers"
        );
    }
    let other = format!("https://a.example/x?rstream%{}2Ftoken", "25".repeat(25_000));
    assert_eq!(referer(other.as_bytes()), other.as_bytes());
}
