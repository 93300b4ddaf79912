//! The request target (RFC 9112 3.2): parsed once, reduced to origin-form.
//!
//! Comes in: the bytes between the two spaces of a request line. Goes out: spans of path and query, and the authority
//! where the client gave one. It refuses fragments, controls, spaces, raw non-ASCII, other schemes, `*` with any method
//! but OPTIONS, and authority-form. The path is not judged here: see `path`; nor is the authority: see `host`.

use super::request::Method;
use super::{Span, every_pair};

/// A target in origin-form, or `*`. Spans lie in the request head; the bytes forwarded are these bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// From the first `/` to the `?` or the end. `*` for asterisk-form. Empty only where absolute-form had no path:
    /// see [`super::request::Request::path`].
    pub path: Span,
    /// After the `?`, where there is one.
    pub query: Option<Span>,
    /// In absolute-form with the scheme `https`: not to be served in the clear (RFC 9110 7.4).
    pub https: bool,
}

/// Why bytes are not a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// Nothing there, a byte that may not be there, or none of the three forms.
    Malformed,
    /// `*` with a method other than OPTIONS.
    Asterisk,
}

impl Target {
    /// Parses `target`, which starts at offset `start` of its head. The caller parses the authority of absolute-form, and
    /// compares it with `Host`.
    pub fn parse(
        target: &[u8],
        start: u32,
        method: Method,
    ) -> Result<(Self, Option<&[u8]>), TargetError> {
        // A fragment never belongs in a request; some upstreams cut it off, some keep it.
        if !every_pair(target, |byte, _| byte.is_ascii_graphic() & (byte != b'#')) {
            return Err(TargetError::Malformed);
        }
        match target {
            [b'/', ..] => Ok((Target::origin(target, start)?, None)),
            b"*" if method == Method::Options => {
                let path = span(start, 0, 1)?;
                Ok((Target::of(path, None), None))
            }
            b"*" => Err(TargetError::Asterisk),
            _ => Target::absolute(target, start),
        }
    }

    fn origin(target: &[u8], start: u32) -> Result<Self, TargetError> {
        let Some(mark) = memchr::memchr(b'?', target) else {
            let path = span(start, 0, target.len())?;
            return Ok(Target::of(path, None));
        };
        let query = span(start, mark + 1, target.len())?;
        Ok(Target::of(span(start, 0, mark)?, Some(query)))
    }

    fn of(path: Span, query: Option<Span>) -> Self {
        Target {
            path,
            query,
            https: false,
        }
    }

    fn absolute(target: &[u8], start: u32) -> Result<(Self, Option<&[u8]>), TargetError> {
        let (scheme, https) = [(b"http://".as_slice(), false), (b"https://", true)]
            .into_iter()
            .find(|(scheme, _)| {
                target
                    .get(..scheme.len())
                    .is_some_and(|found| found.eq_ignore_ascii_case(scheme))
            })
            .ok_or(TargetError::Malformed)?;
        let after_scheme = scheme.len();
        let rest = target.get(after_scheme..).unwrap_or_default();
        let authority_end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
        let (authority, origin) = rest
            .split_at_checked(authority_end)
            .ok_or(TargetError::Malformed)?;
        let origin_start = span(start, after_scheme + authority_end, target.len())?.start;
        let target = Target {
            https,
            ..Target::origin(origin, origin_start)?
        };
        Ok((target, Some(authority)))
    }
}

/// A span of the head from offsets within the target.
fn span(start: u32, from: usize, to: usize) -> Result<Span, TargetError> {
    let offset = |at: usize| {
        u32::try_from(at)
            .ok()
            .and_then(|at| start.checked_add(at))
            .ok_or(TargetError::Malformed)
    };
    Ok(Span {
        start: offset(from)?,
        end: offset(to)?,
    })
}

/// Any bytes: path and query put together again are the target, or its part after the authority.
pub fn fuzz_target(bytes: &[u8]) {
    for method in [Method::Get, Method::Options] {
        let Ok((target, authority)) = Target::parse(bytes, 0, method) else {
            continue;
        };
        let mut written = target.path.of(bytes).to_vec();
        if let Some(query) = target.query {
            written.push(b'?');
            written.extend_from_slice(query.of(bytes));
        }
        assert!(bytes.ends_with(&written), "no byte is lost or changed");
        assert!(authority.is_some() || written == bytes);
        assert!(!target.path.of(bytes).contains(&b'?'));
        if authority.is_none() {
            assert!(!target.path.is_empty());
        }
    }
}

#[cfg(test)]
mod tests;
