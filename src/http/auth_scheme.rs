//! Authentication schemes that prove who a connection is, not a request (RFC 4559 6): one that saw them is never shared (S8).

/// Whether a credential is of such a scheme.
pub fn binds_connection(credential: &[u8]) -> bool {
    let mut words = credential.split(|byte| matches!(byte, b' ' | b'\t' | b','));
    words.next().is_some_and(is_connection_scheme)
}

/// Whether a field that may list several challenges has one of such a scheme. A word within another challenge that looks
/// like one costs a connection.
pub fn asks_to_bind_connection(challenges: &[u8]) -> bool {
    challenges
        .split(|byte| matches!(byte, b',' | b' ' | b'\t'))
        .any(is_connection_scheme)
}

fn is_connection_scheme(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"negotiate") || word.eq_ignore_ascii_case(b"ntlm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_told_by_their_word() {
        for (value, credential, challenge) in [
            (&b"Negotiate YII="[..], true, true),
            (b"NTLM", true, true),
            (b"ntlm,Basic", true, true),
            (b"Basic realm=\"a\", Negotiate", false, true),
            (b"Basic negotiate", false, true),
            (b"Negotiated x", false, false),
            (b"", false, false),
        ] {
            let shown = value.escape_ascii();
            assert_eq!(binds_connection(value), credential, "{shown}");
            assert_eq!(asks_to_bind_connection(value), challenge, "{shown}");
        }
    }
}
