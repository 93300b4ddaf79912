//! An upstream that asks for it is told who sends (S3.5): in fields that nobody else can write, and in an assertion that it
//! can verify by the key set of the base host, and that is good for this request alone.

mod keys;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::stage::{Stage, bearer, get, path_rule};
use crate::support::edge::{BASE_HOST, SECRET};
use crate::support::upstream::Recorded;
use crate::support::{Edge, HOST, Setup, Tunnel, Upstream, ok, sign};

const ON: &str = "identity_headers = true";
const OTHER: &str = "other.t.example.test";
const KEYS: &str = "/.well-known/rstream/jwks.json";

fn setup(upstream: &Upstream) -> Setup {
    Edge::setup()
        .https()
        .tunnel(Tunnel::guarded(HOST, upstream).line(ON))
}

fn stage() -> Stage {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = setup(&upstream).start();
    Stage { edge, upstream }
}

fn with_subject(edge: &Edge, subject: &str) -> String {
    edge.token(|claims| {
        claims.insert("sub".into(), subject.into());
    })
}

/// The fields of the edge that reached the upstream, by name; each once.
fn told(recorded: &Recorded) -> BTreeMap<String, String> {
    let mut told = BTreeMap::new();
    for (name, value) in recorded.fields() {
        let name = name.to_lowercase().replace('_', "-");
        if name.starts_with("x-adit") {
            let before = told.insert(name, value.to_owned());
            assert_eq!(before, None, "{:?}", recorded.fields());
        }
    }
    told
}

fn names(told: &BTreeMap<String, String>) -> Vec<&str> {
    told.keys().map(String::as_str).collect()
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// The key set, as an upstream fetches it: over TLS, from the base host.
fn key_set(edge: &Edge) -> Value {
    let mut client = edge.tls_client(BASE_HOST);
    let answer = client.ask(format!("GET {KEYS} HTTP/1.1\r\nHost: {BASE_HOST}\r\n\r\n"));
    assert_eq!((answer.status, edge.reason().as_str()), (200, "answered"));
    serde_json::from_slice(&answer.body).unwrap()
}

fn kids(set: &Value) -> Vec<&str> {
    let keys = set["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect()
}

/// What an assertion claims, once the key that it names has verified it: by the key set alone, without any code of the edge.
fn verified(assertion: &str, set: &Value) -> Option<Value> {
    let (signed, signature) = assertion.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Value = serde_json::from_slice(&decoded(header)).unwrap();
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("EdDSA"), &json!("adit-assertion+jwt"))
    );
    let keys = set["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"])?;
    assert_eq!(
        (&key["kty"], &key["crv"]),
        (&json!("OKP"), &json!("Ed25519"))
    );
    let key = UnparsedPublicKey::new(&ED25519, decoded(key["x"].as_str().unwrap()));
    key.verify(signed.as_bytes(), &decoded(signature)).ok()?;
    Some(serde_json::from_slice(&decoded(claims)).unwrap())
}

/// What a careful upstream at `host` asks of a request before it believes it.
fn is_believed(recorded: &Recorded, host: &str, edge: &Edge, set: &Value) -> bool {
    let Some(assertion) = recorded.field("x-adit-assertion") else {
        return false;
    };
    let Some(claims) = verified(assertion, set) else {
        return false;
    };
    let mut line = recorded.line().split(' ');
    let (method, target) = (line.next().unwrap(), line.next().unwrap());
    let port = edge.engine().public_port();
    let now = edge.clock().now().unix_seconds();
    claims["iss"] == format!("https://{BASE_HOST}:{port}")
        && claims["aud"] == format!("https://{host}:{port}")
        && claims["iat"].as_u64().unwrap() <= now
        && claims["exp"].as_u64().unwrap() > now
        && claims["method"] == method
        && claims["host"] == host
        && claims["path"] == target.split('?').next().unwrap()
}

