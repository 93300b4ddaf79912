//! Evidence: what a request carries that could prove who sent it.
//!
//! Owns: the lanes of evidence and the rules that say which one counts (S4). Comes in: a parsed request. Goes out: a
//! token to verify, or the reason why there is none. Refuses evidence that two readers could weigh differently: several
//! `Authorization` lines, several `rstream.token` parameters.

pub mod bearer;
pub mod cookie;
pub mod navigation;
pub mod origin;
pub mod query;
pub mod session;

use std::rc::Rc;
use std::sync::Arc;

use crate::certificate::{CertificateCredential, CertificateError, PeerCertificate};
use crate::http::field::FieldKind;
use crate::http::request::Request;
use crate::token::{TokenError, VerifiedToken};
use bearer::Bearer;
use cookie::Cookie;
use query::QueryToken;
use session::SessionError;

/// What each lane of a request holds.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    pub authorization: Authorization,
    /// In the field that is the edge's: `Authorization`, or `Rstream-Authorization` where that is the application's.
    pub bearer: Bearer<'a>,
    pub query: QueryToken<'a>,
    pub session: Cookie<'a>,
    pub challenge: Cookie<'a>,
    /// Whether there is a cookie of a session by any of its names, good or worthless.
    pub has_session: bool,
    /// Of the connection, where it was asked for.
    pub certificate: Option<&'a PeerCertificate>,
}

/// Whose the `Authorization` field is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// The edge's: a bearer in it is the proof (S4.1).
    #[default]
    Edge,
    /// The application's: never a proof. The edge's own token comes in `Rstream-Authorization` or in the query (S4.2).
    App,
}

impl<'a> Evidence<'a> {
    /// Reads every lane once. `scratch` holds a percent-encoded query token's plain form.
    pub fn read(
        request: Request<'a>,
        authorization: Authorization,
        certificate: Option<&'a PeerCertificate>,
        scratch: &'a mut Vec<u8>,
    ) -> Self {
        let field = match authorization {
            Authorization::Edge => FieldKind::Authorization,
            Authorization::App => FieldKind::RstreamAuthorization,
        };
        // Most requests with a token have none that is ours.
        let has_ours = request.values(FieldKind::Cookie).any(cookie::holds_ours);
        let cookie = |name: &str| match has_ours {
            true => Cookie::read(request, name.as_bytes()),
            false => Cookie::Absent,
        };
        Evidence {
            authorization,
            bearer: Bearer::read(request, field),
            query: QueryToken::read(request.query().unwrap_or_default(), scratch),
            session: cookie(cookie::SESSION),
            challenge: cookie(cookie::CHALLENGE),
            has_session: has_ours && request.values(FieldKind::Cookie).any(cookie::holds_session),
            certificate,
        }
    }

    /// Whether another proof stands beside the certificate. Presence counts, not validity, and whatever mechanisms the
    /// tunnel has (rstream 7.3 step 4): who is meant would depend on the reader.
    pub fn is_ambiguous(&self) -> bool {
        let has_bearer = match self.bearer {
            Bearer::Absent => false,
            Bearer::OtherScheme => self.authorization == Authorization::App,
            Bearer::Malformed | Bearer::Token(_) | Bearer::Several => true,
        };
        let others = has_bearer || self.query != QueryToken::Absent || self.has_session;
        self.certificate.is_some() && others
    }

    /// Whether a token is there, good or worthless.
    pub fn has_token(&self) -> bool {
        !matches!(self.token(), Err(Unauthenticated::NoToken))
    }

