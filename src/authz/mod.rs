//! Being allowed, as a value.
//!
//! Owns: [`Permit`], which forwarding asks for and which only this room makes, and the requirements that earn one. Comes
//! in: a requirement, an identity, the judged path. Goes out: a permit or [`Forbidden`] with its reason. An open route
//! earns its permit here too.

use std::rc::Rc;
use std::sync::Arc;

use crate::authn::{Identity, SessionUser};
use crate::boundary::{Boundary, Connect, ConnectContext};
use crate::certificate::CertificateCredential;
use crate::token::{Bounds, CONNECT_PERMISSION, VerifiedToken};

/// Leave to forward one request to the tunnel it was judged for. It cannot be cloned: one permit, one forwarding.
#[derive(Debug)]
pub struct Permit {
    tunnel: usize,
    identity: Identity,
    withholds_authorization: bool,
    names_sender: bool,
}

impl Permit {
    /// The tunnel's index in its policy.
    pub fn tunnel(&self) -> usize {
        self.tunnel
    }

    /// Who was let through.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the `Authorization` lines hold an edge credential, which no upstream may see (S3.4).
    pub fn withholds_authorization(&self) -> bool {
        self.withholds_authorization
    }

    /// Whether the upstream must be told who was let through.
    pub fn names_sender(&self) -> bool {
        self.names_sender
    }

    /// Spends the permit: what stays is who it was for.
    pub fn into_identity(self) -> Identity {
        self.identity
    }
}

/// Why somebody known may not: always 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// The tunnel's project does not belong to the credential's owner.
    ProjectNotOwned,
    PermissionMissing,
    /// No part of the boundary covers this tunnel.
    OutsideBoundary,
    /// The boundary covers this tunnel, and not this path.
    PathOutsideBoundary,
    /// A path rule applies, and the path has two readings (S2).
    PathAmbiguous,
    /// Signed in, and not for this project.
    SessionNotAllowed,
    /// No challenge was met, and this client cannot be sent to one.
    ChallengeMissing,
    /// A page of somebody else's has caused it, with a proof that a browser adds by itself (S5.1).
    CrossOrigin,
    /// The upstream must be told who it is, and the name is too long for that.
    SubjectTooLong,
}

impl Forbidden {
    /// The stable word in the log.
    pub fn reason(self) -> &'static str {
        match self {
            Forbidden::ProjectNotOwned => "project_not_owned",
            Forbidden::PermissionMissing => "permission_missing",
            Forbidden::OutsideBoundary => "outside_boundary",
            Forbidden::PathOutsideBoundary => "path_outside_boundary",
            Forbidden::PathAmbiguous => "path_ambiguous",
            Forbidden::SessionNotAllowed => "session_not_allowed",
            Forbidden::ChallengeMissing => "challenge_missing",
            Forbidden::CrossOrigin => "cross_origin",
            Forbidden::SubjectTooLong => "subject_too_long",
        }
    }
}

/// The permit of a tunnel that asks for no proof. A bearer that is one of ours all the same is withheld.
pub fn public(tunnel: usize, withholds_authorization: bool) -> Permit {
    Permit {
        tunnel,
        identity: Identity::Anonymous,
        withholds_authorization,
        names_sender: false,
    }
}

/// How a request goes on once it is permitted: see the methods of [`Permit`] of these names.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub withholds_authorization: bool,
    pub names_sender: bool,
}

/// The permit of a verified token: the tunnel's project is its owner's, the permission to connect is among its rights,
/// and its boundary allows this tunnel and path (rstream 7.4). Where the upstream is told who it is, the whole name must
/// fit: two that are cut could become one.
pub fn token(
    tunnel: usize,
    token: &Rc<VerifiedToken>,
    terms: Terms,
    context: &ConnectContext<'_>,
) -> Result<Permit, Forbidden> {
    let owns = token.owns_project(context.project);
    let may = token.may(CONNECT_PERMISSION);
    covers(owns, may, token.boundaries(), context)?;
    if terms.names_sender && token.has_long_subject() {
        return Err(Forbidden::SubjectTooLong);
    }
    Ok(Permit {
        tunnel,
        identity: Identity::Token(token.clone()),
        withholds_authorization: terms.withholds_authorization,
        names_sender: terms.names_sender,
    })
}

/// The permit of a registered certificate, by the same rules.
pub fn certificate(
    tunnel: usize,
    owner: &Arc<CertificateCredential>,
    terms: Terms,
    context: &ConnectContext<'_>,
) -> Result<Permit, Forbidden> {
    self::owner(&owner.bounds, context)?;
    Ok(Permit {
        tunnel,
        identity: Identity::Certificate(owner.clone()),
        withholds_authorization: terms.withholds_authorization,
        names_sender: terms.names_sender,
    })
}

/// The permit of a session, which was found to open the tunnel's project.
pub fn session(tunnel: usize, user: Rc<SessionUser>, terms: Terms) -> Permit {
    Permit {
        tunnel,
        identity: Identity::Session(user),
        withholds_authorization: terms.withholds_authorization,
        names_sender: terms.names_sender,
    }
}

/// Whether a token of this owner may pass that narrows nothing itself; others pass no further. Earns no permit.
pub fn owner(bounds: &Bounds, context: &ConnectContext<'_>) -> Result<(), Forbidden> {
    let owns = bounds.owns_project(context.project);
    let may = bounds.may(CONNECT_PERMISSION);
    covers(owns, may, bounds.boundary.as_deref().into_iter(), context)
}

