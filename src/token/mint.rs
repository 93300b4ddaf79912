//! Makes tokens, for the command line and for tests. Never on the data path.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Map, Value, json};

use super::p521_key::P521PrivateKey;
use super::{CONNECT_PERMISSION, SHORT_LIFETIME_MAX};
use crate::boundary::{self, BoundaryError};
use crate::json::{self, JsonError};
use crate::limits::{HS256_SECRET_BYTES_MIN, JSON_INTEGER_MAX, TOKEN_BYTES_MAX};

/// What agents of later versions need, and what a boundary calls it.
const OTHER_PERMISSIONS: [(&str, &str); 2] = [
    ("tunnels.tunnels.create-delete", "create"),
    ("tunnels.resources.read-only", "list"),
];

/// What a new token shall say. Dates are seconds since the Unix epoch.
#[derive(Clone, Debug, Default)]
pub struct MintRequest {
    pub family: MintFamily,
    pub subject: Option<String>,
    /// `None`: all that the edge's configuration allows.
    pub permissions: Option<Vec<String>>,
    /// The value of `resources.tunnels`.
    pub boundary: Option<Value>,
    pub issued_at: u64,
    pub not_before: Option<u64>,
    pub expires_at: Option<u64>,
}

/// Which family a new token is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MintFamily {
    /// Without `type`.
    #[default]
    Ce,
    Pat,
    /// For an application, by its `clientId`.
    App(String),
    /// For a user, by its `userId`.
    Auth(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintError {
    /// Shorter than [`HS256_SECRET_BYTES_MIN`].
    SecretTooShort,
    /// A date beyond what a token can say, or one that leaves no moment to use it.
    BadDates,
    /// An application or auth token for longer than an hour, or without an end.
    LivesTooLong,
    BadJson(JsonError),
    BadBoundary(BoundaryError),
    /// This is among the permissions and the boundary allows it nowhere.
    Nowhere {
        permission: &'static str,
        action: &'static str,
    },
    /// The edge would not read it.
    TooLong,
}

/// A token signed with HS256, in compact form: of any family but that of applications. Refuses what the edge would refuse,
/// and a boundary that contradicts the permissions asked for.
pub fn mint_hs256(secret: &[u8], request: &MintRequest) -> Result<String, MintError> {
    if secret.len() < HS256_SECRET_BYTES_MIN {
        return Err(MintError::SecretTooShort);
    }
    request.mint(|payload| sign_hs256(secret, payload))
}

/// The same for an application, signed with its key.
pub fn mint_es512(key: &P521PrivateKey, request: &MintRequest) -> Result<String, MintError> {
    request.mint(|payload| compact("ES512", payload, |signed| key.sign(signed)))
}

/// The compact form of `payload`, whatever it is.
pub(super) fn sign_hs256(secret: &[u8], payload: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    compact("HS256", payload, |signed| {
        hmac::sign(&key, signed).as_ref().to_vec()
    })
}

fn compact(algorithm: &str, payload: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT" }).to_string();
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

impl MintRequest {
    fn mint(&self, sign: impl FnOnce(&[u8]) -> String) -> Result<String, MintError> {
        self.check_dates()?;
        self.check_boundary()?;
        let token = sign(self.claims().to_string().as_bytes());
        if token.len() > TOKEN_BYTES_MAX {
            return Err(MintError::TooLong);
        }
        Ok(token)
    }

    fn claims(&self) -> Value {
        let mut claims = Map::new();
        let mut of_family = |family: &str, owner: Option<(&str, &String)>| {
            claims.insert("type".into(), family.into());
            if let Some((name, id)) = owner {
                claims.insert(name.into(), id.as_str().into());
                claims.insert("permissions".into(), Value::Null);
            }
        };
        match &self.family {
            MintFamily::Ce => {}
            MintFamily::Pat => of_family("pat", None),
            MintFamily::App(client) => of_family("app", Some(("clientId", client))),
            MintFamily::Auth(user) => of_family("auth", Some(("userId", user))),
        }
        claims.insert("iat".into(), self.issued_at.into());
        if let Some(subject) = &self.subject {
            claims.insert("sub".into(), subject.as_str().into());
        }
        if let Some(permissions) = &self.permissions {
            claims.insert("permissions".into(), permissions.clone().into());
        }
        if let Some(boundary) = &self.boundary {
            claims.insert("resources".into(), json!({ "tunnels": boundary }));
        }
        if let Some(not_before) = self.not_before {
            claims.insert("nbf".into(), not_before.into());
        }
        if let Some(expires_at) = self.expires_at {
            claims.insert("exp".into(), expires_at.into());
        }
        Value::Object(claims)
    }

    fn check_dates(&self) -> Result<(), MintError> {
        let start = self.issued_at.max(self.not_before.unwrap_or(0));
        let end = self.expires_at.unwrap_or(JSON_INTEGER_MAX);
        if start >= end || end > JSON_INTEGER_MAX {
            return Err(MintError::BadDates);
        }
        match self.family {
            MintFamily::App(_) | MintFamily::Auth(_)
                if end - self.issued_at > SHORT_LIFETIME_MAX =>
            {
                Err(MintError::LivesTooLong)
            }
            MintFamily::Ce | MintFamily::Pat | MintFamily::App(_) | MintFamily::Auth(_) => Ok(()),
        }
    }

    fn check_boundary(&self) -> Result<(), MintError> {
        let Some(boundary) = &self.boundary else {
            return Ok(());
        };
        let tree = json::parse(boundary.to_string().as_bytes()).map_err(MintError::BadJson)?;
        let connects = boundary::parse(&tree).map_err(MintError::BadBoundary)?;
        let asks_for = |permission| {
            let mut asked = self.permissions.iter().flatten();
            asked.any(|one| one == permission)
        };
        let (permission, action) = (CONNECT_PERMISSION, "connect");
        let connecting = self.permissions.is_none() || asks_for(permission);
        if connecting && !connects.allows_connect_somewhere() {
            return Err(MintError::Nowhere { permission, action });
        }
        for (permission, action) in OTHER_PERMISSIONS {
            let acts = boundary::as_if_connecting(&tree, action).map_err(MintError::BadBoundary)?;
            if asks_for(permission) && !acts.allows_connect_somewhere() {
                return Err(MintError::Nowhere { permission, action });
            }
        }
        Ok(())
    }
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MintError::SecretTooShort => {
                write!(
                    f,
                    "the secret is shorter than {HS256_SECRET_BYTES_MIN} bytes"
                )
            }
            MintError::LivesTooLong => write!(
                f,
                "an application or auth token lives for at most {SHORT_LIFETIME_MAX} s"
            ),
            MintError::BadDates => f.write_str("the dates leave no moment to use the token"),
            MintError::BadJson(error) => write!(f, "boundary: {error}"),
            MintError::BadBoundary(error) => write!(f, "boundary: {error}"),
            MintError::Nowhere { permission, action } => write!(
                f,
                "boundary: it lets {action} nowhere, although {permission} is asked for"
            ),
            MintError::TooLong => write!(f, "the token is longer than {TOKEN_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for MintError {}
