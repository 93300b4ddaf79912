//! The engine in this process, with a configuration in a folder of its own.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adit::config;
use adit::control::start::StartError;
use adit::control::{self, engine::Engine};
use adit::http::HeadLimits;
use adit::policy::Scheme;
use adit::policy::explain::{Asked, Rules, explain};
use adit::runtime::clock::Clock;
use adit::telemetry::counters::Counters;
use adit::worker::client::Entry;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Map, Value, json};

use super::certificate::Authority;
use super::log::Log;
use super::{Client, PATIENCE, TlsOptions, Upstream, eventually};

pub const BASE_HOST: &str = "edge.example.test";
pub const SECRET: &str = "a secret of the tests, which has more than thirty-two bytes";

/// One `[[tunnel]]`.
#[derive(Clone, Debug)]
pub struct Tunnel(String);

impl Tunnel {
    /// Everybody may enter.
    pub fn public(hostname: &str, upstream: &Upstream) -> Self {
        Tunnel::to(hostname, &upstream.url()).line("public = true")
    }

    /// Nobody enters without a token.
    pub fn guarded(hostname: &str, upstream: &Upstream) -> Self {
        Tunnel::to(hostname, &upstream.url()).line("token_auth = true")
    }

    /// Nobody enters without a certificate.
    pub fn certified(hostname: &str, upstream: &Upstream) -> Self {
        Tunnel::to(hostname, &upstream.url()).line("mtls_auth = true")
    }

    /// Neither public nor guarded yet.
    pub fn to(hostname: &str, url: &str) -> Self {
        Tunnel(format!(
            "[[tunnel]]\nhostname = \"{hostname}\"\nproject = \"proj-1\"\nupstream = \"{url}\"\n"
        ))
    }

    /// As [`Tunnel::to`], with several servers.
    pub fn to_all(hostname: &str, urls: &[String]) -> Self {
        Tunnel(format!(
            "[[tunnel]]\nhostname = \"{hostname}\"\nproject = \"proj-1\"\nupstream = {urls:?}\n"
        ))
    }

    /// Of another project than `proj-1`.
    pub fn in_project(self, project: &str) -> Self {
        Tunnel(self.0.replacen("proj-1", project, 1))
    }

    /// One more line of TOML.
    pub fn line(mut self, line: &str) -> Self {
        self.0.push_str(line);
        self.0.push('\n');
        self
    }
}

/// What an edge is started with. By default: one core, one plain listener, no tunnel.
#[derive(Clone)]
pub struct Setup {
    cores: String,
    http: Option<String>,
    https: Option<String>,
    names: Vec<Vec<String>>,
    secret: String,
    tokens: String,
    project: String,
    tunnels: Vec<Tunnel>,
    tables: String,
    files: Vec<(String, Vec<u8>)>,
}

impl Setup {
    pub fn cores(mut self, count: usize) -> Self {
        self.cores = count.to_string();
        self
    }

    pub fn tunnel(mut self, tunnel: Tunnel) -> Self {
        self.tunnels.push(tunnel);
        self
    }

    /// Forgets all tunnels so far: for reloads.
    pub fn without_tunnels(mut self) -> Self {
        self.tunnels.clear();
        self
    }

    /// Adds a TLS listener, with a certificate for `*.t.example.test` and the base host.
    pub fn https(self) -> Self {
        self.https_with("")
    }

    /// As [`Setup::https`], with these lines in `[https]`.
    pub fn https_with(mut self, lines: &str) -> Self {
        self.https = Some(format!("listen = [\"127.0.0.1:0\"]\n{lines}\n"));
        self
    }

