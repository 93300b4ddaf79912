//! Who may ask the admin listener for what (S10.4).

use axum::extract::Request;
use axum::http::header;

use crate::authn::bearer::Bearer;
use crate::http::host::CanonicalHost;
use crate::pages::Live;
use crate::secret::Secret;

/// The rules of one admin listener.
pub(super) struct Access {
    pub token: Option<Secret>,
    /// The status page needs no token: on a Unix socket, whose file says who may, or by `open_on_loopback`.
    pub is_open: bool,
    /// The names beside those of loopback that a request may use; `None` on a Unix socket, where no browser comes from.
    pub hosts: Option<Vec<CanonicalHost>>,
}

impl Access {
    /// A page elsewhere can make a browser connect here under its own name (DNS rebinding), and not under these.
    pub(super) fn knows_host(&self, request: &Request) -> bool {
        let Some(configured) = &self.hosts else {
            return true;
        };
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let Ok((host, _)) = CanonicalHost::parse_authority(host.as_bytes()) else {
            return false;
        };
        matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") || configured.contains(&host)
    }

    /// Whether metrics may be read: they ask for a token only where there is one.
    pub(super) fn may_read_metrics(&self, request: &Request) -> bool {
        self.token.is_none() || self.carries_token(request)
    }

    /// Whether the status may be read.
    pub(super) fn may_read_status(&self, request: &Request) -> bool {
        self.is_open || self.carries_token(request)
    }

    /// The live page for this request.
    pub(super) fn live(&self, request: &Request) -> Live {
        match (self.may_read_status(request), &self.token) {
            (true, _) => Live::Open,
            (false, Some(_)) => Live::AsksForToken,
            (false, None) => Live::Closed,
        }
    }

    /// In its field alone: an address is kept in histories and logs.
    fn carries_token(&self, request: &Request) -> bool {
        let mut lines = request.headers().get_all(header::AUTHORIZATION).iter();
        let (Some(token), Some(line), None) = (&self.token, lines.next(), lines.next()) else {
            return false;
        };
        if let Bearer::Token(bearer) = Bearer::parse(line.as_bytes()) {
            token.equals(bearer)
        } else {
            false
        }
    }
}
