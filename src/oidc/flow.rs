//! One sign-in on its way: what only the browser that began it can bring back, and what the provider sends it back with.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::error::{ErrorCode, OidcError};
use crate::limits::OIDC_QUERY_BYTES_MAX;
use crate::secret::Secret;

/// Bytes of `state` and of `nonce`: nobody guesses 128 bits.
const NAME_LEN: usize = 16;
/// Bytes of [`FlowSecrets`] in all; the verifier has the rest: in base64url the 43 characters that it needs at least
/// (RFC 7636 4.1).
pub const FLOW_SECRETS_LEN: usize = 64;

/// `state`, `nonce` and the PKCE verifier of one sign-in. Whoever has them and the code signs in.
#[derive(Clone)]
pub struct FlowSecrets(Zeroizing<[u8; FLOW_SECRETS_LEN]>);

impl FlowSecrets {
    pub(super) fn generate() -> Result<Self, OidcError> {
        let mut bytes = Zeroizing::new([0; FLOW_SECRETS_LEN]);
        SystemRandom::new()
            .fill(&mut bytes[..])
            .map_err(|_| OidcError::Internal)?;
        Ok(FlowSecrets(bytes))
    }

    /// To be sealed or kept; never shown.
    pub fn to_bytes(&self) -> Zeroizing<[u8; FLOW_SECRETS_LEN]> {
        self.0.clone()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; FLOW_SECRETS_LEN] = bytes.try_into().ok()?;
        Some(FlowSecrets(Zeroizing::new(bytes)))
    }

    pub(super) fn state(&self) -> String {
        self.part(0, NAME_LEN)
    }

    pub(super) fn nonce(&self) -> String {
        self.part(NAME_LEN, 2 * NAME_LEN)
    }

    pub(super) fn verifier(&self) -> String {
        self.part(2 * NAME_LEN, FLOW_SECRETS_LEN)
    }

    /// What the provider keeps until the verifier comes (RFC 7636 4.2).
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier().as_bytes()))
    }

    fn part(&self, from: usize, to: usize) -> String {
        URL_SAFE_NO_PAD.encode(self.0.get(from..to).unwrap_or_default())
    }
}

impl fmt::Debug for FlowSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlowSecrets(hidden)")
    }
}

/// Whether both are the same, without telling by the time it takes how far they are.
pub(super) fn same(ours: String, theirs: &str) -> bool {
    Secret::new(ours.into_bytes()).equals(theirs.as_bytes())
}

/// What a callback's query says. A parameter that stands twice says nothing.
#[derive(Default)]
struct Callback {
    state: Option<String>,
    issuer: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

impl Callback {
    fn parse(query: &str) -> Result<Self, OidcError> {
        if query.len() > OIDC_QUERY_BYTES_MAX {
            return Err(OidcError::State);
        }
        let mut callback = Callback::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "state" => &mut callback.state,
                "iss" => &mut callback.issuer,
                "code" => &mut callback.code,
                "error" => &mut callback.error,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(OidcError::State);
            }
        }
        Ok(callback)
    }
}

/// The code in a callback. `names_issuer`: the provider always says who it is (RFC 9207).
pub(super) fn code(
    query: &str,
    secrets: &FlowSecrets,
    issuer: &str,
    names_issuer: bool,
) -> Result<Secret, OidcError> {
    let callback = Callback::parse(query)?;
    let state = callback.state.ok_or(OidcError::State)?;
    if !same(secrets.state(), &state) {
        return Err(OidcError::State);
    }
    if callback
        .issuer
        .as_deref()
        .map_or(names_issuer, |named| named != issuer)
    {
        return Err(OidcError::Issuer);
    }
    if let Some(error) = callback.error {
        return Err(refusal(&error));
    }
    let code = callback.code.filter(|code| !code.is_empty());
    Ok(Secret::new(code.ok_or(OidcError::State)?.into_bytes()))
}

/// What an error in a callback means (RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6).
fn refusal(error: &str) -> OidcError {
    match error {
        "access_denied" => OidcError::Denied,
        "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required" => OidcError::LoginRequired,
        "server_error" | "temporarily_unavailable" => {
            OidcError::Unreachable(format!("the provider says {error}"))
        }
        other => OidcError::Refused(ErrorCode::of(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.example.com";

    fn read(query: &str, secrets: &FlowSecrets, names_issuer: bool) -> Result<String, OidcError> {
        let code = code(query, secrets, ISSUER, names_issuer)?;
        Ok(String::from_utf8(code.expose().to_vec()).unwrap())
    }

    #[test]
    fn secrets_come_back_from_their_bytes_and_never_show() {
        let secrets = FlowSecrets::generate().unwrap();
        let back = FlowSecrets::from_bytes(&secrets.to_bytes()[..]).unwrap();
        assert_eq!(secrets.state(), back.state());
        assert_eq!(secrets.verifier().len(), 43);
        let parts = [secrets.state(), secrets.nonce(), secrets.verifier()];
        assert!(parts[0] != parts[1] && !parts[2].contains(&parts[0]));
        assert_eq!(format!("{secrets:?}"), "FlowSecrets(hidden)");
        assert!(FlowSecrets::from_bytes(&[0; 63]).is_none());
        assert_ne!(FlowSecrets::generate().unwrap().state(), secrets.state());
        // RFC 7636 appendix B.
        let mut bytes = [0; FLOW_SECRETS_LEN];
        let verifier = URL_SAFE_NO_PAD.decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        bytes[32..].copy_from_slice(&verifier.unwrap());
        let example = FlowSecrets::from_bytes(&bytes).unwrap();
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(example.challenge(), challenge);
    }

    #[test]
    fn a_callback_counts_only_in_the_browser_that_began_and_from_the_provider_that_was_asked() {
        let secrets = FlowSecrets::generate().unwrap();
        let state = secrets.state();
        let other = FlowSecrets::generate().unwrap().state();
        let iss = "iss=https%3A%2F%2Fidp.example.com";
        let good = format!("code=c%2F1&state={state}&{iss}&session_state=x");
        assert_eq!(read(&good, &secrets, true).unwrap(), "c/1");
        let unnamed = format!("code=c&state={state}");
        assert_eq!(read(&unnamed, &secrets, false).unwrap(), "c");
        for (query, expected) in [
            (unnamed.clone(), OidcError::Issuer),
            (
                format!("{unnamed}&iss=https://evil.example"),
                OidcError::Issuer,
            ),
            (format!("code=c&state={other}&{iss}"), OidcError::State),
            (format!("code=c&{iss}"), OidcError::State),
            (format!("{good}&state={state}"), OidcError::State),
            (format!("{good}&code=d"), OidcError::State),
            (format!("state={state}&{iss}"), OidcError::State),
            (format!("code=&state={state}&{iss}"), OidcError::State),
            (
                format!("{good}&x={}", "x".repeat(16 * 1024)),
                OidcError::State,
            ),
            (String::new(), OidcError::State),
            // Whoever makes up an error cannot end the sign-in of another.
            (
                format!("error=access_denied&state={other}&{iss}"),
                OidcError::State,
            ),
            (
                format!("error=access_denied&state={state}&{iss}"),
                OidcError::Denied,
            ),
            (
                format!("error=login_required&state={state}&{iss}&code=c"),
                OidcError::LoginRequired,
            ),
            (
                format!("error=Bad+%0a&state={state}&{iss}"),
                OidcError::Refused(ErrorCode::of("something else")),
            ),
        ] {
            let found = read(&query, &secrets, true).unwrap_err();
            let same = format!("{found}") == format!("{expected}");
            assert!(same, "{query}: {found}");
        }
    }
}
