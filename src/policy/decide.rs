//! The order of judgement (rstream 7.3, S1, S4).

use std::net::IpAddr;
use std::rc::Rc;

use crate::authn::bearer::Bearer;
use crate::authn::{Authorization, Carrier, Evidence, Identity, Unauthenticated};
use crate::authz;
use crate::boundary::ConnectContext;
use crate::clock::Now;
use crate::http::field::FieldKind;
use crate::http::path::{JudgedPath, judge};
use crate::http::request::Method;
use crate::token::{self, TokenCache, TokenError, TokenForm, VerifiedToken, WantedKey};

use super::budget::Budgets;
use super::{
    Decision, Endpoint, Facts, Guard, NeedsKeys, Policy, Refusal, Refused, Scheme, Tunnel,
};

/// What one core remembers and works in: verified tokens, and room to decode into. It changes no verdict.
#[derive(Debug)]
pub struct Memory {
    pub tokens: TokenCache,
    spent: Spent,
    path: Vec<u8>,
    query_token: Vec<u8>,
}

impl Memory {
    pub fn new(tokens: TokenCache) -> Self {
        Memory {
            tokens,
            spent: Spent::default(),
            path: Vec::new(),
            query_token: Vec::new(),
        }
    }
}

/// What clients have made this core verify.
#[derive(Debug, Default)]
struct Spent {
    /// Tokens that failed.
    failures: Budgets,
    /// Tokens that took a public key.
    expensive: Budgets,
}

impl Spent {
    /// Whether a client may have this token verified anew (S9); one that takes a public key counts at once.
    fn admits(&mut self, token: &[u8], client: Option<IpAddr>, now: Now, policy: &Policy) -> bool {
        let now = now.monotonic;
        let per_second = policy.expensive_verifications_per_second;
        if !self.failures.has_left(client, now) {
            return false;
        }
        if per_second == 0 || !token::is_expensive(token) {
            return true;
        }
        let admitted = self.expensive.has_left(client, now);
        if admitted {
            self.expensive.spend(client, now, per_second);
        }
        admitted
    }

    fn failed(&mut self, client: Option<IpAddr>, now: Now, policy: &Policy) {
        let per_second = policy.failed_verifications_per_second;
        self.failures.spend(client, now.monotonic, per_second);
    }
}

/// Judges one request.
pub fn decide(policy: &Policy, facts: &Facts<'_>, now: Now, memory: &mut Memory) -> Decision {
    let refuse = |refusal, tunnel, identity| {
        Decision::Refuse(Refused {
            refusal,
            tunnel,
            identity,
        })
    };
    let (index, tunnel) = match route(policy, facts) {
        Ok(found) => found,
        Err(refusal) => {
            return match endpoint(policy, facts, refusal) {
                Ok(which) => Decision::Endpoint(which),
                Err(refusal) => refuse(refusal, None, Identity::Anonymous),
            };
        }
    };
    let path = judge(
        facts.request.path(),
        &mut memory.path,
        tunnel.semicolon_allowed,
    );
    if is_edge_path(path.decoded) {
        return refuse(Refusal::EdgePath, Some(index), Identity::Anonymous);
    }
    if tunnel.guard == Guard::Public {
        let withheld = holds_edge_credential(policy, facts, now, &mut memory.tokens);
        return Decision::Forward(authz::public(index, withheld));
    }
    // S3.4: a token that is not the proof stays here too. One in a field that is the application's must not go on, and
    // the client must learn where tokens belong (S4.2).
    let holds_ours = |tokens: &mut TokenCache| holds_edge_credential(policy, facts, now, tokens);
    if tunnel.authorization == Authorization::App && holds_ours(&mut memory.tokens) {
        let refusal = Refusal::Unauthenticated(Unauthenticated::TokenForEdge);
        return refuse(refusal, Some(index), Identity::Anonymous);
    }
    let evidence = Evidence::read(facts.request, tunnel.authorization, &mut memory.query_token);
    let client = facts.connection.client;
    let work = (&mut memory.tokens, &mut memory.spent);
    let (token, carrier) = match verify(policy, &evidence, client, now, work) {
        Ok(verified) => verified,
        Err(refusal) => {
            let otherwise = Refused {
                refusal,
                tunnel: Some(index),
                identity: Identity::Anonymous,
            };
            return match wanted_key(policy, &evidence, refusal) {
                Some(key) => Decision::NeedsKeys(Box::new(NeedsKeys { key, otherwise })),
                None => Decision::Refuse(otherwise),
            };
        }
    };
    let withholds = match (tunnel.authorization, carrier) {
        (Authorization::Edge, Carrier::Field) => true,
        (Authorization::Edge, Carrier::Query) => holds_ours(&mut memory.tokens),
        (Authorization::App, Carrier::Field | Carrier::Query) => false,
    };
    let context = connect_context(tunnel, &path);
    let terms = authz::Terms {
        withholds_authorization: withholds,
        names_sender: tunnel.names_sender,
    };
    match authz::token(index, &token, terms, &context) {
        Ok(permit) => Decision::Forward(permit),
        Err(why) => refuse(Refusal::Forbidden(why), Some(index), Identity::Token(token)),
    }
}

