//! What `tests/oidc` cannot ask of a provider on a loopback address.

use super::*;

fn settings(issuer: &str, private_addresses: bool) -> Oidc {
    Oidc {
        issuer: issuer.to_owned(),
        client_id: "edge".to_owned(),
        client_secret: None,
        scopes: Vec::new(),
        groups_claim: "groups".to_owned(),
        roots: None,
        private_addresses,
    }
}

fn parse(token_endpoint: &str, private_addresses: bool) -> Result<Discovery, DiscoveryFault> {
    let issuer = "https://idp.example.com/realm/";
    let text = format!(
        r#"{{"issuer":"{issuer}","authorization_endpoint":"https://10.0.0.1/auth","token_endpoint":"{token_endpoint}",
        "jwks_uri":"https://keys.example.com/","id_token_signing_alg_values_supported":["EdDSA","ES512","RS256","x"]}}"#
    );
    Discovery::parse(text.as_bytes(), &settings(issuer, private_addresses))
}

#[test]
fn an_issuer_elsewhere_cannot_lead_to_this_machine_or_network() {
    let refused = Err(DiscoveryFault::Address("token_endpoint"));
    let found = parse("https://idp.example.com/token", false).unwrap();
    assert_eq!(found.algorithms, [Algorithm::Rs256, Algorithm::EdDsa]);
    for address in [
        "http://127.0.0.1:9090/metrics",
        "http://idp.example.com/token",
        "https://idp.example.com/token#x",
        "token",
    ] {
        assert_eq!(parse(address, true), refused, "{address}");
    }
    for address in [
        "https://127.0.0.1/",
        "https://[fd12::1]/",
        "https://169.254.169.254/",
    ] {
        assert_eq!(parse(address, false), refused, "{address}");
        assert!(parse(address, true).is_ok(), "{address}");
    }
}

#[test]
fn the_document_is_below_the_issuer() {
    for (issuer, expected) in [
        (
            "https://a.example",
            "https://a.example/.well-known/openid-configuration",
        ),
        (
            "https://a.example/b/",
            "https://a.example/b/.well-known/openid-configuration",
        ),
    ] {
        assert_eq!(address(issuer), expected);
    }
}

#[test]
fn an_rsa_key_that_does_not_say_what_it_is_for_is_for_rs256_alone() {
    // 2048 ones: no real key is needed to find one.
    let modulus = "_".repeat(341) + "w";
    let key = |more: &str| format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB"{more}}}"#);
    let finds = |keys: &str, header: &str| {
        let algorithms = [Algorithm::Rs256, Algorithm::Ps256];
        let set = format!(r#"{{"keys":[{keys}]}}"#);
        let keys = Keys::parse(set.as_bytes(), &algorithms).unwrap();
        use base64::Engine;
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
        let token = format!("{header}.e30.AAAA");
        let jws = Jws::parse(token.as_bytes(), 1024, &algorithms, &["JWT"]).unwrap();
        keys.find(&jws).map(VerifyingKey::algorithm)
    };
    let (rs256, ps256) = (r#"{"alg":"RS256"}"#, r#"{"alg":"PS256"}"#);
    assert_eq!(finds(&key(""), rs256), Some(Algorithm::Rs256));
    assert_eq!(finds(&key(""), ps256), None);
    let stated = key(r#","alg":"PS256""#);
    assert_eq!(finds(&stated, rs256), None);
    assert_eq!(finds(&stated, ps256), Some(Algorithm::Ps256));
    let both = format!("{},{stated}", key(""));
    assert_eq!(finds(&both, rs256), Some(Algorithm::Rs256));
    assert_eq!(finds(&both, ps256), Some(Algorithm::Ps256));
}
