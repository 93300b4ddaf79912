//! The `Authorization` field (RFC 9110 11.6.2, RFC 6750 2.1), and `Rstream-Authorization`, which is written like it.

use crate::http::field::FieldKind;
use crate::http::request::Request;

/// What the lines of one of these fields hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer<'a> {
    Absent,
    /// `Basic` and the like: the application's own.
    OtherScheme,
    /// The scheme is `Bearer`, what follows is not a token.
    Malformed,
    Token(&'a [u8]),
    /// More than one line, whatever they hold.
    Several,
}

const SCHEME: &[u8] = b"bearer";

impl<'a> Bearer<'a> {
    pub fn read(request: Request<'a>, field: FieldKind) -> Self {
        let mut lines = request.values(field);
        match (lines.next(), lines.next()) {
            (None, _) => Bearer::Absent,
            (Some(line), None) => Bearer::parse(line),
            (Some(_), Some(_)) => Bearer::Several,
        }
    }

    /// Reads one field value. The scheme is compared without case; one space or several, then one word.
    pub fn parse(value: &'a [u8]) -> Self {
        let rest = match value.split_at_checked(SCHEME.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
            Some(_) | None => return Bearer::OtherScheme,
        };
        if !matches!(rest.first(), None | Some(b' ' | b'\t')) {
            return Bearer::OtherScheme;
        }
        let token = match rest.iter().position(|&byte| byte != b' ') {
            Some(start) => rest.get(start..).unwrap_or_default(),
            None => return Bearer::Malformed,
        };
        // More than one word, or a list, is no token whatever its parts are; everything else verification judges.
        match memchr::memchr3(b' ', b'\t', b',', token) {
            Some(_) => Bearer::Malformed,
            None => Bearer::Token(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_or_a_reason() {
        for (value, expected) in [
            (&b"Bearer a.b.c"[..], Bearer::Token(b"a.b.c")),
            (b"bEARER   a.b.c", Bearer::Token(b"a.b.c")),
            (b"Bearer", Bearer::Malformed),
            (b"Bearer ", Bearer::Malformed),
            (b"Bearer\ta.b.c", Bearer::Malformed),
            (b"Bearer a b", Bearer::Malformed),
            (b"Bearer a,Bearer b", Bearer::Malformed),
            (b"Bearer \"a\"", Bearer::Token(b"\"a\"")),
            (b"Basic YTpi", Bearer::OtherScheme),
            (b"Bearerx a", Bearer::OtherScheme),
            (b"Beare", Bearer::OtherScheme),
            (b"", Bearer::OtherScheme),
        ] {
            assert_eq!(Bearer::parse(value), expected, "{}", value.escape_ascii());
        }
    }
}
