//! TLS towards clients: which certificate and rules a server name gets, and a small stream over rustls.
//!
//! Owns: the table of server names ([`names::ServerNames`]), the choice of the cipher suite ([`suites::SuiteOrder`]) and the
//! downstream stream ([`stream::TlsStream`]). Comes in: certificates, sockets, buffers. Goes out: plain bytes, the server name
//! the client asked for, the certificate it presented where it was asked for one.
//! Refuses a name that no certificate fits with the alert `unrecognized_name`.
//!
//! Invariant: the ClientHello is read before the configuration is chosen, and no byte is lost in between.

mod client_auth;
pub mod names;
pub mod stream;
mod suites;
