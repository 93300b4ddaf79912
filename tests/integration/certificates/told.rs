//! What the log, the upstream and caches learn of a request with a certificate.

use crate::stage::{Stage, bearer, get};
use crate::support::client_certificate::{dns, email, uri};
use crate::support::upstream::Recorded;
use crate::support::{ClientAuthority, ClientCertificate, HOST, Tunnel, Upstream, ok};

use super::{named, over_tls, showing};

fn stage(tables: &str, authority: &ClientAuthority, line: &str, upstream: Upstream) -> Stage {
    let tunnel = Tunnel::certified(HOST, &upstream).line("token_auth = true");
    let edge = over_tls()
        .tunnel(tunnel.line(line))
        .file("corp.pem", &authority.pem())
        .tables("[[client_ca]]\nname = \"corp\"\nca_file = \"corp.pem\"")
        .tables(tables)
        .start();
    Stage { edge, upstream }
}

fn inside() -> Upstream {
    Upstream::serving(|_| ok("inside"))
}

#[test]
fn the_log_names_mechanism_and_credential() {
    let authority = ClientAuthority::new("corp CA");
    let [exact, idle, unknown] = [(); 3].map(|()| ClientCertificate::self_signed());
    let by_name = authority.issue(&[dns("laptop.corp.test")]);
    let tables = exact.credential("exact")
        + &named("laptop", "corp", "san_dns = \"laptop.corp.test\"")
        + &idle.credential("idle")
        + "permissions = []\n";
    let stage = stage(&tables, &authority, "", inside());
    for (certificate, status, mechanism, credential) in [
        (&exact, 200, "mtls", "exact"),
        (&by_name, 200, "mtls", "laptop"),
        (&idle, 403, "mtls", "idle"),
        (&unknown, 401, "none", ""),
    ] {
        let mut client = showing(&stage.edge, Some(certificate));
        assert_eq!(client.ask(get("/", "")).status, status);
        let line = stage.edge.log_line();
        assert_eq!(
            (line["mechanism"].as_str(), line["credential"].as_str()),
            (Some(mechanism), Some(credential)),
            "{line}"
        );
        assert_eq!(
            (&line["status"], &line["tls"]),
            (&status.into(), &line["tls"])
        );
        assert_eq!(line["scheme"], "https");
    }
    let token = bearer(&stage.edge.token(|_| ()));
    assert_eq!(showing(&stage.edge, None).ask(get("/", &token)).status, 200);
    assert_eq!(stage.edge.log_line()["mechanism"], "token");
    // A fingerprint is nobody's secret; the log has names that people gave all the same.
    assert!(!stage.edge.log_text().contains(&exact.fingerprint()));
}

/// What is told of who sends, by name.
fn told<'r>(recorded: &'r Recorded, name: &str) -> Option<&'r str> {
    recorded.field(&format!("x-adit-{name}"))
}

#[test]
fn the_upstream_is_told_the_name_that_the_ca_vouched_for() {
    let authority = ClientAuthority::new("corp CA");
    let exact = authority.issue(&[dns("exact.corp.test")]);
    let long = format!("https://corp.test/{}", "x".repeat(400));
    let tables = exact.credential("exact")
        + &named("laptop", "corp", "san_dns = \"Laptop.corp.test\"")
        + &named("robot", "corp", "san_uri = \"spiffe://corp.test/a%20b\"")
        + &named("ana", "corp", "san_email = \"Ana@Corp.test\"")
        + &named("long", "corp", &format!("san_uri = \"{long}\""));
    let stage = stage(&tables, &authority, "identity_headers = true", inside());
    let issue = |name| authority.issue(&[name, dns("unregistered.test")]);
    for (certificate, credential, subject) in [
        (exact.clone(), "exact", None),
        (
            issue(dns("LAPTOP.corp.test")),
            "laptop",
            Some("laptop.corp.test"),
        ),
        // A percent sign is escaped, as in every name.
        (
            issue(uri("spiffe://corp.test/a%20b")),
            "robot",
            Some("spiffe://corp.test/a%2520b"),
        ),
        (issue(email("Ana@corp.test")), "ana", Some("Ana@corp.test")),
    ] {
        let mut client = showing(&stage.edge, Some(&certificate));
        // Whatever a client says of itself is not passed on.
        let fields = "X-Adit-Subject: evil\r\nX_Adit_Credential: evil\r\nX-Client-Cert: evil\r\nX-SSL-Client-Verify: SUCCESS\r\n";
        assert_eq!(client.ask(get("/", fields)).status, 200);
        let recorded = stage.upstream.next_request();
        let found = ["method", "credential", "subject"].map(|name| told(&recorded, name));
        assert_eq!(found, [Some("mtls"), Some(credential), subject]);
        assert!(told(&recorded, "assertion").is_some());
        let head = String::from_utf8(recorded.head.clone()).unwrap();
        assert!(
            !head.contains("evil") && !head.contains("SUCCESS"),
            "{head}"
        );
        assert_eq!(stage.edge.reason(), "forwarded");
    }
    // The configuration has the whole name, so a long one is not cut.
    let mut client = showing(&stage.edge, Some(&issue(uri(&long))));
    assert_eq!(client.ask(get("/", "")).status, 200);
    let recorded = stage.upstream.next_request();
    assert_eq!(told(&recorded, "subject"), Some(&*long));
}

#[test]
fn what_a_certificate_gets_is_for_one_alone() {
    let certificate = ClientCertificate::self_signed();
    let upstream = Upstream::serving(|request| {
        let field = match request.line() {
            "GET /public HTTP/1.1" => "Cache-Control: public, max-age=60\r\n",
            "GET /empty HTTP/1.1" => "Cache-Control: \r\n",
            _ => "",
        };
        format!("HTTP/1.1 200 OK\r\n{field}Content-Length: 6\r\n\r\ninside").into_bytes()
    });
    let tables = certificate.credential("laptop");
    let stage = stage(&tables, &ClientAuthority::new("corp CA"), "", upstream);
    let token = bearer(&stage.edge.token(|_| ()));
    let mut by_certificate = showing(&stage.edge, Some(&certificate));
    let mut by_token = showing(&stage.edge, None);
    for (target, with_certificate, with_token) in [
        ("/", Some("private"), None),
        (
            "/public",
            Some("public, max-age=60"),
            Some("public, max-age=60"),
        ),
        ("/empty", Some(""), Some("")),
    ] {
        let answer = by_certificate.ask(get(target, ""));
        assert_eq!(answer.field("cache-control"), with_certificate, "{target}");
        let answer = by_token.ask(get(target, &token));
        assert_eq!(answer.field("cache-control"), with_token, "{target}");
    }
    // HEAD has the head of GET.
    by_certificate.send(get("/", "").replacen("GET", "HEAD", 1));
    let head = by_certificate.response_to_head();
    assert_eq!(head.field("cache-control"), Some("private"));
    // A refusal is nobody's to keep.
    let refused = by_token.ask(get("/", ""));
    assert_eq!(
        (refused.status, refused.field("cache-control")),
        (401, Some("no-store"))
    );
}
