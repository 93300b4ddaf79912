//! What browsers go through: signing in and out, and challenges (S5.3, S5.4, S5.7, S5.11).
//!
//! Owns: the pages' paths on the base host, the callbacks and the logout on tunnels, and what must be remembered for them:
//! codes that were used, sign-ins that failed. Comes in: requests that a core has judged to be for these paths and sends on
//! over a Unix socket, with the client's cookies and address. Goes out: pages, redirects, cookies, and sign-outs to whoever
//! tells the cores ([`Sessions`]). Cores then judge sessions by themselves.
//!
//! Refuses: a code in another browser than the one that began, a second use, forms of other pages, and every table beyond its
//! bound. A flow that nobody finishes costs no memory: all that it needs is sealed in the browser. That a code serves once is
//! the promise of one process; in its minute another one with the same key would take it again, from the same browser.

mod answer;
mod asked;
mod callback;
mod challenge;
mod failures;
pub mod input;
mod logout;
mod oidc;
mod passwords;
mod rules;
mod sign_in;
mod used;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use crate::authn::session::{Ended, Short};
use crate::handover;
use crate::limits::{
    CHALLENGED_PREFIXES_MAX, CHALLENGES_PER_MINUTE_MAX, HAND_OVER_USERS_MAX,
    HAND_OVERS_PER_MINUTE_MAX, HELD_SIGN_INS_MAX, USED_CODES_MAX,
};
use crate::pages;
use crate::runtime::clock::Clock;
use answer::Fault;
use asked::Asked;
use failures::Failures;
use passwords::Passwords;
pub use rules::{Builtin, Challenge, Provider, Rules, SignIn, Tunnel, User};
use used::{PerMinute, UsedOnce};

/// The rules in force. Whoever reloads puts others there.
pub type RulesInForce = Arc<RwLock<Arc<Rules>>>;

/// Ends all sessions of these that began at that moment (in milliseconds) or before: written to disk, synced, and known to
/// every core when it returns. It blocks.
pub type End = Arc<dyn Fn(&[Short], u64) -> io::Result<()> + Send + Sync>;

/// Who has been signed out.
#[derive(Clone)]
pub struct Sessions {
    pub ended: Arc<RwLock<Ended>>,
    pub end: End,
}

/// Everything that the flows need.
pub struct Flow {
    rules: RulesInForce,
    clock: Clock,
    sessions: Sessions,
    passwords: Passwords,
    random: SystemRandom,
    failures: Mutex<Failures>,
    /// For sign-ins that are held up.
    held: Semaphore,
    /// State cookies. A code counts beside one of them alone, so what uses that up uses up the code.
    used: Mutex<UsedOnce>,
    hand_overs: Mutex<PerMinute>,
    challenges: Mutex<(UsedOnce, PerMinute)>,
}

impl Flow {
    pub fn new(rules: RulesInForce, clock: Clock, sessions: Sessions) -> io::Result<Self> {
        Ok(Flow {
            rules,
            clock,
            sessions,
            passwords: Passwords::start()?,
            random: SystemRandom::new(),
            failures: Mutex::default(),
            held: Semaphore::new(HELD_SIGN_INS_MAX),
            used: Mutex::new(UsedOnce::new(USED_CODES_MAX)),
            hand_overs: Mutex::new(PerMinute::new(
                HAND_OVERS_PER_MINUTE_MAX,
                HAND_OVER_USERS_MAX,
            )),
            challenges: Mutex::new((
                UsedOnce::new(USED_CODES_MAX),
                PerMinute::new(CHALLENGES_PER_MINUTE_MAX, CHALLENGED_PREFIXES_MAX),
            )),
        })
    }

    /// One request goes by the same rules to its end.
    fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.read();
        rules.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes).map_err(|_| Fault::Failed)?;
        Ok(bytes)
    }

    fn now_unix(&self) -> u64 {
        self.clock.now().unix_seconds()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().unix.as_millis()).unwrap_or(u64::MAX)
    }

    /// Uses a code and the state cookie that it came with. What the browser began before with the same cookie has expired
    /// when that is forgotten.
    fn use_both(&self, (code, expires_at): (&Short, u64), state: &Short) -> Result<(), Fault> {
        let all_over = self.now_unix() + handover::REQUEST_SECONDS + handover::CODE_SECONDS;
        self.use_once(code, expires_at)?;
        self.use_once(state, all_over)
    }

    /// Uses what serves once, until then (in seconds).
    fn use_once(&self, id: &Short, until: u64) -> Result<(), Fault> {
        let used = lock(&self.used).use_once(id, until, self.now_unix());
        used.map_err(not_used)
    }

    /// See [`Sessions`].
    async fn end_sessions(&self, what: Vec<Short>) -> Result<(), Fault> {
        let (end, now) = (self.sessions.end.clone(), self.now_ms());
        let ended = tokio::task::spawn_blocking(move || end(&what, now)).await;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(event = "sign_out_failed", %error, "the sign-out could not be written down");
                Err(Fault::Failed)
            }
            Err(_) => Err(Fault::Failed),
        }
    }
}

