//! The counters as Prometheus text (exposition format 0.0.4). Labels come from closed lists and the configuration only.

use std::fmt::Write as _;

use super::counters::Counters;

/// What the process knows beside the counters.
#[derive(Clone, Debug)]
pub struct Process<'a> {
    pub node: &'a str,
    pub tunnels: usize,
    /// The driver of each core, in order.
    pub drivers: &'a [String],
    pub uptime_seconds: u64,
    pub configuration: Configuration,
    pub unix_seconds: u64,
    /// The issuers whose keys are fetched, by name.
    pub issuers: &'a [(String, IssuerKeys)],
}

/// What became of one issuer's key set.
#[derive(Clone, Copy, Debug, Default)]
pub struct IssuerKeys {
    /// Keys in force.
    pub keys: u64,
    /// Seconds since the Unix epoch; `None`: there is no set.
    pub fetched_at: Option<u64>,
    pub fetches_ok: u64,
    pub fetches_failed: u64,
}

/// What became of the configuration's reloads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Configuration {
    pub reloads_taken: u64,
    pub reloads_refused: u64,
    /// The last reload was refused.
    pub stale: bool,
}

/// Writes everything. `cores` holds each core's numbers; a core that did not answer is missing.
pub fn write(process: &Process<'_>, cores: &[(usize, Counters)]) -> String {
    let mut all = Counters::default();
    for (_, counters) in cores {
        all.merge(counters);
    }
    let mut page = Page(String::new());
    about(&mut page, process);
    requests(&mut page, &all);
    connections(&mut page, &all, cores);
    upstreams(&mut page, &all);
    inside(&mut page, &all);
    issuers(&mut page, process);
    page.0
}

fn about(page: &mut Page, process: &Process<'_>) {
    page.head("adit_build_info", "gauge", "The running version.");
    page.line(
        "adit_build_info",
        &format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")),
        1,
    );
    page.head("adit_node_info", "gauge", "The configured node name.");
    page.line(
        "adit_node_info",
        &format!("{{node=\"{}\"}}", escape(process.node)),
        1,
    );
    page.one(
        "adit_uptime_seconds",
        "gauge",
        "Seconds since the start.",
        process.uptime_seconds,
    );
    page.one(
        "adit_active_tunnels",
        "gauge",
        "Published tunnels.",
        process.tunnels as u64,
    );
    let configuration = process.configuration;
    page.one(
        "adit_config_stale",
        "gauge",
        "1: the last reload was refused, and an older configuration is in force.",
        configuration.stale.into(),
    );
    page.head("adit_config_reloads_total", "counter", "Reloads by result.");
    for (result, count) in [
        ("ok", configuration.reloads_taken),
        ("refused", configuration.reloads_refused),
    ] {
        let labels = format!("{{result=\"{result}\"}}");
        page.line("adit_config_reloads_total", &labels, count);
    }
    page.head(
        "adit_core_info",
        "gauge",
        "The driver that each core runs on.",
    );
    for (core, driver) in process.drivers.iter().enumerate() {
        page.line(
            "adit_core_info",
            &format!("{{core=\"{core}\",driver=\"{}\"}}", escape(driver)),
            1,
        );
    }
}

fn inside(page: &mut Page, all: &Counters) {
    page.one(
        "adit_token_cache_hits_total",
        "counter",
        "Tokens found verified.",
        all.token_cache_hits,
    );
    page.one(
        "adit_token_cache_misses_total",
        "counter",
        "Tokens verified anew.",
        all.token_cache_misses,
    );
    page.one(
        "adit_token_cache_entries",
        "gauge",
        "Verified tokens remembered, all cores.",
        all.token_cache_entries,
    );
    page.one(
        "adit_log_lines_dropped_total",
        "counter",
        "Access log lines that found no room.",
        all.log_lines_dropped,
    );
    page.one(
        "adit_panics_total",
        "counter",
        "Connections ended by a fault of ours.",
        all.panics,
    );
}

fn issuers(page: &mut Page, process: &Process<'_>) {
    let mut each =
        |name: &str, kind: &str, help: &str, lines: &dyn Fn(&IssuerKeys) -> Vec<(&str, u64)>| {
            page.head(name, kind, help);
            for (issuer, seen) in process.issuers {
                for (more, value) in lines(seen) {
                    let labels = format!("{{issuer=\"{}\"{more}}}", escape(issuer));
                    page.line(name, &labels, value);
                }
            }
        };
    each(
        "adit_issuer_keys",
        "gauge",
        "Keys in force of an issuer whose key set is fetched.",
        &|seen| vec![("", seen.keys)],
    );
    each(
        "adit_issuer_key_set_age_seconds",
        "gauge",
        "Seconds since that set was fetched.",
        &|seen| {
            let age = seen
                .fetched_at
                .map(|at| process.unix_seconds.saturating_sub(at));
            age.map(|age| ("", age)).into_iter().collect()
        },
    );
    each(
        "adit_issuer_key_set_fetches_total",
        "counter",
        "Fetches of that set by result.",
        &|seen| {
            vec![
                (",result=\"ok\"", seen.fetches_ok),
                (",result=\"failed\"", seen.fetches_failed),
            ]
        },
    );
}

