//! What a request carries, weighed: its certificate or its token.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::authn::bearer::Bearer;
use crate::authn::origin::OwnOrigin;
use crate::authn::{Authorization, Carrier, Evidence, Identity, Unauthenticated};
use crate::authz::{self, Forbidden};
use crate::boundary::ConnectContext;
use crate::certificate::{CertificateCache, CertificateCredential, PeerCertificate};
use crate::clock::Now;
use crate::http::field::FieldKind;
use crate::policy::budget::Budgets;
use crate::policy::{Decision, Facts, NeedsKeys, Policy, Refusal, Refused, Tunnel};
use crate::token::{self, TokenCache, TokenError, TokenForm, VerifiedToken, WantedKey};

/// What clients have made this core verify.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// Tokens that failed.
    failures: Budgets,
    /// Tokens that took a public key.
    expensive: Budgets,
}

impl Spent {
    /// Whether a client may have a proof verified anew (S9); one that takes a public key counts at once.
    fn admits(
        &mut self,
        is_expensive: bool,
        client: Option<IpAddr>,
        now: Now,
        policy: &Policy,
    ) -> bool {
        let now = now.monotonic;
        let per_second = policy.expensive_verifications_per_second;
        if !self.failures.has_left(client, now) {
            return false;
        }
        if per_second == 0 || !is_expensive {
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

/// One request for one tunnel.
pub(super) struct Case<'a> {
    pub(super) policy: &'a Policy,
    pub(super) facts: &'a Facts<'a>,
    pub(super) now: Now,
    pub(super) index: usize,
    pub(super) tunnel: &'a Tunnel,
    pub(super) context: ConnectContext<'a>,
}

/// What a core remembers of proofs.
pub(super) struct Verified<'m> {
    pub(super) tokens: &'m mut TokenCache,
    pub(super) certificates: &'m mut CertificateCache,
    pub(super) spent: &'m mut Spent,
    /// Where cookies are opened.
    pub(super) opened: &'m mut Vec<u8>,
}

impl Case<'_> {
    pub(super) fn refuse(&self, refusal: Refusal, identity: Identity) -> Decision {
        Decision::Refuse(Refused {
            refusal,
            tunnel: Some(self.index),
            identity,
        })
    }

    pub(super) fn unauthenticated(&self, why: Unauthenticated) -> Decision {
        self.refuse(Refusal::Unauthenticated(why), Identity::Anonymous)
    }

    /// By the first proof that counts, in the order of rstream 7.3. `path` of the memory is in use.
    pub(super) fn by_proof(&self, scratch: &mut Vec<u8>, verified: &mut Verified<'_>) -> Decision {
        let evidence = self.evidence(scratch);
        let mechanisms = self.tunnel.mechanisms;
        let asks_browsers = mechanisms.session || mechanisms.challenge;
        match evidence.certificate {
            Some(peer) => self.by_certificate(&evidence, peer, verified),
            None if mechanisms.token && (evidence.has_token() || !asks_browsers) => {
                self.by_token(&evidence, verified)
            }
            None if asks_browsers => self.by_browser(&evidence, verified),
            None => self.unauthenticated(Unauthenticated::NoCertificate),
        }
    }

    /// Who it is, whatever it may do: for the page that tells.
    pub(super) fn identity(&self, scratch: &mut Vec<u8>, verified: &mut Verified<'_>) -> Identity {
        let evidence = self.evidence(scratch);
        let mechanisms = self.tunnel.mechanisms;
        let by_session = |opened: &mut Vec<u8>| self.session(&evidence, opened).ok();
        if let Some(peer) = evidence.certificate {
            let owner = (!evidence.is_ambiguous()).then(|| self.owner(peer, verified).ok());
            return owner
                .flatten()
                .map_or(Identity::Anonymous, Identity::Certificate);
        }
        if mechanisms.token && evidence.has_token() {
            let token = self.verify(&evidence, verified).ok();
            return token.map_or(Identity::Anonymous, |(token, _)| Identity::Token(token));
        }
        let session = mechanisms.session.then(|| by_session(verified.opened));
        session
            .flatten()
            .map_or(Identity::Anonymous, Identity::Session)
    }

    fn evidence<'e>(&'e self, scratch: &'e mut Vec<u8>) -> Evidence<'e> {
        let certificate = self.facts.connection.certificate;
        Evidence::read(
            self.facts.request,
            self.tunnel.authorization,
            certificate,
            scratch,
        )
    }

