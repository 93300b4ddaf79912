//! The request head: parsed once, strictly, into spans.
//!
//! Comes in: the bytes up to and with the empty line (see `scan`). Goes out: [`RequestHead`], whose storage is used
//! again for the next request, and [`Request`], the view that policy, log and forwarding share. It refuses everything
//! that two readers could read as two requests; [`RequestError`] is the whole list.

mod error;

pub use error::RequestError;

use std::mem::MaybeUninit;

use super::body::Framing;
use super::field::{self, Field, FieldKind, Kinds};
use super::head::{self, HeadError};
use super::host::CanonicalHost;
use super::scan::{HeadScan, Scan};
use super::target::Target;
use super::{HeadLimits, Span, Version, is_token_byte};
use crate::limits::{HEADER_FIELDS_MAX, METHOD_BYTES_MAX};

/// Methods that some rule asks for by name. Tokens are compared with their case (RFC 9110 9.1): `get` is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Patch,
    Trace,
    Connect,
    Other,
}

impl Method {
    pub fn parse(name: &[u8]) -> Self {
        match name {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            b"PUT" => Method::Put,
            b"DELETE" => Method::Delete,
            b"OPTIONS" => Method::Options,
            b"PATCH" => Method::Patch,
            b"TRACE" => Method::Trace,
            b"CONNECT" => Method::Connect,
            _ => Method::Other,
        }
    }
}

/// One request head. Its storage is used from request to request: nothing is allocated once `fields` has grown.
#[derive(Clone, Debug)]
pub struct RequestHead {
    pub method: Method,
    pub method_name: Span,
    pub version: Version,
    pub target: Target,
    pub host: CanonicalHost,
    /// The port the client gave in `Host`, if any.
    pub host_port: Option<u16>,
    pub fields: Vec<Field>,
    /// Those of the fields.
    pub kinds: Kinds,
    pub framing: Framing,
    /// The client wants the connection kept: 1.1 without `close`, 1.0 only with `keep-alive`.
    pub persistent: bool,
    /// The client waits for `100 Continue` before it sends its body.
    pub expects_continue: bool,
    /// What a TRACE or OPTIONS may still be forwarded after this hop; `None` where it does not say (RFC 9110 7.6.2).
    pub forwards_left: Option<u64>,
    /// An `Upgrade` field that `Connection` nominates. Always false in HTTP/1.0 (RFC 9110 7.8).
    pub upgrade: bool,
}

impl Default for RequestHead {
    fn default() -> Self {
        RequestHead::new()
    }
}

impl RequestHead {
    pub fn new() -> Self {
        RequestHead {
            method: Method::Other,
            method_name: Span::default(),
            version: Version::Http11,
            target: Target::default(),
            host: CanonicalHost::none(),
            host_port: None,
            fields: Vec::new(),
            kinds: Kinds::default(),
            framing: Framing::None,
            persistent: false,
            expects_continue: false,
            forwards_left: None,
            upgrade: false,
        }
    }

    /// Parses `head`: exactly the bytes up to and with the empty line. After an error nothing of it, or of an earlier
    /// request, is left.
    pub fn parse(&mut self, head: &[u8], limits: &HeadLimits) -> Result<(), RequestError> {
        if head.len() > limits.head_bytes {
            self.clear();
            return Err(HeadError::TooLong.into());
        }
        if let Err(error) = self.read(head, limits, true) {
            self.clear();
            // Where lines are in doubt, so is what stands in them.
            head::line_ends(head)?;
            return Err(error);
        }
        Ok(())
    }

    /// Parses the head that `bytes` begin with, if all of it is there and nothing is wrong with it, and answers its length:
    /// what [`HeadScan`] finds and [`RequestHead::parse`] accepts, in one look. `None` says nothing but that those two are
    /// to be asked; after it nothing is left, as after an error.
    pub fn parse_at_once(&mut self, bytes: &[u8], limits: &HeadLimits) -> Option<usize> {
        let length = self.read(bytes, limits, false).ok();
        let length = length.filter(|length| *length <= limits.head_bytes);
        if length.is_none() {
            self.clear();
        }
        length
    }

    fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = RequestHead {
            fields,
            ..RequestHead::new()
        };
    }

    /// Reads the head that `bytes` begin with, or are (`alone`); answers its length.
    fn read(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
        alone: bool,
    ) -> Result<usize, RequestError> {
        self.clear();
        let authority = self.read_line(head::first_line(bytes)?, limits)?;

        let mut storage = [const { MaybeUninit::uninit() }; HEADER_FIELDS_MAX];
        let allowed = limits.header_fields.min(HEADER_FIELDS_MAX);
        let mut parsed = httparse::Request::new(&mut []);
        let status = parsed
            .parse_with_uninit_headers(bytes, storage.get_mut(..allowed).unwrap_or_default())
            .map_err(HeadError::from)?;
        let head = head::whole(status, bytes, alone)?;
        self.kinds = head::collect(head, parsed.headers, &mut self.fields)?;

        let options = head::nominate(head, &mut self.fields, self.kinds)?;
        self.persistent = options.persistent(self.version);
        self.framing =
            head::announced(head, &self.fields, self.kinds, self.version)?.framing(Framing::None);
        self.read_fields(head)?;
        let Some(authority) = authority else {
            return Ok(head.len());
        };
        let named = CanonicalHost::parse_authority(authority).map_err(|_| RequestError::Target)?;
        if named != (self.host, self.host_port) {
            return Err(RequestError::TargetHostMismatch);
        }
        Ok(head.len())
    }

    /// Method, target, version: exactly one space between (RFC 9112 3). Gives the authority of absolute-form.
    fn read_line<'h>(
        &mut self,
        line: &'h [u8],
        limits: &HeadLimits,
    ) -> Result<Option<&'h [u8]>, RequestError> {
        let result = self.read_parts(line, limits);
        // A third space is in no method, target or version; and then nobody knows which of them is which.
        if result.is_err() && line.iter().filter(|byte| **byte == b' ').count() != 2 {
            return Err(RequestError::RequestLine);
        }
        result
    }

    fn read_parts<'h>(
        &mut self,
        line: &'h [u8],
        limits: &HeadLimits,
    ) -> Result<Option<&'h [u8]>, RequestError> {
        let (method, rest) = around(line, line.iter().position(|byte| *byte == b' '))?;
        let (target, version) = around(rest, rest.iter().rposition(|byte| *byte == b' '))?;
        if method.is_empty()
            || method.len() > METHOD_BYTES_MAX
            || !method.iter().copied().all(is_token_byte)
        {
            return Err(RequestError::Method);
        }
        self.version = Version::parse(version)?;
        if target.len() > limits.target_bytes {
            return Err(RequestError::TargetTooLong);
        }
        self.method = Method::parse(method);
        if self.method == Method::Connect {
            return Err(RequestError::Connect);
        }
        let method_end = u32::try_from(method.len()).map_err(|_| RequestError::Method)?;
        self.method_name = Span {
            start: 0,
            end: method_end,
        };
        let (target, authority) = Target::parse(target, method_end + 1, self.method)?;
        self.target = target;
        Ok(authority)
    }

    /// The fields that mean something to every request.
    fn read_fields(&mut self, head: &[u8]) -> Result<(), RequestError> {
        let mut host = None;
        for field in &self.fields {
            if field.kind == FieldKind::Other {
                continue;
            }
            let value = field.value.of(head);
            if field.kind == FieldKind::Host {
                if host.replace(value).is_some() {
                    return Err(RequestError::HostRepeated);
                }
            } else if field.kind == FieldKind::Expect {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(RequestError::Expectation);
                }
                // A 1.0 client knows no interim answers, and without a body nobody waits (RFC 9110 10.1.1).
                self.expects_continue =
                    self.version == Version::Http11 && self.framing != Framing::None;
            } else if field.kind == FieldKind::MaxForwards
                && matches!(self.method, Method::Options | Method::Trace)
            {
                let left = head::number(value).ok_or(RequestError::MaxForwards)?;
                let left = left.checked_sub(1).ok_or(RequestError::LastForward)?;
                if self.forwards_left.replace(left).is_some() {
                    return Err(RequestError::MaxForwards);
                }
            } else if field.kind == FieldKind::Upgrade {
                self.upgrade |= field.nominated && self.version == Version::Http11;
            }
        }
        let host = host.ok_or(RequestError::HostMissing)?;
        self.host_port = self
            .host
            .read_authority(host)
            .map_err(|_| RequestError::HostMalformed)?;
        Ok(())
    }
}

/// What stands before and behind the byte at `space`.
fn around(line: &[u8], space: Option<usize>) -> Result<(&[u8], &[u8]), RequestError> {
    let (before, behind) = space
        .and_then(|space| line.split_at_checked(space))
        .ok_or(RequestError::RequestLine)?;
    Ok((before, behind.get(1..).unwrap_or_default()))
}

