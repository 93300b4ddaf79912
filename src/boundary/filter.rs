//! Filters: what a tunnel must be, compiled and evaluated.

use super::{ConnectContext, TunnelProperties};
use crate::http::path_boundary::{TextRule, Tree};

/// `AND` and `OR` over lists of conditions.
#[derive(Debug)]
pub(super) struct Filter(pub(super) Tree<Conditions>);

/// One filter object: all of its conditions must hold; an empty one holds.
#[derive(Debug)]
pub(super) struct Conditions(pub(super) Box<[Condition]>);

#[derive(Debug)]
pub(super) enum Condition {
    Text(TextField, TextRule),
    Flag(FlagField, bool),
    Port(u64),
    /// Same entries in the same order; both sides normalised.
    List(ListField, Box<[Box<str>]>),
    /// The label of this name exists and matches.
    Label(Box<str>, TextRule),
}

/// A field of the grammar and what its value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Text(TextField),
    Flag(FlagField),
    List(ListField),
    Port,
    Labels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextField {
    Id,
    Name,
    Type,
    Protocol,
    Status,
    Host,
    Hostname,
    HttpVersion,
    TlsMode,
    TlsMinVersion,
    ProjectId,
    WorkspaceId,
    /// Known to the grammar; no tunnel of this edge has a value for it, so it never matches.
    Valueless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlagField {
    Publish,
    UpstreamTls,
    TokenAuth,
    RstreamAuth,
    MtlsAuth,
    ChallengeMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListField {
    TrustedIps,
    GeoIp,
    TlsAlpns,
    TlsCiphers,
}

impl Field {
    /// The field with this name in the grammar.
    pub(super) fn find(name: &str) -> Option<Field> {
        Some(match name {
            "id" => Field::Text(TextField::Id),
            "name" => Field::Text(TextField::Name),
            "type" => Field::Text(TextField::Type),
            "protocol" => Field::Text(TextField::Protocol),
            "status" => Field::Text(TextField::Status),
            "host" => Field::Text(TextField::Host),
            "hostname" => Field::Text(TextField::Hostname),
            "http_version" => Field::Text(TextField::HttpVersion),
            "tls_mode" => Field::Text(TextField::TlsMode),
            "tls_min_version" => Field::Text(TextField::TlsMinVersion),
            "project_id" => Field::Text(TextField::ProjectId),
            "workspace_id" => Field::Text(TextField::WorkspaceId),
            "client_id" | "user_id" | "cluster_id" | "plan" | "provider" | "region"
            | "creation_date" => Field::Text(TextField::Valueless),
            "publish" => Field::Flag(FlagField::Publish),
            "upstream_tls" | "http_use_tls" => Field::Flag(FlagField::UpstreamTls),
            "token_auth" => Field::Flag(FlagField::TokenAuth),
            "rstream_auth" => Field::Flag(FlagField::RstreamAuth),
            "mtls_auth" => Field::Flag(FlagField::MtlsAuth),
            "challenge_mode" => Field::Flag(FlagField::ChallengeMode),
            "trusted_ips" => Field::List(ListField::TrustedIps),
            "geo_ip" => Field::List(ListField::GeoIp),
            "tls_alpns" => Field::List(ListField::TlsAlpns),
            "tls_ciphers" => Field::List(ListField::TlsCiphers),
            "port" => Field::Port,
            "labels" => Field::Labels,
            _ => return None,
        })
    }

    /// Fields that a tunnel gets only once it exists, so that `create` cannot ask for them.
    pub(super) fn is_assigned(name: &str) -> bool {
        matches!(
            name,
            "client_id"
                | "user_id"
                | "workspace_id"
                | "project_id"
                | "cluster_id"
                | "plan"
                | "provider"
                | "region"
                | "status"
                | "id"
                | "creation_date"
        )
    }
}

impl Filter {
    pub(super) fn matches(&self, context: &ConnectContext<'_>) -> bool {
        self.0.holds(&mut |conditions: &Conditions| {
            conditions
                .0
                .iter()
                .all(|condition| condition.holds(context))
        })
    }

    /// Whether some tunnel may match, as far as each condition tells by itself.
    pub(super) fn is_possible(&self) -> bool {
        self.0.holds(&mut |conditions: &Conditions| {
            conditions.0.iter().all(|condition| match condition {
                Condition::Text(_, rule) | Condition::Label(_, rule) => rule.is_possible(),
                Condition::Flag(..) | Condition::Port(_) | Condition::List(..) => true,
            })
        })
    }
}

impl Condition {
    fn holds(&self, context: &ConnectContext<'_>) -> bool {
        let tunnel = context.tunnel;
        match self {
            Condition::Text(field, rule) => {
                text(*field, context).is_some_and(|value| rule.matches(value.as_bytes()))
            }
            Condition::Flag(field, wanted) => flag(*field, tunnel) == *wanted,
            Condition::Port(wanted) => tunnel.port.is_some_and(|port| u64::from(port) == *wanted),
            Condition::List(field, wanted) => {
                let value = list(*field, tunnel);
                !value.is_empty()
                    && value.len() == wanted.len()
                    && value.iter().zip(wanted).all(|(a, b)| **a == **b)
            }
            Condition::Label(name, rule) => tunnel
                .labels
                .iter()
                .any(|(label, value)| **label == **name && rule.matches(value.as_bytes())),
        }
    }
}

fn text<'a>(field: TextField, context: &ConnectContext<'a>) -> Option<&'a str> {
    let tunnel = context.tunnel;
    match field {
        TextField::Id => tunnel.id.as_deref(),
        TextField::Name => tunnel.name.as_deref(),
        TextField::Type => Some(tunnel.kind),
        TextField::Protocol => Some(tunnel.protocol),
        TextField::Status => Some(tunnel.status),
        TextField::Host => tunnel.host.as_deref(),
        TextField::Hostname => tunnel.hostname.as_deref(),
        TextField::HttpVersion => tunnel.http_version,
        TextField::TlsMode => tunnel.tls_mode,
        TextField::TlsMinVersion => tunnel.tls_min_version,
        TextField::ProjectId => Some(context.project).filter(|id| !id.is_empty()),
        TextField::WorkspaceId => Some(context.workspace).filter(|id| !id.is_empty()),
        TextField::Valueless => None,
    }
}

fn flag(field: FlagField, tunnel: &TunnelProperties) -> bool {
    match field {
        FlagField::Publish => tunnel.publish,
        FlagField::UpstreamTls => tunnel.upstream_tls,
        FlagField::TokenAuth => tunnel.token_auth,
        FlagField::RstreamAuth => tunnel.rstream_auth,
        FlagField::MtlsAuth => tunnel.mtls_auth,
        FlagField::ChallengeMode => tunnel.challenge_mode,
    }
}

fn list(field: ListField, tunnel: &TunnelProperties) -> &[String] {
    match field {
        ListField::TrustedIps => &tunnel.trusted_ips,
        ListField::GeoIp => &tunnel.geo_ip,
        ListField::TlsAlpns => &tunnel.tls_alpns,
        ListField::TlsCiphers => &tunnel.tls_ciphers,
    }
}