    pub(super) fn own_origin(&self) -> OwnOrigin<'_> {
        OwnOrigin {
            host: self.facts.request.head.host.as_str(),
            port: self.policy.public_port,
            allowed: &self.tunnel.allowed_origins,
        }
    }

    pub(super) fn terms(&self, withholds_authorization: bool) -> authz::Terms {
        authz::Terms {
            withholds_authorization,
            names_sender: self.tunnel.names_sender,
        }
    }

    fn client(&self) -> Option<IpAddr> {
        self.facts.connection.client
    }

    /// By the certificate, which must be the only proof.
    pub(super) fn by_certificate(
        &self,
        evidence: &Evidence<'_>,
        peer: &PeerCertificate,
        verified: &mut Verified<'_>,
    ) -> Decision {
        if evidence.is_ambiguous() {
            return self.unauthenticated(Unauthenticated::AmbiguousProofs);
        }
        let owner = match self.owner(peer, verified) {
            Ok(owner) => owner,
            Err(refusal) => return self.refuse(refusal, Identity::Anonymous),
        };
        let permit = if self.own_origin().admits(self.facts.request) {
            let withholds = self.tunnel.authorization == Authorization::Edge
                && self.holds_edge_credential(verified.tokens);
            authz::certificate(self.index, &owner, self.terms(withholds), &self.context)
        } else {
            Err(Forbidden::CrossOrigin)
        };
        match permit {
            Ok(permit) => Decision::Forward(permit),
            Err(why) => self.refuse(Refusal::Forbidden(why), Identity::Certificate(owner)),
        }
    }

    /// Whose a certificate is. Asking a CA anew takes what the client has left to fail (S9).
    fn owner(
        &self,
        peer: &PeerCertificate,
        Verified {
            certificates,
            spent,
            ..
        }: &mut Verified<'_>,
    ) -> Result<Arc<CertificateCredential>, Refusal> {
        let (policy, client, now) = (self.policy, self.client(), self.now);
        let is_expensive = policy.certificates.is_expensive(peer, certificates);
        if is_expensive && !spent.admits(true, client, now, policy) {
            return Err(Refusal::TooManyVerifications);
        }
        let owner = policy
            .certificates
            .owner(peer, now.unix_seconds(), certificates);
        owner.map_err(|error| {
            if is_expensive {
                spent.failed(client, now, policy);
            }
            Refusal::Unauthenticated(Unauthenticated::Certificate(error))
        })
    }

    /// By the one token that counts.
    pub(super) fn by_token(
        &self,
        evidence: &Evidence<'_>,
        verified: &mut Verified<'_>,
    ) -> Decision {
        let (token, carrier) = match self.verify(evidence, verified) {
            Ok(found) => found,
            Err(refusal) => {
                let otherwise = Refused {
                    refusal,
                    tunnel: Some(self.index),
                    identity: Identity::Anonymous,
                };
                return match wanted_key(self.policy, evidence, refusal) {
                    Some(key) => Decision::NeedsKeys(Box::new(NeedsKeys { key, otherwise })),
                    None => Decision::Refuse(otherwise),
                };
            }
        };
        let withholds = match (self.tunnel.authorization, carrier) {
            (Authorization::Edge, Carrier::Field) => true,
            (Authorization::Edge, Carrier::Query) => self.holds_edge_credential(verified.tokens),
            (Authorization::App, Carrier::Field | Carrier::Query) => false,
        };
        match authz::token(self.index, &token, self.terms(withholds), &self.context) {
            Ok(permit) => Decision::Forward(permit),
            Err(why) => self.refuse(Refusal::Forbidden(why), Identity::Token(token)),
        }
    }

    /// The token that counts, verified. One that must be verified anew takes what the client has left to fail (S9).
    pub(super) fn verify(
        &self,
        evidence: &Evidence<'_>,
        Verified { tokens, spent, .. }: &mut Verified<'_>,
    ) -> Result<(Rc<VerifiedToken>, Carrier), Refusal> {
        let (policy, client, now) = (self.policy, self.client(), self.now);
        let refused = |error| Refusal::Unauthenticated(Unauthenticated::Token(error));
        let (token, carrier) = evidence.token().map_err(Refusal::Unauthenticated)?;
        let keys = policy.keys.as_ref();
        let keys = keys.ok_or(refused(TokenError::CeNotAllowed))?;
        let verified = match tokens.remembered(token, now.unix_seconds()) {
            Some(known) => known,
            None if !spent.admits(is_expensive(policy, token), client, now, policy) => {
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

    /// S3.4: whether an `Authorization` line that is no proof here holds a credential of ours, by its form or because it
    /// verifies. An upstream that gets such a line could use it elsewhere. A line that is not quite a bearer, or of another
    /// scheme, is searched for a token: a client's mistake in spelling must not hand it over.
    pub(super) fn holds_edge_credential(&self, tokens: &mut TokenCache) -> bool {
        let (facts, now) = (self.facts, self.now);
        let keys = self.policy.keys.as_ref();
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
}

/// Whether a token takes a public key, where that is counted.
fn is_expensive(policy: &Policy, token: &[u8]) -> bool {
    policy.expensive_verifications_per_second != 0 && token::is_expensive(token)
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

/// The parts of a line that could be a compact token.
fn token_like(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')))
        .filter(|part| part.iter().filter(|byte| **byte == b'.').count() == 2)
}
