//! `adit demo`: the real engine in front of a small service, with everything it needs made on the spot.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;

use ring::rand::SecureRandom;

use super::{bad_configuration, failed, say};
use crate::config;
use crate::control::engine::Engine;
use crate::control::{self, Source};
use crate::listener::Sockets;
use crate::pages::SIGN_OUT_PATH;
use crate::password::PasswordHash;
use crate::runtime::clock::Clock;
use crate::token::{MintRequest, mint_hs256};
use crate::worker::client::Entry;

#[derive(clap::Args)]
pub(super) struct DemoArguments {
    /// Port of the demo's HTTPS listener on loopback; 0 takes any free one [default: 8443, or any if that is taken]
    #[arg(long)]
    port: Option<u16>,
}

/// Names below `.localhost` lead to this machine everywhere (RFC 6761 6.3).
const BASE_HOST: &str = "edge.localhost";
/// For whoever has a token.
const TUNNEL_HOST: &str = "app.localhost";
/// For whoever signs in.
const PEOPLE_HOST: &str = "people.localhost";
/// For whoever meets a challenge.
const CHALLENGE_HOST: &str = "challenge.localhost";

/// Who may sign in.
const USER: &str = "ana";

/// How long the demo's token is good, in seconds.
const TOKEN_SECONDS: u64 = 60 * 60;

pub(super) fn demo(arguments: &DemoArguments) -> ExitCode {
    match prepare(arguments) {
        Ok(demo) => demo.run(),
        Err(error) => failed(format_args!("demo: {error}")),
    }
}

/// What lies in the demo's folder, which goes when this is dropped.
struct Demo {
    folder: tempfile::TempDir,
    token: String,
    password: String,
}

fn prepare(arguments: &DemoArguments) -> io::Result<Demo> {
    let folder = tempfile::Builder::new()
        .prefix("adit-demo-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()?;
    let path = folder.path();
    certificate(path)?;
    let secret = random_text::<32>()?;
    private(&path.join("hs256"), secret.as_bytes())?;
    private(&path.join("seal"), random_text::<32>()?.as_bytes())?;
    // Short enough to type.
    let password = random_text::<8>()?;
    let upstream = serve_upstream()?;
    let text = configuration(path, port(arguments)) + &guards(upstream, &hash(&password)?);
    private(&path.join("adit.toml"), text.as_bytes())?;
    let now = Clock::default().now().unix_seconds();
    let request = MintRequest {
        subject: Some("demo".to_owned()),
        boundary: Some(serde_json::json!({
            "projects": ["demo"],
            "scopes": { "tunnels": { "connect": { "params": { "path": { "regex": "^/hello(/|$)" } } } } }
        })),
        issued_at: now,
        expires_at: Some(now + TOKEN_SECONDS),
        ..MintRequest::default()
    };
    let token = mint_hs256(secret.as_bytes(), &request).map_err(io::Error::other)?;
    private(
        &path.join("authorization"),
        format!("Authorization: Bearer {token}\n").as_bytes(),
    )?;
    Ok(Demo {
        folder,
        token,
        password,
    })
}

/// The port asked for, else the usual one, else any.
fn port(arguments: &DemoArguments) -> u16 {
    const USUAL: u16 = 8443;
    arguments.port.unwrap_or_else(|| {
        let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, USUAL)).is_ok();
        if is_free { USUAL } else { 0 }
    })
}

impl Demo {
    fn run(self) -> ExitCode {
        let file = self.folder.path().join("adit.toml");
        let mut loaded = match config::load(&file, &[]) {
            Ok(loaded) => loaded,
            Err(report) => return bad_configuration(report),
        };
        // One: everybody passes the challenge. That is what it shows.
        loaded.warnings.clear();
        let source = Source {
            file,
            environment: Vec::new(),
        };
        match control::run(loaded, source, Sockets::default(), |engine, admin| {
            say(self.welcome(engine, admin.unwrap_or_default()));
        }) {
            Ok(code) => code,
            Err(error) => failed(format_args!(
                "demo: {error}\nTry another port: adit demo --port 0"
            )),
        }
    }

