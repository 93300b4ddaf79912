//! Several servers of one tunnel: each in turn, a dead one rests and is found again, names lead elsewhere.

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use crate::support::{Client, Edge, HOST, Place, Tunnel, Upstream, eventually};

const SECOND: Duration = Duration::from_secs(1);

fn get() -> String {
    format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

fn tunnel(urls: &[String]) -> Tunnel {
    Tunnel::to_all(HOST, urls).line("public = true")
}

fn edge(urls: &[String]) -> Edge {
    Edge::setup().tunnel(tunnel(urls)).start()
}

fn ask(edge: &Edge) -> String {
    ask_on(&mut edge.client())
}

fn ask_on(client: &mut Client) -> String {
    let answer = client.ask(get());
    assert_eq!(answer.status, 200);
    answer.text().to_owned()
}

fn resting(edge: &Edge) -> u64 {
    edge.engine().reports()[0].1.upstream_resting
}

#[test]
fn each_server_is_asked_in_turn() {
    let servers = ["a", "b", "c"].map(Upstream::fixed);
    let edge = edge(&servers.each_ref().map(Upstream::url));
    let mut client = edge.client();
    let answers: String = (0..7).map(|_| ask_on(&mut client)).collect();
    assert_eq!(answers, "abcabca");
    // The same server written twice is one.
    let twice = [
        servers[0].url(),
        format!("{}/", servers[0].url()),
        servers[1].url(),
    ];
    let edge = self::edge(&twice);
    let answers: String = (0..4).map(|_| ask(&edge)).collect();
    assert_eq!(answers, "abab");
}

#[test]
fn a_dead_server_costs_no_request_and_rests() {
    let alive = Upstream::fixed("alive");
    let dead = Place::any();
    let edge = edge(&[dead.url(), alive.url()]);
    // With a body too: nothing was sent when the connect failed.
    let post = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(edge.client().ask(post).text(), "alive");
    for _ in 0..5 {
        assert_eq!(ask(&edge), "alive");
    }
    let report = &edge.engine().reports()[0].1;
    assert_eq!(
        (report.upstream_connect_failures, report.upstream_resting),
        (1, 1)
    );
}

#[test]
fn a_probe_brings_a_server_back() {
    let alive = Upstream::fixed("alive");
    let dead = Place::any();
    let edge = edge(&[dead.url(), alive.url()]);
    assert_eq!(ask(&edge), "alive");
    assert_eq!(resting(&edge), 1);
    // Not back yet: it rests on, and no request notices.
    edge.pass(11 * SECOND);
    eventually("the probe has failed", || {
        edge.engine().reports()[0].1.upstream_connect_failures == 2
    });
    assert_eq!(resting(&edge), 1);
    assert_eq!(ask(&edge), "alive");
    let back = dead.fixed("back");
    edge.pass(5 * SECOND);
    assert_eq!(resting(&edge), 1);
    edge.pass_until(6 * SECOND, "the server is back", || resting(&edge) == 0);
    let answers: Vec<_> = (0..4).map(|_| ask(&edge)).collect();
    assert_eq!(answers.iter().filter(|text| *text == "back").count(), 2);
    // The probe's connection carried the requests.
    assert_eq!(back.connections(), 1);
}

#[test]
fn where_all_are_dead_each_is_tried_once() {
    let (first, second) = (Place::any(), Place::any());
    let edge = edge(&[first.url(), second.url()]);
    for failures in [2, 4] {
        assert_eq!(edge.client().ask(get()).status, 502);
        assert_eq!(edge.reason(), "upstream_connect");
        let report = &edge.engine().reports()[0].1;
        assert_eq!(report.upstream_connect_failures, failures);
    }
    let back = second.fixed("back");
    assert_eq!(ask(&edge), "back");
    drop(back);
    // A single server is always tried.
    let lonely = Place::any();
    let edge = self::edge(&[lonely.url()]);
    assert_eq!(edge.client().ask(get()).status, 502);
    let _back = lonely.fixed("back");
    assert_eq!(ask(&edge), "back");
    assert_eq!(resting(&edge), 0);
}

#[test]
fn a_socket_in_the_file_system_serves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut bytes = [0; 4096];
            while matches!(stream.read(&mut bytes), Ok(1..)) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nunix");
            }
        }
    });
    let other = Upstream::fixed("tcp");
    let url = format!("unix:{}", path.display());
    let edge = edge(&[url, other.url()]);
    let mut client = edge.client();
    let answers: Vec<_> = (0..4).map(|_| ask_on(&mut client)).collect();
    assert_eq!(answers, ["unix", "tcp", "unix", "tcp"]);
    let report = &edge.engine().reports()[0].1;
    assert_eq!((report.upstream_connects, report.upstream_reused), (2, 2));
    // Nobody there: a bad gateway.
    let gone = folder.path().join("gone.sock");
    let edge = self::edge(&[format!("unix:{}", gone.display())]);
    assert_eq!(edge.client().ask(get()).status, 502);
    assert_eq!(edge.reason(), "upstream_connect");
}

