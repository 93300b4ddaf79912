//! Why a request gets the verdict it gets, in steps, for `adit explain`. Never on the data path.
//!
//! The verdict is that of [`decide()`] itself; the steps ask the same functions that it asks, in its order, and end where it
//! ended. Tokens are shown by their beginning only.

mod rights;
mod words;

use std::net::IpAddr;

use crate::authn::session::Ended;
use crate::authn::{Authorization, Carrier, Evidence, Unauthenticated};
use crate::certificate::PeerCertificate;
use crate::clock::Now;
use crate::http::HeadLimits;
use crate::http::body::Framing;
use crate::http::host::CanonicalHost;
use crate::http::path::judge;
use crate::http::request::{Request, RequestHead};
use crate::http::scan::{HeadScan, Scan, leading_crlf};
use crate::token::{TokenCache, verify};

use super::client_address::{Trust, forwarded, is_in};
use super::decide::route;
use super::{
    Connection, Decision, Endpoint, Facts, Handshake, Memory, Policy, Refusal, Scheme, Tunnel,
    decide,
};
use words::{browser, guard, network, no_proof, shortened, text};

/// A request as it comes to an edge.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// At least the whole head.
    pub bytes: &'a [u8],
    pub scheme: Scheme,
    /// The server name of TLS.
    pub server_name: Option<&'a CanonicalHost>,
    /// The address of the connection.
    pub peer: IpAddr,
    /// The certificate that the client presents where it is asked for one.
    pub certificate: Option<&'a PeerCertificate>,
}

/// One step of the judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// One word.
    pub name: &'static str,
    /// What it saw, and what followed from that. Printable ASCII.
    pub saw: String,
}

/// The verdict, and the steps to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub steps: Vec<Step>,
    /// Of the edge's own answer; `None`: it goes to the upstream.
    pub status: Option<u16>,
    /// As in the access log.
    pub reason: &'static str,
}

/// What explanations are made from.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub policy: &'a Policy,
    pub limits: &'a HeadLimits,
    pub trust: &'a Trust,
    /// The longest body that a tunnel's upstream is sent; 0: any.
    pub body_bytes: u64,
}

/// Explains the verdict on a request; `None` where its head has no end.
pub fn explain(asked: Asked<'_>, rules: Rules<'_>, now: Now) -> Option<Explanation> {
    let skipped = leading_crlf(asked.bytes);
    let bytes = asked.bytes.get(skipped..).unwrap_or_default();
    let mut steps = Steps::default();
    let refused = |steps: Steps, refusal: Refusal| {
        Some(Explanation {
            steps: steps.0,
            status: Some(refusal.status()),
            reason: refusal.reason(),
        })
    };
    let length = match HeadScan::default().advance(bytes, rules.limits) {
        Scan::Complete(length) => length,
        Scan::Partial => return None,
        Scan::Refused(error) => {
            steps.add(
                "request",
                "refused by its bytes alone, before anything else is asked",
            );
            return refused(steps, Refusal::Head(error.into()));
        }
    };
    let bytes = bytes.get(..length).unwrap_or_default();
    let mut head = RequestHead::new();
    if let Err(error) = head.parse(bytes, rules.limits) {
        steps.add(
            "request",
            "refused by its bytes alone, before anything else is asked",
        );
        return refused(steps, Refusal::Head(error));
    }
    let request = Request { bytes, head: &head };
    let client = steps.request(request, &asked, rules.trust);
    let facts = Facts {
        connection: connection(rules.policy, &asked, client),
        request,
        ended: &Ended::default(),
    };
    let mut memory = Memory::new(TokenCache::new(0));
    let decision = decide(rules.policy, &facts, now, &mut memory);
    steps.judgement(rules.policy, &facts, &decision, now);
    match decision {
        Decision::Forward(_) if steps.body_too_large(request, rules.body_bytes) => {
            refused(steps, Refusal::BodyTooLarge)
        }
        Decision::Forward(_) => Some(Explanation {
            steps: steps.0,
            status: None,
            reason: "forwarded",
        }),
        Decision::Refuse(no) => refused(steps, no.refusal),
        Decision::NeedsKeys(needs) => {
            let issuer = &needs.key.issuer;
            let saw = format!(
                "those of {issuer} are asked for once more, within limits; judged here by the set that was kept last"
            );
            steps.add("keys", saw);
            refused(steps, needs.otherwise.refusal)
        }
        Decision::NeedsSignIn(_) => sent(steps, "sign_in"),
        Decision::NeedsChallenge(_) => sent(steps, "challenge"),
        Decision::Endpoint(_) => Some(Explanation {
            steps: steps.0,
            status: Some(200),
            reason: "answered",
        }),
    }
}

