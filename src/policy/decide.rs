//! The order of judgement (rstream 7.3, S1, S4).

mod browser;
mod pages;
mod proofs;

use crate::authn::navigation::is_preflight;
use crate::authn::{Authorization, Identity, Unauthenticated};
use crate::authz;
use crate::boundary::ConnectContext;
use crate::certificate::CertificateCache;
use crate::clock::Now;
use crate::http::path::{JudgedPath, judge};
use crate::token::TokenCache;

use super::{Decision, Endpoint, Facts, Policy, Refusal, Refused, Scheme, Tunnel};
use pages::Owner;
use proofs::{Case, Spent, Verified};

/// What one core remembers and works in: verified tokens, and room to decode into. It changes no verdict.
#[derive(Debug)]
pub struct Memory {
    pub tokens: TokenCache,
    pub certificates: CertificateCache,
    spent: Spent,
    path: Vec<u8>,
    query_token: Vec<u8>,
    /// Where cookies are opened.
    opened: Vec<u8>,
}

impl Memory {
    pub fn new(tokens: TokenCache) -> Self {
        Memory {
            tokens,
            certificates: CertificateCache::default(),
            spent: Spent::default(),
            path: Vec::new(),
            query_token: Vec::new(),
            opened: Vec::new(),
        }
    }
}

/// Judges one request.
pub fn decide(policy: &Policy, facts: &Facts<'_>, now: Now, memory: &mut Memory) -> Decision {
    let (index, tunnel) = match route(policy, facts) {
        Ok(found) => found,
        Err(refusal) => {
            return match pages::of_base_host(policy, facts, refusal) {
                Ok(which) => Decision::Endpoint(which),
                Err(refusal) => Decision::Refuse(Refused {
                    refusal,
                    tunnel: None,
                    identity: Identity::Anonymous,
                }),
            };
        }
    };
    // Before anything is answered or asked for on the tunnel, its edge's own pages included (rstream 7.3 step 2).
    let client = facts.connection.client;
    if let Err(denial) = tunnel.network.admit(client, policy.countries.as_deref()) {
        return Decision::Refuse(Refused {
            refusal: Refusal::Network(denial),
            tunnel: Some(index),
            identity: Identity::Anonymous,
        });
    }
    let semicolon_allowed = tunnel.semicolon_allowed;
    let path = judge(facts.request.path(), &mut memory.path, semicolon_allowed);
    let case = Case {
        policy,
        facts,
        now,
        index,
        tunnel,
        context: connect_context(tunnel, &path),
    };
    let owner = pages::owner(tunnel.mechanisms, facts.request.path(), path.decoded);
    match owner {
        Owner::Tunnel | Owner::Session => {}
        Owner::Nobody => return case.refuse(Refusal::EdgePath, Identity::Anonymous),
        Owner::Flow => return Decision::Endpoint(Endpoint::Flow(Some(index))),
    }
    let scratch = &mut memory.query_token;
    let mut verified = Verified {
        tokens: &mut memory.tokens,
        certificates: &mut memory.certificates,
        spent: &mut memory.spent,
        opened: &mut memory.opened,
    };
    if owner == Owner::Session {
        return match pages::reads(facts.request) {
            Ok(()) => {
                let identity = case.identity(scratch, &mut verified);
                Decision::Endpoint(Endpoint::Session(index, identity))
            }
            Err(refusal) => case.refuse(refusal, Identity::Anonymous),
        };
    }
    if tunnel.mechanisms.is_public() {
        let withheld = case.holds_edge_credential(verified.tokens);
        return Decision::Forward(authz::public(index, withheld));
    }
    if !tunnel.allowed_origins.is_empty() && is_preflight(facts.request) {
        return case.preflight();
    }
    // S3.4: a token that is not the proof stays here too. One in a field that is the application's must not go on, and
    // the client must learn where tokens belong (S4.2).
    if tunnel.authorization == Authorization::App && case.holds_edge_credential(verified.tokens) {
        return case.unauthenticated(Unauthenticated::TokenForEdge);
    }
    case.by_proof(scratch, &mut verified)
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
    let needs_own_handshake = tunnel.mechanisms.certificate || tunnel.tls13_only;
    match (facts.connection.scheme, facts.connection.server_name) {
        (Scheme::Http, _) | (Scheme::Https, None) if needs_own_handshake => {
            return Err(Refusal::Misdirected);
        }
        // The tunnel has changed since the handshake: what to ask for was decided by another rule.
        (Scheme::Https, _) if facts.connection.handshake != policy.handshake_of(Some(tunnel)) => {
            return Err(Refusal::HandshakeOutdated);
        }
        (Scheme::Https | Scheme::Http, _) => {}
    }
    Ok((index, tunnel))
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
