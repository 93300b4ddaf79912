//! A browser shows its certificate with requests that other pages cause (S5.1).

use crate::stage::{Stage, bearer, get};
use crate::support::{ClientCertificate, HOST, Peer, Tunnel, Upstream};

use super::{over_tls, showing};

const EVIL: &str = "https://evil.t.example.test";
const ADMIN: &str = "https://admin.example.test";
const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Switches where it is asked to, and answers everything else.
fn script(mut peer: Peer) {
    while let Some(request) = peer.request() {
        if request.field("upgrade").is_some() {
            peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
            return;
        }
        peer.send(crate::support::ok("inside"));
    }
}

fn stage(certificate: &ClientCertificate, line: &str) -> Stage {
    let upstream = Upstream::scripted(script);
    let tunnel = Tunnel::certified(HOST, &upstream).line("token_auth = true");
    let edge = over_tls()
        .tunnel(tunnel.line(line))
        .tables(&certificate.credential("laptop"))
        .start();
    Stage { edge, upstream }
}

fn request(method: &str, fields: &str) -> String {
    let head = get("/", fields).replacen("GET", method, 1);
    match method {
        "POST" | "PUT" | "PATCH" => head.replacen("\r\n", "\r\nContent-Length: 0\r\n", 1),
        _ => head,
    }
}

/// Whether a request of each kind is let through; all of a kind are judged alike.
fn admits(stage: &Stage, certificate: &ClientCertificate, fields: &str) -> [bool; 3] {
    let safe = ["GET", "HEAD", "OPTIONS"].map(|method| request(method, fields));
    let unsafe_ones = ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"];
    let unsafe_ones = unsafe_ones.map(|method| request(method, fields));
    let upgrades = [get("/", &format!("{WEBSOCKET}{fields}"))];
    [&safe[..], &unsafe_ones, &upgrades].map(|requests| {
        let mut verdicts: Vec<bool> = requests
            .iter()
            .map(|request| passes(stage, certificate, request))
            .collect();
        verdicts.dedup();
        let [verdict] = verdicts[..] else {
            panic!("{fields}: {verdicts:?}")
        };
        verdict
    })
}

fn passes(stage: &Stage, certificate: &ClientCertificate, request: &str) -> bool {
    let mut client = showing(&stage.edge, Some(certificate));
    let before = Stage::weight_of(&stage.upstream);
    client.send(request);
    let answer = if request.starts_with("HEAD") {
        client.response_to_head()
    } else {
        client.response()
    };
    let passed = matches!(answer.status, 200 | 101);
    if passed {
        stage.upstream.next_request();
        client.reset();
        stage.edge.log_line();
        return true;
    }
    let line = stage.edge.log_line();
    assert_eq!(
        (answer.status, &line["reason"]),
        (403, &"cross_origin".into()),
        "{request}"
    );
    // Who it was is known; so is that nothing went on.
    assert_eq!(
        (&line["mechanism"], &line["credential"]),
        (&"mtls".into(), &"laptop".into())
    );
    assert_eq!(Stage::weight_of(&stage.upstream), before, "{request}");
    false
}

#[test]
fn pages_of_others_change_nothing_with_somebody_elses_certificate() {
    let certificate = ClientCertificate::self_signed();
    let stage = stage(&certificate, "");
    let port = stage.edge.https().port();
    let own = format!("https://{HOST}:{port}");
    let origin = |origin: &str| format!("Origin: {origin}\r\n");
    let site = |site: &str| format!("Sec-Fetch-Site: {site}\r\n");
    for (fields, good) in [
        (String::new(), true),
        (origin(&own), true),
        (site("same-origin"), true),
        (site("none"), true),
        (origin(&own) + &site("same-origin"), true),
        (origin(EVIL), false),
        (origin(&format!("https://{HOST}")), false),
        (origin(&format!("http://{HOST}:{port}")), false),
        (origin(&format!("{own}.evil.test")), false),
        (origin("null"), false),
        (origin(""), false),
        (origin(ADMIN), false),
        (site("same-site"), false),
        (site("cross-site"), false),
        (site("Same-Origin"), false),
        (site("same-site") + &origin(&own), false),
        (site("same-origin") + &origin(EVIL), false),
        (origin(&own) + &origin(EVIL), false),
        (origin(&format!("{own}, {EVIL}")), false),
    ] {
        assert_eq!(
            admits(&stage, &certificate, &fields),
            [true, good, good],
            "{fields}"
        );
    }
}

#[test]
fn origins_that_a_tunnel_lists_may() {
    let certificate = ClientCertificate::self_signed();
    let stage = stage(&certificate, &format!("allowed_origins = [\"{ADMIN}\"]"));
    for (fields, good) in [
        (format!("Origin: {ADMIN}\r\n"), true),
        (format!("Origin: {ADMIN}:444\r\n"), false),
        ("Origin: http://admin.example.test\r\n".to_owned(), false),
        (format!("Origin: {EVIL}\r\n"), false),
        // It is same-site to nobody: a browser says so with it.
        (
            format!("Origin: {ADMIN}\r\nSec-Fetch-Site: cross-site\r\n"),
            false,
        ),
    ] {
        assert_eq!(
            admits(&stage, &certificate, &fields),
            [true, good, good],
            "{fields}"
        );
    }
}

/// No browser adds a token by itself.
#[test]
fn tokens_are_not_a_browsers_and_ask_for_no_origin() {
    let certificate = ClientCertificate::self_signed();
    let stage = stage(&certificate, "");
    let token = bearer(&stage.edge.token(|_| ()));
    let fields = format!("{token}Origin: {EVIL}\r\nSec-Fetch-Site: cross-site\r\n");
    let mut client = showing(&stage.edge, None);
    for method in ["GET", "POST", "DELETE"] {
        let judged = stage.judges(&mut client, &request(method, &fields));
        assert_eq!(judged, (200, "forwarded".to_owned()), "{method}");
    }
}

/// What is not proven is refused as that: an origin gives no hint on who is registered.
#[test]
fn an_unknown_certificate_is_unknown_whatever_the_page() {
    let (certificate, unknown) = (
        ClientCertificate::self_signed(),
        ClientCertificate::self_signed(),
    );
    let stage = stage(&certificate, "");
    let mut client = showing(&stage.edge, Some(&unknown));
    let post = request("POST", &format!("Origin: {EVIL}\r\n"));
    let judged = stage.judges(&mut client, &post);
    assert_eq!(judged, (401, "certificate_unknown".to_owned()));
}
