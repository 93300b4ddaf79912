//! A warm request costs no allocation: counted on the core's thread, from the first byte of the head to the last byte
//! of the answer. Under TLS the record layer of rustls makes two small ones; more is a failure.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a counting allocator is unsafe by its trait, and a test may panic"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

#[path = "integration/support/mod.rs"]
mod support;

use adit::handover::{CHALLENGE_COOKIE, SESSION_COOKIE};
use support::*;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread is a core: asked once, since asking for a name may allocate.
    static IS_CORE: Cell<Option<bool>> = const { Cell::new(None) };
}

fn count() {
    let is_core = IS_CORE.with(|known| {
        known.get().unwrap_or_else(|| {
            known.set(Some(false));
            let name = std::thread::current().name().map(str::to_owned);
            let is_core = name.is_some_and(|name| name.starts_with("adit-core-"));
            known.set(Some(is_core));
            is_core
        })
    });
    if is_core {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Requests before counting: every buffer, list and pool has its size by then.
const WARM_UP: usize = 300;
const COUNTED: usize = 1000;

/// The counter is the process's, so one test counts at a time.
static COUNTING: Mutex<()> = Mutex::new(());

/// Sends `request` over and over on one connection; answers the allocations of the counted ones.
fn allocations(client: &mut Client, request: &[u8]) -> u64 {
    for _ in 0..WARM_UP {
        assert_eq!(client.ask(request).status, 200);
    }
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..COUNTED {
        assert_eq!(client.ask(request).status, 200);
    }
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

fn guarded_edge(upstream: &Upstream) -> Edge {
    Edge::setup()
        .https()
        .tunnel(Tunnel::guarded(HOST, upstream))
        .start()
}

fn token(edge: &Edge) -> String {
    edge.token(|claims| {
        let boundary = serde_json::json!({
            "projects": ["proj-1"],
            "scopes": { "tunnels": { "connect": { "params": { "path": { "regex": "^/api" } } } } }
        });
        claims.insert(
            "resources".to_owned(),
            serde_json::json!({ "tunnels": boundary }),
        );
    })
}

fn get(token: &str) -> Vec<u8> {
    format!(
        "GET /api/items/42?page=1 HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: test\r\nAccept: */*\r\n\
         Cookie: a=1; b=2\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}

fn post(token: &str) -> Vec<u8> {
    format!(
        "POST /api/items HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn a_warm_request_allocates_nothing() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let upstream = Upstream::fixed("hello");
    let edge = guarded_edge(&upstream);
    let token = token(&edge);
    assert_eq!(allocations(&mut edge.client(), &get(&token)), 0);
}

#[test]
fn a_warm_request_with_a_body_allocates_nothing() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let upstream = Upstream::fixed("hello");
    let edge = guarded_edge(&upstream);
    let token = token(&edge);
    assert_eq!(allocations(&mut edge.client(), &post(&token)), 0);
}

/// Opening a cookie allocates nothing: a met challenge is only that. Who is signed in is handed on, in two small pieces.
#[test]
fn opening_a_cookie_allocates_nothing() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let upstream = Upstream::fixed("hello");
    let under_tls = |guard: &str, cookie: &dyn Fn(&Edge) -> String| {
        let tunnel = Tunnel::to(HOST, &upstream.url()).line(guard);
        let edge = sign_in::setup().tunnel(tunnel).start();
        let cookie = cookie(&edge);
        let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nCookie: a=1; {cookie}\r\n\r\n");
        let mut client = edge.tls_client(HOST);
        allocations(&mut client, request.as_bytes())
    };
    let open = under_tls("public = true", &|_| "b=2".to_owned());
    let met = under_tls("challenge_mode = true\npublic = true", &|edge| {
        format!("{CHALLENGE_COOKIE}={}", sign_in::pass(edge))
    });
    assert_eq!(met, open);
    let signed_in = under_tls("rstream_auth = true", &|edge| {
        format!("{SESSION_COOKIE}={}", sign_in::session(edge).0)
    });
    let more = signed_in - open;
    assert!(more <= 3 * COUNTED as u64, "{more} for {COUNTED} requests");
}

/// What the upstream is told is made up and signed anew for each of them.
#[test]
fn a_warm_request_whose_sender_is_named_allocates_nothing() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let upstream = Upstream::fixed("hello");
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::guarded(HOST, &upstream).line("identity_headers = true"))
        .start();
    let token = token(&edge);
    for request in [get(&token), post(&token)] {
        assert_eq!(allocations(&mut edge.client(), &request), 0);
    }
    let recorded = upstream.next_request();
    assert!(recorded.field("x-adit-assertion").is_some());
}

/// A thousand networks and a database, asked for a client that a proxy names anew in each request.
#[test]
fn a_warm_request_from_where_it_may_come_allocates_nothing() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let upstream = Upstream::fixed("hello");
    let networks: Vec<String> = (0..1000)
        .map(|n| format!("\"10.{}.{}.0/25\"", n / 250, n % 250))
        .collect();
    let lists = format!("trusted_ips = [{}]\ngeoip = [\"DE\"]", networks.join(", "));
    let database = countries::database(&[("::10.0.0.0/104", "DE"), ("2001:db8::/32", "FR")]);
    let edge = Edge::setup()
        .https()
        .file("countries.mmdb", &database)
        .tables("[geoip]\ndatabase = \"countries.mmdb\"\n[client_address]\nforwarded_from = [\"127.0.0.1\"]")
        .tunnel(Tunnel::guarded(HOST, &upstream).line(&lists))
        .start();
    let token = token(&edge);
    let request = String::from_utf8(get(&token)).unwrap();
    let from = |address: &str| {
        let line = format!("\r\nX-Forwarded-For: {address}\r\n");
        request.replacen("\r\n", &line, 1).into_bytes()
    };
    assert_eq!(edge.client().ask(from("10.0.0.128")).status, 403);
    assert_eq!(allocations(&mut edge.client(), &from("10.3.249.127")), 0);
}

#[test]
fn under_tls_the_record_layer_makes_two() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let upstream = Upstream::fixed("hello");
    let edge = guarded_edge(&upstream);
    let token = token(&edge);
    let counted = allocations(&mut edge.tls_client(HOST), &get(&token));
    assert!(
        counted <= 2 * COUNTED as u64,
        "{counted} for {COUNTED} requests"
    );
}

/// The counter counts: a token that was never seen is verified and remembered, which allocates.
#[test]
fn a_cold_token_is_counted() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let upstream = Upstream::fixed("hello");
    let edge = guarded_edge(&upstream);
    let mut client = edge.client();
    allocations(&mut client, &get(&token(&edge)));
    let cold = edge.token(|claims| {
        claims.insert("sub".to_owned(), "somebody else".into());
    });
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    assert_eq!(client.ask(get(&cold)).status, 200);
    assert!(ALLOCATIONS.load(Ordering::Relaxed) > before);
}