/// A parsed head together with the bytes it was parsed from: the one view of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub bytes: &'a [u8],
    pub head: &'a RequestHead,
}

impl<'a> Request<'a> {
    pub fn method_name(&self) -> &'a [u8] {
        self.head.method_name.of(self.bytes)
    }

    /// The path as it arrived, or `*`. Never empty: absolute-form without a path is `/` (RFC 9112 3.2.1), and of OPTIONS
    /// without a query it is `*` (3.2.4).
    pub fn path(&self) -> &'a [u8] {
        match self.head.target.path.of(self.bytes) {
            [] if self.head.method == Method::Options && self.head.target.query.is_none() => b"*",
            [] => b"/",
            path => path,
        }
    }

    /// What stands after the `?`, which may be nothing.
    pub fn query(&self) -> Option<&'a [u8]> {
        self.head.target.query.map(|query| query.of(self.bytes))
    }

    pub fn name(&self, field: &Field) -> &'a [u8] {
        field.name.of(self.bytes)
    }

    pub fn value(&self, field: &Field) -> &'a [u8] {
        field.value.of(self.bytes)
    }

    /// The values of all fields of one kind, in order.
    pub fn values(&self, kind: FieldKind) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        field::values(self.bytes, &self.head.fields, self.head.kinds, kind)
    }

    /// The values of all fields called `name` in any case, in order: for names without a kind of their own.
    pub fn values_named<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        field::values_named(self.bytes, &self.head.fields, name)
    }
}

/// Any bytes: an accepted request, written anew from its view, is accepted again and means the same.
pub fn fuzz_request(bytes: &[u8]) {
    let limits = HeadLimits {
        head_bytes: 4096,
        header_fields: 32,
        target_bytes: 1024,
    };
    let mut head = RequestHead::new();
    let result = head.parse(bytes, &limits);
    fuzz_at_once(bytes, &limits);
    if let Err(error) = result {
        assert!(
            head.fields.is_empty(),
            "nothing is left of a refused request"
        );
        assert!((400..=505).contains(&error.status()) && !error.reason().is_empty());
        return;
    }
    let scan = HeadScan::default().advance(bytes, &limits);
    assert_eq!(scan, Scan::Complete(bytes.len()), "scan and parse agree");

    let has = |kind| head.fields.iter().any(|field| field.kind == kind);
    let all = |kind: &FieldKind| head.kinds.contains(*kind) == has(*kind);
    assert!(head.fields.iter().map(|field| &field.kind).all(all));
    assert!([FieldKind::Connection, FieldKind::Other].iter().all(all));

    let view = Request { bytes, head: &head };
    let mut written = view.method_name().to_vec();
    written.push(b' ');
    written.extend_from_slice(view.path());
    if let Some(query) = view.query() {
        written.push(b'?');
        written.extend_from_slice(query);
    }
    written.extend_from_slice(format!(" HTTP/1.{}\r\n", head.version as u8).as_bytes());
    head::write_fields(&mut written, bytes, &head.fields);

    let mut again = RequestHead::new();
    let result = again.parse(
        &written,
        &HeadLimits {
            head_bytes: 8192,
            ..limits
        },
    );
    assert_eq!(result, Ok(()), "parse, write, parse agrees");
    let second = Request {
        bytes: &written,
        head: &again,
    };
    assert_eq!((second.path(), second.query()), (view.path(), view.query()));
    assert_eq!(
        (again.method, again.host, again.host_port),
        (head.method, head.host, head.host_port)
    );
    assert_eq!(
        (again.framing, again.persistent),
        (head.framing, head.persistent)
    );
    assert_eq!(
        (again.upgrade, again.expects_continue),
        (head.upgrade, head.expects_continue)
    );
}

/// One look finds what the scan and the parse find together, whatever follows the head.
fn fuzz_at_once(bytes: &[u8], limits: &HeadLimits) {
    let mut head = RequestHead::new();
    let expected = match HeadScan::default().advance(bytes, limits) {
        Scan::Complete(length) => {
            let found = bytes.get(..length).unwrap_or_default();
            head.parse(found, limits).ok().map(|()| length)
        }
        Scan::Partial | Scan::Refused(_) => None,
    };
    let mut at_once = RequestHead::new();
    assert_eq!(at_once.parse_at_once(bytes, limits), expected);
    assert_eq!(format!("{at_once:?}"), format!("{head:?}"));
}

#[cfg(test)]
mod tests;
