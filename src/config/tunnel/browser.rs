//! What browsers go through before they enter a tunnel: signing in, and challenges.

use super::Context;
use crate::config::field::{At, Field};
use crate::config::problem::Spot;
use crate::config::reader::Reader;
use crate::config::settings::Project;
use crate::config::written::quoted;

/// Whether somebody could sign in here. `None`: nobody could, which is reported.
pub(super) fn sessions_can_pass(
    table: &Reader<'_>,
    context: &Context<'_>,
    project: Option<&At<Project>>,
    spot: &Spot,
) -> Option<()> {
    needs_https(table, context, spot)?;
    match context.sign_in {
        Field::Bad => Some(()),
        Field::Absent(_) => {
            let message = "needs [sign_in] with seal_key_file and a [[sign_in.user]]";
            table.findings.error(spot, message);
            None
        }
        Field::Good(sign_in) => {
            if let Some(project) = project
                && !sign_in.value.projects().any(|id| id == project.value.id)
            {
                let message = format!(
                    "nobody who signs in can pass: no [[sign_in.user]] and no [[sign_in.grant]] has this tunnel's project {}",
                    quoted(&project.value.id)
                );
                table.findings.warn(spot, message);
            }
            Some(())
        }
    }
}

/// Whether a challenge could be met here. `None`: none could, which is reported.
pub(super) fn challenges_can_pass(
    table: &Reader<'_>,
    context: &Context<'_>,
    spot: &Spot,
) -> Option<()> {
    needs_https(table, context, spot)?;
    if let Field::Absent(_) = context.challenge {
        let message = "needs [challenge]";
        table.findings.error(spot, message);
        return None;
    }
    Some(())
}

/// Its cookies go over TLS alone, and its pages are on the base host.
fn needs_https(table: &Reader<'_>, context: &Context<'_>, spot: &Spot) -> Option<()> {
    if !context.has_https {
        let message = "needs [https]: its cookies go over TLS alone";
        table.findings.error(spot, message);
        return None;
    }
    let Some((certificates, host)) = context.certificates.zip(context.base_host) else {
        return Some(());
    };
    let covers = |covering: &String| crate::config::hostname::certificate_covers(covering, host);
    if !certificates.iter().flat_map(|one| &one.names).any(covers) {
        let message = format!(
            "no certificate covers the base host {host}, where its pages are, so browsers will refuse them"
        );
        table.findings.warn(spot, message);
    }
    Some(())
}
