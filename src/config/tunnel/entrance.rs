//! Who may enter a tunnel: its mechanisms, and what they rest on.

use super::Context;
use super::bounds;
use super::browser;
use crate::authn::Authorization;
use crate::config::field::{At, Field};
use crate::config::hostname;
use crate::config::problem::Spot;
use crate::config::reader::Reader;
use crate::config::settings::{Certificate, Project, PublicAccess};
use crate::config::written::quoted;

/// The mechanisms of a tunnel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entrance {
    pub(super) token_auth: bool,
    pub(super) rstream_auth: bool,
    pub(super) mtls_auth: bool,
    /// Never authentication (S5.11).
    pub(super) challenge_mode: bool,
    pub(super) public: bool,
}

impl Entrance {
    /// The first mechanism that is on, and what it asks for.
    fn guard(self) -> Option<(&'static str, &'static str)> {
        let guards = [
            (self.token_auth, "token_auth", "a token"),
            (self.mtls_auth, "mtls_auth", "a certificate"),
            (self.rstream_auth, "rstream_auth", "a sign-in"),
        ];
        let first = guards.iter().find(|(is_on, _, _)| *is_on);
        first.map(|(_, key, proof)| (*key, *proof))
    }
}

/// The mechanisms; some must be on, or it must be said that none is meant.
pub(super) fn entrance(
    table: &Reader<'_>,
    context: &Context<'_>,
    project: Option<&At<Project>>,
) -> Option<Entrance> {
    let keys = [
        "token_auth",
        "rstream_auth",
        "mtls_auth",
        "challenge_mode",
        "public",
    ];
    let values = keys.map(|key| table.boolean(key).or(false));
    let [
        token_spot,
        session_spot,
        mtls_spot,
        challenge_spot,
        public_spot,
    ] = keys.map(|key| table.spot_of(key));
    let [token_auth, rstream_auth, mtls_auth, challenge_mode, public] = values;
    let entrance = Entrance {
        token_auth: token_auth?,
        rstream_auth: rstream_auth?,
        mtls_auth: mtls_auth?,
        challenge_mode: challenge_mode?,
        public: public?,
    };
    let findings = table.findings;
    if entrance.token_auth {
        tokens_can_pass(table, context, project, &token_spot)?;
    }
    if entrance.rstream_auth {
        browser::sessions_can_pass(table, context, project, &session_spot)?;
    }
    if entrance.mtls_auth {
        certificates_can_pass(table, context, project, &mtls_spot)?;
    }
    if entrance.challenge_mode {
        browser::challenges_can_pass(table, context, &challenge_spot)?;
    }
    proof_is_asked_for(table, entrance, project)?;
    match (entrance.guard(), entrance.public) {
        (Some((guard, proof)), true) => {
            let message = format!(
                "contradicts {guard} = true: remove public to ask for {proof}, or {guard} to let everybody in"
            );
            findings.error(&public_spot, message);
            return None;
        }
        (None, false) => {
            let message = if entrance.challenge_mode {
                "no authentication is on, and a challenge is none: write token_auth = true, or public = true if everybody who meets it may enter"
            } else {
                "no authentication is on, so everybody could enter: write token_auth = true, or public = true if that is meant"
            };
            findings.error(&table.spot, message);
            return None;
        }
        (None, true) if entrance.challenge_mode => {
            let message = "everybody who meets a challenge may enter this tunnel";
            findings.warn(&public_spot, message);
        }
        (None, true) => findings.warn(&public_spot, "everybody may enter this tunnel"),
        (Some(_), false) => {}
    }
    Some(entrance)
}

/// Whether a tunnel asks for a proof where its project says that it must. `None`: it does not, which is reported.
fn proof_is_asked_for(
    table: &Reader<'_>,
    entrance: Entrance,
    project: Option<&At<Project>>,
) -> Option<()> {
    let Some(project) = project else {
        return Some(());
    };
    if project.value.public_access != PublicAccess::AuthRequired || entrance.guard().is_some() {
        return Some(());
    }
    let (spot, instead) = match entrance.public {
        true => (table.spot_of("public"), " instead of public = true"),
        false => (table.spot.clone(), ""),
    };
    let why = if entrance.challenge_mode {
        ", and a challenge is none"
    } else {
        ""
    };
    let message = format!(
        "no authentication is on{why}, but public_access = \"auth-required\" in {} asks for one: write token_auth = true{instead} (or rstream_auth, or mtls_auth)",
        bounds::named(project)
    );
    table.findings.error(&spot, message);
    None
}

