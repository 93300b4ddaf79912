//! An edge with every way in that a browser has, and what raw requests over TLS come to there.

use adit::authn::session::Session;
use adit::handover::{
    CHALLENGE_COOKIE, FORM_COOKIE, SESSION_COOKIE, STATE_COOKIE, open_session, request_id,
    seal_session,
};
use adit::pages;
use adit::seal::{Kind, Sealer};
use adit::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::entering::{PASSWORD, SEAL_KEY, builtin, folder_of, text_of};
use crate::support::http::{Answer, request, tls};
use crate::support::{BASE_HOST, Folder, HOST, Origin, Process};

/// Another tunnel for those who sign in.
pub const SECOND: &str = "second.t.edge.example";
pub const TOKEN_OR_SESSION: &str = "both.t.edge.example";
pub const CHALLENGE: &str = "challenge.t.edge.example";
pub const OTHER_CHALLENGE: &str = "other.t.edge.example";
pub const CHALLENGE_OR_TOKEN: &str = "machines.t.edge.example";
pub const CHALLENGE_AND_SESSION: &str = "twice.t.edge.example";

const TUNNELS: [(&str, &str); 7] = [
    (HOST, "rstream_auth = true"),
    (SECOND, "rstream_auth = true"),
    (TOKEN_OR_SESSION, "rstream_auth = true\ntoken_auth = true"),
    (CHALLENGE, "challenge_mode = true\npublic = true"),
    (OTHER_CHALLENGE, "challenge_mode = true\npublic = true"),
    (
        CHALLENGE_OR_TOKEN,
        "challenge_mode = true\ntoken_auth = true",
    ),
    (
        CHALLENGE_AND_SESSION,
        "challenge_mode = true\nrstream_auth = true",
    ),
];

