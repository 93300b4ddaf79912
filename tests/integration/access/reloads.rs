//! Lists and databases that change: the next head is judged by the new ones, on connections that are open too.

use super::{asked, client, german_and_french, setup, with_countries};
use crate::stage::get;
use crate::support::countries::database;
use crate::support::{Edge, HOST, Setup, Tunnel, Upstream, ok};

/// What the next request on an open connection comes to.
fn next(edge: &Edge, client: &mut crate::support::Client) -> (u16, String) {
    let status = client.ask(get("/", "")).status;
    (status, edge.reason())
}

fn forwarded() -> (u16, String) {
    (200, "forwarded".to_owned())
}

fn refused(reason: &str) -> (u16, String) {
    (403, reason.to_owned())
}

#[test]
fn a_list_that_is_tightened_or_widened_counts_from_the_next_head_on() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let tunnel = |list: &str| Tunnel::public(HOST, &upstream).line(list);
    let with = |list: &str| {
        let tunnel = tunnel(list);
        move |setup: Setup| setup.without_tunnels().tunnel(tunnel)
    };
    let mut edge = setup([tunnel("trusted_ips = [\"192.0.2.0/24\"]")]).start();
    let mut inside = client(&edge, "192.0.2.1");
    let mut outside = client(&edge, "198.51.100.1");
    let mut half = client(&edge, "192.0.2.1");
    half.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n"));
    edge.settle();
    assert_eq!(next(&edge, &mut inside), forwarded());
    assert_eq!(next(&edge, &mut outside), refused("address_not_trusted"));
    edge.reload(with("trusted_ips = [\"198.51.100.0/24\"]"));
    assert_eq!(next(&edge, &mut inside), refused("address_not_trusted"));
    assert_eq!(next(&edge, &mut outside), forwarded());
    half.send("\r\n");
    assert_eq!(half.response().status, 403);
    assert_eq!(edge.reason(), "address_not_trusted");
    edge.reload(with("trusted_ips = []"));
    assert_eq!(next(&edge, &mut inside), forwarded());
    assert_eq!(next(&edge, &mut outside), forwarded());
    // That of the project as well.
    edge.reload(|setup| setup.project("trusted_ips = [\"192.0.2.0/24\"]"));
    assert_eq!(next(&edge, &mut inside), forwarded());
    assert_eq!(next(&edge, &mut outside), refused("address_not_trusted"));
}

#[test]
fn another_database_counts_from_the_next_head_on_on_every_core() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let tunnel = Tunnel::public(HOST, &upstream).line("geoip = [\"DE\"]");
    let mut edge = with_countries(setup([tunnel])).cores(2).start();
    let mut clients: Vec<_> = (0..16).map(|_| client(&edge, "192.0.2.1")).collect();
    for client in &mut clients {
        assert_eq!(next(&edge, client), forwarded());
    }
    // The same network is in France now.
    let moved = database(&[("::192.0.2.0/120", "FR"), ("::203.0.113.0/120", "DE")]);
    edge.reload(|setup| setup.file("countries.mmdb", &moved));
    for client in &mut clients {
        assert_eq!(next(&edge, client), refused("country_not_allowed"));
    }
    assert_eq!(asked(&edge, "203.0.113.1", &get("/", "")), forwarded());
    edge.reload(|setup| setup.file("countries.mmdb", &german_and_french()));
    for client in &mut clients {
        assert_eq!(next(&edge, client), forwarded());
    }
}
