//! A handshake within a connection is refused, whatever certificate it would show (rstream 10.1).

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::tool::{finished, s_client, started};
use crate::support::{ClientCertificate, Edge, HOST, eventually};

use super::hostile::is_well;
use super::stage;

/// Passes one connection on to the edge; answers its own address, and how many bytes have gone that way.
fn relay(edge: &Edge) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (inside, passed) = (edge.https(), Arc::<AtomicUsize>::default());
    let count = passed.clone();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut edge = TcpStream::connect(inside).unwrap();
        let (mut from, mut to) = (edge.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = client.read(&mut piece) {
            if edge.write_all(&piece[..length]).is_err() {
                break;
            }
            count.fetch_add(length, Ordering::SeqCst);
        }
        let _ = edge.shutdown(Shutdown::Write);
    });
    (address, passed)
}

#[test]
fn nobody_may_renegotiate() {
    let (registered, other) = (
        ClientCertificate::self_signed(),
        ClientCertificate::self_signed(),
    );
    let stage = stage(&registered.credential("laptop"));
    let done = || stage.edge.engine().reports()[0].1.handshakes_ok;
    for certificate in [None, Some(&other), Some(&registered)] {
        let (before, (address, passed)) = (done(), relay(&stage.edge));
        let mut command = s_client(&stage.edge, HOST, certificate);
        command.args(["-tls1_2", "-connect", &address.to_string()]);
        let mut child = started(&mut command);
        eventually("the first handshake", || done() == before + 1);
        let first = passed.load(Ordering::SeqCst);
        // A line that begins with R asks for it. Its standard input stays open, so only the edge can have ended it.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"R\n").unwrap();
        eventually("the second begins", || {
            passed.load(Ordering::SeqCst) > first
        });
        let minute = Duration::from_secs(60);
        stage.edge.pass_until(minute, "openssl ends", || {
            child.try_wait().unwrap().is_some()
        });
        let said = finished(child);
        drop(stdin);
        assert!(said.contains("RENEGOTIATING"), "{said}");
        assert!(said.contains("no renegotiation"), "{said}");
        assert!(!said.contains("HTTP/1.1"), "{said}");
        stage.upstream.assert_untouched();
    }
    is_well(&stage, &registered);
}