/// Whether there is any certificate that this tunnel would accept, and a handshake that asks for it. `None`: there
/// cannot be, which is reported.
fn certificates_can_pass(
    table: &Reader<'_>,
    context: &Context<'_>,
    project: Option<&At<Project>>,
    spot: &Spot,
) -> Option<()> {
    if context.serves_plain {
        let message = "a client shows its certificate in a TLS handshake, and [http] with mode = \"serve\" lets requests in without one: remove one of them";
        table.findings.error(spot, message);
        return None;
    }
    let certified = context.certified?;
    if certified.is_empty() {
        let message = "no certificate is accepted: add a [[credential]] with kind = \"mtls\"";
        table.findings.error(spot, message);
        return None;
    }
    if let Some(project) = project
        && !certified.contains(project.value.id.as_str())
    {
        let message = format!(
            "no certificate can pass: no [[credential]] with kind = \"mtls\" has this tunnel's project {}",
            quoted(&project.value.id)
        );
        table.findings.warn(spot, message);
    }
    Some(())
}

/// Origins whose pages may cause what a browser proves by itself, as browsers write them (RFC 6454 6.2).
pub(super) fn allowed_origins(table: &Reader<'_>) -> Option<Vec<String>> {
    let expected = "an origin as browsers write it, such as \"https://admin.example.com\": scheme, host in lower case, and the port where it is not that of the scheme";
    let list = table.list("allowed_origins", expected, |node| {
        let text = node.text()?;
        let url = url::Url::parse(text).ok()?;
        let is_web = matches!(url.scheme(), "https" | "http");
        (is_web && url.origin().ascii_serialization() == text).then(|| text.to_owned())
    });
    let list = list.or(Vec::new())?;
    Some(list.into_iter().map(|at| at.value).collect())
}

/// Whose the `Authorization` field is, on a tunnel with these mechanisms.
pub(super) fn authorization(
    table: &Reader<'_>,
    entrance: Option<Entrance>,
) -> Option<Authorization> {
    let words = [("edge", Authorization::Edge), ("app", Authorization::App)];
    let field = table.word("authorization", &words);
    if let (Field::Good(at), Some(entrance)) = (&field, entrance)
        && at.value == Authorization::App
        && !entrance.token_auth
    {
        let message = "says where tokens of the edge come from, and this tunnel asks for none";
        table.findings.warn(&at.spot, message);
    }
    field.or(Authorization::Edge)
}

/// Whether the upstream is told who sends, on a tunnel with these mechanisms.
pub(super) fn identity_headers(
    table: &Reader<'_>,
    context: &Context<'_>,
    entrance: Option<Entrance>,
) -> Option<bool> {
    let field = table.boolean("identity_headers");
    let findings = table.findings;
    if let Field::Good(at) = &field
        && at.value
    {
        if entrance.is_some_and(|entrance| entrance.public) {
            let message =
                "there is nobody to name where public = true asks for no proof: remove one of them";
            findings.error(&at.spot, message);
            return None;
        }
        let names = |certificate: &Certificate, host: &str| {
            let mut names = certificate.names.iter();
            names.any(|covering| hostname::certificate_covers(covering, host))
        };
        if let (Some(certificates), Some(host)) = (context.certificates, context.base_host)
            && !certificates
                .iter()
                .any(|certificate| names(certificate, host))
        {
            let message = format!(
                "no certificate covers the base host {host}, so upstreams cannot fetch the keys that verify what they are told"
            );
            findings.warn(&at.spot, message);
        }
    }
    field.or(false)
}

/// Whether there is any token that this tunnel would accept. `None`: there cannot be, which is reported.
fn tokens_can_pass(
    table: &Reader<'_>,
    context: &Context<'_>,
    project: Option<&At<Project>>,
    spot: &Spot,
) -> Option<()> {
    match context.tokens {
        Field::Good(_) => {}
        Field::Bad => return Some(()),
        Field::Absent(_) => {
            table.findings.error(
                spot,
                "needs the secret that tokens are signed with: add [tokens] with hs256_secret_file, and a [[credential]] or [tokens.ce]",
            );
            return None;
        }
    }
    let Some(reached) = context.reached else {
        return Some(());
    };
    // Nobody's list of projects may be empty.
    if reached.is_empty() {
        table.findings.error(
            spot,
            "no token is accepted: add a [[credential]] that tokens belong to, an [[issuer]], or [tokens.ce] for tokens without a stored credential",
        );
        return None;
    }
    if let Some(project) = project
        && !reached.contains(project.value.id.as_str())
    {
        let message = format!(
            "no token can pass: no [[credential]], no [[issuer]] and no [tokens.ce] has this tunnel's project {}",
            quoted(&project.value.id)
        );
        table.findings.warn(spot, message);
    }
    Some(())
}
