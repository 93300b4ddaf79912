//! Whatever takes a token back does so at the next request of every core, however warm its cache is (S11).

use adit::token::{MintFamily, MintRequest, P521PrivateKey, mint_es512, sha256_hex};
use serde_json::json;

use crate::stage::{bearer, clients_of_every_core, get};
use crate::support::edge::SECRET;
use crate::support::{Client, Edge, HOST, Setup, Tunnel, Upstream, sign};

const OTHER_SECRET: &str = "a new secret of the tests, which has more than thirty-two bytes";
const SHARED: &str = "a secret of the issuer, which has more than thirty-two bytes";
const OTHER_SHARED: &str = "another one of the issuer, which has more than thirty-two bytes";

const APP: &str = "[[credential]]\nid = \"reports\"\nkind = \"app\"\npublic_key_file = \"app.pem\"\nprojects = [\"proj-1\"]\n";
const USER: &str = "[[credential]]\nid = \"ana\"\nkind = \"user\"\nprojects = [\"proj-1\"]\n";
/// What the token of `ana` was made from.
const SOURCE: &str = "[[credential]]\nid = \"desk\"\nkind = \"user\"\nprojects = [\"proj-1\"]\nupdated_at = \"2026-01-01T00:00:00Z\"\n";
const ISSUER: &str = "[[issuer]]\nissuer = \"https://idp.example\"\naudience = [\"edge\"]\nalgorithms = [\"HS256\"]\n\
    hs256_secret_file = \"idp\"\nprojects = [\"proj-1\"]\npermissions = [\"tunnels.streams.create-delete\"]\n";
/// So many tokens fail here that somebody would be told to wait.
const LIMITS: &str =
    "[limits]\nfailed_verifications_per_second = 0\nexpensive_verifications_per_second = 0\n";

/// One token of every family.
struct Tokens {
    pat: String,
    app: String,
    auth: String,
    issued: String,
    ce: String,
}

impl Tokens {
    fn new(key: &P521PrivateKey) -> Self {
        let now = adit::runtime::clock::Clock::default().now().unix_seconds();
        let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
        let signed = |secret: &str, claims: serde_json::Value| {
            let mut claims = claims;
            claims["iat"] = json!(now);
            claims["exp"] = json!(now + 3600);
            sign(secret, &hs256, &claims)
        };
        let app = MintRequest {
            family: MintFamily::App("reports".to_owned()),
            issued_at: now,
            expires_at: Some(now + 3600),
            ..MintRequest::default()
        };
        let auth = json!({
            "type": "auth",
            "userId": "ana",
            "permissions": null,
            "sourceCredentialId": "desk",
            "sourceCredentialUpdatedAt": "2026-01-01T00:00:00Z",
        });
        Tokens {
            pat: signed(SECRET, json!({ "type": "pat" })),
            app: mint_es512(key, &app).unwrap(),
            auth: signed(SECRET, auth),
            issued: signed(
                SHARED,
                json!({ "iss": "https://idp.example", "aud": "edge" }),
            ),
            ce: signed(SECRET, json!({})),
        }
    }

    fn all(&self) -> [&str; 5] {
        [&self.pat, &self.app, &self.auth, &self.issued, &self.ce]
    }

    fn stored_pat(&self) -> String {
        let hash = sha256_hex(self.pat.as_bytes());
        format!(
            "[[credential]]\nid = \"bot\"\nkind = \"pat\"\ntoken_sha256 = \"{hash}\"\nprojects = [\"proj-1\"]\n"
        )
    }
}

