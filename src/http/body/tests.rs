use super::*;
use crate::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};
use proptest::prelude::*;

/// Payload, bytes consumed and whether the body ended, of a chunked body in one piece.
fn chunked(bytes: &[u8]) -> Result<(Vec<u8>, usize, bool), BodyError> {
    fuzz_body(bytes);
    decode_in_pieces(bytes, bytes.len().max(1))
}

#[test]
fn a_length_ends_at_its_last_byte() {
    let mut decoder = BodyDecoder::new(Framing::Length(5));
    assert!(!decoder.finished());
    let mut buffer = *b"abc";
    let decoded = decoder.decode(&mut buffer).unwrap();
    assert_eq!((decoded.consumed, decoded.payload), (3, 3));
    assert_eq!(decoder.clone().end_of_input(), Err(BodyError::Truncated));
    let mut buffer = *b"deGET /";
    let decoded = decoder.decode(&mut buffer).unwrap();
    assert_eq!((decoded.consumed, decoded.payload), (2, 2));
    assert_eq!(&buffer, b"deGET /");
    assert!(decoder.finished());
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::default()));
    assert_eq!(decoder.end_of_input(), Ok(()));
}

#[test]
fn no_body_is_finished_at_once() {
    for framing in [Framing::None, Framing::Length(0)] {
        let mut decoder = BodyDecoder::new(framing);
        assert!(decoder.finished());
        assert_eq!(
            decoder.decode(&mut b"GET ".to_vec()),
            Ok(Decoded::default())
        );
        assert_eq!(decoder.end_of_input(), Ok(()));
    }
}

#[test]
fn a_body_until_close_ends_only_there() {
    let mut decoder = BodyDecoder::new(Framing::UntilClose);
    let mut buffer = *b"abc";
    let decoded = decoder.decode(&mut buffer).unwrap();
    assert_eq!((decoded.consumed, decoded.payload), (3, 3));
    assert!(!decoder.finished());
    assert_eq!(decoder.end_of_input(), Ok(()));
    assert!(decoder.finished());
}

#[test]
fn chunks_become_their_payload() {
    let cases: &[(&str, &str)] = &[
        ("0\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789"),
        ("0000000000000003\r\nabc\r\n000\r\n\r\n", "abc"),
        ("3;a\r\nabc\r\n0\r\n\r\n", "abc"),
        ("3;a=b\r\nabc\r\n0;c\r\n\r\n", "abc"),
        (
            "3 ; a = b ; c\t=\t\"d; \\\"\\\\\"\r\nabc\r\n0\r\n\r\n",
            "abc",
        ),
        ("3;a=\"\";b\r\nabc\r\n0\r\n\r\n", "abc"),
        ("3\r\n\r\n\n\r\n0\r\n\r\n", "\r\n\n"),
        ("0\r\nX-Sum: 1\r\nX-Empty:\r\n\r\n", ""),
        ("0\r\nSet-Cookie: a\r\nX-Forwarded-For: b\r\n\r\n", ""),
    ];
    for (body, payload) in cases {
        let next = format!("{body}GET / HTTP/1.1\r\n");
        let got = chunked(next.as_bytes());
        let expected = (payload.as_bytes().to_vec(), body.len(), true);
        assert_eq!(got, Ok(expected), "{body:?}");
    }
}

