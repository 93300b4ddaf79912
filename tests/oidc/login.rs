//! Sign-in at a real provider.

use adit::config::settings::Oidc;
use adit::oidc::{FLOW_SECRETS_LEN, FlowSecrets, OidcError, Prompt};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use std::time::Duration;

use crate::support::{Browser, CLIENT_ID, Edge, Node, REDIRECT_URI, parameter, settings};

#[test]
fn a_user_signs_in_whatever_the_provider_signs_with() {
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let node = Node::with(json!({ "algorithm": algorithm }));
        let edge = Edge::new(&node.issuer);
        let (url, secrets) = edge.begin().unwrap();
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "openid email profile"),
            ("code_challenge_method", "S256"),
        ] {
            assert_eq!(parameter(&url, name).as_deref(), Some(value));
        }
        assert_eq!(parameter(&url, "prompt"), None);
        let query = Browser::new().sign_in(&url, "ana");
        let user = edge.finish(&query, &secrets).unwrap();
        assert_eq!(user.subject, "ana", "{algorithm}");
        assert_eq!(user.email.as_deref(), Some("ana@example.com"));
        assert_eq!(user.name.as_deref(), Some("Ana"));
        assert_eq!(user.groups, ["staff", "edge"]);
        let now = edge.clock.now().unix_seconds();
        assert!(user.issued_at <= now && user.issued_at > now - 60);
        assert!(!format!("{user:?}").contains(&user.id_token));
    }
}

#[test]
fn what_the_id_token_does_not_say_the_provider_is_asked_for() {
    // Such a provider puts the claims of a scope into the answer of userinfo alone.
    let node = Node::with(json!({ "conform": true, "claims": { "email_verified": false } }));
    let edge = Edge::new(&node.issuer);
    let user = edge.sign_in(&mut Browser::new(), "ana").unwrap();
    assert_eq!((user.name.as_deref(), user.groups.len()), (Some("Ana"), 2));
    assert_eq!(user.email, None, "it is not verified");

    let node = Node::with(json!({ "conform": true }));
    let user = Edge::new(&node.issuer).sign_in(&mut Browser::new(), "ana");
    assert_eq!(user.unwrap().email.as_deref(), Some("ana@example.com"));
    let without = Oidc {
        scopes: vec!["openid".to_owned()],
        ..settings(&node.issuer)
    };
    let user = Edge::with(without)
        .sign_in(&mut Browser::new(), "ana")
        .unwrap();
    assert_eq!((user.email, user.name, user.groups.len()), (None, None, 0));
}

#[test]
fn a_public_client_signs_in_by_pkce_alone() {
    let client = json!({ "token_endpoint_auth_method": "none", "client_secret": null });
    let node = Node::with(json!({ "client": client }));
    let edge = Edge::with(Oidc {
        client_secret: None,
        ..settings(&node.issuer)
    });
    assert_eq!(
        edge.sign_in(&mut Browser::new(), "ana").unwrap().subject,
        "ana"
    );
}

#[test]
fn a_wrong_client_secret_is_a_fault_of_the_configuration() {
    let node = Node::start();
    let edge = Edge::with(Oidc {
        client_secret: Some(adit::secret::Secret::new(b"canary-wrong".to_vec())),
        ..settings(&node.issuer)
    });
    let refused = edge.sign_in(&mut Browser::new(), "ana");
    assert_eq!(refused, Err(OidcError::Client));
}

#[test]
fn a_key_that_the_provider_has_changed_is_fetched_at_once() {
    let mut node = Node::start();
    let edge = Edge::new(&node.issuer);
    assert!(edge.sign_in(&mut Browser::new(), "ana").is_ok());
    node.rotate();
    assert!(edge.sign_in(&mut Browser::new(), "ana").is_ok());
    // Also between the two ends of one sign-in.
    let (url, secrets) = edge.begin().unwrap();
    node.rotate();
    let query = Browser::new().sign_in(&url, "ben");
    assert_eq!(edge.finish(&query, &secrets).unwrap().subject, "ben");
}

