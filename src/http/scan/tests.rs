use super::*;
use proptest::prelude::*;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 1024,
    header_fields: 16,
    target_bytes: 64,
};

fn scan(bytes: &[u8]) -> Scan {
    HeadScan::default().advance(bytes, &LIMITS)
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn finds_the_end_and_nothing_after_it() {
    assert_eq!(scan(REQUEST), Scan::Complete(REQUEST.len()));
    let with_body = [REQUEST, b"body\n\r\n\r\n"].concat();
    assert_eq!(scan(&with_body), Scan::Complete(REQUEST.len()));
    assert_eq!(scan(&REQUEST[..REQUEST.len() - 1]), Scan::Partial);
    assert_eq!(scan(b""), Scan::Partial);
    assert_eq!(
        HeadScan::response().advance(b"HTTP/1.1 200 OK\r\n\r\n", &LIMITS),
        Scan::Complete(19)
    );
}

#[test]
fn the_answer_for_a_byte_by_byte_sender_is_the_same() {
    let mut scan = HeadScan::default();
    for end in 0..REQUEST.len() {
        assert_eq!(scan.advance(&REQUEST[..end], &LIMITS), Scan::Partial);
    }
    assert_eq!(
        scan.advance(REQUEST, &LIMITS),
        Scan::Complete(REQUEST.len())
    );
}

#[test]
fn refuses_what_cannot_become_a_request() {
    let cases: &[(&[u8], &str)] = &[
        (b"\r\nGET", "a second empty line"),
        (b"\r\r", "a CR alone"),
        (b"\n", "an LF alone"),
        (b"\x16", "the first byte of TLS"),
        (b"\x16\x03\x01\x02", "a TLS record"),
        (b" GET", "a space first"),
        (b"GET\t/", "a tab after the method"),
        (b"G\xc3", "no token"),
        (b"GET\r\n", "no space at all"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "another protocol"),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", "a method of 33 bytes"),
    ];
    for (bytes, what) in cases {
        assert_eq!(scan(bytes), Scan::Refused(ScanError::Malformed), "{what}");
    }
    let line_ends: &[(&[u8], &str)] = &[
        (b"GET / HTTP/1.1\n", "bare LF ends the request line"),
        (b"GET / HTTP/1.1\r\nHost: a\n", "bare LF ends a field"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", "bare LF as empty line"),
        (b"GET /\n", "HTTP/0.9 with bare LF"),
    ];
    for (bytes, what) in line_ends {
        assert_eq!(scan(bytes), Scan::Refused(ScanError::LineEnd), "{what}");
    }
    // One step inside each: the method may have 32 bytes, and a CR may wait for its LF.
    assert_eq!(scan(b"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"), Scan::Partial);
    assert_eq!(scan(b"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF /"), Scan::Partial);
    assert_eq!(scan(b"GET / HTTP/1.1\r"), Scan::Partial);
    assert_eq!(scan(b"\r"), Scan::Partial);
}

#[test]
fn one_empty_line_before_a_request_is_for_the_caller() {
    assert_eq!(leading_crlf(b"\r\nGET / HTTP/1.1\r\n"), 2);
    assert_eq!(leading_crlf(b"\r\n\r\nGET"), 2);
    assert_eq!(leading_crlf(b"\r"), 0);
    assert_eq!(leading_crlf(b"\nGET"), 0);
    assert_eq!(leading_crlf(b"GET"), 0);
}

#[test]
fn bounds_hold_to_the_byte() {
    let line_max = METHOD_BYTES_MAX + LIMITS.target_bytes + " HTTP/1.1 \r\n".len();
    let fill = |length: usize| {
        let mut bytes = b"GET /".to_vec();
        bytes.resize(length, b'x');
        bytes
    };
    assert_eq!(scan(&fill(line_max - 1)), Scan::Partial);
    assert_eq!(
        scan(&fill(line_max)),
        Scan::Refused(ScanError::TargetTooLong)
    );

    let mut head = b"GET / HTTP/1.1\r\nA: ".to_vec();
    head.resize(LIMITS.head_bytes - 4, b'x');
    head.extend_from_slice(b"\r\n\r\n");
    assert_eq!(scan(&head), Scan::Complete(LIMITS.head_bytes));
    head.insert(20, b'x');
    assert_eq!(scan(&head), Scan::Refused(ScanError::HeadTooLong));
    assert_eq!(
        scan(&head[..LIMITS.head_bytes]),
        Scan::Refused(ScanError::HeadTooLong)
    );
    assert_eq!(scan(&head[..LIMITS.head_bytes - 1]), Scan::Partial);
}

#[test]
fn an_answer_has_no_rule_for_its_first_line_but_the_head_bound() {
    let mut head = b"HTTP/1.1 200 ".to_vec();
    head.resize(LIMITS.head_bytes - 4, b'x');
    head.extend_from_slice(b"\r\n\r\n");
    let answer = HeadScan::response().advance(&head, &LIMITS);
    assert_eq!(answer, Scan::Complete(LIMITS.head_bytes));
    assert_eq!(
        HeadScan::response().advance(b"HTTP/1.1 200 OK\n", &LIMITS),
        Scan::Refused(ScanError::LineEnd)
    );
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_verdict(bytes in "([a-z]{0,40}[ \r\n]{1,3}){0,30}") {
        fuzz_scan(bytes.as_bytes());
        fuzz_scan(format!("GET /{bytes}").as_bytes());
    }
}
