//! Tokens that belong to stored credentials: what they reach, and that what is taken back is so at the next request of
//! every core.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use adit::token::{MintFamily, MintRequest, P521PrivateKey, mint_es512, mint_hs256, sha256_hex};

use crate::stage::{bearer, clients_of_every_core, get};
use crate::support::edge::SECRET;
use crate::support::{Client, Edge, HOST, Setup, Tunnel, Upstream};

const OTHER: &str = "other.t.example.test";

const PROJECT: &str = "[[project]]\nid = \"proj-2\"\nworkspace = \"ws-1\"";

/// The same with these credentials alone.
fn with(setup: Setup, credentials: &str) -> Setup {
    setup.without_tables().tables(PROJECT).tables(credentials)
}

/// Two guarded tunnels of two projects on two cores, and no token without a credential.
fn setup(upstream: &Upstream) -> Setup {
    let other = Tunnel::guarded(OTHER, upstream).in_project("proj-2");
    Edge::setup()
        .cores(2)
        .tables(PROJECT)
        .tunnel(Tunnel::guarded(HOST, upstream))
        .tunnel(other)
}

/// A token of this family that is good for a minute by the clock of the edge that is not there yet.
fn request(family: MintFamily) -> MintRequest {
    let now = adit::runtime::clock::Clock::default().now().unix_seconds();
    MintRequest {
        family,
        issued_at: now,
        expires_at: Some(now + 60),
        ..MintRequest::default()
    }
}

fn pat(subject: &str) -> String {
    let request = MintRequest {
        subject: Some(subject.to_owned()),
        ..request(MintFamily::Pat)
    };
    mint_hs256(SECRET.as_bytes(), &request).unwrap()
}

fn stored(id: &str, token: &str, lines: &str) -> String {
    let hash = sha256_hex(token.as_bytes());
    format!(
        "[[credential]]\nid = \"{id}\"\nkind = \"pat\"\ntoken_sha256 = \"{hash}\"\nprojects = [\"proj-1\"]\n{lines}\n"
    )
}

fn ask(client: &mut Client, host: &str, path: &str, token: &str) -> u16 {
    let request = get(path, &bearer(token)).replace(HOST, host);
    client.ask(request).status
}

#[test]
fn case_19_a_personal_token_needs_its_record_on_every_core() {
    let upstream = Upstream::fixed("inside");
    let (known, unknown) = (pat("known"), pat("unknown"));
    let mut edge = setup(&upstream).tables(&stored("bot", &known, "")).start();
    let mut clients = clients_of_every_core(&edge);
    for client in &mut clients {
        assert_eq!(ask(client, HOST, "/", &known), 200);
        assert_eq!(ask(client, HOST, "/", &known), 200);
        assert_eq!(ask(client, OTHER, "/", &known), 403);
        assert_eq!(ask(client, HOST, "/", &unknown), 401);
    }
    let line = edge.log_text();
    assert!(line.contains("\"credential\":\"bot\""));
    assert!(line.contains("\"reason\":\"project_not_owned\""));
    assert!(line.contains("\"reason\":\"credential_unknown\""));
    // Taken back, and given again: warm or not, on every core and connection.
    for (lines, status) in [("revoked = true", 401), ("revoked = false", 200)] {
        edge.reload(|setup| with(setup, &stored("bot", &known, lines)));
        for client in &mut clients {
            assert_eq!(ask(client, HOST, "/", &known), status);
        }
    }
    assert!(
        edge.log_text()
            .contains("\"reason\":\"credential_revoked\"")
    );
}

