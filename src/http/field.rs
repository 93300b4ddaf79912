//! Field lines and what each name means to an edge.
//!
//! Comes in: a field name. Goes out: its [`FieldKind`], found by one table. Case is ignored and `_` is read as `-`,
//! because an upstream that builds variables from names (CGI and its heirs) does the same: `X_Forwarded_For` must not
//! pass where `X-Forwarded-For` does not.

use super::Span;

/// One field line of a head.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: Span,
    /// Without the white space around it.
    pub value: Span,
    pub kind: FieldKind,
    /// Named by a `Connection` field, so it ends here (RFC 9110 7.6.1).
    pub nominated: bool,
}

/// The values of all fields of one kind, in order.
pub(super) fn values<'a>(
    head: &'a [u8],
    fields: &'a [Field],
    kind: FieldKind,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    fields
        .iter()
        .filter(move |field| field.kind == kind)
        .map(move |field| field.value.of(head))
}

/// The values of all fields called `name` in any case, in order; without those that end here because `Connection` names
/// them.
pub(super) fn values_named<'a, 'n>(
    head: &'a [u8],
    fields: &'a [Field],
    name: &'n [u8],
) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
    fields
        .iter()
        .filter(move |field| !field.nominated && same_name(field.name.of(head), name))
        .map(move |field| field.value.of(head))
}

/// What a field is to us, found once at the parse by its name in lower case with `_` read as `-` (S3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    KeepAlive,
    ProxyConnection,
    Te,
    Trailer,
    Upgrade,
    Http2Settings,
    Expect,
    MaxForwards,
    Authorization,
    /// `Rstream-Authorization`: the edge's own field beside an application's `Authorization` (S4.2); always removed.
    RstreamAuthorization,
    ProxyAuthorization,
    ProxyAuthenticate,
    Cookie,
    SetCookie,
    Referer,
    Origin,
    RequestId,
    CacheControl,
    AltSvc,
    /// Always removed from requests (S3.2): `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `True-Client-IP`,
    /// `CF-Connecting-IP`, `X-Client-Cert*`, `X-SSL-*`, `X-Tls-*`, `X-Original-URL` and the like;
    /// `Proxy`, which a CGI service takes for its own `HTTP_PROXY`.
    Protected,
    /// `X-Adit-*`: ours; removed from requests and from answers.
    Adit,
    /// `X-HTTP-Method-Override`, `X-HTTP-Method`, `X-Method-Override` (S3.2).
    MethodOverride,
    Other,
}

/// Longer than every name and prefix below: who keeps this much of a name can classify it.
pub const KNOWN_NAME_BYTES: usize = 24;

/// The families that are known by how their names begin.
const PREFIXES: &[(&[u8], FieldKind)] = &[
    (b"x-adit-", FieldKind::Adit),
    (b"x-client-cert", FieldKind::Protected),
    (b"x-forwarded-", FieldKind::Protected),
    (b"x-ssl-", FieldKind::Protected),
    (b"x-tls-", FieldKind::Protected),
];

/// The names of one length.
#[rustfmt::skip]
const fn names(length: usize) -> &'static [(&'static [u8], FieldKind)] {
    use FieldKind::*;
    match length {
        2 => &[(b"te", Te)],
        4 => &[(b"host", Host)],
        5 => &[(b"proxy", Protected)],
        6 => &[(b"cookie", Cookie), (b"expect", Expect), (b"origin", Origin), (b"x-host", Protected), (b"x-path", Protected)],
        7 => &[(b"alt-svc", AltSvc), (b"referer", Referer), (b"trailer", Trailer), (b"upgrade", Upgrade)],
        9 => &[(b"forwarded", Protected), (b"x-real-ip", Protected)],
        10 => &[(b"connection", Connection), (b"keep-alive", KeepAlive), (b"set-cookie", SetCookie)],
        12 => &[(b"max-forwards", MaxForwards), (b"x-request-id", RequestId)],
        13 => &[(b"authorization", Authorization), (b"cache-control", CacheControl), (b"x-http-method", MethodOverride), (b"x-rewrite-url", Protected), (b"x-script-name", Protected)],
        14 => &[(b"content-length", ContentLength), (b"http2-settings", Http2Settings), (b"true-client-ip", Protected), (b"x-original-uri", Protected), (b"x-original-url", Protected)],
        15 => &[(b"x-original-host", Protected)],
        16 => &[(b"cf-connecting-ip", Protected), (b"proxy-connection", ProxyConnection)],
        17 => &[(b"transfer-encoding", TransferEncoding), (b"x-method-override", MethodOverride)],
        18 => &[(b"proxy-authenticate", ProxyAuthenticate)],
        19 => &[(b"proxy-authorization", ProxyAuthorization)],
        21 => &[(b"rstream-authorization", RstreamAuthorization)],
        22 => &[(b"x-http-method-override", MethodOverride)],
        _ => &[],
    }
}

/// What the field called `name` is to us.
pub fn classify(name: &[u8]) -> FieldKind {
    if let Some((_, kind)) = names(name.len())
        .iter()
        .find(|(known, _)| is_called(name, known))
    {
        return *kind;
    }
    if let [b'x' | b'X', b'-' | b'_', ..] = name
        && let Some((_, kind)) = PREFIXES.iter().find(|(start, _)| {
            name.get(..start.len())
                .is_some_and(|found| is_called(found, start))
        })
    {
        return *kind;
    }
    FieldKind::Other
}