#[test]
fn refuses_what_readers_end_elsewhere() {
    use ChunkError::*;
    refuses(&[
        ("\r\n", Size),
        ("\n", Size),
        (" 3\r\nabc\r\n", Size),
        ("+3\r\nabc\r\n", Size),
        ("-3\r\n", Size),
        ("0x3\r\nabc\r\n", Size),
        ("3_0\r\n", Size),
        ("g\r\n", Size),
        (";a\r\n", Size),
        ("3.\r\n", Size),
        ("3,3\r\n", Size),
        ("3\nabc\n0\n\n", LineEnd),
        ("3\r\rabc", LineEnd),
        ("3\rabc", LineEnd),
        ("3 \r\nabc\r\n", Extension),
        ("3\t\r\n", Extension),
        ("3 3\r\n", Extension),
        ("3;\r\n", Extension),
        ("3;;a\r\n", Extension),
        ("3;a;\r\n", Extension),
        ("3;=b\r\n", Extension),
        ("3;a=\r\n", Extension),
        ("3;a=b=c\r\n", Extension),
        ("3;a b\r\n", Extension),
        ("3;a \r\n", Extension),
        ("3;a=b \r\n", Extension),
        ("3;a\nabc\r\n0\r\n\r\n", Extension),
        ("3;\nabc\r\n0\r\n\r\n", Extension),
        ("3;a\rb\r\n", LineEnd),
        ("3;a=\"b\r\n", Extension),
        ("3;a=\"b\nc\"\r\n", Extension),
        ("3;a=\"b\r\nabc\"\r\n", Extension),
        ("3;a=\"b\\\r\n", Extension),
        ("3;a=\"b\"c\r\n", Extension),
        ("3;a=\"\0\"\r\n", Extension),
        ("3;a=\x7f\r\n", Extension),
        ("3\r\nabc\n0\r\n\r\n", LineEnd),
        ("3\r\nabc\r0\r\n\r\n", LineEnd),
        ("3\r\nabcd\r\n0\r\n\r\n", LineEnd),
        ("3\r\nabc0\r\n\r\n", LineEnd),
        ("3\r\nabcX\n0\r\n\r\n", LineEnd),
        ("0\r\n\n", LineEnd),
        ("0\r\nA: b\n\r\n", LineEnd),
        ("0\r\nA: b\rc\r\n\r\n", LineEnd),
        ("0\r\n\rA", LineEnd),
        ("10000000000000000\r\n", SizeTooLarge),
        ("00000000000000000\r\n", SizeTooLarge),
        ("8000000000000000\r\n", SizeTooLarge),
        ("ffffffffffffffff\r\n", SizeTooLarge),
    ]);
}

#[test]
fn refuses_trailers_that_are_no_trailers() {
    use ChunkError::*;
    refuses(&[
        ("0\r\nA\r\n\r\n", Trailer),
        ("0\r\n: b\r\n\r\n", Trailer),
        ("0\r\nA : b\r\n\r\n", Trailer),
        ("0\r\n A: b\r\n\r\n", Trailer),
        ("0\r\nA: b\r\n c\r\n\r\n", Trailer),
        ("0\r\nA: \0\r\n\r\n", Trailer),
        ("0\r\nA\u{e9}: b\r\n\r\n", Trailer),
        ("0\r\nContent-Length: 3\r\n\r\n", TrailerName),
        ("0\r\ncontent_length: 3\r\n\r\n", TrailerName),
        ("0\r\nTransfer-Encoding: chunked\r\n\r\n", TrailerName),
        ("0\r\nHost: b\r\n\r\n", TrailerName),
        ("0\r\nA: b\r\nAUTHORIZATION: c\r\n\r\n", TrailerName),
        ("0\r\nRstream-Authorization: c\r\n\r\n", TrailerName),
        ("0\r\nCookie: c\r\n\r\n", TrailerName),
    ]);
}

fn refuses(cases: &[(&str, ChunkError)]) {
    for (body, error) in cases {
        let refused = chunked(body.as_bytes());
        assert_eq!(refused, Err(BodyError::Chunk(*error)), "{body:?}");
    }
}

#[test]
fn the_largest_chunk_is_one_a_signed_reader_knows() {
    let got = chunked(b"7fffffffffffffff\r\nabc");
    assert_eq!(got, Ok((b"abc".to_vec(), 21, false)));
}

