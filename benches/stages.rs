//! The pure stages of a request, one at a time, for scripts/instructions.sh to count their instructions:
//!
//! ```sh
//! stages STAGE COUNT
//! ```
//!
//! runs one so often, behind preparations that do not depend on COUNT: two runs apart tell what one call costs. A request
//! has a head of 1 KiB as a browser sends it, with cookies and an HS256 token whose boundary has one rule for paths. Tokens of
//! the other algorithms are an issuer's.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench may panic"
)]

use std::fs::{self, Permissions};
use std::hint::black_box;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use adit::authn::cookie::{self, Cookie};
use adit::authn::session::Ended;
use adit::clock::{Now, http_date};
use adit::forward::request::{Origin, write};
use adit::forward::response::{self, Delivery, Terms};
use adit::http::host::CanonicalHost;
use adit::http::request::{Method, Request, RequestHead};
use adit::http::response::{Response, ResponseHead};
use adit::http::scan::{HeadScan, Scan};
use adit::http::target::Target;
use adit::http::{HeadLimits, Version};
use adit::policy::{Connection, Decision, Facts, Memory, Policy, decide};
use adit::runtime::buffer::Buffer;
use adit::runtime::clock::Clock;
use adit::token::{MintRequest, TokenCache, mint_hs256};
use adit::{config, control};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as base64url;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::json;

const SECRET: &str = "a secret of the benches, which has more than thirty-two bytes";
const HOST: &str = "app.t.example.test";
const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 16 * 1024,
    header_fields: 100,
    target_bytes: 8 * 1024,
};
/// As an application behind the edge answers.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nServer: gunicorn\r\n\
                      Content-Type: application/json; charset=utf-8\r\nContent-Length: 1284\r\n\
                      Cache-Control: private, max-age=0\r\nETag: \"5f3a-1b2c\"\r\nVary: Accept-Encoding\r\n\
                      Set-Cookie: sid=0123456789abcdef; Path=/; HttpOnly; Secure\r\nConnection: keep-alive\r\n\r\n";
/// As many as a cold run may ask for: minting them is no part of what is counted.
const TOKENS: usize = 1200;
/// Tunnels beside the one that is asked for.
const OTHERS: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count: usize = arguments[1].parse().unwrap();
    let bench = Bench::new();
    match arguments[0].as_str() {
        "scan" => bench.scan(count),
        "head" => bench.head(count),
        "target" => bench.target(count),
        "route" => bench.route(count),
        "cookie" => bench.cookie(count),
        "token-warm" => bench.token_warm(count),
        "token-cold" => bench.token_cold(count),
        "cold-es256" => bench.cold_of_issuer(&bench.es256, count),
        "cold-rs256" => bench.cold_of_issuer(&bench.rs256, count),
        "decide" => bench.decide(count),
        "rewrite" => bench.rewrite(count),
        "answer" => answer(count),
        other => panic!("no stage {other}"),
    }
}

