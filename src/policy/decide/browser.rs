//! What browsers bring: the cookies of a met challenge and of a session (rstream 7.3 steps 7 to 9, S5).

use std::rc::Rc;

use super::proofs::{Case, Verified};
use crate::authn::cookie::Cookie;
use crate::authn::navigation::is_navigation;
use crate::authn::session::{Session, SessionError};
use crate::authn::{Evidence, Identity, SessionUser, Unauthenticated};
use crate::authz::{self, Forbidden};
use crate::handover::{ChallengePass, client_prefix};
use crate::http::field::FieldKind;
use crate::http::websocket;
use crate::policy::{Decision, Endpoint, Refusal};
use crate::seal::Kind;

impl Case<'_> {
    /// Where neither a certificate nor a token was shown.
    pub(super) fn by_browser(
        &self,
        evidence: &Evidence<'_>,
        verified: &mut Verified<'_>,
    ) -> Decision {
        let mechanisms = self.tunnel.mechanisms;
        if mechanisms.challenge && !self.has_met_challenge(evidence, verified) {
            return if is_navigation(self.facts.request) {
                Decision::NeedsChallenge(self.index)
            } else {
                let missing = Refusal::Forbidden(Forbidden::ChallengeMissing);
                self.refuse(missing, Identity::Anonymous)
            };
        }
        if mechanisms.session {
            return self.by_session(evidence, verified);
        }
        match (mechanisms.token, mechanisms.certificate) {
            (true, _) => self.unauthenticated(Unauthenticated::NoToken),
            (false, true) => self.unauthenticated(Unauthenticated::NoCertificate),
            (false, false) => {
                let withheld = self.holds_edge_credential(verified.tokens);
                Decision::Forward(authz::public(self.index, withheld))
            }
        }
    }

    /// By its cookie, or because a token that is no proof here would be one elsewhere.
    fn has_met_challenge(&self, evidence: &Evidence<'_>, verified: &mut Verified<'_>) -> bool {
        let now = self.now.unix_seconds();
        let project = &self.tunnel.project;
        if let (Some(browsers), Cookie::One(value)) = (&self.policy.browsers, evidence.challenge) {
            let host = self.facts.request.head.host.as_str();
            let prefix = client_prefix(self.facts.connection.client);
            let place = (host, project.as_str());
            let scratch = &mut *verified.opened;
            if ChallengePass::counts(&browsers.sealer, place, value, (&prefix, now), scratch) {
                return true;
            }
        }
        // Where tokens are a proof, one that is there was judged before.
        !self.tunnel.mechanisms.token
            && evidence.has_token()
            && self.verify(evidence, verified).is_ok_and(|(token, _)| {
                authz::token(self.index, &token, self.terms(true), &self.context).is_ok()
            })
    }

    fn by_session(&self, evidence: &Evidence<'_>, verified: &mut Verified<'_>) -> Decision {
        let user = match self.session(evidence, verified.opened) {
            Ok(user) => user,
            Err((Unauthenticated::Session(SessionError::NotAllowed), Some(user))) => {
                let refusal = Refusal::Forbidden(Forbidden::SessionNotAllowed);
                return self.refuse(refusal, Identity::Session(user));
            }
            Err(_) if is_navigation(self.facts.request) => {
                return Decision::NeedsSignIn(self.index);
            }
            Err((why, _)) => return self.unauthenticated(why),
        };
        if !self.origin_admits() {
            let refusal = Refusal::Forbidden(Forbidden::CrossOrigin);
            return self.refuse(refusal, Identity::Session(user));
        }
        let withheld = self.holds_edge_credential(verified.tokens);
        Decision::Forward(authz::session(self.index, user, self.terms(withheld)))
    }

    /// A browser asks on behalf of a page, and never says who it is: the edge answers, and nothing is forwarded (S5.9).
    pub(super) fn preflight(&self) -> Decision {
        if self.own_origin().is_listed(self.facts.request) {
            Decision::Endpoint(Endpoint::Preflight(self.index))
        } else {
            let refusal = Refusal::Forbidden(Forbidden::CrossOrigin);
            self.refuse(refusal, Identity::Anonymous)
        }
    }

    /// S5.1; and every page that opens a WebSocket says whose it is.
    fn origin_admits(&self) -> bool {
        let request = self.facts.request;
        let is_upgrade = websocket::requested(request).is_some();
        let says = request.values(FieldKind::Origin).next().is_some();
        (!is_upgrade || says) && self.own_origin().admits(request)
    }

    /// Who is signed in; why nobody is, with whoever may not enter.
    pub(super) fn session(
        &self,
        evidence: &Evidence<'_>,
        opened: &mut Vec<u8>,
    ) -> Result<Rc<SessionUser>, (Unauthenticated, Option<Rc<SessionUser>>)> {
        let nobody = |why| (why, None);
        let value = match evidence.session {
            Cookie::One(value) => value,
            Cookie::Absent => return Err(nobody(Unauthenticated::NoSession)),
            Cookie::Several => return Err(nobody(Unauthenticated::SeveralSessions)),
        };
        let browsers = self.policy.browsers.as_ref();
        let browsers = browsers.ok_or(nobody(Unauthenticated::NoSession))?;
        let host = self.facts.request.head.host.as_str();
        let broken = nobody(Unauthenticated::Session(SessionError::Broken));
        let plain = browsers.sealer.open(Kind::Session, host, value, opened);
        let session = plain.ok().and_then(Session::read).ok_or(broken)?;
        let verdict = browsers.sessions.judge(
            &session,
            (host, &self.tunnel.project),
            self.facts.ended,
            self.now.unix_seconds(),
        );
        let user = || {
            Rc::new(SessionUser {
                subject: session.subject.into(),
                email: session.email.into(),
                name: session.name.into(),
                expires_at: session.expires_at,
            })
        };
        match verdict {
            Ok(()) => Ok(user()),
            Err(error @ SessionError::NotAllowed) => {
                Err((Unauthenticated::Session(error), Some(user())))
            }
            Err(error) => Err(nobody(Unauthenticated::Session(error))),
        }
    }
}
