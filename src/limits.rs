//! Every cap of the edge in one place, with their relations checked by the compiler.
//!
//! Owns: hard bounds (constants) and the two groups of bounds that a configuration may set, [`Limits`] and
//! [`Timeouts`]. Nothing comes in; constants go out. A cap is raised here or nowhere.

use std::time::Duration;

/// Longest compact token that is looked at, in bytes (rstream 3.3 step 1).
pub const TOKEN_BYTES_MAX: usize = 8192;
/// Deepest nesting of a token's JSON (S4.5).
pub const JSON_DEPTH_MAX: usize = 32;
/// Largest integer date in a token: 2^53 (S4.5).
pub const JSON_INTEGER_MAX: u64 = 1 << 53;
/// Most keys in a set of one issuer (S4.6).
pub const ISSUER_KEYS_MAX: usize = 64;
/// Longest key set of an issuer, in bytes (S4.6).
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// Longest body of a request that a page of ours sends.
pub const FLOW_BODY_BYTES_MAX: u64 = 64 * 1024;
/// Shortest key that values are sealed with, in bytes.
pub const SEAL_KEY_BYTES_MIN: usize = 32;
/// Longest sealed value that is looked at, in letters.
pub const SEALED_BYTES_MAX: usize = 6 * 1024;
/// Longest target that a browser is brought back to, in bytes; from a longer one it comes back to `/`.
pub const RETURN_TARGET_BYTES_MAX: usize = 2048;
/// Longest password that is looked at, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Least memory of a password's hash, in KiB, times its passes: the weakest of OWASP's choices for argon2id.
pub const PASSWORD_WORK_KIB_MIN: u64 = 35 * 1024;
/// Most memory of one password's hash, in KiB: two are computed at a time.
pub const PASSWORD_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Most passes of a password's hash.
pub const PASSWORD_PASSES_MAX: u32 = 16;
/// Most lanes of a password's hash.
pub const PASSWORD_LANES_MAX: u32 = 4;
/// Passwords that are verified at a time.
pub const PASSWORD_THREADS: usize = 2;
/// Passwords that wait for that; one more is answered 503 (S9).
pub const PASSWORD_QUEUE_MAX: usize = 16;
/// Longest session of a browser that a configuration may allow, and so how long a sign-out is remembered.
pub const SESSION_LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Sign-outs that are remembered; one more is refused.
pub const ENDED_SESSIONS_MAX: usize = 16_384;
/// Longest body of a form, in bytes.
pub const FORM_BYTES_MAX: usize = 16 * 1024;
/// State cookies that are remembered as used; as long as so many are, one more is refused.
pub const USED_CODES_MAX: usize = 65_536;
/// Users, and clients, whose failed sign-ins are remembered.
pub const FAILURES_MAX: usize = 4096;
/// Sign-ins that are held back at a time because others of their user have failed; one more is answered 503.
pub const HELD_SIGN_INS_MAX: usize = 64;
/// Networks whose challenges are counted.
pub const CHALLENGED_PREFIXES_MAX: usize = 65_536;
/// Tunnels that one user may be signed in to within a minute: nobody alone fills the table of what was used.
pub const HAND_OVERS_PER_MINUTE_MAX: u32 = 60;
/// Users who are counted for that.
pub const HAND_OVER_USERS_MAX: usize = 16_384;
/// Challenges that one network may meet within a minute.
pub const CHALLENGES_PER_MINUTE_MAX: u32 = 120;
/// Fewest and most leading zero bits of a proof of work (S5.11).
pub const DIFFICULTY_BITS_MIN: u64 = 12;
pub const DIFFICULTY_BITS_MAX: u64 = 24;
/// How long fetching a key set may take (S4.6).
pub const KEY_SET_WITHIN: Duration = Duration::from_secs(5);
/// A key set that could not be renewed for so long is not used any more, unless the configuration says otherwise (S4.6).
pub const KEY_SET_STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Requests of one core that may wait for keys of other issuers; one more is judged by the keys that are there.
pub const KEY_WAITS_MAX: usize = 1024;
/// How long a request waits for keys: longer than a fetch may take, with what it takes to put a set in force.
pub const KEY_WAIT_MAX: Duration = Duration::from_secs(15);
/// How long one exchange with an OpenID Connect provider may take; a sign-in takes four at most.
pub const OIDC_WITHIN: Duration = Duration::from_secs(5);
/// Longest answer of a provider but its key set, in bytes.
pub const OIDC_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Longest ID token, in bytes: one with 200 groups has some 12,000.
pub const OIDC_TOKEN_BYTES_MAX: usize = 32 * 1024;
/// Longest query of a callback from a provider, and longest body of its back-channel logout, in bytes.
pub const OIDC_QUERY_BYTES_MAX: usize = 16 * 1024;
/// Browsers that may wait for a provider at once; one more is told to come back.
pub const OIDC_EXCHANGES_MAX: usize = 64;
/// Longest subject and session name of a provider, in bytes (OpenID Connect Core 2).
pub const OIDC_SUBJECT_BYTES_MAX: usize = 255;
/// Most groups of one user that are looked at, and the longest name of one, in bytes.
pub const OIDC_GROUPS_MAX: usize = 256;
pub const OIDC_GROUP_BYTES_MAX: usize = 255;
/// Logout tokens of a provider that are remembered, so that none counts twice.
pub const OIDC_LOGOUTS_MAX: usize = 4096;
/// Shortest HS256 secret that verifies or signs anything, in bytes (RFC 7518 3.2).
pub const HS256_SECRET_BYTES_MIN: usize = 32;
/// Most bytes of a token's subject that reach a log.
pub const SUBJECT_BYTES_MAX: usize = 128;
/// Longest subject that an upstream is told of, in bytes; a longer one is refused, never cut.
pub const TOLD_SUBJECT_BYTES_MAX: usize = 255;
/// How long an assertion towards an upstream is good, in seconds.
pub const ASSERTION_SECONDS: u64 = 60;
/// Most keys of assertions that are kept; rotation has no use for more than three.
pub const ASSERTION_KEYS_MAX: usize = 16;

