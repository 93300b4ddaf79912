//! Clients that break off, send nonsense or too much: refused or fine, never a panic, and never a request without its
//! proof.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::stage::{Stage, get};
use crate::support::{ClientCertificate, Edge, HOST, PATIENCE, TlsOptions};

use super::{VERSIONS, connected, stage};

/// No core has had to catch anything, and the registered client is served as ever.
pub(super) fn is_well(stage: &Stage, registered: &ClientCertificate) {
    let reports = stage.edge.engine().reports();
    assert!(reports.iter().all(|(_, report)| report.panics == 0));
    for version in VERSIONS {
        // Other lines may stand in the log before its own.
        let mut client = connected(&stage.edge, version, Some(registered));
        assert_eq!(client.ask(get("/well", "")).status, 200);
        let recorded = stage.upstream.next_request();
        assert_eq!(recorded.line(), "GET /well HTTP/1.1");
    }
}

fn configs(edge: &Edge, certificate: &ClientCertificate) -> [Arc<ClientConfig>; 2] {
    VERSIONS.map(|version| {
        let options = TlsOptions::new(HOST).version(version);
        options
            .showing(certificate)
            .config(edge.authority().roots())
    })
}

/// A TLS client whose bytes go through our hands.
pub(super) struct Hand {
    session: ClientConnection,
    socket: TcpStream,
}

impl Hand {
    fn new(edge: &Edge, config: &Arc<ClientConfig>) -> Self {
        let socket = TcpStream::connect(edge.https()).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        let session = ClientConnection::new(config.clone(), name).unwrap();
        Hand { session, socket }
    }

    fn pending(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.session.wants_write() {
            self.session.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Takes what comes until there is something to say; `false`: the edge has ended it.
    fn listen(&mut self) -> bool {
        while !self.session.wants_write() && self.session.is_handshaking() {
            match self.session.read_tls(&mut self.socket) {
                Ok(0) | Err(_) => return false,
                Ok(_) if self.session.process_new_packets().is_err() => return false,
                Ok(_) => {}
            }
        }
        true
    }

    /// One request, if the handshake came to an end; its status.
    pub(super) fn asks(mut self) -> Option<String> {
        self.session
            .writer()
            .write_all(get("/", "").as_bytes())
            .unwrap();
        let bytes = self.pending();
        self.socket.write_all(&bytes).ok()?;
        let mut line = [0; 12];
        let mut stream = rustls::Stream::new(&mut self.session, &mut self.socket);
        stream.read_exact(&mut line).ok()?;
        Some(String::from_utf8_lossy(&line).into_owned())
    }
}

/// Everything that a client says in its handshake, flight by flight, as this changes it. `None`: the edge ended it.
pub(super) fn shaken(
    edge: &Edge,
    config: &Arc<ClientConfig>,
    mut send: impl FnMut(usize, &[u8], &mut TcpStream),
) -> Option<Hand> {
    let mut hand = Hand::new(edge, config);
    let mut flight = 0;
    while hand.session.is_handshaking() || hand.session.wants_write() {
        let bytes = hand.pending();
        send(flight, &bytes, &mut hand.socket);
        flight += 1;
        if !hand.listen() {
            return None;
        }
    }
    Some(hand)
}

/// The same handshake messages in records of at most `most` bytes; what is encrypted stays as it is.
fn in_records_of(most: usize, bytes: &[u8]) -> Vec<u8> {
    const HANDSHAKE: u8 = 22;
    let (mut split, mut rest, mut is_plain) = (Vec::new(), bytes, true);
    while let [kind, major, minor, high, low, after @ ..] = rest {
        let (payload, next) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        is_plain &= *kind == HANDSHAKE;
        let most = if is_plain { most } else { payload.len().max(1) };
        for piece in payload.chunks(most) {
            let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
            split.extend([*kind, *major, *minor, length[0], length[1]]);
            split.extend(piece);
        }
        rest = next;
    }
    split
}

#[test]
fn a_handshake_with_a_certificate_may_be_split_anywhere() {
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered.credential("laptop"));
    for config in configs(&stage.edge, &registered) {
        let good = |hand: Option<Hand>| {
            assert_eq!(hand.unwrap().asks().as_deref(), Some("HTTP/1.1 200"));
            stage.upstream.next_request();
        };
        // Every byte in a packet of its own.
        good(shaken(&stage.edge, &config, |_, bytes, socket| {
            bytes
                .iter()
                .for_each(|byte| socket.write_all(&[*byte]).unwrap());
        }));
        // Each flight in two packets.
        let mut lengths = Vec::new();
        good(shaken(&stage.edge, &config, |_, bytes, socket| {
            lengths.push(bytes.len());
            socket.write_all(bytes).unwrap();
        }));
        for (which, length) in lengths.into_iter().enumerate() {
            for at in (1..length).step_by(7) {
                good(shaken(&stage.edge, &config, |flight, bytes, socket| {
                    let at = if flight == which {
                        at.min(bytes.len())
                    } else {
                        0
                    };
                    let (first, second) = bytes.split_at(at);
                    socket.write_all(first).unwrap();
                    socket.write_all(second).unwrap();
                }));
            }
        }
        // In small records.
        for most in [16, 64, 300] {
            good(shaken(&stage.edge, &config, |_, bytes, socket| {
                socket.write_all(&in_records_of(most, bytes)).unwrap();
            }));
        }
    }
    is_well(&stage, &registered);
}

#[test]
fn a_byte_that_is_wrong_in_a_proof_is_no_proof() {
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered.credential("laptop"));
    for config in configs(&stage.edge, &registered) {
        let mut length = 0;
        shaken(&stage.edge, &config, |flight, bytes, socket| {
            length = if flight == 1 { bytes.len() } else { length };
            socket.write_all(bytes).unwrap();
        })
        .unwrap();
        // A signature may be some bytes shorter than the first one was.
        let places = (0..length - 8).step_by(23).chain([usize::MAX]);
        for at in places {
            let hand = shaken(&stage.edge, &config, |flight, bytes, socket| {
                let mut bytes = bytes.to_vec();
                if flight == 1 {
                    let last = bytes.len() - 1;
                    bytes[at.min(last)] ^= 0x55;
                }
                let _ = socket.write_all(&bytes);
                // A wrong length would let the edge wait.
                if flight == 1 {
                    let _ = socket.shutdown(Shutdown::Write);
                }
            });
            assert_eq!(hand.and_then(Hand::asks), None, "{at}");
        }
    }
    stage.upstream.assert_untouched();
    is_well(&stage, &registered);
}

