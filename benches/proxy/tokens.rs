//! Tokens for scripts/bench.sh, one in a line: as many as are asked for, each with a subject of its own.
//!
//! ```sh
//! tokens HS256|HS512|ES256|RS256 KEY COUNT CLAIMS
//! ```
//!
//! KEY is a file: the secret, or the private key as PKCS #8 in DER. CLAIMS is a JSON object, which gets a `sub` in front.

use std::error::Error;
use std::io::{self, BufWriter, Write};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as base64url;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use ring::{error, hmac};

enum Key {
    Hmac(hmac::Key),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [algorithm, key_file, count, claims] = arguments.as_slice() else {
        return Err("tokens HS256|HS512|ES256|RS256 KEY COUNT CLAIMS".into());
    };
    let random = SystemRandom::new();
    let key = key(algorithm, &std::fs::read(key_file)?, &random)?;
    let claims = claims.strip_prefix('{').ok_or("CLAIMS is no object")?;
    let header = base64url.encode(format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#));
    let mut out = BufWriter::new(io::stdout().lock());
    for number in 0..count.parse()? {
        let payload = base64url.encode(format!(r#"{{"sub":"bench-{number:05}",{claims}"#));
        let signed = format!("{header}.{payload}");
        let signature = sign(&key, signed.as_bytes(), &random).map_err(|_| "cannot sign")?;
        writeln!(out, "{signed}.{}", base64url.encode(signature))?;
    }
    Ok(out.flush()?)
}

fn key(algorithm: &str, bytes: &[u8], random: &SystemRandom) -> Result<Key, Box<dyn Error>> {
    Ok(match algorithm {
        "HS256" => Key::Hmac(hmac::Key::new(hmac::HMAC_SHA256, bytes)),
        "HS512" => Key::Hmac(hmac::Key::new(hmac::HMAC_SHA512, bytes)),
        "ES256" => {
            let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
            Key::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, bytes, random).map_err(|no| no.to_string())?)
        }
        "RS256" => Key::Rsa(RsaKeyPair::from_pkcs8(bytes).map_err(|no| no.to_string())?),
        _ => return Err(format!("no {algorithm} here").into()),
    })
}

fn sign(key: &Key, signed: &[u8], random: &SystemRandom) -> Result<Vec<u8>, error::Unspecified> {
    match key {
        Key::Hmac(key) => Ok(hmac::sign(key, signed).as_ref().to_vec()),
        Key::Ecdsa(key) => Ok(key.sign(random, signed)?.as_ref().to_vec()),
        Key::Rsa(key) => {
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, random, signed, &mut signature)?;
            Ok(signature)
        }
    }
}
