//! A client that sends bytes as they are and reads answers strictly.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore,
    StreamOwned, SupportedCipherSuite, SupportedProtocolVersion,
};

use socket2::{Domain, Socket, Type};

use super::client_certificate::ClientCertificate;
use super::wire::{Broken, Delimited, Ending, Wire, announced};
use super::{PATIENCE, head};

/// One answer.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// With its final empty line.
    pub head: Vec<u8>,
    /// Without chunk lines.
    pub body: Vec<u8>,
    pub delimited: Delimited,
}

impl Response {
    /// The value of a field that stands there at most once.
    pub fn field(&self, name: &str) -> Option<&str> {
        head::value(&self.head, name)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Whether the edge said that this is the last answer.
    pub fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

/// How to greet a TLS server.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// `None`: no server name is sent.
    pub server_name: Option<String>,
    /// The name to find in the certificate; the server name where there is one.
    pub verify: String,
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// In the order of preference.
    pub suites: Vec<SupportedCipherSuite>,
    pub alpn: Vec<Vec<u8>>,
    /// Shown where one is asked for; whether the key is that of the certificate is not looked at.
    pub client_certificate: Option<CertifiedKey>,
}

impl TlsOptions {
    pub fn new(server_name: &str) -> Self {
        TlsOptions {
            server_name: Some(server_name.to_owned()),
            verify: server_name.to_owned(),
            versions: rustls::ALL_VERSIONS.to_vec(),
            suites: rustls::crypto::ring::DEFAULT_CIPHER_SUITES.to_vec(),
            alpn: vec![b"http/1.1".to_vec()],
            client_certificate: None,
        }
    }

    /// The same, speaking this version alone.
    pub fn version(self, version: &'static SupportedProtocolVersion) -> Self {
        TlsOptions {
            versions: vec![version],
            ..self
        }
    }

    /// The same with a client certificate.
    pub fn showing(self, certificate: &ClientCertificate) -> Self {
        TlsOptions {
            client_certificate: Some(certificate.certified_key()),
            ..self
        }
    }

    pub fn without_server_name(verify: &str) -> Self {
        TlsOptions {
            server_name: None,
            ..TlsOptions::new(verify)
        }
    }

    /// A configuration; keep it to resume sessions.
    pub fn config(&self, roots: RootCertStore) -> Arc<ClientConfig> {
        let provider = Arc::new(CryptoProvider {
            cipher_suites: self.suites.clone(),
            ..rustls::crypto::ring::default_provider()
        });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.client_certificate {
            Some(own) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.clone())))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.clone();
        config.enable_sni = self.server_name.is_some();
        Arc::new(config)
    }
}

/// What a TLS handshake came to.
#[derive(Clone, Debug)]
pub struct Negotiated {
    pub version: ProtocolVersion,
    pub suite: CipherSuite,
    pub alpn: Option<Vec<u8>>,
    pub kind: HandshakeKind,
    pub certificate: CertificateDer<'static>,
}

pub struct Client {
    wire: Wire,
    pub negotiated: Option<Negotiated>,
}

impl Deref for Client {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

impl Client {
    /// Ends everything with a reset.
    pub fn reset(self) {
        self.wire.reset();
    }

    pub fn plain(address: SocketAddr) -> Self {
        Client {
            wire: Wire::plain(TcpStream::connect(address).unwrap()),
            negotiated: None,
        }
    }

    /// From this address of the machine.
    pub fn from(local: &str, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let local: IpAddr = local.parse().unwrap();
        socket.bind(&SocketAddr::new(local, 0).into()).unwrap();
        socket.connect(&address.into()).unwrap();
        Client {
            wire: Wire::plain(socket.into()),
            negotiated: None,
        }
    }

    /// Connects and completes the handshake; the error of rustls is in the `io::Error`.
    pub fn tls(address: SocketAddr, config: Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        Client::tls_on(TcpStream::connect(address)?, config, name)
    }

    /// The same on a connection that is there already.
    pub fn tls_on(
        mut socket: TcpStream,
        config: Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        let negotiated = Negotiated {
            version: session.protocol_version().unwrap(),
            suite: session.negotiated_cipher_suite().unwrap().suite(),
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
            kind: session.handshake_kind().unwrap(),
            certificate: session.peer_certificates().unwrap()[0].clone().into_owned(),
        };
        Ok(Client {
            wire: Wire::new(socket, |socket| Box::new(StreamOwned::new(session, socket))),
            negotiated: Some(negotiated),
        })
    }

    /// Sends a request and reads its answer.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(request);
        self.response()
    }

    /// Reads one answer: an interim one, or a final one to anything but HEAD.
    pub fn response(&mut self) -> Response {
        self.try_response().expect("a whole answer")
    }

    /// Reads one answer to HEAD.
    pub fn response_to_head(&mut self) -> Response {
        let head = self.wire.head().expect("a whole answer");
        Response {
            status: status(&head),
            head,
            body: Vec::new(),
            delimited: Delimited::Nothing,
        }
    }

    /// Reads one answer that may break off: what is there of the body, or of the head.
    pub fn try_response(&mut self) -> Result<Response, Broken> {
        let head = self.wire.head()?;
        let status = status(&head);
        let delimited = match status {
            100..200 | 204 | 304 => Delimited::Nothing,
            _ => announced(&head, Delimited::Close),
        };
        let body = self.wire.body(delimited)?;
        Ok(Response {
            status,
            head,
            body,
            delimited,
        })
    }

    /// The edge ends the connection, in order and without another byte.
    pub fn assert_closed(&mut self) {
        let (bytes, ending) = self.wire.read_to_end();
        assert_eq!(
            (bytes.escape_ascii().to_string(), ending),
            (String::new(), Ending::Clean)
        );
    }
}

fn status(head: &[u8]) -> u16 {
    let line = head::first_line(head);
    let rest = line
        .strip_prefix("HTTP/1.1 ")
        .unwrap_or_else(|| panic!("a status line: {line:?}"));
    rest[..3].parse().unwrap()
}
