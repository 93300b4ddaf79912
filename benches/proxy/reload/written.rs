//! The configuration that is read again and again.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use adit::token::{MintFamily, MintRequest, mint_hs256, sha256_hex};

pub const TUNNELS: usize = 10_000;
pub const CREDENTIALS: usize = 100_000;
/// Different path patterns: ten in each thousand credentials.
const PATTERNS: usize = CREDENTIALS / 100;
const IN_A_FILE: usize = 5_000;
const SECRET: &str = "a secret of the benches, which has more than thirty-two bytes";

pub struct Written {
    folder: tempfile::TempDir,
    tokens: Vec<String>,
}

impl Written {
    pub fn new(service: SocketAddr) -> Written {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        };
        write("secret", SECRET);
        write("adit.toml", MAIN);
        let numbers: Vec<usize> = (0..TUNNELS).collect();
        for (file, numbers) in numbers.chunks(IN_A_FILE).enumerate() {
            let mut text = String::new();
            for n in numbers {
                write!(
                    text,
                    "[[project]]\nid = \"p{n}\"\nworkspace = \"w{n}\"\n[[tunnel]]\nhostname = \"app-{n}.t.edge.example\"\nproject = \"p{n}\"\nupstream = \"http://{service}\"\ntoken_auth = true\n"
                )
                .unwrap();
            }
            write(&format!("tunnels-{file}.toml"), &text);
        }
        let mut tokens = Vec::new();
        let numbers: Vec<usize> = (0..CREDENTIALS).collect();
        for (file, numbers) in numbers.chunks(IN_A_FILE).enumerate() {
            let mut text = String::new();
            for &n in numbers {
                let token = token(n);
                let hash = sha256_hex(token.as_bytes());
                let (project, pattern) = (n % TUNNELS, n % PATTERNS);
                write!(
                    text,
                    "[[credential]]\nid = \"bot-{n}\"\nkind = \"pat\"\ntoken_sha256 = \"{hash}\"\nprojects = [\"p{project}\"]\nresources = '{{\"tunnels\":{{\"scopes\":{{\"tunnels\":{{\"connect\":{{\"params\":{{\"path\":{{\"regex\":\"^/team-{pattern}(/|$)\"}}}}}}}}}}}}}}'\n"
                )
                .unwrap();
                tokens.push(token);
            }
            write(&format!("credentials-{file}.toml"), &text);
        }
        Written { folder, tokens }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A request with each of so many different tokens, which passes.
    pub fn requests(&self, count: usize) -> Vec<String> {
        let step = CREDENTIALS / count;
        let numbers = (0..count).map(|n| n * step + n % step);
        numbers
            .map(|n| {
                let (tunnel, pattern, token) = (n % TUNNELS, n % PATTERNS, &self.tokens[n]);
                format!("GET /team-{pattern}/x HTTP/1.1\r\nHost: app-{tunnel}.t.edge.example\r\nAuthorization: Bearer {token}\r\n\r\n")
            })
            .collect()
    }
}

fn token(n: usize) -> String {
    let request = MintRequest {
        family: MintFamily::Pat,
        subject: Some(format!("bot-{n}")),
        ..MintRequest::default()
    };
    mint_hs256(SECRET.as_bytes(), &request).unwrap()
}

const MAIN: &str = "include = [\"tunnels-*.toml\", \"credentials-*.toml\"]
[engine]
host = \"edge.example\"
[cores]
count = 2
[http]
listen = [\"127.0.0.1:0\"]
mode = \"serve\"
[tokens]
hs256_secret_file = \"secret\"
[admin]
listen = \"127.0.0.1:0\"
[log]
access = \"off\"
";
