use super::*;
use proptest::prelude::*;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 8192,
    header_fields: 16,
    target_bytes: 64,
};

fn parse(head: &[u8], method: Method) -> Result<ResponseHead, ResponseError> {
    let mut response = ResponseHead::new();
    response.parse(head, method, &LIMITS)?;
    Ok(response)
}

fn answer(line: &str, fields: &str, method: Method) -> Result<ResponseHead, ResponseError> {
    parse(format!("{line}\r\n{fields}\r\n").as_bytes(), method)
}

fn framing(status: u16, fields: &str, method: Method) -> Result<Framing, &'static str> {
    answer(&format!("HTTP/1.1 {status} X"), fields, method)
        .map(|head| head.framing)
        .map_err(ResponseError::reason)
}

/// What httparse makes of line ends is relied on; so no place of a head is left out.
#[test]
fn every_byte_in_every_place() {
    let head =
        b"HTTP/1.1 200 All is well\r\nX-A:  a value longer than a vector of the widest kind \r\n\
        Connection: x-a\r\nEmpty:\r\nContent-Length: 1\r\n\r\n";
    for at in 0..head.len() {
        for byte in 0..=u8::MAX {
            let mut head = head.to_vec();
            head[at] = byte;
            fuzz_response(&head);
            let pairs = head.windows(2).filter(|pair| *pair == b"\r\n").count();
            let count = |wanted| head.iter().filter(|byte| **byte == wanted).count();
            if [count(b'\r'), count(b'\n')] != [pairs; 2] || !head.ends_with(b"\r\n\r\n") {
                let result = parse(&head, Method::Get).map(|_| ());
                assert_eq!(
                    result,
                    Err(HeadError::LineEnd.into()),
                    "{}",
                    head.escape_ascii()
                );
            }
        }
    }
}

#[test]
fn an_answer_becomes_spans() {
    let head = b"HTTP/1.1 404 Not  Found\r\nContent-Length: 3\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nVary:\r\n\r\n";
    let parsed = parse(head, Method::Get).unwrap();
    let response = Response {
        bytes: head,
        head: &parsed,
    };
    assert_eq!(parsed.status, 404);
    assert_eq!(response.reason(), b"Not  Found");
    assert_eq!(parsed.framing, Framing::Length(3));
    assert!(parsed.persistent);
    let cookies: Vec<&[u8]> = response.values(FieldKind::SetCookie).collect();
    assert_eq!(cookies, [b"a=b", b"c=d"]);
    assert_eq!(response.values_named(b"VARY").count(), 1);
    assert_eq!(response.name(&parsed.fields[3]), b"Vary");
    assert_eq!(response.value(&parsed.fields[3]), b"");
}

#[test]
fn the_status_line_is_exact() {
    let cases: &[(&str, &str)] = &[
        ("HTTP/1.1 200 OK", "accepted"),
        ("HTTP/1.0 200 OK", "accepted"),
        ("HTTP/1.1 200 ", "accepted"),
        ("HTTP/1.1 200", "accepted"),
        ("HTTP/1.1 200 \u{e9}\t!", "accepted"),
        ("HTTP/1.1 100 Continue", "accepted"),
        ("HTTP/1.1 599 X", "accepted"),
        ("HTTP/1.1 099 X", "bad_status"),
        ("HTTP/1.1 600 X", "bad_status"),
        ("HTTP/1.1 20 X", "bad_status"),
        ("HTTP/1.1 2000 X", "bad_status"),
        ("HTTP/1.1 2x0 X", "bad_status"),
        ("HTTP/1.1 +20 X", "bad_status"),
        ("HTTP/1.1  200 X", "bad_status"),
        ("HTTP/1.1 ", "bad_status"),
        ("HTTP/1.1 200\tOK", "bad_status"),
        ("HTTP/1.1", "bad_status_line"),
        ("ICY 200 OK", "version_malformed"),
        ("http/1.1 200 OK", "version_malformed"),
        ("HTTP/1.1\t200 OK", "version_malformed"),
        (" HTTP/1.1 200 OK", "version_malformed"),
        ("HTTP/1.2 200 OK", "version_unsupported"),
        ("HTTP/2.0 200 OK", "version_unsupported"),
        ("HTTP/1.1 200 O\0K", "bad_status_line"),
        ("HTTP/1.1 200 O\x7fK", "bad_status_line"),
        ("HTTP/1.1 200 O\rK", "bad_line_end"),
        ("HTTP/1.1 200 O\nK", "bad_line_end"),
    ];
    for (line, expected) in cases {
        let got = answer(line, "Content-Length: 0\r\n", Method::Get);
        let reason = got.map_or_else(ResponseError::reason, |_| "accepted");
        assert_eq!(reason, *expected, "{line:?}");
    }
}

