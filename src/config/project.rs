//! `[[project]]`: what tunnels belong to and are bounded by, and what the boundaries of tokens name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::access;
use super::field::{At, Field};
use super::nearest::nearest;
use super::problem::{Findings, Place};
use super::reader::Reader;
use super::settings::{Access, Geoip, Project, PublicAccess, TlsVersion, TrustedIps};
use super::written::quoted;

/// All projects by their ids.
pub(super) type ProjectIds<'a> = BTreeSet<&'a str>;

/// All projects by their ids, each with its place.
pub(super) type ProjectBounds<'a> = BTreeMap<&'a str, &'a At<Project>>;

pub(super) fn by_id(projects: &[At<Project>]) -> ProjectBounds<'_> {
    let all = projects.iter();
    all.map(|at| (at.value.id.as_str(), at)).collect()
}

pub(super) fn ids<'a>(bounds: &ProjectBounds<'a>) -> ProjectIds<'a> {
    bounds.keys().copied().collect()
}

/// Of so many projects at most one is suggested: each id is compared with each.
const NEAREST_OF_MAX: usize = 100;

/// Every `[[project]]` with its place. `None` if one is not usable: then nobody can say which projects there are.
pub(super) fn projects(root: &Reader<'_>, database: &Field<Geoip>) -> Option<Vec<At<Project>>> {
    let known = &[
        "id",
        "workspace",
        "public_access",
        "trusted_ips",
        "geoip",
        "tls_min_version",
    ];
    let tables = root.tables("project", known)?;
    let mut seen: HashMap<String, Place> = HashMap::new();
    let mut projects = Vec::new();
    let count = tables.len();
    for table in tables {
        let id = identifier(&table, "id").then(|at| {
            if let Some(first) = seen.get(&at.value) {
                let message = format!("{} is already a project at {first}", quoted(&at.value));
                table.findings.error(&at.spot, message);
                return None;
            }
            seen.insert(at.value.clone(), at.spot.place.clone());
            Some(at.value.clone())
        });
        let project = project(&table, id, database);
        projects.extend(project.map(|value| At {
            value,
            spot: table.spot.clone(),
        }));
    }
    (projects.len() == count).then_some(projects)
}

fn project(table: &Reader<'_>, id: Field<String>, database: &Field<Geoip>) -> Option<Project> {
    let findings: &Findings = table.findings;
    let id = id.required(findings, "id = \"proj-1\"");
    let workspace = identifier(table, "workspace").required(findings, "workspace = \"ws-1\"");
    let words = [
        ("allowed", PublicAccess::Allowed),
        ("auth-required", PublicAccess::AuthRequired),
        ("forbidden", PublicAccess::Forbidden),
    ];
    let public_access = table
        .word("public_access", &words)
        .or(PublicAccess::Allowed);
    let written = access::read(table, database)?;
    let all = written.trusted_ips.into_iter().flat_map(|at| at.value);
    let trusted_ips = TrustedIps::new(all.map(|at| at.value).collect());
    let all = written.geoip.into_iter().flat_map(|at| at.value);
    let geoip = all.map(|at| at.value).collect();
    let minimum = written.tls_min_version;
    Some(Project {
        id: id?.value,
        workspace: workspace?.value,
        public_access: public_access?,
        access: Access {
            trusted_ips,
            geoip,
            tls_min_version: minimum.map_or(TlsVersion::Tls12, |at| at.value),
        },
    })
}

pub(super) fn identifier(table: &Reader<'_>, key: &str) -> Field<String> {
    table.value(key, "1 to 128 visible ASCII characters", |node| {
        let id = node.text()?;
        is_identifier(id).then(|| id.to_owned())
    })
}

pub(super) fn is_identifier(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic())
}

/// Whether there is such a project; if not, that is reported.
pub(super) fn exists(table: &Reader<'_>, id: &At<String>, projects: &ProjectIds<'_>) -> bool {
    let missing = missing(&id.value, projects);
    let exists = missing.is_none();
    if let Some(message) = missing {
        table.findings.error(&id.spot, message);
    }
    exists
}

/// What to say of an id that no project has.
pub(super) fn missing(id: &str, projects: &ProjectIds<'_>) -> Option<String> {
    if projects.contains(id) {
        return None;
    }
    let found = quoted(id);
    // Where there are many, programs wrote them, and there may be as many ids that another node has.
    let near = (projects.len() <= NEAREST_OF_MAX).then(|| nearest(id, projects.iter().copied()));
    let cure = match near.flatten() {
        Some(near) => format!("did you mean {}?", quoted(near)),
        None => format!("add a [[project]] with id = {found}"),
    };
    Some(format!("there is no project {found}; {cure}"))
}
