//! What changed from one configuration to the next, in words for the log. Never a secret's value.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use super::settings::{Settings, Tunnel, Upstream, UpstreamPlace};

/// Most changes that are told apart.
const CHANGES_MAX: usize = 20;

/// The changes from `old` to `new`, most important first, in one line.
pub fn diff(old: &Settings, new: &Settings) -> String {
    let mut changes = Vec::new();
    tunnels(old, new, &mut changes);
    let mut compare = |name: &str, changed: bool| {
        if changed {
            changes.push(name.to_owned());
        }
    };
    compare("projects", differ(&old.projects, &new.projects));
    compare("tokens", differ(&old.tokens, &new.tokens));
    compare("credentials", old.credentials != new.credentials);
    compare("issuers", differ(&old.issuers, &new.issuers));
    compare("client_cas", differ(&old.client_cas, &new.client_cas));
    compare("the secret of tokens", secret(old) != secret(new));
    compare("certificates", certificates(old) != certificates(new));
    compare("https", https(old) != https(new));
    compare("http", differ(&old.http, &new.http));
    compare(
        "client_address",
        differ(&old.client_address, &new.client_address),
    );
    let providers = [old, new].map(|settings| settings.sign_in.as_ref().map(|one| &one.provider));
    let changed = providers[0] != providers[1] || differ(&old.sign_in, &new.sign_in);
    compare("sign_in", changed);
    compare("challenge", differ(&old.challenge, &new.challenge));
    compare("what cookies are sealed with", !is_sealed_alike(old, new));
    compare("geoip", differ(&old.geoip, &new.geoip));
    compare("timeouts", old.timeouts != new.timeouts);
    compare("limits", old.limits != new.limits);
    compare("engine", differ(&old.engine, &new.engine));
    compare("cores", old.cores != new.cores);
    compare("admin", differ(&old.admin, &new.admin));
    compare("log", differ(&old.log, &new.log));
    if changes.is_empty() {
        return "nothing changed".to_owned();
    }
    let more = changes.len().saturating_sub(CHANGES_MAX);
    changes.truncate(CHANGES_MAX);
    let mut line = changes.join("; ");
    if more > 0 {
        line.push_str(&format!("; and {more} more"));
    }
    line
}

fn tunnels(old: &Settings, new: &Settings, changes: &mut Vec<String>) {
    // Each is looked up among thousands.
    fn by_hostname(settings: &Settings) -> HashMap<&str, &Tunnel> {
        let tunnels = settings.tunnels.iter();
        tunnels
            .map(|tunnel| (tunnel.hostname.as_str(), tunnel))
            .collect()
    }
    let (olds, news) = (by_hostname(old), by_hostname(new));
    for tunnel in &new.tunnels {
        let hostname = tunnel.hostname.as_str();
        match olds.get(hostname) {
            None => changes.push(format!("tunnel {hostname} added")),
            Some(before) => {
                let keys = keys(before, tunnel);
                if !keys.is_empty() {
                    changes.push(format!("tunnel {hostname}: {}", keys.join(", ")));
                }
            }
        }
    }
    for tunnel in &old.tunnels {
        if !news.contains_key(tunnel.hostname.as_str()) {
            changes.push(format!("tunnel {} removed", tunnel.hostname));
        }
    }
}

/// The keys of a tunnel that say something else.
fn keys(old: &Tunnel, new: &Tunnel) -> Vec<&'static str> {
    let Tunnel {
        hostname: _,
        project,
        upstream,
        access,
        token_auth,
        rstream_auth,
        mtls_auth,
        challenge_mode,
        public,
        authorization,
        allowed_origins,
        path_semicolon_allowed,
        trailers,
        identity_headers,
        upgrades_outlive_expiry,
        labels,
    } = new;
    [
        ("project", old.project != *project),
        ("upstream", written(&old.upstream) != written(upstream)),
        ("trusted_ips", old.access.trusted_ips != access.trusted_ips),
        ("geoip", old.access.geoip != access.geoip),
        (
            "tls_min_version",
            old.access.tls_min_version != access.tls_min_version,
        ),
        ("token_auth", old.token_auth != *token_auth),
        ("rstream_auth", old.rstream_auth != *rstream_auth),
        ("mtls_auth", old.mtls_auth != *mtls_auth),
        ("challenge_mode", old.challenge_mode != *challenge_mode),
        ("public", old.public != *public),
        ("authorization", old.authorization != *authorization),
        ("allowed_origins", old.allowed_origins != *allowed_origins),
        (
            "path_semicolon",
            old.path_semicolon_allowed != *path_semicolon_allowed,
        ),
        ("trailers", old.trailers != *trailers),
        (
            "identity_headers",
            old.identity_headers != *identity_headers,
        ),
        (
            "upgrades_outlive_expiry",
            old.upgrades_outlive_expiry != *upgrades_outlive_expiry,
        ),
        ("labels", old.labels != *labels),
    ]
    .into_iter()
    .filter_map(|(key, changed)| changed.then_some(key))
    .collect()
}

/// An upstream as it was written: what its names resolve to is no change of the configuration.
fn written(upstream: &Upstream) -> Upstream {
    let mut upstream = upstream.clone();
    for server in &mut upstream.servers {
        if let UpstreamPlace::Tcp { addresses, .. } = &mut server.place {
            addresses.clear();
        }
    }
    upstream
}

/// Compared by their text for debugging, in which secrets are hidden.
fn differ<T: Debug>(old: &T, new: &T) -> bool {
    format!("{old:?}") != format!("{new:?}")
}

fn secret(settings: &Settings) -> Option<&[u8]> {
    let tokens = settings.tokens.as_ref();
    tokens.map(|tokens| tokens.hs256_secret.expose())
}

fn is_sealed_alike(old: &Settings, new: &Settings) -> bool {
    let sealers = |settings: &Settings| {
        let sign_in = settings.sign_in.as_ref().map(|one| Arc::clone(&one.sealer));
        let challenge = settings.challenge.as_ref();
        [sign_in, challenge.map(|one| Arc::clone(&one.sealer))]
    };
    let pairs = sealers(old).into_iter().zip(sealers(new));
    pairs.into_iter().all(|pair| match pair {
        (Some(old), Some(new)) => old.has_keys_of(&new),
        // That there is one now, or none, has been told.
        (None, _) | (_, None) => true,
    })
}

fn certificates(settings: &Settings) -> Option<Vec<(&[u8], &[u8])>> {
    let https = settings.https.as_ref()?;
    let pairs = https.certificates.iter().map(|certificate| {
        let leaf = certificate.chain.first().map(AsRef::as_ref);
        (leaf.unwrap_or_default(), certificate.key.secret_der())
    });
    Some(pairs.collect())
}

fn https(settings: &Settings) -> String {
    let https = settings.https.as_ref();
    format!(
        "{:?}",
        https.map(|https| (&https.listen, https.public_port, https.tls_min_version))
    )
}
