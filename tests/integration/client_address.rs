//! S7: who a request is from, where balancers and proxies stand before the edge.
//!
//! Loopback has many addresses: 127.0.0.1 is a trusted balancer, 127.0.0.2 a trusted proxy, 127.0.0.3 neither.

use std::io::Write;
use std::time::Duration;

use crate::support::{Client, Edge, Ending, HOST, TlsOptions, Tunnel, Upstream};

const BALANCER: &str = "127.0.0.1";
const PROXY: &str = "127.0.0.2";
const STRANGER: &str = "127.0.0.3";

const TRUST: &str = "[client_address]\nproxy_protocol_from = [\"127.0.0.1\"]\nforwarded_from = [\"127.0.0.2\", \"10.0.0.0/8\"]";

fn edge(upstream: &Upstream) -> Edge {
    Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, upstream))
        .tables(TRUST)
        .start()
}

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n")
}

/// A preamble of version 2.
pub fn preamble(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend((rest.len() as u16).to_be_bytes());
    [&bytes, rest].concat()
}

/// A connection through the balancer from this IPv4 address.
pub fn from(address: [u8; 4]) -> Vec<u8> {
    preamble(
        0x21,
        0x11,
        &[&address[..], &[10, 0, 0, 1, 1, 2, 3, 4]].concat(),
    )
}

/// What upstream and log were told of the next request's client.
fn told(edge: &Edge, upstream: &Upstream) -> (Option<String>, String) {
    let seen = upstream.next_request();
    let forwarded = seen.field("x-forwarded-for").map(str::to_owned);
    let line = edge.log_line();
    (forwarded, line["client"].as_str().unwrap().to_owned())
}

fn counted(edge: &Edge, reason: &str) -> u64 {
    let reports = edge.engine().reports();
    let mut all = reports[0].1.bad_preambles();
    all.find(|(found, _)| *found == reason)
        .map_or(0, |(_, count)| count)
}

#[test]
fn a_trusted_balancer_says_whose_connection_it_is() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream);
    let v6: std::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
    let mapped: std::net::Ipv6Addr = "::ffff:192.0.2.9".parse().unwrap();
    let in_v6 = |address: std::net::Ipv6Addr| {
        preamble(0x21, 0x21, &[&address.octets()[..], &[0; 20]].concat())
    };
    let extended = preamble(
        0x21,
        0x11,
        &[192, 0, 2, 8, 10, 0, 0, 1, 1, 2, 3, 4, 4, 0, 2, 9, 9],
    );
    for (bytes, client) in [
        (from([192, 0, 2, 7]), Some("192.0.2.7")),
        (extended, Some("192.0.2.8")),
        (in_v6(v6), Some("2001:db8::7")),
        (in_v6(mapped), Some("192.0.2.9")),
        (preamble(0x20, 0, b""), Some(BALANCER)),
        (preamble(0x21, 0, b""), None),
        (preamble(0x21, 0x31, &[0; 216]), None),
        (preamble(0x21, 0, &[7; 4096]), None),
    ] {
        let expected = (
            client.map(str::to_owned),
            client.unwrap_or_default().to_owned(),
        );
        // Preamble and request in one packet, byte by byte, and before TLS.
        let mut plain = edge.client();
        plain.send([bytes.clone(), get("").into_bytes()].concat());
        assert_eq!(plain.response().status, 200);
        assert_eq!(told(&edge, &upstream), expected);
        assert_eq!(plain.ask(get("X-Forwarded-For: 6.6.6.6\r\n")).status, 200);
        assert_eq!(told(&edge, &upstream), expected);
        let mut dribbled = edge.client();
        dribbled.dribble([bytes.clone(), get("").into_bytes()].concat());
        assert_eq!(dribbled.response().status, 200);
        assert_eq!(told(&edge, &upstream), expected);
        let mut socket = std::net::TcpStream::connect(edge.https()).unwrap();
        socket.write_all(&bytes).unwrap();
        let mut tls = edge.tls_client_on(socket, &TlsOptions::new(HOST)).unwrap();
        assert_eq!(tls.ask(get("")).status, 200);
        assert_eq!(told(&edge, &upstream), expected);
    }
}

#[test]
fn without_a_good_preamble_a_balancer_gets_no_word() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream);
    let good = from([192, 0, 2, 7]);
    let broken = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let request = get("").into_bytes();
    let mut count = std::collections::BTreeMap::new();
    for (bytes, reason) in [
        (request.clone(), "proxy_missing"),
        (
            b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(),
            "proxy_missing",
        ),
        (broken(11, b'X'), "proxy_missing"),
        (broken(12, 0x11), "proxy_bad"),
        (broken(12, 0x22), "proxy_bad"),
        (broken(13, 0x12), "proxy_bad"),
        (broken(15, 11), "proxy_bad"),
        (preamble(0x21, 0x11, &[1; 14]), "proxy_bad"),
        (preamble(0x21, 0, &[0; 4097]), "proxy_bad"),
    ] {
        for address in [edge.http(), edge.https()] {
            let mut client = Client::plain(address);
            let _ = client.try_send(&[bytes.clone(), request.clone()].concat());
            let (answer, ending) = client.read_to_end();
            assert_eq!(answer, b"", "{reason}");
            assert_ne!(ending, Ending::Silent);
            *count.entry(reason).or_insert(0) += 1;
            assert_eq!(counted(&edge, reason), count[reason]);
        }
    }
    // A second preamble is a request, and none that could be read.
    let mut client = edge.client();
    client.send([good.clone(), good].concat());
    assert_eq!(client.read_to_end().0, b"");
    upstream.assert_untouched();
}

