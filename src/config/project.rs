//! `[[project]]`: what tunnels belong to, and what the boundaries of tokens name.

use std::collections::{BTreeSet, HashMap};

use super::field::{At, Field};
use super::nearest::nearest;
use super::problem::{Findings, Place};
use super::reader::Reader;
use super::settings::Project;
use super::unbuilt::Harmless;
use super::written::quoted;

/// All projects by their ids.
pub(super) type ProjectIds<'a> = BTreeSet<&'a str>;

/// Of so many projects at most one is suggested: each id is compared with each.
const NEAREST_OF_MAX: usize = 100;

/// Every `[[project]]`. `None` if one is not usable: then nobody can say which projects there are.
pub(super) fn projects(root: &Reader<'_>) -> Option<Vec<Project>> {
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
        projects.extend(project(&table, id));
    }
    (projects.len() == count).then_some(projects)
}

fn project(table: &Reader<'_>, id: Field<String>) -> Option<Project> {
    let findings: &Findings = table.findings;
    let id = id.required(findings, "id = \"proj-1\"");
    let workspace = identifier(table, "workspace").required(findings, "workspace = \"ws-1\"");
    let later = ["auth-required", "forbidden"];
    let feature = "any other access is";
    table.only_word("public_access", "allowed", &later, feature);
    let empty = Harmless::EmptyList;
    table.unbuilt("trusted_ips", "rules by client address are", empty);
    table.unbuilt("geoip", "rules by country are", empty);
    tls_minimum_of_listener(table);
    Some(Project {
        id: id?.value,
        workspace: workspace?.value,
    })
}

/// `tls_min_version` of a project or tunnel: only what the listener asks for anyway.
pub(super) fn tls_minimum_of_listener(table: &Reader<'_>) {
    let feature = "a TLS minimum of one project or tunnel (https.tls_min_version is for all) is";
    table.only_word("tls_min_version", "tls1.2", &["tls1.3"], feature);
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
