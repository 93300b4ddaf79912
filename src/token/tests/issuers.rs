//! Tokens of other issuers: each key is good for one algorithm, and what an issuer says reaches no further than the
//! configuration lets it (S4.6).

use std::collections::HashSet;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};

use super::*;

pub(super) const ISSUER: &str = "https://idp.example.com";
/// Made for these tests, and used nowhere else.
const RSA: &[u8] = include_bytes!("rsa-2048.pk8");
const SHARED: &[u8] = b"a secret that is shared with the issuer alone";

pub(super) const PLAIN: &str = r#"{"alg":"EdDSA"}"#;

/// Signs with some key.
pub(super) type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// One algorithm with a new key: how it signs, its public key, and that as members of a JWK.
pub(super) struct Signer {
    name: &'static str,
    pub(super) sign: Sign,
    spki: Vec<u8>,
    pub(super) jwk: String,
}

fn hex(digits: &str) -> Vec<u8> {
    let digit = |c: char| c.to_digit(16).unwrap() as u8;
    let digits: Vec<u8> = digits.chars().map(digit).collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn ecdsa(name: &'static str) -> Signer {
    let random = SystemRandom::new();
    let (kind, curve, prefix) = match name {
        "ES256" => (
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            "P-256",
            "3059301306072a8648ce3d020106082a8648ce3d030107034200",
        ),
        _ => (
            &ECDSA_P384_SHA384_FIXED_SIGNING,
            "P-384",
            "3076301006072a8648ce3d020106052b81040022036200",
        ),
    };
    let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    let (x, y) = point[1..].split_at(point.len() / 2);
    let (x, y) = (encode(x), encode(y));
    Signer {
        name,
        jwk: format!(r#""kty":"EC","crv":"{curve}","x":"{x}","y":"{y}""#),
        spki: [hex(prefix), point].concat(),
        sign: Box::new(move |message| pair.sign(&random, message).unwrap().as_ref().to_vec()),
    }
}

fn p521() -> Signer {
    let key = P521PrivateKey::generate().unwrap();
    let pem = key.public().to_pem().unwrap();
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let spki = base64::engine::general_purpose::STANDARD
        .decode(lines)
        .unwrap();
    let (x, y) = spki[spki.len() - 132..].split_at(66);
    let (x, y) = (encode(x), encode(y));
    Signer {
        name: "ES512",
        jwk: format!(r#""kty":"EC","crv":"P-521","x":"{x}","y":"{y}""#),
        spki,
        sign: Box::new(move |message| key.sign(message)),
    }
}

pub(super) fn ed25519() -> Signer {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    Signer {
        name: "EdDSA",
        jwk: format!(r#""kty":"OKP","crv":"Ed25519","x":"{}""#, encode(&public)),
        spki: [hex("302a300506032b6570032100"), public].concat(),
        sign: Box::new(move |message| pair.sign(message).as_ref().to_vec()),
    }
}

fn rsa(name: &'static str) -> Signer {
    let pair = RsaKeyPair::from_pkcs8(RSA).unwrap();
    let public = pair.public();
    let components = ring::signature::RsaPublicKeyComponents::<Vec<u8>>::from(public);
    let (n, e) = (encode(components.n), encode(components.e));
    let prefix = hex("30820122300d06092a864886f70d01010105000382010f00");
    Signer {
        name,
        jwk: format!(r#""kty":"RSA","n":"{n}","e":"{e}""#),
        spki: [prefix, public.as_ref().to_vec()].concat(),
        sign: Box::new(move |message| {
            let mut signature = vec![0; pair.public().modulus_len()];
            let padding: &dyn ring::signature::RsaEncoding = if name == "PS256" {
                &RSA_PSS_SHA256
            } else {
                &RSA_PKCS1_SHA256
            };
            pair.sign(padding, &SystemRandom::new(), message, &mut signature)
                .unwrap();
            signature
        }),
    }
}

fn signers() -> Vec<Signer> {
    vec![
        ecdsa("ES256"),
        ecdsa("ES384"),
        p521(),
        ed25519(),
        rsa("RS256"),
        rsa("PS256"),
    ]
}

pub(super) fn token(header: &str, claims: &str, sign: &Sign) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

/// Good for a minute.
pub(super) fn claims(more: &str) -> String {
    format!(
        r#"{{"iss":"{ISSUER}","aud":"edge","sub":"ana","exp":{}{more}}}"#,
        NOW + 60
    )
}

pub(super) fn issuer(keys: KeySet) -> Issuer {
    Issuer {
        audience: vec!["edge".to_owned(), "edge-2".to_owned()],
        max_lifetime: Some(3600),
        algorithms: Algorithm::ALL.map(|(_, algorithm)| algorithm).into(),
        keys,
        fetched: false,
        bounds: Arc::new(Bounds::connect_within(&["p1"])),
        resources_claim: Some("reach".to_owned()),
        subject_claim: "sub".to_owned(),
    }
}

pub(super) fn keys_with(issuer: Issuer) -> TokenKeys {
    keys().with_issuers([(ISSUER.into(), issuer)])
}

fn one(signer: &Signer) -> KeySet {
    let algorithm = Algorithm::parse(signer.name).unwrap();
    KeySet::One(VerifyingKey::from_spki(&signer.spki, &[algorithm]).unwrap())
}

pub(super) fn judged(token: &str, keys: &TokenKeys) -> Result<String, TokenError> {
    verify(token.as_bytes(), keys, NOW).map(|token| token.subject().to_owned())
}

#[test]
fn every_algorithm_has_its_key_and_no_other() {
    let signers = signers();
    for signer in &signers {
        let algorithm = Algorithm::parse(signer.name).unwrap();
        let set = format!(r#"{{"keys":[{{{},"kid":"a"}}]}}"#, signer.jwk);
        let set = KeySet::parse(set.as_bytes(), &[algorithm]).unwrap();
        for keys in [one(signer), set] {
            let keys = keys_with(issuer(keys));
            let header = |name: &str| format!(r#"{{"alg":"{name}"}}"#);
            let good = token(&header(signer.name), &claims(""), &signer.sign);
            assert_eq!(
                judged(&good, &keys),
                Ok("ana".to_owned()),
                "{}",
                signer.name
            );
            let changed = token(&header(signer.name), &claims(""), &signer.sign)
                .replace(&encode(claims("")), &encode(claims(r#","admin":true"#)));
            assert_eq!(judged(&changed, &keys), Err(TokenError::BadSignature));
            for other in &signers {
                // With another key, and under another name.
                let forged = token(&header(signer.name), &claims(""), &other.sign);
                if other.name != signer.name {
                    assert_eq!(judged(&forged, &keys), Err(TokenError::BadSignature));
                    let renamed = token(&header(other.name), &claims(""), &signer.sign);
                    assert_eq!(judged(&renamed, &keys), Err(TokenError::UnknownKey));
                }
            }
            // The public key as a shared secret, and no signature at all.
            let confused = sign_with(&signer.spki, &header("HS256"), claims(""));
            assert_eq!(judged(&confused, &keys), Err(TokenError::UnknownKey));
            let none = token(&header("none"), &claims(""), &signer.sign);
            assert_eq!(judged(&none, &keys), Err(TokenError::BadAlgorithm));
            // The deployment secret signs nothing for others.
            let ours = sign_with(SECRET, HS256, claims(""));
            assert_eq!(judged(&ours, &keys), Err(TokenError::UnknownKey));
        }
    }
}

#[test]
fn a_shared_secret_is_the_issuer_s_alone() {
    let keys = keys_with(issuer(KeySet::One(VerifyingKey::secret(SHARED).unwrap())));
    let good = sign_with(SHARED, HS256, claims(""));
    assert_eq!(judged(&good, &keys), Ok("ana".to_owned()));
    let verified = verify(good.as_bytes(), &keys, NOW).unwrap();
    assert_eq!(
        (verified.vouched_by(), verified.credential()),
        (Some(ISSUER), "")
    );
    let ours = sign_with(SECRET, HS256, claims(""));
    assert_eq!(judged(&ours, &keys), Err(TokenError::BadSignature));
    // It makes no token of ours, whatever it says of itself.
    for claims in ["{}", r#"{"iss":"https://other.example.com"}"#] {
        let token = sign_with(SHARED, HS256, claims);
        assert_eq!(judged(&token, &keys), Err(TokenError::BadSignature));
    }
    let typed = claims(r#","type":"pat""#);
    let token = sign_with(SHARED, HS256, &typed);
    assert_eq!(judged(&token, &keys), Err(TokenError::BadSignature));
    assert!(VerifyingKey::secret(&SHARED[..31]).is_none());
}

#[test]
fn a_key_set_is_searched_by_kid_and_within_its_issuer() {
    let (first, second, third) = (ecdsa("ES256"), ecdsa("ES256"), ed25519());
    let set = format!(
        r#"{{"keys":[{{{},"kid":"a","use":"sig","alg":"ES256"}},{{{},"kid":"b"}},{{{}}},
            {{{},"kid":"c","use":"enc"}},{{"kty":"oct","k":"AAAA","kid":"d"}},{{{},"kid":"e","alg":"ES384"}}],"extra":1}}"#,
        first.jwk, second.jwk, third.jwk, first.jwk, first.jwk
    );
    let allowed = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Hs256];
    let keys = keys_with(issuer(KeySet::parse(set.as_bytes(), &allowed).unwrap()));
    let with =
        |header: &str, signer: &Signer| judged(&token(header, &claims(""), &signer.sign), &keys);
    let ok = || Ok("ana".to_owned());
    assert_eq!(with(r#"{"alg":"ES256","kid":"a"}"#, &first), ok());
    assert_eq!(with(r#"{"alg":"ES256","kid":"b"}"#, &second), ok());
    // Only one key fits, so nothing has to name it.
    assert_eq!(with(r#"{"alg":"EdDSA"}"#, &third), ok());
    for (header, signer, error) in [
        (
            r#"{"alg":"ES256","kid":"b"}"#,
            &first,
            TokenError::BadSignature,
        ),
        (r#"{"alg":"ES256"}"#, &first, TokenError::UnknownKey),
        (
            r#"{"alg":"ES256","kid":"c"}"#,
            &first,
            TokenError::UnknownKey,
        ),
        (
            r#"{"alg":"ES256","kid":"e"}"#,
            &first,
            TokenError::UnknownKey,
        ),
        (
            r#"{"alg":"ES256","kid":"nobody"}"#,
            &first,
            TokenError::UnknownKey,
        ),
        (
            r#"{"alg":"HS256","kid":"d"}"#,
            &first,
            TokenError::UnknownKey,
        ),
        (
            r#"{"alg":"EdDSA","kid":"a"}"#,
            &third,
            TokenError::UnknownKey,
        ),
        (r#"{"alg":"ES256","kid":1}"#, &first, TokenError::BadHeader),
    ] {
        assert_eq!(with(header, signer), Err(error), "{header}");
    }
}

#[test]
fn one_key_needs_no_name_and_a_set_that_cannot_be_read_is_none() {
    let first = ecdsa("ES256");
    let allowed = [Algorithm::Es256];
    // One key without a set: whatever the token calls it.
    let keys = keys_with(issuer(one(&first)));
    let named = token(r#"{"alg":"ES256","kid":"x"}"#, &claims(""), &first.sign);
    assert_eq!(judged(&named, &keys), Ok("ana".to_owned()));
    // Sets that cannot be read, or are too large.
    let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; 65].join(","));
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[],"keys":[]}"#,
        &many,
    ] {
        assert!(KeySet::parse(bad.as_bytes(), &allowed).is_none(), "{bad}");
    }
    assert!(
        KeySet::parse(br#"{"keys":[]}"#, &allowed)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn keys_are_for_what_the_issuer_may_use() {
    let signer = rsa("RS256");
    let both = [Algorithm::Rs256, Algorithm::Ps256];
    let from_spki = |allowed: &[Algorithm]| {
        let key = VerifyingKey::from_spki(&signer.spki, allowed);
        key.map(|key| key.algorithm())
    };
    assert_eq!(from_spki(&both), Err(KeyError::TwoAlgorithms));
    assert_eq!(from_spki(&both[1..]), Ok(Algorithm::Ps256));
    assert_eq!(from_spki(&[Algorithm::Es256]), Err(KeyError::NotAllowed));
    let short = hex(
        "30819f300d06092a864886f70d010101050003818d0030818902818100b3336b290b68e248034f663e4e4c910b6c9a90be5b419fda58083780c11b756bbdd6281de9e692ee725a6160969222d2baeeecf081a87ce3fcf4af0cf5cd14759879e148b8c0594df0fd2967b36e778aae4b5e13603ce0ec4046e20b689549b378ddbe485b6194f938bd5f896e034da21df81ed675d06a1ef79b1899f795b7090203010001",
    );
    let short = VerifyingKey::from_spki(&short, &both[1..]).err();
    assert_eq!(short, Some(KeyError::BadSize), "1024 bits");
    for jwk in [
        format!(r#""kty":"RSA","e":"AQAB","n":"{}""#, encode([255; 255])),
        format!(
            r#""kty":"RSA","e":"AQAB","n":"{}""#,
            encode([[0; 1], [127; 1]].concat())
        ),
        format!(r#""kty":"OKP","crv":"Ed25519","x":"{}""#, encode([1; 31])),
    ] {
        let allowed = [Algorithm::Ps256, Algorithm::EdDsa];
        let set = KeySet::parse(format!(r#"{{"keys":[{{{jwk}}}]}}"#).as_bytes(), &allowed);
        assert!(set.unwrap().is_empty(), "{jwk}");
    }
    let stated = format!(r#"{{"keys":[{{{},"alg":"PS256"}}]}}"#, signer.jwk);
    let set = KeySet::parse(stated.as_bytes(), &both).unwrap();
    assert!(set.find(Algorithm::Ps256, None).is_some());
    assert!(set.find(Algorithm::Rs256, None).is_none());
    for name in ["ES256", "ES384"] {
        let key = VerifyingKey::from_spki(&ecdsa(name).spki, &both);
        assert_eq!(key.err(), Some(KeyError::NotAllowed));
    }
    for bad in [&b""[..], b"\x30\x00", &signer.spki[..40]] {
        assert_eq!(
            VerifyingKey::from_spki(bad, &both).err(),
            Some(KeyError::Unknown)
        );
    }
}

#[test]
fn what_an_issuer_s_token_must_say() {
    let signer = ed25519();
    let keys = keys_with(issuer(one(&signer)));
    let said = |header: &str, claims: &str| judged(&token(header, claims, &signer.sign), &keys);
    for typ in ["JWT", "at+jwt"] {
        let header = format!(r#"{{"alg":"EdDSA","typ":"{typ}"}}"#);
        assert!(said(&header, &claims("")).is_ok(), "{typ}");
    }
    for (header, error) in [
        (r#"{"alg":"EdDSA","typ":"jwt"}"#, TokenError::BadHeader),
        (r#"{"alg":"EdDSA","typ":"id+jwt"}"#, TokenError::BadHeader),
        (r#"{"alg":"EdDSA","crit":[]}"#, TokenError::CriticalHeader),
        (r#"{"alg":["EdDSA"]}"#, TokenError::BadAlgorithm),
    ] {
        assert_eq!(said(header, &claims("")), Err(error), "{header}");
    }
    let exp = |at: u64| claims("").replace(&(NOW + 60).to_string(), &at.to_string());
    let aud = |value: &str| claims("").replace(r#""aud":"edge""#, &format!(r#""aud":{value}"#));
    for good in [
        exp(NOW + 3600),
        aud(r#""edge-2""#),
        aud(r#"["other","edge"]"#),
        claims(r#","type":"something else","anything":[1.5]"#),
        claims(r#","iat":1,"nbf":1"#),
    ] {
        assert!(said(PLAIN, &good).is_ok(), "{good}");
    }
    for (bad, error) in [
        (exp(NOW), TokenError::Expired),
        (exp(NOW + 3601), TokenError::BadLifetime),
        (
            claims("").replace(&format!(r#","exp":{}"#, NOW + 60), ""),
            TokenError::BadLifetime,
        ),
        (
            claims("").replace(&format!("{}", NOW + 60), &format!("{}.0", NOW + 60)),
            TokenError::BadClaims,
        ),
        (
            claims(&format!(r#","nbf":{}"#, NOW + 1)),
            TokenError::NotYetValid,
        ),
        (aud(r#""other""#), TokenError::OtherAudience),
        (aud(r#"["edge",1]"#), TokenError::OtherAudience),
        (aud("null"), TokenError::OtherAudience),
        (
            claims("").replace(r#""aud":"edge","#, ""),
            TokenError::OtherAudience,
        ),
        (claims("").replace(r#""ana""#, "7"), TokenError::BadClaims),
    ] {
        assert_eq!(said(PLAIN, &bad), Err(error), "{bad}");
    }
    // An issuer that nobody knows is nobody: then it is a CE token, which this key does not sign.
    let stranger = claims("").replace(ISSUER, "https://idp.example.com/");
    assert_eq!(said(PLAIN, &stranger), Err(TokenError::BadAlgorithm));
    let unchecked = Issuer {
        audience: Vec::new(),
        max_lifetime: None,
        ..issuer(one(&signer))
    };
    let keys = keys_with(unchecked);
    let far = exp(NOW + 1_000_000).replace(r#""aud":"edge","#, "");
    assert!(judged(&token(PLAIN, &far, &signer.sign), &keys).is_ok());
}

#[test]
fn what_an_issuer_s_token_reaches_is_configuration() {
    let signer = ed25519();
    let keys = keys_with(issuer(one(&signer)));
    let verified = |claims: &str| {
        let token = token(r#"{"alg":"EdDSA"}"#, claims, &signer.sign);
        verify(token.as_bytes(), &keys, NOW)
    };
    // What it says of permissions and resources in our words means nothing.
    let loud = claims(
        r#","permissions":["everything"],"resources":{"tunnels":{"projects":["p2"]}},"userId":"root""#,
    );
    let token = verified(&loud).unwrap();
    assert!(token.owns_project("p1") && !token.owns_project("p2"));
    assert!(token.may(CONNECT_PERMISSION) && !token.may("everything"));
    assert_eq!(token.boundaries().count(), 0);
    let narrow = claims(r#","reach":{"tunnels":{"projects":["p1"]}}"#);
    assert_eq!(verified(&narrow).unwrap().boundaries().count(), 1);
    for bad in ["null", "{}", r#"{"tunnels":[]}"#, r#""everywhere""#] {
        let claims = claims(&format!(r#","reach":{bad}"#));
        assert!(verified(&claims).is_err(), "{bad}");
    }
    // Taken back by its hash.
    let text = self::token(r#"{"alg":"EdDSA"}"#, &claims(""), &signer.sign);
    let hash = digest(&SHA256, text.as_bytes())
        .as_ref()
        .try_into()
        .unwrap();
    let revoked = Credentials::new([], HashSet::from([hash]));
    let keys = keys_with(issuer(one(&signer))).with_credentials(revoked, true);
    assert_eq!(judged(&text, &keys), Err(TokenError::Revoked));
    assert!(keys.knows_issuer(ISSUER) && !keys.knows_issuer("https://other.example.com"));
}
