//! Names of cookies that are the edge's (S5.2).

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

/// The name of one `name=value` pair. A pair without `=` is a nameless cookie, which some readers take as a name; one
/// with an empty name comes back from a browser without its first `=`.
pub fn name(pair: &[u8]) -> &[u8] {
    pair.split(|&byte| byte == b'=')
        .map(<[u8]>::trim_ascii)
        .find(|part| !part.is_empty())
        .unwrap_or_default()
}

/// Whether a `Cookie` field value has a session, good or worthless.
pub(super) fn holds_session(value: &[u8]) -> bool {
    value
        .split(|&byte| byte == b';')
        .any(|pair| is_session(name(pair)))
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
