//! How values become text: JSON, base64url, and fields of a head.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn digit(value: u8) -> u8 {
    HEX.get(usize::from(value & 15)).copied().unwrap_or(b'0')
}

/// Writes a JSON object, member by member.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    separator: u8,
}

impl<'o> Object<'o> {
    pub(super) fn open(out: &'o mut Vec<u8>) -> Self {
        Object {
            out,
            separator: b'{',
        }
    }

    fn name(&mut self, name: &str) {
        self.out.push(std::mem::replace(&mut self.separator, b','));
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub(super) fn number(&mut self, name: &str, digits: &[u8]) {
        self.name(name);
        self.out.extend_from_slice(digits);
    }

    /// A string, from its pieces.
    pub(super) fn text(&mut self, name: &str, pieces: &[&str]) {
        self.name(name);
        self.out.push(b'"');
        for byte in pieces.iter().flat_map(|piece| piece.bytes()) {
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                // RFC 8259 7: all other bytes of UTF-8 may stand as they are.
                0..=0x1f => {
                    self.out.extend_from_slice(b"\\u00");
                    self.out.extend_from_slice(&[digit(byte >> 4), digit(byte)]);
                }
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    pub(super) fn close(self) {
        self.out.push(b'}');
    }
}

/// Appends base64url without padding.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let length = base64::encoded_len(bytes.len(), false).unwrap_or_default();
    out.resize(start + length, 0);
    let room = out.get_mut(start..).unwrap_or_default();
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, room);
    debug_assert_eq!(written, Ok(length), "the room is as long as the text");
}

/// Appends a text as the value of a field: every byte but visible ASCII as `%` and two digits, and `%` itself, so that no
/// two texts become the same. A space too: readers cut it off the ends of a value.
pub fn percent_encode(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte)]);
        }
    }
}
