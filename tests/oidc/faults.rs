//! A provider that lies, or somebody in its place.

use adit::config::settings::Oidc;
use adit::oidc::{FlowSecrets, OidcError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;

use crate::support::mock::{ACCESS_TOKEN, hs256, unsigned};
use crate::support::{CLIENT_ID, CLIENT_SECRET, Edge, Mock, parameter, settings};

struct Bench {
    mock: Mock,
    edge: Edge,
}

impl Bench {
    fn new() -> Bench {
        let mock = Mock::start();
        let edge = Edge::new(&mock.issuer);
        Bench { mock, edge }
    }

    /// A sign-in that ends with what `token` makes of its beginning.
    fn with(&self, token: impl FnOnce(&Url) -> String) -> Result<adit::oidc::SignedIn, OidcError> {
        let (url, secrets) = self.edge.begin().unwrap();
        self.mock.gives(&token(&url));
        self.edge.finish(&callback(&url), &secrets)
    }

    fn with_claims(&self, changes: Value) -> Result<adit::oidc::SignedIn, OidcError> {
        let header = json!({ "alg": "EdDSA", "kid": "a", "typ": "JWT" });
        self.with(|url| self.mock.sign(&header, &self.mock.claims(url, changes)))
    }

    fn finish(&self) -> Result<adit::oidc::SignedIn, OidcError> {
        let (url, secrets) = self.edge.begin().unwrap();
        self.edge.finish(&callback(&url), &secrets)
    }
}

fn callback(url: &Url) -> String {
    format!(
        "code=canary-code&state={}",
        parameter(url, "state").unwrap()
    )
}

#[test]
fn each_claim_of_an_id_token_is_what_it_must_be() {
    let bench = Bench::new();
    let user = bench.with_claims(json!({})).unwrap();
    assert_eq!(user.email.as_deref(), Some("ana@example.com"));
    let now = bench.edge.clock.now().unix_seconds();
    for good in [
        json!({ "aud": [CLIENT_ID] }),
        json!({ "aud": [CLIENT_ID, "other"], "azp": CLIENT_ID }),
        json!({ "azp": CLIENT_ID }),
        json!({ "at_hash": null }),
        json!({ "iat": now + 200, "nbf": now + 200 }),
        json!({ "sid": "s-1" }),
    ] {
        assert!(bench.with_claims(good.clone()).is_ok(), "{good}");
    }
    for (bad, reason) in [
        (
            json!({ "iss": format!("{}/", bench.mock.issuer) }),
            "oidc_token",
        ),
        (json!({ "iss": null }), "oidc_token"),
        (json!({ "aud": "other" }), "oidc_token"),
        (json!({ "aud": [] }), "oidc_token"),
        (json!({ "aud": null }), "oidc_token"),
        (json!({ "aud": [CLIENT_ID, "other"] }), "oidc_token"),
        (
            json!({ "aud": [CLIENT_ID, 7], "azp": CLIENT_ID }),
            "oidc_token",
        ),
        (json!({ "azp": "other" }), "oidc_token"),
        (json!({ "exp": now - 1 }), "oidc_token"),
        (json!({ "exp": now }), "oidc_token"),
        (json!({ "exp": null }), "oidc_token"),
        (json!({ "exp": "9999999999" }), "oidc_token"),
        (json!({ "exp": (now + 60) as f64 + 0.5 }), "oidc_token"),
        (json!({ "iat": null }), "oidc_token"),
        (json!({ "iat": now + 400 }), "oidc_token"),
        (json!({ "nbf": now + 400 }), "oidc_token"),
        (json!({ "nonce": "another" }), "oidc_nonce"),
        (json!({ "nonce": null }), "oidc_nonce"),
        (json!({ "nonce": 1 }), "oidc_token"),
        (json!({ "at_hash": "AAAA" }), "oidc_token"),
        (json!({ "at_hash": 1 }), "oidc_token"),
        (json!({ "sub": null }), "oidc_token"),
        (json!({ "sub": "" }), "oidc_token"),
        (json!({ "sub": "x".repeat(256) }), "oidc_token"),
        (json!({ "email": ["ana@example.com"] }), "oidc_token"),
        (json!({ "groups": ["a", 1] }), "oidc_token"),
    ] {
        let refused = bench.with_claims(bad.clone()).unwrap_err();
        assert_eq!(refused.reason(), reason, "{bad}");
    }
}

#[test]
fn an_id_token_is_signed_by_the_provider_with_a_public_key() {
    let bench = Bench::new();
    let (mock, other) = (&bench.mock, Mock::start());
    let x = mock.jwk("a")["x"].as_str().unwrap().to_owned();
    let claims = |url: &Url| mock.claims(url, json!({}));
    let header = json!({ "alg": "EdDSA", "kid": "a" });
    let refused = |refused: Result<_, OidcError>, why: &str| {
        let refused: OidcError = refused.map(|_: adit::oidc::SignedIn| ()).unwrap_err();
        assert_eq!(refused.to_string(), format!("oidc_token: {why}"));
    };
    refused(
        bench.with(|url| other.sign(&header, &claims(url))),
        "token_signature",
    );
    let none = json!({ "alg": "none" });
    refused(
        bench.with(|url| unsigned(&none, &claims(url)) + "."),
        "token_malformed",
    );
    refused(
        bench.with(|url| unsigned(&none, &claims(url)) + ".AAAA"),
        "token_algorithm",
    );
    // The provider lists HS256; whoever knows the client's secret, or the public key, could sign with it.
    let secret = CLIENT_SECRET.as_bytes();
    refused(
        bench.with(|url| hs256(secret, &claims(url))),
        "token_algorithm",
    );
    refused(
        bench.with(|url| hs256(x.as_bytes(), &claims(url))),
        "token_algorithm",
    );
    let brought = json!({ "alg": "EdDSA", "kid": "b", "jwk": other.jwk("b") });
    refused(
        bench.with(|url| other.sign(&brought, &claims(url))),
        "issuer_key_unknown",
    );
    let critical = json!({ "alg": "EdDSA", "kid": "a", "crit": ["b64"], "b64": true });
    refused(
        bench.with(|url| mock.sign(&critical, &claims(url))),
        "token_critical_header",
    );
    let access = json!({ "alg": "EdDSA", "kid": "a", "typ": "at+jwt" });
    refused(
        bench.with(|url| mock.sign(&access, &claims(url))),
        "token_header",
    );
    let long = |url: &Url| mock.claims(url, json!({ "x": "x".repeat(33 * 1024) }));
    refused(
        bench.with(|url| mock.sign(&header, &long(url))),
        "token_too_long",
    );
    mock.says("/token", 200, &json!({ "access_token": ACCESS_TOKEN }));
    refused(bench.finish(), "there is none");
    assert!(bench.with(|url| mock.sign(&header, &claims(url))).is_ok());
}

#[test]
fn a_key_that_the_provider_does_not_have_causes_one_fetch() {
    let bench = Bench::new();
    let header = json!({ "alg": "EdDSA", "kid": "made up" });
    for _ in 0..5 {
        let made_up =
            bench.with(|url| bench.mock.sign(&header, &bench.mock.claims(url, json!({}))));
        assert_eq!(made_up.unwrap_err().reason(), "oidc_token");
    }
    assert_eq!(bench.mock.requests("/jwks").len(), 2);
}

#[test]
fn the_client_proves_itself_in_the_way_that_the_provider_takes() {
    let bench = Bench::new();
    bench.with_claims(json!({})).unwrap();
    let request = bench.mock.requests("/token").pop().unwrap();
    let joined = "edge+client:canary-secret+%2B%2F%25%26%3D%3A+of+the+client";
    let expected = format!("authorization: Basic {}\r\n", STANDARD.encode(joined));
    assert!(request.contains(&expected), "{request}");
    assert!(!request.contains("client_secret") && request.contains("code_verifier="));

    let post = Bench::new();
    post.mock
        .discovery(json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }));
    post.with_claims(json!({})).unwrap();
    let request = post.mock.requests("/token").pop().unwrap();
    let expected =
        "&client_id=edge+client&client_secret=canary-secret+%2B%2F%25%26%3D%3A+of+the+client";
    assert!(
        request.ends_with(expected) && !request.contains("authorization:"),
        "{request}"
    );
}

