//! Every way a request can end without its upstream's answer.

use crate::authn::Unauthenticated;
use crate::authz::Forbidden;
use crate::http::body::BodyError;
use crate::http::head::HeadError;
use crate::http::request::RequestError;
use crate::http::response::ResponseError;
use crate::network::Denial;

/// A no, with its reason. The client learns the status; the log has the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The head is not one that all readers would read alike.
    Head(RequestError),
    /// The body's framing is broken.
    Body(BodyError),
    BodyTooLarge,
    /// The client did not finish its head in time.
    HeadTimeout,
    /// The client did not go on with its body in time.
    BodyTimeout,
    /// The client sends its body, but below `limits.body_min_rate` (S9).
    BodyTooSlow,
    UnknownHost,
    /// The TLS server name and the host differ (S1.3).
    Misdirected,
    /// Whether the tunnel asks for a client certificate, or its TLS minimum, has changed since the handshake (S1.3).
    HandshakeOutdated,
    /// The target says https, and the connection has no TLS.
    SchemeMismatch,
    /// A path that the edge owns and has no page for (S1.4).
    EdgePath,
    /// A page of the edge, asked for with another method than GET and HEAD.
    ReadOnly,
    /// The client comes from where it may not (rstream 11).
    Network(Denial),
    Unauthenticated(Unauthenticated),
    Forbidden(Forbidden),
    /// The client has sent more tokens that fail, or that are dear to verify, than it may (S9); this one was not looked at.
    TooManyVerifications,
    /// The tunnel has as many upgraded connections on this core as it may have (S9).
    TooManyUpgrades,
    /// The edge has no descriptor or memory left for a connection to the upstream.
    EdgeExhausted,
    Upstream(UpstreamFault),
}

/// What went wrong on the far side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamFault {
    /// It did not accept a connection.
    Connect,
    ConnectTimeout,
    /// It is not who it should be, or does not speak TLS.
    Tls,
    /// It closed before the first byte of its answer.
    Closed,
    /// It closed within the head of its answer.
    AnswerTruncated,
    /// The head of its answer is not made of lines.
    AnswerMalformed,
    /// No answer in time.
    Timeout,
    /// Its answer breaks the rules (S8).
    Answer(ResponseError),
    AnswerBody(BodyError),
    /// It closed within the body of its answer.
    BodyTruncated,
    AnswerHeadTooLong,
    TooManyInterim,
    /// It switched protocols, which nobody asked for.
    SwitchedProtocols,
    /// It switched, but not to the WebSocket that was asked for (S4.3).
    BadUpgrade,
}

impl Refusal {
    /// The status the client gets.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Head(error) => error.status(),
            Refusal::Body(_) => 400,
            Refusal::BodyTooLarge => 413,
            Refusal::HeadTimeout | Refusal::BodyTimeout | Refusal::BodyTooSlow => 408,
            Refusal::UnknownHost | Refusal::EdgePath => 404,
            Refusal::ReadOnly => 405,
            Refusal::Misdirected | Refusal::HandshakeOutdated | Refusal::SchemeMismatch => 421,
            Refusal::Unauthenticated(_) => 401,
            Refusal::Network(_) | Refusal::Forbidden(_) => 403,
            Refusal::TooManyVerifications => 429,
            Refusal::TooManyUpgrades | Refusal::EdgeExhausted => 503,
            Refusal::Upstream(UpstreamFault::ConnectTimeout | UpstreamFault::Timeout) => 504,
            Refusal::Upstream(_) => 502,
        }
    }

    /// The stable word in the log and in metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Head(error) => error.reason(),
            Refusal::Body(error) => error.reason(),
            Refusal::BodyTooLarge => "body_too_large",
            Refusal::HeadTimeout => "head_timeout",
            Refusal::BodyTimeout => "body_timeout",
            Refusal::BodyTooSlow => "body_too_slow",
            Refusal::UnknownHost => "host_unknown",
            Refusal::Misdirected => "sni_mismatch",
            Refusal::HandshakeOutdated => "handshake_outdated",
            Refusal::SchemeMismatch => "scheme_mismatch",
            Refusal::EdgePath => "edge_path_unknown",
            Refusal::ReadOnly => "edge_page_read_only",
            Refusal::Network(denial) => denial.reason(),
            Refusal::Unauthenticated(why) => why.reason(),
            Refusal::Forbidden(why) => why.reason(),
            Refusal::TooManyVerifications => "too_many_verifications",
            Refusal::TooManyUpgrades => "too_many_upgrades",
            Refusal::EdgeExhausted => "edge_exhausted",
            Refusal::Upstream(fault) => fault.reason(),
        }
    }

    /// Whether the connection ends with the answer: the framing is in doubt, or the client is too slow to wait for.
    pub fn closes(self) -> bool {
        match self {
            Refusal::Head(_) | Refusal::Body(_) => true,
            Refusal::HeadTimeout | Refusal::BodyTimeout | Refusal::BodyTooSlow => true,
            Refusal::BodyTooLarge => true,
            // The next handshake is made by the rules of now.
            Refusal::HandshakeOutdated => true,
            // What the client may have sent behind its request is no request (S4.3).
            Refusal::Upstream(UpstreamFault::SwitchedProtocols | UpstreamFault::BadUpgrade) => true,
            Refusal::UnknownHost
            | Refusal::Misdirected
            | Refusal::SchemeMismatch
            | Refusal::EdgePath
            | Refusal::ReadOnly => false,
            Refusal::Network(_)
            | Refusal::Unauthenticated(_)
            | Refusal::Forbidden(_)
            | Refusal::TooManyVerifications
            | Refusal::TooManyUpgrades
            | Refusal::EdgeExhausted
            | Refusal::Upstream(_) => false,
        }
    }
}

impl UpstreamFault {
    /// Which rule an answer broke: the word that the same fault has in a request. Empty where there is no more to say.
    pub fn detail(self) -> &'static str {
        match self {
            UpstreamFault::Answer(error) => error.reason(),
            UpstreamFault::AnswerBody(error) => error.reason(),
            UpstreamFault::AnswerMalformed => HeadError::LineEnd.reason(),
            UpstreamFault::Connect
            | UpstreamFault::ConnectTimeout
            | UpstreamFault::Tls
            | UpstreamFault::Closed
            | UpstreamFault::AnswerTruncated
            | UpstreamFault::Timeout
            | UpstreamFault::BodyTruncated
            | UpstreamFault::AnswerHeadTooLong
            | UpstreamFault::TooManyInterim
            | UpstreamFault::SwitchedProtocols
            | UpstreamFault::BadUpgrade => "",
        }
    }

    /// The stable word in the log.
    pub fn reason(self) -> &'static str {
        match self {
            UpstreamFault::Connect => "upstream_connect",
            UpstreamFault::ConnectTimeout => "upstream_connect_timeout",
            UpstreamFault::Tls => "upstream_tls",
            UpstreamFault::Closed => "upstream_closed",
            UpstreamFault::AnswerTruncated => "upstream_truncated",
            UpstreamFault::Timeout => "upstream_timeout",
            UpstreamFault::Answer(_) | UpstreamFault::AnswerMalformed => "upstream_malformed",
            UpstreamFault::AnswerBody(_) => "upstream_body",
            UpstreamFault::BodyTruncated => "upstream_body_truncated",
            UpstreamFault::AnswerHeadTooLong => "upstream_head_too_long",
            UpstreamFault::TooManyInterim => "upstream_interim_flood",
            UpstreamFault::SwitchedProtocols => "upstream_switched_protocols",
            UpstreamFault::BadUpgrade => "upstream_bad_upgrade",
        }
    }
}
