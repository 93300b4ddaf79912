//! The admin listener: health, readiness, metrics, status and its live page (S10.4).
//!
//! GET and HEAD only, no cross-origin reads, and only under a host name that no page elsewhere can make a browser use.
//! Who may read what says [`mod@access`]; what there is to read, [`status`].

mod access;
mod status;

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::engine::Engine;
use crate::config::settings::{Admin as Settings, AdminListen};
use crate::http::host::CanonicalHost;
use crate::listener::passed::PassedSockets;
use crate::listener::{self, Sockets};
use crate::pages;
use crate::telemetry::metrics;
use access::Access;

/// A bound admin listener.
pub enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Listener {
    /// Where it listens, with the real port.
    pub(super) fn address(&self) -> io::Result<String> {
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

/// What every request is answered by.
struct Admin {
    engine: Arc<Engine>,
    access: Access,
    started: Duration,
}

/// Serves until the process ends.
pub async fn serve(listener: Listener, engine: Arc<Engine>, settings: Settings) {
    let started = engine.clock().now().monotonic;
    let access = access(&listener, settings);
    let admin = Arc::new(Admin {
        engine,
        access,
        started,
    });
    let outcome = match listener {
        Listener::Tcp(listener) => match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => axum::serve(listener, router(admin)).await,
            Err(error) => Err(error),
        },
        Listener::Unix(listener) => match tokio::net::UnixListener::from_std(listener) {
            Ok(listener) => axum::serve(listener, router(admin)).await,
            Err(error) => Err(error),
        },
    };
    if let Err(error) = outcome {
        tracing::error!(event = "admin_ended", %error, "the admin listener has ended");
    }
}

fn access(listener: &Listener, settings: Settings) -> Access {
    let hosts = match listener {
        Listener::Unix(_) => None,
        Listener::Tcp(listener) => {
            let own = listener.local_addr().ok();
            let own = own.and_then(|address| {
                CanonicalHost::parse_authority(address.to_string().as_bytes()).ok()
            });
            let mut hosts = settings.hosts;
            hosts.extend(own.map(|(host, _)| host));
            Some(hosts)
        }
    };
    Access {
        token: settings.bearer_token,
        is_open: hosts.is_none() || settings.open_on_loopback,
        hosts,
    }
}

fn router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/", any(live_page))
        .route("/status", any(status_page))
        .route("/healthz", any(healthz))
        .route("/readyz", any(readyz))
        .route("/metrics", any(metrics_page))
        .fallback(file)
        .layer(middleware::from_fn_with_state(admin.clone(), guard))
        .with_state(admin)
}

/// What every request must meet, and what every answer carries.
async fn guard(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let mut response = if !admin.access.knows_host(&request) {
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
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (SAME_ORIGIN, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// No page elsewhere may load an answer, not even where it cannot read it (Fetch, "Cross-Origin-Resource-Policy").
const SAME_ORIGIN: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The process runs.
async fn healthz() -> &'static str {
    "ok\n"
}

/// New requests are welcome.
async fn readyz(State(admin): State<Arc<Admin>>) -> (StatusCode, &'static str) {
    if admin.engine.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

async fn metrics_page(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    if !admin.access.may_read_metrics(&request) {
        return unauthorized().into_response();
    }
    let content_type = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    match gathered(move || metrics_of(&admin)).await {
        Ok(text) => (content_type, text).into_response(),
        Err(status) => status.into_response(),
    }
}

const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

async fn status_page(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    if !admin.access.may_read_status(&request) {
        return unauthorized().into_response();
    }
    match gathered(move || status::status(&admin.engine, admin.started)).await {
        Ok(status) => (JSON, status.to_string()).into_response(),
        Err(status) => status.into_response(),
    }
}

/// The page has no data in it, so everybody may see it; its status says whether there is something to see.
async fn live_page(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let live = admin.access.live(&request);
    let page = pages::live(live);
    let mut response = if live == pages::Live::Open {
        page.body.into_response()
    } else {
        let (status, challenge) = unauthorized();
        (status, challenge, page.body).into_response()
    };
    carry(&mut response, page.content_type, &page.headers);
    response
}

/// What the live page loads.
async fn file(request: Request) -> Response {
    let Some(asset) = pages::live_asset(request.uri().path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = asset.body.into_response();
    carry(&mut response, asset.content_type, &asset.headers);
    response
}

fn carry(response: &mut Response, content_type: &'static str, fields: &[pages::Header]) {
    let content_type = (header::CONTENT_TYPE.as_str(), content_type);
    for (name, value) in fields.iter().copied().chain([content_type]) {
        if let Ok(name) = HeaderName::try_from(name) {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
    }
}

fn unauthorized() -> (StatusCode, [(HeaderName, &'static str); 1]) {
    let challenge = (header::WWW_AUTHENTICATE, "Bearer realm=\"adit admin\"");
    (StatusCode::UNAUTHORIZED, [challenge])
}

/// Cores answer within microseconds; a core that hangs must not hang the control thread too.
async fn gathered<T: Send + 'static>(
    gather: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StatusCode> {
    let gathering = tokio::task::spawn_blocking(gather).await;
    gathering.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn metrics_of(admin: &Admin) -> String {
    let engine = &admin.engine;
    let issuers = engine.issuers();
    let process = metrics::Process {
        node: engine.node(),
        tunnels: engine.tunnels(),
        drivers: engine.drivers(),
        uptime_seconds: (engine.clock().now().monotonic - admin.started).as_secs(),
        configuration: engine.configuration(),
        unix_seconds: engine.clock().now().unix_seconds(),
        issuers: &issuers,
    };
    metrics::write(&process, &engine.reports())
}
