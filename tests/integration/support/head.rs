//! A second, plain reader of heads: what a test believes, it reads with this and not with the code under test.

/// The first line.
pub fn first_line(head: &[u8]) -> &str {
    text(lines(head).next().unwrap())
}

/// Names as they stand, and values without the white space around them. A value that is no UTF-8 reads as `?`.
pub fn fields(head: &[u8]) -> Vec<(&str, &str)> {
    lines(head)
        .skip(1)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let colon = memchr::memchr(b':', line).expect("a field has a colon");
            let value = std::str::from_utf8(&line[colon + 1..]).unwrap_or("?");
            (text(&line[..colon]), value.trim())
        })
        .collect()
}

/// The value of a field that stands there at most once.
pub fn value<'h>(head: &'h [u8], name: &str) -> Option<&'h str> {
    let mut values = fields(head)
        .into_iter()
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    let first = values.next();
    assert_eq!(values.next(), None, "{name} stands there twice");
    first
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

pub fn text(head: &[u8]) -> &str {
    std::str::from_utf8(head).expect("this part of a head is text")
}
