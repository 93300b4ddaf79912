//! The trace that a request belongs to (W3C Trace Context, level 1).
//!
//! `traceparent` and `tracestate` are the applications': they pass as they came, however many there are. Read here for the
//! log alone.

use super::request::Request;

/// The trace id, 32 lower-case hex digits, where there is one `traceparent` and it is well-formed.
pub fn trace_id(request: Request<'_>) -> Option<&str> {
    let mut lines = request.values_named(b"traceparent");
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    parse(line)
}

/// Section 3.2: version, trace id, parent id and flags. A version after ours may say more behind them (3.2.4).
fn parse(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parts = text.splitn(5, '-');
    let version = hex(parts.next()?, 2).filter(|version| *version != "ff")?;
    let id = hex(parts.next()?, 32).filter(|id| !is_zero(id))?;
    hex(parts.next()?, 16).filter(|parent| !is_zero(parent))?;
    hex(parts.next()?, 2)?;
    (version != "00" || parts.next().is_none()).then_some(id)
}

fn hex(part: &str, digits: usize) -> Option<&str> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (part.len() == digits && part.bytes().all(is_digit)).then_some(part)
}

fn is_zero(part: &str) -> bool {
    part.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_well_formed_value_has_an_id() {
        for value in [
            format!("00-{ID}-00f067aa0ba902b7-01"),
            format!("00-{ID}-00f067aa0ba902b7-ff"),
            format!("01-{ID}-00f067aa0ba902b7-00"),
            format!("cc-{ID}-00f067aa0ba902b7-01-what-the-future-will-be-like"),
        ] {
            assert_eq!(parse(value.as_bytes()), Some(ID), "{value}");
        }
    }

    #[test]
    fn one_step_outside_there_is_none() {
        let zeros = "0".repeat(32);
        for value in [
            String::new(),
            ID.to_owned(),
            format!("00-{ID}-00f067aa0ba902b7"),
            format!("00-{ID}-00f067aa0ba902b7-01-"),
            format!("00-{ID}-00f067aa0ba902b7-01-more"),
            format!("01-{ID}-00f067aa0ba902b7-012"),
            format!("ff-{ID}-00f067aa0ba902b7-01"),
            format!("0-{ID}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", ID.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", &ID[1..]),
            format!("00-{ID}0-00f067aa0ba902b7-01"),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
            format!("00-{ID}-0000000000000000-01"),
            format!("00-{ID}-00f067aa0ba902bg-01"),
            format!(" 00-{ID}-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(parse(b"00-\xff"), None);
    }
}
