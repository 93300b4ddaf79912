//! The admin listener: health, readiness, metrics (S10.4).
//!
//! GET and HEAD only, no cross-origin reads, and only under a host name that no page elsewhere can make a browser use.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::engine::Engine;
use crate::authn::bearer::Bearer;
use crate::config::settings::AdminListen;
use crate::http::host::CanonicalHost;
use crate::listener::passed::PassedSockets;
use crate::listener::{self, Sockets};
use crate::secret::Secret;
use crate::telemetry::metrics;

/// A bound admin listener.
pub enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Listener {
    /// Where it listens, with the real port.
    fn address(&self) -> io::Result<String> {
        Ok(match self {
            Listener::Tcp(listener) => listener.local_addr()?.to_string(),
            Listener::Unix(listener) => match listener.local_addr()?.as_pathname() {
                Some(path) => format!("unix:{}", path.display()),
                None => "unix:".to_owned(),
            },
        })
    }
}

/// Finds it among the sockets that were passed, or binds it, and says so in the log.
pub fn bind(listen: &AdminListen, sockets: &mut Sockets) -> io::Result<Listener> {
    let listener = match passed(listen, &mut sockets.passed) {
        Some(listener) => listener,
        None => open(listen, sockets.takeover)?,
    };
    match &listener {
        Listener::Tcp(listener) => listener.set_nonblocking(true)?,
        Listener::Unix(listener) => listener.set_nonblocking(true)?,
    }
    tracing::info!(
        event = "listening",
        address = listener.address()?,
        entry = "admin"
    );
    Ok(listener)
}

fn passed(listen: &AdminListen, sockets: &mut PassedSockets) -> Option<Listener> {
    match listen {
        AdminListen::Tcp(address) => sockets.take_tcp(*address).map(Listener::Tcp),
        AdminListen::Unix(path) => sockets.take_unix(path).map(Listener::Unix),
    }
}

/// A Unix socket that no process answers on any more is replaced; with `takeover` also one of the older process, whose
/// answers nobody gets from then on.
fn open(listen: &AdminListen, takeover: bool) -> io::Result<Listener> {
    match listen {
        AdminListen::Tcp(address) => {
            let mut bound = listener::bind(*address, 1, takeover)?.listen()?;
            let listener = bound.pop().ok_or(io::ErrorKind::AddrNotAvailable)?;
            Ok(Listener::Tcp(listener.into_inner()))
        }
        AdminListen::Unix(path) => {
            if !takeover && std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            remove_stale_socket(path)?;
            let listener = std::os::unix::net::UnixListener::bind(path)?;
            Ok(Listener::Unix(listener))
        }
    }
}

/// Anything but a socket stays: the path may be a slip.
fn remove_stale_socket(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file that is not a socket",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[derive(Clone)]
struct Admin {
    engine: Arc<Engine>,
    token: Option<Arc<Secret>>,
    started: Duration,
    /// The host names a request may use beside loopback ones; `None` on a Unix socket, where no browser comes from.
    own_host: Option<CanonicalHost>,
    checks_host: bool,
}

/// Serves until the process ends.
pub async fn serve(listener: Listener, engine: Arc<Engine>, token: Option<Secret>) {
    let started = engine.clock().now().monotonic;
    let mut admin = Admin {
        engine,
        token: token.map(Arc::new),
        started,
        own_host: None,
        checks_host: true,
    };
    let outcome = match listener {
        Listener::Tcp(listener) => {
            admin.own_host = listener
                .local_addr()
                .ok()
                .and_then(|address| {
                    CanonicalHost::parse_authority(address.to_string().as_bytes()).ok()
                })
                .map(|(host, _)| host);
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => axum::serve(listener, router(admin)).await,
                Err(error) => Err(error),
            }
        }
        Listener::Unix(listener) => {
            admin.checks_host = false;
            match tokio::net::UnixListener::from_std(listener) {
                Ok(listener) => axum::serve(listener, router(admin)).await,
                Err(error) => Err(error),
            }
        }
    };
    if let Err(error) = outcome {
        tracing::error!(event = "admin_ended", %error, "the admin listener has ended");
    }
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", any(healthz))
        .route("/readyz", any(readyz))
        .route("/metrics", any(metrics_page))
        .layer(middleware::from_fn_with_state(admin.clone(), guard))
        .with_state(admin)
}

/// What every request must meet, and what every answer carries.
async fn guard(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let mut response = if admin.checks_host && !is_own_host(&request, admin.own_host.as_ref()) {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        (
            StatusCode::METHOD_NOT_ALLOWED,
            [(header::ALLOW, "GET, HEAD")],
        )
            .into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// A page elsewhere can make a browser connect here under its own name (DNS rebinding), and not under these.
fn is_own_host(request: &Request, own: Option<&CanonicalHost>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok((host, _)) = CanonicalHost::parse_authority(host.as_bytes()) else {
        return false;
    };
    matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") || own == Some(&host)
}

/// The process runs.
async fn healthz() -> &'static str {
    "ok\n"
}

/// New requests are welcome.
async fn readyz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.engine.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

async fn metrics_page(State(admin): State<Admin>, request: Request) -> Response {
    if let Some(token) = &admin.token
        && !carries(&request, token)
    {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"adit admin\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let engine = admin.engine.clone();
    // Cores answer within microseconds; a core that hangs must not hang the control thread too.
    let Ok(cores) = tokio::task::spawn_blocking(move || engine.reports()).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let issuers = admin.engine.issuers();
    let process = metrics::Process {
        node: admin.engine.node(),
        tunnels: admin.engine.tunnels(),
        drivers: admin.engine.drivers(),
        uptime_seconds: (admin.engine.clock().now().monotonic - admin.started).as_secs(),
        configuration: admin.engine.configuration(),
        unix_seconds: admin.engine.clock().now().unix_seconds(),
        issuers: &issuers,
    };
    let content_type = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (content_type, metrics::write(&process, &cores)).into_response()
}

fn carries(request: &Request, token: &Secret) -> bool {
    let mut lines = request.headers().get_all(header::AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return false;
    };
    if let Bearer::Token(bearer) = Bearer::parse(line.as_bytes()) {
        token.equals(bearer)
    } else {
        false
    }
}
