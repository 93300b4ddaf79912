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

/// The values of all fields of one kind, in order; `kinds` are those of `fields`.
pub(super) fn values<'a>(
    head: &'a [u8],
    fields: &'a [Field],
    kinds: Kinds,
    kind: FieldKind,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let fields = if kinds.contains(kind) { fields } else { &[] };
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

/// A set of kinds: which of them a head has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u32);

impl Kinds {
    pub(super) fn insert(&mut self, kind: FieldKind) {
        self.0 |= Kinds::bit(kind);
    }

    pub fn contains(self, kind: FieldKind) -> bool {
        self.0 & Kinds::bit(kind) != 0
    }

    const fn bit(kind: FieldKind) -> u32 {
        const { assert!((FieldKind::Other as u32) < u32::BITS) }
        1 << kind as u32
    }
}

/// Longer than every name and prefix below: who keeps this much of a name can classify it. Two vectors of sixteen bytes,
/// which the compiler handles as such; a shorter name is handled byte by byte.
pub const KNOWN_NAME_BYTES: usize = 32;

/// The families that are known by how their names begin, behind `x-`.
const FAMILIES: &[(&[u8], FieldKind)] = &[
    (b"adit-", FieldKind::Adit),
    (b"client-cert", FieldKind::Protected),
    (b"forwarded-", FieldKind::Protected),
    (b"ssl-", FieldKind::Protected),
    (b"tls-", FieldKind::Protected),
];

/// What the field called `name` is to us.
#[rustfmt::skip]
pub fn classify(name: &[u8]) -> FieldKind {
    use FieldKind::*;
    let known = match name.len() {
        2 => among(name, [(b"te", Te)]),
        4 => among(name, [(b"host", Host)]),
        5 => among(name, [(b"proxy", Protected)]),
        6 => among(name, [(b"cookie", Cookie), (b"expect", Expect), (b"origin", Origin), (b"x-host", Protected), (b"x-path", Protected)]),
        7 => among(name, [(b"alt-svc", AltSvc), (b"referer", Referer), (b"trailer", Trailer), (b"upgrade", Upgrade)]),
        9 => among(name, [(b"forwarded", Protected), (b"x-real-ip", Protected)]),
        10 => among(name, [(b"connection", Connection), (b"keep-alive", KeepAlive), (b"set-cookie", SetCookie)]),
        12 => among(name, [(b"max-forwards", MaxForwards), (b"x-request-id", RequestId)]),
        13 => among(name, [(b"authorization", Authorization), (b"cache-control", CacheControl), (b"x-http-method", MethodOverride), (b"x-rewrite-url", Protected), (b"x-script-name", Protected)]),
        14 => among(name, [(b"content-length", ContentLength), (b"http2-settings", Http2Settings), (b"true-client-ip", Protected), (b"x-original-uri", Protected), (b"x-original-url", Protected)]),
        15 => among(name, [(b"x-original-host", Protected)]),
        16 => among(name, [(b"cf-connecting-ip", Protected), (b"proxy-connection", ProxyConnection)]),
        17 => among(name, [(b"transfer-encoding", TransferEncoding), (b"x-method-override", MethodOverride)]),
        18 => among(name, [(b"proxy-authenticate", ProxyAuthenticate)]),
        19 => among(name, [(b"proxy-authorization", ProxyAuthorization)]),
        21 => among(name, [(b"rstream-authorization", RstreamAuthorization)]),
        22 => among(name, [(b"x-http-method-override", MethodOverride)]),
        _ => None,
    };
    known.or_else(|| family(name)).unwrap_or(Other)
}

/// Looks for `name` among names of its length, as wide as the machine compares: the length is a constant here, so that
/// neither the spelling nor the comparison takes a loop.
#[inline(always)]
fn among<const N: usize, const M: usize>(
    name: &[u8],
    known: [(&[u8; N], FieldKind); M],
) -> Option<FieldKind> {
    const { assert!(N < KNOWN_NAME_BYTES) }
    let name: &[u8; N] = name.try_into().ok()?;
    let mut spelt = [0; KNOWN_NAME_BYTES];
    *spelt.first_chunk_mut()? = *name;
    spelt.iter_mut().for_each(|byte| *byte = normal(*byte));
    let name = spelt.first_chunk::<N>()?;
    let mut known = known.iter();
    known
        .find(|(known, _)| *known == name)
        .map(|(_, kind)| *kind)
}

fn family(name: &[u8]) -> Option<FieldKind> {
    let [b'x' | b'X', b'-' | b'_', rest @ ..] = name else {
        return None;
    };
    let mut families = FAMILIES.iter();
    let found = families.find(|(start, _)| {
        let begins = rest.get(..start.len());
        begins.is_some_and(|begins| same_name(begins, start))
    });
    found.map(|(_, kind)| *kind)
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