#[test]
fn a_name_that_leads_elsewhere_is_followed_and_what_was_verified_stays() {
    // One port on two addresses, both free.
    let (first, second) = std::iter::repeat_with(Place::any)
        .find_map(|first| {
            let beside = SocketAddr::from(([127, 0, 0, 2], first.address().port()));
            Some((first, Place::at(beside).ok()?))
        })
        .unwrap();
    let port = first.address().port();
    let _servers = [first.fixed("first"), second.fixed("second")];
    let guarded = Tunnel::to(HOST, &format!("http://localhost:{port}")).line("token_auth = true");
    let edge = Edge::setup().tunnel(guarded).start();
    let to = |addresses: &'static [&'static str]| {
        move |host: &str, port: u16| -> Vec<SocketAddr> {
            assert_eq!(host, "localhost");
            let parse = |ip: &&str| SocketAddr::new(ip.parse().unwrap(), port);
            addresses.iter().map(parse).collect()
        }
    };
    let token = edge.token(|_| {});
    let ask = || {
        let request = get().replacen(
            "\r\n\r\n",
            &format!("\r\nAuthorization: Bearer {token}\r\n\r\n"),
            1,
        );
        edge.client().ask(request).text().to_owned()
    };
    edge.engine().resolve(to(&["127.0.0.1"]));
    assert_eq!(ask(), "first");
    edge.engine().resolve(to(&["127.0.0.2"]));
    assert_eq!(ask(), "second");
    // Nothing found, or the edge itself: the last addresses go on.
    edge.engine().resolve(to(&[]));
    assert_eq!(ask(), "second");
    edge.engine().resolve(to(&["127.0.0.2", "127.0.0.1"]));
    let mut both = [ask(), ask()];
    both.sort();
    assert_eq!(both, ["first", "second"]);
    let report = &edge.engine().reports()[0].1;
    assert_eq!((report.token_cache_misses, report.token_cache_hits), (1, 4));
}

#[test]
fn a_name_that_leads_to_the_edge_itself_is_not_followed() {
    let upstream = Upstream::fixed("ok");
    let edge = Edge::setup()
        .tunnel(tunnel(&[format!(
            "http://localhost:{}",
            upstream.address().port()
        )]))
        .start();
    edge.engine().resolve(|_, _| vec![upstream.address()]);
    assert_eq!(ask(&edge), "ok");
    edge.engine().resolve(|_, _| vec![edge.http()]);
    assert_eq!(ask(&edge), "ok");
}

#[test]
fn servers_come_and_go_with_a_reload() {
    let servers = ["a", "b"].map(Upstream::fixed);
    let urls = servers.each_ref().map(Upstream::url);
    let mut edge = edge(&urls);
    let all: String = (0..2).map(|_| ask(&edge)).collect();
    assert_eq!(all, "ab");
    edge.reload(|setup| setup.without_tunnels().tunnel(tunnel(&urls[1..])));
    assert_eq!((ask(&edge), ask(&edge)), ("b".to_owned(), "b".to_owned()));
    // The connection of the one that stayed was kept, that of the other one closed.
    assert_eq!(servers[1].connections(), 1);
    assert_eq!(edge.engine().reports()[0].1.upstream_idle, 1);
}
