//! The families of tokens: each proves itself with its own kind of key, belongs to its own kind of record, and reaches no
//! further than that record.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use ring::digest::{SHA256, digest};

use super::*;

const ES512: &str = r#"{"alg":"ES512","typ":"JWT"}"#;

/// Two keys, made once.
fn key(number: usize) -> &'static P521PrivateKey {
    static KEYS: OnceLock<[P521PrivateKey; 2]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| [(); 2].map(|()| P521PrivateKey::generate().unwrap()));
    &keys[number - 1]
}

fn sign_es512(key: &P521PrivateKey, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

fn hash(token: &str) -> [u8; 32] {
    digest(&SHA256, token.as_bytes())
        .as_ref()
        .try_into()
        .unwrap()
}

fn credential(id: &str, kind: CredentialKind) -> Credential {
    let bounds = Bounds {
        id: id.into(),
        ..Bounds::connect_within(&["p1"])
    };
    Credential {
        bounds: Arc::new(bounds),
        kind,
        live: true,
        changed_at: None,
    }
}

fn pat() -> String {
    sign(r#"{"type":"pat","jti":"1"}"#)
}

fn all() -> Vec<Credential> {
    vec![
        credential("bot", CredentialKind::Pat(hash(&pat()))),
        credential("app-1", CredentialKind::App(key(1).public())),
        credential("app-2", CredentialKind::App(key(2).public())),
        credential("ana", CredentialKind::User),
    ]
}

fn keys_of(credentials: Vec<Credential>) -> TokenKeys {
    keys().with_credentials(Credentials::new(credentials, HashSet::new()), true)
}

fn judged(token: &str, keys: &TokenKeys) -> Result<String, TokenError> {
    verify(token.as_bytes(), keys, NOW).map(|token| token.credential().to_owned())
}

fn app(claims: &str) -> String {
    format!(
        r#"{{"type":"app","iat":{},"exp":{},"permissions":null{claims}}}"#,
        NOW - 10,
        NOW + 50
    )
}

fn auth(claims: &str) -> String {
    app(claims).replace("\"app\"", "\"auth\"")
}

#[test]
fn a_personal_token_counts_as_it_is_stored_and_no_other_does() {
    let keys = keys_of(all());
    assert_eq!(judged(&pat(), &keys), Ok("bot".to_owned()));
    let vouched_by = |token: &str, keys: &TokenKeys| {
        let verified = verify(token.as_bytes(), keys, NOW).unwrap();
        verified.vouched_by().map(str::to_owned)
    };
    assert_eq!(vouched_by(&pat(), &keys), Some("bot".to_owned()));
    assert_eq!(vouched_by(&sign("{}"), &keys), None);
    // As well signed, and of the same claims in another order: another token.
    let twin = sign(r#"{"jti":"1","type":"pat"}"#);
    assert_eq!(judged(&twin, &keys), Err(TokenError::UnknownCredential));
    // Stored, and signed by somebody else.
    let forged = sign_with(
        b"another secret of thirty-two byte",
        HS256,
        r#"{"type":"pat"}"#,
    );
    let stored = keys_of(vec![credential("bot", CredentialKind::Pat(hash(&forged)))]);
    assert_eq!(judged(&forged, &stored), Err(TokenError::BadSignature));
    let expired = sign(format!(r#"{{"type":"pat","exp":{NOW}}}"#));
    let stored = keys_of(vec![credential("bot", CredentialKind::Pat(hash(&expired)))]);
    assert_eq!(judged(&expired, &stored), Err(TokenError::Expired));
}

/// S4.4: without a record somebody must be answerable for it, and a record that was taken back refuses in any case.
#[test]
fn where_records_are_not_required_a_personal_token_is_one_without_type() {
    let lenient =
        |credentials| keys().with_credentials(Credentials::new(credentials, HashSet::new()), false);
    assert_eq!(judged(&pat(), &lenient(vec![])), Ok(String::new()));
    assert_eq!(judged(&pat(), &lenient(all())), Ok("bot".to_owned()));
    let mut revoked = credential("bot", CredentialKind::Pat(hash(&pat())));
    revoked.live = false;
    assert_eq!(
        judged(&pat(), &lenient(vec![revoked])),
        Err(TokenError::Revoked)
    );
    let nobody = TokenKeys::new(SECRET, None, "edge.example.com")
        .with_credentials(Credentials::default(), false);
    assert_eq!(judged(&pat(), &nobody), Err(TokenError::UnknownCredential));
}

#[test]
fn case_18_an_application_proves_itself_with_its_own_key_alone() {
    let keys = keys_of(all());
    let claims = app(r#","clientId":"app-1""#);
    let good = sign_es512(key(1), ES512, &claims);
    assert_eq!(judged(&good, &keys), Ok("app-1".to_owned()));
    for (token, error) in [
        // Another client's key, and nobody's.
        (sign_es512(key(2), ES512, &claims), TokenError::BadSignature),
        (
            sign_es512(key(1), ES512, &app(r#","clientId":"app-2""#)),
            TokenError::BadSignature,
        ),
        (
            sign_es512(key(1), ES512, &app(r#","clientId":"app-3""#)),
            TokenError::UnknownCredential,
        ),
        // A user and a personal token are no applications.
        (
            sign_es512(key(1), ES512, &app(r#","clientId":"ana""#)),
            TokenError::UnknownCredential,
        ),
        (
            sign_es512(key(1), ES512, &app(r#","clientId":"bot""#)),
            TokenError::UnknownCredential,
        ),
        // The deployment secret signs no application's token, and no application's key any other.
        (sign(&claims), TokenError::BadAlgorithm),
        (sign_with(SECRET, ES512, &claims), TokenError::BadSignature),
        (sign_es512(key(1), HS256, &claims), TokenError::BadAlgorithm),
        (
            sign_es512(key(1), ES512, r#"{"type":"pat"}"#),
            TokenError::BadAlgorithm,
        ),
        (sign_es512(key(1), ES512, "{}"), TokenError::BadAlgorithm),
        (
            sign_with(SECRET, r#"{"alg":"none"}"#, &claims),
            TokenError::BadAlgorithm,
        ),
        (
            good.rsplit_once('.').unwrap().0.to_owned() + ".AAAA",
            TokenError::BadSignature,
        ),
    ] {
        assert_eq!(judged(&token, &keys), Err(error), "{token}");
    }
}

#[test]
fn an_auth_token_is_its_user_s_and_that_of_the_credential_it_was_made_from() {
    let mut credentials = all();
    credentials[0].changed_at = Some(NOW - 100);
    let keys = keys_of(credentials);
    let ana = r#","userId":"ana""#;
    assert_eq!(judged(&sign(auth(ana)), &keys), Ok("ana".to_owned()));
    let made_from = |source: &str, at: &str| {
        sign(auth(&format!(
            r#"{ana},"sourceCredentialId":"{source}","sourceCredentialUpdatedAt":"{at}""#
        )))
    };
    // NOW - 100 is 22:11:40.
    assert_eq!(
        judged(&made_from("bot", "2023-11-14T22:11:40.000Z"), &keys),
        Ok("ana".to_owned())
    );
    for (token, error) in [
        (
            made_from("bot", "2023-11-14T22:11:39.999Z"),
            TokenError::SourceChanged,
        ),
        (
            made_from("nobody", "2023-11-14T22:11:40Z"),
            TokenError::UnknownCredential,
        ),
        (made_from("bot", "yesterday"), TokenError::BadClaims),
        (
            sign(auth(r#","userId":"bot""#)),
            TokenError::UnknownCredential,
        ),
        (
            sign(auth(r#","userId":"eve""#)),
            TokenError::UnknownCredential,
        ),
    ] {
        assert_eq!(judged(&token, &keys), Err(error), "{token}");
    }
}

#[test]
fn what_was_taken_back_is_worthless() {
    let tokens = [
        pat(),
        sign_es512(key(1), ES512, &app(r#","clientId":"app-1""#)),
        sign(auth(r#","userId":"ana""#)),
    ];
    for (token, index) in tokens.iter().zip([0, 1, 3]) {
        let mut credentials = all();
        assert!(judged(token, &keys_of(credentials.split_off(0))).is_ok());
        let mut credentials = all();
        credentials[index].live = false;
        assert_eq!(
            judged(token, &keys_of(credentials)),
            Err(TokenError::Revoked)
        );
    }
    let source = sign(auth(r#","userId":"ana","sourceCredentialId":"app-2""#));
    assert!(judged(&source, &keys_of(all())).is_ok());
    let mut credentials = all();
    credentials[2].live = false;
    assert_eq!(
        judged(&source, &keys_of(credentials)),
        Err(TokenError::Revoked)
    );
    // By the hash of the token, in every family.
    let plain = sign("{}");
    for token in tokens.iter().chain([&plain]) {
        let revoked = HashSet::from([hash(token)]);
        let keys = keys().with_credentials(Credentials::new(all(), revoked), true);
        assert_eq!(judged(token, &keys), Err(TokenError::Revoked));
        assert!(judged(&sign(r#"{"sub":"other"}"#), &keys).is_ok());
    }
}

/// rstream 3.2: unknown keys are errors, and what a family needs must be there.
#[test]
fn the_claims_of_application_tokens_are_exact() {
    let keys = keys_of(all());
    let app_says = |claims: &str| judged(&sign_es512(key(1), ES512, claims), &keys);
    let short = |from: u64, to: u64, rest: &str| {
        format!(
            r#"{{"type":"app","clientId":"app-1","permissions":[],"iat":{from},"exp":{to}{rest}}}"#
        )
    };
    let common = r#","aud":["a"],"iss":"i","jti":"j","sub":"s","nbf":1,"metadata":{},"resources":{"tunnels":{"projects":["p1"]}}"#;
    assert!(app_says(&short(NOW, NOW + 3600, common)).is_ok());
    for (claims, error) in [
        (short(NOW, NOW + 3601, ""), TokenError::BadLifetime),
        (short(NOW, NOW, ""), TokenError::BadLifetime),
        (short(NOW + 9, NOW + 8, ""), TokenError::BadLifetime),
        (
            short(NOW, NOW + 60, "").replace(&format!(r#","exp":{}"#, NOW + 60), ""),
            TokenError::BadLifetime,
        ),
        (
            short(NOW, NOW + 60, "").replace(&format!(r#","iat":{NOW}"#), ""),
            TokenError::BadLifetime,
        ),
        (
            short(NOW, NOW + 60, "").replace(r#","permissions":[]"#, ""),
            TokenError::BadClaims,
        ),
        (
            short(NOW, NOW + 60, r#","userId":"ana""#),
            TokenError::BadClaims,
        ),
        (
            short(NOW, NOW + 60, r#","token_endpoint":"x""#),
            TokenError::BadClaims,
        ),
        (
            short(NOW, NOW + 60, r#","anything":1"#),
            TokenError::BadClaims,
        ),
        (
            short(NOW, NOW + 60, "").replace("\"app-1\"", "7"),
            TokenError::BadClaims,
        ),
        (
            short(NOW, NOW + 60, r#","tunnelsGrants":[]"#),
            TokenError::LegacyClaims,
        ),
    ] {
        assert_eq!(app_says(&claims), Err(error), "{claims}");
    }
}

#[test]
fn the_claims_of_personal_and_auth_tokens_are_exact() {
    let keys = keys_of(all());
    let stored = |claims: &str| {
        let token = sign(claims);
        let keys = keys_of(vec![credential("bot", CredentialKind::Pat(hash(&token)))]);
        judged(&token, &keys)
    };
    for good in [
        r#"{"type":"pat","token_endpoint":"a","tokendpoint":"b","permissions":null}"#,
        r#"{"type":"pat","permissions":["x"],"iat":1}"#,
    ] {
        assert!(stored(good).is_ok(), "{good}");
    }
    for bad in [
        r#"{"type":"pat","clientId":"app-1"}"#,
        r#"{"type":"pat","userId":"ana"}"#,
        r#"{"type":"pat","token_endpoint":1}"#,
        r#"{"type":"pat","name":"x"}"#,
    ] {
        assert_eq!(stored(bad), Err(TokenError::BadClaims), "{bad}");
    }
    for bad in [
        r#","userId":"ana","clientId":"app-1""#,
        r#","userId":1"#,
        "",
        r#","userId":"ana","sourceCredentialId":null"#,
    ] {
        assert_eq!(
            judged(&sign(auth(bad)), &keys),
            Err(TokenError::BadClaims),
            "{bad}"
        );
    }
}

/// Every bound narrows: a token has what its claims, its credential and that one's source have in common.
#[test]
fn a_token_never_reaches_further_than_its_credential() {
    let boundary = |text: &str| {
        let tree = crate::json::parse(text.as_bytes()).unwrap();
        Some(Arc::new(crate::boundary::parse(&tree).unwrap()))
    };
    let user = Bounds {
        id: "ana".into(),
        projects: ["p1".into(), "p2".into()].into(),
        permissions: None,
        boundary: boundary(r#"{"projects":["p1"]}"#),
    };
    let source = Bounds {
        id: "bot".into(),
        projects: ["p2".into(), "p1".into()].into(),
        permissions: Some(["list".into(), CONNECT_PERMISSION.into()].into()),
        boundary: boundary(r#"{"projects":["p1","p2"]}"#),
    };
    let stored = |bounds: Bounds, kind| Credential {
        bounds: Arc::new(bounds),
        kind,
        live: true,
        changed_at: None,
    };
    let keys = keys_of(vec![
        stored(user, CredentialKind::User),
        stored(source, CredentialKind::Pat([0; 32])),
    ]);
    let token = |claims: &str| {
        let token = sign(auth(&format!(r#","userId":"ana"{claims}"#)));
        verify(token.as_bytes(), &keys, NOW).unwrap()
    };
    let free = token("");
    assert!(free.may("anything") && free.owns_project("p2") && !free.owns_project("p3"));
    assert_eq!(free.boundaries().count(), 1);
    let narrowed =
        token(r#","sourceCredentialId":"bot","resources":{"tunnels":{"projects":["p1"]}}"#);
    assert!(narrowed.may("list") && !narrowed.may("anything"));
    assert_eq!(narrowed.boundaries().count(), 3);
    let claimed = sign(
        auth(r#","userId":"ana","sourceCredentialId":"bot""#)
            .replace("null", r#"["list","anything"]"#),
    );
    let claimed = verify(claimed.as_bytes(), &keys, NOW).unwrap();
    assert!(claimed.may("list") && !claimed.may("anything") && !claimed.may(CONNECT_PERMISSION));
}

#[test]
fn a_key_is_a_point_of_p_521_or_none() {
    let public = key(1).public();
    let der = |pem: &str| {
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        base64::engine::general_purpose::STANDARD
            .decode(lines)
            .unwrap()
    };
    let good = der(&public.to_pem().unwrap());
    assert_eq!(P521Key::from_spki(&good), Some(public));
    let mut off_curve = good.clone();
    *off_curve.last_mut().unwrap() ^= 1;
    // The last byte of the curve's name: secp384r1.
    let mut other_curve = good.clone();
    other_curve[22] = 0x22;
    for bad in [
        off_curve,
        other_curve,
        [&good[..], &[0]].concat(),
        good[..good.len() - 1].to_vec(),
        Vec::new(),
    ] {
        assert_eq!(P521Key::from_spki(&bad), None);
    }
}

#[test]
fn a_private_key_comes_back_from_each_of_its_forms_and_is_never_shown() {
    let pem = key(1).to_pem().unwrap();
    let again = P521PrivateKey::from_text(&pem).unwrap();
    assert_eq!(again.public(), key(1).public());
    assert_ne!(again.public(), key(2).public());
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::engine::general_purpose::STANDARD
        .decode(lines)
        .unwrap();
    let hex: String = der.iter().map(|byte| format!("{byte:02x}")).collect();
    let again = P521PrivateKey::from_text(&format!("{hex}\n")).unwrap();
    assert_eq!(again.public(), key(1).public());
    for bad in ["", "zz", &hex[1..], &pem[..pem.len() / 2]] {
        assert!(P521PrivateKey::from_text(bad).is_none());
    }
    assert_eq!(format!("{again:?}"), "P521PrivateKey(hidden)");
}

/// What is minted is accepted by the family's own rules, and by no other's.
#[test]
fn each_family_can_be_minted() {
    let keys = keys_of(all());
    let request = |family| MintRequest {
        family,
        issued_at: NOW,
        expires_at: Some(NOW + 60),
        ..MintRequest::default()
    };
    let app = MintFamily::App("app-1".to_owned());
    let token = mint_es512(key(1), &request(app.clone())).unwrap();
    assert_eq!(judged(&token, &keys), Ok("app-1".to_owned()));
    let token = mint_hs256(SECRET, &request(MintFamily::Auth("ana".to_owned()))).unwrap();
    assert_eq!(judged(&token, &keys), Ok("ana".to_owned()));
    let token = mint_hs256(SECRET, &request(MintFamily::Pat)).unwrap();
    let stored = keys_of(vec![credential("bot", CredentialKind::Pat(hash(&token)))]);
    assert_eq!(judged(&token, &stored), Ok("bot".to_owned()));
    for expires_at in [None, Some(NOW + 3601)] {
        let long = MintRequest {
            expires_at,
            ..request(app.clone())
        };
        assert_eq!(mint_es512(key(1), &long), Err(MintError::LivesTooLong));
    }
}
