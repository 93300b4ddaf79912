//! Handshakes and records as bytes: split, joined, broken.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::stage::get;
use crate::support::{Client, Edge, Ending, HOST, PATIENCE, TlsOptions, Upstream, eventually};

use super::{setup, with};

/// A TLS client whose packets are cut by hand.
struct Hand {
    session: ClientConnection,
    socket: TcpStream,
}

impl Hand {
    fn new(edge: &Edge, config: &Arc<ClientConfig>) -> Self {
        let socket = TcpStream::connect(edge.https()).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        Hand {
            session: ClientConnection::new(config.clone(), name).unwrap(),
            socket,
        }
    }

    /// What the session wants to send.
    fn pending(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.session.wants_write() {
            self.session.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Takes what comes until `done`.
    fn receive(&mut self, done: impl Fn(&ClientConnection) -> bool) {
        while !done(&self.session) {
            assert_ne!(self.session.read_tls(&mut self.socket).unwrap(), 0);
            self.session.process_new_packets().unwrap();
        }
    }

    /// Plain bytes, until they end with `end`.
    fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        let mut stream = rustls::Stream::new(&mut self.session, &mut self.socket);
        let mut byte = [0];
        while !plain.ends_with(end) {
            stream.read_exact(&mut byte).unwrap();
            plain.push(byte[0]);
        }
        plain
    }

    /// The rest of the handshake and one exchange.
    fn goes_on(mut self) {
        while self.session.is_handshaking() {
            self.session.complete_io(&mut self.socket).unwrap();
        }
        self.session
            .writer()
            .write_all(get("/", "").as_bytes())
            .unwrap();
        let bytes = self.pending();
        self.send(&bytes);
        self.read_until(b"inside");
    }
}

fn configs(edge: &Edge) -> [Arc<ClientConfig>; 2] {
    [&rustls::version::TLS12, &rustls::version::TLS13].map(|version| {
        with(|options| options.versions = vec![version]).config(edge.authority().roots())
    })
}

#[test]
fn a_client_hello_may_be_split_anywhere() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    let config = TlsOptions::new(HOST).config(edge.authority().roots());
    let length = Hand::new(&edge, &config).pending().len();
    for at in 1..length {
        let mut hand = Hand::new(&edge, &config);
        let hello = hand.pending();
        let (first, second) = hello.split_at(at.min(hello.len() - 1));
        hand.send(first);
        hand.send(second);
        hand.goes_on();
    }
}

#[test]
fn every_byte_of_a_handshake_may_come_alone() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    for config in configs(&edge) {
        let mut hand = Hand::new(&edge, &config);
        while hand.session.is_handshaking() {
            for byte in hand.pending() {
                hand.send(&[byte]);
            }
            hand.receive(|session| session.wants_write() || !session.is_handshaking());
        }
        let rest = hand.pending();
        for byte in rest {
            hand.send(&[byte]);
        }
        hand.goes_on();
    }
}

/// RFC 8446 5.1: a message may be spread over records of any length.
#[test]
fn a_client_hello_may_be_spread_over_records() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    let config = TlsOptions::new(HOST).config(edge.authority().roots());
    for size in [1, 4, 100] {
        let mut hand = Hand::new(&edge, &config);
        let hello = hand.pending();
        let mut records = Vec::new();
        for piece in hello[5..].chunks(size) {
            records.extend_from_slice(&[22, 3, 1, 0, piece.len() as u8]);
            records.extend_from_slice(piece);
        }
        hand.send(&records);
        hand.goes_on();
    }
}

#[test]
fn a_request_may_come_with_the_last_message_of_the_handshake() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    let [old, new] = configs(&edge);
    // The second of each resumes: in TLS 1.2 the client has the last word only then.
    for config in [old.clone(), old, new.clone(), new] {
        let mut hand = Hand::new(&edge, &config);
        let hello = hand.pending();
        hand.send(&hello);
        // Up to the moment when the client has everything to send its `Finished`.
        hand.receive(|session| session.wants_write());
        let has_last_word = !hand.session.is_handshaking();
        for _ in 0..3 {
            hand.session
                .writer()
                .write_all(get("/", "").as_bytes())
                .unwrap();
        }
        if has_last_word {
            let all = hand.pending();
            hand.send(&all);
        }
        for _ in 0..3 {
            hand.read_until(b"inside");
        }
    }
    for _ in 0..12 {
        upstream.next_request();
    }
}

