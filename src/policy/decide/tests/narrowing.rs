//! What bounds a token: its own claims, the record behind it, the credential that it was made from. Each only takes away,
//! for random boundaries of all three (rstream 3.4).

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::boundary::model::{self, Model, ModelRequest};
use crate::boundary::{self, Connect};
use crate::limits::TOKEN_BYTES_MAX;
use crate::token::{
    Algorithm, CONNECT_PERMISSION, Credential, CredentialKind, Credentials, Issuer, KeySet,
    VerifyingKey,
};

const ISSUER: &str = "https://idp.example.com";
const SHARED: &[u8] = b"a secret that is shared with the issuer alone";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Ce,
    Pat,
    Auth,
    /// Of an auth token that was made from another credential, which bounds it too.
    AuthOfSource,
    Issuer,
}

const FAMILIES: [Family; 5] = [
    Family::Ce,
    Family::Pat,
    Family::Auth,
    Family::AuthOfSource,
    Family::Issuer,
];

/// What is stored.
#[derive(Clone, Debug)]
struct Record {
    projects: Vec<&'static str>,
    permissions: Option<Vec<&'static str>>,
    boundary: Option<Model>,
}

/// One request, and all that bounds its token.
#[derive(Clone, Debug)]
struct Case {
    family: Family,
    owner: Record,
    source: Record,
    permissions: Option<Vec<&'static str>>,
    boundary: Option<Model>,
    request: ModelRequest,
}

fn permissions() -> impl Strategy<Value = Option<Vec<&'static str>>> {
    prop_oneof![
        3 => Just(None),
        3 => Just(Some(vec![CONNECT_PERMISSION])),
        1 => Just(Some(vec!["tunnels.resources.read-only", CONNECT_PERMISSION])),
        1 => Just(Some(vec!["tunnels.resources.read-only"])),
        1 => Just(Some(Vec::new())),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let projects = prop::sample::subsequence(vec!["p1", "p2", "p3"], 1..=3);
    let boundary = prop::option::of(model::model());
    (projects, permissions(), boundary).prop_map(|(projects, permissions, boundary)| Record {
        projects,
        permissions,
        boundary,
    })
}

fn case() -> impl Strategy<Value = Case> {
    (
        prop::sample::select(&FAMILIES[..]),
        record(),
        record(),
        permissions(),
        prop::option::of(model::model()),
        model::request(),
    )
        .prop_map(
            |(family, owner, source, permissions, boundary, request)| Case {
                family,
                owner,
                source,
                permissions,
                boundary,
                request,
            },
        )
}

impl Record {
    fn bounds(&self, id: &str) -> Bounds {
        let boundary = self.boundary.as_ref().map(|model| {
            let json = crate::json::parse(model.json().to_string().as_bytes()).unwrap();
            Arc::new(boundary::parse(&json).unwrap())
        });
        let boxed = |list: &Vec<&str>| list.iter().map(|one| (*one).into()).collect();
        Bounds {
            id: id.into(),
            projects: boxed(&self.projects),
            permissions: self.permissions.as_ref().map(boxed),
            boundary,
        }
    }
}

impl Case {
    fn token(&self) -> String {
        let mut claims = json!({ "permissions": self.permissions, "iat": NOW, "exp": NOW + 60 });
        if let Some(boundary) = &self.boundary {
            claims["resources"] = json!({ "tunnels": boundary.json() });
        }
        let mut claim = |name: &str, value: &str| claims[name] = Value::from(value);
        match self.family {
            Family::Ce => {}
            Family::Pat => claim("type", "pat"),
            Family::Auth | Family::AuthOfSource => {
                claim("type", "auth");
                claim("userId", "owner");
                if self.family == Family::AuthOfSource {
                    claim("sourceCredentialId", "source");
                }
            }
            Family::Issuer => {
                claim("iss", ISSUER);
                return signed_with(SHARED, &claims.to_string());
            }
        }
        signed(&claims.to_string())
    }