/// A handshake of a WebSocket.
pub const UPGRADE: [&str; 4] = [
    "Connection: upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];

pub struct World {
    pub origin: Origin,
    pub folder: Folder,
    pub process: Process,
    asked: usize,
}

impl World {
    pub fn new() -> World {
        let origin = Origin::start();
        let folder = folder_of(&tunnels(&origin), &builtin());
        let process = Process::run(&folder);
        World {
            origin,
            folder,
            process,
            asked: 0,
        }
    }

    /// The same tunnels, with other users.
    pub fn reload(&mut self, sign_in: &str) {
        let text = text_of(&self.folder, &tunnels(&self.origin), sign_in);
        self.folder.configure(&text);
        self.process.event("config_reloaded");
    }

    pub fn send(&self, host: &str, request: &str) -> Answer {
        let address = self.process.address("https");
        tls(&self.folder, address, host, request)
    }

    pub fn get(&self, host: &str, target: &str, fields: &[&str]) -> Answer {
        self.send(host, &request("GET", host, target, fields))
    }

    /// A request of its own path: its answer, and the reason in the log. The upstream got it if it was let through, and
    /// else not a byte of anything.
    pub fn asks(&mut self, method: &str, host: &str, fields: &[&str]) -> (Answer, String) {
        self.asked += 1;
        let path = format!("/asked-{}", self.asked);
        let before = self.origin.heads().len();
        let answer = self.send(host, &request(method, host, &path, fields));
        let reason = self.process.record(&path)["reason"].clone();
        let heads = self.origin.heads().split_off(before);
        let came = heads
            .iter()
            .all(|head| head.starts_with(&format!("{method} {path} ")));
        let wanted = usize::from(reason == "forwarded");
        assert!(
            came && heads.len() == wanted,
            "{method} {host} {fields:?}: {reason} {heads:?}"
        );
        (answer, reason.as_str().unwrap().to_owned())
    }

    /// Status and reason of that.
    pub fn judges(&mut self, method: &str, host: &str, fields: &[&str]) -> (u16, String) {
        let (answer, reason) = self.asks(method, host, fields);
        (answer.status(), reason)
    }

    /// Ana signs in by the form and comes back to this tunnel; her session there.
    pub fn session(&self, host: &str) -> String {
        let (state, link) = self.begins(host);
        let code = self.code(&link);
        let back = self.comes_back(host, &code, &state);
        assert_eq!(back.status(), 302, "{}", back.0);
        cookie(&back, SESSION_COOKIE).unwrap()
    }

    /// A browser is sent away to sign in or to a challenge: its state cookie, and where to.
    pub fn begins(&self, host: &str) -> (String, String) {
        let sent = self.get(host, "/begins", &[]);
        assert_eq!(sent.status(), 302, "{}", sent.0);
        let state = cookie(&sent, STATE_COOKIE).unwrap();
        (state, below(BASE_HOST, sent.field("location").unwrap()))
    }

    /// Where the browser that signs Ana in by this link is sent: the callback with its code.
    pub fn code(&self, link: &str) -> String {
        let page = self.get(BASE_HOST, link, &[]);
        let form = cookie(&page, FORM_COOKIE).unwrap();
        let body = format!(
            "request={}&form_token={}&user=ana&password={}",
            hidden(&page, "request"),
            hidden(&page, "form_token"),
            PASSWORD.replace(' ', "+")
        );
        let fields = [
            format!("Origin: https://{BASE_HOST}"),
            format!("Cookie: {FORM_COOKIE}={form}"),
            "Content-Type: application/x-www-form-urlencoded".to_owned(),
            format!("Content-Length: {}", body.len()),
        ];
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let head = request("POST", BASE_HOST, "/rstream/auth", &fields);
        let answer = self.send(BASE_HOST, &format!("{head}{body}"));
        let (_, place) = answer.0.split_once("content=\"0; url=").unwrap();
        let place = place.split('"').next().unwrap();
        let (_, target) = place.split_once("/api/").unwrap();
        format!("/api/{target}")
    }

    pub fn comes_back(&self, host: &str, target: &str, state: &str) -> Answer {
        self.get(host, target, &[&format!("Cookie: {STATE_COOKIE}={state}")])
    }

    /// Does the work of a challenge; the pass at this tunnel.
    pub fn pass(&self, host: &str) -> String {
        let (state, link) = self.begins(host);
        let (_, sealed) = link.split_once("request=").unwrap();
        let nonce = URL_SAFE_NO_PAD.encode(request_id(sealed.as_bytes()));
        let counter = (0..)
            .map(|counter: u32| counter.to_string())
            .find(|counter| pages::verify(&nonce, counter, 12))
            .unwrap();
        let met = self.get(BASE_HOST, &format!("{link}&counter={counter}"), &[]);
        let target = below(host, met.field("location").unwrap());
        let back = self.comes_back(host, &target, &state);
        assert_eq!(back.status(), 302, "{}", back.0);
        cookie(&back, CHALLENGE_COOKIE).unwrap()
    }
}

fn tunnels(origin: &Origin) -> [(&'static str, std::net::SocketAddr, &'static str); 7] {
    TUNNELS.map(|(host, guard)| (host, origin.address, guard))
}

/// The target of an address on this host.
fn below(host: &str, address: &str) -> String {
    let start = format!("https://{host}");
    address.strip_prefix(&start).unwrap().to_owned()
}

/// The value of a cookie that an answer leaves.
pub fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let start = format!("{name}=");
    let mut lines = answer.head().lines().filter_map(|line| {
        let (field, value) = line.split_once(": ")?;
        let is_it = field.eq_ignore_ascii_case("set-cookie");
        is_it.then(|| value.strip_prefix(&start)).flatten()
    });
    let (value, _) = lines.next()?.split_once(';')?;
    Some(value.to_owned())
}

fn hidden(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.0.split_once(&start).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// A line with Ana's session.
pub fn signed_in(session: &str) -> String {
    format!("Cookie: {SESSION_COOKIE}={session}")
}

pub fn passed(pass: &str) -> String {
    format!("Cookie: {CHALLENGE_COOKIE}={pass}")
}

/// The same session with something changed, sealed as the edge does it.
pub fn resealed(session: &str, host: &str, change: impl FnOnce(&mut Session<'_>)) -> String {
    let sealer = Sealer::new(Secret::new(SEAL_KEY.as_bytes().to_vec()), None).unwrap();
    let mut scratch = Vec::new();
    let value = session.as_bytes();
    let mut plain = open_session(Kind::Session, &sealer, host, value, &mut scratch).unwrap();
    change(&mut plain);
    seal_session(&plain, Kind::Session, &sealer, host, &[5; 32]).unwrap()
}
