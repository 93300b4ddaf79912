//! Certificates in files that a command is given.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::certificate::PeerCertificate;

/// What a client would present with this file, PEM or DER: the leaf first. The error is for a person.
pub(super) fn read(path: &Path) -> Result<PeerCertificate, String> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
    let is_pem = memchr::memmem::find(&bytes, b"-----BEGIN ").is_some();
    let chain: Vec<CertificateDer<'_>> = if is_pem {
        let blocks: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        blocks.map_err(|_| format!("{shown} is not well-formed PEM"))?
    } else {
        vec![CertificateDer::from(bytes)]
    };
    let peer = PeerCertificate::read(&chain).filter(PeerCertificate::is_certificate);
    peer.ok_or_else(|| format!("{shown} has no certificate, neither as PEM nor as DER"))
}
