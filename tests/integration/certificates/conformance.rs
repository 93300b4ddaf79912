//! The cases of rstream 18 that are about client certificates.

use crate::stage::{Stage, bearer, get};
use crate::support::{ClientCertificate, HOST, TlsOptions, Tunnel, Upstream, ok};

use super::{VERSIONS, connected, over_tls, stage};

const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The credential of one certificate, and that of one without rights.
fn two(registered: &ClientCertificate, idle: &ClientCertificate) -> String {
    let (registered, idle) = (registered.credential("laptop"), idle.credential("idle"));
    format!("{registered}{idle}permissions = []\n")
}

#[test]
fn case_31_only_a_registered_certificate_with_rights_enters() {
    let [registered, unknown, idle] = [(); 3].map(|()| ClientCertificate::self_signed());
    let stage = stage(&two(&registered, &idle));
    for version in VERSIONS {
        for (certificate, status, reason) in [
            (None, 401, "certificate_missing"),
            (Some(&registered), 200, "forwarded"),
            (Some(&unknown), 401, "certificate_unknown"),
            (Some(&idle), 403, "permission_missing"),
        ] {
            let mut client = connected(&stage.edge, version, certificate);
            // It is asked at each request of a connection.
            for fields in ["", WEBSOCKET, ""] {
                let judged = stage.judges(&mut client, &get("/", fields));
                assert_eq!(judged, (status, reason.to_owned()), "{version:?} {fields}");
            }
        }
    }
}

/// What stands beside the certificate, and whether that makes two proofs.
fn beside(token: &str) -> Vec<(String, String, bool)> {
    let field = |line: &str| ("/".to_owned(), format!("{line}\r\n"));
    let query = |query: &str| (format!("/?{query}"), String::new());
    let ambiguous = [
        ("/".to_owned(), bearer(token)),
        field("Authorization: Bearer worthless"),
        field("Authorization: bearer"),
        field("Cookie: rstream_auth=session"),
        field("Cookie: a=1; rstream_auth=session; b=2"),
        field("Cookie: a=1\r\nCookie: rstream_auth=session"),
        field("Cookie: __Host-rstream_auth=session"),
        query(&format!("rstream.token={token}")),
        query("rstream.token=worthless"),
        query("a=1&rstream%2Etoken="),
    ];
    let alone = [
        field("Cookie: a=rstream_auth; rstream_challenge=x"),
        field("Authorization: Basic YTpi"),
        query("token=worthless"),
    ];
    let with = |is_ambiguous| move |(target, fields)| (target, fields, is_ambiguous);
    let alone = alone.into_iter().map(with(false));
    ambiguous.into_iter().map(with(true)).chain(alone).collect()
}

#[test]
fn case_32_a_certificate_beside_another_proof_is_ambiguous() {
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered.credential("laptop"));
    let token = stage.edge.token(|_| ());
    for version in VERSIONS {
        let mut client = connected(&stage.edge, version, Some(&registered));
        for (target, fields, is_ambiguous) in beside(&token) {
            for upgrade in ["", WEBSOCKET] {
                let request = get(&target, &format!("{fields}{upgrade}"));
                let expected = if is_ambiguous {
                    (401, "ambiguous_proofs")
                } else {
                    (200, "forwarded")
                };
                let judged = stage.judges(&mut client, &request);
                assert_eq!((judged.0, judged.1.as_str()), expected, "{request}");
            }
        }
    }
    // Another proof alone is none on a tunnel that takes certificates.
    let mut client = connected(&stage.edge, VERSIONS[1], None);
    for (target, fields, _) in beside(&token) {
        let judged = stage.judges(&mut client, &get(&target, &fields));
        assert_eq!(judged, (401, "certificate_missing".to_owned()), "{fields}");
    }
}

#[test]
fn case_33_beside_tokens_either_proof_is_enough_and_both_are_too_many() {
    let [registered, unknown] = [(); 2].map(|()| ClientCertificate::self_signed());
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = over_tls()
        .tunnel(Tunnel::certified(HOST, &upstream).line("token_auth = true"))
        .tables(&registered.credential("laptop"))
        .start();
    let stage = Stage { edge, upstream };
    let token = stage.edge.token(|_| ());
    let (field, query) = (bearer(&token), format!("/?rstream.token={token}"));
    let cookie = "Cookie: rstream_auth=session\r\n";
    let own = Some(&registered);
    for version in VERSIONS {
        for (certificate, target, fields, status, reason) in [
            (None, "/", "", 401, "token_missing"),
            (None, "/", &*field, 200, "forwarded"),
            (None, &*query, "", 200, "forwarded"),
            (None, "/", cookie, 401, "token_missing"),
            (own, "/", "", 200, "forwarded"),
            (own, "/", &field, 401, "ambiguous_proofs"),
            (own, "/", cookie, 401, "ambiguous_proofs"),
            (own, &query, "", 401, "ambiguous_proofs"),
            // A certificate that is worthless is still one.
            (Some(&unknown), "/", "", 401, "certificate_unknown"),
            (Some(&unknown), "/", &field, 401, "ambiguous_proofs"),
        ] {
            let mut client = connected(&stage.edge, version, certificate);
            for upgrade in ["", WEBSOCKET] {
                let request = get(target, &format!("{fields}{upgrade}"));
                let judged = stage.judges(&mut client, &request);
                assert_eq!(judged, (status, reason.to_owned()), "{version:?} {request}");
            }
        }
    }
}