fn not_used(error: used::NotUsed) -> Fault {
    match error {
        used::NotUsed::Again => Fault::CodeUsed,
        used::NotUsed::Full => Fault::Busy,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until the listener fails.
pub async fn serve(flow: Arc<Flow>, listener: UnixListener) -> io::Result<()> {
    let router = Router::new().fallback(answer).with_state(flow);
    axum::serve(listener, router).await
}

async fn answer(State(flow): State<Arc<Flow>>, request: Request) -> Response {
    let rules = flow.rules();
    let (parts, body) = request.into_parts();
    let Some(asked) = Asked::new(parts) else {
        return answer::empty(StatusCode::BAD_REQUEST);
    };
    let is_head = asked.method == Method::HEAD;
    let answered = if asked.host == rules.base_host {
        at_base_host(&flow, &rules, &asked, body).await
    } else {
        at_tunnel(&flow, &rules, &asked).await
    };
    let mut response = answered.unwrap_or_else(|fault| {
        tracing::debug!(
            event = "flow_refused",
            reason = fault.reason(),
            request_id = asked.id()
        );
        let is_tunnel = asked.host != rules.base_host && fault != Fault::NotFound;
        let host = is_tunnel.then(|| rules.authority(asked.host.as_str()));
        fault.page(&rules.brand, host.as_deref(), asked.id())
    });
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn at_base_host(
    flow: &Arc<Flow>,
    rules: &Rules,
    asked: &Asked,
    body: Body,
) -> Result<Response, Fault> {
    let path = asked.path.as_str();
    if path.starts_with(handover::ASSETS_PATH) {
        return asset(rules, asked);
    }
    let is_known = [
        handover::SIGN_IN_PATH,
        handover::BASE_LOGOUT_PATH,
        handover::CHALLENGE_PATH,
        handover::PROVIDER_CALLBACK_PATH,
        handover::PROVIDER_LOGOUT_PATH,
    ];
    if !is_known.contains(&path) {
        return Err(Fault::NotFound);
    }
    let sends = match asked.method {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return Err(Fault::Method("GET, HEAD, POST")),
    };
    match (path, sends) {
        (handover::SIGN_IN_PATH, false) => sign_in::show(flow, rules, asked).await,
        (handover::SIGN_IN_PATH, true) => sign_in::submit(flow, rules, asked, body).await,
        (handover::BASE_LOGOUT_PATH, false) => logout::show(flow, rules, asked),
        (handover::BASE_LOGOUT_PATH, true) => logout::submit(flow, rules, asked, body).await,
        (handover::PROVIDER_CALLBACK_PATH, false) => oidc::finish(flow, rules, asked).await,
        (handover::PROVIDER_CALLBACK_PATH, true) => Err(Fault::Method("GET, HEAD")),
        (handover::PROVIDER_LOGOUT_PATH, true) => oidc::logout(flow, rules, body).await,
        (handover::PROVIDER_LOGOUT_PATH, false) => Err(Fault::Method("POST")),
        (handover::CHALLENGE_PATH, false) => challenge::show(flow, rules, asked),
        (handover::CHALLENGE_PATH, true) => Err(Fault::Method("GET, HEAD")),
        _ => Err(Fault::NotFound),
    }
}

async fn at_tunnel(flow: &Arc<Flow>, rules: &Rules, asked: &Asked) -> Result<Response, Fault> {
    let tunnel = rules.tunnels.find(&asked.host).ok_or(Fault::NotFound)?;
    let is_get = matches!(asked.method, Method::GET | Method::HEAD);
    match asked.path.as_str() {
        handover::LOGOUT_PATH => logout::at_tunnel(flow, rules, tunnel, asked).await,
        handover::SIGN_IN_CALLBACK_PATH if tunnel.signs_in && is_get => {
            callback::signed_in(flow, rules, tunnel, asked)
        }
        handover::CHALLENGE_CALLBACK_PATH if tunnel.challenges && is_get => {
            callback::challenged(flow, rules, tunnel, asked)
        }
        handover::SIGN_IN_CALLBACK_PATH if tunnel.signs_in => Err(Fault::Method("GET, HEAD")),
        handover::CHALLENGE_CALLBACK_PATH if tunnel.challenges => Err(Fault::Method("GET, HEAD")),
        _ => Err(Fault::NotFound),
    }
}

fn asset(rules: &Rules, asked: &Asked) -> Result<Response, Fault> {
    if !matches!(asked.method, Method::GET | Method::HEAD) {
        return Err(Fault::Method("GET, HEAD"));
    }
    let file = pages::asset(rules.brand.logo.as_ref(), &asked.path);
    Ok(answer::asset(&file.ok_or(Fault::NotFound)?))
}

#[cfg(test)]
mod tests;
