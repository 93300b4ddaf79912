//! The pure stages of a request, one at a time, for scripts/instructions.sh to count their instructions:
//!
//! ```sh
//! stages STAGE COUNT
//! ```
//!
//! runs one so often, behind preparations that do not depend on COUNT: two runs apart tell what one call costs. A request
//! has a head of 1 KiB as a browser sends it, with cookies and an HS256 token whose boundary has one rule for paths.
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
        "decide" => bench.decide(count),
        "rewrite" => bench.rewrite(count),
        "answer" => answer(count),
        other => panic!("no stage {other}"),
    }
}

struct Bench {
    policy: Policy,
    tokens: Vec<String>,
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
        text("secret", SECRET);
        text(
            "adit.toml",
            &format!(
                "[engine]\nhost = \"edge.example.test\"\n[http]\nlisten = [\"127.0.0.1:0\"]\nmode = \"serve\"\n[tokens]\n\
                 hs256_secret_file = \"secret\"\n[tokens.ce]\nprojects = [\"p\"]\npermissions = [\"tunnels.streams.create-delete\"]\n\
                 [[project]]\nid = \"p\"\nworkspace = \"w\"\n{tunnels}"
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
        "projects": ["p"], "scopes": { "tunnels": { "connect": { "params": { "path": { "regex": "^/api/" } } } } },
    });
    let request = MintRequest {
        subject: Some(format!("bench-{number}")),
        permissions: Some(vec!["tunnels.streams.create-delete".into()]),
        boundary: Some(boundary),
        ..MintRequest::default()
    };
    mint_hs256(SECRET.as_bytes(), &request).unwrap()
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