/// Where `Authorization` is the application's, it is no second proof; the edge's own field is (S4.2).
#[test]
fn beside_a_certificate_the_application_may_have_its_own_authorization() {
    let registered = ClientCertificate::self_signed();
    let upstream = Upstream::serving(|_| ok("inside"));
    let tunnel = Tunnel::certified(HOST, &upstream).line("token_auth = true");
    let edge = over_tls()
        .tunnel(tunnel.line("authorization = \"app\""))
        .tables(&registered.credential("laptop"))
        .start();
    let stage = Stage { edge, upstream };
    let token = stage.edge.token(|_| ());
    let mut client = connected(&stage.edge, VERSIONS[1], Some(&registered));
    for value in ["Bearer of-the-application", "Basic YTpi"] {
        let field = format!("Authorization: {value}\r\n");
        assert_eq!(client.ask(get("/", &field)).status, 200);
        let recorded = stage.upstream.next_request();
        assert_eq!(recorded.field("authorization"), Some(value));
        assert_eq!(stage.edge.reason(), "forwarded");
    }
    for (fields, reason) in [
        (bearer(&token), "token_for_edge"),
        (format!("Rstream-{}", bearer(&token)), "ambiguous_proofs"),
        (
            "Rstream-Authorization: Bearer x\r\n".to_owned(),
            "ambiguous_proofs",
        ),
        (
            "Rstream-Authorization: Basic YTpi\r\n".to_owned(),
            "ambiguous_proofs",
        ),
        (
            "rstream_authorization: Bearer x\r\n".to_owned(),
            "ambiguous_proofs",
        ),
    ] {
        let judged = stage.judges(&mut client, &get("/", &fields));
        assert_eq!(judged, (401, reason.to_owned()), "{fields}");
    }
}

/// Of what a client proved itself with, and what stood beside it, the upstream gets nothing that opens another tunnel.
#[test]
fn a_token_of_ours_is_never_passed_on() {
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered.credential("laptop"));
    let token = stage.edge.token(|_| ());
    let mut client = connected(&stage.edge, VERSIONS[1], Some(&registered));
    // A field that is not quite a bearer is no second proof, and holds a token all the same (S3.4).
    for line in [
        format!("Authorization: Token {token}\r\n"),
        format!("Authorization: JWT {token}\r\n"),
    ] {
        assert_eq!(client.ask(get("/", &line)).status, 200, "{line}");
        let recorded = stage.upstream.next_request();
        assert_eq!(recorded.field("authorization"), None, "{line}");
        assert_eq!(stage.edge.reason(), "forwarded");
    }
}

#[test]
fn a_refused_upgrade_is_answered_plainly() {
    let registered = ClientCertificate::self_signed();
    let stage = stage(&registered.credential("laptop"));
    let mut client = connected(&stage.edge, VERSIONS[1], Some(&registered));
    let request = get("/", &format!("{WEBSOCKET}Cookie: rstream_auth=session\r\n"));
    let answer = client.ask(&request);
    assert_eq!(
        (answer.status, answer.text(), answer.field("upgrade")),
        (401, "{\"error\":\"Unauthorized.\"}", None)
    );
    assert_eq!(answer.field("location"), None);
    // The connection goes on as one of requests.
    assert_eq!(stage.edge.reason(), "ambiguous_proofs");
    assert_eq!(stage.judges(&mut client, &get("/", "")).0, 200);
}

const GUARDED: &str = "b.t.example.test";

#[test]
fn case_34_a_connection_of_an_open_tunnel_reaches_no_guarded_one() {
    let registered = ClientCertificate::self_signed();
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = over_tls()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tunnel(Tunnel::certified(GUARDED, &upstream))
        .tables(&registered.credential("laptop"))
        .start();
    let stage = Stage { edge, upstream };
    let other = |host: &str| get("/", "").replace(HOST, host);
    let misdirected = (421, "sni_mismatch".to_owned());
    for version in VERSIONS {
        let options = TlsOptions::new(HOST).version(version).showing(&registered);
        let mut client = stage.edge.tls_client_with(&options).unwrap();
        assert_eq!(stage.judges(&mut client, &get("/", "")).0, 200);
        for spelling in [GUARDED, "B.T.EXAMPLE.TEST", "b.t.example.test.:443"] {
            let answer = client.ask(other(spelling));
            assert_eq!(answer.status, 421);
            assert!(answer.text().contains("Misdirected Request"));
            assert_eq!(stage.edge.reason(), misdirected.1);
        }
        assert_eq!(stage.judges(&mut client, &get("/", "")).0, 200);
        // Nor the other way round.
        let options = TlsOptions::new(GUARDED)
            .version(version)
            .showing(&registered);
        let mut client = stage.edge.tls_client_with(&options).unwrap();
        assert_eq!(stage.judges(&mut client, &other(GUARDED)).0, 200);
        assert_eq!(stage.judges(&mut client, &get("/", "")), misdirected);
    }
}

/// Case 35 wants the second tunnel reached; without HTTP/2 a client has no reason to try, and S1.3 refuses every
/// difference.
#[test]
fn case_35_without_http_2_a_connection_is_for_one_host() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = over_tls()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tunnel(Tunnel::public(GUARDED, &upstream))
        .start();
    let stage = Stage { edge, upstream };
    let mut client = stage.edge.tls_client(HOST);
    let other = get("/", "").replace(HOST, GUARDED);
    assert_eq!(stage.judges(&mut client, &get("/", "")).0, 200);
    let judged = stage.judges(&mut client, &other);
    assert_eq!(judged, (421, "sni_mismatch".to_owned()));
    let mut client = stage.edge.tls_client(GUARDED);
    assert_eq!(stage.judges(&mut client, &other).0, 200);
}
