//! What a handshake asks of a client certificate: that the client has its key, that it can be kept, and nothing else.
//!
//! Whose it is, whether it is valid now and whether a CA vouches for it is asked for every request: rustls does not call
//! this on resumption, and a reload must reach open connections.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved,
    SignatureScheme,
};

use crate::certificate::{SCHEMES, proves_possession};
use crate::limits::CLIENT_CHAIN_BYTES_MAX;

/// How it is told that a client showed more than can be kept for it.
pub(super) const TOO_LARGE: CertificateError = CertificateError::ApplicationVerificationFailure;

/// Asks for a certificate, and takes none as well.
#[derive(Debug)]
pub(super) struct AnyCertificate;

impl AnyCertificate {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(AnyCertificate)
    }
}

fn verified(
    certificate: &CertificateDer<'_>,
    is_tls13: bool,
    message: &[u8],
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let signature = signed.signature();
    if !SCHEMES.contains(&signed.scheme) {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    if proves_possession(certificate, is_tls13, signed.scheme, message, signature) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let bytes = between.iter().fold(leaf.len(), |sum, one| sum + one.len());
        if bytes > CLIENT_CHAIN_BYTES_MAX {
            return Err(TOO_LARGE.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verified(certificate, false, message, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verified(certificate, true, message, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}
