//! What a proof that counts allows, step by step.

use super::Steps;
use super::words::{fingerprint, leaf_text, no_proof, text};
use crate::authn::{Evidence, Unauthenticated};
use crate::authz::Forbidden;
use crate::boundary::Boundary;
use crate::certificate::{CertificateCache, PeerCertificate};
use crate::clock::Now;
use crate::http::path::judge;
use crate::policy::decide::connect_context;
use crate::policy::{Decision, Facts, Policy, Refusal, Tunnel};
use crate::token::{CONNECT_PERMISSION, VerifiedToken};

impl Steps {
    /// The certificate, and what it allows.
    pub(super) fn certificate(
        &mut self,
        policy: &Policy,
        evidence: &Evidence<'_>,
        peer: &PeerCertificate,
        (tunnel, facts): (&Tunnel, &Facts<'_>),
        decision: &Decision,
        now: Now,
    ) {
        let shown = fingerprint(peer.fingerprint());
        self.add("proof", format!("a client certificate, SHA-256 {shown}"));
        if evidence.is_ambiguous() {
            return self.add("certificate", no_proof(Unauthenticated::AmbiguousProofs));
        }
        let mut cache = CertificateCache::default();
        let owner = policy
            .certificates
            .owner(peer, now.unix_seconds(), &mut cache);
        let owner = match owner {
            Ok(owner) => owner,
            Err(error) => {
                return self.add("certificate", format!("worthless: {}", error.reason()));
            }
        };
        let bounds = &owner.bounds;
        self.add("certificate", format!("of credential {}", bounds.id));
        let refused = |why: Forbidden| matches!(decision, Decision::Refuse(no) if no.refusal == Refusal::Forbidden(why));
        if refused(Forbidden::CrossOrigin) {
            let saw =
                "caused by a page of another origin, and a browser adds certificates by itself";
            return self.add("origin", saw);
        }
        let (owns, may) = (
            bounds.owns_project(&tunnel.project),
            bounds.may(CONNECT_PERMISSION),
        );
        self.covers(
            owns,
            may,
            bounds.boundary.as_deref().into_iter(),
            tunnel,
            facts,
        );
        self.identity(decision);
    }

    /// What a good token allows.
    pub(super) fn rights(&mut self, token: &VerifiedToken, tunnel: &Tunnel, facts: &Facts<'_>) {
        let owner = match (token.credential(), token.subject()) {
            ("", "") => "without an owner's name".to_owned(),
            ("", subject) => format!("of {subject}"),
            (credential, _) => format!("of credential {credential}"),
        };
        self.add("token", format!("good, {owner}"));
        let owns = token.owns_project(&tunnel.project);
        let may = token.may(CONNECT_PERMISSION);
        self.covers(owns, may, token.boundaries(), tunnel, facts);
    }

    /// What its owner reaches, and what narrows that.
    pub(super) fn covers<'b>(
        &mut self,
        owns_project: bool,
        may_connect: bool,
        boundaries: impl Iterator<Item = &'b Boundary>,
        tunnel: &Tunnel,
        facts: &Facts<'_>,
    ) {
        let project = &tunnel.project;
        if !owns_project {
            return self.add(
                "project",
                format!("{project} is not one that its owner reaches"),
            );
        }
        self.add(
            "project",
            format!("{project} is one that its owner reaches"),
        );
        if !may_connect {
            return self.add("permission", format!("{CONNECT_PERMISSION} is missing"));
        }
        self.add("permission", format!("{CONNECT_PERMISSION} is there"));
        let mut scratch = Vec::new();
        let path = judge(facts.request.path(), &mut scratch, tunnel.semicolon_allowed);
        let context = connect_context(tunnel, &path);
        for (index, boundary) in boundaries.enumerate() {
            for (place, answer) in boundary.leaves(&context) {
                let number = index + 1;
                let leaf = if place.is_empty() {
                    "its one rule"
                } else {
                    &place
                };
                let answer = leaf_text(answer, tunnel, &text(path.decoded));
                self.add("boundary", format!("{number}, {leaf}: {answer}"));
            }
        }
    }

    /// What the upstream is told.
    pub(super) fn identity(&mut self, decision: &Decision) {
        let told = "the upstream is told who it is";
        match decision {
            Decision::Forward(permit) if permit.names_sender() => self.add("identity", told),
            Decision::Refuse(no) if no.refusal == Refusal::Forbidden(Forbidden::SubjectTooLong) => {
                self.add(
                    "identity",
                    format!("{told}, and its sub is too long for that"),
                );
            }
            Decision::Forward(_)
            | Decision::Refuse(_)
            | Decision::NeedsKeys(_)
            | Decision::NeedsSignIn(_)
            | Decision::NeedsChallenge(_)
            | Decision::Endpoint(_) => {}
        }
    }
}
