use super::*;
use proptest::prelude::*;

fn ambiguity(path: impl AsRef<[u8]>) -> Option<Ambiguity> {
    judge(path.as_ref(), &mut Vec::new(), false).ambiguity
}

#[test]
fn ordinary_paths_are_clear_and_decoded_once() {
    let cases: &[(&str, &str)] = &[
        ("/", "/"),
        ("/api", "/api"),
        ("/api/", "/api/"),
        ("/API/a+b", "/API/a+b"),
        ("/a%20b/c%3Ad", "/a b/c:d"),
        ("/%61pi", "/api"),
        ("/caf%C3%A9", "/café"),
        ("/%E6%97%A5%E6%9C%AC", "/日本"),
        ("/...x/a..b/x../x.", "/...x/a..b/x../x."),
        ("/.well-known/x", "/.well-known/x"),
        ("/..a/.b", "/..a/.b"),
        ("/a%20/b", "/a /b"),
        ("/a:b@c!$&'()*,=~", "/a:b@c!$&'()*,=~"),
        ("*", "*"),
    ];
    for (raw, decoded) in cases {
        let mut scratch = Vec::new();
        let judged = judge(raw.as_bytes(), &mut scratch, false);
        assert_eq!(judged.ambiguity, None, "{raw}");
        assert_eq!(judged.decoded, decoded.as_bytes(), "{raw}");
    }
}

#[test]
fn every_attack_is_ambiguous() {
    use Ambiguity::*;
    let cases: &[(&str, Ambiguity)] = &[
        ("/a%", InvalidEscape),
        ("/a%2", InvalidEscape),
        ("/a%zz", InvalidEscape),
        ("/a%2g", InvalidEscape),
        ("/%u002e", InvalidEscape),
        ("/a%00", Control),
        ("/a%1f", Control),
        ("/a%0d%0a", Control),
        ("/a%7F", Control),
        ("/a\\b", Backslash),
        ("/api/..%5cadmin", Backslash),
        ("/api/%252e%252e/admin", Percent),
        ("/a%25", Percent),
        ("/a;b", Semicolon),
        ("/a%3bb", Semicolon),
        ("/api/..;/admin", Semicolon),
        ("/api/x%3f", QueryOrFragment),
        ("/api/x%23", QueryOrFragment),
        ("/api%2Fadmin", EncodedSlash),
        ("/api%2fadmin", EncodedSlash),
        ("/api/..%2fadmin", EncodedSlash),
        ("/api/%c0%ae%c0%ae/admin", NotUtf8),
        ("/api/%e0%80%ae/", NotUtf8),
        ("/a%ff", NotUtf8),
        ("/a%c3", NotUtf8),
        ("/a%ed%a0%80", NotUtf8),
        ("/api/%EF%BC%8E%EF%BC%8E/admin", Compatibility),
        ("/api%EF%BC%8Fadmin", Compatibility),
        ("/api/%E2%80%A5/admin", Compatibility),
        ("/api/%EF%BC%85x", Compatibility),
        ("/a%CD%BEb", Compatibility),
        ("//", EmptySegment),
        ("//api", EmptySegment),
        ("/api//admin", EmptySegment),
        ("/api/%20/admin", EmptySegment),
        ("/.", DotSegment),
        ("/..", DotSegment),
        ("/api/../admin", DotSegment),
        ("/api/./admin", DotSegment),
        ("/api/%2e%2E/admin", DotSegment),
        ("/api/.%2e/admin", DotSegment),
        ("/api/..%20/admin", DotSegment),
        ("/api/%20../admin", DotSegment),
        ("/api/.../admin", DotSegment),
        ("/api/..%20.%20/admin", DotSegment),
        ("/api/..%C2%A0/admin", DotSegment),
        ("..", DotSegment),
    ];
    for (raw, expected) in cases {
        assert_eq!(ambiguity(raw), Some(*expected), "{raw}");
    }
}

#[test]
fn allowing_the_semicolon_lifts_no_other_rule() {
    let judged = |raw: &str| judge(raw.as_bytes(), &mut Vec::new(), true).ambiguity;
    for raw in ["/a;b=c", "/a;b/c;d", "/a%3Bb", "/a/;jsessionid=1", "/..a;b"] {
        assert_eq!(judged(raw), None, "{raw}");
        assert_eq!(ambiguity(raw), Some(Ambiguity::Semicolon), "{raw}");
    }
    for raw in [
        "/a/..;/b",
        "/a/..;x=y/b",
        "/a/.;",
        "/a/..%3b/b",
        "/a/..%20;x/b",
        "/a/%2e%2e;/b",
    ] {
        assert_eq!(judged(raw), Some(Ambiguity::DotSegment), "{raw}");
    }
    assert_eq!(judged("/a/;x/b"), Some(Ambiguity::EmptySegment));
    assert_eq!(judged("/a;%2fb"), Some(Ambiguity::EncodedSlash));
}

