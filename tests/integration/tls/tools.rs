//! The clients that people have.

use std::process::Command;

use crate::stage::{bearer, get};
use crate::support::tool::{authority, run};
use crate::support::{Edge, HOST, Tunnel, Upstream};

use super::setup;

fn openssl(edge: &Edge, arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", &edge.https().to_string()])
        .args(["-ign_eof", "-verify_return_error", "-CAfile"])
        .arg(authority(edge))
        .args(arguments);
    run(&mut command, &get("/", "Connection: close\r\n"))
}

#[test]
fn openssl_verifies_asks_and_resumes() {
    let upstream = Upstream::fixed("inside");
    let edge = setup(&upstream).start();
    let session = edge.folder().join("session.pem");
    let session = session.to_str().unwrap();
    for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let named = [option, "-servername", HOST, "-verify_hostname", HOST];
        let first = openssl(&edge, &[&named[..], &["-sess_out", session]].concat());
        assert!(first.contains("Verify return code: 0 (ok)"), "{first}");
        assert!(first.contains("HTTP/1.1 200 OK"), "{first}");
        assert!(first.contains("inside"), "{first}");
        assert!(first.contains(&format!("New, {version}")), "{first}");
        let second = openssl(&edge, &[&named[..], &["-sess_in", session]].concat());
        assert!(second.contains(&format!("Reused, {version}")), "{second}");
        assert!(second.contains("HTTP/1.1 200 OK"), "{second}");
    }
    let unknown = openssl(&edge, &["-servername", "nobody.example"]);
    assert!(unknown.contains("unrecognized name"), "{unknown}");
    let http2 = openssl(&edge, &["-servername", HOST, "-alpn", "h2"]);
    assert!(http2.contains("no application protocol"), "{http2}");
}

#[test]
fn curl_is_refused_and_let_through() {
    let upstream = Upstream::serving(|request| crate::support::ok(&request.body));
    let edge = Edge::setup()
        .https()
        .tunnel(Tunnel::guarded(HOST, &upstream))
        .start();
    let port = edge.https().port();
    let curl = |arguments: &[&str], target: &str, input: &str| {
        let mut command = Command::new("curl");
        command
            .args([
                "-sS",
                "--max-time",
                "10",
                "--noproxy",
                "*",
                "-w",
                "\n%{http_code} %{http_version}",
                "--cacert",
            ])
            .arg(authority(&edge))
            .args(["--resolve", &format!("{HOST}:{port}:127.0.0.1")])
            .args(arguments)
            .arg(format!("https://{HOST}:{port}{target}"));
        run(&mut command, input)
    };
    assert_eq!(curl(&[], "/", ""), "{\"error\":\"Unauthorized.\"}\n401 1.1");
    let token = edge.token(|_| ());
    let header = bearer(&token);
    let body = "x".repeat(200_000);
    let sent = curl(&["-H", header.trim(), "--data-binary", "@-"], "/", &body);
    assert_eq!(sent, format!("{body}\n200 1.1"));
    let chunked = [
        "-H",
        header.trim(),
        "-H",
        "Transfer-Encoding: chunked",
        "--data-binary",
        "@-",
    ];
    assert_eq!(curl(&chunked, "/", &body), format!("{body}\n200 1.1"));
    let in_query = format!("/?rstream.token={token}&a=1");
    assert_eq!(curl(&[], &in_query, ""), "\n200 1.1");
    assert_eq!(
        curl(&["--http2"], "/", ""),
        "{\"error\":\"Unauthorized.\"}\n401 1.1"
    );
}
