//! What the tests have in common: the edge, upstreams that record, clients that send bytes as they are.
//!
//! Nothing here waits for a time to pass. Reads give up after [`PATIENCE`], and time is moved with `Edge::pass`.

#![allow(
    dead_code,
    unused_imports,
    reason = "a harness is a little wider than the tests of the day"
)]

pub mod certificate;
pub mod client;
pub mod client_certificate;
#[path = "../../config_support/countries.rs"]
pub mod countries;
pub mod edge;
pub mod head;
pub mod log;
pub mod program;
pub mod sign_in;
pub mod tool;
pub mod upstream;
pub mod wire;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

pub use client::{Client, Response, TlsOptions};
pub use client_certificate::{ClientAuthority, ClientCertificate};
pub use edge::{Edge, Setup, Tunnel, sign};
pub use upstream::{Peer, Place, Upstream, ok};
pub use wire::Ending;

/// After this a read that brings nothing is a failed test. Far beyond what any of them takes.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The host of most tests; their certificate and their tunnel have it.
pub const HOST: &str = "app.t.example.test";

/// Holds one thread until another says go.
pub fn gate() -> (Go, Gate) {
    let (sender, receiver) = channel();
    (Go(sender), Gate(std::sync::Mutex::new(receiver)))
}

pub struct Go(Sender<()>);

pub struct Gate(std::sync::Mutex<Receiver<()>>);

impl Go {
    /// Lets one `wait` through.
    pub fn open(&self) {
        let _ = self.0.send(());
    }
}

impl Gate {
    pub fn wait(&self) {
        self.0
            .lock()
            .unwrap()
            .recv_timeout(PATIENCE)
            .expect("nobody opened the gate");
    }
}

/// Looks until `condition` holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let (_never, tick) = channel::<()>();
    for _ in 0..PATIENCE.as_millis() {
        if condition() {
            return;
        }
        let _ = tick.recv_timeout(Duration::from_millis(1));
    }
    panic!("{what}: not within {PATIENCE:?}");
}