/// The token that counts, verified. One that must be verified anew takes what the client has left to fail (S9).
fn verify(
    policy: &Policy,
    evidence: &Evidence<'_>,
    client: Option<IpAddr>,
    now: Now,
    (tokens, spent): (&mut TokenCache, &mut Spent),
) -> Result<(Rc<VerifiedToken>, Carrier), Refusal> {
    let refused = |error| Refusal::Unauthenticated(Unauthenticated::Token(error));
    let (token, carrier) = evidence.token().map_err(Refusal::Unauthenticated)?;
    let keys = policy.keys.as_ref();
    let keys = keys.ok_or(refused(TokenError::CeNotAllowed))?;
    let verified = match tokens.remembered(token, now.unix_seconds()) {
        Some(known) => known,
        None if !spent.admits(token, client, now, policy) => {
            return Err(Refusal::TooManyVerifications);
        }
        None => {
            let verified = tokens.verify_anew(token, keys, now.unix_seconds());
            if verified.is_err() {
                spent.failed(client, now, policy);
            }
            verified
        }
    };
    Ok((verified.map_err(refused)?, carrier))
}

/// The key that may cure a refusal, if one may.
fn wanted_key(policy: &Policy, evidence: &Evidence<'_>, refusal: Refusal) -> Option<WantedKey> {
    let Refusal::Unauthenticated(Unauthenticated::Token(
        TokenError::UnknownKey | TokenError::NoKeys,
    )) = refusal
    else {
        return None;
    };
    let (token, _) = evidence.token().ok()?;
    policy.keys.as_ref()?.wanted_key(token)
}

/// S1.2, S1.3: the canonical host decides, and it must be the name that TLS was made for. A target that says https is not
/// served in the clear (RFC 9110 7.4).
pub(super) fn route<'p>(
    policy: &'p Policy,
    facts: &Facts<'_>,
) -> Result<(usize, &'p Tunnel), Refusal> {
    let host = &facts.request.head.host;
    if facts.request.head.target.https && facts.connection.scheme == Scheme::Http {
        return Err(Refusal::SchemeMismatch);
    }
    match (facts.connection.scheme, facts.connection.server_name) {
        (Scheme::Https, Some(name)) if name != host => return Err(Refusal::Misdirected),
        (Scheme::Https | Scheme::Http, _) => {}
    }
    let index = *policy.routes.find(host).ok_or(Refusal::UnknownHost)?;
    let tunnel = policy.tunnels.get(index).ok_or(Refusal::UnknownHost)?;
    Ok((index, tunnel))
}

/// What the edge answers itself where no tunnel has the host: only on its base host, and only to who reads. `refusal` is
/// why no tunnel was found; any other reason than that nobody has the host stands.
fn endpoint(policy: &Policy, facts: &Facts<'_>, refusal: Refusal) -> Result<Endpoint, Refusal> {
    const WHICH: Endpoint = Endpoint::AssertionKeys;

    let request = facts.request;
    if refusal != Refusal::UnknownHost
        || request.head.host != policy.base_host
        || !policy.shows_assertion_keys
        || request.path() != WHICH.path().as_bytes()
    {
        return Err(refusal);
    }
    match request.head.method {
        Method::Get | Method::Head => Ok(WHICH),
        Method::Post
        | Method::Put
        | Method::Delete
        | Method::Options
        | Method::Patch
        | Method::Trace
        | Method::Connect
        | Method::Other => Err(Refusal::ReadOnly),
    }
}

/// S3.4: whether an `Authorization` line that is no proof here holds a credential of ours, by its form or because it
/// verifies. An upstream that gets such a line could use it elsewhere. A line that is not quite a bearer, or of another
/// scheme, is searched for a token: a client's mistake in spelling must not hand it over.
fn holds_edge_credential(
    policy: &Policy,
    facts: &Facts<'_>,
    now: Now,
    tokens: &mut TokenCache,
) -> bool {
    let keys = policy.keys.as_ref();
    let form = |token: &[u8]| {
        token::form(token, |issuer| {
            keys.is_some_and(|keys| keys.knows_issuer(issuer))
        })
    };
    let mut is_signed = |token: &[u8]| {
        keys.is_some_and(|keys| {
            // One that is only expired, or not yet good, is ours as well.
            tokens
                .verify(token, keys, now.unix_seconds())
                .map_or_else(TokenError::signed_by_us, |_| true)
        })
    };
    facts
        .request
        .values(FieldKind::Authorization)
        .any(|line| match Bearer::parse(line) {
            Bearer::Token(_) | Bearer::Malformed => {
                token_like(line).any(|part| form(part) != TokenForm::Foreign || is_signed(part))
            }
            // A host name in a `Digest` realm has three parts that cannot be read: a `type` of ours or a signature counts.
            Bearer::OtherScheme => {
                token_like(line).any(|part| form(part) == TokenForm::Ours || is_signed(part))
            }
            Bearer::Absent | Bearer::Several => false,
        })
}

/// The parts of a line that could be a compact token.
fn token_like(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')))
        .filter(|part| part.iter().filter(|byte| **byte == b'.').count() == 2)
}

pub(super) fn connect_context<'a>(
    tunnel: &'a Tunnel,
    path: &'a JudgedPath<'a>,
) -> ConnectContext<'a> {
    ConnectContext {
        project: &tunnel.project,
        workspace: &tunnel.workspace,
        tunnel: &tunnel.properties,
        path,
    }
}

/// S1.4: paths that belong to the edge on every tunnel and never reach an upstream, in every spelling that decodes to
/// them.
pub(super) fn is_edge_path(decoded: &[u8]) -> bool {
    const OWNED: [&[u8]; 2] = [b"/.well-known/rstream", b"/.well-known/acme-challenge"];
    OWNED.iter().any(|owned| {
        decoded
            .strip_prefix(*owned)
            .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    })
}

#[cfg(test)]
mod tests;
