//! Reading an answer to its end.

use std::io::{self, Read};

/// Reads one answer, whose end Content-Length must tell, and says its status.
pub fn read(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<u16> {
    let mut filled = 0;
    loop {
        let spare = buffer.get_mut(filled..).unwrap_or_default();
        match stream.read(spare)? {
            0 => return Err(wrong("an answer without its end")),
            count => filled += count,
        }
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut fields);
        let parsed = head.parse(buffer.get(..filled).unwrap_or_default());
        let httparse::Status::Complete(head_bytes) = parsed.map_err(io::Error::other)? else {
            continue;
        };
        let mut fields = head.headers.iter();
        let body_bytes = fields
            .find(|field| field.name.eq_ignore_ascii_case("content-length"))
            .and_then(|field| str::from_utf8(field.value).ok()?.parse::<usize>().ok())
            .ok_or_else(|| wrong("an answer without Content-Length"))?;
        match filled.cmp(&(head_bytes + body_bytes)) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Ok(head.code.unwrap_or_default()),
            std::cmp::Ordering::Greater => return Err(wrong("more than one answer")),
        }
    }
}

pub fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
