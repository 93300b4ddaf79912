//! The query parameter `rstream.token`, and its removal from what leaves the edge.

/// The parameter's name after percent-decoding.
const NAME: &[u8] = b"rstream.token";

/// What the query holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryToken<'a> {
    Absent,
    /// Without `=`, empty, or with a bad escape.
    Malformed,
    One(&'a [u8]),
    /// Two or more, even if equal.
    Several,
}

impl<'a> QueryToken<'a> {
    /// Looks through a query once. The value is decoded into `scratch` where it is percent-encoded; `+` stays `+`.
    pub fn read(query: &'a [u8], scratch: &'a mut Vec<u8>) -> Self {
        let mut parameters = query
            .split(|&byte| byte == b'&')
            .filter(|parameter| is_ours(parameter));
        let Some(parameter) = parameters.next() else {
            return QueryToken::Absent;
        };
        if parameters.next().is_some() {
            return QueryToken::Several;
        }
        let Some(equals) = memchr::memchr(b'=', parameter) else {
            return QueryToken::Malformed;
        };
        let value = parameter.get(equals + 1..).unwrap_or_default();
        if value.is_empty() {
            return QueryToken::Malformed;
        }
        if !value.contains(&b'%') {
            return QueryToken::One(value);
        }
        scratch.clear();
        for byte in Decoded(value) {
            match byte {
                Some(byte) => scratch.push(byte),
                None => return QueryToken::Malformed,
            }
        }
        QueryToken::One(scratch)
    }
}

/// Whether a `name=value` has our name, in whatever spelling.
fn is_ours(parameter: &[u8]) -> bool {
    let name = parameter
        .split(|&byte| byte == b'=')
        .next()
        .unwrap_or_default();
    // Every spelling is at least as long as the name; most parameters end here.
    name.len() >= NAME.len() && Decoded(name).eq(NAME.iter().map(|&byte| Some(byte)))
}

/// Whether a query has the parameter at all.
pub fn present(query: &[u8]) -> bool {
    query.split(|&byte| byte == b'&').any(is_ours)
}

/// The parameters that may leave the edge, in their order and spelling; joined with `&` they are the new query.
pub fn without_token(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    query
        .split(|&byte| byte == b'&')
        .filter(|parameter| !is_ours(parameter))
}

/// Percent-decodes byte by byte; `None` for a bad escape.
struct Decoded<'a>(&'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = Option<u8>;

    fn next(&mut self) -> Option<Option<u8>> {
        let (&first, rest) = self.0.split_first()?;
        if first != b'%' {
            self.0 = rest;
            return Some(Some(first));
        }
        match rest {
            [high, low, after @ ..] => {
                self.0 = after;
                let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
                Some(
                    digit(*high)
                        .zip(digit(*low))
                        .map(|(high, low)| high << 4 | low),
                )
            }
            _ => {
                self.0 = &[];
                Some(None)
            }
        }
    }
}

/// Any query: what leaves the edge has no token for any reader, the rest keeps its bytes and order, and all three
/// questions get the same answer.
pub fn fuzz_query(query: &[u8]) {
    let mut scratch = Vec::new();
    let read = QueryToken::read(query, &mut scratch);
    assert_eq!(read != QueryToken::Absent, present(query));
    if let QueryToken::One(value) = read {
        assert!(!value.is_empty());
    }
    let left: Vec<_> = without_token(query).collect();
    let written = left.join(&b'&');
    assert_eq!(written == query, !present(query));
    let mut parameters = query.split(|&byte| byte == b'&');
    assert!(
        left.iter()
            .all(|kept| parameters.any(|parameter| parameter == *kept))
    );
    assert!(!present(&written));
    // A reader that leaves bad escapes as they are.
    for parameter in written.split(|&byte| byte == b'&') {
        let name = parameter.split(|&byte| byte == b'=').next();
        let mut scratch = Vec::new();
        let lenient = crate::http::path::judge(name.unwrap_or_default(), &mut scratch, true);
        assert_ne!(lenient.decoded, NAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_parameter_counts_in_every_spelling() {
        let mut scratch = Vec::new();
        for (query, expected) in [
            (&b"rstream.token=a.b.c"[..], QueryToken::One(&b"a.b.c"[..])),
            (b"x=1&rstream.token=a.b.c&y", QueryToken::One(b"a.b.c")),
            (b"rstream%2etoken=a%2Eb.c", QueryToken::One(b"a.b.c")),
            (
                b"%72%73%74%72%65%61%6d%2e%74%6f%6b%65%6e=a",
                QueryToken::One(b"a"),
            ),
            (b"rstream.token=a+b", QueryToken::One(b"a+b")),
            (b"rstream.token=a=b", QueryToken::One(b"a=b")),
            (b"rstream.token", QueryToken::Malformed),
            (b"rstream.token=", QueryToken::Malformed),
            (b"rstream.token=%2", QueryToken::Malformed),
            (b"rstream.token=%zz", QueryToken::Malformed),
            (b"rstream.token=a&rstream.token=a", QueryToken::Several),
            (b"rstream.token=a&rstream%2Etoken", QueryToken::Several),
            (b"Rstream.token=a", QueryToken::Absent),
            (b"rstream_token=a", QueryToken::Absent),
            (b"xrstream.token=a", QueryToken::Absent),
            (b"x=rstream.token", QueryToken::Absent),
            (b"a;rstream.token=b", QueryToken::Absent),
            (b"", QueryToken::Absent),
        ] {
            assert_eq!(
                QueryToken::read(query, &mut scratch),
                expected,
                "{}",
                query.escape_ascii()
            );
        }
    }

    #[test]
    fn the_rest_keeps_its_bytes() {
        let left = |query: &'static [u8]| without_token(query).collect::<Vec<_>>().join(&b'&');
        assert_eq!(left(b"a=%7e&rstream.token=t&&b"), b"a=%7e&&b");
        assert_eq!(left(b"rstream%2Etoken=t"), b"");
        assert_eq!(left(b"rstream.token=t&rstream.token=u&c=+"), b"c=+");
        assert!(present(b"x&rstream.toke%6E=t") && !present(b"x&rstream.tokens=t"));
    }
}
