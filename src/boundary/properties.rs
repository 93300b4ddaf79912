//! The tunnel as filters see it.

use std::sync::Arc;

/// A tunnel's effective properties, as filters see them: defaults applied, lists normalised (see
/// [`super::normal`]). A property that is `None` or an empty list has no value and no filter on it matches.
///
/// Project and workspace are not here: filters on `project_id` and `workspace_id` read those of the
/// [`super::ConnectContext`], so that there is one of each. `http_use_tls` is the old name of `upstream_tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelProperties {
    pub id: Option<String>,
    pub name: Option<String>,
    /// The published host, canonical.
    pub hostname: Option<String>,
    /// The authority: the host, with a port where it is not the default one.
    pub host: Option<String>,
    pub port: Option<u16>,
    /// `type`: `bytestream` or `datagram`.
    pub kind: &'static str,
    pub protocol: &'static str,
    pub status: &'static str,
    pub http_version: Option<&'static str>,
    pub tls_mode: Option<&'static str>,
    pub tls_min_version: Option<&'static str>,
    pub publish: bool,
    pub upstream_tls: bool,
    pub token_auth: bool,
    pub rstream_auth: bool,
    pub mtls_auth: bool,
    pub challenge_mode: bool,
    pub labels: Vec<(String, String)>,
    /// Shared by the tunnels that have the same list from their project.
    pub trusted_ips: Arc<[String]>,
    pub geo_ip: Vec<String>,
    pub tls_alpns: Vec<String>,
    pub tls_ciphers: Vec<String>,
}

/// A published HTTP tunnel that is online and has nothing switched on.
impl Default for TunnelProperties {
    fn default() -> Self {
        TunnelProperties {
            id: None,
            name: None,
            hostname: None,
            host: None,
            port: None,
            kind: "bytestream",
            protocol: "http",
            status: "online",
            http_version: Some("http/1.1"),
            tls_mode: None,
            tls_min_version: None,
            publish: true,
            upstream_tls: false,
            token_auth: false,
            rstream_auth: false,
            mtls_auth: false,
            challenge_mode: false,
            labels: Vec::new(),
            trusted_ips: Arc::default(),
            geo_ip: Vec::new(),
            tls_alpns: Vec::new(),
            tls_ciphers: Vec::new(),
        }
    }
}
