//! However a client's bytes are cut on their way, the same comes of them: the answer, the reason, and what the upstream
//! sees (S1).

use std::fmt::Write as _;

use crate::support::{Client, Edge, HOST, Tunnel, Upstream, ok};

/// Requests as they should be, and as they should not; `HOST` stands for the tunnel's host.
const REQUESTS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "\r\nGET /a?b=%20 HTTP/1.1\r\nHost: HOST:8080\r\nX-A:  b \r\nX-A: c\r\n\r\n",
    "GET http://HOST?q HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: HOST\r\nMax-Forwards: 3\r\n\r\n",
    "GET / HTTP/1.0\r\nHost: HOST\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: HOST\r\nConnection: x, close\r\nX: 1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 10\r\n\r\nGET / HTTP",
    "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"\\\"\"\r\nabc\r\n0a\r\n\r\n\r\n\r\n\r\n\r\n\r\n000\r\nX: y\r\n\r\n",
    "GET /1 HTTP/1.1\r\nHost: HOST\r\n\r\nGET /2 HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "POST /1 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\nab\r\nPUT /2 HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n",
    "GET /.well-known/rstream/x HTTP/1.1\r\nHost: HOST\r\n\r\nGET /2 HTTP/1.1\r\nHost: HOST\r\n\r\n",
    // From here on each is refused.
    "GET / HTTP/1.1\r\nHost: HOST\nX: y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nX: y\rZ: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nX: y\r\n z\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : HOST\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nhost: HOST\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nX: \0\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "GET /#f HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT HOST:443 HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n2;\n\r\nab\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n",
    "GET /1 HTTP/1.1\r\nHost: HOST\r\n\r\nGET /2 HTTP/1.1\nHost: HOST\r\n\r\n",
];

/// Answers with everything that it saw.
fn mirror() -> Upstream {
    Upstream::serving(|request| {
        let mut seen = format!("{}\n", request.line());
        for (name, value) in request.fields() {
            if !matches!(name, "X-Request-Id" | "X-Forwarded-Proto") {
                let _ = writeln!(seen, "{name}: {value}");
            }
        }
        match request.line().starts_with("HEAD") {
            true => ok(""),
            false => ok([seen.as_bytes(), &request.body].concat()),
        }
    })
}

/// Everything that comes back until the end, without dates and ids.
fn rest(client: &mut Client) -> String {
    client.finish();
    let (bytes, ending) = client.read_to_end();
    let lines = std::str::from_utf8(&bytes).unwrap().split("\r\n");
    let kept = lines.filter(|line| !line.starts_with("Date:") && !line.starts_with("X-Request-Id"));
    format!("{}\n{ending:?}", kept.collect::<Vec<_>>().join("\n"))
}

fn edge(upstream: &Upstream) -> Edge {
    Edge::setup()
        .https()
        .tunnel(Tunnel::public(HOST, upstream))
        .start()
}

/// What comes of a request: the bytes back, and the reasons in the log.
struct Outcome {
    request: String,
    answer: String,
    reasons: Vec<String>,
}

/// What comes of each request that is sent at once.
fn outcomes(edge: &Edge) -> Vec<Outcome> {
    let outcome = |request: &&str| {
        let request = request.replace("HOST", HOST);
        let mut client = edge.client();
        client.send(&request);
        let answer = rest(&mut client);
        let count = answer.matches("HTTP/1.1 ").count();
        Outcome {
            reasons: (0..count).map(|_| edge.reason()).collect(),
            request,
            answer,
        }
    };
    REQUESTS.iter().map(outcome).collect()
}

/// The same answer on each of these connections, and the same reasons so many times.
fn assert_same(edge: &Edge, clients: Vec<Client>, outcome: &Outcome) {
    let times = clients.len();
    for (index, mut client) in clients.into_iter().enumerate() {
        let answer = rest(&mut client);
        assert_eq!(answer, outcome.answer, "{:?}, {index}", outcome.request);
    }
    // Connections end side by side, and so do their lines.
    let count = times * outcome.reasons.len();
    let mut found: Vec<_> = (0..count).map(|_| edge.reason()).collect();
    found.sort();
    let mut expected = vec![outcome.reasons.clone(); times].concat();
    expected.sort();
    assert_eq!(found, expected, "{:?}", outcome.request);
}

#[test]
fn two_pieces_are_as_good_as_one() {
    let upstream = mirror();
    let edge = edge(&upstream);
    for outcome in outcomes(&edge) {
        let request = outcome.request.as_bytes();
        let mut clients: Vec<_> = (1..request.len()).map(|_| edge.client()).collect();
        for (client, cut) in clients.iter_mut().zip(1..) {
            client.send(&request[..cut]);
        }
        edge.settle();
        for (client, cut) in clients.iter_mut().zip(1..) {
            // The first piece may have been refused already; then nobody takes the second.
            let _ = client.try_send(&request[cut..]);
        }
        assert_same(&edge, clients, &outcome);
    }
}

#[test]
fn every_byte_may_come_alone_and_in_a_record_of_its_own() {
    let upstream = mirror();
    let edge = edge(&upstream);
    for outcome in outcomes(&edge) {
        let mut clients = vec![edge.client(), edge.tls_client(HOST)];
        for byte in outcome.request.as_bytes() {
            for client in &mut clients {
                let _ = client.try_send(&[*byte]);
            }
            edge.settle();
        }
        assert_same(&edge, clients, &outcome);
    }
}