    /// One more certificate.
    pub fn certificate(mut self, names: &[&str]) -> Self {
        self.names
            .push(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// The plain listener sends everybody to https.
    pub fn redirect(mut self) -> Self {
        self.http = Some("listen = [\"127.0.0.1:0\"]\nmode = \"redirect\"\n".to_owned());
        self
    }

    /// The plain listener is at this address.
    pub fn http_at(mut self, address: SocketAddr) -> Self {
        self.http = Some(format!("listen = [\"{address}\"]\nmode = \"serve\"\n"));
        self
    }

    /// The plain listener is for balancers that end TLS.
    pub fn behind_tls_balancer(mut self) -> Self {
        let lines = "listen = [\"127.0.0.1:0\"]\nmode = \"serve\"\nbehind_tls_balancer = true\n";
        self.http = Some(lines.to_owned());
        self
    }

    pub fn without_http(mut self) -> Self {
        self.http = None;
        self
    }

    /// The HS256 secret.
    pub fn secret(mut self, secret: &str) -> Self {
        self.secret = secret.to_owned();
        self
    }

    /// One more line in `[tokens]`.
    pub fn tokens(mut self, line: &str) -> Self {
        self.tokens.push_str(line);
        self.tokens.push('\n');
        self
    }

    /// What else the project of all tunnels says; each call replaces it.
    pub fn project(mut self, lines: &str) -> Self {
        self.project = format!("{lines}\n");
        self
    }

    /// Any further tables: `[limits]`, `[timeouts]`, ...
    pub fn tables(mut self, toml: &str) -> Self {
        self.tables.push_str(toml);
        self.tables.push('\n');
        self
    }

    /// A file beside the configuration.
    pub fn file(mut self, name: &str, bytes: &(impl AsRef<[u8]> + ?Sized)) -> Self {
        self.files.push((name.to_owned(), bytes.as_ref().to_vec()));
        self
    }

    /// Forgets those tables: for reloads.
    pub fn without_tables(mut self) -> Self {
        self.tables.clear();
        self
    }

    pub fn start(self) -> Edge {
        self.try_start().expect("the edge starts")
    }

    pub fn try_start(self) -> Result<Edge, StartError> {
        let folder = tempfile::Builder::new()
            .prefix("adit-test-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .unwrap();
        self.start_in(Arc::new(folder), Authority::new())
    }

    fn start_in(
        self,
        folder: Arc<tempfile::TempDir>,
        authority: Authority,
    ) -> Result<Edge, StartError> {
        let loaded = self.load(folder.path(), &authority);
        let (lines, log) = channel();
        let all = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Log::new(lines, all.clone());
        let engine = Engine::start(&loaded.settings, Some(Box::new(sink)), Clock::default())?;
        Ok(Edge {
            engine,
            setup: self,
            authority,
            folder,
            log: Mutex::new(log),
            log_text: all,
            handshakes: AtomicU64::new(0),
        })
    }

    /// Writes the files and loads them.
    fn load(&self, folder: &Path, authority: &Authority) -> config::Loaded {
        let mut https = self.https.clone().unwrap_or_default();
        let names = self.names.iter().enumerate();
        for (index, names) in names.filter(|_| self.https.is_some()) {
            let leaf = authority.leaf(names);
            let (cert, key) = (format!("cert-{index}.pem"), format!("key-{index}.pem"));
            private(&folder.join(&cert), leaf.certificate_pem.as_bytes());
            private(&folder.join(&key), leaf.key_pem.as_bytes());
            write!(
                https,
                "[[https.certificate]]\ncert_file = \"{cert}\"\nkey_file = \"{key}\"\n"
            )
            .unwrap();
        }
        private(&folder.join("hs256"), self.secret.as_bytes());
        for (name, bytes) in &self.files {
            private(&folder.join(name), bytes);
        }
        private(
            &folder.join("adit.toml"),
            self.toml(&https, folder).as_bytes(),
        );
        config::load(&folder.join("adit.toml"), &[]).unwrap_or_else(|report| panic!("{report}"))
    }

    fn toml(&self, https: &str, folder: &Path) -> String {
        let driver = std::env::var("ADIT_TEST_DRIVER").unwrap_or_else(|_| "auto".to_owned());
        let mut toml = format!(
            r#"[engine]
host = "{BASE_HOST}"
name = "test"
state_dir = "{}/state"
[cores]
count = {}
driver = "{driver}"
[tokens]
hs256_secret_file = "hs256"
{}[tokens.ce]
projects = ["proj-1"]
permissions = ["tunnels.streams.create-delete"]
[[project]]
id = "proj-1"
workspace = "ws-1"
{}"#,
            folder.display(),
            self.cores,
            self.tokens,
            self.project
        );
        if let Some(http) = &self.http {
            toml.push_str("[http]\n");
            toml.push_str(http);
        }
        if !https.is_empty() {
            toml.push_str("[https]\n");
            toml.push_str(https);
        }
        for tunnel in &self.tunnels {
            toml.push_str(&tunnel.0);
        }
        toml.push_str(&self.tables);
        toml
    }
}

/// A running edge. Dropped, it ends every connection and its threads.
pub struct Edge {
    engine: Engine,
    setup: Setup,
    authority: Authority,
    folder: Arc<tempfile::TempDir>,
    log: Mutex<Receiver<Value>>,
    log_text: Arc<Mutex<Vec<u8>>>,
    /// TLS connections that tests made.
    handshakes: AtomicU64,
}

impl Edge {
    pub fn setup() -> Setup {
        Setup {
            cores: "1".to_owned(),
            http: Some("listen = [\"127.0.0.1:0\"]\nmode = \"serve\"\n".to_owned()),
            https: None,
            names: vec![vec!["*.t.example.test".to_owned(), BASE_HOST.to_owned()]],
            secret: SECRET.to_owned(),
            tokens: String::new(),
            project: String::new(),
            tunnels: Vec::new(),
            tables: String::new(),
            files: Vec::new(),
        }
    }

    /// One public tunnel at [`super::HOST`], on a plain listener.
    pub fn before(upstream: &Upstream) -> Self {
        Edge::setup()
            .tunnel(Tunnel::public(super::HOST, upstream))
            .start()
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn clock(&self) -> &Clock {
        self.engine.clock()
    }

    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Where the configuration lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The plain listener.
    pub fn http(&self) -> SocketAddr {
        let mut all = self.engine.addresses(Entry::Http);
        all.next()
            .or_else(|| self.engine.addresses(Entry::Redirect).next())
            .expect("a plain listener")
    }

    /// The TLS listener.
    pub fn https(&self) -> SocketAddr {
        let first = self.engine.addresses(Entry::Https).next();
        first.expect("a TLS listener")
    }

    /// A new connection to the plain listener.
    pub fn client(&self) -> Client {
        Client::plain(self.http())
    }

    /// A new connection to the TLS listener that asks for this name.
    pub fn tls_client(&self, server_name: &str) -> Client {
        self.tls_client_with(&TlsOptions::new(server_name))
            .expect("a handshake")
    }

    pub fn tls_client_with(&self, options: &TlsOptions) -> io::Result<Client> {
        self.tls_client_on(TcpStream::connect(self.https())?, options)
    }

    /// The same on a connection that is there already.
    pub fn tls_client_on(&self, socket: TcpStream, options: &TlsOptions) -> io::Result<Client> {
        let config = options.config(self.authority.roots());
        let client = Client::tls_on(socket, config, &options.verify)?;
        // The client is done before the edge is; time that a test moves then must not end the edge's part.
        let handshakes = self.handshakes.fetch_add(1, Ordering::Relaxed) + 1;
        eventually("the handshake ends on the edge's side too", || {
            let reports = self.engine.reports();
            let ended = |(_, report): &(usize, Counters)| report.handshakes_ok;
            reports.iter().map(ended).sum::<u64>() >= handshakes
        });
        Ok(client)
    }

    /// Moves time, and fires the deadlines that have passed by it. What the edge has not begun to wait for when this is
    /// called is not counted from before: see [`Edge::pass_until`]. Moving it while something else is under way that has
    /// a deadline too (a connect, a write) ends that: first wait for what shows that it is over.
    pub fn pass(&self, time: Duration) {
        self.settle();
        self.clock().advance(time);
        self.engine.sweep();
        self.settle();
    }

    /// Returns when the cores have seen everything that had happened to them before.
    pub fn settle(&self) {
        // The first answer may come out of the middle of a turn of a core's loop, the second one comes a turn later.
        for _ in 0..2 {
            assert!(!self.engine.reports().is_empty(), "the cores answer");
        }
    }

    /// Moves time by `step` again and again until `condition` holds.
    pub fn pass_until(&self, step: Duration, what: &str, mut condition: impl FnMut() -> bool) {
        eventually(what, || {
            self.pass(step);
            condition()
        });
    }

    /// The next line of the access log.
    pub fn log_line(&self) -> Value {
        self.log
            .lock()
            .unwrap()
            .recv_timeout(PATIENCE)
            .expect("a line in the access log")
    }

    /// The reason in the next line of the access log.
    pub fn reason(&self) -> String {
        self.log_line()["reason"].as_str().unwrap().to_owned()
    }

    /// The same again after a restart: everything in its folder is still there.
    pub fn restart(self) -> Result<Self, StartError> {
        let (setup, folder, authority) = (
            self.setup.clone(),
            self.folder.clone(),
            self.authority.clone(),
        );
        drop(self);
        setup.start_in(folder, authority)
    }

    /// What `adit explain` says of a request on the plain listener: status (200 where it goes through) and reason.
    pub fn explained(&self, request: &[u8]) -> (u16, &'static str) {
        let loaded = config::load(&self.folder().join("adit.toml"), &[]).unwrap();
        let settings = &loaded.settings;
        let asked = Asked {
            bytes: request,
            scheme: Scheme::Http,
            server_name: None,
            peer: Ipv4Addr::LOCALHOST.into(),
            certificate: None,
        };
        let rules = Rules {
            policy: &control::policy(settings).unwrap(),
            limits: &HeadLimits::from(&settings.limits),
            trust: &settings.client_address,
            body_bytes: settings.limits.body_bytes,
        };
        let explained = explain(asked, rules, self.clock().now()).expect("a whole head");
        (explained.status.unwrap_or(200), explained.reason)
    }

    /// Everything in the access log so far.
    pub fn log_text(&self) -> String {
        self.engine.flush_log();
        String::from_utf8(self.log_text.lock().unwrap().clone()).unwrap()
    }

    /// A token signed with the edge's secret, good for an hour and everywhere unless `change` says otherwise.
    pub fn token(&self, change: impl FnOnce(&mut Map<String, Value>)) -> String {
        let now = self.clock().now().unix_seconds();
        let mut claims = Map::new();
        claims.insert("sub".into(), "tester".into());
        claims.insert("iat".into(), now.into());
        claims.insert("exp".into(), (now + 3600).into());
        change(&mut claims);
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        sign(&self.setup.secret, &header, &claims.into())
    }

    /// Writes a changed configuration and puts it in force.
    pub fn reload(&mut self, change: impl FnOnce(Setup) -> Setup) {
        self.try_reload(change).unwrap();
    }

    /// As [`Edge::reload`], for one that may be refused.
    pub fn try_reload(&mut self, change: impl FnOnce(Setup) -> Setup) -> Result<(), StartError> {
        self.setup = change(self.setup.clone());
        let loaded = self.setup.load(self.folder.path(), &self.authority);
        self.engine.reload(&loaded.settings)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.engine.drain();
        self.engine.abort();
        if std::thread::panicking() {
            return;
        }
        eventually("the engine ends", || {
            self.engine.abort();
            self.engine.ended()
        });
    }
}

/// A compact token over any header and claims, signed with HS256.
pub fn sign(secret: &str, header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Writes a file that only its owner reads.
fn private(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .unwrap()
        .write_all(bytes)
        .unwrap();
}