    /// What to type. `admin` is the address of the live page.
    fn welcome(&self, engine: &Engine, admin: &str) -> String {
        let port = engine
            .addresses(Entry::Https)
            .next()
            .map_or(0, |address| address.port());
        let folder = self.folder.path().display();
        let curl = format!("curl -i --cacert {folder}/cert.pem");
        let url = format!("https://{TUNNEL_HOST}:{port}");
        let people = format!("https://{PEOPLE_HOST}:{port}/");
        let mut text = String::new();
        let _ = write!(
            text,
            "adit demo: {url} stands in front of a service that nobody reaches without a token.\n\
             \n\
             Without a token: 401\n  {curl} {url}/hello\n\
             \n\
             With the token: 200, and the service shows what reached it (no token)\n\
             \x20 {curl} -H @{folder}/authorization {url}/hello\n\
             \n\
             With the token, outside of its boundary (only /hello): 403\n\
             \x20 {curl} -H @{folder}/authorization {url}/secret\n\
             \n\
             In a browser (it warns of the demo's own certificate, once for each host):\n  {url}/hello?rstream.token={}\n\
             \n\
             Sign in as {USER} with the password {}: the service; with any other: asked again\n  {people}\n\
             \n\
             The same without a browser: 302, to the page that asks\n  {curl} {people}\n\
             \n\
             Sign out, and that address asks again\n  https://{BASE_HOST}:{port}{SIGN_OUT_PATH}\n\
             \n\
             A challenge, which a browser passes by itself in a moment: the service, for whoever it is\n\
             \x20 https://{CHALLENGE_HOST}:{port}/\n\
             \n\
             What the edge does right now, and what it refused and why\n  http://{admin}/\n\
             \n\
             Each request is one line on standard output. Ctrl-C ends the demo and removes {folder}.\n",
            self.token, self.password
        );
        text
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        r#"[engine]
host = "{BASE_HOST}"
name = "demo"
state_dir = "{folder}/state"

[https]
listen = ["127.0.0.1:{port}"]
[[https.certificate]]
cert_file = "{folder}/cert.pem"
key_file = "{folder}/key.pem"

[tokens]
hs256_secret_file = "{folder}/hs256"
[tokens.ce]
projects = ["demo"]
permissions = ["tunnels.streams.create-delete"]

[limits]
connections_per_core = 256

[admin]
listen = "127.0.0.1:0"
open_on_loopback = true

[log]
level = "warn"
access = "stdout"
format = "text"

[challenge]
difficulty_bits = 16

[sign_in]
seal_key_file = "{folder}/seal"
"#
    )
}

/// Who may sign in, and three tunnels that lead to one service, each guarded in another way.
fn guards(upstream: SocketAddr, password_hash: &str) -> String {
    let tunnel = |host: &str, guard: &str| {
        format!(
            r#"
[[tunnel]]
hostname = "{host}"
project = "demo"
upstream = "http://{upstream}"
{guard}
"#
        )
    };
    [
        format!(
            r#"[[sign_in.user]]
name = "{USER}"
password_hash = "{password_hash}"
projects = ["demo"]

[[project]]
id = "demo"
workspace = "demo"
"#
        ),
        tunnel(TUNNEL_HOST, "token_auth = true"),
        tunnel(PEOPLE_HOST, "rstream_auth = true"),
        tunnel(CHALLENGE_HOST, "challenge_mode = true\npublic = true"),
    ]
    .concat()
}

fn certificate(folder: &Path) -> io::Result<()> {
    let names = [BASE_HOST, TUNNEL_HOST, PEOPLE_HOST, CHALLENGE_HOST];
    let names = names.map(str::to_owned).to_vec();
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    fs::write(folder.join("cert.pem"), made.cert.pem())?;
    private(
        &folder.join("key.pem"),
        made.signing_key.serialize_pem().as_bytes(),
    )
}

fn random<const BYTES: usize>() -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system has no randomness to give"))?;
    Ok(bytes)
}

/// So many random bytes, in hex digits.
fn random_text<const BYTES: usize>() -> io::Result<String> {
    let bytes = random::<BYTES>()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What the configuration has of a password.
fn hash(password: &str) -> io::Result<String> {
    let hash = PasswordHash::make(password.as_bytes(), random()?)
        .ok_or_else(|| io::Error::other("no memory to hash a password with"))?;
    Ok(String::from_utf8_lossy(hash.text()).into_owned())
}

/// Writes a file that only its owner reads.
fn private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(bytes)
}

/// Starts the service behind the edge, on a thread of its own: it answers with what reached it.
fn serve_upstream() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("demo-service".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, axum::Router::new().fallback(show_request)).await
            })
        })?;
    Ok(address)
}

async fn show_request(request: axum::extract::Request) -> String {
    let mut text = format!(
        "The demo service got:\n\n{} {} {:?}\n",
        request.method(),
        request.uri(),
        request.version()
    );
    for (name, value) in request.headers() {
        let _ = writeln!(text, "{name}: {}", value.as_bytes().escape_ascii());
    }
    text
}
