//! What grants can name of a user, as sessions carry it.

use crate::authn::session::{Short, short};

/// An address that its provider has verified, in lower case.
pub fn email(address: &str) -> Short {
    short(&[b"email", address.as_bytes()])
}

/// What follows the `@`, in lower case.
pub fn email_domain(domain: &str) -> Short {
    short(&[b"domain", domain.as_bytes()])
}

pub fn group(name: &str) -> Short {
    short(&[b"group", name.as_bytes()])
}

pub fn subject(subject: &str) -> Short {
    short(&[b"subject", subject.as_bytes()])
}