/// What is done, and the tokens that it takes back.
enum Change {
    /// A part of the tables gives way to another.
    Tables(String, String),
    File(&'static str, String),
    Secret,
}

impl Change {
    fn of(&self, setup: &Setup, tables: &str) -> Setup {
        let setup = setup.clone();
        match self {
            Change::Tables(from, to) => {
                assert!(tables.contains(from), "{from}");
                setup.without_tables().tables(&tables.replace(from, to))
            }
            Change::File(name, text) => setup.file(name, text),
            Change::Secret => setup.secret(OTHER_SECRET),
        }
    }
}

/// Every way to take a token back, and what it takes.
fn ways<'t>(tokens: &'t Tokens, other_key: &P521PrivateKey) -> Vec<(Change, Vec<&'t str>)> {
    let pat = tokens.stored_pat();
    let revoked =
        |block: &str| Change::Tables(block.to_owned(), format!("{block}revoked = true\n"));
    let removed = |block: &str| Change::Tables(block.to_owned(), String::new());
    let listed = |line: &str| Change::File("revoked", format!("{line}\n"));
    let hash = |token: &str| format!("sha256:{}", sha256_hex(token.as_bytes()));
    let other_hash = pat.replace(&sha256_hex(tokens.pat.as_bytes()), &sha256_hex(b"another"));
    let [bot, reports, ana, issued, ce] = tokens.all();
    vec![
        (listed("bot"), vec![bot]),
        (listed("reports"), vec![reports]),
        (listed("ana"), vec![ana]),
        (listed("desk"), vec![ana]),
        (listed(&hash(bot)), vec![bot]),
        (listed(&hash(reports)), vec![reports]),
        (listed(&hash(ana)), vec![ana]),
        (listed(&hash(issued)), vec![issued]),
        (listed(&hash(ce)), vec![ce]),
        (revoked(&pat), vec![bot]),
        (revoked(APP), vec![reports]),
        (revoked(USER), vec![ana]),
        (revoked(SOURCE), vec![ana]),
        (removed(&pat), vec![bot]),
        (removed(APP), vec![reports]),
        (removed(USER), vec![ana]),
        (removed(SOURCE), vec![ana]),
        (removed(ISSUER), vec![issued]),
        (Change::Tables(pat, other_hash), vec![bot]),
        (
            Change::Tables("2026-01-01".to_owned(), "2026-01-02".to_owned()),
            vec![ana],
        ),
        (
            Change::File("app.pem", other_key.public().to_pem().unwrap()),
            vec![reports],
        ),
        (Change::File("idp", OTHER_SHARED.to_owned()), vec![issued]),
        (Change::Secret, vec![bot, ana, ce]),
    ]
}

fn status(client: &mut Client, token: &str) -> u16 {
    client.ask(get("/", &bearer(token))).status
}

#[test]
fn what_is_taken_back_is_so_on_every_core_and_nothing_else_is() {
    let upstream = Upstream::fixed("inside");
    let [key, other_key] = [(); 2].map(|()| P521PrivateKey::generate().unwrap());
    let tokens = Tokens::new(&key);
    let pat = tokens.stored_pat();
    let tables = format!("{pat}{APP}{USER}{SOURCE}{ISSUER}{LIMITS}");
    let setup = Edge::setup()
        .cores(2)
        .tokens("revocations_file = \"revoked\"")
        .tunnel(Tunnel::guarded(HOST, &upstream))
        .tables(&tables)
        .file("app.pem", &key.public().to_pem().unwrap())
        .file("idp", SHARED)
        .file("revoked", "# nobody yet\n");
    let mut edge = setup.clone().start();
    let mut clients = clients_of_every_core(&edge);
    let hits = |edge: &Edge| -> Vec<u64> {
        let reports = edge.engine().reports();
        let hits = reports
            .iter()
            .map(|(_, counters)| counters.token_cache_hits);
        hits.collect()
    };
    for (number, (change, taken)) in ways(&tokens, &other_key).iter().enumerate() {
        let before = hits(&edge);
        for client in &mut clients {
            for token in tokens.all() {
                assert_eq!(status(client, token), 200, "before {number}: {token}");
            }
        }
        let warm = hits(&edge);
        assert!(warm.iter().zip(before).all(|(now, before)| *now > before));
        edge.reload(|_| change.of(&setup, &tables));
        for client in &mut clients {
            for token in tokens.all() {
                let expected = if taken.contains(&token) { 401 } else { 200 };
                assert_eq!(status(client, token), expected, "after {number}: {token}");
            }
        }
        edge.reload(|_| setup.clone());
    }
}