#[test]
fn many_small_records_may_come_at_once() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    for config in configs(&edge) {
        let mut hand = Hand::new(&edge, &config);
        while hand.session.is_handshaking() {
            hand.session.complete_io(&mut hand.socket).unwrap();
        }
        let mut records = Vec::new();
        for byte in get("/", "X-Long: and so on\r\n").repeat(5).bytes() {
            hand.session.writer().write_all(&[byte]).unwrap();
            records.extend_from_slice(&hand.pending());
        }
        hand.send(&records);
        for _ in 0..5 {
            hand.read_until(b"inside");
        }
        // And one record in two.
        hand.session
            .writer()
            .write_all(get("/", "").repeat(2).as_bytes())
            .unwrap();
        let records = hand.pending();
        let (first, second) = records.split_at(records.len() / 2);
        hand.send(first);
        hand.send(second);
        hand.read_until(b"inside");
        hand.read_until(b"inside");
    }
}

#[test]
fn what_is_not_tls_gets_an_alert_and_an_end() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    let mut huge = Vec::new();
    for index in 0..20 {
        huge.extend_from_slice(&[22, 3, 1, 0x40, 0]);
        let mut payload = vec![0; 0x4000];
        if index == 0 {
            // A ClientHello of sixteen megabytes.
            payload[..4].copy_from_slice(&[1, 0xff, 0xff, 0xff]);
        }
        huge.extend_from_slice(&payload);
    }
    let garbage: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: app.t.example.test\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        &[0xff; 64],
        &[0; 64],
        &[22, 3, 1, 0, 4, 1, 0, 0, 0],
        &[22, 3, 1, 0, 4, 2, 0, 0, 0],
        &[22, 3, 1, 0xff, 0xff, 1, 0, 0, 0],
        &[23, 3, 3, 0, 4, 1, 2, 3, 4],
        &[21, 3, 3, 0, 2, 2, 40],
        &huge,
    ];
    for (index, bytes) in garbage.iter().enumerate() {
        let mut client = Client::plain(edge.https());
        // The edge may have gone before the last of it.
        let _ = client.try_send(bytes);
        let (answer, ending) = client.read_to_end();
        assert_ne!(ending, Ending::Silent, "{index}");
        let is_alert = matches!(answer.as_slice(), [21, 3, _, 0, 2, 2, _]);
        assert!(
            is_alert || answer.is_empty(),
            "{index}: {}",
            answer.escape_ascii()
        );
    }
    eventually("each is counted", || {
        edge.engine().reports()[0].1.handshakes_failed == garbage.len() as u64
    });
    let counters = &edge.engine().reports()[0].1;
    assert_eq!((counters.panics, counters.handshakes_ok), (0, 0));
    upstream.assert_untouched();
    assert_eq!(edge.tls_client(HOST).ask(get("/", "")).status, 200);
}

/// A byte changed on the way is found before anything is believed.
#[test]
fn a_forged_record_ends_the_connection() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    for config in configs(&edge) {
        let mut hand = Hand::new(&edge, &config);
        while hand.session.is_handshaking() {
            hand.session.complete_io(&mut hand.socket).unwrap();
        }
        let request = get("/", "");
        hand.session.writer().write_all(request.as_bytes()).unwrap();
        let mut record = hand.pending();
        let last = record.len() - 1;
        record[last] ^= 1;
        hand.send(&record);
        let mut bytes = Vec::new();
        let mut stream = rustls::Stream::new(&mut hand.session, &mut hand.socket);
        let error = stream.read_to_end(&mut bytes).unwrap_err();
        assert!(error.to_string().contains("BadRecordMac"), "{error}");
        assert!(bytes.is_empty());
    }
    upstream.assert_untouched();
}
