//! One edge before one upstream, and questions to both.

use serde_json::{Value, json};

use crate::support::upstream::Recorded;
use crate::support::{Client, Edge, HOST, Response, Tunnel, Upstream, ok};

pub struct Stage {
    pub edge: Edge,
    pub upstream: Upstream,
}

impl Stage {
    /// A tunnel with `token_auth`.
    pub fn guarded() -> Self {
        Stage::guarded_with("")
    }

    /// The same with one more line in its table.
    pub fn guarded_with(line: &str) -> Self {
        let upstream = Upstream::serving(|_| ok("inside"));
        let edge = Edge::setup()
            .tunnel(Tunnel::guarded(HOST, &upstream).line(line))
            .start();
        Stage { edge, upstream }
    }

    /// A tunnel that asks for nothing.
    pub fn public() -> Self {
        let upstream = Upstream::serving(|_| ok("inside"));
        let edge = Edge::before(&upstream);
        Stage { edge, upstream }
    }

    /// What the upstream got so far: connections and bytes.
    fn weight(&self) -> (usize, usize) {
        Stage::weight_of(&self.upstream)
    }

    pub fn weight_of(upstream: &Upstream) -> (usize, usize) {
        let connections = upstream.connections();
        let bytes = (0..connections).map(|index| upstream.bytes(index).len());
        (connections, bytes.sum())
    }

    /// The request is refused with this status and reason, `explain` says the same, and not a byte of it goes on.
    pub fn refuses(&self, target: &str, lines: &str, status: u16, reason: &str) -> Response {
        let before = self.weight();
        let request = get(target, lines);
        let answer = self.edge.client().ask(&request);
        assert_eq!(
            (answer.status, self.edge.reason().as_str()),
            (status, reason),
            "{target} {lines}"
        );
        let explained = self.edge.explained(request.as_bytes());
        assert_eq!(explained, (status, reason), "{target} {lines}");
        assert_eq!(self.weight(), before, "{target} {lines}");
        answer
    }

    /// The request goes through, `explain` says the same; what the upstream got.
    pub fn forwards(&self, target: &str, lines: &str) -> Recorded {
        self.forwards_on(&mut self.edge.client(), target, lines)
    }

    pub fn forwards_on(&self, client: &mut Client, target: &str, lines: &str) -> Recorded {
        let request = get(target, lines);
        let answer = client.ask(&request);
        assert_eq!(
            (answer.status, self.edge.reason().as_str()),
            (200, "forwarded"),
            "{target} {lines}"
        );
        let explained = self.edge.explained(request.as_bytes());
        assert_eq!(explained, (200, "forwarded"), "{target} {lines}");
        self.upstream.next_request()
    }

    /// Status and reason of a request on this connection. The upstream got it if it was let through, and else not a byte.
    pub fn judges(&self, client: &mut Client, request: &str) -> (u16, String) {
        let before = self.weight();
        let status = client.ask(request).status;
        if status == 200 {
            self.upstream.next_request();
        } else {
            assert_eq!(self.weight(), before, "{request}");
        }
        (status, self.edge.reason())
    }

    /// A token with this boundary.
    pub fn bounded(&self, boundary: Value) -> String {
        self.edge.token(|claims| {
            claims.insert("resources".into(), json!({ "tunnels": boundary }));
        })
    }

    /// A token for paths that match this pattern.
    pub fn path_token(&self, pattern: &str) -> String {
        self.bounded(path_rule(&json!({ "regex": pattern })))
    }
}

/// Connections to every core, all kept open. Each costs a line in the access log.
pub fn clients_of_every_core(edge: &Edge) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..32).map(|_| edge.client()).collect();
    for client in &mut clients {
        let nobody = client.ask("GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
        assert_eq!(nobody.status, 404);
    }
    let reports = edge.engine().reports();
    assert!(
        reports
            .iter()
            .all(|(_, counters)| counters.connections_open > 0)
    );
    clients
}

/// A boundary with one rule for paths.
pub fn path_rule(rule: &Value) -> Value {
    json!({ "projects": ["proj-1"], "scopes": { "tunnels": { "connect": { "params": { "path": rule } } } } })
}

/// A request with these field lines.
pub fn get(target: &str, lines: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n")
}

pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The target of a recorded request.
pub fn target(recorded: &Recorded) -> &str {
    recorded.line().split(' ').nth(1).unwrap()
}
