//! What leaves the edge: heads written anew, from the same spans that were judged.
//!
//! Owns: the head towards the upstream ([`request::write`], which asks for a [`crate::authz::Permit`]) and the head
//! towards the client ([`response::write`]), and what the edge says of the sender ([`identity::lines`]). Comes in: parsed heads. Goes out: bytes in a buffer, written once. Removes
//! hop-by-hop fields, every copy of a field that only the edge may set, and every credential of the edge (S3).
//!
//! Invariant: path and query leave as the bytes that arrived; only our parameter is cut out.

mod cookie;
pub mod identity;
pub mod request;
pub mod response;

pub use cookie::fuzz_cookie;

use std::ops::Range;

use crate::http::field::Field;

/// A head did not fit into its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// Room for a head.
pub trait Room {
    /// Appends all of `pieces`, one behind the other, or nothing and answers `false`.
    fn append_all<const N: usize>(&mut self, pieces: [&[u8]; N]) -> bool;

    /// As [`Room::append_all`], for one piece.
    fn append(&mut self, bytes: &[u8]) -> bool {
        self.append_all([bytes])
    }
}

impl Room for Vec<u8> {
    fn append_all<const N: usize>(&mut self, pieces: [&[u8]; N]) -> bool {
        pieces
            .iter()
            .for_each(|piece| self.extend_from_slice(piece));
        true
    }
}

/// Writes pieces of a head; remembers whether something did not fit, so that it is asked once.
struct Writer<'o, 'h, R> {
    out: &'o mut R,
    fits: bool,
    /// The head that came.
    head: &'h [u8],
    /// Whole field lines of it, one behind the other, that are to be written before all else.
    lines: Range<usize>,
}

impl<'o, 'h, R: Room> Writer<'o, 'h, R> {
    fn new(out: &'o mut R, head: &'h [u8]) -> Self {
        Writer {
            out,
            fits: true,
            head,
            lines: 0..0,
        }
    }

    /// One bounds check for all `pieces`; those whose length is a constant are stored without a call.
    #[inline(always)]
    fn put<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        self.put_lines();
        self.fits = self.fits && self.out.append_all(pieces);
    }

    fn put_lines(&mut self) {
        if !self.lines.is_empty() {
            let lines = self.head.get(std::mem::take(&mut self.lines));
            self.fits = self.fits && self.out.append(lines.unwrap_or_default());
        }
    }

    #[inline(always)]
    fn field(&mut self, name: &[u8], value: &[u8]) {
        self.put([name, b": ", value, b"\r\n"]);
    }

    /// A field as it came. What stands in the head just as it would be written goes in one piece, with its neighbours that
    /// go too.
    fn received(&mut self, field: &Field) {
        let (name, value) = (field.name, field.value);
        let line = name.start as usize..value.end as usize + 2;
        let between = self.head.get(name.end as usize..value.start as usize);
        let end = self.head.get(value.end as usize..line.end);
        if between != Some(b": ") || end != Some(b"\r\n") {
            self.field(name.of(self.head), value.of(self.head));
            return;
        }
        if line.start != self.lines.end {
            self.put_lines();
            self.lines.start = line.start;
        }
        self.lines.end = line.end;
    }

    fn finish(mut self) -> Result<(), Overflow> {
        self.put([b"\r\n"]);
        if self.fits { Ok(()) } else { Err(Overflow) }
    }
}