#[test]
fn an_upstream_is_told_who_sends_and_can_verify_it() {
    let stage = stage();
    let now = stage.edge.clock().now().unix_seconds();
    let token = bearer(&with_subject(&stage.edge, "ana \u{fc}\"\\ 100%"));
    let recorded = stage.forwards("/a%2Fb/./c?x=1", &token);
    let told = told(&recorded);
    assert_eq!(
        names(&told),
        ["x-adit-assertion", "x-adit-method", "x-adit-subject"]
    );
    assert_eq!(told["x-adit-subject"], "ana%20%C3%BC\"\\%20100%25");
    assert_eq!(told["x-adit-method"], "token");
    let set = key_set(&stage.edge);
    let claims = verified(&told["x-adit-assertion"], &set).unwrap();
    let port = stage.edge.engine().public_port();
    let issued = claims["iat"].as_u64().unwrap();
    assert!((now..now + 60).contains(&issued));
    assert_eq!(
        claims,
        json!({
            "iss": format!("https://{BASE_HOST}:{port}"),
            "aud": format!("https://{HOST}:{port}"),
            "iat": issued,
            "exp": issued + 60,
            "jti": recorded.field("x-request-id").unwrap(),
            "sub": "ana \u{fc}\"\\ 100%",
            "mechanism": "token",
            "project": "proj-1",
            "method": "GET",
            "host": HOST,
            "path": "/a%2Fb/./c",
        })
    );
    assert!(is_believed(&recorded, HOST, &stage.edge, &set));
}

/// Each beside the request that it would have been good for.
#[test]
fn an_assertion_is_good_for_one_request_alone() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = setup(&upstream)
        .tunnel(Tunnel::guarded(OTHER, &upstream).line(ON))
        .start();
    let set = key_set(&edge);
    let token = bearer(&edge.token(|_| ()));
    let ask = |method: &str, host: &str, path: &str| {
        let length = if method == "POST" {
            "Content-Length: 0\r\n"
        } else {
            ""
        };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{token}\r\n");
        assert_eq!(edge.client().ask(request).status, 200);
        upstream.next_request()
    };
    let good = ask("GET", HOST, "/a");
    assert!(is_believed(&good, HOST, &edge, &set));
    assert!(!is_believed(&good, OTHER, &edge, &set));
    let replayed = |into: Recorded| {
        let own = into.field("x-adit-assertion").unwrap();
        let other = good.field("x-adit-assertion").unwrap();
        assert_ne!(own, other);
        let head = String::from_utf8(into.head.clone()).unwrap();
        Recorded {
            head: head.replace(own, other).into_bytes(),
            ..into
        }
    };
    for (method, host, path, is_good) in [
        ("GET", HOST, "/a", true),
        ("GET", HOST, "/a?query=is-not-claimed", true),
        ("GET", HOST, "/b", false),
        ("GET", HOST, "/%61", false),
        ("POST", HOST, "/a", false),
        ("GET", OTHER, "/a", false),
    ] {
        let own = ask(method, host, path);
        assert!(is_believed(&own, host, &edge, &set));
        assert_eq!(
            is_believed(&replayed(own), host, &edge, &set),
            is_good,
            "{method} {host}{path}"
        );
    }
    // Changed claims, and claims of somebody without the key.
    let assertion = good.field("x-adit-assertion").unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let claims = String::from_utf8(decoded(claims)).unwrap();
    for forged in [
        format!(
            "{header}.{}.{signature}",
            URL_SAFE_NO_PAD.encode(claims.replace("\"/a\"", "\"/b\""))
        ),
        format!("{signed}."),
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
    ] {
        assert_eq!(verified(&forged, &set), None);
    }
    edge.pass(std::time::Duration::from_secs(60));
    assert!(!is_believed(&good, HOST, &edge, &set), "it has ended");
}

#[test]
fn nothing_that_a_client_writes_under_these_names_arrives() {
    let stage = stage();
    let token = bearer(&stage.edge.token(|_| ()));
    let mut lines = token.clone();
    for name in ["Subject", "Credential", "Method", "Assertion", "Role"] {
        for name in [
            format!("X-Adit-{name}"),
            format!("x-adit-{}", name.to_lowercase()),
            format!("X_ADIT_{}", name.to_uppercase()),
            format!("X-Adit_{name}"),
            format!("x_adit-{name}"),
        ] {
            lines.push_str(&format!("{name}: evil\r\n{name}: evil\r\n"));
        }
    }
    let recorded = stage.forwards("/", &lines);
    let told = told(&recorded);
    assert_eq!(
        names(&told),
        ["x-adit-assertion", "x-adit-method", "x-adit-subject"]
    );
    assert!(!String::from_utf8_lossy(&recorded.head).contains("evil"));
    assert_eq!(told["x-adit-subject"], "tester");
    // Named by Connection, they would be dropped behind the edge.
    for name in ["X-Adit-Subject", "x-adit-assertion", "X_Adit_Method"] {
        let lines = format!("{token}Connection: keep-alive, {name}\r\n{name}: evil\r\n");
        stage.refuses("/", &lines, 400, "connection_names_protected");
    }
}

