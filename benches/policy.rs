//! What the pure stages of a request cost, and how that grows with the configuration:
//!
//! ```sh
//! cargo bench --bench policy
//! ```
//!
//! Every figure is the median of rounds, with the fastest and the slowest, on one thread. Times are wall time: on a busy
//! machine compare only figures of one run. Memory and allocations are counted, not estimated.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a counting allocator is unsafe by its trait, and a bench may panic"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use adit::assertion::{Keys, Signer};
use adit::authn::session::{Ended, Grant, Session, SessionRules, short};
use adit::clock::Now;
use adit::config::{self, settings::Settings};
use adit::control;
use adit::forward::identity::{self, Said};
use adit::handover::{SESSION_COOKIE, seal_session};
use adit::http::HeadLimits;
use adit::http::request::{Request, RequestHead};
use adit::network::NetworkPolicy;
use adit::network::addresses::AddressSet;
use adit::network::countries::Countries;
use adit::network::country::Country;
use adit::policy::{Browsers, Connection, Decision, Facts, Memory, Policy, decide};
use adit::runtime::clock::Clock;
use adit::seal::{Kind, Sealer};
use adit::secret::Secret;
use adit::token::{MintFamily, MintRequest, TokenCache, mint_hs256, sha256_hex};
use ipnet::IpNet;
use maxminddb_writer::paths::IpAddrWithMask;

const SECRET: &str = "a secret of the benches, which has more than thirty-two bytes";
const ROUNDS: usize = 15;
/// Requests in turn: more than one, so that nothing is learned by heart.
const ASKED: usize = 64;
const IN_A_FILE: usize = 5_000;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        BYTES.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() {
    for count in [10, 1_000, 100_000] {
        warm(count);
    }
    for count in [1, 10_000] {
        many(count);
    }
    signed_in();
    named();
    networks();
    cold("cold token, a path of its own", |n| {
        format!("^/cold-{n}(/|$)")
    });
    cold("cold token, a pattern of its own", |n| {
        format!("^/cold-{n}/[a-z]+$")
    });
    cold("cold token, the pattern of others", |_| {
        "^/cold-[0-9]+/".to_owned()
    });
    cold("hostile token, a rule too large", |n| {
        format!("[ab]*a[ab]{{15}}{n}")
    });
}

/// Tunnels and credentials of one size, each credential with a rule for paths of its own.
fn configured(count: usize, folder: &std::path::Path) -> (Settings, Vec<String>) {
    let main = "include = [\"more-*.toml\"]\n[engine]\nhost = \"edge.example.test\"\n[http]\nlisten = [\"127.0.0.1:0\"]\nmode = \"serve\"\n\
         [tokens]\nhs256_secret_file = \"secret\"\n[tokens.ce]\nprojects = [\"p0\"]\npermissions = [\"tunnels.streams.create-delete\"]\n";
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o600)).unwrap();
    };
    write("adit.toml", main);
    write("secret", SECRET);
    let mut tokens = Vec::new();
    for (file, numbers) in (0..count).collect::<Vec<_>>().chunks(IN_A_FILE).enumerate() {
        let mut text = String::new();
        for n in numbers {
            let request = MintRequest {
                family: MintFamily::Pat,
                subject: Some(format!("bot-{n}")),
                ..MintRequest::default()
            };
            let token = mint_hs256(SECRET.as_bytes(), &request).unwrap();
            let hash = sha256_hex(token.as_bytes());
            write!(
                text,
                "[[project]]\nid = \"p{n}\"\nworkspace = \"w{n}\"\n\
                 [[tunnel]]\nhostname = \"app-{n}.t.example.test\"\nproject = \"p{n}\"\nupstream = \"http://127.0.0.1:9\"\ntoken_auth = true\n\
                 [[credential]]\nid = \"bot-{n}\"\nkind = \"pat\"\ntoken_sha256 = \"{hash}\"\nprojects = [\"p{n}\"]\n\
                 resources.tunnels.scopes.tunnels.connect.params.path.regex = \"^/team-{n}/[a-z]+\"\n"
            )
            .unwrap();
            tokens.push(token);
        }
        write(&format!("more-{file}.toml"), &text);
    }
    let loaded = config::load(&folder.join("adit.toml"), &[]);
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    (loaded.settings, tokens)
}

