//! A provider that answers what it is told, truth or not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use adit::runtime::clock::Clock;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA512, digest};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use url::Url;

use super::{CLIENT_ID, PATIENCE, parameter};

pub const ACCESS_TOKEN: &str = "canary-access-token";

/// An answer: status, a line of its head, body.
pub type Answer = (u16, String, String);

pub struct Mock {
    pub issuer: String,
    pair: Ed25519KeyPair,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    answers: Vec<(String, Answer)>,
    /// Every head with its body.
    requests: Vec<String>,
}

impl Mock {
    pub fn start() -> Mock {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let mock = Mock {
            issuer: format!("http://{address}"),
            pair: Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap(),
            shared: Arc::default(),
        };
        mock.discovery(json!({}));
        mock.says("/jwks", 200, &json!({ "keys": [mock.jwk("a")] }));
        let shared = mock.shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(stream, &shared);
            }
        });
        mock
    }

    pub fn jwk(&self, kid: &str) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig" })
    }

    /// Its discovery document; a member of `changes` that is null is left out.
    pub fn discovery(&self, changes: Value) {
        let issuer = &self.issuer;
        let mut document = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "id_token_signing_alg_values_supported": ["HS256", "none", "EdDSA"],
        });
        change(&mut document, changes);
        self.says("/.well-known/openid-configuration", 200, &document);
    }

    pub fn says(&self, path: &str, status: u16, body: &Value) {
        self.answers(path, (status, String::new(), body.to_string()));
    }

    pub fn answers(&self, path: &str, answer: Answer) {
        let mut shared = self.shared.lock().unwrap();
        shared.answers.retain(|(known, _)| known != path);
        shared.answers.push((path.to_owned(), answer));
    }

    pub fn requests(&self, path: &str) -> Vec<String> {
        let shared = self.shared.lock().unwrap();
        let all = shared.requests.iter();
        let to_path = all.filter(|request| request.contains(&format!(" {path} ")));
        to_path.cloned().collect()
    }

    /// The claims of a good ID token for a sign-in that began with this URL.
    pub fn claims(&self, begun: &Url, changes: Value) -> Value {
        let now = Clock::default().now().unix_seconds();
        let hash = digest(&SHA512, ACCESS_TOKEN.as_bytes());
        let mut claims = json!({
            "iss": self.issuer, "sub": "ana", "aud": CLIENT_ID, "exp": now + 60, "iat": now,
            "nonce": parameter(begun, "nonce").unwrap(),
            "at_hash": URL_SAFE_NO_PAD.encode(&hash.as_ref()[..32]),
            "email": "ana@example.com", "email_verified": true,
        });
        change(&mut claims, changes);
        claims
    }

    /// Signed as a provider does.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    pub fn gives(&self, id_token: &str) {
        let body =
            json!({ "id_token": id_token, "access_token": ACCESS_TOKEN, "token_type": "Bearer" });
        self.says("/token", 200, &body);
    }
}

/// Signed with a secret.
pub fn hs256(secret: &[u8], claims: &Value) -> String {
    let signed = unsigned(&json!({ "alg": "HS256", "kid": "a" }), claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Header and claims without a signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}

fn change(into: &mut Value, changes: Value) {
    let (Value::Object(into), Value::Object(changes)) = (into, changes) else {
        panic!("two objects");
    };
    for (name, value) in changes {
        if value.is_null() {
            into.remove(&name);
        } else {
            into.insert(name, value);
        }
    }
}

fn answer(stream: TcpStream, shared: &Mutex<Shared>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        // A client that has changed its mind leaves.
        if !matches!(reader.read_line(&mut head), Ok(1..)) {
            return;
        }
    }
    let length = head.to_ascii_lowercase();
    let length = length
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let mut shared = shared.lock().unwrap();
    shared
        .requests
        .push(head + &String::from_utf8(body).unwrap());
    let known = shared.answers.iter().find(|(known, _)| *known == path);
    let missing = (404, String::new(), String::new());
    let (status, line, body) = known.map_or(missing, |(_, answer)| answer.clone());
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\n{line}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    // A client that has read enough leaves.
    let _ = (&stream).write_all((head + &body).as_bytes());
}
