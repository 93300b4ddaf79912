//! Credentials and issuers that can connect to no tunnel of this configuration: a label, a host or a project that is
//! misspelt lets nothing in, so nothing else would ever say so.
//!
//! Comes in: settings without a fault. Goes out: warnings. Looked for by `adit check` alone, because it weighs each
//! boundary against tunnels: a start and a reload do not pay for that.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use super::credential;
use super::issuer;
use super::reader::Reader;
use super::settings::Settings;
use crate::boundary::{self, Connect, ConnectContext, TunnelProperties};
use crate::http::path::JudgedPath;
use crate::json::Json;
use crate::token::CONNECT_PERMISSION;

/// How often a boundary is weighed against a tunnel at most: what comes after that is taken to be good. Most boundaries
/// allow the first tunnel that they meet; this many take less than a second.
const WEIGHED_MAX: usize = 4_000_000;

/// Conditions that one warning names.
const NAMED_MAX: usize = 3;

/// Warns of all that reach nothing and were hardly meant to.
pub(super) fn warn(root: &Reader<'_>, settings: &Settings) {
    let mut search = Search::new(settings);
    let revoked = settings
        .tokens
        .as_ref()
        .map(|tokens| &tokens.revocations.credentials);
    let tables = root.tables("credential", credential::KNOWN);
    for (table, credential) in tables.iter().flatten().zip(&settings.credentials) {
        let permissions = credential.permissions.as_deref();
        let is_revoked =
            credential.revoked || revoked.is_some_and(|ids| ids.contains(&credential.id));
        if !is_revoked && permissions.is_none_or(may_connect) {
            search.look_at(table, &credential.projects, credential.boundary.as_ref());
        }
    }
    let tables = root.tables("issuer", issuer::KNOWN);
    for (table, issuer) in tables.iter().flatten().zip(&settings.issuers) {
        if may_connect(&issuer.permissions) {
            search.look_at(table, &issuer.projects, issuer.boundary.as_ref());
        }
    }
}

fn may_connect(permissions: &[String]) -> bool {
    permissions.iter().any(|one| one == CONNECT_PERMISSION)
}

/// Tunnels by their projects, and what was found out of boundaries so far.
struct Search<'a> {
    /// Workspace and tunnels of each project.
    projects: HashMap<&'a str, (&'a str, Vec<TunnelProperties>)>,
    /// What is wrong with a boundary and a list of projects. Equal boundaries are one.
    known: HashMap<(*const Json, &'a [String]), Option<Arc<str>>>,
    /// How often a boundary may still be weighed.
    left: Cell<usize>,
}

impl<'a> Search<'a> {
    fn new(settings: &'a Settings) -> Self {
        let projects = settings.projects.iter();
        let mut projects: HashMap<&str, (&str, Vec<TunnelProperties>)> = projects
            .map(|project| (&*project.id, (&*project.workspace, Vec::new())))
            .collect();
        for tunnel in &settings.tunnels {
            if let Some((_, tunnels)) = projects.get_mut(&*tunnel.project) {
                tunnels.push(settings.properties(tunnel));
            }
        }
        Search {
            projects,
            known: HashMap::new(),
            left: Cell::new(WEIGHED_MAX),
        }
    }

    fn look_at(
        &mut self,
        table: &Reader<'_>,
        projects: &'a [String],
        boundary: Option<&'a Arc<Json>>,
    ) {
        let named = || projects.iter().filter_map(|id| self.projects.get(&**id));
        if named().all(|(_, tunnels)| tunnels.is_empty()) {
            // A project that does not exist was warned of where it is named.
            if named().next().is_some() {
                let message = "no tunnel is in any of these projects, so its tokens reach nothing";
                table.findings.warn(&table.spot_of("projects"), message);
            }
            return;
        }
        let Some(boundary) = boundary else {
            return;
        };
        let key = (Arc::as_ptr(boundary), projects);
        if !self.known.contains_key(&key) {
            let fault = self.fault(projects, boundary);
            self.known.insert(key, fault.map(Arc::from));
        }
        if let Some(Some(fault)) = self.known.get(&key) {
            table.findings.warn(&table.spot_of("resources"), &**fault);
        }
    }

    /// Why this boundary lets connect to no tunnel of these projects; `None`: to some it does. Rules for paths count as
    /// met.
    fn fault(&self, projects: &[String], written: &Json) -> Option<String> {
        let boundary = boundary::parse(written).ok()?;
        if !boundary.allows_connect_somewhere() {
            return Some("it allows connecting to no tunnel, whatever the tunnel is".to_owned());
        }
        let allows =
            |context: &ConnectContext<'_>| boundary.connect(context) != Connect::OutsideBoundary;
        if self.is_met(projects, allows) {
            return None;
        }
        let conditions = boundary::conditions(written);
        let unmet = conditions
            .iter()
            .filter(|one| !self.is_met(projects, |context| one.is_met(context)));
        let mut unmet: Vec<String> = unmet
            .take(NAMED_MAX + 1)
            .map(|one| format!("none {}", one.as_str()))
            .collect();
        if unmet.is_empty() {
            unmet.push("each of its conditions is met by one of them, and all by none".to_owned());
        }
        if unmet.len() > NAMED_MAX {
            unmet.truncate(NAMED_MAX);
            unmet.push("and more".to_owned());
        }
        let why = unmet.join(", ");
        Some(format!(
            "it allows connecting to no tunnel of its projects: {why}"
        ))
    }

    /// Whether a tunnel of these projects meets it. Once enough was weighed, one does.
    fn is_met(
        &self,
        projects: &[String],
        mut meets: impl FnMut(&ConnectContext<'_>) -> bool,
    ) -> bool {
        let path = JudgedPath {
            decoded: b"/",
            ambiguity: None,
        };
        for project in projects {
            let Some((workspace, tunnels)) = self.projects.get(&**project) else {
                continue;
            };
            for tunnel in tunnels {
                let Some(left) = self.left.get().checked_sub(1) else {
                    return true;
                };
                self.left.set(left);
                let context = ConnectContext {
                    project,
                    workspace,
                    tunnel,
                    path: &path,
                };
                if meets(&context) {
                    return true;
                }
            }
        }
        false
    }
}
