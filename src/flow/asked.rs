//! One request as a core has sent it on: of whom it is, what it wants, and the cookies of ours in it.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, header};

use super::answer::Fault;
use super::rules::Rules;
use crate::http::host::CanonicalHost;
use crate::limits::FORM_BYTES_MAX;

pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    query: String,
    /// Canonical.
    pub(super) host: CanonicalHost,
    headers: HeaderMap,
    /// `None`: the core does not know it.
    pub(super) client: Option<IpAddr>,
}

impl Asked {
    /// `None`: a core has not sent this.
    pub(super) fn new(parts: Parts) -> Option<Self> {
        let host = single(&parts.headers, &header::HOST)?;
        let (host, _) = CanonicalHost::parse_authority(host).ok()?;
        let client = single(&parts.headers, &HeaderName::from_static("x-forwarded-for"));
        let client = client.and_then(|client| std::str::from_utf8(client).ok()?.parse().ok());
        Some(Asked {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            method: parts.method,
            host,
            headers: parts.headers,
            client,
        })
    }

    /// For the log: which request it was.
    pub(super) fn id(&self) -> &str {
        let id = self.headers.get("x-request-id");
        id.and_then(|id| id.to_str().ok()).unwrap_or_default()
    }

    /// Without its `?`.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// A parameter that is there once.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        once(self.query.as_bytes(), name)
    }

    /// A cookie of ours that is there once, over all lines. Two of a name are none: nobody knows whose the first is.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(header::COOKIE).iter();
        let pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('='));
        let mut values = pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// Whether a page of this very host sent it: what changes anything on the base host must say so (S5.4).
    pub(super) fn is_own(&self, rules: &Rules) -> Result<(), Fault> {
        let origin = single(&self.headers, &header::ORIGIN);
        if origin != Some(rules.origin(self.host.as_str()).as_bytes()) {
            return Err(Fault::Foreign);
        }
        let site = self.headers.get("sec-fetch-site");
        match site {
            Some(site) if site != "same-origin" => Err(Fault::Foreign),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether no page of another host sent it, as far as it says: `Origin` and `Referer` may be absent (rstream 8.2).
    pub(super) fn is_not_foreign(&self, rules: &Rules) -> Result<(), Fault> {
        let own = rules.origin(self.host.as_str());
        let origins = self.headers.get_all(header::ORIGIN).iter();
        let mut referers = self.headers.get_all(header::REFERER).iter();
        let is_below = |referer: &str| {
            let rest = referer.strip_prefix(&own);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        };
        let is_good = origins.into_iter().all(|origin| origin == own.as_str())
            && referers.all(|referer| referer.to_str().is_ok_and(is_below));
        if is_good { Ok(()) } else { Err(Fault::Foreign) }
    }

    /// The media type of the body, without its parameters.
    pub(super) fn content_type(&self) -> Option<String> {
        let value = self.headers.get(header::CONTENT_TYPE)?;
        let text = value.to_str().unwrap_or("unreadable");
        let kind = text.split(';').next().unwrap_or_default();
        Some(kind.trim().to_ascii_lowercase())
    }

    /// Whether a body comes with it.
    pub(super) fn has_body(&self) -> bool {
        let length = self.headers.get(header::CONTENT_LENGTH);
        length.is_some_and(|length| length != "0")
            || self.headers.contains_key(header::TRANSFER_ENCODING)
    }

    /// Its body, as an HTML form writes it.
    pub(super) async fn form(&self, body: Body) -> Result<Form, Fault> {
        if self.content_type().as_deref() != Some("application/x-www-form-urlencoded") {
            return Err(Fault::MediaType);
        }
        let bytes = axum::body::to_bytes(body, FORM_BYTES_MAX).await;
        Ok(Form(zeroize::Zeroizing::new(
            bytes.map_err(|_| Fault::TooLong)?.to_vec(),
        )))
    }
}

/// The fields of a form.
pub(super) struct Form(zeroize::Zeroizing<Vec<u8>>);

impl Form {
    /// A field that is there once.
    pub(super) fn field(&self, name: &str) -> Result<String, Fault> {
        once(&self.0, name).ok_or(Fault::FormBroken)
    }
}

fn once(pairs: &[u8], name: &str) -> Option<String> {
    let mut values = url::form_urlencoded::parse(pairs).filter(|(key, _)| key == name);
    let (_, value) = values.next()?;
    values.next().is_none().then(|| value.into_owned())
}

/// The value of a field that is there once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?;
    lines.next().is_none().then(|| line.as_bytes())
}
