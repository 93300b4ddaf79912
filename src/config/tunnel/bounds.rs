//! What a tunnel asks of clients before any proof, within the bounds of its project (rstream 11).
//!
//! What a tunnel leaves out is its project's; what both say, both must hold. Refuses lists that have nothing in common, a
//! tunnel in a project without tunnels, and a TLS minimum where requests come in without TLS (S6.3). Warns of what a tunnel
//! says in vain.

use std::fmt::Display;
use std::sync::Arc;

use ipnet::IpNet;

use super::Context;
use crate::config::access;
use crate::config::field::At;
use crate::config::reader::Reader;
use crate::config::settings::{Access, Project, PublicAccess, TlsVersion, TrustedIps};
use crate::config::written::quoted;
use crate::network::country::Country;

/// What holds for this tunnel. `None`: that cannot be said, which is reported.
pub(super) fn access(
    table: &Reader<'_>,
    context: &Context<'_>,
    project: Option<&At<Project>>,
) -> Option<Access> {
    let written = access::read(table, context.geoip)?;
    let project = project?;
    let bound = &project.value.access;
    let trusted_ips = match &written.trusted_ips {
        None => Some(bound.trusted_ips.clone()),
        Some(list) => match &bound.trusted_ips {
            None => Some(TrustedIps::new(
                list.value.iter().map(|at| at.value).collect(),
            )),
            Some(bound) => trusted_ips(table, list, bound, project).map(TrustedIps::new),
        },
    };
    let geoip = match &written.geoip {
        None => Some(bound.geoip.clone()),
        Some(list) if bound.geoip.is_empty() => {
            Some(list.value.iter().map(|at| at.value).collect())
        }
        Some(list) => countries(table, list, project),
    };
    let tls_min_version = tls_minimum(table, context, written.tls_min_version.as_ref(), project);
    Some(Access {
        trusted_ips: trusted_ips?,
        geoip: geoip?,
        tls_min_version: tls_min_version?,
    })
}

/// Whether its project may have tunnels at all; if not, that is reported.
pub(super) fn may_be_published(table: &Reader<'_>, project: &At<Project>) -> bool {
    let forbidden = project.value.public_access == PublicAccess::Forbidden;
    if forbidden {
        let message = format!(
            "Project public access policy forbids published tunnels. Remove this tunnel, or write public_access = \"auth-required\" or \"allowed\" in {}",
            named(project)
        );
        table.findings.error(&table.spot_of("project"), message);
    }
    !forbidden
}

/// What is in both lists.
fn trusted_ips(
    table: &Reader<'_>,
    list: &At<Vec<At<IpNet>>>,
    bound: &TrustedIps,
    project: &At<Project>,
) -> Option<Vec<IpNet>> {
    let mut common: Vec<IpNet> = Vec::new();
    let mut wider = Vec::new();
    for at in &list.value {
        let part = bound.set.part_of(at.value);
        if part != [at.value] {
            wider.push(at);
        }
        let new = part.into_iter().filter(|one| !common.contains(one));
        common.extend(new.collect::<Vec<_>>());
    }
    if common.is_empty() {
        nothing_in_common(table, list, project, "address");
        return None;
    }
    for at in wider {
        warn_of_wider(table, at, project, "trusted_ips");
    }
    Some(common)
}

fn countries(
    table: &Reader<'_>,
    list: &At<Vec<At<Country>>>,
    project: &At<Project>,
) -> Option<Arc<[Country]>> {
    let bound = &project.value.access.geoip;
    let (inside, outside): (Vec<_>, Vec<_>) =
        list.value.iter().partition(|at| bound.contains(&at.value));
    if inside.is_empty() {
        nothing_in_common(table, list, project, "country");
        return None;
    }
    for at in outside {
        let shown = At {
            value: at.value.as_str(),
            spot: at.spot.clone(),
        };
        warn_of_wider(table, &shown, project, "geoip");
    }
    Some(inside.into_iter().map(|at| at.value).collect())
}

fn nothing_in_common<T>(table: &Reader<'_>, list: &At<T>, project: &At<Project>, what: &str) {
    let message = format!(
        "nobody could pass: no {what} is both in this list and in that of {}, and both must have it",
        named(project)
    );
    table.findings.error(&list.spot, message);
}

fn warn_of_wider(table: &Reader<'_>, at: &At<impl Display>, project: &At<Project>, key: &str) {
    let message = format!(
        "\"{}\" goes beyond {key} of {}: only what lies in both may enter",
        at.value,
        named(project)
    );
    table.findings.warn(&at.spot, message);
}

/// The higher of what tunnel and project ask for.
fn tls_minimum(
    table: &Reader<'_>,
    context: &Context<'_>,
    written: Option<&At<TlsVersion>>,
    project: &At<Project>,
) -> Option<TlsVersion> {
    let bound = project.value.access.tls_min_version;
    let own = written.map_or(bound, |at| at.value.max(bound));
    let spot = table.spot_of("tls_min_version");
    if own > TlsVersion::Tls12 && context.serves_plain {
        let whose = match written {
            Some(at) if at.value == own => "a TLS minimum".to_owned(),
            Some(_) | None => format!("the TLS minimum of {}", named(project)),
        };
        let message = format!(
            "{whose} needs TLS, and [http] with mode = \"serve\" lets requests in without: remove one of them"
        );
        table.findings.error(&spot, message);
        return None;
    }
    if let Some(at) = written
        && at.value < bound
    {
        let message = format!("raised to \"tls1.3\", the minimum of {}", named(project));
        table.findings.warn(&at.spot, message);
    } else if let (Some(at), Some(listener)) = (written, context.tls_min_version)
        && at.value < listener
    {
        let message = "raised to \"tls1.3\", the https.tls_min_version";
        table.findings.warn(&at.spot, message);
    }
    Some(own)
}

/// A project and where it is.
pub(super) fn named(project: &At<Project>) -> String {
    format!(
        "project {} at {}",
        quoted(&project.value.id),
        project.spot.place
    )
}
