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

use crate::http::Span;
use crate::http::field::Field;

/// A head did not fit into its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// Room for a head; remembers whether something did not fit, so that it is asked once.
pub trait Room {
    /// Appends all of `bytes`, or nothing and answers `false`.
    fn append(&mut self, bytes: &[u8]) -> bool;
}

impl Room for Vec<u8> {
    fn append(&mut self, bytes: &[u8]) -> bool {
        self.extend_from_slice(bytes);
        true
    }
}

/// Writes pieces of a head.
struct Writer<'o, R> {
    out: &'o mut R,
    fits: bool,
}

impl<'o, R: Room> Writer<'o, R> {
    fn new(out: &'o mut R) -> Self {
        Writer { out, fits: true }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.fits = self.fits && self.out.append(bytes);
    }

    fn field(&mut self, name: &[u8], value: &[u8]) {
        self.put(name);
        self.put(b": ");
        self.put(value);
        self.put(b"\r\n");
    }

    /// A field as it came. What stands in the head just as it would be written goes in one piece.
    fn received(&mut self, head: &[u8], field: &Field) {
        let (name, value) = (field.name, field.value);
        let between = Span {
            start: name.end,
            end: value.start,
        };
        let line = Span {
            start: name.start,
            end: value.end.saturating_add(2),
        }
        .of(head);
        if between.of(head) == b": " && line.ends_with(b"\r\n") {
            self.put(line);
        } else {
            self.field(name.of(head), value.of(head));
        }
    }

    fn finish(mut self) -> Result<(), Overflow> {
        self.put(b"\r\n");
        if self.fits { Ok(()) } else { Err(Overflow) }
    }
}
