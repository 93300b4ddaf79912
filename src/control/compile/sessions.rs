//! Who may enter by a session: the rules by which each request's session is judged.

use std::collections::HashMap;

use crate::authn::session::{Grant, SessionRules, Short, short};
use crate::config::settings::{Oidc, Settings, SignIn, SignInGrant, SignInProvider, SignInUser};
use crate::flow::input;
use crate::policy::Browsers;

/// Users of the configuration are one provider.
pub(in crate::control) fn builtin() -> Short {
    short(&[b"builtin"])
}

/// A subject is somebody at its issuer alone.
fn elsewhere(oidc: &Oidc) -> Short {
    short(&[b"oidc", oidc.issuer.as_bytes(), oidc.client_id.as_bytes()])
}

/// With the hash of the password in it: a new password ends the sessions of the old one.
pub(in crate::control) fn user_input(user: &SignInUser) -> Short {
    short(&[b"user", user.name.as_bytes(), user.password_hash.text()])
}

/// What cores judge browsers by. `None`: nobody signs in and nobody is challenged.
pub(in crate::control) fn browsers(settings: &Settings) -> Option<Browsers> {
    let sign_in = settings.sign_in.as_ref();
    let challenge = settings.challenge.as_ref();
    let sealer = sign_in.map(|one| &one.sealer);
    let sealer = sealer.or(challenge.map(|one| &one.sealer))?;
    Some(Browsers {
        sealer: sealer.clone(),
        sessions: sign_in.map(rules).unwrap_or_default(),
    })
}

/// The rules of a configuration.
pub(in crate::control) fn rules(sign_in: &SignIn) -> SessionRules {
    let mut grants = HashMap::new();
    let provider = match &sign_in.provider {
        SignInProvider::Builtin(users) => {
            for user in users {
                add(&mut grants, user_input(user), &user.projects, false);
            }
            builtin()
        }
        SignInProvider::Oidc(oidc) => elsewhere(oidc),
    };
    for grant in &sign_in.grants {
        for (input, rests_on_group) in inputs(grant) {
            add(&mut grants, input, &grant.projects, rests_on_group);
        }
    }
    SessionRules {
        provider,
        grants,
        claims_max_age: sign_in.claims_max_age.as_secs(),
    }
}

/// What about a user meets this grant, and whether that is a group.
fn inputs(grant: &SignInGrant) -> impl Iterator<Item = (Short, bool)> {
    let named = |input: fn(&str) -> Short, names: &[String], is_group| {
        let inputs = names.iter().map(|name| (input(name), is_group));
        inputs.collect::<Vec<_>>()
    };
    [
        named(input::email, &grant.emails, false),
        named(input::email_domain, &grant.email_domains, false),
        named(input::subject, &grant.subjects, false),
        named(input::group, &grant.groups, true),
    ]
    .into_iter()
    .flatten()
}

fn add(
    grants: &mut HashMap<Short, Grant>,
    input: Short,
    projects: &[String],
    rests_on_group: bool,
) {
    let grant = grants.entry(input).or_default();
    grant.rests_on_group = rests_on_group;
    for project in projects {
        if !grant.projects.iter().any(|one| **one == **project) {
            grant.projects.push(project.as_str().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::authn::session::SessionError;
    use crate::password::PasswordHash;
    use crate::seal::Sealer;
    use crate::secret::Secret;

    const HASHES: [&str; 2] = [
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$DTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ];

    fn user(hash: &str) -> SignInUser {
        SignInUser {
            name: "ana".to_owned(),
            password_hash: PasswordHash::parse(hash).unwrap(),
            projects: vec!["p1".to_owned()],
        }
    }

    fn sign_in(grants: Vec<SignInGrant>) -> SignIn {
        SignIn {
            provider: SignInProvider::Builtin(vec![user(HASHES[0])]),
            session_lifetime: Duration::from_secs(60),
            claims_max_age: Duration::from_secs(900),
            sealer: Arc::new(Sealer::new(Secret::new(vec![7; 32]), None).unwrap()),
            title: None,
            logo: None,
            grants,
        }
    }

    #[test]
    fn a_user_enters_its_projects_until_its_password_changes() {
        let rules = rules(&sign_in(Vec::new()));
        let judge = |hash: &str, project| {
            let inputs = [user_input(&user(hash))];
            rules.judge_grants(&inputs, 0, project, 1_000_000)
        };
        assert_eq!(judge(HASHES[0], "p1"), Ok(()));
        assert_eq!(judge(HASHES[0], "p2"), Err(SessionError::NotAllowed));
        assert_eq!(judge(HASHES[1], "p1"), Err(SessionError::Ended));
    }

    #[test]
    fn grants_of_one_name_add_up_and_groups_grow_old() {
        let grant = |project: &str| SignInGrant {
            emails: vec!["ana@example.com".to_owned()],
            email_domains: vec!["example.com".to_owned()],
            groups: vec!["staff".to_owned()],
            subjects: vec!["ana".to_owned()],
            projects: vec![project.to_owned()],
        };
        let rules = rules(&sign_in(vec![grant("p2"), grant("p3"), grant("p2")]));
        for (kind, name, age, verdict) in [
            (&b"email"[..], &b"ana@example.com"[..], 9999, Ok(())),
            (b"domain", b"example.com", 9999, Ok(())),
            (b"subject", b"ana", 9999, Ok(())),
            (b"group", b"staff", 900, Ok(())),
            (b"group", b"staff", 901, Err(SessionError::ClaimsTooOld)),
            (b"email", b"example.com", 0, Err(SessionError::Ended)),
            (b"group", b"ana", 0, Err(SessionError::Ended)),
        ] {
            let inputs = [short(&[kind, name])];
            for project in ["p2", "p3"] {
                let judged = rules.judge_grants(&inputs, 0, project, age);
                assert_eq!(judged, verdict, "{}", kind.escape_ascii());
            }
        }
        assert_eq!(rules.grants[&input::subject("ana")].projects.len(), 2);
    }
}