#[test]
fn what_the_token_endpoint_says_is_told_apart() {
    let bench = Bench::new();
    for (status, body, shown) in [
        (
            400,
            json!({ "error": "invalid_grant" }),
            "oidc_exchange: the provider says invalid_grant",
        ),
        (
            400,
            json!({ "error": "canary\u{1b}[0m" }),
            "oidc_exchange: the provider says something else",
        ),
        (
            400,
            json!([]),
            "oidc_exchange: the provider says something else",
        ),
        (
            401,
            json!({ "error": "invalid_client" }),
            "oidc_client: the provider knows no such client_id and secret",
        ),
        (200, json!([]), "oidc_token: there is none"),
        (
            503,
            json!({}),
            "oidc_unreachable: answered 503 Service Unavailable",
        ),
        (
            429,
            json!({}),
            "oidc_unreachable: answered 429 Too Many Requests",
        ),
    ] {
        bench.mock.says("/token", status, &body);
        assert_eq!(bench.finish().unwrap_err().to_string(), shown);
    }
    // A code is never carried elsewhere.
    let elsewhere = Mock::start();
    let line = format!("Location: {}/token\r\n", elsewhere.issuer);
    bench.mock.answers("/token", (307, line, String::new()));
    assert_eq!(bench.finish().unwrap_err().reason(), "oidc_unreachable");
    assert!(elsewhere.requests("/token").is_empty());
    let long = "x".repeat(65 * 1024);
    bench.mock.answers("/token", (200, String::new(), long));
    assert_eq!(bench.finish().unwrap_err().reason(), "oidc_unreachable");
}

