//! The clients that people have, on their way to the edge.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

pub use super::program::{finished, run, started};
use super::{ClientCertificate, Edge, HOST};

/// A file with the authority that signed the edge's certificates.
pub fn authority(edge: &Edge) -> PathBuf {
    let path = edge.folder().join("authority.pem");
    fs::write(&path, edge.authority().pem()).unwrap();
    path
}

/// What lets openssl and curl show certificates with keys that are too short for them.
fn any_key(edge: &Edge) -> PathBuf {
    let path = edge.folder().join("openssl.cnf");
    let text = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCipherString = DEFAULT@SECLEVEL=0\n";
    fs::write(&path, text).unwrap();
    path
}

/// `openssl s_client` on its way to the edge, asking for `name`.
pub fn s_client(edge: &Edge, name: &str, certificate: Option<&ClientCertificate>) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", &edge.https().to_string()])
        .args(["-servername", name, "-verify_return_error", "-CAfile"])
        .arg(authority(edge))
        .env("OPENSSL_CONF", any_key(edge));
    if let Some(certificate) = certificate {
        let [chain, key] = certificate.files(edge.folder());
        command.arg("-cert").arg(&chain).arg("-key").arg(key);
        command.arg("-cert_chain").arg(chain);
    }
    command
}

/// The status that curl gets at [`HOST`]; what it said where there is none.
pub fn curl(edge: &Edge, certificate: Option<&ClientCertificate>, arguments: &[&str]) -> String {
    let port = edge.https().port();
    let mut command = Command::new("curl");
    command
        .args(["-sS", "--max-time", "20", "--noproxy", "*"])
        .args(["-o", "/dev/null", "-w", "%{http_code}"])
        .env("OPENSSL_CONF", any_key(edge))
        .arg("--cacert")
        .arg(authority(edge))
        .args(["--resolve", &format!("{HOST}:{port}:127.0.0.1")]);
    if let Some(certificate) = certificate {
        let [chain, key] = certificate.files(edge.folder());
        command.arg("--cert").arg(chain).arg("--key").arg(key);
    }
    command
        .args(arguments)
        .arg(format!("https://{HOST}:{port}/"));
    run(&mut command, "")
}
