//! `[[sign_in.grant]]`: which of those who have signed in may enter which projects (S5.6).

use super::credential::some_projects;
use super::field::At;
use super::hostname;
use super::project::ProjectIds;
use super::reader::Reader;
use super::settings::SignInGrant;
use super::written::Node;

const NAMES: [&str; 4] = ["emails", "email_domains", "groups", "subjects"];
const NAME_BYTES_MAX: usize = 255;

/// Every grant. `builtin`: of users of the configuration.
pub(super) fn grants(
    table: &Reader<'_>,
    projects: Option<&ProjectIds<'_>>,
    builtin: bool,
) -> Option<Vec<SignInGrant>> {
    let known = &["emails", "email_domains", "groups", "subjects", "projects"];
    let tables = table.tables("grant", known)?;
    let grants: Vec<Option<SignInGrant>> = tables
        .iter()
        .map(|table| grant(table, projects, builtin))
        .collect();
    grants.into_iter().collect()
}

fn grant(
    table: &Reader<'_>,
    projects: Option<&ProjectIds<'_>>,
    builtin: bool,
) -> Option<SignInGrant> {
    let findings = table.findings;
    let emails = "an e-mail address in lower case such as \"ana@example.com\"";
    let emails = names(table, "emails", emails, email);
    let domains = "a domain in lower case such as \"example.com\"";
    let domains = names(table, "email_domains", domains, |node| {
        let text = node.text()?;
        let name = hostname::canonical_or_wildcard(text).ok()?;
        (name == text && !text.starts_with('*')).then_some(name)
    });
    let any = "text of 1 to 255 bytes";
    let groups = names(table, "groups", any, name);
    let subjects = names(table, "subjects", any, name);
    let projects = table
        .texts("projects")
        .then(|at| some_projects(table, at, projects))
        .required(findings, "projects = [\"proj-1\"]");
    let (emails, domains, groups, subjects) = (emails?, domains?, groups?, subjects?);
    let all = [&emails, &domains, &groups, &subjects];
    if all.iter().all(|names| names.is_empty()) {
        let message = format!(
            "names nobody: write one of {}, or remove it",
            NAMES.join(", ")
        );
        findings.error(&table.spot, message);
        return None;
    }
    if builtin && subjects.is_empty() {
        let message = "built-in users have no e-mail address and no groups, so nobody meets this; write subjects, or projects at the user";
        findings.warn(&table.spot, message);
    }
    Some(SignInGrant {
        emails,
        email_domains: domains,
        groups,
        subjects,
        projects: projects?.value,
    })
}

fn names(
    table: &Reader<'_>,
    key: &str,
    expected: &str,
    convert: impl Fn(&Node) -> Option<String>,
) -> Option<Vec<String>> {
    let list: Vec<At<String>> = table.list(key, expected, convert).or(Vec::new())?;
    Some(list.into_iter().map(|at| at.value).collect())
}

fn name(node: &Node) -> Option<String> {
    let text = node.text()?;
    (1..=NAME_BYTES_MAX)
        .contains(&text.len())
        .then(|| text.to_owned())
}

/// As a provider's is compared: ASCII, lower case, one `@` with something on both sides.
fn email(node: &Node) -> Option<String> {
    let text = name(node)?;
    let (local, domain) = text.split_once('@')?;
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
    (plain && !local.is_empty() && !domain.is_empty() && !domain.contains('@')).then_some(text)
}
