//! What the cores count of connections, upstreams and themselves.

use std::time::Duration;

use super::page::Page;
use crate::telemetry::counters::Counters;

pub(super) fn connections(page: &mut Page, all: &Counters, cores: &[(usize, Counters)]) {
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
    handshakes(page, all);
}

fn handshakes(page: &mut Page, all: &Counters) {
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
    page.head(
        "adit_tls_handshake_kinds_total",
        "counter",
        "Downstream TLS handshakes that succeeded: full ones, and those that went on with an earlier session.",
    );
    for (kind, count) in [
        (
            "full",
            all.handshakes_ok.saturating_sub(all.handshakes_resumed),
        ),
        ("resumed", all.handshakes_resumed),
    ] {
        let labels = format!("{{kind=\"{kind}\"}}");
        page.line("adit_tls_handshake_kinds_total", &labels, count);
    }
}

pub(super) fn upstreams(page: &mut Page, all: &Counters) {
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

pub(super) fn inside(page: &mut Page, all: &Counters, cores: &[(usize, Counters)]) {
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
    page.head(
        "adit_core_cpu_seconds_total",
        "counter",
        "CPU time of each core's thread.",
    );
    for (core, counters) in cores {
        let labels = format!("{{core=\"{core}\"}}");
        let seconds = Duration::from_nanos(counters.cpu_nanoseconds).as_secs_f64();
        page.line("adit_core_cpu_seconds_total", &labels, seconds);
    }
}
