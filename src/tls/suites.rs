//! Which cipher suite is chosen of those that a client offers.

use rustls::crypto::ring::cipher_suite::*;
use rustls::{CipherSuite, SupportedCipherSuite};

/// The edge's order. AES-128 before AES-256: each is far beyond being guessed, and the smaller one with SHA-256 costs less,
/// for every record and in the handshake.
pub(super) const SUITES: [SupportedCipherSuite; 9] = [
    TLS13_AES_128_GCM_SHA256,
    TLS13_AES_256_GCM_SHA384,
    TLS13_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Whose order of suites counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuiteOrder {
    Edge,
    Client,
}

impl SuiteOrder {
    /// The edge's order, unless the client puts ChaCha20-Poly1305 before all others that we have: then its processor has no
    /// instructions for AES, which it would have to do in software.
    pub fn of(offered: &[CipherSuite]) -> Self {
        let mut known = offered
            .iter()
            .filter(|suite| SUITES.iter().any(|ours| ours.suite() == **suite));
        let has_no_aes = matches!(
            known.next(),
            Some(
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
                    | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                    | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            )
        );
        if has_no_aes {
            SuiteOrder::Client
        } else {
            SuiteOrder::Edge
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_whose_first_suite_is_chacha_has_its_way() {
        let grease = CipherSuite::Unknown(0x1a1a);
        let aes = CipherSuite::TLS13_AES_256_GCM_SHA384;
        let chacha = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
        let old_chacha = CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256;
        for (offered, order) in [
            (&[grease, chacha, aes][..], SuiteOrder::Client),
            (&[old_chacha], SuiteOrder::Client),
            (&[aes, chacha], SuiteOrder::Edge),
            (&[grease], SuiteOrder::Edge),
            (&[], SuiteOrder::Edge),
        ] {
            assert_eq!(SuiteOrder::of(offered), order, "{offered:?}");
        }
    }
}