/// A trailer would come after the judgement, and some servers merge it into the head.
#[test]
fn nor_does_it_arrive_as_a_trailer() {
    let upstream = Upstream::scripted(|mut peer| {
        let head = peer.request_head().unwrap();
        let mut body = peer.until(b"\r\n0\r\n").unwrap();
        while !body.ends_with(b"\r\n\r\n") {
            body.extend(peer.until(b"\r\n").unwrap());
        }
        peer.record(Recorded { body, ..head });
        peer.send(ok("inside"));
    });
    let edge = Edge::setup()
        .tunnel(
            Tunnel::guarded(HOST, &upstream)
                .line(ON)
                .line("trailers = true"),
        )
        .start();
    let token = bearer(&edge.token(|_| ()));
    let answer = edge.client().ask(format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\n{token}Trailer: X-Adit-Subject\r\nTransfer-Encoding: chunked\r\n\r\n\
         1\r\na\r\n0\r\nX-Adit-Subject: evil\r\nx_adit_assertion: evil\r\nX-ADIT-METHOD: evil\r\nX-Sum: 1\r\n\r\n"
    ));
    assert_eq!(answer.status, 200);
    let recorded = upstream.next_request();
    assert_eq!(recorded.body, b"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n");
    assert_eq!(told(&recorded)["x-adit-subject"], "tester");
}

#[test]
fn a_tunnel_that_does_not_ask_is_told_nothing() {
    for stage in [Stage::guarded(), Stage::public()] {
        let token = bearer(&stage.edge.token(|_| ()));
        let recorded = stage.forwards("/", &format!("{token}X-Adit-Subject: evil\r\n"));
        assert_eq!(told(&recorded), BTreeMap::new());
        assert!(!stage.edge.folder().join("state").exists());
    }
    // Nor is one beside a tunnel that does.
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = setup(&upstream)
        .tunnel(Tunnel::guarded(OTHER, &upstream))
        .start();
    let token = bearer(&edge.token(|_| ()));
    let request = get("/", &token).replace(HOST, OTHER);
    assert_eq!(edge.client().ask(request).status, 200);
    assert_eq!(told(&upstream.next_request()), BTreeMap::new());
}

#[test]
fn a_token_without_a_subject_names_nobody_and_a_long_one_is_refused() {
    let stage = stage();
    let nobody = stage.edge.token(|claims| {
        claims.remove("sub");
    });
    let recorded = stage.forwards("/", &bearer(&nobody));
    let told_of_nobody = told(&recorded);
    assert_eq!(
        names(&told_of_nobody),
        ["x-adit-assertion", "x-adit-method"]
    );
    let set = key_set(&stage.edge);
    let claims = verified(&told_of_nobody["x-adit-assertion"], &set).unwrap();
    assert_eq!(claims.get("sub"), None);

    let long = "\u{fc}".repeat(127) + "s";
    let recorded = stage.forwards("/", &bearer(&with_subject(&stage.edge, &long)));
    let told = told(&recorded);
    assert_eq!(told["x-adit-subject"], format!("{}s", "%C3%BC".repeat(127)));
    assert_eq!(
        verified(&told["x-adit-assertion"], &set).unwrap()["sub"],
        *long
    );
    let longer = bearer(&with_subject(&stage.edge, &format!("{long}s")));
    stage.refuses("/", &longer, 403, "subject_too_long");
    // Where nobody is told, it is as good as any.
    let silent = Stage::guarded();
    let longer = bearer(&with_subject(&silent.edge, &format!("{long}s")));
    silent.forwards("/", &longer);
}

