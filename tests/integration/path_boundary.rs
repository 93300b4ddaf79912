//! A path rule holds for every reading of the path (S1.1, S2).

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::stage::{Stage, bearer, get, path_rule, target};
use crate::support::{Edge, HOST, Tunnel, Upstream, ok};

/// Each is read as something else by some upstream.
const ATTACKS: &[&str] = &[
    "/api/..;/admin",
    "/api/..;x=1/admin",
    "/api;/../admin",
    "/api;x",
    "/api/x;y",
    "/api/%3b",
    "/api/%252e%252e/admin",
    "/api/%25",
    "/api/%c0%ae%c0%ae/",
    "/api/%e0%80%ae%e0%80%ae/admin",
    "/api/%ff",
    "/api/..%20/",
    "/api/.%20./admin",
    "/api/..%20./admin",
    "/api/%20../admin",
    "/api/x%3f",
    "/api/x%23y",
    "/api/%ef%bc%8e%ef%bc%8e/admin",
    "/api/%e2%80%a5/admin",
    "/api/x%ef%bc%8f..%ef%bc%8fadmin",
    "/api//admin",
    "//api/x",
    "/api//",
    "/api/%2e%2e/x",
    "/api/%2E./x",
    "/api/../x",
    "/api/./x",
    "/api/..",
    "/api/.",
    "/api/...",
    "/api/..././admin",
    "/api\\..\\admin",
    "/api/%5c..%5cadmin",
    "/api%2fadmin",
    "/api%2F..%2Fadmin",
    "/api/%00",
    "/api/%0d%0aX:1",
    "/api/%09",
    "/api/%7f",
    "/api/%",
    "/api/%2",
    "/api/%zz",
    "/api/%u002e%u002e/admin",
];

/// Ordinary names that look a little like attacks.
const HARMLESS: &[&str] = &[
    "/api",
    "/api/",
    "/api/x?y=..%2f..;//",
    "/%61pi/x",
    "/api/%78",
    "/api/...x",
    "/api/a..b",
    "/api/x../y",
    "/api/.hidden",
    "/api/%20x",
    "/api/caf%C3%A9",
    "/api/a+b",
    "/api/a:b@c,d=e!$&'()*~",
];

#[test]
fn no_second_reading_of_a_path_gets_around_a_rule() {
    let stage = Stage::guarded();
    for rule in ["^/api(/|$)", "^/api", ""] {
        let token = bearer(&stage.path_token(rule));
        for path in ATTACKS {
            stage.refuses(path, &token, 403, "path_ambiguous");
        }
        for path in HARMLESS {
            assert_eq!(target(&stage.forwards(path, &token)), *path);
        }
    }
}

/// S2: the upstream of such a tunnel decides what its paths mean.
#[test]
fn without_a_path_rule_the_same_bytes_go_through() {
    let public = Stage::public();
    let guarded = Stage::guarded();
    let anywhere = bearer(&guarded.edge.token(|_| ()));
    let project = bearer(&guarded.bounded(json!({ "projects": ["proj-1"] })));
    for path in ATTACKS.iter().chain(HARMLESS) {
        assert_eq!(target(&public.forwards(path, "")), *path);
        assert_eq!(target(&guarded.forwards(path, &anywhere)), *path);
        assert_eq!(target(&guarded.forwards(path, &project)), *path);
    }
}

/// S2: the other leaf allows, whatever the order.
#[test]
fn an_ambiguous_path_meets_no_rule_and_spoils_no_other() {
    let stage = Stage::guarded();
    let rule = path_rule(&json!({ "regex": "^/api" }));
    let open = json!({ "projects": ["proj-1"] });
    let elsewhere = json!({ "projects": ["proj-2"] });
    for pair in [[rule.clone(), open.clone()], [open.clone(), rule.clone()]] {
        let either = bearer(&stage.bounded(json!({ "OR": pair.clone() })));
        assert_eq!(
            target(&stage.forwards("/api/%2e%2e/x", &either)),
            "/api/%2e%2e/x"
        );
        let both = bearer(&stage.bounded(json!({ "AND": pair })));
        stage.refuses("/api/%2e%2e/x", &both, 403, "path_ambiguous");
        stage.forwards("/api/x", &both);
    }
    for pair in [[rule.clone(), elsewhere.clone()], [elsewhere, rule]] {
        let either = bearer(&stage.bounded(json!({ "OR": pair })));
        stage.refuses("/api/%2e%2e/x", &either, 403, "path_ambiguous");
    }
}