struct Bench {
    policy: Policy,
    tokens: Vec<String>,
    es256: [String; 2],
    rs256: [String; 2],
    text: String,
    head: RequestHead,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            fs::set_permissions(folder.path().join(name), Permissions::from_mode(0o600)).unwrap();
        };
        let tunnel = |host: &str| {
            format!(
                "[[tunnel]]\nhostname = \"{host}\"\nproject = \"p\"\nupstream = \"http://127.0.0.1:9\"\ntoken_auth = true\n"
            )
        };
        let others = (0..OTHERS).map(|n| tunnel(&format!("app-{n}.t.example.test")));
        let tunnels: String = others.chain([tunnel(HOST)]).collect();
        let (es256, rs256) = (Es256::new(), Rs256::new());
        let issuers = [
            issuer("es256", "ES256", &es256.jwk()),
            issuer("rs256", "RS256", &rs256.jwk()),
        ];
        for (name, jwks, _) in &issuers {
            text(name, jwks);
        }
        let issuers = issuers.map(|(_, _, table)| table).concat();
        text("secret", SECRET);
        text(
            "adit.toml",
            &format!(
                "[engine]\nhost = \"edge.example.test\"\n[http]\nlisten = [\"127.0.0.1:0\"]\nmode = \"serve\"\n[tokens]\n\
                 hs256_secret_file = \"secret\"\n[tokens.ce]\nprojects = [\"p\"]\npermissions = [\"tunnels.streams.create-delete\"]\n\
                 [[project]]\nid = \"p\"\nworkspace = \"w\"\n{issuers}{tunnels}"
            ),
        );
        let loaded = config::load(&folder.path().join("adit.toml"), &[]);
        let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
        let tokens: Vec<String> = (0..TOKENS).map(token).collect();
        let text = request(&tokens[0]);
        let mut head = RequestHead::new();
        head.parse(text.as_bytes(), &LIMITS).unwrap();
        Bench {
            policy: control::policy(&loaded.settings).unwrap(),
            tokens,
            es256: [0, 1].map(|n| of_issuer("es256", "ES256", n, |signed| es256.sign(signed))),
            rs256: [0, 1].map(|n| of_issuer("rs256", "RS256", n, |signed| rs256.sign(signed))),
            text,
            head,
            now: Clock::default().now(),
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            bytes: self.text.as_bytes(),
            head: &self.head,
        }
    }

    fn scan(&self, count: usize) {
        for _ in 0..count {
            let found = HeadScan::default().advance(black_box(self.text.as_bytes()), &LIMITS);
            assert_eq!(found, Scan::Complete(self.text.len()));
        }
    }

    fn head(&self, count: usize) {
        let mut head = RequestHead::new();
        for _ in 0..count {
            head.parse_at_once(black_box(self.text.as_bytes()), &LIMITS)
                .unwrap();
        }
    }

    fn target(&self, count: usize) {
        for _ in 0..count {
            let target = black_box(b"/api/items/42?order=date&page=7");
            black_box(Target::parse(target, 4, Method::Get)).unwrap();
        }
    }

    fn route(&self, count: usize) {
        let host = CanonicalHost::parse(HOST.as_bytes()).unwrap();
        for _ in 0..count {
            black_box(self.policy.routes.find(black_box(&host))).unwrap();
        }
    }

    fn cookie(&self, count: usize) {
        for _ in 0..count {
            let read = Cookie::read(black_box(self.request()), cookie::SESSION.as_bytes());
            assert_eq!(read, Cookie::Absent);
        }
    }

    fn token_warm(&self, count: usize) {
        let keys = self.policy.keys.as_ref().unwrap();
        let mut cache = TokenCache::new(1024);
        let token = self.tokens[0].as_bytes();
        for _ in 0..=count {
            let verified = cache.verify(black_box(token), keys, self.now.unix_seconds());
            assert!(verified.is_ok());
        }
    }

    /// Two in turn where one is remembered: each is as good as never seen, and displaces the other.
    fn cold_of_issuer(&self, tokens: &[String; 2], count: usize) {
        let keys = self.policy.keys.as_ref().unwrap();
        let mut cache = TokenCache::new(1);
        for token in tokens.iter().cycle().take(count) {
            let verified = cache.verify(black_box(token.as_bytes()), keys, self.now.unix_seconds());
            assert!(verified.is_ok());
        }
    }

    /// Each token once.
    fn token_cold(&self, count: usize) {
        let keys = self.policy.keys.as_ref().unwrap();
        let mut cache = TokenCache::new(self.tokens.len());
        for token in &self.tokens[..count] {
            let verified = cache.verify(black_box(token.as_bytes()), keys, self.now.unix_seconds());
            assert!(verified.is_ok());
        }
    }

    fn judged(&self, memory: &mut Memory) -> Decision {
        let facts = Facts {
            connection: Connection::plain(None),
            request: self.request(),
            ended: &Ended::default(),
        };
        decide(&self.policy, black_box(&facts), self.now, memory)
    }

    fn decide(&self, count: usize) {
        let mut memory = Memory::new(TokenCache::new(1024));
        for _ in 0..=count {
            let decision = self.judged(&mut memory);
            assert!(matches!(decision, Decision::Forward(_)), "{decision:?}");
        }
    }

    fn rewrite(&self, count: usize) {
        let origin = Origin {
            client: "192.0.2.1",
            scheme: "https",
            request_id: "0123456789abcdef0123456789abcdef",
            websocket: false,
            trailers: false,
            identity: b"",
        };
        let mut out = Buffer::with_capacity(4096);
        for _ in 0..count {
            out.clear();
            let permit = adit::authz::public(0, true);
            write(permit, black_box(self.request()), origin, &mut out).unwrap();
        }
    }
}