fn warm(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::default();
    let started = clock.monotonic();
    let (mut settings, tokens) = configured(count, folder.path());
    let loaded = clock.monotonic();
    let before = BYTES.load(Relaxed);
    let policy = control::policy(&settings).unwrap();
    let compiled = clock.monotonic();
    let bytes = BYTES.load(Relaxed) - before;
    settings.credentials.clear();
    let before = BYTES.load(Relaxed);
    let tunnels = control::policy(&settings).unwrap();
    let of_tunnels = BYTES.load(Relaxed) - before;
    drop(tunnels);
    let per_credential = (bytes - of_tunnels) / count as u64;
    let requests: Vec<String> = (0..ASKED)
        .map(|n| {
            let n = n * (count - 1) / (ASKED - 1);
            format!(
                "GET /team-{n}/items/42 HTTP/1.1\r\nHost: app-{n}.t.example.test\r\nUser-Agent: bench\r\nAccept: */*\r\nAuthorization: Bearer {}\r\n\r\n",
                tokens[n]
            )
        })
        .collect();
    let mut memory = Memory::new(TokenCache::new(1024));
    let now = clock.now();
    let (mut asked, mut head) = (0, RequestHead::new());
    let mut ask = || {
        let request = &requests[asked % ASKED];
        let decision = judged(&policy, request, now, (&mut memory, &mut head));
        assert!(matches!(decision, Decision::Forward(_)), "{decision:?}");
        asked += 1;
    };
    (0..ASKED).for_each(|_| ask());
    let allocations = ALLOCATIONS.load(Relaxed);
    let figures = rounds(2_000, &mut ask);
    let allocations = ALLOCATIONS.load(Relaxed) - allocations;
    assert!(allocations < ROUNDS as u64, "a warm request allocates");
    println!("head and decision, warm, {count} tunnels and credentials: {figures}");
    println!(
        "  read and checked in {:.2?}, compiled in {:.2?}; {per_credential} bytes for each credential",
        loaded - started,
        compiled - loaded
    );
}

/// Tokens in random order, all of which the core remembers: how far what it knows of them is scattered. Their heads lie in the
/// order in which they are asked, as a socket would give them.
fn many(count: usize) {
    // Coprime to 10,000: everyone comes before one comes again.
    const STEP: usize = 7_919;

    let folder = tempfile::tempdir().unwrap();
    let (settings, _) = configured(1, folder.path());
    let policy = control::policy(&settings).unwrap();
    let boundary = serde_json::json!({ "scopes": { "tunnels": { "connect": { "params": { "path": { "regex": "^/api/" } } } } } });
    let heads: Vec<String> = (0..count)
        .map(|n| {
            let token = mint(n * STEP % count, boundary.clone());
            format!("GET /api/items/42 HTTP/1.1\r\nHost: app-0.t.example.test\r\nAuthorization: Bearer {token}\r\n\r\n")
        })
        .collect();
    let (mut memory, mut parsed) = (Memory::new(TokenCache::new(65_536)), RequestHead::new());
    let now = Clock::default().now();
    let mut ask = |head: &String| {
        let decision = judged(&policy, head, now, (&mut memory, &mut parsed));
        assert!(matches!(decision, Decision::Forward(_)), "{decision:?}");
    };
    let mut in_turn: Vec<&String> = heads.iter().collect();
    in_turn.sort_unstable();
    in_turn.into_iter().for_each(&mut ask);
    let mut heads = heads.iter().cycle();
    let figures = rounds(20_000, &mut || ask(heads.next().unwrap()));
    println!("head and decision, warm, {count} tokens in random order: {figures}");
}

