//! Cookies that are the edge's, by their names (S5.2).

use crate::http::field::FieldKind;
use crate::http::request::Request;

/// Who is signed in, at one tunnel's host.
pub const SESSION: &str = "__Host-rstream_auth";
/// That a challenge was met, likewise.
pub const CHALLENGE: &str = "__Host-rstream_challenge";

/// Whether a cookie name is the edge's, whatever its case: browsers compare `__Host-` without case.
pub fn is_ours(name: &[u8]) -> bool {
    let prefix = |prefix: &[u8]| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    is_session(name)
        || name.eq_ignore_ascii_case(b"rstream_challenge")
        || prefix(b"__Host-rstream_")
}

/// Whether it is that of a session, by its old name or by ours.
fn is_session(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"rstream_auth") || name.eq_ignore_ascii_case(b"__Host-rstream_auth")
}

/// The pairs of a `Cookie` field value, with the white space around them. Browsers send kilobytes of them.
pub fn pairs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(b';', value)
}

/// The name of one `name=value` pair. A pair without `=` is a nameless cookie, which some readers take as a name; one
/// with an empty name comes back from a browser without its first `=`.
pub fn name(pair: &[u8]) -> &[u8] {
    split(b'=', pair)
        .map(<[u8]>::trim_ascii)
        .find(|part| !part.is_empty())
        .unwrap_or_default()
}

/// As `slice::split` does, at memory speed.
fn split(separator: u8, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let end = memchr::memchr(separator, bytes);
        rest = end.and_then(|end| bytes.get(end + 1..));
        bytes.get(..end.unwrap_or(bytes.len()))
    })
}

/// Whether a `Cookie` field value has a cookie of ours.
pub fn holds_ours(value: &[u8]) -> bool {
    pairs(value).any(|pair| is_ours(name(pair)))
}

/// What the lines of `Cookie` hold under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie<'a> {
    Absent,
    One(&'a [u8]),
    /// Which of them counts would depend on the reader.
    Several,
}

impl<'a> Cookie<'a> {
    /// All lines are judged together. A name that differs in case alone is one that a browser may have been given by
    /// somebody else, so it counts as one more, and is never the one.
    pub fn read(request: Request<'a>, wanted: &[u8]) -> Self {
        let pairs = request
            .values(FieldKind::Cookie)
            .flat_map(pairs)
            .map(<[u8]>::trim_ascii);
        let mut named = pairs.filter(|pair| name(pair).eq_ignore_ascii_case(wanted));
        let Some(pair) = named.next() else {
            return Cookie::Absent;
        };
        let value = pair
            .strip_prefix(wanted)
            .and_then(|rest| rest.strip_prefix(b"="));
        match (value, named.next()) {
            (Some(value), None) => Cookie::One(value),
            (None, None) | (_, Some(_)) => Cookie::Several,
        }
    }
}

/// Whether a `Cookie` field value has a session, good or worthless.
pub(super) fn holds_session(value: &[u8]) -> bool {
    pairs(value).any(|pair| is_session(name(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_by_its_name_in_every_spelling() {
        for (value, holds) in [
            (&b"rstream_auth=session"[..], true),
            (b"a=1;  RSTREAM_AUTH = ", true),
            (b"a=1; __host-rstream_auth=x", true),
            (b"rstream_auth", true),
            (b"=rstream_auth=x", true),
            (b"rstream_challenge=x; __Host-rstream_challenge=x", false),
            (b"rstream_auth2=x; xrstream_auth=x", false),
            (b"a=rstream_auth", false),
            (b"", false),
        ] {
            assert_eq!(holds_session(value), holds, "{}", value.escape_ascii());
        }
    }
}