#[test]
fn another_user_s_claims_are_not_taken() {
    let bench = Bench::new();
    let no_email = || json!({ "email": null, "email_verified": null });
    let told =
        |sub: Value| json!({ "sub": sub, "email": "Ana@example.com", "email_verified": true });
    bench.mock.says("/userinfo", 200, &told(json!("ana")));
    let user = bench.with_claims(no_email()).unwrap();
    assert_eq!(user.email.as_deref(), Some("ana@example.com"));
    let asked = bench.mock.requests("/userinfo").pop().unwrap();
    assert!(asked.contains(&format!("authorization: Bearer {ACCESS_TOKEN}")));
    for told in [told(json!("ben")), told(Value::Null), json!([]), json!("x")] {
        bench.mock.says("/userinfo", 200, &told);
        assert_eq!(
            bench.with_claims(no_email()),
            Err(OidcError::UserInfo),
            "{told}"
        );
    }
    bench.mock.says("/userinfo", 403, &json!({}));
    assert_eq!(bench.with_claims(no_email()), Err(OidcError::UserInfo));
    bench.mock.says("/userinfo", 500, &json!({}));
    assert_eq!(
        bench.with_claims(no_email()).unwrap_err().reason(),
        "oidc_unreachable"
    );
    // Where the ID token says it nobody else is asked.
    let count = bench.mock.requests("/userinfo").len();
    assert!(bench.with_claims(json!({})).is_ok());
    assert_eq!(bench.mock.requests("/userinfo").len(), count);
}

