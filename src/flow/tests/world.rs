//! A running service with a clock of its own, and browsers with cookies.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, RwLock};
use std::time::Duration;

use crate::authn::session::{Grant, SessionRules, Short, short};
use crate::control::ended_sessions::EndedSessions;
use crate::flow::*;
use crate::handover::*;
use crate::http::host::CanonicalHost;
use crate::pages::Brand;
use crate::password::PasswordHash;
use crate::route::Routes;
use crate::seal::Sealer;
use crate::secret::Secret;

pub(super) const BASE: &str = "edge.example.com";
pub(super) const APP: &str = "app.t.edge.example.com";
/// Of another project.
pub(super) const OTHER: &str = "b.t.edge.example.com";
/// Of the same project as [`APP`].
pub(super) const SECOND: &str = "app2.t.edge.example.com";
/// Without any flow.
pub(super) const PLAIN: &str = "plain.t.edge.example.com";

pub(super) const ANA: Short = [10; 16];
pub(super) const BOB: Short = [11; 16];
pub(super) const HOME: &str = "192.0.2.7";

static HASH: LazyLock<PasswordHash> =
    LazyLock::new(|| PasswordHash::make(b"correct horse", [7; 16]).unwrap());

pub(super) fn sealer() -> Arc<Sealer> {
    Arc::new(Sealer::new(Secret::new(vec![7; 32]), None).unwrap())
}

/// Ana may enter the first project, and Bob the second.
pub(super) fn rules() -> Rules {
    let mut tunnels = Routes::default();
    for (host, project, with_flows) in [
        (APP, "proj-1", true),
        (SECOND, "proj-1", true),
        (OTHER, "proj-2", true),
        (PLAIN, "proj-1", false),
    ] {
        let tunnel = Tunnel {
            project: project.to_owned(),
            signs_in: with_flows,
            challenges: with_flows,
        };
        tunnels.insert(host, tunnel);
    }
    let user = |name: &str, input| User {
        name: name.to_owned(),
        password_hash: HASH.clone(),
        inputs: vec![input],
    };
    let grant = |project: &str| Grant {
        projects: vec![project.into()],
        rests_on_group: false,
    };
    let users = vec![user("ana", ANA), user("bob", BOB)];
    Rules {
        base_host: CanonicalHost::parse(BASE.as_bytes()).unwrap(),
        public_port: 8443,
        tunnels,
        sign_in: Some(SignIn {
            provider: Provider::Builtin(Builtin::new(users, &[3; 32])),
            sessions: SessionRules {
                provider: short(&[b"builtin"]),
                grants: HashMap::from([(ANA, grant("proj-1")), (BOB, grant("proj-2"))]),
                claims_max_age: 900,
            },
            session_lifetime: Duration::from_secs(8 * 3600),
            sealer: sealer(),
        }),
        challenge: Some(Challenge {
            difficulty_bits: 12,
            lifetime: Duration::from_secs(3600),
            sealer: sealer(),
        }),
        brand: Brand {
            title: "Sign in".to_owned(),
            logo: None,
        },
    }
}

pub(super) struct World {
    folder: Arc<tempfile::TempDir>,
    socket: PathBuf,
    pub(super) clock: Clock,
    pub(super) flow: Arc<Flow>,
    pub(super) ended: Arc<EndedSessions>,
}

impl World {
    pub(super) fn new() -> Self {
        World::start(Arc::new(tempfile::tempdir().unwrap()), Clock::default())
    }

    /// Another process in the same folder, a moment later.
    pub(super) fn restarted(&self) -> Self {
        World::start(self.folder.clone(), self.clock.clone())
    }

    fn start(folder: Arc<tempfile::TempDir>, clock: Clock) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let socket = folder.path().join(format!("{number}.sock"));
        let ended = Arc::new(EndedSessions::load(folder.path()).unwrap());
        let (noted, at) = (ended.clone(), clock.clone());
        let sessions = Sessions {
            ended: ended.known(),
            end: Arc::new(move |what, before| {
                let now = u64::try_from(at.now().unix.as_millis()).unwrap();
                noted.note(what, before, now)
            }),
        };
        let in_force = Arc::new(RwLock::new(Arc::new(rules())));
        let flow = Arc::new(Flow::new(in_force, clock.clone(), sessions).unwrap());
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let serving = flow.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                serve(serving, listener).await.unwrap();
            });
        });
        World {
            folder,
            socket,
            clock,
            flow,
            ended,
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.now().unix_seconds()
    }

    pub(super) fn browser(&self) -> Browser {
        self.browser_at(HOME)
    }

    pub(super) fn browser_at(&self, address: &'static str) -> Browser {
        Browser {
            socket: self.socket.clone(),
            clock: self.clock.clone(),
            address,
            cookies: BTreeMap::new(),
        }
    }
}