    /// The one token that counts, or why there is none. Of `Authorization` a bearer counts alone where there is one, good or
    /// bad; only without it the query parameter is read (S4.1). `Rstream-Authorization` is for nothing else, so it must
    /// hold a bearer, and no parameter may stand beside it (S4.2). Several parameters are refused in any case.
    pub fn token(&self) -> Result<(&'a [u8], Carrier), Unauthenticated> {
        if matches!(self.query, QueryToken::Several) {
            return Err(Unauthenticated::SeveralQueryTokens);
        }
        let is_own = self.authorization == Authorization::App;
        match self.bearer {
            Bearer::Absent => {}
            _ if is_own && self.query != QueryToken::Absent => {
                return Err(Unauthenticated::SeveralProofs);
            }
            Bearer::OtherScheme if is_own => return Err(Unauthenticated::BearerMalformed),
            Bearer::Token(_) | Bearer::Malformed | Bearer::Several | Bearer::OtherScheme => {}
        }
        match self.bearer {
            Bearer::Token(token) => Ok((token, Carrier::Field)),
            Bearer::Malformed => Err(Unauthenticated::BearerMalformed),
            Bearer::Several => Err(Unauthenticated::SeveralAuthorizations),
            Bearer::Absent | Bearer::OtherScheme => match self.query {
                QueryToken::One(token) => Ok((token, Carrier::Query)),
                QueryToken::Malformed => Err(Unauthenticated::QueryTokenMalformed),
                QueryToken::Absent | QueryToken::Several => Err(Unauthenticated::NoToken),
            },
        }
    }
}

/// Where a token was carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The field that is the edge's.
    Field,
    Query,
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Nobody asked.
    Anonymous,
    Token(Rc<VerifiedToken>),
    Certificate(Arc<CertificateCredential>),
    Session(Rc<SessionUser>),
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionUser {
    pub subject: Box<str>,
    /// Empty where it is unknown, as the name.
    pub email: Box<str>,
    pub name: Box<str>,
    /// When the session ends, in seconds since the Unix epoch.
    pub expires_at: u64,
}

impl Identity {
    /// How it was proven: a closed list for logs and metrics.
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Identity::Anonymous => Mechanism::None,
            Identity::Token(_) => Mechanism::Token,
            Identity::Certificate(_) => Mechanism::Mtls,
            Identity::Session(_) => Mechanism::Session,
        }
    }

    /// Whom the proof names, exactly; `None` where it names nobody.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Identity::Anonymous => None,
            Identity::Token(token) => token.exact_subject(),
            Identity::Certificate(owner) => Some(&*owner.subject).filter(|name| !name.is_empty()),
            Identity::Session(user) => Some(&user.subject),
        }
    }

    /// The stored credential or the issuer that answers for it, exactly.
    pub fn vouched_by(&self) -> Option<&str> {
        match self {
            Identity::Anonymous => None,
            Identity::Token(token) => token.vouched_by(),
            Identity::Certificate(owner) => Some(&owner.bounds.id),
            Identity::Session(_) => None,
        }
    }

    /// The name of the stored credential, or of the subject where there is none, for the log; empty where neither is.
    pub fn name(&self) -> &str {
        match self {
            Identity::Anonymous => "",
            Identity::Token(token) if token.credential().is_empty() => token.subject(),
            Identity::Token(token) => token.credential(),
            Identity::Certificate(owner) => &owner.bounds.id,
            Identity::Session(user) => &user.subject,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    None,
    Token,
    Mtls,
    Session,
}

impl Mechanism {
    pub const ALL: [Mechanism; 4] = [
        Mechanism::None,
        Mechanism::Token,
        Mechanism::Mtls,
        Mechanism::Session,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Mechanism::None => "none",
            Mechanism::Token => "token",
            Mechanism::Mtls => "mtls",
            Mechanism::Session => "session",
        }
    }
}

/// Why a request proved nothing: always 401, and the client does not learn which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthenticated {
    NoToken,
    SeveralAuthorizations,
    SeveralQueryTokens,
    /// `Rstream-Authorization` and `rstream.token` at once.
    SeveralProofs,
    /// The `Authorization` field is the application's, and a token of the edge is in it.
    TokenForEdge,
    BearerMalformed,
    QueryTokenMalformed,
    Token(TokenError),
    /// The tunnel takes certificates alone, and there is none.
    NoCertificate,
    /// A certificate with another proof beside it.
    AmbiguousProofs,
    Certificate(CertificateError),
    /// Nobody is signed in, and this client cannot be sent to sign in.
    NoSession,
    /// The same cookie several times, or in another spelling.
    SeveralSessions,
    Session(SessionError),
}

