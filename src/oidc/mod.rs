//! Sign-in at an OpenID Connect provider: the authorization code flow with PKCE, its tokens, and logout at both ends.
//!
//! Owns: [`Provider`], which knows what the provider publishes about itself and keeps that new. Comes in: a browser that
//! is to sign in ([`Provider::begin`]), the query that it comes back with ([`Provider::finish`]), the provider's own word
//! that a user is out ([`Provider::back_channel_logout`]). Goes out: an address for the browser, [`SignedIn`],
//! [`LoggedOut`], or an [`OidcError`] with a stable reason. Cookies, pages and who may enter what are not decided here.
//!
//! Refuses: a callback that this browser did not ask for, an answer of another provider, an ID token that is not signed
//! by the provider with a public key, for this client, now and for this question. An outage blocks nobody: what waits is
//! bounded in number and time, and the last good documents go on for a day.
//!
//! Tested in `tests/oidc`, against a real provider and against one that lies.

mod claims;
mod discovery;
mod error;
mod exchange;
mod flow;
mod known;
mod logout;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Client;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};
use url::Url;

pub use error::{DiscoveryFault, ErrorCode, OidcError, TokenFault};
pub use flow::{FLOW_SECRETS_LEN, FlowSecrets};
pub use logout::LoggedOut;

use crate::config::settings::Oidc;
use crate::fetch::{self, Reach};
use crate::json::Json;
use crate::limits::{OIDC_EXCHANGES_MAX, OIDC_TOKEN_BYTES_MAX, OIDC_WITHIN, TOKEN_BYTES_MAX};
use crate::runtime::clock::Clock;
use crate::secret::Secret;
use crate::token::{Algorithm, Jws, TokenError};
use claims::{Claims, Expected, IdToken, Person};
use exchange::Tokens;
use known::{Documents, Known, Turn, Why};
use logout::Remembered;

/// Where the provider sends browsers back to. Both are registered there.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// `https://<engine.host>[:port]/rstream/auth/oidc/callback`.
    pub redirect_uri: String,
    /// After a logout that began here.
    pub post_logout_uri: String,
}

/// Whether the provider may ask the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// As it likes.
    Usual,
    /// Not at all (`prompt=none`): a refresh that nobody sees. Without a session there it ends in
    /// [`OidcError::LoginRequired`].
    None,
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begin {
    /// Where the browser goes.
    pub url: Url,
    /// What [`Provider::finish`] needs: only this browser may bring them back.
    pub secrets: FlowSecrets,
}

/// Who has signed in.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// At this provider it is nobody else's, ever.
    pub subject: String,
    /// Verified by the provider; in lower case.
    pub email: Option<String>,
    pub name: Option<String>,
    pub groups: Vec<String>,
    /// The provider's name of its session.
    pub sid: Option<String>,
    /// For [`Provider::logout_url`].
    pub id_token: String,
    /// Seconds since the Unix epoch.
    pub issued_at: u64,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn")
            .field("subject", &self.subject)
            .field("email", &self.email)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

/// One provider. Shared by all that sign in at it; every call is made on the control thread's runtime.
#[derive(Debug)]
pub struct Provider {
    settings: Oidc,
    addresses: Addresses,
    clock: Clock,
    client: Client,
    known: Known,
    /// Whoever fetches the documents.
    fetching: tokio::sync::Mutex<()>,
    exchanges: Semaphore,
    logouts: Mutex<Remembered>,
}

impl Provider {
    /// Asks the provider nothing yet.
    pub fn new(settings: Oidc, addresses: Addresses, clock: Clock) -> Result<Self, OidcError> {
        let client = fetch::client(&Reach {
            roots: settings.roots.as_deref(),
            private_addresses: settings.private_addresses,
            private_key: "sign_in.oidc.private_addresses",
            within: OIDC_WITHIN,
        })?;
        Ok(Provider {
            known: Known::new(clock.now().monotonic),
            settings,
            addresses,
            clock,
            client,
            fetching: tokio::sync::Mutex::default(),
            exchanges: Semaphore::new(OIDC_EXCHANGES_MAX),
            logouts: Mutex::default(),
        })
    }

