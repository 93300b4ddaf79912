//! The metrics page as Prometheus reads it, and the dashboard that is made for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::status::{OPEN, edge};
use crate::support::folder::token;
use crate::support::http::{bearer, get, plain, tls};
use crate::support::{HOST, Origin, Process};

const DASHBOARD: &str = include_str!("../../config/grafana-dashboard.json");

/// A page that was read by the rules of the text format 0.0.4.
#[derive(Debug, Default)]
pub struct Page {
    /// By name and labels, as written.
    pub samples: BTreeMap<String, f64>,
    /// The type of each metric.
    kinds: BTreeMap<String, String>,
}

/// Reads a page; panics where it breaks a rule.
pub fn parse(text: &str) -> Page {
    assert!(text.ends_with('\n'), "the last line ends too");
    let mut page = Page::default();
    let mut helped = BTreeSet::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(is_name(name) && !help.is_empty(), "{line}");
            assert!(helped.insert(name.to_owned()), "told twice: {line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(helped.contains(name), "no help before {line}");
            current = name.to_owned();
            let twice = page.kinds.insert(current.clone(), kind.to_owned());
            assert_eq!(twice, None, "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert_eq!(page.metric(name), Some(current.as_str()), "apart: {line}");
            labels(series);
            let value: f64 = value.parse().unwrap();
            assert!(value >= 0.0, "{line}");
            assert_eq!(
                page.samples.insert(series.to_owned(), value),
                None,
                "{line}"
            );
        }
    }
    page.check_histograms();
    page
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The labels of a series: their names are names, their values are quoted and escaped.
fn labels(series: &str) -> Vec<(String, String)> {
    let Some((_, rest)) = series.split_once('{') else {
        return vec![];
    };
    let mut rest = rest.strip_suffix('}').unwrap();
    let mut found = vec![];
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(is_name(name) && !name.starts_with("__"), "{series}");
        let mut value = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => match letters.next().unwrap().1 {
                    'n' => value.push('\n'),
                    escaped @ ('\\' | '"') => value.push(escaped),
                    other => panic!("\\{other} in {series}"),
                },
                (_, letter) => value.push(letter),
            }
        };
        found.push((name.to_owned(), value));
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    found
}

impl Page {
    /// Whose series one with this name is.
    fn metric<'a>(&'a self, series: &'a str) -> Option<&'a str> {
        if self.kinds.contains_key(series) {
            return Some(series);
        }
        let ends = ["_bucket", "_sum", "_count"];
        let name = ends.iter().find_map(|end| series.strip_suffix(end))?;
        (self.kinds.get(name)? == "histogram").then_some(name)
    }

    /// Buckets are cumulative, in order, and end with all.
    fn check_histograms(&self) {
        let histograms = self.kinds.iter().filter(|(_, kind)| *kind == "histogram");
        for (name, _) in histograms {
            let start = format!("{name}_bucket{{");
            let series = self
                .samples
                .iter()
                .filter(|(series, _)| series.starts_with(&start));
            let mut buckets: Vec<(f64, f64)> = series
                .map(|(series, count)| {
                    let labels = labels(series);
                    let bound = match labels[0].1.as_str() {
                        "+Inf" => f64::INFINITY,
                        bound => bound.parse().unwrap(),
                    };
                    (bound, *count)
                })
                .collect();
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.len() > 10, "{name}");
            assert!(
                buckets.is_sorted_by(|one, other| one.1 <= other.1),
                "{buckets:?}"
            );
            let last = *buckets.last().unwrap();
            assert_eq!(
                last,
                (f64::INFINITY, self.samples[&format!("{name}_count")])
            );
            assert!(self.samples.contains_key(&format!("{name}_sum")));
        }
    }
}

fn read(process: &Process) -> Page {
    let answer = plain(process.address("admin"), &get("localhost", "/metrics", &[]));
    assert_eq!(answer.status(), 200);
    parse(answer.body())
}

#[test]
fn the_page_keeps_the_rules_of_its_format_before_and_after_requests() {
    let origin = Origin::start();
    let (folder, process) = edge(&origin, OPEN);
    read(&process);
    plain(
        process.address("http"),
        &get(HOST, "/", &[&bearer(&token())]),
    );
    plain(process.address("http"), &get(HOST, "/", &[]));
    tls(
        &folder,
        process.address("https"),
        HOST,
        &get(HOST, "/", &[]),
    );
    let page = read(&process);
    let value = |series: &str| page.samples[series];
    for name in ["adit_added_latency_seconds", "adit_first_byte_seconds"] {
        assert_eq!(value(&format!("{name}_count")), 1.0, "the forwarded one");
        assert!(value(&format!("{name}_sum")) > 0.0);
    }
    assert!(value("adit_added_latency_seconds_sum") <= value("adit_first_byte_seconds_sum"));
    assert_eq!(value("adit_tls_handshake_kinds_total{kind=\"full\"}"), 1.0);
    assert_eq!(
        value("adit_tls_handshake_kinds_total{kind=\"resumed\"}"),
        0.0
    );
    assert!(value("adit_core_cpu_seconds_total{core=\"0\"}") > 0.0);
    let info = page
        .samples
        .keys()
        .find(|series| series.starts_with("adit_build_info"));
    let info = labels(info.unwrap());
    assert_eq!(
        info[0],
        ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())
    );
    assert!(
        ["io_uring", "epoll"]
            .iter()
            .any(|driver| info[1].1.starts_with(driver)),
        "{info:?}"
    );
}

#[test]
fn the_parser_sees_what_is_wrong() {
    let good = "# HELP adit_a A.\n# TYPE adit_a gauge\nadit_a{b=\"c\\\"\"} 1\n";
    assert_eq!(parse(good).samples.len(), 1);
    for bad in [
        good.trim_end(),
        &good.replace("gauge", "counter"),
        &good.replace("adit_a{", "adit_b{"),
        &good.replace("\\\"", "\\x"),
        &good.replace("} 1", "} x"),
        &format!("{good}adit_a{{b=\"c\\\"\"}} 1\n"),
        &format!("{good}# TYPE adit_a gauge\n"),
    ] {
        assert!(std::panic::catch_unwind(|| parse(bad)).is_err(), "{bad}");
    }
}

/// Every expression of the dashboard, wherever it stands.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == "expr" || name == "query" => found.push(text.to_owned()),
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_metric_that_the_dashboard_names_is_there() {
    let origin = Origin::start();
    let (_folder, process) = edge(&origin, OPEN);
    let page = read(&process);
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions_found = vec![];
    expressions(&dashboard, &mut expressions_found);
    assert!(expressions_found.len() > 20, "{expressions_found:?}");
    let mut used = BTreeSet::new();
    for expression in &expressions_found {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for word in expression.split(|c| !is_part(c)) {
            if word.starts_with("adit_") {
                let metric = page.metric(word);
                assert!(metric.is_some(), "{word} in {expression}");
                used.insert(metric.unwrap());
            }
        }
    }
    let ids: BTreeSet<u64> = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), dashboard["panels"].as_array().unwrap().len());
    // What is not shown there is told by something else, or is a name alone.
    let unused: Vec<_> = page
        .kinds
        .keys()
        .map(String::as_str)
        .filter(|name| !used.contains(name))
        .collect();
    let known = [
        "adit_core_info",
        "adit_issuer_keys",
        "adit_node_info",
        "adit_token_cache_entries",
    ];
    assert_eq!(unused, known);
}
