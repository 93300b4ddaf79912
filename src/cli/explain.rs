//! `adit explain`.

use std::fs;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{ConfigArguments, bad_configuration, certificate_file, failed, overrides, say};
use crate::config::{self, settings::HttpMode, settings::Settings};
use crate::control;
use crate::http::HeadLimits;
use crate::http::host::CanonicalHost;
use crate::http::request::{Request, RequestHead};
use crate::policy::Scheme;
use crate::policy::explain::{Asked, Explanation, Rules, explain as explanation};
use crate::runtime::clock::Clock;

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ExplainArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// What was asked for: https://HOST/PATH, or http:// for a listener in the clear
    #[arg(long, value_name = "URL", required_unless_present = "raw")]
    url: Option<String>,
    /// The method
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// A field of the request, as "Authorization: Bearer TOKEN"; may be given often
    #[arg(short = 'H', long, value_name = "FIELD")]
    header: Vec<String>,
    /// The request as it was sent, from a file or, for `-`, from standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "method", "header"])]
    raw: Option<String>,
    /// With --raw: it came without TLS
    #[arg(long, requires = "raw")]
    plain: bool,
    /// The name that TLS was made for, where it is not the host that was asked for
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// The address that the connection came from
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    client_ip: IpAddr,
    /// The client certificate that is presented where it is asked for, PEM or DER, the leaf first
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Example:
  adit explain --url https://app.t.edge.example.com/private -H \"Authorization: Bearer $TOKEN\"";

pub(super) fn explain(arguments: &ExplainArguments) -> ExitCode {
    let loaded = match config::load(&arguments.config.config, &overrides()) {
        Ok(loaded) => loaded,
        Err(report) => return bad_configuration(report),
    };
    let settings = &loaded.settings;
    let policy = match control::policy(settings) {
        Ok(policy) => policy,
        Err(error) => return failed(error),
    };
    let (bytes, scheme) = match request(arguments) {
        Ok(request) => request,
        Err(problem) => return bad_configuration(problem),
    };
    if let Err(problem) = listened(settings, scheme) {
        return bad_configuration(problem);
    }
    let limits = HeadLimits::from(&settings.limits);
    let name = match server_name(arguments, &bytes, scheme, &limits) {
        Ok(name) => name,
        Err(problem) => return bad_configuration(problem),
    };
    let certificate = arguments.cert.as_deref().map(certificate_file::read);
    let certificate = match certificate.transpose() {
        Ok(certificate) => certificate,
        Err(problem) => return bad_configuration(format_args!("adit: --cert: {problem}")),
    };
    let asked = Asked {
        bytes: &bytes,
        scheme,
        server_name: name.as_ref(),
        peer: arguments.client_ip,
        certificate: certificate.as_ref(),
    };
    let rules = Rules {
        policy: &policy,
        limits: &limits,
        trust: &settings.client_address,
        body_bytes: settings.limits.body_bytes,
    };
    match explanation(asked, rules, Clock::default().now()) {
        Some(explained) if arguments.json => say(json(&explained)),
        Some(explained) => say(text(&explained)),
        None => bad_configuration(
            "adit: the request has no end: an empty line is missing behind its fields",
        ),
    }
}

/// The bytes of the request and how it came.
fn request(arguments: &ExplainArguments) -> Result<(Vec<u8>, Scheme), String> {
    if let Some(file) = &arguments.raw {
        let mut bytes = Vec::new();
        let read = if file == "-" {
            io::stdin().read_to_end(&mut bytes).map(|_| ())
        } else {
            fs::read(file).map(|read| bytes = read)
        };
        read.map_err(|error| format!("adit: --raw {file}: {error}"))?;
        let scheme = if arguments.plain {
            Scheme::Http
        } else {
            Scheme::Https
        };
        return Ok((bytes, scheme));
    }
    let url = arguments.url.as_deref().unwrap_or_default();
    request_of(url, &arguments.method, &arguments.header)
        .ok_or_else(|| "adit: --url needs https:// or http:// and a host".to_owned())
}

/// The request for a URL, with these field lines; `None`: it has neither https nor http.
pub(super) fn request_of(url: &str, method: &str, fields: &[String]) -> Option<(Vec<u8>, Scheme)> {
    let (scheme, rest) = [("https://", Scheme::Https), ("http://", Scheme::Http)]
        .into_iter()
        .find_map(|(prefix, scheme)| Some((scheme, url.strip_prefix(prefix)?)))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    let slash = if target.starts_with('/') { "" } else { "/" };
    let mut text = format!("{method} {slash}{target} HTTP/1.1\r\nHost: {host}\r\n");
    for field in fields {
        text.push_str(field);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    Some((text.into_bytes(), scheme))
}

/// Whether a listener answers requests that come so.
fn listened(settings: &Settings, scheme: Scheme) -> Result<(), &'static str> {
    match (scheme, &settings.http) {
        (Scheme::Https, _) if settings.https.is_none() => Err(
            "adit: there is no [https] in this configuration: use http://, or --plain with --raw",
        ),
        (Scheme::Http, None) => Err("adit: there is no [http] in this configuration: use https://"),
        (Scheme::Http, Some(http)) if http.mode == HttpMode::Redirect => {
            Err("adit: [http] only sends to https in this configuration: use https://")
        }
        _ => Ok(()),
    }
}

/// The name that TLS was made for: the one that is given, or the host of the request, as browsers have it.
fn server_name(
    arguments: &ExplainArguments,
    bytes: &[u8],
    scheme: Scheme,
    limits: &HeadLimits,
) -> Result<Option<CanonicalHost>, String> {
    if let Some(name) = &arguments.server_name {
        let name = CanonicalHost::parse(name.as_bytes());
        return name
            .map(Some)
            .map_err(|_| "adit: --server-name is no host name".to_owned());
    }
    let mut head = RequestHead::new();
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let bytes = bytes.get(..end).unwrap_or_default();
    let is_tls = scheme == Scheme::Https && head.parse(bytes, limits).is_ok();
    let request = Request { bytes, head: &head };
    Ok(is_tls.then_some(request.head.host))
}

fn text(explained: &Explanation) -> String {
    let mut lines: Vec<String> = explained
        .steps
        .iter()
        .map(|step| format!("{:<11} {}", step.name, step.saw))
        .collect();
    let verdict = match explained.status {
        None => "forwarded".to_owned(),
        Some(status) => format!("{status} {}", explained.reason),
    };
    lines.push(format!("{:<11} {verdict}", "verdict"));
    lines.join("\n")
}

fn json(explained: &Explanation) -> serde_json::Value {
    let steps = explained.steps.iter();
    let steps: Vec<_> = steps
        .map(|step| serde_json::json!({ "step": step.name, "saw": step.saw }))
        .collect();
    serde_json::json!({
        "forwarded": explained.status.is_none(),
        "status": explained.status,
        "reason": explained.reason,
        "steps": steps,
    })
}
