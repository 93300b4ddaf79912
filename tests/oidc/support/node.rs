//! A real provider as a child process, which takes orders.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::{CLIENT_ID, CLIENT_SECRET, POST_LOGOUT_URI, REDIRECT_URI};

/// Killed when dropped.
pub struct Node {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub issuer: String,
}

impl Node {
    pub fn start() -> Node {
        Node::with(json!({}))
    }

    /// `more`: what `provider.mjs` is told besides who its client is; null takes away.
    pub fn with(more: Value) -> Node {
        let mut settings = json!({
            "client": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "redirect_uris": [REDIRECT_URI],
                "post_logout_redirect_uris": [POST_LOGOUT_URI],
                "id_token_signed_response_alg": more.get("algorithm").unwrap_or(&json!("RS256")),
            },
            "claims": {
                "email": "Ana@Example.com",
                "email_verified": true,
                "name": "Ana",
                "groups": ["staff", "edge"],
            },
        });
        merge(&mut settings, more);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc");
        let there = folder.join("node_modules/oidc-provider").is_dir();
        assert!(there, "npm ci --prefix tests/oidc, as scripts/test.sh does");
        let mut child = Command::new("node")
            .arg(folder.join("provider.mjs"))
            .arg(settings.to_string())
            .env("NODE_ENV", "test")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut node = Node {
            orders: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
            issuer: String::new(),
        };
        node.issuer = node.answer()["issuer"].as_str().unwrap().to_owned();
        node
    }

    /// The next line that it says; what its libraries say besides is passed over.
    fn answer(&mut self) -> Value {
        loop {
            let mut line = String::new();
            let read = self.answers.read_line(&mut line).unwrap();
            assert!(read > 0, "the provider has ended");
            if let Ok(answer) = serde_json::from_str(&line) {
                return answer;
            }
        }
    }

    fn order(&mut self, order: &Value) {
        writeln!(self.orders, "{order}").unwrap();
        assert_eq!(self.answer()["done"], *order);
    }

    /// It signs with a new key from now on.
    pub fn rotate(&mut self) {
        self.order(&json!({ "rotate": true }));
    }

    /// It hangs up on everybody.
    pub fn close(&mut self) {
        self.order(&json!({ "down": true }));
    }

    /// It is back.
    pub fn open(&mut self) {
        self.order(&json!({ "down": false }));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                if value.is_null() {
                    into.remove(&name);
                } else {
                    merge(into.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (into, more) => *into = more,
    }
}