    /// Keeps what is known of the provider new, from the start on. Never returns: the caller ends it with the provider.
    pub async fn run(&self) {
        loop {
            let (_, seen) = self.known.look(self.clock.monotonic());
            let rest = self.known.due().saturating_sub(self.clock.monotonic());
            sleep_until(Instant::now() + rest).await;
            // What has gone wrong is in the log; the next time is in the plan.
            let _ = self.renew(seen, Why::Nothing).await;
        }
    }

    /// Starts a sign-in.
    pub async fn begin(&self, prompt: Prompt) -> Result<Begin, OidcError> {
        let documents = match self.known.look(self.clock.monotonic()) {
            (Some(documents), _) => documents,
            (None, seen) => {
                let _permit = self.permit()?;
                self.renew(seen, Why::Nothing).await?
            }
        };
        let secrets = FlowSecrets::generate()?;
        let mut url = documents.discovery.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.addresses.redirect_uri)
            .append_pair("scope", &self.settings.scopes.join(" "))
            .append_pair("state", &secrets.state())
            .append_pair("nonce", &secrets.nonce())
            .append_pair("code_challenge", &secrets.challenge())
            .append_pair("code_challenge_method", "S256");
        if prompt == Prompt::None {
            url.query_pairs_mut().append_pair("prompt", "none");
        }
        Ok(Begin { url, secrets })
    }

    /// Ends a sign-in with the query of its callback, without the `?`. The secrets are those of [`Provider::begin`], and
    /// count once: the caller forgets them before it calls.
    pub async fn finish(&self, query: &str, secrets: &FlowSecrets) -> Result<SignedIn, OidcError> {
        let _permit = self.permit()?;
        let documents = self.documents().await?;
        let discovery = &documents.discovery;
        let issuer = &self.settings.issuer;
        let code = flow::code(query, secrets, issuer, discovery.names_issuer)?;
        let tokens = exchange::redeem(
            &self.client,
            discovery,
            &self.settings,
            &self.addresses.redirect_uri,
            (&code, &secrets.verifier()),
        )
        .await?;
        self.signed_in(documents.clone(), tokens, secrets).await
    }

    async fn signed_in(
        &self,
        documents: Arc<Documents>,
        tokens: Tokens,
        secrets: &FlowSecrets,
    ) -> Result<SignedIn, OidcError> {
        let Tokens {
            id_token,
            access_token,
        } = tokens;
        let opened = self
            .open(&documents, &id_token, OIDC_TOKEN_BYTES_MAX, &["JWT"])
            .await?;
        let claims = Claims(&opened.claims);
        let expected = Expected {
            settings: &self.settings,
            secrets,
            algorithm: opened.algorithm,
            access_token: access_token.as_ref().map(Secret::expose),
            now_unix: self.clock.now().unix_seconds(),
        };
        let user = IdToken::check(claims, &expected)?;
        let mut person = Person::of(claims, &self.settings.groups_claim)?;
        let endpoint = documents.discovery.userinfo_endpoint.as_ref();
        let asks_for_email = self.settings.scopes.iter().any(|scope| scope == "email");
        if asks_for_email
            && claims.get("email").is_none()
            && let (Some(endpoint), Some(token)) = (endpoint, &access_token)
        {
            let told = exchange::user_info(&self.client, endpoint, token).await?;
            person = person.or(self.told(&told, user.subject)?);
        }
        Ok(SignedIn {
            subject: user.subject.to_owned(),
            sid: user.sid.map(str::to_owned),
            issued_at: user.issued_at,
            email: person.email,
            name: person.name,
            groups: person.groups.unwrap_or_default(),
            id_token,
        })
    }

    /// What the provider tells about a user, who must be the one of the ID token (attack: the access token of another).
    fn told(&self, told: &Json, subject: &str) -> Result<Person, OidcError> {
        let claims = Claims(told.as_object().ok_or(OidcError::UserInfo)?);
        if claims.text("sub") != Ok(Some(subject)) {
            return Err(OidcError::UserInfo);
        }
        Person::of(claims, &self.settings.groups_claim).map_err(|_| OidcError::UserInfo)
    }

    /// Where a browser goes to end its session at the provider too (OpenID Connect RP-Initiated Logout 1.0). `None`: the
    /// provider has no such place, or was never reached. `state` comes back to [`Addresses::post_logout_uri`].
    pub fn logout_url(&self, id_token_hint: Option<&str>, state: &str) -> Option<Url> {
        let (documents, _) = self.known.look(self.clock.monotonic());
        let mut url = documents?.discovery.end_session_endpoint.clone()?;
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("client_id", &self.settings.client_id)
                .append_pair("post_logout_redirect_uri", &self.addresses.post_logout_uri)
                .append_pair("state", state);
            if let Some(hint) = id_token_hint {
                query.append_pair("id_token_hint", hint);
            }
        }
        Some(url)
    }

    /// The provider says that a user is out: the body of its POST. Counts once, so the caller acts before it answers.
    pub async fn back_channel_logout(&self, body: &[u8]) -> Result<LoggedOut, OidcError> {
        let token = logout::token(body)?;
        let _permit = self.permit()?;
        let documents = self.documents().await?;
        let opened = self
            .open(&documents, &token, TOKEN_BYTES_MAX, &logout::TYPES)
            .await?;
        let now = self.clock.now();
        let claims = Claims(&opened.claims);
        let (out, id) = logout::check(claims, &self.settings, now.unix_seconds())?;
        let mut logouts = self.logouts.lock().unwrap_or_else(PoisonError::into_inner);
        logouts.first_time(id, now.monotonic)?;
        Ok(out)
    }

    /// One of those that may wait for the provider.
    fn permit(&self) -> Result<SemaphorePermit<'_>, OidcError> {
        self.exchanges.try_acquire().map_err(|_| OidcError::Busy)
    }

    async fn documents(&self) -> Result<Arc<Documents>, OidcError> {
        match self.known.look(self.clock.monotonic()) {
            (Some(documents), _) => Ok(documents),
            (None, seen) => self.renew(seen, Why::Nothing).await,
        }
    }

    /// Checks a signature. A key that is not there may be new, which is asked once.
    async fn open(
        &self,
        documents: &Documents,
        token: &str,
        bytes_max: usize,
        types: &[&str],
    ) -> Result<Opened, OidcError> {
        let algorithms = &documents.discovery.algorithms;
        let jws = Jws::parse(token.as_bytes(), bytes_max, algorithms, types)?;
        let claims = match documents.keys.find(&jws) {
            Some(key) => jws.claims(key)?,
            None => {
                let (_, seen) = self.known.look(self.clock.monotonic());
                let why = Why::Key(jws.kid().unwrap_or_default());
                let renewed = self.renew(seen, why).await?;
                let key = renewed.keys.find(&jws);
                jws.claims(key.ok_or(TokenError::UnknownKey)?)?
            }
        };
        Ok(Opened {
            algorithm: jws.algorithm(),
            claims,
        })
    }

    /// The documents after a fetch, if one is worth it. Those that wait for it share what comes of it.
    async fn renew(&self, seen: u64, why: Why<'_>) -> Result<Arc<Documents>, OidcError> {
        let _fetching = self.fetching.lock().await;
        match self.known.turn(seen, why, self.clock.monotonic()) {
            Turn::Ended(ended) => return ended,
            Turn::Fetch => {}
        }
        let fetched = exchange::documents(&self.client, &self.settings).await;
        let fetched = fetched.map(|(discovery, keys)| Documents { discovery, keys });
        let issuer = &self.settings.issuer;
        match &fetched {
            Ok(_) => tracing::debug!(event = "oidc_provider_read", issuer),
            Err(error) => tracing::warn!(
                event = "oidc_provider_failed",
                issuer,
                "{error}; what is known of it goes on"
            ),
        }
        self.known.fetched(fetched, why, self.clock.monotonic())
    }
}

/// A token whose signature is good.
struct Opened {
    algorithm: Algorithm,
    claims: Vec<(String, Json)>,
}

/// A member of an object.
fn member<'a>(members: &'a [(String, Json)], name: &str) -> Option<&'a Json> {
    let mut members = members.iter();
    members
        .find(|(found, _)| found == name)
        .map(|(_, value)| value)
}
