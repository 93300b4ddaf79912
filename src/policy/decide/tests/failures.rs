//! S9: a client that sends tokens that fail is answered 429 without looking, and nobody else is.

use std::sync::Arc;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// One core, as it judges tokens of several clients.
struct Bench {
    policy: Policy,
    memory: Memory,
}

impl Bench {
    /// With a budget of ten failures in a second, forty at once.
    fn new() -> Self {
        let policy = Policy {
            failed_verifications_per_second: 10,
            ..policy()
        };
        Bench {
            policy,
            memory: memory(),
        }
    }

    fn verdict(&mut self, client: &str, token: &str, at: Duration) -> String {
        let mut parsed = RequestHead::new();
        let head = format!(
            "GET / HTTP/1.1\r\nHost: app.t.example.com\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        parsed.parse(head.as_bytes(), &LIMITS).unwrap();
        let connection = Connection {
            client: client.parse().ok(),
            ..plain()
        };
        let request = Request {
            bytes: head.as_bytes(),
            head: &parsed,
        };
        let facts = Facts {
            connection,
            request,
            ended: &NOBODY,
        };
        let now = Now {
            monotonic: at,
            ..now()
        };
        word(&decide(&self.policy, &facts, now, &mut self.memory))
    }

    /// Sends tokens that fail until one is not looked at; answers how many were.
    fn exhaust(&mut self, client: &str, at: Duration) -> usize {
        (0..1000)
            .find(|_| self.verdict(client, &forged(), at) != "401 token_signature")
            .unwrap()
    }
}

const SPENT: &str = "429 too_many_verifications";

#[test]
fn beyond_its_budget_a_client_is_not_listened_to_until_it_is_slower() {
    let mut bench = Bench::new();
    let remembered = good();
    assert_eq!(
        bench.verdict("192.0.2.1", &remembered, SECOND),
        "forward token withheld"
    );
    assert_eq!(bench.exhaust("192.0.2.1", SECOND), 41);
    assert_eq!(bench.verdict("192.0.2.1", &forged(), SECOND), SPENT);
    // A good one that is not remembered would have to be verified too.
    let another = path_bounded();
    assert_eq!(bench.verdict("192.0.2.1", &another, SECOND), SPENT);
    assert_eq!(
        bench.verdict("192.0.2.1", &remembered, SECOND),
        "forward token withheld"
    );
    assert_eq!(
        bench.verdict("192.0.2.2", &forged(), SECOND),
        "401 token_signature"
    );
    assert_eq!(bench.exhaust("192.0.2.1", 2 * SECOND), 10);
    assert_eq!(
        bench.verdict("192.0.2.1", &another, 6 * SECOND),
        "403 path_outside_boundary"
    );
}

#[test]
fn what_is_good_costs_nothing_and_neither_does_what_is_no_token() {
    let mut bench = Bench::new();
    bench.memory = Memory::new(TokenCache::new(0));
    for _ in 0..100 {
        assert_eq!(
            bench.verdict("192.0.2.1", &good(), SECOND),
            "forward token withheld"
        );
        assert_eq!(
            bench.verdict("192.0.2.1", "", SECOND),
            "401 bearer_malformed"
        );
    }
    assert_eq!(bench.exhaust("192.0.2.1", SECOND), 41);
}

/// What an application does with its own tokens on a public tunnel is no failure.
#[test]
fn a_public_tunnel_spends_nothing() {
    let mut bench = Bench::new();
    for tunnel in Arc::get_mut(&mut bench.policy.tunnels).unwrap() {
        tunnel.mechanisms = PUBLIC;
    }
    for _ in 0..100 {
        assert_eq!(
            bench.verdict("192.0.2.1", &forged(), SECOND),
            "forward none kept"
        );
    }
}