#[test]
fn who_answers_for_a_token_is_told_by_its_exact_name() {
    let issuer = "https://idp.example.test/100%";
    let secret = "the secret of another issuer, which is long enough";
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = setup(&upstream)
        .file("idp", secret)
        .tables(&format!(
            "[[credential]]\nid = \"u%1\"\nkind = \"user\"\nprojects = [\"proj-1\"]\n\
             [[issuer]]\nissuer = \"{issuer}\"\naudience = [\"edge\"]\nalgorithms = [\"HS256\"]\nhs256_secret_file = \"idp\"\n\
             projects = [\"proj-1\"]\npermissions = [\"tunnels.streams.create-delete\"]"
        ))
        .start();
    let set = key_set(&edge);
    let now = edge.clock().now().unix_seconds();
    let header = json!({ "alg": "HS256" });
    let user = json!({ "type": "auth", "userId": "u%1", "sub": "ana", "iat": now, "exp": now + 60, "permissions": null });
    let foreign = json!({ "iss": issuer, "aud": "edge", "sub": "ana", "exp": now + 60 });
    for (token, field, claim) in [
        (sign(SECRET, &header, &user), "u%251", "u%1"),
        (
            sign(secret, &header, &foreign),
            "https://idp.example.test/100%25",
            issuer,
        ),
    ] {
        assert_eq!(edge.client().ask(get("/", &bearer(&token))).status, 200);
        let told = told(&upstream.next_request());
        assert_eq!(
            (&*told["x-adit-credential"], &*told["x-adit-subject"]),
            (field, "ana")
        );
        let claims = verified(&told["x-adit-assertion"], &set).unwrap();
        assert_eq!(claims["credential"], claim);
    }
}

/// The longest head that may be, with a path that is most of it and is claimed once more.
#[test]
fn a_head_that_grows_beyond_every_buffer_goes_on_whole() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = setup(&upstream)
        .tables("[limits]\nhead_bytes = \"128KiB\"\ntarget_bytes = \"128KiB\"")
        .start();
    let set = key_set(&edge);
    let token = bearer(&edge.token(|_| ()));
    for bytes in [10_000, 15_000, 100_000, 130_000] {
        for byte in ["a", "\""] {
            let path = format!("/{}", byte.repeat(bytes));
            let answer = edge.client().ask(get(&path, &token));
            assert_eq!(answer.status, 200, "{bytes}");
            let recorded = upstream.next_request();
            assert!(is_believed(&recorded, HOST, &edge, &set), "{bytes}");
        }
    }
}

/// It changes nothing of what a token allows, nor of what the client gets.
#[test]
fn a_boundary_holds_as_ever_and_a_websocket_is_told_of_too() {
    let stage = stage();
    let narrow = stage.edge.token(|claims| {
        let rule = path_rule(&json!({ "regex": "^/api(/|$)" }));
        claims.insert("resources".into(), json!({ "tunnels": rule }));
    });
    let recorded = stage.forwards("/api/x", &bearer(&narrow));
    assert_eq!(told(&recorded)["x-adit-subject"], "tester");
    stage.refuses("/x", &bearer(&narrow), 403, "path_outside_boundary");
    stage.refuses("/api/%2e%2e/x", &bearer(&narrow), 403, "path_ambiguous");
    stage.refuses("/api", "", 401, "token_missing");

    let token = bearer(&stage.edge.token(|_| ()));
    let mut client = stage.edge.client();
    client.send(get(
        "/ws",
        &format!(
            "{token}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        ),
    ));
    assert_eq!(client.response().status, 200);
    let recorded = stage.upstream.next_request();
    assert_eq!(recorded.field("upgrade"), Some("websocket"));
    let set = key_set_after(&stage.edge);
    assert!(is_believed(&recorded, HOST, &stage.edge, &set));
}

/// As [`key_set`], past the lines that stand in the log before it.
fn key_set_after(edge: &Edge) -> Value {
    let mut client = edge.tls_client(BASE_HOST);
    let answer = client.ask(format!("GET {KEYS} HTTP/1.1\r\nHost: {BASE_HOST}\r\n\r\n"));
    serde_json::from_slice(&answer.body).unwrap()
}
