//! A client that writes raw bytes and reads raw bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::process::PATIENCE;
use super::{ClientCertificate, Folder};

/// One answer, read to the end of its connection.
#[derive(Clone, Debug)]
pub struct Answer(pub String);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0[9..12].parse().unwrap()
    }

    pub fn head(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().0
    }

    pub fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }

    /// The value of a field, by its name in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head().lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// A GET that ends its connection; `fields` are whole lines.
pub fn get(host: &str, target: &str, fields: &[&str]) -> String {
    request("GET", host, target, fields)
}

pub fn request(method: &str, host: &str, target: &str, fields: &[&str]) -> String {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n")
}

/// A field line with a token.
pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub fn plain(address: SocketAddr, request: &str) -> Answer {
    exchange(connect(address), request)
}

pub fn unix(path: &Path, request: &str) -> Answer {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    exchange(stream, request)
}

/// Over TLS, trusting the folder's certificate alone.
pub fn tls(folder: &Folder, address: SocketAddr, name: &str, request: &str) -> Answer {
    exchange(tls_stream(folder, address, name), request)
}

pub fn tls_stream(
    folder: &Folder,
    address: SocketAddr,
    name: &str,
) -> StreamOwned<ClientConnection, TcpStream> {
    tls_stream_showing(folder, address, name, None)
}

/// The same with a client certificate, whether the key is that of it or not.
pub fn tls_stream_showing(
    folder: &Folder,
    address: SocketAddr,
    name: &str,
    certificate: Option<&ClientCertificate>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let of_the_edge = CertificateDer::from_pem_file(folder.path("cert.pem")).unwrap();
    roots.add(of_the_edge).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match certificate {
        Some(own) => {
            let own = SingleCertAndKey::from(own.certified_key());
            config.with_client_cert_resolver(Arc::new(own))
        }
        None => config.with_no_client_auth(),
    };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(session, connect(address))
}

pub fn exchange(mut stream: impl Read + Write, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).unwrap();
    rest(stream)
}

/// Reads an answer to the end of its connection.
pub fn rest(mut stream: impl Read) -> Answer {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Answer(answer)
}
