//! Heads that nobody thought of.

use super::*;

const NAMES: &[&str] = &[
    "Accept",
    "X-One",
    "x_one",
    "Cookie",
    "Referer",
    "Authorization",
    "Connection",
    "Keep-Alive",
    "TE",
    "Upgrade",
    "X-Forwarded-For",
    "X_FORWARDED_HOST",
    "x-adit-subject",
    "X-Request-Id",
    "Expect",
    "Content-Length",
    "Transfer-Encoding",
    "Forwarded",
    "X-Original-URL",
    "Trailer",
    "Set-Cookie",
    "Rstream-Authorization",
];

const VALUES: &[&str] = &[
    "",
    "1",
    "0",
    "12",
    "chunked",
    "close",
    "keep-alive",
    "x-one",
    "x_one, te",
    "a=1; rstream_auth=2; b",
    "rstream_auth=1",
    "https://a/?rstream.token=t",
    "https://a/%3Frstream%252etoken",
    "100-continue",
    "h2c",
    "Bearer a.b.c",
    "\u{e9}\t\"",
    "for=1.2.3.4",
    "trailers",
];

fn field() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => prop::sample::select(NAMES).prop_map(str::to_owned),
        1 => "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}",
    ];
    let value = prop_oneof![
        4 => prop::sample::select(VALUES).prop_map(str::to_owned),
        1 => "[ -~\t]{0,16}",
    ];
    (name, value).prop_map(|(name, value)| format!("{name}: {value}\r\n"))
}

fn target() -> impl Strategy<Value = String> {
    let query = prop::collection::vec(
        prop::sample::select(vec![
            "a=1",
            "",
            "rstream.token=t",
            "rstream%2etoken",
            "b=%2f",
            "%72stream.token=x=y",
            "=",
            "?",
            "c;d",
        ]),
        0..5,
    );
    let path = prop_oneof![
        4 => "/[a-z./%;\\\\:@+0-9]{0,12}",
        1 => Just("http://a.example/x".to_owned()),
        1 => Just("https://A.example.".to_owned()),
        1 => Just("*".to_owned()),
    ];
    (path, prop::option::of(query)).prop_map(|(path, query)| match query {
        Some(query) => format!("{path}?{}", query.join("&")),
        None => path,
    })
}

fn head() -> impl Strategy<Value = String> {
    let host = prop::sample::select(vec!["a.example", "A.EXAMPLE.", "a.example:80", "[::1]"]);
    let method = prop::sample::select(vec!["GET", "POST", "OPTIONS", "HEAD", "get", "M-X"]);
    let fields = prop::collection::vec(field(), 0..8);
    (method, target(), 0..2, host, fields).prop_map(|(method, target, minor, host, fields)| {
        let fields = fields.concat();
        format!("{method} {target} HTTP/1.{minor}\r\nHost: {host}\r\n{fields}\r\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_accepted_leaves_as_one_request_that_means_the_same(head in head()) {
        fuzz_forward(head.as_bytes());
    }

    #[test]
    fn a_byte_changed_anywhere_changes_no_property(head in head(), at in 0usize..400, byte: u8) {
        let mut bytes = head.into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        fuzz_forward(&bytes);
    }
}

/// The generator must make heads that are accepted, or the properties say nothing.
#[test]
fn most_generated_heads_are_accepted() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let accepted = (0..400)
        .filter(|_| {
            let head = head().new_tree(&mut runner).unwrap().current();
            RequestHead::new().parse(head.as_bytes(), &LIMITS).is_ok()
        })
        .count();
    assert!(accepted > 100, "{accepted} of 400");
}