#[test]
fn without_escapes_nothing_is_copied() {
    let raw = b"/api/things".as_slice();
    let mut scratch = Vec::new();
    let judged = judge(raw, &mut scratch, false);
    assert_eq!(judged.decoded.as_ptr(), raw.as_ptr());
    assert_eq!(scratch.capacity(), 0);
}

#[test]
fn scratch_of_an_earlier_path_leaves_no_trace() {
    let mut scratch = Vec::new();
    judge(b"/secret/%61%62%63%64", &mut scratch, false);
    let judged = judge(b"/%61", &mut scratch, false);
    assert_eq!(judged.decoded, b"/a");
}

#[test]
fn every_byte_outside_ascii_text_is_ambiguous_raw_and_escaped() {
    for byte in (0..0x20).chain([0x7f, b'\\', b';']).chain(0x80..=0xff) {
        assert!(ambiguity([b'/', byte]).is_some(), "raw {byte:#x}");
        assert!(ambiguity(format!("/%{byte:02x}")).is_some(), "{byte:#x}");
    }
}

/// Readers of other habits: what an upstream may do to a path before it looks at it.
fn readings(raw: &[u8]) -> Vec<String> {
    let once = decode_leniently(raw);
    let twice = decode_leniently(&once);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let stripped = |path: String| {
        let segments = path
            .split('/')
            .map(|segment| segment.trim_end_matches(['.', ' ']));
        segments.collect::<Vec<_>>().join("/")
    };
    let without_parameters = |path: String| {
        let segments = path
            .split('/')
            .map(|segment| segment.split(';').next().unwrap());
        segments.collect::<Vec<_>>().join("/")
    };
    vec![
        text(&once),
        text(&twice),
        text(&once).replace('\\', "/"),
        without_parameters(text(&once)),
        text(&decode_leniently(without_parameters(text(raw)).as_bytes())),
        stripped(text(&once)),
        text(&once)
            .replace("\u{ff0e}", ".")
            .replace("\u{ff0f}", "/"),
        text(&once).replace("\u{c0}\u{ae}", "."),
        text(&once).split(['?', '#']).next().unwrap().to_owned(),
    ]
}

fn decode_leniently(raw: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    decode_once(raw, &mut decoded);
    decoded
}

/// Merges slashes and resolves dot segments, as most file and route lookups do.
fn resolve(path: &str) -> Vec<&str> {
    let mut resolved = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                resolved.pop();
            }
            name => resolved.push(name),
        }
    }
    resolved
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn readers_of_other_habits_stay_where_the_path_was_judged(
        parts in proptest::collection::vec(
            prop::sample::select(vec![
                "/", "/", "/", "a", "api", ".", "..", "%2e", "%2E", "%252e", "%2f", "%5c", "\\", ";",
                "%3b", "%20", " ", "%c0%ae", "%EF%BC%8E", "%EF%BC%8F", "%", "%3f", "%23", "x..", "..x", "%C3%A9", "%00",
            ]),
            0..12,
        )
    ) {
        let raw = format!("/{}", parts.concat());
        let mut scratch = Vec::new();
        let judged = judge(raw.as_bytes(), &mut scratch, false);
        if judged.ambiguity.is_none() {
            let decoded = std::str::from_utf8(judged.decoded).unwrap();
            let own: Vec<&str> = decoded.split('/').filter(|segment| !segment.is_empty()).collect();
            for reading in readings(raw.as_bytes()) {
                let other = resolve(&reading);
                // A blank last segment is a trailing slash to a reader that strips.
                let own = match own.split_last() {
                    Some((last, rest)) if last.trim().is_empty() && other.len() < own.len() => rest,
                    _ => own.as_slice(),
                };
                prop_assert_eq!(other.len(), own.len(), "{} read as {}", raw, reading);
                for (theirs, ours) in other.iter().zip(own) {
                    prop_assert_eq!(
                        theirs.trim_end_matches(['.', ' ']),
                        ours.trim_end_matches(['.', ' '])
                    );
                }
            }
        }
        fuzz_path(raw.as_bytes());
    }

    #[test]
    fn nearly_plain_paths(raw in "/[a-z/._~-]{0,40}[ -~]?[a-z/.]{0,20}") {
        fuzz_path(raw.as_bytes());
    }

    #[test]
    fn any_bytes(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
        fuzz_path(&raw);
    }
}
