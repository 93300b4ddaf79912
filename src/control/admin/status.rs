//! `/status`: what the process does, as JSON for programs and for the live page.
//!
//! Counts are since the start, so that two answers tell what happened between them. Nothing in it is a secret, a query or
//! a token; text is as the configuration and clients wrote it, and is shown as text.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::authn::Authorization;
use crate::control::engine::Engine;
use crate::control::engine::seen::Published;
use crate::policy::Mechanisms;
use crate::telemetry::counters::{Counters, Verdict};
use crate::telemetry::latency::{BOUNDS_US, Histogram};
use crate::telemetry::recent::Refused;

/// Tunnels that are told one by one.
const TUNNELS_MAX: usize = 200;

/// Asks every core, so it takes as long as the slowest of them.
pub(super) fn status(engine: &Engine, started: Duration) -> Value {
    let cores = engine.reports();
    let mut all = Counters::default();
    for (_, counters) in &cores {
        all.merge(counters);
    }
    let now = engine.clock().now();
    let uptime = now.monotonic.saturating_sub(started);
    let configuration = engine.configuration();
    let published = engine.published(TUNNELS_MAX);
    json!({
        "node": engine.node(),
        "version": env!("CARGO_PKG_VERSION"),
        "unix_ms": millis(now.unix),
        "uptime_ms": millis(uptime),
        "draining": engine.is_draining(),
        "config": {
            "stale": configuration.stale,
            "reloads_ok": configuration.reloads_taken,
            "reloads_refused": configuration.reloads_refused,
        },
        "requests": verdicts(&all),
        "refusals": all.refusals().collect::<BTreeMap<_, _>>(),
        "added_latency": times(&all.added),
        "first_byte": times(&all.first_byte),
        "bounds_us": BOUNDS_US,
        "cores": cores.iter().map(|(index, counters)| core(engine, *index, counters)).collect::<Vec<_>>(),
        "connections": {
            "open": all.connections_open,
            "total": all.connections_total,
            "shed": all.connections_shed + all.connections_over_address,
            "evicted": all.connections_evicted,
        },
        "tls": {
            "full": all.handshakes_ok.saturating_sub(all.handshakes_resumed),
            "resumed": all.handshakes_resumed,
            "failed": all.handshakes_failed + all.handshakes_unknown_name + all.handshakes_bad_proof,
        },
        "upstream": {
            "connects": all.upstream_connects,
            "connect_failures": all.upstream_connect_failures,
            "reused": all.upstream_reused,
            "retries": all.upstream_retries,
            "idle": all.upstream_idle,
            "resting": all.upstream_resting,
        },
        "token_cache": {
            "hits": all.token_cache_hits,
            "misses": all.token_cache_misses,
            "entries": all.token_cache_entries,
        },
        "body_bytes": { "in": all.bytes_in, "out": all.bytes_out },
        "log_lines_dropped": all.log_lines_dropped,
        "panics": all.panics,
        "tunnels_total": engine.tunnels(),
        "tunnels": published.iter().map(tunnel).collect::<Vec<_>>(),
        "recent_refusals": engine.recent_refusals().iter().map(refusal).collect::<Vec<_>>(),
    })
}

/// As far as a number of JSON goes.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Finished exchanges by what became of them.
fn verdicts(counters: &Counters) -> BTreeMap<&'static str, u64> {
    let mut counts: BTreeMap<_, _> = Verdict::ALL.map(|verdict| (verdict.as_str(), 0)).into();
    for (_, verdict, _, count) in counters.requests() {
        *counts.entry(verdict.as_str()).or_default() += count;
    }
    counts
}

/// `counts` has one number for each of `bounds_us`, and one for what took longer.
fn times(times: &Histogram) -> Value {
    json!({
        "count": times.count(),
        "p50_us": times.quantile_us(500),
        "p99_us": times.quantile_us(990),
        "counts": times.counts(),
    })
}

fn core(engine: &Engine, index: usize, counters: &Counters) -> Value {
    json!({
        "core": index,
        "driver": engine.drivers().get(index),
        "cpu_ms": counters.cpu_nanoseconds / 1_000_000,
        "connections": counters.connections_open,
        "requests": counters.requests().map(|(_, _, _, count)| count).sum::<u64>(),
    })
}

fn tunnel(tunnel: &Published) -> Value {
    json!({
        "hostname": tunnel.hostname,
        "project": tunnel.project,
        "guards": guards(tunnel.guards),
        "authorization": match tunnel.authorization {
            Authorization::Edge => "edge",
            Authorization::App => "app",
        },
        "servers": tunnel.servers,
    })
}

/// By the names of their keys; none at all is `public`.
fn guards(guards: Mechanisms) -> Vec<&'static str> {
    let Mechanisms {
        token,
        certificate,
        session,
        challenge,
    } = guards;
    [
        (token, "token_auth"),
        (session, "rstream_auth"),
        (certificate, "mtls_auth"),
        (challenge, "challenge_mode"),
        (!guards.authenticates(), "public"),
    ]
    .into_iter()
    .filter_map(|(is_on, name)| is_on.then_some(name))
    .collect()
}

fn refusal(refused: &Refused) -> Value {
    json!({
        "unix_ms": millis(refused.at),
        "request_id": refused.request_id.as_str(),
        "client": refused.client.as_str(),
        "method": refused.method.as_str(),
        "host": refused.host.as_str(),
        "path": refused.path.as_str(),
        "status": refused.status,
        "reason": refused.reason,
        "detail": refused.detail,
        "mechanism": refused.mechanism,
        "credential": refused.credential.as_str(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_alone_is_public_too() {
        let challenge = Mechanisms {
            challenge: true,
            ..Mechanisms::default()
        };
        assert_eq!(guards(challenge), ["challenge_mode", "public"]);
        assert_eq!(guards(Mechanisms::default()), ["public"]);
        let token = Mechanisms {
            token: true,
            ..Mechanisms::default()
        };
        assert_eq!(guards(token), ["token_auth"]);
    }
}
