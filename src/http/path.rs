//! The judged path (S2): the path decoded once, and whether some upstream could read it as another.
//!
//! Comes in: the path of a target as it arrived. Goes out: the decoded bytes that path rules are matched against, and
//! the first [`Ambiguity`] found. Nothing is refused here: a path rule that meets an ambiguous path does not match.
//! The bytes forwarded stay the bytes that arrived.

use super::compatibility::hides_separator;
use super::every_pair;

/// Why two readers could take one path for two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ambiguity {
    /// `%` without two hex digits after it.
    InvalidEscape,
    /// Below 0x20, or 0x7F.
    Control,
    /// `\`, which some read as `/`.
    Backslash,
    /// An escaped `%`: a reader that decodes twice goes on (`%252e`).
    Percent,
    /// `;`, where some cut parameters off (`/api/..;/admin`).
    Semicolon,
    /// An escaped `?` or `#`, where a second reader ends the path.
    QueryOrFragment,
    /// `%2F`.
    EncodedSlash,
    /// Not strict UTF-8; lenient decoders see `.` in `%c0%ae`.
    NotUtf8,
    /// A character whose NFKC form contains a separator, such as a full-width dot.
    Compatibility,
    /// `//` within the path: some merge the two.
    EmptySegment,
    /// `.` or `..`, also with parameters, and with trailing dots and spaces that some strip.
    DotSegment,
}

impl Ambiguity {
    /// What there is in the path, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Ambiguity::InvalidEscape => "a % without two hex digits",
            Ambiguity::Control => "a control byte",
            Ambiguity::Backslash => "a backslash",
            Ambiguity::Percent => "an escaped %",
            Ambiguity::Semicolon => "a ;",
            Ambiguity::QueryOrFragment => "an escaped ? or #",
            Ambiguity::EncodedSlash => "an escaped /",
            Ambiguity::NotUtf8 => "bytes that are not UTF-8",
            Ambiguity::Compatibility => "a character that some map to a separator",
            Ambiguity::EmptySegment => "an empty segment",
            Ambiguity::DotSegment => "a dot segment",
        }
    }
}

/// A path as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgedPath<'a> {
    /// Decoded once. Invalid escapes are left as they are.
    pub decoded: &'a [u8],
    pub ambiguity: Option<Ambiguity>,
}

/// Judges `raw`. `scratch` takes the decoded bytes where there are escapes; without any nothing is copied.
/// `semicolon_allowed` lifts the rule about `;` alone, never that about dots.
///
/// The rules hold for the raw and the decoded path. One look at the decoded path covers both: every raw byte but the
/// escapes is also there, and raw segments are parted by decoded ones only where an escaped `/` is found anyway.
pub fn judge<'a>(
    raw: &'a [u8],
    scratch: &'a mut Vec<u8>,
    semicolon_allowed: bool,
) -> JudgedPath<'a> {
    if raw.starts_with(b"/") && every_pair(raw, is_plain) {
        JudgedPath {
            decoded: raw,
            ambiguity: None,
        }
    } else {
        judge_by_each_rule(raw, scratch, semicolon_allowed)
    }
}

/// Whether `byte` is none that the rules name, and begins no segment that they name, which is nearly every byte of nearly
/// every path: one look at all of them, and none of the others is needed.
fn is_plain(byte: u8, next: u8) -> bool {
    let named = (byte == b'\\') | (byte == b'%') | (byte == b';') | (byte == b'?') | (byte == b'#');
    let dots_or_empty = (byte == b'/') & ((next == b'/') | (next == b'.'));
    byte.is_ascii_graphic() & !named & !dots_or_empty
}

fn judge_by_each_rule<'a>(
    raw: &'a [u8],
    scratch: &'a mut Vec<u8>,
    semicolon_allowed: bool,
) -> JudgedPath<'a> {
    let (decoded, fault) = match memchr::memchr(b'%', raw) {
        None => (raw, None),
        Some(_) => {
            let fault = decode_once(raw, scratch);
            (scratch.as_slice(), fault)
        }
    };
    let ambiguity = fault
        .or_else(|| ambiguous_byte(decoded, semicolon_allowed))
        .or_else(|| ambiguous_text(decoded))
        .or_else(|| ambiguous_segment(decoded));
    JudgedPath { decoded, ambiguity }
}