#[test]
fn a_preamble_comes_in_time() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream);
    let good = from([192, 0, 2, 7]);
    for sent in [0, 5, 20] {
        let mut client = edge.client();
        client.send(&good[..sent]);
        edge.pass_until(Duration::from_secs(6), "the preamble is given up", || {
            client.has_news()
        });
        assert_eq!(client.read_to_end().0, b"");
    }
    assert_eq!(counted(&edge, "proxy_late"), 3);
    let mut client = edge.client();
    client.send(&good[..20]);
    edge.pass(Duration::from_secs(4));
    client.send(&good[20..]);
    assert_eq!(client.ask(get("")).status, 200);
}

#[test]
fn whoever_is_not_listed_sends_no_preamble() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream);
    for sender in [PROXY, STRANGER] {
        for bytes in [from([192, 0, 2, 7]), preamble(0x20, 0, b"")] {
            for one_by_one in [false, true] {
                let mut client = Client::from(sender, edge.http());
                let bytes = [bytes.clone(), get("").into_bytes()].concat();
                if one_by_one {
                    for byte in bytes {
                        let _ = client.try_send(&[byte]);
                    }
                } else {
                    client.send(bytes);
                }
                assert_eq!(client.read_to_end().0, b"");
            }
        }
    }
    assert_eq!(counted(&edge, "proxy_unlisted"), 8);
    // On a TLS listener it is no handshake.
    let mut client = Client::from(STRANGER, edge.https());
    client.send(from([192, 0, 2, 7]));
    let _ = client.read_to_end();
    upstream.assert_untouched();
    // An empty line before a request is none.
    let mut client = Client::from(STRANGER, edge.http());
    client.send("\r\n");
    edge.settle();
    assert_eq!(client.ask(get("")).status, 200);
    assert_eq!(told(&edge, &upstream).1, STRANGER);
    let mut client = Client::from(STRANGER, edge.http());
    client.send("\r\n\r\n");
    edge.settle();
    client.send(get(""));
    assert_eq!(client.response().status, 400);
}

#[test]
fn only_a_trusted_proxy_is_believed_and_the_rightmost_stranger_is_the_client() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream);
    for (sender, fields, client) in [
        (PROXY, "", Some(PROXY)),
        (PROXY, "X-Forwarded-For: 192.0.2.1\r\n", Some("192.0.2.1")),
        (
            PROXY,
            "X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.3\r\n",
            Some("192.0.2.1"),
        ),
        (
            PROXY,
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.1\r\n",
            Some("192.0.2.1"),
        ),
        (PROXY, "X-Forwarded-For: 192.0.2.1, bad\r\n", None),
        (PROXY, "X_Forwarded_For: 192.0.2.1\r\n", Some(PROXY)),
        (PROXY, "X-Real-IP: 192.0.2.1\r\n", Some(PROXY)),
        (STRANGER, "X-Forwarded-For: 192.0.2.1\r\n", Some(STRANGER)),
    ] {
        let mut connection = Client::from(sender, edge.http());
        assert_eq!(connection.ask(get(fields)).status, 200);
        let expected = (
            client.map(str::to_owned),
            client.unwrap_or_default().to_owned(),
        );
        assert_eq!(told(&edge, &upstream), expected, "{fields}");
        // The next request speaks for itself.
        assert_eq!(connection.ask(get("")).status, 200);
        assert_eq!(told(&edge, &upstream).1, sender);
    }
    // After a preamble the question is asked of the address it gave.
    for (address, client) in [([10, 0, 0, 9], "192.0.2.1"), ([11, 0, 0, 9], "11.0.0.9")] {
        let mut connection = edge.client();
        connection.send(from(address));
        assert_eq!(
            connection.ask(get("X-Forwarded-For: 192.0.2.1\r\n")).status,
            200
        );
        assert_eq!(told(&edge, &upstream).1, client);
    }
}

#[test]
fn only_a_trusted_proxy_names_a_request() {
    let upstream = Upstream::fixed("ok");
    let edge = edge(&upstream);
    let longest = "x".repeat(64);
    for (sender, id, taken) in [
        (PROXY, "abc-1.2_3", true),
        (PROXY, &longest, true),
        (PROXY, &format!("{longest}x"), false),
        (PROXY, "a b", false),
        (PROXY, "a\"b", false),
        (STRANGER, "abc-1.2_3", false),
    ] {
        let mut client = Client::from(sender, edge.http());
        assert_eq!(
            client.ask(get(&format!("X-Request-Id: {id}\r\n"))).status,
            200
        );
        let seen = upstream.next_request();
        let seen = seen.field("x-request-id").unwrap();
        assert_eq!(seen == id, taken, "{id}");
        assert_eq!(edge.log_line()["request_id"], seen);
        assert!(taken || seen.len() == 32);
    }
}

/// Connections are counted by the address that the balancer gave: else all its clients would be one.
#[test]
fn places_are_counted_by_the_clients_address() {
    let upstream = Upstream::fixed("ok");
    let edge = Edge::setup()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables(&format!("{TRUST}\n[limits]\nconnections_per_address = 1"))
        .start();
    let open = |last: u8| {
        let mut client = edge.client();
        client.send(from([192, 0, 2, last]));
        let _ = client.try_send(get("").as_bytes());
        client
    };
    let (mut first, mut second) = (open(1), open(2));
    assert_eq!(first.response().status, 200);
    assert_eq!(second.response().status, 200);
    assert_eq!(open(1).read_to_end().0, b"");
}
