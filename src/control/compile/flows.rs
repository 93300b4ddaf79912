//! What the flows of browsers go by.

use std::sync::Arc;

use super::sessions;
use crate::authn::session::SessionRules;
use crate::config::settings::{self, Settings, SignInProvider, SignInUser};
use crate::flow::{Builtin, Challenge, Provider, Rules, SignIn, Tunnel, User, input};
use crate::http::host::CanonicalHost;
use crate::oidc;
use crate::pages::Brand;
use crate::route::Routes;

/// `secret`: see [`Builtin::new`]. `elsewhere`: where users sign in that are none of the configuration's. `None`: the base
/// host is no host name, or nobody is elsewhere.
pub(in crate::control) fn rules(
    settings: &Settings,
    public_port: u16,
    secret: &[u8; 32],
    elsewhere: Option<Arc<oidc::Provider>>,
) -> Option<Rules> {
    let mut tunnels = Routes::default();
    for tunnel in &settings.tunnels {
        let row = Tunnel {
            project: tunnel.project.clone(),
            signs_in: tunnel.rstream_auth,
            challenges: tunnel.challenge_mode,
        };
        tunnels.insert(&tunnel.hostname, row);
    }
    let written = settings.sign_in.as_ref();
    let sign_in = match written {
        Some(written) => Some(sign_in(written, secret, elsewhere)?),
        None => None,
    };
    let challenge = settings.challenge.as_ref().map(|challenge| Challenge {
        difficulty_bits: challenge.difficulty_bits,
        lifetime: challenge.lifetime,
        sealer: challenge.sealer.clone(),
    });
    Some(Rules {
        base_host: CanonicalHost::parse(settings.engine.host.as_bytes()).ok()?,
        public_port,
        tunnels,
        sign_in,
        challenge,
        brand: brand(settings, &settings.engine.host),
    })
}

/// What pages are headed with. `otherwise`: where no title is configured.
pub(super) fn brand(settings: &Settings, otherwise: &str) -> Brand {
    let sign_in = settings.sign_in.as_ref();
    let title = sign_in.and_then(|sign_in| sign_in.title.as_deref());
    Brand {
        title: title.unwrap_or(otherwise).to_owned(),
        logo: sign_in.and_then(|sign_in| sign_in.logo.clone()),
    }
}

fn sign_in(
    written: &settings::SignIn,
    secret: &[u8; 32],
    elsewhere: Option<Arc<oidc::Provider>>,
) -> Option<SignIn> {
    let rules = sessions::rules(written);
    let provider = match &written.provider {
        SignInProvider::Builtin(users) => {
            let users = users.iter().map(|one| user(one, &rules)).collect();
            Provider::Builtin(Builtin::new(users, secret))
        }
        SignInProvider::Oidc(_) => Provider::Oidc(elsewhere?),
    };
    Some(SignIn {
        provider,
        sessions: rules,
        session_lifetime: written.session_lifetime,
        sealer: written.sealer.clone(),
    })
}

fn user(user: &SignInUser, rules: &SessionRules) -> User {
    let inputs = [sessions::user_input(user), input::subject(&user.name)];
    User {
        name: user.name.clone(),
        password_hash: user.password_hash.clone(),
        inputs: inputs
            .into_iter()
            .filter(|input| rules.grants.contains_key(input))
            .collect(),
    }
}
