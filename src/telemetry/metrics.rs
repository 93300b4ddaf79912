//! The counters as Prometheus text (exposition format 0.0.4). Labels come from closed lists and the configuration only.

mod edge;
mod page;

use super::counters::Counters;
use page::{Page, escape};

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
    let mut page = Page::default();
    about(&mut page, process);
    requests(&mut page, &all);
    times(&mut page, &all);
    edge::connections(&mut page, &all, cores);
    edge::upstreams(&mut page, &all);
    edge::inside(&mut page, &all, cores);
    issuers(&mut page, process);
    page.finish()
}

fn about(page: &mut Page, process: &Process<'_>) {
    page.head(
        "adit_build_info",
        "gauge",
        "The running version and the driver of its cores.",
    );
    page.line(
        "adit_build_info",
        &format!(
            "{{version=\"{}\",driver=\"{}\"}}",
            env!("CARGO_PKG_VERSION"),
            escape(driver(process.drivers))
        ),
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

/// That of all cores, where they have the same.
fn driver(drivers: &[String]) -> &str {
    match drivers {
        [first, others @ ..] if others.iter().all(|other| other == first) => first,
        [] => "none",
        [..] => "mixed",
    }
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

fn times(page: &mut Page, all: &Counters) {
    page.histogram(
        "adit_added_latency_seconds",
        "What the edge itself adds to a forwarded request: without waiting for the upstream, the client or keys.",
        &all.added,
    );
    page.histogram(
        "adit_first_byte_seconds",
        "From the first byte of a forwarded request to the first piece of its answer, the upstream's time included.",
        &all.first_byte,
    );
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
                .is_some_and(|(_, value)| value.parse::<f64>().is_ok());
            assert!(line.starts_with("# ") || sample, "{line}");
        }
    }
}