fn decode_once(raw: &[u8], scratch: &mut Vec<u8>) -> Option<Ambiguity> {
    scratch.clear();
    scratch.reserve(raw.len());
    let mut fault = None;
    let mut rest = raw;
    while let Some(escape) = memchr::memchr(b'%', rest) {
        let (plain, from_escape) = rest.split_at_checked(escape).unwrap_or((rest, &[]));
        scratch.extend_from_slice(plain);
        let decoded = match from_escape {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        let taken = if let Some((high, low)) = decoded {
            let byte = high << 4 | low;
            if byte == b'/' {
                fault.get_or_insert(Ambiguity::EncodedSlash);
            }
            scratch.push(byte);
            3
        } else {
            fault.get_or_insert(Ambiguity::InvalidEscape);
            scratch.push(b'%');
            1
        };
        rest = from_escape.get(taken..).unwrap_or_default();
    }
    scratch.extend_from_slice(rest);
    fault
}

/// The value of a hex digit.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn ambiguous_byte(decoded: &[u8], semicolon_allowed: bool) -> Option<Ambiguity> {
    decoded.iter().find_map(|byte| match byte {
        ..0x20 | 0x7f => Some(Ambiguity::Control),
        b'\\' => Some(Ambiguity::Backslash),
        b'%' => Some(Ambiguity::Percent),
        b';' if !semicolon_allowed => Some(Ambiguity::Semicolon),
        b'?' | b'#' => Some(Ambiguity::QueryOrFragment),
        _ => None,
    })
}

fn ambiguous_text(decoded: &[u8]) -> Option<Ambiguity> {
    if decoded.is_ascii() {
        return None;
    }
    match std::str::from_utf8(decoded) {
        Err(_) => Some(Ambiguity::NotUtf8),
        Ok(text) => text
            .chars()
            .any(hides_separator)
            .then_some(Ambiguity::Compatibility),
    }
}

/// Looks at each segment as a reader does that cuts parameters at `;` and strips trailing dots and spaces.
fn ambiguous_segment(decoded: &[u8]) -> Option<Ambiguity> {
    let path = decoded.strip_prefix(b"/").unwrap_or(decoded);
    let mut segments = path.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let name = segment
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default();
        if !is_dots_and_spaces(name) {
            continue;
        }
        if name.contains(&b'.') {
            return Some(Ambiguity::DotSegment);
        }
        // At the end it is only a trailing slash.
        if segments.peek().is_some() {
            return Some(Ambiguity::EmptySegment);
        }
    }
    None
}

/// Whether nothing is left of `name` after stripping; a no-break space counts, since NFKC makes it a space.
fn is_dots_and_spaces(name: &[u8]) -> bool {
    match name.first() {
        None | Some(b'.' | b' ') => {}
        Some(byte) if byte.is_ascii() => return false,
        Some(_) => {}
    }
    std::str::from_utf8(name).is_ok_and(|text| {
        text.chars()
            .all(|character| character == '.' || character.is_whitespace())
    })
}

/// Any path: a clean one means the same to readers of other habits, and judging it twice changes nothing.
pub fn fuzz_path(raw: &[u8]) {
    for semicolon_allowed in [false, true] {
        let (mut scratch, mut second) = (Vec::new(), Vec::new());
        let judged = judge(raw, &mut scratch, semicolon_allowed);
        let mut third = Vec::new();
        let by_rules = judge_by_each_rule(raw, &mut third, semicolon_allowed);
        assert_eq!(judged, by_rules, "the short look agrees with the rules");
        if judged.ambiguity.is_some() {
            continue;
        }
        let again = judge(judged.decoded, &mut second, semicolon_allowed);
        assert_eq!(again, judged, "a reader that decodes twice sees the same");
        let text = std::str::from_utf8(judged.decoded).unwrap_or("/..");
        assert!(!text.contains(['\\', '%', '?', '#', '\0']));
        assert!(semicolon_allowed || !text.contains(';'));
        assert_eq!(
            text.matches('/').count(),
            raw.iter().filter(|byte| **byte == b'/').count(),
            "raw and decoded path have the same segments"
        );
        for segment in text.split('/') {
            let cut = segment.split(';').next().unwrap_or_default();
            assert!(
                !matches!(cut.trim_end(), "." | ".."),
                "a dot segment passed"
            );
        }
    }
}

#[cfg(test)]
mod tests;