/// What is stored bounds every token: its projects, its permissions, its boundary.
#[test]
fn a_credential_that_is_narrowed_narrows_its_tokens_at_once() {
    let upstream = Upstream::fixed("inside");
    let token = pat("a");
    let boundary = r#"resources = '{"tunnels":{"scopes":{"tunnels":{"connect":{"params":{"path":{"regex":"^/api(/|$)"}}}}}}}'"#;
    let as_table = "resources.tunnels.scopes.tunnels.connect.params.path.regex = \"^/api(/|$)\"";
    let mut edge = setup(&upstream).tables(&stored("bot", &token, "")).start();
    let mut client = edge.client();
    let both = |client: &mut Client| ["/api/x", "/x"].map(|path| ask(client, HOST, path, &token));
    assert_eq!(both(&mut client), [200, 200]);
    for (lines, statuses) in [
        (boundary, [200, 403]),
        (as_table, [200, 403]),
        ("permissions = []", [403, 403]),
        (
            "permissions = [\"tunnels.streams.create-delete\"]",
            [200, 200],
        ),
    ] {
        edge.reload(|setup| with(setup, &stored("bot", &token, lines)));
        assert_eq!(both(&mut client), statuses, "{lines}");
    }
    let elsewhere = stored("bot", &token, "").replace("proj-1", "proj-2");
    edge.reload(|setup| with(setup, &elsewhere));
    assert_eq!(both(&mut client), [403, 403]);
    assert_eq!(ask(&mut client, OTHER, "/", &token), 200);
    edge.reload(|setup| with(setup, ""));
    assert_eq!(both(&mut client), [401, 401]);
}

#[test]
fn case_18_applications_and_users_enter_with_tokens_of_their_own() {
    let upstream = Upstream::fixed("inside");
    let keys = [(); 3].map(|()| P521PrivateKey::generate().unwrap());
    let mut setup = setup(&upstream)
        .tables("[[credential]]\nid = \"ana\"\nkind = \"user\"\nprojects = [\"proj-2\"]");
    for (id, key) in ["reports", "billing"].iter().zip(&keys) {
        setup = setup
            .file(&format!("{id}.pem"), &key.public().to_pem().unwrap())
            .tables(&format!(
                "[[credential]]\nid = \"{id}\"\nkind = \"app\"\npublic_key_file = \"{id}.pem\"\nprojects = [\"proj-1\"]"
            ));
    }
    let edge = setup.start();
    let of = |id: &str| request(MintFamily::App(id.to_owned()));
    let [app, other, stranger] =
        [0, 1, 2].map(|key| mint_es512(&keys[key], &of("reports")).unwrap());
    let billing = mint_es512(&keys[1], &of("billing")).unwrap();
    let nobody = mint_es512(&keys[0], &of("nobody")).unwrap();
    let shared = mint_hs256(SECRET.as_bytes(), &of("reports")).unwrap();
    let auth = |user: &str| {
        mint_hs256(
            SECRET.as_bytes(),
            &request(MintFamily::Auth(user.to_owned())),
        )
        .unwrap()
    };
    let mut client = edge.client();
    for (token, here, there) in [
        (app.as_str(), 200, 403),
        (&billing, 200, 403),
        // With the key of another application, with nobody's, and with the deployment secret.
        (&other, 401, 401),
        (&stranger, 401, 401),
        (&shared, 401, 401),
        (&nobody, 401, 401),
        (&auth("ana"), 403, 200),
        (&auth("reports"), 401, 401),
        (&auth("eve"), 401, 401),
    ] {
        for (host, status) in [(HOST, here), (OTHER, there)] {
            assert_eq!(ask(&mut client, host, "/", token), status, "{token}");
            if status == 200 {
                assert_eq!(upstream.next_request().field("authorization"), None);
            }
        }
    }
}

/// S9: what takes a public key is dear, and has a budget of its own.
#[test]
fn tokens_of_applications_have_a_budget() {
    let upstream = Upstream::fixed("inside");
    let key = P521PrivateKey::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.pem");
    fs::write(&file, key.public().to_pem().unwrap()).unwrap();
    let edge = setup(&upstream)
        .tables(&format!(
            "[[credential]]\nid = \"a\"\nkind = \"app\"\npublic_key_file = \"{}\"\nprojects = [\"proj-1\"]\n\
             [limits]\nexpensive_verifications_per_second = 2\n",
            file.display()
        ))
        .start();
    let token = |number: usize| {
        let request = MintRequest {
            subject: Some(number.to_string()),
            ..request(MintFamily::App("a".to_owned()))
        };
        mint_es512(&key, &request).unwrap()
    };
    let mut client = edge.client();
    let first = token(0);
    assert_eq!(ask(&mut client, HOST, "/", &first), 200);
    let mut refused = (1..40).map(|number| ask(&mut client, HOST, "/", &token(number)));
    assert_eq!(refused.find(|status| *status != 200), Some(429));
    // One that is remembered is not verified.
    assert_eq!(ask(&mut client, HOST, "/", &first), 200);
    let mut other = Client::from("127.0.0.3", edge.http());
    assert_eq!(ask(&mut other, HOST, "/", &token(99)), 200);
}