#[test]
fn path_semicolon_lifts_the_semicolon_and_no_dots() {
    let upstream = Upstream::serving(|_| ok(""));
    let tunnel = Tunnel::guarded(HOST, &upstream).line("path_semicolon = \"allow\"");
    let edge = Edge::setup().tunnel(tunnel).start();
    let stage = Stage { edge, upstream };
    let token = bearer(&stage.path_token("^/api(/|$)"));
    for path in ["/api/x;v=1/y", "/api/;", "/api/%3bx", "/api/x..;y"] {
        assert_eq!(target(&stage.forwards(path, &token)), path);
    }
    for path in [
        "/api/..;/admin",
        "/api/.;x",
        "/api/..%20;/admin",
        "/api/%2e%2e;/x",
        "/api/;/../x",
    ] {
        stage.refuses(path, &token, 403, "path_ambiguous");
    }
    stage.refuses("/api;x", &token, 403, "path_outside_boundary");
}

/// How servers read a path: each habit alone, and all in any combination.
fn readings(path: &[u8]) -> Vec<Vec<Vec<u8>>> {
    (0..128_u32)
        .map(|habits| {
            let has = |habit: u32| habits & (1 << habit) != 0;
            let mut bytes = path.to_vec();
            for _ in 0..1 + (habits & 3).min(2) {
                bytes = decoded(&bytes);
            }
            if has(2) {
                bytes
                    .iter_mut()
                    .filter(|byte| **byte == b'\\')
                    .for_each(|byte| *byte = b'/');
            }
            if has(3) {
                // The end of a string in C, of a path in a second parse.
                let end = bytes
                    .iter()
                    .position(|byte| matches!(byte, 0 | b'?' | b'#'));
                bytes.truncate(end.unwrap_or(bytes.len()));
            }
            if has(4) {
                use unicode_normalization::UnicodeNormalization;
                bytes = String::from_utf8_lossy(&bytes)
                    .nfkc()
                    .collect::<String>()
                    .into();
            }
            resolved(&bytes, has(5), has(6))
        })
        .collect()
}

/// The segments that are left after `.` and `..` were followed and empty ones dropped.
fn resolved(path: &[u8], cuts_parameters: bool, strips: bool) -> Vec<Vec<u8>> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in path.split(|byte| *byte == b'/') {
        let mut name = segment.to_vec();
        if cuts_parameters {
            name = name.split(|byte| *byte == b';').next().unwrap().to_vec();
        }
        if strips && name != b"." && name != b".." {
            while matches!(name.last(), Some(b' ' | b'.')) && name != b".." {
                name.pop();
            }
        }
        match name.as_slice() {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(name),
        }
    }
    segments
}

fn decoded(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        let digit = |index: usize| {
            after
                .get(index)
                .and_then(|byte| (*byte as char).to_digit(16))
        };
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            out.push((high << 4 | low) as u8);
            rest = &after[2..];
        } else {
            out.push(first);
            rest = after;
        }
    }
    out
}

#[test]
fn the_readers_of_this_test_are_fooled_where_they_should_be() {
    let outside = |path: &str| {
        readings(path.as_bytes())
            .iter()
            .any(|segments| segments.first().map(Vec::as_slice) != Some(b"api"))
    };
    for path in [
        "/api/..;/admin",
        "/api/%252e%252e/admin",
        "/api/..%20/x",
        "/api\\..\\x",
        "/api/%2e%2e/x",
        "/api/%ef%bc%8e%ef%bc%8e/x",
    ] {
        assert!(outside(path), "{path}");
    }
    assert!(
        HARMLESS
            .iter()
            .all(|path| !outside(path.split('?').next().unwrap()))
    );
}

fn any_path() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "api",
        "a",
        "pi",
        "/",
        "/",
        "/",
        "..",
        ".",
        "...",
        ";",
        "%2e",
        "%2E%2e",
        "%252e",
        "%2f",
        "%5c",
        "\\",
        "%3b",
        "%20",
        "%00",
        "%c0%ae",
        "%ef%bc%8e",
        "%ef%bc%8f",
        "%e2%80%a5",
        "%c2%a0",
        "%3f",
        "%23",
        "%25",
        "%",
        "%61",
        "x",
        "+",
        "%09",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// S1.1, the promise itself.
#[test]
fn whatever_goes_through_stays_inside_in_every_reading() {
    let stage = Stage::guarded();
    let token = bearer(&stage.path_token("^/api(/|$)"));
    let client = std::cell::RefCell::new(stage.edge.client());
    let through = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config::with_cases(2000));
    let prefix = prop_oneof![4 => Just("/api/"), 1 => Just("/api"), 1 => Just("/")];
    let result = runner.run(&(prefix, any_path()), |(prefix, rest)| {
        let path = format!("{prefix}{rest}");
        let answer = client.borrow_mut().ask(get(&path, &token));
        if answer.status != 200 {
            prop_assert_eq!(answer.status, 403, "{}", path);
            return Ok(());
        }
        through.set(through.get() + 1);
        let recorded = stage.upstream.next_request();
        prop_assert_eq!(target(&recorded), &path, "the bytes that were judged");
        for segments in readings(target(&recorded).as_bytes()) {
            let first = segments.first().map(Vec::as_slice);
            prop_assert_eq!(first, Some(b"api".as_slice()), "{}", path);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(through.get() > 100, "only {} went through", through.get());
}
