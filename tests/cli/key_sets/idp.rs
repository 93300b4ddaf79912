//! An issuer: it signs tokens, and serves its key set over HTTP or TLS as it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::process::PATIENCE;

/// A key with its name.
pub struct Key {
    kid: String,
    pair: Ed25519KeyPair,
}

impl Key {
    pub fn new(kid: &str) -> Key {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Key {
            kid: kid.to_owned(),
            pair: Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap(),
        }
    }
}

/// The set of these keys.
pub fn set_of(keys: &[&Key]) -> String {
    let keys: Vec<serde_json::Value> = keys
        .iter()
        .map(|key| {
            let x = URL_SAFE_NO_PAD.encode(key.pair.public_key());
            serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": key.kid, "use": "sig" })
        })
        .collect();
    serde_json::json!({ "keys": keys }).to_string()
}

/// What the issuer answers.
#[derive(Clone)]
pub enum Reply {
    Set(String),
    /// The same, once the test lets it go.
    Held(String),
    Status(u16),
    Redirect(String),
    /// The connection is closed.
    Close,
}

struct Shared {
    reply: Mutex<Reply>,
    requests: Mutex<usize>,
    changed: Condvar,
    gate: Mutex<Receiver<()>>,
}

pub struct Idp {
    address: SocketAddr,
    /// PEM, where it speaks TLS.
    certificate: Option<String>,
    shared: Arc<Shared>,
    release: Sender<()>,
}

impl Idp {
    pub fn start(reply: Reply) -> Idp {
        Idp::serve(reply, None)
    }

    /// With a certificate for `localhost`.
    pub fn start_tls(reply: Reply) -> Idp {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![pair.cert.der().clone()], key.into())
            .unwrap();
        Idp::serve(reply, Some((Arc::new(config), pair.cert.pem())))
    }

    fn serve(reply: Reply, tls: Option<(Arc<ServerConfig>, String)>) -> Idp {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (release, gate) = channel();
        let shared = Arc::new(Shared {
            reply: Mutex::new(reply),
            requests: Mutex::new(0),
            changed: Condvar::new(),
            gate: Mutex::new(gate),
        });
        let (config, certificate) = tls.unzip();
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.set_read_timeout(Some(PATIENCE));
                match &config {
                    None => answer(stream, &serving),
                    Some(config) => {
                        let session = ServerConnection::new(config.clone()).unwrap();
                        answer(StreamOwned::new(session, stream), &serving);
                    }
                }
            }
        });
        Idp {
            address,
            certificate,
            shared,
            release,
        }
    }

    /// Its `iss`.
    pub fn name(&self) -> String {
        if self.certificate.is_some() {
            format!("https://localhost:{}", self.address.port())
        } else {
            format!("http://{}", self.address)
        }
    }

    pub fn certificate(&self) -> String {
        self.certificate.clone().expect("it speaks TLS")
    }

    /// Its table in a configuration.
    pub fn issuer(&self, more: &str) -> String {
        let name = self.name();
        format!(
            "[[issuer]]\nissuer = \"{name}\"\naudience = [\"edge\"]\nalgorithms = [\"EdDSA\"]\njwks_url = \"{name}/jwks\"\nprojects = [\"proj-1\"]\npermissions = [\"tunnels.streams.create-delete\"]\n{more}\n"
        )
    }

    /// A token for a minute.
    pub fn token(&self, key: &Key) -> String {
        let now = adit::runtime::clock::Clock::default().now().unix_seconds();
        let header = serde_json::json!({ "alg": "EdDSA", "kid": key.kid });
        let claims = serde_json::json!({
            "iss": self.name(), "aud": "edge", "sub": "ana", "exp": now + 60,
        });
        let [header, claims] =
            [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(key.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    pub fn reply(&self, reply: Reply) {
        *self.shared.reply.lock().unwrap() = reply;
    }

    /// Lets one held answer go.
    pub fn release(&self) {
        self.release.send(()).unwrap();
    }

    /// How often it was asked.
    pub fn requests(&self) -> usize {
        *self.shared.requests.lock().unwrap()
    }

    /// Returns once it was asked so often.
    pub fn asked(&self, count: usize) {
        let requests = self.shared.requests.lock().unwrap();
        let changed = &self.shared.changed;
        let (requests, _) = changed
            .wait_timeout_while(requests, PATIENCE, |requests| *requests < count)
            .unwrap();
        assert!(*requests >= count, "not asked");
    }
}

fn answer(mut stream: impl Read + Write, shared: &Shared) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        // A client that does not trust us leaves.
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"GET /jwks HTTP/1.1\r\n"));
    *shared.requests.lock().unwrap() += 1;
    shared.changed.notify_all();
    let reply = shared.reply.lock().unwrap().clone();
    let (status, field, body) = match reply {
        Reply::Set(set) => (200, String::new(), set),
        Reply::Held(set) => {
            let gate = shared.gate.lock().unwrap();
            gate.recv_timeout(PATIENCE).expect("let go");
            (200, String::new(), set)
        }
        Reply::Status(status) => (status, String::new(), String::new()),
        Reply::Redirect(to) => (302, format!("Location: {to}\r\n"), String::new()),
        Reply::Close => return,
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\n{field}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    // A client that has read enough leaves.
    let _ = stream.write_all((head + &body).as_bytes());
    let _ = stream.flush();
}