impl Unauthenticated {
    /// The stable word in the log.
    pub fn reason(self) -> &'static str {
        match self {
            Unauthenticated::NoToken => "token_missing",
            Unauthenticated::SeveralAuthorizations => "several_authorizations",
            Unauthenticated::SeveralQueryTokens => "several_query_tokens",
            Unauthenticated::SeveralProofs => "several_proofs",
            Unauthenticated::TokenForEdge => "token_for_edge",
            Unauthenticated::BearerMalformed => "bearer_malformed",
            Unauthenticated::QueryTokenMalformed => "query_token_malformed",
            Unauthenticated::Token(error) => error.reason(),
            Unauthenticated::NoCertificate => "certificate_missing",
            Unauthenticated::AmbiguousProofs => "ambiguous_proofs",
            Unauthenticated::Certificate(error) => error.reason(),
            Unauthenticated::NoSession => "session_missing",
            Unauthenticated::SeveralSessions => "several_sessions",
            Unauthenticated::Session(error) => error.reason(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S4.1: a bearer alone counts where there is one; two parameters are refused in any case.
    #[test]
    fn which_token_counts() {
        use Unauthenticated::*;
        let bearers = [
            (Bearer::Absent, None),
            (Bearer::OtherScheme, None),
            (Bearer::Token(b"b"), Some(Ok(Carrier::Field))),
            (Bearer::Malformed, Some(Err(BearerMalformed))),
            (Bearer::Several, Some(Err(SeveralAuthorizations))),
        ];
        let queries = [
            (QueryToken::Absent, Err(NoToken)),
            (QueryToken::One(b"q"), Ok(Carrier::Query)),
            (QueryToken::Malformed, Err(QueryTokenMalformed)),
            (QueryToken::Several, Err(SeveralQueryTokens)),
        ];
        for (bearer, by_bearer) in bearers {
            for (query, by_query) in queries {
                let evidence = Evidence {
                    authorization: Authorization::Edge,
                    bearer,
                    query,
                    session: Cookie::Absent,
                    challenge: Cookie::Absent,
                    has_session: false,
                    certificate: None,
                };
                let expected = match (by_bearer, query) {
                    (_, QueryToken::Several) => Err(SeveralQueryTokens),
                    (Some(verdict), _) => verdict,
                    (None, _) => by_query,
                };
                let found = evidence.token();
                assert_eq!(found.map(|(_, carrier)| carrier), expected, "{evidence:?}");
                if let Ok((token, carrier)) = found {
                    let wanted: &[u8] = match carrier {
                        Carrier::Field => b"b",
                        Carrier::Query => b"q",
                    };
                    assert_eq!(token, wanted, "{evidence:?}");
                }
            }
        }
    }
    /// S4.2: the edge's own field holds a bearer or nothing, and stands alone.
    #[test]
    fn beside_the_field_of_the_edge_no_parameter_may_stand() {
        use Unauthenticated::*;
        let token = |bearer, query| {
            let evidence = Evidence {
                authorization: Authorization::App,
                bearer,
                query,
                session: Cookie::Absent,
                challenge: Cookie::Absent,
                has_session: false,
                certificate: None,
            };
            evidence.token().map(|(token, _)| token)
        };
        let one = QueryToken::One(b"q");
        let absent = QueryToken::Absent;
        for (bearer, alone, beside) in [
            (Bearer::Absent, Err(NoToken), Ok(&b"q"[..])),
            (Bearer::Token(b"b"), Ok(&b"b"[..]), Err(SeveralProofs)),
            (Bearer::Malformed, Err(BearerMalformed), Err(SeveralProofs)),
            (
                Bearer::OtherScheme,
                Err(BearerMalformed),
                Err(SeveralProofs),
            ),
            (
                Bearer::Several,
                Err(SeveralAuthorizations),
                Err(SeveralProofs),
            ),
        ] {
            assert_eq!(token(bearer, absent), alone, "{bearer:?}");
            assert_eq!(token(bearer, one), beside, "{bearer:?}");
            let several = token(bearer, QueryToken::Several);
            assert_eq!(several, Err(SeveralQueryTokens), "{bearer:?}");
            let malformed = token(bearer, QueryToken::Malformed);
            let expected = if bearer == Bearer::Absent {
                QueryTokenMalformed
            } else {
                SeveralProofs
            };
            assert_eq!(malformed, Err(expected), "{bearer:?}");
        }
    }
}