#[test]
fn fields_are_as_strict_as_a_request() {
    for (fields, expected) in [
        ("X-A: b\r\n c\r\n", "bad_field_name"),
        ("X-A : b\r\n", "bad_field_name"),
        (": b\r\n", "bad_field_name"),
        ("X-A: \0\r\n", "bad_field_value"),
        ("X-A: b\nX-B: c\r\n", "bad_line_end"),
        ("X-A: b\rX-B: c\r\n", "bad_line_end"),
        ("Content_Length: 3\r\n", "underscore_field_name"),
        (
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "bad_content_length",
        ),
        ("Content-Length: 3, 3\r\n", "bad_content_length"),
        ("Content-Length: +3\r\n", "bad_content_length"),
        ("Content-Length:\r\n", "bad_content_length"),
        (
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "length_and_coding",
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            "bad_transfer_encoding",
        ),
        ("Transfer-Encoding: identity\r\n", "bad_transfer_encoding"),
        (
            "Connection: content-length\r\nContent-Length: 3\r\n",
            "connection_names_protected",
        ),
        ("Connection: a b\r\n", "bad_connection"),
        ("\r\nHTTP/1.1 200 OK\r\n", "bad_line_end"),
    ] {
        // The fields of a bodiless answer are read no less strictly.
        for method in [Method::Get, Method::Head] {
            assert_eq!(framing(200, fields, method), Err(expected), "{fields:?}");
        }
    }
    let many = "X: y\r\n".repeat(LIMITS.header_fields);
    assert!(framing(200, &many, Method::Get).is_ok());
    assert_eq!(
        framing(200, &format!("{many}X: y\r\n"), Method::Get),
        Err("too_many_fields")
    );
    let long = format!("X: {}\r\n", "y".repeat(LIMITS.head_bytes));
    assert_eq!(framing(200, &long, Method::Get), Err("head_too_long"));
}

#[test]
fn framing_follows_status_method_and_fields() {
    let length = "Content-Length: 3\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let bare = Err("coding_without_body");
    let cases = [
        (200, Method::Get, "", Ok(Framing::UntilClose)),
        (200, Method::Get, length, Ok(Framing::Length(3))),
        (200, Method::Get, "Content-Length: 0\r\n", Ok(Framing::None)),
        (200, Method::Get, chunked, Ok(Framing::Chunked)),
        (200, Method::Head, "", Ok(Framing::None)),
        (200, Method::Head, length, Ok(Framing::None)),
        (200, Method::Head, chunked, Ok(Framing::None)),
        (304, Method::Get, length, Ok(Framing::None)),
        (304, Method::Get, chunked, Ok(Framing::None)),
        (305, Method::Get, length, Ok(Framing::Length(3))),
        (204, Method::Get, "", Ok(Framing::None)),
        (204, Method::Get, length, Ok(Framing::None)),
        (204, Method::Get, chunked, bare),
        (204, Method::Head, chunked, bare),
        (205, Method::Get, chunked, Ok(Framing::Chunked)),
        (203, Method::Get, chunked, Ok(Framing::Chunked)),
        (100, Method::Get, "", Ok(Framing::None)),
        (103, Method::Get, length, Ok(Framing::None)),
        (103, Method::Get, chunked, bare),
        (101, Method::Get, chunked, bare),
        (199, Method::Get, chunked, bare),
    ];
    for (status, method, fields, expected) in cases {
        assert_eq!(
            framing(status, fields, method),
            expected,
            "{status} {method:?} {fields:?}"
        );
    }
    let old = answer("HTTP/1.0 200 OK", chunked, Method::Get).unwrap_err();
    assert_eq!(old.reason(), "bad_transfer_encoding");
}

#[test]
fn a_length_without_a_body_is_kept_as_a_field() {
    let head = answer("HTTP/1.1 200 OK", "Content-Length: 3\r\n", Method::Head).unwrap();
    assert_eq!(head.fields[0].kind, FieldKind::ContentLength);
}

#[test]
fn an_answer_is_persistent_only_where_its_end_is_known() {
    let persistent =
        |line: &str, fields: &str| answer(line, fields, Method::Get).unwrap().persistent;
    assert!(persistent("HTTP/1.1 200 OK", "Content-Length: 3\r\n"));
    assert!(persistent("HTTP/1.1 204 X", ""));
    assert!(!persistent("HTTP/1.1 200 OK", ""));
    assert!(!persistent(
        "HTTP/1.1 200 OK",
        "Content-Length: 3\r\nConnection: close\r\n"
    ));
    assert!(!persistent("HTTP/1.0 200 OK", "Content-Length: 3\r\n"));
    assert!(persistent(
        "HTTP/1.0 200 OK",
        "Content-Length: 3\r\nConnection: keep-alive\r\n"
    ));
}

#[test]
fn a_refused_answer_leaves_nothing() {
    let mut response = ResponseHead::new();
    let good = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
    response.parse(good, Method::Get, &LIMITS).unwrap();
    let bad = b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n";
    assert!(response.parse(bad, Method::Get, &LIMITS).is_err());
    assert_eq!(
        format!("{response:?}"),
        format!("{:?}", ResponseHead::new())
    );
}

proptest! {
    #[test]
    fn what_is_accepted_is_accepted_again(
        line in prop::sample::select(vec![
            "HTTP/1.1 200 OK", "HTTP/1.0 200", "HTTP/1.1 204 ", "HTTP/1.1 304 X", "HTTP/1.1 101 X", "HTTP/1.1 2 X",
        ]),
        fields in proptest::collection::vec(
            prop::sample::select(vec![
                "Content-Length: 3", "Transfer-Encoding: chunked", "Connection: x, close", "Connection: keep-alive", "X: y",
                "x:  ", " fold", "Bad : name", "Bare: \n", "Set-Cookie: a", "",
            ]),
            0..6,
        )
    ) {
        let head = format!("{line}\r\n{}\r\n\r\n", fields.join("\r\n"));
        fuzz_response(head.as_bytes());
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        fuzz_response(&bytes);
        fuzz_response(&[b"HTTP/1.1 200 OK\r\n", bytes.as_slice(), b"\r\n\r\n"].concat());
    }
}
