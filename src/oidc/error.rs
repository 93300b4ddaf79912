//! Why a browser is not signed in, or signed out. No text of these holds a token, a code or a secret.

use std::fmt;

use crate::token::TokenError;

/// Why something that a provider takes part in has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OidcError {
    /// It cannot be reached, or says so itself: 503, and another try may do.
    Unreachable(String),
    /// So many are waiting for it that one more may not: 503.
    Busy,
    /// What it publishes about itself cannot be used.
    Discovery(DiscoveryFault),
    /// The callback is not an answer to this browser's question.
    State,
    /// Another provider answers (RFC 9207: attack, a mix-up of two of them).
    Issuer,
    /// The user, or a rule of the provider, said no.
    Denied,
    /// Only a page of the provider could go on: what an attempt without one comes to when its session has ended.
    LoginRequired,
    /// The provider answers the browser with another error.
    Refused(ErrorCode),
    /// It does not give tokens for this code: used, expired, or not this browser's.
    Exchange(ErrorCode),
    /// It does not take the client's name and secret: a fault of the configuration.
    Client,
    /// The ID token or logout token does not count.
    Token(TokenFault),
    /// The ID token is an answer to another question.
    Nonce,
    /// What it tells about the user cannot be used.
    UserInfo,
    /// The logout token was here before.
    Replayed,
    /// The system has no randomness to give.
    Internal,
}

impl OidcError {
    /// Its stable name in logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            OidcError::Unreachable(_) => "oidc_unreachable",
            OidcError::Busy => "oidc_busy",
            OidcError::Discovery(_) => "oidc_discovery",
            OidcError::State => "oidc_state",
            OidcError::Issuer => "oidc_issuer",
            OidcError::Denied => "oidc_denied",
            OidcError::LoginRequired => "oidc_login_required",
            OidcError::Refused(_) => "oidc_refused",
            OidcError::Exchange(_) => "oidc_exchange",
            OidcError::Client => "oidc_client",
            OidcError::Token(_) => "oidc_token",
            OidcError::Nonce => "oidc_nonce",
            OidcError::UserInfo => "oidc_userinfo",
            OidcError::Replayed => "oidc_replayed",
            OidcError::Internal => "oidc_internal",
        }
    }
}

impl fmt::Display for OidcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())?;
        match self {
            OidcError::Unreachable(why) => write!(f, ": {why}"),
            OidcError::Discovery(fault) => write!(f, ": {fault}"),
            OidcError::Refused(code) | OidcError::Exchange(code) => {
                write!(f, ": the provider says {code}")
            }
            OidcError::Client => f.write_str(": the provider knows no such client_id and secret"),
            OidcError::Token(fault) => write!(f, ": {fault}"),
            OidcError::Busy
            | OidcError::State
            | OidcError::Issuer
            | OidcError::Denied
            | OidcError::LoginRequired
            | OidcError::Nonce
            | OidcError::UserInfo
            | OidcError::Replayed
            | OidcError::Internal => Ok(()),
        }
    }
}

impl std::error::Error for OidcError {}

/// What is wrong with a provider's discovery document or key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscoveryFault {
    /// Not JSON as RFC 8259 and we would have it, or not an object.
    NotJson,
    /// A member is missing or of the wrong type.
    Member(&'static str),
    /// `issuer` is not the one of the configuration, byte by byte.
    OtherIssuer,
    /// An address that must not be used: not https, or in a private network.
    Address(&'static str),
    /// It signs with nothing that counts here.
    NoAlgorithm,
    /// It takes the client's secret in no way that is known here.
    NoClientAuth,
    /// The key set is none, or has more than 64 keys.
    KeySet,
}

impl fmt::Display for DiscoveryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiscoveryFault::NotJson => f.write_str("the document is no JSON object"),
            DiscoveryFault::Member(name) => write!(f, "{name} is missing or of the wrong type"),
            DiscoveryFault::OtherIssuer => {
                f.write_str("issuer is not exactly that of [sign_in.oidc]")
            }
            DiscoveryFault::Address(name) => {
                write!(f, "{name} is not https, or in a private network")
            }
            DiscoveryFault::NoAlgorithm => f.write_str(
                "ID tokens are signed with none of RS256, PS256, ES256, ES384 and EdDSA",
            ),
            DiscoveryFault::NoClientAuth => {
                f.write_str("neither client_secret_basic nor client_secret_post is taken")
            }
            DiscoveryFault::KeySet => {
                f.write_str("jwks_uri leads to no key set of at most 64 keys")
            }
        }
    }
}

/// Why an ID token or logout token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// There is none.
    Missing,
    /// It is not one, or not signed by the provider.
    Jws(TokenError),
    /// A claim is missing, of the wrong type, or says something else than it must.
    Claim(&'static str),
    Expired,
    /// From the future by more than clocks may differ, or, for a logout token, from the past.
    Untimely,
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenFault::Missing => f.write_str("there is none"),
            TokenFault::Jws(error) => write!(f, "{error}"),
            TokenFault::Claim(name) => write!(f, "{name} is missing or wrong"),
            TokenFault::Expired => f.write_str("it has expired"),
            TokenFault::Untimely => f.write_str("its iat or nbf is too far from the time here"),
        }
    }
}

impl From<TokenFault> for OidcError {
    fn from(fault: TokenFault) -> Self {
        OidcError::Token(fault)
    }
}

impl From<TokenError> for OidcError {
    fn from(error: TokenError) -> Self {
        OidcError::Token(TokenFault::Jws(error))
    }
}

impl From<DiscoveryFault> for OidcError {
    fn from(fault: DiscoveryFault) -> Self {
        OidcError::Discovery(fault)
    }
}

/// The `error` of a provider's answer, if it is a word that is safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCode(String);

impl ErrorCode {
    pub(super) fn of(text: &str) -> Self {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let is_safe = (1..=64).contains(&text.len()) && text.bytes().all(is_word);
        ErrorCode(if is_safe { text } else { "something else" }.to_owned())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
