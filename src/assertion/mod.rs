//! Assertions: what the edge says of a proven request to its upstream, signed, so that an upstream can tell a request
//! that came through the edge from one that only says so.
//!
//! Owns: what is claimed and its compact form ([`Signer`], a JWT by RFC 7519 and RFC 8037), the keys and when they change
//! ([`Keys`]), the public key set (RFC 7517). Comes in: what was judged, the keys' stored text, the time. Goes out: bytes.
//! `control` reads and writes the text and makes keys; nothing here does.
//!
//! Refuses: a stored text that is not wholly understood. Invariants: method, host and path are those that are forwarded;
//! a key is shown before it signs, and after it has signed for longer than anything it signed is good.

mod keys;
mod text;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::Ed25519KeyPair;

use crate::http::decimal;
use crate::limits::ASSERTION_SECONDS;

pub use keys::{Keys, LOOK_SECONDS};
pub use text::percent_encode;
use text::{Object, encode};

/// What is claimed of one request, beside who says so and until when.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    pub now_unix: u64,
    pub request_id: &'a str,
    /// Whom the proof names, and who answers for it.
    pub subject: Option<&'a str>,
    pub credential: Option<&'a str>,
    /// How it was proven.
    pub mechanism: &'a str,
    pub project: &'a str,
    /// As they are forwarded; the path without its query.
    pub method: &'a str,
    pub host: &'a str,
    pub path: &'a str,
}

/// Signs with the key whose turn it is, and knows what it shows the world. The same for all cores.
#[derive(Debug)]
pub struct Signer {
    pair: Ed25519KeyPair,
    /// The JWT's header, encoded, and the dot behind it.
    header: Box<str>,
    /// The base host's origin, which is `iss`.
    issuer: Box<str>,
    /// What follows a host in an origin: empty, or a colon and a port.
    port: Box<str>,
    key_set: Box<str>,
}

impl Signer {
    /// For the base host `host`, as browsers see it at `public_port`. `None`: there is no key.
    pub fn new(keys: &Keys, now_unix: u64, host: &str, public_port: u16) -> Option<Self> {
        let key = keys.signing(now_unix)?;
        let kid = key.thumbprint();
        let header = format!(r#"{{"alg":"EdDSA","typ":"adit-assertion+jwt","kid":"{kid}"}}"#);
        let port = match public_port {
            443 => String::new(),
            port => format!(":{port}"),
        };
        Some(Signer {
            pair: key.pair()?,
            header: (URL_SAFE_NO_PAD.encode(header) + ".").into(),
            issuer: format!("https://{host}{port}").into(),
            port: port.into(),
            key_set: keys.public_set().into(),
        })
    }

    /// The JSON that upstreams fetch.
    pub fn key_set(&self) -> &str {
        &self.key_set
    }

    /// Whether nobody could tell the two apart.
    pub fn is_like(&self, other: &Signer) -> bool {
        (&self.header, &self.issuer, &self.key_set)
            == (&other.header, &other.issuer, &other.key_set)
    }

    /// Appends the compact form. Allocates only where one of the two has to grow.
    pub fn sign(&self, claims: &Claims<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        scratch.clear();
        self.write(claims, scratch);
        let start = out.len();
        out.extend_from_slice(self.header.as_bytes());
        encode(scratch, out);
        let signature = self.pair.sign(out.get(start..).unwrap_or_default());
        out.push(b'.');
        encode(signature.as_ref(), out);
    }

    fn write(&self, claims: &Claims<'_>, json: &mut Vec<u8>) {
        let ends = claims.now_unix.saturating_add(ASSERTION_SECONDS);
        let mut object = Object::open(json);
        object.text("iss", &[&self.issuer]);
        object.text("aud", &["https://", claims.host, &self.port]);
        object.number("iat", decimal(claims.now_unix, &mut [0; 20]));
        object.number("exp", decimal(ends, &mut [0; 20]));
        object.text("jti", &[claims.request_id]);
        if let Some(subject) = claims.subject {
            object.text("sub", &[subject]);
        }
        if let Some(credential) = claims.credential {
            object.text("credential", &[credential]);
        }
        object.text("mechanism", &[claims.mechanism]);
        object.text("project", &[claims.project]);
        object.text("method", &[claims.method]);
        object.text("host", &[claims.host]);
        object.text("path", &[claims.path]);
        object.close();
    }
}

#[cfg(test)]
mod tests;
