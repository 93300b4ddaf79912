//! S6.3: a listener without TLS that other machines reach is for listed balancers alone, and says what scheme it was.

use super::{PROXY, STRANGER, client};
use crate::stage::{bearer, get};
use crate::support::{Client, Edge, HOST, Setup, Tunnel, Upstream, ok};

const TRUST: &str = "[client_address]\nproxy_protocol_from = [\"127.0.0.1\"]\nforwarded_from = [\"127.0.0.2\", \"198.51.100.1\"]";

fn setup(upstream: &Upstream) -> Setup {
    Edge::setup()
        .behind_tls_balancer()
        .tunnel(Tunnel::guarded(HOST, upstream))
        .tables(TRUST)
}

fn cut_off(edge: &Edge) -> u64 {
    let reports = edge.engine().reports();
    let mut all = reports[0].1.bad_preambles();
    all.find(|(reason, _)| *reason == "balancer_unlisted")
        .map_or(0, |(_, count)| count)
}

#[test]
fn only_listed_peers_may_connect_and_their_word_on_the_scheme_counts() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let mut edge = setup(&upstream).start();
    let token = bearer(&edge.token(|_| ()));
    let request = |more: &str| get("/", &format!("{token}{more}"));
    for count in 1..=2 {
        let mut stranger = Client::from(STRANGER, edge.http());
        let _ = stranger.try_send(request("X-Forwarded-Proto: https\r\n").as_bytes());
        assert_eq!(stranger.read_to_end().0, b"");
        assert_eq!(cut_off(&edge), count);
    }
    upstream.assert_untouched();
    let https = "X-Forwarded-Proto: https\r\n";
    let scheme = |client: &mut Client, more: &str| {
        assert_eq!(client.ask(request(more)).status, 200);
        let seen = upstream.next_request();
        let all: Vec<_> = seen
            .fields()
            .into_iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-proto"))
            .collect();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].1.to_owned()
    };
    let mut proxy = Client::from(PROXY, edge.http());
    for (said, told) in [
        (https, "https"),
        ("X-Forwarded-Proto: http\r\n", "http"),
        ("", "http"),
        ("X-Forwarded-Proto: https, http\r\n", "http"),
        (&*https.repeat(2), "http"),
        ("X-Forwarded-Proto: gopher\r\n", "http"),
        (https, "https"),
    ] {
        assert_eq!(scheme(&mut proxy, said), told, "{said}");
    }
    // Behind a balancer that says whose connection it is alone, a client says nothing of itself.
    assert_eq!(scheme(&mut client(&edge, "192.0.2.1"), https), "http");
    assert_eq!(scheme(&mut client(&edge, "198.51.100.1"), https), "https");
    // Without a balancer, the scheme is what it is.
    edge.reload(|setup| setup.http_at("127.0.0.1:0".parse().unwrap()));
    assert_eq!(scheme(&mut Client::from(PROXY, edge.http()), https), "http");
    assert_eq!(
        scheme(&mut Client::from(STRANGER, edge.http()), https),
        "http"
    );
}
