//! The whole list of reasons why a request is refused, with the status that answers each and its name in the log.

use crate::http::VersionError;
use crate::http::head::HeadError;
use crate::http::scan::ScanError;
use crate::http::target::TargetError;

/// Why a request is refused. Framing is in doubt after every one of them: answer, then close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Fields, framing or line ends.
    Head(HeadError),
    /// The first line is not method, target and version with one space between.
    RequestLine,
    /// The method is no token, or too long.
    Method,
    /// CONNECT: this edge is no forward proxy.
    Connect,
    VersionMalformed,
    /// A well-formed version other than 1.0 and 1.1; the HTTP/2 preface is one.
    VersionUnsupported,
    TargetTooLong,
    Target,
    /// Absolute-form whose authority is not the `Host` field's.
    TargetHostMismatch,
    HostMissing,
    HostRepeated,
    HostMalformed,
    /// An expectation other than `100-continue`.
    Expectation,
    /// TRACE or OPTIONS with a `Max-Forwards` that is no number, or with two of them.
    MaxForwards,
    /// TRACE or OPTIONS that may not be forwarded any further: the edge itself serves neither.
    LastForward,
}

impl RequestError {
    /// The status of the answer.
    pub fn status(self) -> u16 {
        match self {
            RequestError::Head(error) => match error {
                HeadError::TooLong | HeadError::TooManyFields => 431,
                HeadError::LineEnd
                | HeadError::FieldName
                | HeadError::FieldValue
                | HeadError::UnderscoreName
                | HeadError::ContentLength
                | HeadError::TransferEncoding
                | HeadError::LengthAndCoding
                | HeadError::Connection
                | HeadError::ConnectionNames => 400,
            },
            RequestError::RequestLine
            | RequestError::Method
            | RequestError::VersionMalformed
            | RequestError::Target
            | RequestError::TargetHostMismatch
            | RequestError::HostMissing
            | RequestError::HostRepeated
            | RequestError::HostMalformed
            | RequestError::MaxForwards => 400,
            RequestError::Connect => 405,
            RequestError::TargetTooLong => 414,
            RequestError::Expectation => 417,
            RequestError::LastForward => 501,
            RequestError::VersionUnsupported => 505,
        }
    }

    /// The stable name for logs.
    pub fn reason(self) -> &'static str {
        match self {
            RequestError::Head(error) => error.reason(),
            RequestError::RequestLine => "bad_request_line",
            RequestError::Method => "bad_method",
            RequestError::Connect => "connect_refused",
            RequestError::VersionMalformed => "version_malformed",
            RequestError::VersionUnsupported => "version_unsupported",
            RequestError::TargetTooLong => "target_too_long",
            RequestError::Target => "bad_target",
            RequestError::TargetHostMismatch => "target_host_mismatch",
            RequestError::HostMissing => "host_missing",
            RequestError::HostRepeated => "host_repeated",
            RequestError::HostMalformed => "host_malformed",
            RequestError::Expectation => "expectation_unsupported",
            RequestError::MaxForwards => "bad_max_forwards",
            RequestError::LastForward => "last_forward",
        }
    }
}

impl From<HeadError> for RequestError {
    fn from(error: HeadError) -> Self {
        RequestError::Head(error)
    }
}

impl From<ScanError> for RequestError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Malformed => RequestError::RequestLine,
            ScanError::LineEnd => RequestError::Head(HeadError::LineEnd),
            ScanError::TargetTooLong => RequestError::TargetTooLong,
            ScanError::HeadTooLong => RequestError::Head(HeadError::TooLong),
        }
    }
}

impl From<VersionError> for RequestError {
    fn from(error: VersionError) -> Self {
        match error {
            VersionError::Malformed => RequestError::VersionMalformed,
            VersionError::Unsupported => RequestError::VersionUnsupported,
        }
    }
}

impl From<TargetError> for RequestError {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Malformed | TargetError::Asterisk => RequestError::Target,
        }
    }
}
