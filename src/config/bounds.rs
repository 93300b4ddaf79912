//! `[timeouts]` and `[limits]`: the bounds that an operator may set, within those of `limits.rs`.

use std::time::Duration;

use super::field::Field;
use super::reader::Reader;
use crate::limits::{
    CONNECTIONS_PER_CORE_MAX, HEAD_BYTES_MIN, HEADER_FIELDS_MAX, LARGE_BUFFER_BYTES, Limits,
    Timeouts,
};

/// `[timeouts]`.
pub(super) fn timeouts(root: &Reader<'_>) -> Option<Timeouts> {
    let table = root.table_or_empty(
        "timeouts",
        &[
            "header",
            "body_idle",
            "idle",
            "tls_handshake",
            "client_write_idle",
            "upstream_connect",
            "upstream_response",
            "upstream_read_idle",
            "upgrade_lifetime",
            "upstream_keepalive",
            "upstream_rest",
            "upstream_resolve",
            "drain",
        ],
    )?;
    let mut timeouts = Timeouts::default();
    let mut all_good = true;
    let mut set = |key: &str, timeout: &mut Duration| match table.duration(key) {
        Field::Good(at) => *timeout = at.value,
        Field::Absent(_) => {}
        Field::Bad => all_good = false,
    };
    set("header", &mut timeouts.header);
    set("body_idle", &mut timeouts.body_idle);
    set("idle", &mut timeouts.idle);
    set("tls_handshake", &mut timeouts.tls_handshake);
    set("client_write_idle", &mut timeouts.client_write_idle);
    set("upstream_connect", &mut timeouts.upstream_connect);
    set("upstream_response", &mut timeouts.upstream_response);
    set("upstream_read_idle", &mut timeouts.upstream_read_idle);
    set("upgrade_lifetime", &mut timeouts.upgrade_lifetime);
    set("upstream_keepalive", &mut timeouts.upstream_keepalive);
    set("upstream_rest", &mut timeouts.upstream_rest);
    set("upstream_resolve", &mut timeouts.upstream_resolve);
    set("drain", &mut timeouts.drain);
    all_good.then_some(timeouts)
}

/// `[limits]`.
pub(super) fn limits(root: &Reader<'_>) -> Option<Limits> {
    let table = root.table_or_empty(
        "limits",
        &[
            "head_bytes",
            "header_fields",
            "target_bytes",
            "connections_per_core",
            "requests_per_connection",
            "body_bytes",
            "connections_per_address",
            "body_min_rate",
            "upgrades_per_tunnel",
            "failed_verifications_per_second",
            "expensive_verifications_per_second",
        ],
    )?;
    let defaults = Limits::default();
    let head_bytes_max = LARGE_BUFFER_BYTES as u64 / 2;
    let head_bytes = table
        .size("head_bytes", HEAD_BYTES_MIN..=head_bytes_max)
        .or(defaults.head_bytes as u64);
    // Without a usable head_bytes the widest bound applies, so as not to report one mistake twice.
    let target_bytes_max = head_bytes.unwrap_or(head_bytes_max);
    let target_bytes = table
        .size("target_bytes", 1..=target_bytes_max)
        .or(target_bytes_max.min(defaults.target_bytes as u64));
    let header_fields = table
        .integer("header_fields", 1..=HEADER_FIELDS_MAX as u64)
        .or(defaults.header_fields as u64);
    let connections_per_core = table
        .integer("connections_per_core", 1..=CONNECTIONS_PER_CORE_MAX)
        .or(defaults.connections_per_core as u64);
    let requests_per_connection = table
        .integer("requests_per_connection", 0..=u64::MAX)
        .or(defaults.requests_per_connection);
    let body_bytes = table
        .size("body_bytes", 0..=u64::MAX)
        .or(defaults.body_bytes);
    let connections_per_address = table
        .integer("connections_per_address", 0..=CONNECTIONS_PER_CORE_MAX)
        .or(defaults.connections_per_address as u64);
    let body_min_rate = table
        .size("body_min_rate", 0..=u64::MAX)
        .or(defaults.body_min_rate);
    let upgrades_per_tunnel = table
        .integer("upgrades_per_tunnel", 0..=CONNECTIONS_PER_CORE_MAX)
        .or(defaults.upgrades_per_tunnel as u64);
    let failed_verifications_per_second = table
        .integer("failed_verifications_per_second", 0..=u32::MAX.into())
        .or(defaults.failed_verifications_per_second);
    let expensive_verifications_per_second = table
        .integer("expensive_verifications_per_second", 0..=u32::MAX.into())
        .or(defaults.expensive_verifications_per_second);
    Some(Limits {
        head_bytes: usize::try_from(head_bytes?).ok()?,
        header_fields: usize::try_from(header_fields?).ok()?,
        target_bytes: usize::try_from(target_bytes?).ok()?,
        connections_per_core: usize::try_from(connections_per_core?).ok()?,
        requests_per_connection: requests_per_connection?,
        connections_per_address: usize::try_from(connections_per_address?).ok()?,
        body_bytes: body_bytes?,
        body_min_rate: body_min_rate?,
        upgrades_per_tunnel: usize::try_from(upgrades_per_tunnel?).ok()?,
        failed_verifications_per_second: failed_verifications_per_second?,
        expensive_verifications_per_second: expensive_verifications_per_second?,
    })
}
