//! The words of explanations.

use crate::authn::{Authorization, Identity, Unauthenticated};
use crate::boundary::LeafAnswer;
use crate::clock::Now;
use crate::network::Denial;
use crate::policy::{Decision, Facts, Policy, Tunnel};
use crate::token::inspect;

/// What a tunnel asks for.
pub(super) fn guard(tunnel: &Tunnel) -> String {
    let token = match tunnel.authorization {
        Authorization::Edge => "token_auth = true: Authorization, or rstream.token in the query",
        Authorization::App => {
            "token_auth = true, authorization = \"app\": Rstream-Authorization, or rstream.token in the query"
        }
    };
    let certificate = "mtls_auth = true: a client certificate, alone";
    let mechanisms = tunnel.mechanisms;
    let all = [
        (
            tunnel.tls13_only,
            "tls_min_version = \"tls1.3\": an older client fails in the handshake",
        ),
        (mechanisms.certificate, certificate),
        (mechanisms.token, token),
        (
            mechanisms.challenge,
            "challenge_mode = true: the cookie of a challenge that was met",
        ),
        (
            mechanisms.session,
            "rstream_auth = true: the cookie of a session",
        ),
        (
            !mechanisms.authenticates() && !mechanisms.challenge,
            "public = true: everybody may enter",
        ),
    ];
    let on = all.into_iter().filter(|(on, _)| *on);
    let on: Vec<&str> = on.map(|(_, words)| words).collect();
    on.join("; ")
}

/// Where the client comes from, and whether it may.
pub(super) fn network(policy: &Policy, tunnel: &Tunnel, facts: &Facts<'_>) -> String {
    let client = facts.connection.client;
    let countries = policy.countries.as_deref();
    let country = client.zip(countries);
    let country = country.and_then(|(client, countries)| countries.find(client));
    let from = match (&tunnel.network.countries, country) {
        (None, _) => String::new(),
        (Some(_), Some(country)) => format!(" in {}", country.as_str()),
        (Some(_), None) => " in no known country".to_owned(),
    };
    let lists = [
        (tunnel.network.trusted.is_some(), "trusted_ips"),
        (tunnel.network.countries.is_some(), "geoip"),
    ];
    let lists = lists.into_iter().filter(|(is_set, _)| *is_set);
    let lists: Vec<&str> = lists.map(|(_, name)| name).collect();
    let lists = lists.join(" and ");
    match tunnel.network.admit(client, countries) {
        Ok(()) => format!("its address{from} is in {lists}"),
        Err(Denial::AddressUnknown) => format!("its address is unknown, which {lists} never has"),
        Err(Denial::AddressNotTrusted) => "its address is not in trusted_ips".to_owned(),
        Err(Denial::CountryUnknown | Denial::CountryNotAllowed) => {
            format!("its address{from} is not in geoip")
        }
    }
}

/// What a browser's cookies came to. Who was signed out since, only the process knows.
pub(super) fn browser(decision: &Decision) -> String {
    match decision {
        Decision::Forward(permit) => match permit.identity() {
            Identity::Session(user) => format!("signed in as {}", user.subject),
            Identity::Anonymous | Identity::Token(_) | Identity::Certificate(_) => {
                "the challenge was met".to_owned()
            }
        },
        Decision::NeedsSignIn(_) => "nobody is signed in: it is sent to sign in".to_owned(),
        Decision::NeedsChallenge(_) => "no challenge was met: it is sent to one".to_owned(),
        Decision::Refuse(no) => format!("refused: {}", no.refusal.reason()),
        Decision::NeedsKeys(_) | Decision::Endpoint(_) => String::new(),
    }
}

/// The beginning of a hash.
pub(super) fn fingerprint(hash: &[u8; 32]) -> String {
    let start: String = hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    start + "..."
}

pub(super) fn leaf_text(answer: LeafAnswer, tunnel: &Tunnel, path: &str) -> String {
    match answer {
        LeafAnswer::Allows => "allows".to_owned(),
        LeafAnswer::OtherTarget => format!("is not for project {}", tunnel.project),
        LeafAnswer::NoConnect => "allows no connect".to_owned(),
        LeafAnswer::FiltersFail => format!("its filters do not match {}", tunnel.hostname),
        LeafAnswer::PathFails => format!("allows other paths than {path}"),
        LeafAnswer::PathAmbiguous => {
            "has a rule for paths, which none with two readings meets".to_owned()
        }
    }
}

pub(super) fn no_proof(why: Unauthenticated) -> &'static str {
    match why {
        Unauthenticated::NoToken => "none",
        Unauthenticated::SeveralAuthorizations => "several fields where one may be",
        Unauthenticated::SeveralQueryTokens => "several rstream.token",
        Unauthenticated::SeveralProofs => "Rstream-Authorization and rstream.token at once",
        Unauthenticated::TokenForEdge => {
            "a token of the edge in Authorization, which is the application's here"
        }
        Unauthenticated::BearerMalformed => "a field that holds no bearer token",
        Unauthenticated::QueryTokenMalformed => "rstream.token without a value that can be decoded",
        Unauthenticated::Token(_) => "a token",
        Unauthenticated::NoCertificate => {
            "no client certificate, and the tunnel takes nothing else"
        }
        Unauthenticated::AmbiguousProofs => "another proof beside the client certificate",
        Unauthenticated::Certificate(_) => "a client certificate",
        Unauthenticated::NoSession => {
            "nobody is signed in, and this client cannot be sent to sign in"
        }
        Unauthenticated::SeveralSessions => "several cookies of a session",
        Unauthenticated::Session(_) => "a session",
    }
}

/// A token by its beginning, and what it says of itself.
pub(super) fn shortened(token: &[u8], now: Now) -> String {
    const SHOWN: usize = 8;
    let start = text(token.get(..SHOWN.min(token.len() / 2)).unwrap_or_default());
    let mut shown = format!("{start}... ({} bytes)", token.len());
    let said = std::str::from_utf8(token)
        .ok()
        .and_then(|token| inspect(token).ok());
    let Some(said) = said.map(|said| said.json()) else {
        return shown + ", which cannot be read";
    };
    for (part, name) in [
        ("header", "alg"),
        ("header", "kid"),
        ("claims", "type"),
        ("claims", "iss"),
        ("claims", "sub"),
        ("claims", "clientId"),
        ("claims", "userId"),
    ] {
        if let Some(value) = said.get(part).and_then(|part| part.get(name)) {
            shown.push_str(&format!(", {name} {value}"));
        }
    }
    let seconds = |name: &str| said.get("claims")?.get(name)?.as_u64();
    let now = now.unix_seconds();
    match seconds("exp") {
        Some(end) if end > now => shown.push_str(&format!(", ends in {} s", end - now)),
        Some(end) => shown.push_str(&format!(", ended {} s ago", now - end)),
        None => shown.push_str(", without an end"),
    }
    if let Some(begin) = seconds("nbf").filter(|begin| *begin > now) {
        shown.push_str(&format!(", begins in {} s", begin - now));
    }
    shown
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
