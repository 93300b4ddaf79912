//! How the parts of a value stand one after the other.

use crate::authn::session::Short;

/// Writes the parts of one value.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// `version`: tells values of another form apart.
    pub(super) fn new(version: u8) -> Self {
        Writer(vec![version])
    }

    pub(super) fn hash(mut self, hash: &Short) -> Self {
        self.0.extend_from_slice(hash);
        self
    }

    pub(super) fn time(mut self, time: u64) -> Self {
        self.0.extend_from_slice(&time.to_be_bytes());
        self
    }

    /// At most 65,535 bytes; of a longer text nothing is left, and the value then is none.
    pub(super) fn text(mut self, text: &str) -> Self {
        if let Ok(length) = u16::try_from(text.len()) {
            self.0.extend_from_slice(&length.to_be_bytes());
            self.0.extend_from_slice(text.as_bytes());
        }
        self
    }

    pub(super) fn rest(mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(bytes);
        self.0
    }
}

/// Reads them again.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], version: u8) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        (*first == version).then_some(Reader(rest))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn hash(&mut self) -> Option<Short> {
        self.take()
    }

    pub(super) fn time(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = u16::from_be_bytes(self.take()?);
        let (text, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Nothing is left over.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
