//! The decision table: every state of every lane, each row with one verdict. The table stands in
//! `tests/decision_table.txt`, so that a change of policy shows in a diff; a second, naive reading of the rules must
//! agree with every row.

use std::fmt::Write;

use super::*;

/// What a lane holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Absent,
    /// `Authorization` only: another scheme.
    Basic,
    Malformed,
    Several,
    Forged,
    Expired,
    Good,
    /// Good for paths below `/api`.
    Bounded,
    /// Good, without the permission to connect.
    Powerless,
    /// Good, in another project.
    Elsewhere,
    /// Good, for lists only.
    ListOnly,
}

pub(super) const LANES: [Lane; 11] = [
    Lane::Absent,
    Lane::Basic,
    Lane::Malformed,
    Lane::Several,
    Lane::Forged,
    Lane::Expired,
    Lane::Good,
    Lane::Bounded,
    Lane::Powerless,
    Lane::Elsewhere,
    Lane::ListOnly,
];

impl Lane {
    fn token(self) -> String {
        match self {
            Lane::Absent | Lane::Basic | Lane::Malformed => String::new(),
            Lane::Forged => forged(),
            Lane::Expired => expired(),
            Lane::Several | Lane::Good => good(),
            Lane::Bounded => path_bounded(),
            Lane::Powerless => mint(MintRequest {
                permissions: Some(Vec::new()),
                issued_at: NOW,
                ..MintRequest::default()
            }),
            Lane::Elsewhere => bounded(serde_json::json!({ "projects": ["p9"] })),
            Lane::ListOnly => {
                signed(r#"{"resources":{"tunnels":{"scopes":{"tunnels":{"list":true}}}}}"#)
            }
        }
    }

    pub(super) fn authorization(self) -> String {
        self.field("Authorization")
    }

    fn field(self, name: &str) -> String {
        match self {
            Lane::Absent => String::new(),
            Lane::Basic => format!("{name}: Basic YTpi\r\n"),
            Lane::Malformed => format!("{name}: Bearer\r\n"),
            Lane::Several => {
                let line = format!("{name}: Bearer {}\r\n", self.token());
                format!("{line}{line}")
            }
            Lane::Forged
            | Lane::Expired
            | Lane::Good
            | Lane::Bounded
            | Lane::Powerless
            | Lane::Elsewhere
            | Lane::ListOnly => format!("{name}: Bearer {}\r\n", self.token()),
        }
    }

    pub(super) fn query(self) -> String {
        match self {
            Lane::Absent | Lane::Basic => String::new(),
            Lane::Malformed => "?rstream.token".to_owned(),
            Lane::Several => {
                let token = self.token();
                format!("?rstream.token={token}&rstream.token={token}")
            }
            Lane::Forged
            | Lane::Expired
            | Lane::Good
            | Lane::Bounded
            | Lane::Powerless
            | Lane::Elsewhere
            | Lane::ListOnly => format!("?rstream.token={}", self.token()),
        }
    }
}

pub(super) const PATHS: [&str; 3] = ["/api/x", "/private", "/api/%2e%2e/private"];

fn live(host: &str, path: &str, bearer: Lane, query: Lane) -> String {
    let head = format!(
        "GET {path}{} HTTP/1.1\r\nHost: {host}.t.example.com\r\n{}\r\n",
        query.query(),
        bearer.authorization()
    );
    word(&judged(&head))
}

/// On a tunnel whose `Authorization` field is the application's: `bearer` is in the edge's own field.
fn live_own(authorization: Lane, path: &str, bearer: Lane, query: Lane) -> String {
    let head = format!(
        "GET {path}{} HTTP/1.1\r\nHost: own.t.example.com\r\n{}{}\r\n",
        query.query(),
        authorization.authorization(),
        bearer.field("Rstream-Authorization")
    );
    word(&judged(&head))
}

/// The same rules for such a tunnel (S4.2).
fn naive_own(authorization: Lane, path: &str, bearer: Lane, query: Lane) -> String {
    let is_foreign = matches!(
        authorization,
        Lane::Absent | Lane::Basic | Lane::Malformed | Lane::Forged
    );
    if !is_foreign {
        return "401 token_for_edge".to_owned();
    }
    if query == Lane::Several {
        return "401 several_query_tokens".to_owned();
    }
    if bearer != Lane::Absent && query != Lane::Absent {
        return "401 several_proofs".to_owned();
    }
    if bearer == Lane::Basic {
        return "401 bearer_malformed".to_owned();
    }
    // What counts is judged as everywhere, and whatever `Authorization` holds goes on.
    naive("app", path, bearer, query).replace("withheld", "kept")
}

/// The rules read once more, as plainly as they can be written.
pub(super) fn naive(host: &str, path: &str, bearer: Lane, query: Lane) -> String {
    if host == "open" {
        // Whatever could be a credential of ours stays here; a token of a stranger goes through.
        let kept = matches!(
            bearer,
            Lane::Absent | Lane::Basic | Lane::Malformed | Lane::Forged
        );
        return format!("forward none {}", if kept { "kept" } else { "withheld" });
    }
    if query == Lane::Several {
        return "401 several_query_tokens".to_owned();
    }
    let (proof, withheld) = match bearer {
        Lane::Absent | Lane::Basic => (query, false),
        Lane::Malformed => return "401 bearer_malformed".to_owned(),
        Lane::Several => return "401 several_authorizations".to_owned(),
        Lane::Forged
        | Lane::Expired
        | Lane::Good
        | Lane::Bounded
        | Lane::Powerless
        | Lane::Elsewhere
        | Lane::ListOnly => (bearer, true),
    };
    let refusal = match proof {
        Lane::Absent => "401 token_missing",
        Lane::Malformed => "401 query_token_malformed",
        Lane::Forged => "401 token_signature",
        Lane::Expired => "401 token_expired",
        _ if host == "other" => "403 project_not_owned",
        Lane::Powerless => "403 permission_missing",
        Lane::Elsewhere | Lane::ListOnly => "403 outside_boundary",
        Lane::Bounded if path == "/private" => "403 path_outside_boundary",
        Lane::Bounded if path != "/api/x" => "403 path_ambiguous",
        Lane::Good | Lane::Bounded => "",
        Lane::Basic | Lane::Several => unreachable!("answered above"),
    };
    if refusal.is_empty() {
        format!(
            "forward token {}",
            if withheld { "withheld" } else { "kept" }
        )
    } else {
        refusal.to_owned()
    }
}

/// All rows: host, path, bearer, query.
fn rows() -> impl Iterator<Item = (&'static str, &'static str, Lane, Lane)> {
    let queries = LANES.into_iter().filter(|lane| *lane != Lane::Basic);
    let lanes: Vec<(Lane, Lane)> = queries
        .flat_map(|query| LANES.into_iter().map(move |bearer| (bearer, query)))
        .collect();
    ["app", "other", "open"].into_iter().flat_map(move |host| {
        let lanes = lanes.clone();
        PATHS.into_iter().flat_map(move |path| {
            lanes
                .clone()
                .into_iter()
                .map(move |(bearer, query)| (host, path, bearer, query))
        })
    })
}

#[test]
fn a_naive_reading_of_the_rules_agrees_with_every_row() {
    let mut count = 0;
    for (host, path, bearer, query) in rows() {
        assert_eq!(
            live(host, path, bearer, query),
            naive(host, path, bearer, query),
            "{host} {path} bearer {bearer:?} query {query:?}"
        );
        count += 1;
    }
    assert_eq!(count, 3 * 3 * 11 * 10);
}

#[test]
fn and_with_every_row_of_a_tunnel_whose_authorization_is_the_application_s() {
    let mut count = 0;
    for (host, path, bearer, query) in rows() {
        for authorization in LANES.into_iter().filter(|_| host == "app") {
            assert_eq!(
                live_own(authorization, path, bearer, query),
                naive_own(authorization, path, bearer, query),
                "{authorization:?} {path} bearer {bearer:?} query {query:?}"
            );
            count += 1;
        }
    }
    assert_eq!(count, 3 * 11 * 11 * 10);
}

fn name(lane: Lane) -> String {
    format!("{lane:?}").to_lowercase()
}

/// The rows of one guard; states that make no difference are one.
pub(super) fn write_rows(
    table: &mut String,
    guard: &str,
    live: &dyn Fn(&str, Lane, Lane) -> String,
) {
    for bearer in LANES {
        let mut rows: Vec<(String, &str, String)> = Vec::new();
        for query in LANES.into_iter().filter(|lane| *lane != Lane::Basic) {
            let verdicts = PATHS.map(|path| (path, live(path, bearer, query)));
            let same = verdicts
                .iter()
                .all(|(_, verdict)| *verdict == verdicts[0].1);
            let shown = verdicts
                .into_iter()
                .take(if same { 1 } else { PATHS.len() });
            rows.extend(
                shown
                    .map(|(path, verdict)| (name(query), if same { "any" } else { path }, verdict)),
            );
        }
        if rows
            .iter()
            .all(|row| (row.1, &row.2) == ("any", &rows[0].2))
        {
            rows.truncate(1);
            rows[0].0 = "any".to_owned();
        }
        for (query, path, verdict) in rows {
            let bearer = name(bearer);
            writeln!(
                table,
                "{guard:<13} {bearer:<10} {query:<10} {path:<20} {verdict}"
            )
            .unwrap();
        }
    }
}

/// `ADIT_WRITE_TABLE=1` writes the file anew.
#[test]
fn the_table_on_file_is_the_table_in_force() {
    let mut table = String::from(
        "# Who gets through: one row for each state of guard, path, bearer and query parameter, with its verdict.\n\
         # Written by a test of the policy room. `any`: the verdict is the same for every state of that column.\n\
         # app: Authorization is the application's; `bearer` is Rstream-Authorization, and what stands behind app+ is the\n\
         # state of Authorization. cert: a tunnel that takes client certificates alone; both: certificates and tokens; what\n\
         # stands behind the + is the state of the certificate. The tunnels of browsers stand at the end.\n\
         # guard       bearer     query      path                 verdict\n",
    );
    for (guard, host) in [("token", "app"), ("token,p2", "other"), ("public", "open")] {
        write_rows(&mut table, guard, &|path, bearer, query| {
            live(host, path, bearer, query)
        });
    }
    for authorization in LANES {
        let guard = format!("app+{}", name(authorization));
        let verdict = |path: &str, bearer, query| live_own(authorization, path, bearer, query);
        // The same as without the field, or refused in any case: then one row says so.
        let verdicts = |with: &dyn Fn(&str, Lane, Lane) -> String| -> Vec<String> {
            let all = rows().filter(|(host, ..)| *host == "app");
            all.map(|(_, path, bearer, query)| with(path, bearer, query))
                .collect()
        };
        let mine = verdicts(&verdict);
        let plain = verdicts(&|path, bearer, query| live_own(Lane::Absent, path, bearer, query));
        if authorization != Lane::Absent && mine == plain {
            writeln!(
                table,
                "{guard:<13} any        any        any                  as app+absent"
            )
            .unwrap();
        } else if mine.iter().all(|verdict| *verdict == mine[0]) {
            writeln!(
                table,
                "{guard:<13} any        any        any                  {}",
                mine[0]
            )
            .unwrap();
        } else {
            write_rows(&mut table, &guard, &verdict);
        }
    }
    certificate::write_table(&mut table);
    browser::write_table(&mut table);
    network::write_table(&mut table);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decision_table.txt");
    if std::env::var_os("ADIT_WRITE_TABLE").is_some() {
        std::fs::write(file, &table).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap();
    assert!(
        written == table,
        "policy and {file} differ; it is now:\n{table}"
    );
}

#[test]
fn who_was_proven_stands_in_the_refusal_and_nobody_else() {
    for (lane, known) in [
        (Lane::Absent, false),
        (Lane::Forged, false),
        (Lane::Expired, false),
        (Lane::Powerless, true),
        (Lane::Elsewhere, true),
    ] {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: app.t.example.com\r\n{}\r\n",
            lane.authorization()
        );
        let Decision::Refuse(refused) = judged(&head) else {
            panic!("{lane:?} was let through");
        };
        assert_eq!(refused.tunnel, Some(0), "{lane:?}");
        assert_eq!(
            matches!(refused.identity, Identity::Token(_)),
            known,
            "{lane:?}"
        );
    }
}

#[test]
fn without_keys_no_token_is_good() {
    let keyless = Policy {
        keys: None,
        ..policy()
    };
    for (lane, verdict) in [
        (Lane::Absent, "401 token_missing"),
        (Lane::Good, "401 token_ce_not_allowed"),
        (Lane::Forged, "401 token_ce_not_allowed"),
    ] {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: app.t.example.com\r\n{}\r\n",
            lane.authorization()
        );
        let decision = judge_with(&keyless, plain(), &head, &mut memory());
        assert_eq!(word(&decision), verdict, "{lane:?}");
    }
}

#[test]
fn a_warm_cache_changes_no_verdict() {
    let policy = policy();
    let mut warm = memory();
    for round in 0..3 {
        for bearer in LANES {
            let head = format!(
                "GET /api/x HTTP/1.1\r\nHost: app.t.example.com\r\n{}\r\n",
                bearer.authorization()
            );
            assert_eq!(
                word(&judge_with(&policy, plain(), &head, &mut warm)),
                word(&judged(&head)),
                "{bearer:?} in round {round}"
            );
        }
    }
    assert!(warm.tokens.hits() > 0);
}