/// An answer's head from its end to what the client gets.
fn answer(count: usize) {
    let terms = Terms {
        host: HOST,
        client: Version::Http11,
        persistent: true,
        token_in_query: false,
        for_one: false,
        trailers: false,
        from_edge: false,
        date: http_date(Duration::ZERO),
    };
    let mut head = ResponseHead::new();
    let mut out = Buffer::with_capacity(4096);
    for _ in 0..count {
        let bytes = black_box(ANSWER.as_bytes());
        let length = head.parse_at_once(bytes, Method::Get, &LIMITS);
        assert_eq!(length, Some(ANSWER.len()));
        out.clear();
        let response = Response { bytes, head: &head };
        let (delivery, _) = response::write(response, terms, &mut out).unwrap();
        assert_eq!(delivery, Delivery::Length);
    }
}

fn token(number: usize) -> String {
    let boundary = serde_json::json!({
        "projects": ["p"], "scopes": { "tunnels": { "connect": { "params": { "path": { "regex": "^/api/[a-z]+/" } } } } },
    });
    let request = MintRequest {
        subject: Some(format!("bench-{number}")),
        permissions: Some(vec!["tunnels.streams.create-delete".into()]),
        boundary: Some(boundary),
        ..MintRequest::default()
    };
    mint_hs256(SECRET.as_bytes(), &request).unwrap()
}

/// The file of its keys and the table of one issuer.
fn issuer(name: &str, algorithm: &str, jwk: &serde_json::Value) -> (String, String, String) {
    let table = format!(
        "[[issuer]]\nissuer = \"https://{name}.example.test\"\naudience_unchecked = true\nalgorithms = [\"{algorithm}\"]\n\
         jwks_file = \"{name}\"\nprojects = [\"p\"]\npermissions = [\"tunnels.streams.create-delete\"]\n"
    );
    (name.to_owned(), json!({ "keys": [jwk] }).to_string(), table)
}

/// A token as providers make them.
fn of_issuer(
    name: &str,
    algorithm: &str,
    number: usize,
    sign: impl Fn(&[u8]) -> Vec<u8>,
) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT" });
    let expires_at = Clock::default().now().unix_seconds() + 3600;
    let claims = json!({
        "iss": format!("https://{name}.example.test"), "sub": format!("bench-{number}"), "exp": expires_at,
    });
    let part = |value: serde_json::Value| base64url.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", base64url.encode(signature))
}

struct Es256(EcdsaKeyPair, SystemRandom);

impl Es256 {
    fn new() -> Self {
        let (curve, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(curve, pkcs8.as_ref(), &random).unwrap();
        Es256(pair, random)
    }

    fn jwk(&self) -> serde_json::Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|part| base64url.encode(part));
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
    }

    fn sign(&self, signed: &[u8]) -> Vec<u8> {
        self.0.sign(&self.1, signed).unwrap().as_ref().to_vec()
    }
}

struct Rs256(RsaKeyPair);

impl Rs256 {
    fn new() -> Self {
        let pkcs8 = include_bytes!("../src/token/tests/rsa-2048.pk8");
        Rs256(RsaKeyPair::from_pkcs8(pkcs8).unwrap())
    }

    fn jwk(&self) -> serde_json::Value {
        let PublicKeyComponents::<Vec<u8>> { n, e } = self.0.public().into();
        let [n, e] = [n, e].map(|part| base64url.encode(part));
        json!({ "kty": "RSA", "n": n, "e": e })
    }

    fn sign(&self, signed: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let random = SystemRandom::new();
        self.0
            .sign(&RSA_PKCS1_SHA256, &random, signed, &mut signature)
            .unwrap();
        signature
    }
}

fn request(token: &str) -> String {
    format!(
        "GET /api/items/42 HTTP/1.1\r\nHost: {HOST}\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
         Accept: application/json, text/plain, */*\r\nAccept-Language: en-US,en;q=0.5\r\n\
         Authorization: Bearer {token}\r\nCookie: theme=dark; visit={}\r\n\r\n",
        "0123456789abcdef".repeat(22)
    )
}