    fn keys(&self, token: &str) -> TokenKeys {
        let owner = || self.owner.bounds("owner");
        let stored = |kind, bounds| Credential {
            bounds: Arc::new(bounds),
            kind,
            live: true,
            changed_at: None,
        };
        let hash = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        let hash = hash.as_ref().try_into().unwrap();
        let credentials = match self.family {
            Family::Ce | Family::Issuer => Vec::new(),
            Family::Pat => vec![stored(CredentialKind::Pat(hash), owner())],
            Family::Auth | Family::AuthOfSource => vec![
                stored(CredentialKind::User, owner()),
                stored(CredentialKind::User, self.source.bounds("source")),
            ],
        };
        let issuer = Issuer {
            audience: Vec::new(),
            max_lifetime: None,
            algorithms: vec![Algorithm::Hs256],
            fetched: false,
            keys: KeySet::One(VerifyingKey::secret(SHARED).unwrap()),
            bounds: Arc::new(owner()),
            resources_claim: Some("resources".to_owned()),
            subject_claim: "sub".to_owned(),
        };
        TokenKeys::new(SECRET, Some(owner()), "example.com")
            .with_credentials(Credentials::new(credentials, HashSet::new()), true)
            .with_issuers([(ISSUER.into(), issuer)])
    }

    fn live(&self) -> String {
        let token = self.token();
        let mut policy = policy();
        policy.keys = Some(self.keys(&token));
        let tunnel = Arc::get_mut(&mut policy.tunnels)
            .unwrap()
            .first_mut()
            .unwrap();
        tunnel.project = self.request.project.to_owned();
        tunnel.workspace = self.request.workspace.to_owned();
        tunnel.properties = self.request.tunnel();
        let head = format!(
            "GET {} HTTP/1.1\r\nHost: app.t.example.com\r\nAuthorization: Bearer {token}\r\n\r\n",
            self.request.raw_path()
        );
        word(&judge_with(&policy, plain(), &head, &mut memory()))
    }

    fn naive(&self) -> &'static str {
        let mut records = vec![&self.owner];
        if self.family == Family::AuthOfSource {
            records.push(&self.source);
        }
        let mut permissions: Vec<_> = records.iter().map(|record| &record.permissions).collect();
        // What another issuer calls permissions is its own matter.
        if self.family != Family::Issuer {
            permissions.push(&self.permissions);
        }
        let boundaries = records.iter().filter_map(|record| record.boundary.as_ref());
        let boundaries = boundaries.chain(&self.boundary);
        let connect = boundaries.map(|model| model.verdict(&self.request)).max();
        let owns = |record: &&Record| record.projects.contains(&self.request.project);
        if !records.iter().all(owns) {
            return "403 project_not_owned";
        }
        if !permissions.iter().all(|list| {
            let list = list.as_ref();
            list.is_none_or(|list| list.contains(&CONNECT_PERMISSION))
        }) {
            return "403 permission_missing";
        }
        match connect.unwrap_or(Connect::Allowed) {
            Connect::Allowed => "forward token withheld",
            Connect::PathAmbiguous => "403 path_ambiguous",
            Connect::PathOutsideBoundary => "403 path_outside_boundary",
            Connect::OutsideBoundary => "403 outside_boundary",
        }
    }

    /// The same with one thing that bounds it taken away.
    fn wider(&self, which: usize) -> Case {
        let mut wider = self.clone();
        match which {
            0 => wider.boundary = None,
            1 => wider.permissions = None,
            2 => wider.owner.boundary = None,
            3 => wider.owner.permissions = None,
            4 => wider.owner.projects = vec!["p1", "p2", "p3"],
            5 => wider.source.boundary = None,
            6 => wider.source.permissions = None,
            _ => wider.source.projects = vec!["p1", "p2", "p3"],
        }
        wider
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_that_bounds_a_token_must_allow_a_request(case in case()) {
        prop_assume!(case.token().len() <= TOKEN_BYTES_MAX);
        prop_assert_eq!(case.live(), case.naive());
    }

    #[test]
    fn nothing_that_bounds_a_token_lets_it_reach_further(case in case(), which in 0..8_usize) {
        prop_assume!(case.token().len() <= TOKEN_BYTES_MAX);
        if case.live().starts_with("forward") {
            let wider = case.wider(which).live();
            prop_assert!(wider.starts_with("forward"), "{wider}");
        }
    }
}