#[test]
fn nonsense_and_alerts_end_a_handshake_at_any_place() {
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered.credential("laptop"));
    let close_notify = [21, 3, 3, 0, 2, 1, 0];
    let fatal = [21, 3, 3, 0, 2, 2, 40];
    let empty_certificate = [22, 3, 3, 0, 7, 11, 0, 0, 3, 0, 0, 0];
    let huge = [22, 3, 3, 0xff, 0xff];
    let request = get("/", "");
    for config in configs(&stage.edge, &registered) {
        for nonsense in [
            &close_notify[..],
            &fatal,
            &empty_certificate,
            &huge,
            request.as_bytes(),
            &[0; 64],
            &[23, 3, 3, 0, 1, 0],
            &[20, 3, 3, 0, 1, 1],
        ] {
            for which in [0, 1] {
                let hand = shaken(&stage.edge, &config, |flight, bytes, socket| {
                    if flight == which {
                        let _ = socket.write_all(nonsense);
                        let _ = socket.shutdown(Shutdown::Write);
                    } else {
                        let _ = socket.write_all(bytes);
                    }
                });
                // A TLS 1.3 client says nothing after its second flight, so it believes that all is well.
                assert_eq!(hand.and_then(Hand::asks), None, "{nonsense:?}");
            }
        }
    }
    stage.upstream.assert_untouched();
    is_well(&stage, &registered);
}

#[test]
fn a_handshake_that_stops_before_its_certificate_has_its_time() {
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered.credential("laptop"));
    let failed = || stage.edge.engine().reports()[0].1.handshakes_failed;
    let before = failed();
    let mut waiting = Vec::new();
    for config in configs(&stage.edge, &registered) {
        // Nothing of its second flight, some of it, nearly all of it.
        for keeps in [usize::MAX, 10, 1] {
            let mut hand = Hand::new(&stage.edge, &config);
            let hello = hand.pending();
            hand.socket.write_all(&hello).unwrap();
            assert!(hand.listen());
            let bytes = hand.pending();
            let sent = bytes.len().saturating_sub(keeps);
            hand.socket.write_all(&bytes[..sent]).unwrap();
            waiting.push(hand);
        }
    }
    let count = waiting.len() as u64;
    let step = Duration::from_secs(6);
    stage
        .edge
        .pass_until(step, "every half handshake ends", || {
            failed() == before + count
        });
    for hand in &mut waiting {
        // Ended, with whatever stood before it.
        let mut rest = Vec::new();
        let ended = hand.socket.read_to_end(&mut rest);
        let silent = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        assert!(!ended.is_err_and(|error| silent(&error)));
    }
    stage.upstream.assert_untouched();
    is_well(&stage, &registered);
}

/// The bytes of the registered certificate count only as the leaf.
#[test]
fn a_registered_certificate_behind_another_is_nobodys() {
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered.credential("laptop"));
    let mut behind = ClientCertificate::self_signed();
    behind.chain.extend(registered.chain.clone());
    for version in VERSIONS {
        let mut client = connected(&stage.edge, version, Some(&behind));
        let judged = stage.judges(&mut client, &get("/", ""));
        assert_eq!(judged, (401, "certificate_unknown".to_owned()));
    }
    is_well(&stage, &registered);
}
