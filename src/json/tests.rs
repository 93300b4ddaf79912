use super::*;

fn object(members: &[(&str, Json)]) -> Json {
    Json::Object(
        members
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    )
}

#[test]
fn values_that_every_reader_reads_alike() {
    let string = |text: &str| Json::String(text.to_owned());
    let table: &[(&str, Json)] = &[
        ("null", Json::Null),
        (" \t\r\n true \n", Json::Bool(true)),
        ("0", Json::Integer(0)),
        ("9007199254740992", Json::Integer(1 << 53)),
        ("9007199254740993", Json::Number),
        ("18446744073709551616", Json::Number),
        ("-0", Json::Number),
        ("-1", Json::Number),
        ("1.0", Json::Number),
        ("1e2", Json::Number),
        ("1E+2", Json::Number),
        (r#""a\u0062\n""#, string("ab\n")),
        (r#""\ud83d\ude00""#, string("\u{1f600}")),
        ("\"\u{e9}\"", string("\u{e9}")),
        ("[]", Json::Array(vec![])),
        ("[1,[2]]", {
            Json::Array(vec![Json::Integer(1), Json::Array(vec![Json::Integer(2)])])
        }),
        (
            r#"{"b":1,"a":{"b":2}}"#,
            object(&[
                ("b", Json::Integer(1)),
                ("a", object(&[("b", Json::Integer(2))])),
            ]),
        ),
    ];
    for (text, value) in table {
        assert_eq!(parse(text.as_bytes()).as_ref(), Ok(value), "{text}");
    }
}

#[test]
fn what_is_refused() {
    use JsonError::{DuplicateKey, NotUtf8, Syntax};
    let table: &[(&[u8], JsonError)] = &[
        (b"", Syntax),
        (b" ", Syntax),
        (b"{} {}", Syntax),
        (b"{}x", Syntax),
        (b"{}\0", Syntax),
        (b"\xef\xbb\xbf{}", Syntax),
        (b"\xc2\xa0{}", Syntax),
        (b"\"\xff\"", NotUtf8),
        (b"\"\xc0\xae\"", NotUtf8),
        (b"\"\xed\xa0\x80\"", NotUtf8),
        (br#""\ud800""#, Syntax),
        (br#""\udc00""#, Syntax),
        (br#""\ud800\u0061""#, Syntax),
        (br#"{"\ud800":1}"#, Syntax),
        (b"\"\n\"", Syntax),
        (br#""\x""#, Syntax),
        (b"'a'", Syntax),
        (b"{a:1}", Syntax),
        (b"[1,]", Syntax),
        (br#"{"a":1,}"#, Syntax),
        (b"// c\n1", Syntax),
        (b"01", Syntax),
        (b"+1", Syntax),
        (b".5", Syntax),
        (b"1.", Syntax),
        (b"NaN", Syntax),
        (b"Infinity", Syntax),
        (b"nul", Syntax),
        (b"True", Syntax),
        (br#"{"a":1,"a":1}"#, DuplicateKey),
        (br#"{"a":1,"b":2,"\u0061":3}"#, DuplicateKey),
        (br#"[{"x":{"":1,"":2}}]"#, DuplicateKey),
    ];
    for (bytes, error) in table {
        let shown = bytes.escape_ascii();
        assert_eq!(parse(bytes), Err(*error), "{shown}");
    }
}

#[test]
fn names_differing_in_case_or_normal_form_are_two_names() {
    for text in [r#"{"a":1,"A":2}"#, "{\"\u{e9}\":1,\"e\u{301}\":2}"] {
        assert!(parse(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn nesting_ends_at_the_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(
        parse(nested(JSON_DEPTH_MAX + 1).as_bytes()),
        Err(JsonError::TooDeep)
    );
    let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    assert!(parse(objects(JSON_DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(
        parse(objects(JSON_DEPTH_MAX + 1).as_bytes()),
        Err(JsonError::TooDeep)
    );
    assert_eq!(parse("[".repeat(8000).as_bytes()), Err(JsonError::TooDeep));
}