/// Deepest nesting of `AND`/`OR` in a boundary.
pub const BOUNDARY_DEPTH_MAX: usize = 16;
/// Most nodes in one boundary: leaves, `AND`, `OR` and filters counted alike.
pub const BOUNDARY_NODES_MAX: usize = 512;
/// Most entries of one list in a boundary.
pub const BOUNDARY_LIST_MAX: usize = 256;
/// Longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1024;
/// Deepest nesting of groups and classes in a pattern.
pub const PATTERN_NEST_MAX: u32 = 64;
/// Bytes of NFA that one pattern may take on its way to a DFA.
pub const PATTERN_NFA_BYTES_MAX: usize = 64 * 1024;
/// Most distinct patterns of one token or credential.
pub const PATTERNS_MAX: usize = 16;
/// Bytes of DFA that all patterns of one token or credential may take together.
pub const DFA_BYTES_MAX: usize = 64 * 1024;
/// Bytes of working memory that all determinisation of one token or credential may take together.
pub const DETERMINIZE_BYTES_MAX: usize = 256 * 1024;
/// Steps of determinisation that all patterns of one token or credential may take together, about: a few milliseconds.
pub const PATTERN_STEPS_MAX: usize = 3 << 18;

/// Largest logo of the pages, in bytes.
pub const LOGO_BYTES_MAX: usize = 256 * 1024;