/// S4.6, with an issuer that shares a secret and one that has a key set.
#[test]
fn tokens_of_other_issuers_reach_what_the_configuration_says() {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::json;

    let upstream = Upstream::fixed("inside");
    let folder = tempfile::tempdir().unwrap();
    let document = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k1" }] });
    let file = folder.path().join("set.json");
    fs::write(&file, set.to_string()).unwrap();
    let edge = setup(&upstream)
        .tables(&format!(
            "[[issuer]]\nissuer = \"https://idp.example\"\naudience = [\"edge\"]\nalgorithms = [\"EdDSA\"]\n\
             jwks_file = \"{}\"\nprojects = [\"proj-1\"]\npermissions = [\"tunnels.streams.create-delete\"]\n\
             resources.tunnels.scopes.tunnels.connect.params.path.regex = \"^/api(/|$)\"\n",
            file.display()
        ))
        .start();
    let now = edge.clock().now().unix_seconds();
    let token = |header: serde_json::Value, claims: serde_json::Value| {
        let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = signed.join(".");
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    };
    let header = || json!({ "alg": "EdDSA", "kid": "k1", "typ": "at+jwt" });
    let claims = |audience: &str| json!({ "iss": "https://idp.example", "aud": audience, "sub": "ana", "exp": now + 60 });
    let good = token(header(), claims("edge"));
    let mut client = edge.client();
    assert_eq!(ask(&mut client, HOST, "/api/x", &good), 200);
    assert_eq!(upstream.next_request().field("authorization"), None);
    assert_eq!(edge.log_line()["credential"], "ana");
    for (host, path, token, status, reason) in [
        (HOST, "/x", good.clone(), 403, "path_outside_boundary"),
        (OTHER, "/api/x", good.clone(), 403, "project_not_owned"),
        (
            HOST,
            "/api/x",
            token(header(), claims("other")),
            401,
            "token_other_audience",
        ),
        (
            HOST,
            "/api/x",
            token(json!({ "alg": "EdDSA", "kid": "k2" }), claims("edge")),
            401,
            "issuer_key_unknown",
        ),
        (
            HOST,
            "/api/x",
            crate::support::sign(
                SECRET,
                &json!({ "alg": "HS256", "kid": "k1" }),
                &claims("edge"),
            ),
            401,
            "token_algorithm",
        ),
    ] {
        assert_eq!(ask(&mut client, host, path, &token), status, "{reason}");
        assert_eq!(edge.reason(), reason);
    }
    assert_eq!(upstream.connections(), 1);
    // S3.4: a public tunnel gets none of them, whether it verifies or not.
    let stranger = token(header(), json!({ "iss": "https://elsewhere.example" }));
    let open = Edge::setup()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables("[[issuer]]\nissuer = \"https://idp.example\"\naudience = [\"edge\"]\nalgorithms = [\"HS256\"]\n\
                 hs256_secret_file = \"idp\"\nprojects = [\"proj-1\"]\npermissions = []")
        .file("idp", "a secret of the issuer, which has more than thirty-two bytes")
        .start();
    for (token, kept) in [(good, false), (stranger, true)] {
        let mut client = open.client();
        assert_eq!(ask(&mut client, HOST, "/", &token), 200);
        let recorded = upstream.next_request();
        assert_eq!(recorded.field("authorization").is_some(), kept, "{token}");
    }
}