/// As [`same_name`], where `known` is in lower case and without `_` already.
fn is_called(name: &[u8], known: &[u8]) -> bool {
    name.iter().zip(known).all(|(a, b)| normal(*a) == *b)
}

/// Whether two names are one to a reader that ignores case and reads `_` as `-`.
pub fn same_name(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| normal(*a) == normal(*b))
}

fn normal(byte: u8) -> u8 {
    if byte == b'_' {
        b'-'
    } else {
        byte.to_ascii_lowercase()
    }
}

/// Whether a field may pass as a trailer where a tunnel wants them (S3.1): one that means nothing to an edge, and that
/// changes no reading of the message (RFC 9110 6.5.1).
pub(super) fn passes_as_trailer(name: &[u8]) -> bool {
    const CHANGES_THE_READING: [&[u8]; 24] = [
        b"age",
        b"content-disposition",
        b"content-encoding",
        b"content-location",
        b"content-range",
        b"content-type",
        b"date",
        b"expires",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"location",
        b"pragma",
        b"range",
        b"retry-after",
        b"sec-websocket-accept",
        b"sec-websocket-key",
        b"vary",
        b"warning",
        b"www-authenticate",
        b"x-accel-redirect",
        b"x-sendfile",
    ];
    classify(name) == FieldKind::Other
        && !CHANGES_THE_READING
            .iter()
            .any(|known| same_name(known, name))
}

impl FieldKind {
    /// Framing and routing. Spelt with `_` such a field is refused: one reader would obey it and another would not.
    pub(super) fn frames_or_routes(self) -> bool {
        match self {
            FieldKind::Host
            | FieldKind::ContentLength
            | FieldKind::TransferEncoding
            | FieldKind::Connection => true,
            FieldKind::KeepAlive
            | FieldKind::ProxyConnection
            | FieldKind::Te
            | FieldKind::Trailer
            | FieldKind::Upgrade
            | FieldKind::Http2Settings
            | FieldKind::Expect
            | FieldKind::MaxForwards
            | FieldKind::Authorization
            | FieldKind::RstreamAuthorization
            | FieldKind::ProxyAuthorization
            | FieldKind::ProxyAuthenticate
            | FieldKind::Cookie
            | FieldKind::SetCookie
            | FieldKind::Referer
            | FieldKind::Origin
            | FieldKind::RequestId
            | FieldKind::CacheControl
            | FieldKind::AltSvc
            | FieldKind::Protected
            | FieldKind::Adit
            | FieldKind::MethodOverride
            | FieldKind::Other => false,
        }
    }

    /// Names that `Connection` may not nominate (S3.3). A hop that obeys would drop what the edge or the upstream
    /// decides by, or what the edge added.
    pub(super) fn refused_in_connection(self) -> bool {
        match self {
            FieldKind::Host
            | FieldKind::ContentLength
            | FieldKind::TransferEncoding
            | FieldKind::Authorization
            | FieldKind::RstreamAuthorization
            | FieldKind::Cookie
            | FieldKind::RequestId
            | FieldKind::Protected
            | FieldKind::Adit
            | FieldKind::MethodOverride => true,
            FieldKind::Connection
            | FieldKind::KeepAlive
            | FieldKind::ProxyConnection
            | FieldKind::Te
            | FieldKind::Trailer
            | FieldKind::Upgrade
            | FieldKind::Http2Settings
            | FieldKind::Expect
            | FieldKind::MaxForwards
            | FieldKind::ProxyAuthorization
            | FieldKind::ProxyAuthenticate
            | FieldKind::SetCookie
            | FieldKind::Referer
            | FieldKind::Origin
            | FieldKind::CacheControl
            | FieldKind::AltSvc
            | FieldKind::Other => false,
        }
    }

    /// Names that make a trailer section an attack (RFC 9110 6.5.1): a reader that merges trailers into the head
    /// would take framing, routing or a credential from it. All others that may not pass are dropped without a word.
    pub(super) fn refused_in_trailers(self) -> bool {
        match self {
            FieldKind::Host
            | FieldKind::ContentLength
            | FieldKind::TransferEncoding
            | FieldKind::Connection
            | FieldKind::Authorization
            | FieldKind::RstreamAuthorization
            | FieldKind::ProxyAuthorization
            | FieldKind::Cookie => true,
            FieldKind::KeepAlive
            | FieldKind::ProxyConnection
            | FieldKind::Te
            | FieldKind::Trailer
            | FieldKind::Upgrade
            | FieldKind::Http2Settings
            | FieldKind::Expect
            | FieldKind::MaxForwards
            | FieldKind::ProxyAuthenticate
            | FieldKind::SetCookie
            | FieldKind::Referer
            | FieldKind::Origin
            | FieldKind::RequestId
            | FieldKind::CacheControl
            | FieldKind::AltSvc
            | FieldKind::Protected
            | FieldKind::Adit
            | FieldKind::MethodOverride
            | FieldKind::Other => false,
        }
    }
}

/// Any name: case and `_` change nothing, and the two comparisons agree.
pub fn fuzz_field(name: &[u8]) {
    let kind = classify(name);
    let upper: Vec<u8> = name.iter().map(u8::to_ascii_uppercase).collect();
    let underscored: Vec<u8> = name
        .iter()
        .map(|byte| if *byte == b'-' { b'_' } else { *byte })
        .collect();
    assert_eq!(classify(&upper), kind);
    assert_eq!(classify(&underscored), kind);
    assert!(same_name(name, &upper) && same_name(name, &underscored));
}

#[cfg(test)]
mod tests;
