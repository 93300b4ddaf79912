//! Client certificates as a client sees them: curl, openssl and rustls before the real proxy (rstream 10, S6).

use rustls::SupportedProtocolVersion;

use crate::stage::Stage;
use crate::support::{
    Client, ClientCertificate, Edge, HOST, Setup, TlsOptions, Tunnel, Upstream, ok,
};

mod authorities;
mod budgets;
mod chains;
mod conformance;
mod hostile;
mod keys;
mod origins;
mod proofs;
mod reloads;
mod renegotiation;
mod requested;
mod resumption;
mod revocation_lists;
mod sizes;
mod told;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// So many proofs fail here that somebody would be told to wait.
const PATIENT: &str =
    "[limits]\nfailed_verifications_per_second = 0\nexpensive_verifications_per_second = 0\n";

/// An edge with TLS alone: certificates go with nothing else.
fn over_tls() -> Setup {
    Edge::setup().without_http().https().tables(PATIENT)
}

/// One tunnel that takes certificates alone, with these tables.
fn stage(tables: &str) -> Stage {
    stage_with(tables, "")
}

/// The same with one more line in the tunnel's table.
fn stage_with(tables: &str, line: &str) -> Stage {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = over_tls()
        .tunnel(Tunnel::certified(HOST, &upstream).line(line))
        .tables(tables)
        .start();
    Stage { edge, upstream }
}

/// A connection to [`HOST`] that shows this certificate.
fn showing(edge: &Edge, certificate: Option<&ClientCertificate>) -> Client {
    connected(edge, &rustls::version::TLS13, certificate)
}

fn connected(
    edge: &Edge,
    version: &'static SupportedProtocolVersion,
    certificate: Option<&ClientCertificate>,
) -> Client {
    let options = TlsOptions::new(HOST).version(version);
    let options = match certificate {
        Some(certificate) => options.showing(certificate),
        None => options,
    };
    edge.tls_client_with(&options).expect("a handshake")
}

/// A `[[credential]]` of a name that this CA vouches for; `name` as `san_dns = "..."`.
fn named(id: &str, ca: &str, name: &str) -> String {
    format!(
        "[[credential]]\nid = \"{id}\"\nkind = \"mtls\"\nclient_ca = \"{ca}\"\n{name}\nprojects = [\"proj-1\"]\n"
    )
}