#[test]
fn a_session_at_the_provider_is_refreshed_without_a_page_and_without_one_is_not() {
    let node = Node::start();
    let edge = Edge::new(&node.issuer);
    let mut browser = Browser::new();
    edge.sign_in(&mut browser, "ana").unwrap();
    let (url, secrets) = edge.begin_with(Prompt::None).unwrap();
    assert_eq!(parameter(&url, "prompt").as_deref(), Some("none"));
    let query = browser.follow(&url, "never asked");
    assert_eq!(edge.finish(&query, &secrets).unwrap().subject, "ana");

    let (url, secrets) = edge.begin_with(Prompt::None).unwrap();
    let query = Browser::new().follow(&url, "never asked");
    assert_eq!(edge.finish(&query, &secrets), Err(OidcError::LoginRequired));
}

#[test]
fn a_user_who_declines_is_not_signed_in() {
    let node = Node::start();
    let edge = Edge::new(&node.issuer);
    let (url, secrets) = edge.begin().unwrap();
    let query = Browser::new().decline(&url);
    let refused = edge.finish(&query, &secrets).unwrap_err();
    assert_eq!(refused.reason(), "oidc_denied");
}

#[test]
fn a_code_counts_once_and_with_the_verifier_of_its_browser_alone() {
    let node = Node::start();
    let edge = Edge::new(&node.issuer);
    let (url, secrets) = edge.begin().unwrap();
    let query = Browser::new().sign_in(&url, "ana");
    assert!(edge.finish(&query, &secrets).is_ok());
    let refused = edge.finish(&query, &secrets).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "oidc_exchange: the provider says invalid_grant"
    );

    let (url, secrets) = edge.begin().unwrap();
    let query = Browser::new().sign_in(&url, "ana");
    let mut bytes = secrets.to_bytes();
    bytes[FLOW_SECRETS_LEN - 1] ^= 1;
    let other = FlowSecrets::from_bytes(&bytes[..]).unwrap();
    let refused = edge.finish(&query, &other).unwrap_err();
    assert_eq!(refused.reason(), "oidc_exchange");
}

#[test]
fn a_callback_counts_in_the_browser_that_began_alone() {
    let node = Node::start();
    let edge = Edge::new(&node.issuer);
    let (url, secrets) = edge.begin().unwrap();
    let (_, of_mallory) = edge.begin().unwrap();
    let query = Browser::new().sign_in(&url, "ana");
    assert_eq!(edge.finish(&query, &of_mallory), Err(OidcError::State));
    // A nonce of another sign-in: what comes back is no answer to it.
    let mut bytes = secrets.to_bytes();
    bytes[16] ^= 1;
    let other = FlowSecrets::from_bytes(&bytes[..]).unwrap();
    assert_eq!(edge.finish(&query, &other), Err(OidcError::Nonce));
}

#[test]
fn an_id_token_that_has_expired_does_not_count() {
    let node = Node::start();
    let edge = Edge::new(&node.issuer);
    let (url, secrets) = edge.begin().unwrap();
    let query = Browser::new().sign_in(&url, "ana");
    edge.clock.advance(Duration::from_secs(2 * 60 * 60));
    let refused = edge.finish(&query, &secrets).unwrap_err();
    assert_eq!(refused.to_string(), "oidc_token: it has expired");
}

#[test]
fn a_provider_under_a_ca_of_its_own_is_reached_with_that_ca_alone() {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = json!({ "key": pair.signing_key.serialize_pem(), "cert": pair.cert.pem() });
    let node = Node::with(json!({ "tls": tls }));
    let root = CertificateDer::from_pem_slice(pair.cert.pem().as_bytes()).unwrap();
    let edge = Edge::trusting(&node.issuer, Some(root.clone()));
    let user = edge.sign_in(&mut Browser::trusting(root.clone()), "ana");
    assert_eq!(user.unwrap().subject, "ana");
    let refused = Edge::trusting(&node.issuer, None).begin().unwrap_err();
    assert_eq!(refused.reason(), "oidc_unreachable");
    assert!(refused.to_string().contains("certificate"), "{refused}");
    // A name that leads to this machine is in a private network.
    let guarded = Edge::with(Oidc {
        roots: Some(vec![root]),
        ..settings(&node.issuer)
    });
    let refused = guarded.begin().unwrap_err().to_string();
    assert!(
        refused.contains("sign_in.oidc.private_addresses"),
        "{refused}"
    );
}