/// A browser's session: its cookie is opened for each request.
fn signed_in() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, _) = configured(1, folder.path());
    let mut policy = control::policy(&settings).unwrap();
    let host = "app-0.t.example.test";
    let (provider, input) = (short(&[b"builtin"]), short(&[b"user", b"ana"]));
    let sealer = Arc::new(Sealer::new(Secret::new(vec![7; 32]), None).unwrap());
    let now = Clock::default().now();
    let session = Session {
        provider,
        project: short(&[b"p0"]),
        sid: Default::default(),
        issued_at: 0,
        claims_at: now.unix_seconds(),
        expires_at: now.unix_seconds() + 3600,
        subject: "ana",
        email: "ana@example.com",
        name: "Ana",
        inputs: &[input],
    };
    let cookie = seal_session(&session, Kind::Session, &sealer, host, &[9; 32]).unwrap();
    let grant = Grant {
        projects: vec!["p0".into()],
        rests_on_group: false,
    };
    let sessions = SessionRules {
        provider,
        grants: [(input, grant)].into(),
        claims_max_age: 900,
    };
    policy.browsers = Some(Arc::new(Browsers { sealer, sessions }));
    Arc::get_mut(&mut policy.tunnels).unwrap()[0]
        .mechanisms
        .session = true;
    let head = format!(
        "GET /team-0/items/42 HTTP/1.1\r\nHost: {host}\r\nCookie: theme=dark; {SESSION_COOKIE}={cookie}\r\n\r\n"
    );
    let (mut memory, mut parsed) = (Memory::new(TokenCache::new(1)), RequestHead::new());
    let figures = rounds(1_000, &mut || {
        let decision = judged(&policy, &head, now, (&mut memory, &mut parsed));
        assert!(matches!(decision, Decision::Forward(_)), "{decision:?}");
    });
    println!("head and decision, a session: {figures}");
}

/// What it costs to tell an upstream who sends.
fn named() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, tokens) = configured(1, folder.path());
    let mut policy = control::policy(&settings).unwrap();
    let tunnels = Arc::get_mut(&mut policy.tunnels).unwrap();
    tunnels[0].names_sender = true;
    let now = Clock::default().now();
    let mut keys = Keys::default();
    let random = ring::rand::SystemRandom::new();
    let made = keys.rotate(now.unix_seconds(), || {
        let key = ring::signature::Ed25519KeyPair::generate_pkcs8(&random)?;
        Ok::<_, ring::error::Unspecified>(Secret::new(key.as_ref().to_vec()))
    });
    made.unwrap();
    let signer = Signer::new(&keys, now.unix_seconds(), "edge.example.test", 443).unwrap();
    let head = format!(
        "GET /team-0/items/42 HTTP/1.1\r\nHost: app-0.t.example.test\r\nAuthorization: Bearer {}\r\n\r\n",
        tokens[0]
    );
    let (mut memory, mut parsed) = (Memory::new(TokenCache::new(1)), RequestHead::new());
    let Decision::Forward(permit) = judged(&policy, &head, now, (&mut memory, &mut parsed)) else {
        panic!("a good token");
    };
    let request = Request {
        bytes: head.as_bytes(),
        head: &parsed,
    };
    let said = Said {
        signer: &signer,
        now_unix: now.unix_seconds(),
        request_id: "0123456789abcdef0123456789abcdef",
        project: "p0",
    };
    let mut scratch = identity::Scratch::default();
    let figures = rounds(1_000, &mut || {
        black_box(identity::lines(
            &permit,
            black_box(request),
            said,
            &mut scratch,
        ));
    });
    println!("naming the sender, signed: {figures}");
}

/// Where a client comes from: lists of addresses, and countries by a database as large as those that are sold.
fn networks() {
    const LISTED: u32 = 1_000;
    const IN_DATABASE: u32 = 600_000;
    // Scattered over all addresses, some of them beside the networks that are listed.
    let scattered = |n: u32| n.wrapping_mul(2_654_435_769);
    let network = |n: u32| IpNet::new(Ipv4Addr::from_bits(scattered(n)).into(), 20).unwrap();
    let listed: Vec<IpNet> = (0..LISTED).map(|n| network(n).trunc()).collect();
    let addresses: Vec<IpAddr> = (0..ASKED as u32)
        .map(|n| Ipv4Addr::from_bits(scattered(n * 31) ^ (n % 2) << 12).into())
        .collect();
    let by_address = NetworkPolicy {
        trusted: Some(Arc::new(AddressSet::new(&listed))),
        countries: None,
    };
    let mut asked = 0;
    let mut admit = |policy: &NetworkPolicy, countries: Option<&Countries>| {
        let client = addresses.get(asked % ASKED).copied();
        let _ = black_box(policy.admit(black_box(client), countries));
        asked += 1;
    };
    let figures = rounds(100_000, &mut || admit(&by_address, None));
    println!("an address in {LISTED} networks: {figures}");
    let bytes = countries(IN_DATABASE, |n| {
        let prefix = n * (u32::MAX / IN_DATABASE);
        (
            Ipv4Addr::from_bits(prefix & !0xff).to_ipv6_compatible(),
            120,
        )
    });
    let clock = Clock::default();
    let started = clock.monotonic();
    let database = Countries::read(&bytes).unwrap();
    let loaded = clock.monotonic() - started;
    let by_both = NetworkPolicy {
        countries: Some(Country::parse("DE").into_iter().collect()),
        ..by_address
    };
    let by_country = NetworkPolicy {
        trusted: None,
        ..by_both.clone()
    };
    let before = ALLOCATIONS.load(Relaxed);
    let figures = rounds(100_000, &mut || admit(&by_country, Some(&database)));
    println!("a country in {IN_DATABASE} networks: {figures}; read in {loaded:.2?}");
    let figures = rounds(100_000, &mut || admit(&by_both, Some(&database)));
    println!("address and country: {figures}");
    let allocated = ALLOCATIONS.load(Relaxed) - before;
    assert!(allocated < 4 * ROUNDS as u64, "asking allocates");
}