fn requests(page: &mut Page, all: &Counters) {
    page.head(
        "adit_requests_total",
        "counter",
        "Finished exchanges by status, proof and verdict.",
    );
    for (mechanism, verdict, status, count) in all.requests() {
        let labels = format!(
            "{{code=\"{status}\",mechanism=\"{}\",result=\"{}\"}}",
            mechanism.as_str(),
            verdict.as_str()
        );
        page.line("adit_requests_total", &labels, count);
    }
    page.head(
        "adit_auth_failures_total",
        "counter",
        "Exchanges without an upstream's answer, by reason.",
    );
    for (reason, count) in all.refusals() {
        page.line(
            "adit_auth_failures_total",
            &format!("{{reason=\"{reason}\"}}"),
            count,
        );
    }
    page.head(
        "adit_body_bytes_total",
        "counter",
        "Body bytes from and to clients.",
    );
    page.line("adit_body_bytes_total", "{direction=\"in\"}", all.bytes_in);
    page.line(
        "adit_body_bytes_total",
        "{direction=\"out\"}",
        all.bytes_out,
    );
}

fn connections(page: &mut Page, all: &Counters, cores: &[(usize, Counters)]) {
    page.head("adit_connections", "gauge", "Open downstream connections.");
    for (core, counters) in cores {
        page.line(
            "adit_connections",
            &format!("{{core=\"{core}\"}}"),
            counters.connections_open,
        );
    }
    page.one(
        "adit_connections_total",
        "counter",
        "Accepted downstream connections.",
        all.connections_total,
    );
    page.one(
        "adit_connections_shed_total",
        "counter",
        "Connections closed because the core was full.",
        all.connections_shed,
    );
    page.one(
        "adit_connections_evicted_total",
        "counter",
        "Waiting connections ended for another one.",
        all.connections_evicted,
    );
    page.one(
        "adit_connections_over_address_total",
        "counter",
        "Connections closed because their address had too many.",
        all.connections_over_address,
    );
    page.one(
        "adit_accepts_exhausted_total",
        "counter",
        "Accepts that found no descriptor or memory.",
        all.accepts_exhausted,
    );
    page.head(
        "adit_bad_preambles_total",
        "counter",
        "Connections ended for a PROXY preamble that was missing, bad, late or not asked for.",
    );
    for (reason, count) in all.bad_preambles() {
        let labels = format!("{{reason=\"{reason}\"}}");
        page.line("adit_bad_preambles_total", &labels, count);
    }
    page.head(
        "adit_tls_handshakes_total",
        "counter",
        "Downstream TLS handshakes by result.",
    );
    for (result, count) in [
        ("ok", all.handshakes_ok),
        ("unknown_name", all.handshakes_unknown_name),
        ("failed", all.handshakes_failed),
        ("bad_proof", all.handshakes_bad_proof),
    ] {
        page.line(
            "adit_tls_handshakes_total",
            &format!("{{result=\"{result}\"}}"),
            count,
        );
    }
}

fn upstreams(page: &mut Page, all: &Counters) {
    page.one(
        "adit_upstream_connects_total",
        "counter",
        "Connections made to upstreams.",
        all.upstream_connects,
    );
    page.one(
        "adit_upstream_connect_failures_total",
        "counter",
        "Connections to upstreams that failed.",
        all.upstream_connect_failures,
    );
    page.one(
        "adit_upstream_reused_total",
        "counter",
        "Exchanges on a pooled connection.",
        all.upstream_reused,
    );
    page.one(
        "adit_upstream_retries_total",
        "counter",
        "Requests repeated on a new connection.",
        all.upstream_retries,
    );
    page.one(
        "adit_upstream_idle_connections",
        "gauge",
        "Pooled connections, all cores.",
        all.upstream_idle,
    );
    page.one(
        "adit_upstream_resting",
        "gauge",
        "Servers that could not be connected to and get no requests, summed over cores.",
        all.upstream_resting,
    );
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(name, "", value);
    }
}

fn escape(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::Mechanism;
    use crate::telemetry::counters::Verdict;

    #[test]
    fn every_line_is_a_sample_or_a_comment() {
        let mut counters = Counters::default();
        counters.request(Mechanism::Token, Verdict::Forwarded, 200);
        counters.refusal("token_missing");
        let drivers = ["epoll".to_owned()];
        let process = Process {
            node: "a\"b",
            tunnels: 2,
            drivers: &drivers,
            uptime_seconds: 5,
            configuration: Configuration::default(),
            unix_seconds: 0,
            issuers: &[],
        };
        let text = write(&process, &[(0, counters)]);
        assert!(text.contains(
            "adit_requests_total{code=\"200\",mechanism=\"token\",result=\"forwarded\"} 1\n"
        ));
        assert!(text.contains("adit_auth_failures_total{reason=\"token_missing\"} 1\n"));
        assert!(text.contains("adit_node_info{node=\"a\\\"b\"} 1\n"));
        for line in text.lines() {
            let sample = line
                .rsplit_once(' ')
                .is_some_and(|(_, value)| value.parse::<u64>().is_ok());
            assert!(line.starts_with("# ") || sample, "{line}");
        }
    }
}
