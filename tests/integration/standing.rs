//! What is under way ends with what let it in (S5.7): bodies both ways, WebSockets.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adit::authn::session::{short, user};
use adit::handover::SESSION_COOKIE;

use crate::stage::bearer;
use crate::support::sign_in;
use crate::support::{Client, Edge, Ending, HOST, Setup, Tunnel, Upstream, eventually, gate};

const OTHER_SECRET: &str = "a new secret of the tests, which has more than thirty-two bytes";

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    WebSocket,
    /// An answer that begins and then says nothing.
    Answer,
    /// A request's body of which a piece is there.
    Upload,
}

const KINDS: [Kind; 3] = [Kind::WebSocket, Kind::Answer, Kind::Upload];

/// The example of RFC 6455 1.3.
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn head(kind: Kind, token: &str) -> String {
    match kind {
        Kind::WebSocket => format!(
            "GET /chat HTTP/1.1\r\nHost: {HOST}\r\n{token}Upgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ),
        Kind::Answer => format!("GET /events HTTP/1.1\r\nHost: {HOST}\r\n{token}\r\n"),
        Kind::Upload => format!(
            "POST /big HTTP/1.1\r\nHost: {HOST}\r\n{token}Content-Length: 1000000\r\n\r\nbegin"
        ),
    }
}

/// One exchange that goes on, and what its upstream saw of its end.
struct UnderWay {
    edge: Edge,
    client: Client,
    ended: std::sync::mpsc::Receiver<Vec<u8>>,
    upstream: Upstream,
    token: String,
}

fn under_way(kind: Kind, lives: u64) -> UnderWay {
    under_way_with(kind, lives, "")
}

/// `line`: what else its tunnel says.
fn under_way_with(kind: Kind, lives: u64, line: &str) -> UnderWay {
    let (tell, ended) = channel();
    let (began, begun) = channel();
    let tell = Arc::new(Mutex::new((tell, began)));
    let upstream = Upstream::scripted(move |mut peer| {
        if peer.request_head().is_none() {
            return;
        }
        match kind {
            Kind::WebSocket => peer.send(SWITCH),
            Kind::Answer => {
                peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nfirst");
            }
            Kind::Upload => assert_eq!(peer.exactly(5).unwrap(), b"begin"),
        }
        let (tell, began) = tell.lock().unwrap().clone();
        began.send(()).unwrap();
        let rest = peer.read_to_end().0;
        // The test may be over by then.
        let _ = tell.send(rest);
    });
    let edge = Edge::setup()
        .tunnel(Tunnel::guarded(HOST, &upstream).line(line))
        .start();
    let token = bearer(&edge.token(|claims| {
        let now = claims["iat"].as_u64().unwrap();
        claims.insert("exp".to_owned(), (now + lives).into());
    }));
    let mut client = edge.client();
    client.send(head(kind, &token));
    begun.recv().unwrap();
    match kind {
        Kind::WebSocket => {
            client.head().unwrap();
            client.send("word");
        }
        Kind::Answer => {
            client.head().unwrap();
            let first = client.some().unwrap();
            assert!(String::from_utf8_lossy(&first).contains("first"));
        }
        Kind::Upload => {}
    }
    UnderWay {
        edge,
        client,
        ended,
        upstream,
        token,
    }
}

impl UnderWay {
    /// The client is cut off, and so is the upstream, which has got no more than was sent before.
    fn ends(mut self, kind: Kind, why: &str) {
        let (rest, ending) = self.client.read_to_end();
        assert!(rest.is_empty(), "{kind:?}: {rest:?}");
        assert!(
            matches!(ending, Ending::Clean | Ending::Reset),
            "{ending:?}"
        );
        let ended = &self.ended;
        let mut got = None;
        self.edge
            .pass_until(Duration::from_millis(250), "the upstream sees it", || {
                got = ended.try_recv().ok();
                got.is_some()
            });
        let sent: &[u8] = if kind == Kind::WebSocket {
            b"word"
        } else {
            b""
        };
        assert_eq!(got.as_deref(), Some(sent), "{kind:?}");
        let line = self.edge.log_line();
        assert_eq!(line["reason"], "permission_ended", "{kind:?}: {line}");
        assert_eq!(line["ended_by"], "edge", "{line}");
        assert_eq!(line["detail"], why, "{line}");
    }

    fn goes_on(&mut self, kind: Kind) {
        self.edge.settle();
        assert!(!self.client.has_news(), "{kind:?}");
        assert!(self.ended.try_recv().is_err(), "{kind:?}");
    }
}

#[test]
fn a_token_that_is_no_longer_good_ends_what_it_opened() {
    for kind in KINDS {
        let mut one = under_way(kind, 3600);
        // The twin: a reload that changes something else.
        one.edge.reload(|setup| setup.tables("# nothing"));
        one.goes_on(kind);
        one.edge.reload(|setup| setup.secret(OTHER_SECRET));
        one.ends(kind, "token_signature");
    }
}

#[test]
fn a_token_that_expires_ends_what_it_opened() {
    for kind in KINDS {
        // Within the ten seconds after which a body that brings nothing is too slow.
        let mut one = under_way(kind, 8);
        one.edge.pass(Duration::from_secs(1));
        one.goes_on(kind);
        one.edge.pass(Duration::from_secs(7));
        one.ends(kind, "token_expired");
    }
}

const OUTLIVES: &str = "upgrades_outlive_expiry = true";

/// It exempts WebSockets from expiry alone.
#[test]
fn a_websocket_may_outlive_its_token_s_time_and_nothing_else() {
    for kind in KINDS {
        let mut one = under_way_with(kind, 5, OUTLIVES);
        one.edge.pass(Duration::from_secs(5));
        if kind != Kind::WebSocket {
            one.ends(kind, "token_expired");
            continue;
        }
        one.goes_on(kind);
        one.edge.reload(|setup| setup.tables("# nothing"));
        one.goes_on(kind);
        // Whoever begins now is refused all the same.
        let again = one.edge.client().ask(head(kind, &one.token));
        assert_eq!(again.status, 401);
        assert_eq!(one.edge.reason(), "token_expired");
        one.edge.reload(|setup| setup.secret(OTHER_SECRET));
        one.ends(kind, "token_signature");
    }
    // Nor does it outlive what allowed that.
    let mut one = under_way_with(Kind::WebSocket, 5, OUTLIVES);
    let url = one.upstream.url();
    one.edge.pass(Duration::from_secs(5));
    one.goes_on(Kind::WebSocket);
    let without = Tunnel::to(HOST, &url).line("token_auth = true");
    one.edge
        .reload(|setup| setup.without_tunnels().tunnel(without));
    one.ends(Kind::WebSocket, "token_expired");
}

#[test]
fn a_tunnel_that_is_gone_ends_what_it_carried() {
    for kind in KINDS {
        let mut one = under_way(kind, 3600);
        let elsewhere = |setup: Setup| {
            let upstream = Upstream::fixed("other");
            let other = Tunnel::public("other.t.example.test", &upstream);
            setup.without_tunnels().tunnel(other)
        };
        one.edge.reload(elsewhere);
        one.ends(kind, "host_unknown");
    }
}

#[test]
fn an_address_that_may_not_come_any_more_ends_what_it_opened() {
    for kind in KINDS {
        let mut one = under_way(kind, 3600);
        let upstream = one.upstream.url();
        let with = |list: &str| {
            let tunnel = Tunnel::to(HOST, &upstream).line("token_auth = true");
            let tunnel = tunnel.line(&format!("trusted_ips = [\"{list}\"]"));
            move |setup: Setup| setup.without_tunnels().tunnel(tunnel)
        };
        // The twin: a list that still has it.
        one.edge.reload(with("127.0.0.0/8"));
        one.goes_on(kind);
        one.edge.reload(with("10.0.0.0/8"));
        one.ends(kind, "address_not_trusted");
    }
}

/// A request that waits for its answer gets it: it was judged, and nothing of it is still to come.
#[test]
fn what_only_waits_for_its_answer_is_left_alone() {
    let (began, begun) = channel();
    let (go, wait) = gate();
    let began = Mutex::new(began);
    let upstream = Upstream::scripted(move |mut peer| {
        if peer.request().is_none() {
            return;
        }
        began.lock().unwrap().send(()).unwrap();
        wait.wait();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ninner");
        peer.read_to_end();
    });
    let mut edge = Edge::setup()
        .tunnel(Tunnel::guarded(HOST, &upstream))
        .start();
    let token = bearer(&edge.token(|_| ()));
    let mut client = edge.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{token}\r\n"));
    begun.recv().unwrap();
    edge.reload(|setup| setup.secret(OTHER_SECRET));
    go.open();
    assert_eq!(client.response().text(), "inner");
    eventually("the record is there", || {
        edge.log_text().contains("forwarded")
    });
    let again = client.ask(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{token}\r\n"));
    assert_eq!(again.status, 401);
}

#[test]
fn a_session_that_ends_takes_what_it_opened_with_it() {
    for by_sign_out in [true, false] {
        let upstream = Upstream::scripted(|mut peer| {
            peer.request();
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nfirst");
            peer.read_to_end();
        });
        let tunnel = Tunnel::to(HOST, &upstream.url()).line("rstream_auth = true");
        let edge = sign_in::setup().tunnel(tunnel).start();
        let (cookie, began) = sign_in::session(&edge);
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {HOST}\r\nSec-Fetch-Mode: cors\r\nCookie: {SESSION_COOKIE}={cookie}\r\n\r\n"
        );
        let mut client = edge.tls_client(HOST);
        client.send(&request);
        assert!(client.head().unwrap().starts_with(b"HTTP/1.1 200 "));
        client.some().unwrap();
        let ana = user(&short(&[b"builtin"]), "ana");
        if by_sign_out {
            // The twin: before it began, and somebody else.
            edge.engine().end_sessions(&[ana], began - 1);
            edge.engine()
                .end_sessions(&[user(&short(&[b"builtin"]), "bob")], began);
            edge.settle();
            assert!(!client.has_news());
            edge.engine().end_sessions(&[ana], began);
        } else {
            edge.pass(Duration::from_secs(3600));
        }
        assert!(client.read_to_end().0.is_empty());
        edge.pass(Duration::from_millis(250));
        let line = edge.log_line();
        assert_eq!(line["reason"], "permission_ended", "{line}");
        let why = if by_sign_out {
            "session_ended"
        } else {
            "session_expired"
        };
        assert_eq!(line["detail"], why, "{line}");
        let mut client = edge.tls_client(HOST);
        assert_eq!(client.ask(&request).status, 401);
    }
}