#[test]
fn a_provider_that_always_says_who_it_is_must() {
    let bench = Bench::new();
    bench
        .mock
        .discovery(json!({ "authorization_response_iss_parameter_supported": true }));
    let (url, secrets) = bench.edge.begin().unwrap();
    let header = json!({ "alg": "EdDSA", "kid": "a" });
    bench.mock.gives(
        &bench
            .mock
            .sign(&header, &bench.mock.claims(&url, json!({}))),
    );
    let query = callback(&url);
    assert_eq!(bench.edge.finish(&query, &secrets), Err(OidcError::Issuer));
    let other = format!("{query}&iss=https://evil.example");
    assert_eq!(bench.edge.finish(&other, &secrets), Err(OidcError::Issuer));
    assert!(
        bench.mock.requests("/token").is_empty(),
        "the code went nowhere"
    );
    let named = format!("{query}&iss={}", bench.mock.issuer);
    assert!(bench.edge.finish(&named, &secrets).is_ok());
}

#[test]
fn a_discovery_document_is_read_whole_or_not_at_all() {
    let begin = |changes: Value, settings: &dyn Fn(Oidc) -> Oidc| {
        let mock = Mock::start();
        mock.discovery(changes);
        let edge = Edge::with(settings(self::settings(&mock.issuer)));
        edge.begin().map(|(url, _): (Url, FlowSecrets)| url)
    };
    let same = |settings: Oidc| settings;
    let url = begin(json!({}), &same).unwrap();
    assert_eq!(parameter(&url, "tenant").as_deref(), Some("1"));
    for (changes, shown) in [
        (
            json!({ "issuer": "https://evil.example" }),
            "issuer is not exactly that of [sign_in.oidc]",
        ),
        (
            json!({ "issuer": null }),
            "issuer is not exactly that of [sign_in.oidc]",
        ),
        (
            json!({ "token_endpoint": null }),
            "token_endpoint is missing or of the wrong type",
        ),
        (
            json!({ "jwks_uri": 1 }),
            "jwks_uri is missing or of the wrong type",
        ),
        (
            json!({ "token_endpoint": "http://idp.example.com/t" }),
            "token_endpoint is not https, or in a private network",
        ),
        (
            json!({ "jwks_uri": "https://10.0.0.1/" }),
            "jwks_uri is not https, or in a private network",
        ),
        (
            json!({ "jwks_uri": "https://a:b@idp.example.com/" }),
            "jwks_uri is not https, or in a private network",
        ),
        (
            json!({ "end_session_endpoint": "javascript:alert(1)" }),
            "end_session_endpoint is not https, or in a private network",
        ),
        (
            json!({ "authorization_endpoint": "file:///etc/passwd" }),
            "authorization_endpoint is not https, or in a private network",
        ),
        (
            json!({ "id_token_signing_alg_values_supported": ["HS256", "none"] }),
            "ID tokens are signed with none of RS256, PS256, ES256, ES384 and EdDSA",
        ),
        (
            json!({ "id_token_signing_alg_values_supported": null }),
            "ID tokens are signed with none of RS256, PS256, ES256, ES384 and EdDSA",
        ),
        (
            json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt"] }),
            "neither client_secret_basic nor client_secret_post is taken",
        ),
    ] {
        let refused = begin(changes.clone(), &same).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("oidc_discovery: {shown}"),
            "{changes}"
        );
    }
    let public = |settings: Oidc| Oidc {
        client_secret: None,
        ..settings
    };
    let methods = json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt"] });
    assert!(begin(methods, &public).is_ok());
    let mock = Mock::start();
    for (path, answer, reason) in [
        ("/jwks", "[]", "oidc_discovery"),
        (
            "/.well-known/openid-configuration",
            "{\"issuer\":1,\"issuer\":1}",
            "oidc_discovery",
        ),
        ("/.well-known/openid-configuration", "", "oidc_discovery"),
    ] {
        mock.answers(path, (200, String::new(), answer.to_owned()));
        let refused = Edge::new(&mock.issuer).begin().unwrap_err();
        assert_eq!(refused.reason(), reason, "{answer}");
    }
}