/// The first that fails says why; of several boundaries the strictest.
fn covers<'b>(
    owns_project: bool,
    may_connect: bool,
    boundaries: impl Iterator<Item = &'b Boundary>,
    context: &ConnectContext<'_>,
) -> Result<(), Forbidden> {
    if !owns_project {
        return Err(Forbidden::ProjectNotOwned);
    }
    if !may_connect {
        return Err(Forbidden::PermissionMissing);
    }
    let connect = boundaries.map(|boundary| boundary.connect(context)).max();
    match connect.unwrap_or(Connect::Allowed) {
        Connect::Allowed => Ok(()),
        Connect::OutsideBoundary => Err(Forbidden::OutsideBoundary),
        Connect::PathOutsideBoundary => Err(Forbidden::PathOutsideBoundary),
        Connect::PathAmbiguous => Err(Forbidden::PathAmbiguous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::TunnelProperties;
    use crate::http::path::judge;
    use crate::token::{MintRequest, TokenKeys, mint_hs256, verify};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn verdict(
        permissions: &[&str],
        boundary: serde_json::Value,
        project: &str,
        path: &str,
        withholds: bool,
    ) -> Result<Permit, Forbidden> {
        let bounds = Bounds::connect_within(&["p1"]);
        let keys = TokenKeys::new(SECRET, Some(bounds), "");
        let request = MintRequest {
            permissions: Some(permissions.iter().map(|one| one.to_string()).collect()),
            boundary: Some(boundary),
            issued_at: 1,
            ..MintRequest::default()
        };
        let minted = mint_hs256(SECRET, &request).unwrap();
        let verified = Rc::new(verify(minted.as_bytes(), &keys, 1).unwrap());
        let mut scratch = Vec::new();
        let context = ConnectContext {
            project,
            workspace: "",
            tunnel: &TunnelProperties::default(),
            path: &judge(path.as_bytes(), &mut scratch, false),
        };
        let terms = Terms {
            withholds_authorization: withholds,
            names_sender: false,
        };
        token(7, &verified, terms, &context)
    }

    /// Its upstream is told who it is, or not; a name that would have to be cut is refused, and only where it is told.
    #[test]
    fn a_subject_that_cannot_be_told_whole_is_refused_where_it_would_be_told() {
        let keys = TokenKeys::new(SECRET, Some(Bounds::connect_within(&["p1"])), "");
        let fits = "\u{fc}".repeat(127);
        for (subject, names_sender, passes) in [
            (format!("{fits}s"), true, true),
            (format!("{fits}ss"), true, false),
            (format!("{fits}ss"), false, true),
        ] {
            let request = MintRequest {
                subject: Some(subject.clone()),
                issued_at: 1,
                ..MintRequest::default()
            };
            let minted = mint_hs256(SECRET, &request).unwrap();
            let verified = Rc::new(verify(minted.as_bytes(), &keys, 1).unwrap());
            let mut scratch = Vec::new();
            let context = ConnectContext {
                project: "p1",
                workspace: "",
                tunnel: &TunnelProperties::default(),
                path: &judge(b"/", &mut scratch, false),
            };
            let terms = Terms {
                withholds_authorization: true,
                names_sender,
            };
            let verdict = token(7, &verified, terms, &context);
            match verdict {
                Ok(permit) => assert!(passes && permit.names_sender() == names_sender),
                Err(why) => assert!(!passes && why == Forbidden::SubjectTooLong),
            }
        }
    }

    /// The first that fails gives the reason, whatever else would.
    #[test]
    fn each_requirement_refuses_with_its_own_reason_and_in_order() {
        let connect = [CONNECT_PERMISSION];
        let other = ["tunnels.tunnels.create-delete"];
        let api = || {
            serde_json::json!({ "projects": ["p1"], "scopes": { "tunnels": {
                "connect": { "params": { "path": { "regex": "^/api" } } } } } })
        };
        let elsewhere = || serde_json::json!({ "projects": ["p9"] });
        for (permissions, boundary, project, path, expected) in [
            (&connect, api(), "p1", "/api", None),
            (
                &connect,
                api(),
                "p1",
                "/x",
                Some(Forbidden::PathOutsideBoundary),
            ),
            (
                &connect,
                api(),
                "p1",
                "/api/..",
                Some(Forbidden::PathAmbiguous),
            ),
            (
                &connect,
                elsewhere(),
                "p1",
                "/api/..",
                Some(Forbidden::OutsideBoundary),
            ),
            (
                &other,
                elsewhere(),
                "p1",
                "/api",
                Some(Forbidden::PermissionMissing),
            ),
            (
                &other,
                elsewhere(),
                "p9",
                "/api",
                Some(Forbidden::ProjectNotOwned),
            ),
            (
                &connect,
                elsewhere(),
                "p9",
                "/api",
                Some(Forbidden::ProjectNotOwned),
            ),
            (
                &connect,
                api(),
                "",
                "/api",
                Some(Forbidden::ProjectNotOwned),
            ),
        ] {
            let found = verdict(permissions, boundary, project, path, false);
            assert_eq!(found.as_ref().err(), expected.as_ref(), "{project} {path}");
        }
    }

    #[test]
    fn a_permit_is_for_one_tunnel_and_withholds_what_proved_it() {
        let everywhere = || serde_json::json!({ "projects": ["p1"] });
        for withheld in [true, false] {
            let permit = verdict(&[CONNECT_PERMISSION], everywhere(), "p1", "/", withheld).unwrap();
            assert_eq!(
                (permit.tunnel(), permit.withholds_authorization()),
                (7, withheld)
            );
            assert!(matches!(permit.into_identity(), Identity::Token(_)));
        }
        let open = public(3, true);
        assert_eq!((open.tunnel(), open.withholds_authorization()), (3, true));
        assert!(matches!(open.identity(), Identity::Anonymous));
    }
}