/// A database of so many networks, in turn in one of some countries.
fn countries(count: u32, network: impl Fn(u32) -> (Ipv6Addr, u8)) -> Vec<u8> {
    let mut database = maxminddb_writer::Database::default();
    database.metadata.ip_version = maxminddb_writer::metadata::IpVersion::V6;
    database.metadata.binary_format_major_version = 2;
    let records = ["DE", "FR", "US", "NZ", "JP", "BR", "IN"].map(|code| {
        let record = serde_json::json!({ "country": { "iso_code": code } });
        database.insert_value(record).unwrap()
    });
    for n in 0..count {
        let (address, prefix) = network(n);
        let path = IpAddrWithMask::new(address.into(), prefix);
        database.insert_node(path, records[n as usize % records.len()]);
    }
    database.write_to(Vec::new()).unwrap()
}

/// Reads a head and judges it, as a core does.
fn judged(
    policy: &Policy,
    head: &str,
    now: Now,
    (memory, parsed): (&mut Memory, &mut RequestHead),
) -> Decision {
    let limits = HeadLimits {
        head_bytes: 16 * 1024,
        header_fields: 100,
        target_bytes: 8 * 1024,
    };
    parsed.parse(head.as_bytes(), &limits).unwrap();
    let facts = Facts {
        connection: Connection::plain(None),
        request: Request {
            bytes: head.as_bytes(),
            head: parsed,
        },
        ended: &Ended::default(),
    };
    decide(policy, black_box(&facts), now, memory)
}

/// Tokens that were never seen, each with a pattern of its own.
fn cold(what: &str, pattern: impl Fn(usize) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let (settings, _) = configured(1, folder.path());
    let policy = control::policy(&settings).unwrap();
    let clock = Clock::default();
    let now = clock.now();
    let (mut memory, mut head) = (Memory::new(TokenCache::new(1024)), RequestHead::new());
    let requests: Vec<String> = (0..ROUNDS * 8)
        .map(|n| {
            let boundary = serde_json::json!({ "scopes": { "tunnels": { "connect": { "params": { "path": { "regex": pattern(n) } } } } } });
            let token = mint(n, boundary);
            format!("GET /cold-{n}/x HTTP/1.1\r\nHost: app-0.t.example.test\r\nAuthorization: Bearer {token}\r\n\r\n")
        })
        .collect();
    let mut requests = requests.iter();
    let figures = rounds(8, &mut || {
        let request = requests.next().unwrap();
        black_box(judged(&policy, request, now, (&mut memory, &mut head)));
    });
    println!("{what}: {figures}");
}

/// A CE token with this boundary, signed here: minting would try the pattern.
fn mint(n: usize, boundary: serde_json::Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as base64url;
    let claims = serde_json::json!({
        "sub": n.to_string(), "permissions": ["tunnels.streams.create-delete"], "resources": { "tunnels": boundary },
    });
    let header = base64url.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", base64url.encode(claims.to_string()));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = ring::hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", base64url.encode(signature.as_ref()))
}

/// The time of one call, in microseconds: median (fastest to slowest) of rounds of `calls`.
fn rounds(calls: usize, ask: &mut impl FnMut()) -> String {
    let clock = Clock::default();
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = clock.monotonic();
            (0..calls).for_each(|_| ask());
            (clock.monotonic() - started).as_secs_f64() * 1e6 / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (first, middle, last) = (times[0], times[ROUNDS / 2], times[ROUNDS - 1]);
    format!("{middle:.2} us ({first:.2} to {last:.2})")
}