/// Keeps the cookies of each host.
pub(super) struct Browser {
    pub(super) socket: PathBuf,
    clock: Clock,
    pub(super) address: &'static str,
    pub(super) cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    pub(super) fn cookie(&self, host: &str, name: &str) -> Option<&str> {
        let key = (host.to_owned(), name.to_owned());
        self.cookies.get(&key).map(String::as_str)
    }

    pub(super) fn keep(&mut self, host: &str, name: &str, value: &str) {
        let key = (host.to_owned(), name.to_owned());
        self.cookies.insert(key, value.to_owned());
    }

    /// The state cookie, a new one where there is none.
    pub(super) fn state(&mut self, host: &str) -> String {
        let state = match self.cookie(host, STATE_COOKIE) {
            Some(state) => state.to_owned(),
            None => format!("{:032x}", rand()),
        };
        self.keep(host, STATE_COOKIE, &state);
        state
    }

    /// What a core does for a browser without a session: the link to the base host, and the state cookie.
    pub(super) fn begins(&mut self, host: &str, target: &str) -> String {
        let state = self.state(host);
        let request = FlowRequest {
            host,
            target,
            state: state_hash(state.as_bytes()),
            expires_at: self.clock.now().unix_seconds() + REQUEST_SECONDS,
        };
        let sealed = request.seal(&sealer(), BASE, &random());
        format!("{SIGN_IN_PATH}?request={sealed}")
    }

    pub(super) fn get(&mut self, host: &str, target: &str) -> Answer {
        self.send("GET", host, target, &[], "")
    }

    /// As a page of the same host sends a form.
    pub(super) fn post(&mut self, host: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = format!("https://{host}:8443");
        let body = form(fields);
        let headers = [
            ("Origin", origin.as_str()),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        self.send("POST", host, target, &headers, &body)
    }

    pub(super) fn send(
        &mut self,
        method: &str,
        host: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut text = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}:8443\r\nConnection: close\r\n\
             X-Forwarded-Proto: https\r\nX-Request-Id: r1\r\n"
        );
        if !self.address.is_empty() {
            text.push_str(&format!("X-Forwarded-For: {}\r\n", self.address));
        }
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|((of, _), _)| of == host)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            text.push_str(&format!("Cookie: {}\r\n", cookies.join("; ")));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let answer = exchange(&self.socket, &format!("{text}\r\n{body}"));
        for line in answer.fields("set-cookie") {
            let (pair, attributes) = line.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(
                attributes.starts_with("Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age="),
                "{line}"
            );
            if attributes.ends_with("Max-Age=0") {
                self.cookies.remove(&(host.to_owned(), name.to_owned()));
            } else {
                self.keep(host, name, value);
            }
        }
        answer
    }

    /// Shows the form behind a link and sends it.
    pub(super) fn signs_in(&mut self, link: &str, name: &str, password: &str) -> Answer {
        let page = self.get(BASE, link);
        assert_eq!(page.status, 200, "{}", page.body);
        let (request, token) = (page.hidden("request"), page.hidden("form_token"));
        let fields = [
            ("request", request.as_str()),
            ("form_token", &token),
            ("user", name),
            ("password", password),
        ];
        self.post(BASE, SIGN_IN_PATH, &fields)
    }

    /// Goes where an answer leads: to a tunnel.
    pub(super) fn follows(&mut self, answer: &Answer) -> Answer {
        let place = answer.place().unwrap();
        let rest = place.strip_prefix("https://").unwrap();
        let (host, target) = rest.split_once(":8443").unwrap();
        self.get(host, target)
    }

    /// The whole way of Ana to a tunnel.
    pub(super) fn enters(&mut self, host: &str, target: &str) -> Answer {
        let link = self.begins(host, target);
        let answer = self.signs_in(&link, "ana", "correct horse");
        assert!(answer.place().is_some(), "{}", answer.body);
        self.follows(&answer)
    }
}

pub(super) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

fn rand() -> u128 {
    u128::from_ne_bytes(*random().first_chunk().unwrap())
}

pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish()
}

/// Sends one request and reads to the end.
pub(super) fn exchange(socket: &Path, text: &str) -> Answer {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    Answer {
        status: status.parse().unwrap(),
        fields: lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    fields: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).next()
    }

    pub(super) fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Where it leads: as a redirect, or as the page that follows a form.
    pub(super) fn place(&self) -> Option<String> {
        let in_page = || {
            let (_, rest) = self.body.split_once("content=\"0; url=")?;
            rest.split('"').next()
        };
        let place = self.field("location").or_else(in_page)?;
        Some(place.replace("&amp;", "&"))
    }

    /// The value of a hidden field of the form.
    pub(super) fn hidden(&self, name: &str) -> String {
        let (_, rest) = self
            .body
            .split_once(&format!("name=\"{name}\" value=\""))
            .unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }
}