/// A browser is sent to a page.
fn sent(steps: Steps, reason: &'static str) -> Option<Explanation> {
    Some(Explanation {
        steps: steps.0,
        status: Some(302),
        reason,
    })
}

/// The connection as its handshake would have made it: a client that is not asked shows no certificate.
fn connection<'a>(policy: &Policy, asked: &Asked<'a>, client: Option<IpAddr>) -> Connection<'a> {
    let handshake = match asked.scheme {
        Scheme::Https => policy.handshake(asked.server_name),
        Scheme::Http => Handshake::default(),
    };
    Connection {
        scheme: asked.scheme,
        server_name: asked.server_name,
        client,
        handshake,
        certificate: asked.certificate.filter(|_| handshake.asks_for_certificate),
    }
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn add(&mut self, name: &'static str, saw: impl Into<String>) {
        let saw: String = saw.into();
        let saw = saw
            .chars()
            .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
            .collect();
        self.0.push(Step { name, saw });
    }

    /// What was asked, and by whom: the client.
    fn request(
        &mut self,
        request: Request<'_>,
        asked: &Asked<'_>,
        trust: &Trust,
    ) -> Option<IpAddr> {
        let head = request.head;
        let (method, path) = (text(request.method_name()), text(request.path()));
        let host = head.host.as_str();
        self.add("request", format!("{method} {path} of {host}"));
        let peer = asked.peer.to_canonical();
        if !is_in(&trust.forwarded_from, peer) {
            self.add("client", peer.to_string());
            return Some(peer);
        }
        let client = forwarded(request, peer, &trust.forwarded_from);
        let client = client.map(|address| address.to_canonical());
        let shown = client.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        self.add(
            "client",
            format!("{shown}, by the word of {peer}, which is in forwarded_from"),
        );
        client
    }

    /// Whether the head announces a body that is refused before its first byte; one of chunks shows its length too late.
    fn body_too_large(&mut self, request: Request<'_>, body_bytes: u64) -> bool {
        match request.head.framing {
            Framing::Length(length) if body_bytes != 0 && length > body_bytes => {
                let saw = format!("{length} bytes, over the {body_bytes} of limits.body_bytes");
                self.add("body", saw);
                true
            }
            Framing::None | Framing::Length(_) | Framing::Chunked | Framing::UntilClose => false,
        }
    }

    /// The steps of `decide`, up to the one that ended it.
    fn judgement(&mut self, policy: &Policy, facts: &Facts<'_>, decision: &Decision, now: Now) {
        let tunnel = match route(policy, facts) {
            Ok((_, tunnel)) => tunnel,
            Err(refusal) => return self.no_tunnel(facts, refusal, decision),
        };
        let refused =
            |with: Refusal| matches!(decision, Decision::Refuse(no) if no.refusal == with);
        self.tunnel(tunnel, facts);
        if !tunnel.network.is_open() {
            self.add("network", network(policy, tunnel, facts));
        }
        if let Decision::Refuse(no) = decision
            && let Refusal::Network(_) = no.refusal
        {
            return;
        }
        if refused(Refusal::EdgePath) {
            return self.add("path", "it belongs to the edge on every tunnel");
        }
        if let Decision::Endpoint(_) = decision {
            return self.add("endpoint", "a page of the edge on this tunnel");
        }
        self.add("guard", guard(tunnel));
        if tunnel.mechanisms.is_public() {
            return;
        }
        if refused(Refusal::Unauthenticated(Unauthenticated::TokenForEdge)) {
            return self.add("proof", no_proof(Unauthenticated::TokenForEdge));
        }
        let mut query = Vec::new();
        let certificate = facts.connection.certificate;
        let evidence = Evidence::read(facts.request, tunnel.authorization, certificate, &mut query);
        if let Some(peer) = certificate {
            return self.certificate(policy, &evidence, peer, (tunnel, facts), decision, now);
        }
        let asks_browsers = tunnel.mechanisms.session || tunnel.mechanisms.challenge;
        if asks_browsers && !(tunnel.mechanisms.token && evidence.has_token()) {
            return self.add("browser", browser(decision));
        }
        if !tunnel.mechanisms.token {
            return self.add("proof", no_proof(Unauthenticated::NoCertificate));
        }
        let (token, carrier) = match evidence.token() {
            Ok(found) => found,
            Err(why) => return self.add("proof", no_proof(why)),
        };
        let place = match (carrier, tunnel.authorization) {
            (Carrier::Query, _) => "rstream.token",
            (Carrier::Field, Authorization::Edge) => "Authorization: Bearer",
            (Carrier::Field, Authorization::App) => "Rstream-Authorization: Bearer",
        };
        self.add("proof", format!("{place} {}", shortened(token, now)));
        let Some(keys) = &policy.keys else {
            return self.add("token", "there is no [tokens], so none is good");
        };
        match verify(token, keys, now.unix_seconds()) {
            Ok(verified) => {
                self.rights(&verified, tunnel, facts);
                self.identity(decision);
            }
            Err(error) => self.add("token", format!("worthless: {error}")),
        }
    }

    fn tunnel(&mut self, tunnel: &Tunnel, facts: &Facts<'_>) {
        let Tunnel {
            hostname,
            project,
            workspace,
            ..
        } = tunnel;
        self.add(
            "tunnel",
            format!("{hostname}, project {project}, workspace {workspace}"),
        );
        let mut scratch = Vec::new();
        let path = judge(facts.request.path(), &mut scratch, tunnel.semicolon_allowed);
        let decoded = text(path.decoded);
        self.add(
            "path",
            match path.ambiguity {
                None => format!("{decoded}, which has one reading"),
                Some(why) => format!("{decoded}, which some read as another: {}", why.as_str()),
            },
        );
    }

    fn no_tunnel(&mut self, facts: &Facts<'_>, refusal: Refusal, decision: &Decision) {
        let host = facts.request.head.host.as_str();
        let page = "the base host's page of the keys of assertions";
        match decision {
            Decision::Endpoint(Endpoint::AssertionKeys) => return self.add("endpoint", page),
            Decision::Refuse(no) if no.refusal == Refusal::ReadOnly => {
                return self.add("endpoint", format!("{page}, for GET and HEAD alone"));
            }
            Decision::Endpoint(Endpoint::Flow(_)) => {
                return self.add("endpoint", "the base host's pages of signing in");
            }
            Decision::Refuse(_)
            | Decision::Forward(_)
            | Decision::NeedsKeys(_)
            | Decision::NeedsSignIn(_)
            | Decision::NeedsChallenge(_)
            | Decision::Endpoint(Endpoint::Session(..) | Endpoint::Preflight(_)) => {}
        }
        let saw = match (refusal, facts.connection.server_name) {
            (Refusal::Misdirected, Some(name)) => {
                format!(
                    "TLS was made for {}, and the request is for {host}",
                    name.as_str()
                )
            }
            (Refusal::Misdirected, None) => {
                "it is reached by a TLS handshake for its name alone (mtls_auth, tls_min_version)"
                    .to_owned()
            }
            (Refusal::SchemeMismatch, _) => "the target says https, and there is no TLS".to_owned(),
            _ => format!("none has the host {host}"),
        };
        self.add("tunnel", saw);
    }
}