/// Longest host name, in bytes (RFC 1035 2.3.4 without the trailing dot).
pub const HOST_BYTES_MAX: usize = 253;
/// Most header fields a configuration may allow in one head.
pub const HEADER_FIELDS_MAX: usize = 256;
/// Longest method token, in bytes.
pub const METHOD_BYTES_MAX: usize = 32;
/// Most options in all `Connection` fields of one head; each is compared with every field name.
pub const CONNECTION_OPTIONS_MAX: usize = 32;
/// Longest `chunk-size` line with its extension, in bytes, and longest trailer section.
pub const CHUNK_LINE_BYTES_MAX: usize = 4096;
/// Longest trailer section, in bytes.
pub const TRAILER_BYTES_MAX: usize = 16 * 1024;
/// Most interim answers (1xx) an upstream may send for one request (S8).
pub const INTERIM_ANSWERS_MAX: usize = 8;

/// Size of the buffer that an ordinary exchange borrows, in bytes.
pub const BUFFER_BYTES: usize = 16 * 1024;
/// Size of the buffer for long heads and long bodies, in bytes.
pub const LARGE_BUFFER_BYTES: usize = 256 * 1024;
/// Room kept free before body bytes for the chunk-size line, in bytes.
pub const CHUNK_HEADROOM: usize = 16;
/// A refused request's body is read to its end up to this many bytes, so that the connection stays in use.
pub const REFUSED_BODY_BYTES_MAX: u64 = 64 * 1024;

/// Longest rest of a PROXY preamble behind its first 16 bytes.
pub const PROXY_BYTES_MAX: usize = 4096;
/// A whole PROXY preamble must be there within this (S7).
pub const PROXY_WITHIN: Duration = Duration::from_secs(5);
/// Connections that a core may have beyond `connections_per_core` while those that make way for them are ending.
pub const CONNECTIONS_ENDING_MAX: usize = 64;
/// Connections that a core ends to get on where descriptors have run out.
pub const EXHAUSTED_EVICTIONS: usize = 16;
/// Unfinished heads of one core that may hold a large buffer; one more ends the one that has waited longest.
pub const LONG_HEADS_MAX: usize = 256;
/// Large buffers of one core that may be lent where ordinary ones would do, only slower.
pub const LARGE_BUFFERS_LENT_MAX: usize = 256;
/// How long a client may be waited for within one body before [`Limits::body_min_rate`] counts.
pub const BODY_RATE_GRACE: Duration = Duration::from_secs(10);

/// All certificates that a client may show in a handshake, in bytes. They are kept as long as its connection is, and nobody
/// has asked yet who it is.
pub const CLIENT_CHAIN_BYTES_MAX: usize = 16 * 1024;
/// Clients of one core whose failed verifications are counted.
pub const BUDGETS_MAX: usize = 4096;
/// Bytes of verified tokens that one core remembers.
pub const TOKEN_CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Unused connections to one upstream that one core keeps.
pub const POOL_IDLE_MAX: usize = 256;
/// Bytes of access log that wait for the control thread, per core.
pub const LOG_QUEUE_BYTES: usize = 1024 * 1024;
/// Refusals that a core remembers for the status page.
pub const RECENT_REFUSALS: usize = 64;

const _: () = assert!(BUFFER_BYTES < LARGE_BUFFER_BYTES);
const _: () = assert!(TOKEN_BYTES_MAX < BUFFER_BYTES);
const _: () = assert!(CHUNK_HEADROOM >= 8 + 2); // eight hex digits and CRLF