#[test]
fn lines_and_trailers_are_bounded_to_the_byte() {
    // The bound counts size, extension and CR.
    let line = |extra: usize| {
        let name = "a".repeat(CHUNK_LINE_BYTES_MAX - "3;".len() - "\r".len() + extra);
        format!("3;{name}\r\nabc\r\n0\r\n\r\n")
    };
    assert!(chunked(line(0).as_bytes()).is_ok());
    assert_eq!(
        chunked(line(1).as_bytes()),
        Err(BodyError::Chunk(ChunkError::LineTooLong))
    );
    let trailers = |extra: usize| {
        let value = "a".repeat(TRAILER_BYTES_MAX - "A:\r\n\r".len() + extra);
        format!("0\r\nA:{value}\r\n\r\n")
    };
    assert!(chunked(trailers(0).as_bytes()).is_ok());
    assert_eq!(
        chunked(trailers(1).as_bytes()),
        Err(BodyError::Chunk(ChunkError::TrailersTooLong))
    );
}

#[test]
fn a_body_cut_short_is_no_body() {
    let body = b"3;a=\"b\"\r\nabc\r\n0\r\nA: b\r\n\r\n";
    for end in 0..body.len() {
        let mut decoder = BodyDecoder::new(Framing::Chunked);
        let mut buffer = body[..end].to_vec();
        decoder.decode(&mut buffer).unwrap();
        assert!(!decoder.finished());
        assert_eq!(decoder.end_of_input(), Err(BodyError::Truncated));
    }
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    decoder.decode(&mut body.to_vec()).unwrap();
    assert!(decoder.finished());
    assert_eq!(decoder.end_of_input(), Ok(()));
}

#[test]
fn a_refused_body_stays_refused() {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    let error = decoder.decode(&mut b"x".to_vec()).unwrap_err();
    assert_eq!(decoder.decode(&mut b"0\r\n\r\n".to_vec()), Err(error));
    assert_eq!(decoder.end_of_input(), Err(error));
    assert!(!decoder.finished());
}

#[test]
fn a_chunk_line_is_written_before_its_payload() {
    for (len, line) in [
        (1, "1\r\n"),
        (0x1a, "1a\r\n"),
        (0x10, "10\r\n"),
        (0x4_0000, "40000\r\n"),
        (0xffff_ffff, "ffffffff\r\n"),
    ] {
        let mut out = [b'?'; CHUNK_HEADROOM];
        let length = chunk_prefix(len, &mut out);
        assert_eq!(&out[CHUNK_HEADROOM - length..], line.as_bytes());
        assert!(
            out[..CHUNK_HEADROOM - length]
                .iter()
                .all(|byte| *byte == b'?')
        );
    }
    assert_eq!(chunk_prefix(0, &mut [b'?'; CHUNK_HEADROOM]), 0);
}

proptest! {
    #[test]
    fn written_chunks_are_read_back(parts in proptest::collection::vec("[a-z\r\n]{1,50}", 0..6), piece in 1usize..80) {
        let mut body = Vec::new();
        for part in &parts {
            let mut prefix = [0; CHUNK_HEADROOM];
            let length = chunk_prefix(part.len(), &mut prefix);
            body.extend_from_slice(&prefix[CHUNK_HEADROOM - length..]);
            body.extend_from_slice(part.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(LAST_CHUNK);
        let expected = (parts.concat().into_bytes(), body.len(), true);
        body.extend_from_slice(b"next");
        prop_assert_eq!(decode_in_pieces(&body, piece), Ok(expected));
    }

    #[test]
    fn any_cut_gives_the_same_result(
        parts in proptest::collection::vec(
            prop::sample::select(vec![
                "0", "3", "a", "f", "\r\n", "\r\n", "\r\n", "\r", "\n", ";", "=", "\"", "\\", " ", "abc", "\r\nabc\r\n",
                "0\r\n\r\n", ";a=b", ";a=\"b\"", "A: b", "Host: a", ":",
            ]),
            0..24,
        )
    ) {
        fuzz_body(parts.concat().as_bytes());
        fuzz_body(format!("3\r\nabc\r\n{}", parts.concat()).as_bytes());
    }
}