/// Bounds that `[limits]` sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request or response head, in bytes; 1 KiB to half of [`LARGE_BUFFER_BYTES`].
    pub head_bytes: usize,
    /// Most header fields in one head; 1 to [`HEADER_FIELDS_MAX`].
    pub header_fields: usize,
    /// Longest request target, in bytes; at most `head_bytes`.
    pub target_bytes: usize,
    /// Most open downstream connections of one core.
    pub connections_per_core: usize,
    /// Requests after which a downstream connection closes; 0: no limit.
    pub requests_per_connection: u64,
    /// Most open downstream connections of one client address (IPv4, or IPv6 /64) on one core; 0: no limit.
    pub connections_per_address: usize,
    /// Longest request body, in bytes; 0: no limit.
    pub body_bytes: u64,
    /// Fewest bytes per second of a request body, counted over the time that the client is waited for, after
    /// [`BODY_RATE_GRACE`]; 0: no limit.
    pub body_min_rate: u64,
    /// Most upgraded connections of one tunnel on one core; 0: no limit.
    pub upgrades_per_tunnel: usize,
    /// Tokens that fail per second and client address (IPv4, or IPv6 /64) on one core, and four times that at once;
    /// 0: no limit.
    pub failed_verifications_per_second: u64,
    /// Tokens that take a public key to verify, per second and client address on one core, likewise; 0: no limit.
    pub expensive_verifications_per_second: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_bytes: 64 * 1024,
            header_fields: 128,
            target_bytes: 16 * 1024,
            connections_per_core: 16384,
            requests_per_connection: 0,
            connections_per_address: 0,
            body_bytes: 0,
            body_min_rate: 256,
            upgrades_per_tunnel: 8192,
            failed_verifications_per_second: 500,
            expensive_verifications_per_second: 0,
        }
    }
}

/// Deadlines that `[timeouts]` sets. All are longer than zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A whole request head, from its first byte.
    pub header: Duration,
    /// Between two reads of a request body.
    pub body_idle: Duration,
    /// A kept-alive connection between requests.
    pub idle: Duration,
    /// A whole TLS handshake.
    pub tls_handshake: Duration,
    /// Between two writes that make progress towards the client.
    pub client_write_idle: Duration,
    /// Connecting to an upstream, with its TLS handshake.
    pub upstream_connect: Duration,
    /// From the end of the request head to the first byte of the answer.
    pub upstream_response: Duration,
    /// Between two reads of an answer, or of an upgraded connection.
    pub upstream_read_idle: Duration,
    /// A whole upgraded connection.
    pub upgrade_lifetime: Duration,
    /// An unused pooled connection.
    pub upstream_keepalive: Duration,
    /// How long a server that could not be connected to gets no requests, where there are others.
    pub upstream_rest: Duration,
    /// How often names of upstreams are resolved anew.
    pub upstream_resolve: Duration,
    /// How long a stopping process lets exchanges finish.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Timeouts {
            header: seconds(10),
            body_idle: seconds(30),
            idle: seconds(90),
            tls_handshake: seconds(10),
            client_write_idle: seconds(30),
            upstream_connect: seconds(5),
            upstream_response: seconds(60),
            upstream_read_idle: seconds(300),
            upgrade_lifetime: seconds(24 * 60 * 60),
            upstream_keepalive: seconds(60),
            upstream_rest: seconds(10),
            upstream_resolve: seconds(30),
            drain: seconds(30),
        }
    }
}

/// Longest configuration file, in bytes: an argument mix-up must not read a disk image into memory.
pub const CONFIG_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Longest secret, key, certificate or CA file, in bytes (a bundle of public CAs takes some 250 KB).
pub const CREDENTIAL_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Longest database of countries, in bytes: the largest that are sold have some 200 MiB.
pub const DATABASE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Shortest bearer token of the admin listener, in bytes.
pub const ADMIN_TOKEN_BYTES_MIN: usize = 16;
/// Most workers of one process.
pub const WORKERS_MAX: u64 = 1024;
/// Smallest submission queue of a ring.
pub const RING_ENTRIES_MIN: u64 = 256;
/// Largest submission queue of a ring, as the kernel bounds it.
pub const RING_ENTRIES_MAX: u64 = 32768;
/// Most verified tokens that a configuration may let one core remember.
pub const TOKEN_CACHE_ENTRIES_MAX: u64 = 1 << 20;
/// Most downstream connections that a configuration may give one core.
pub const CONNECTIONS_PER_CORE_MAX: u64 = 1 << 20;
/// Smallest bound on a head: a browser's ordinary request must fit.
pub const HEAD_BYTES_MIN: u64 = 1024;
/// Longest deadline that a configuration may set.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
