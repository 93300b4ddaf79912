//! Patterns that are allowed and most likely mean something else, for people who write boundaries. Never on the data path.

use std::fmt;

use crate::http::path_boundary::PatternSet;
use crate::json::Json;

/// A pattern that matches more than it seems to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It matches anywhere in a text, so in `also` too.
    Anywhere { pattern: String, also: String },
    /// A rule for paths that ends within a segment, so that longer names such as `also` are allowed with it.
    LongerSegment { pattern: String, also: String },
}

/// The doubts about all patterns of a boundary that [`super::parse`] takes, in the order written.
pub fn doubts(boundary: &Json) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    walk(boundary, Place::Elsewhere, &mut doubts);
    doubts
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Elsewhere,
    Params,
    Path,
    Labels,
}

fn walk(json: &Json, place: Place, doubts: &mut Vec<Doubt>) {
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                let inside = match (place, name.as_str()) {
                    // A label may have any name.
                    (Place::Labels, _) => Place::Elsewhere,
                    (Place::Path, _) | (Place::Params, "path") => Place::Path,
                    (Place::Elsewhere, "params") => Place::Params,
                    (Place::Elsewhere, "labels") => Place::Labels,
                    (Place::Elsewhere | Place::Params, _) => Place::Elsewhere,
                };
                if let (true, Json::String(pattern)) = (name == "regex", value)
                    && place != Place::Labels
                {
                    doubts.extend(doubt(pattern, place == Place::Path));
                } else {
                    walk(value, inside, doubts);
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| walk(item, place, doubts)),
        Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Number | Json::String(_) => {}
    }
}

fn doubt(pattern: &str, is_path: bool) -> Option<Doubt> {
    if is_plain(pattern) {
        return None;
    }
    let mut set = PatternSet::default();
    let compiled = set.add(pattern).ok()?;
    set.compile().ok()?;
    let example = compiled.example().filter(|text| !text.is_empty())?;
    let pattern = pattern.to_owned();
    let also = format!("x{example}");
    if !pattern.starts_with('^') && compiled.matches(also.as_bytes()) {
        return Some(Doubt::Anywhere { pattern, also });
    }
    let also = format!("{example}x");
    let within = example.ends_with(|last: char| last.is_ascii_alphanumeric());
    (is_path && within && compiled.matches(also.as_bytes()))
        .then_some(Doubt::LongerSegment { pattern, also })
}

/// Whether there is no doubt by the text alone, as in `^/api/` and `^/api(/|$)`: spares compiling most patterns.
fn is_plain(pattern: &str) -> bool {
    let ends = ["(/|$)", "/", "$"];
    let start = ends.iter().find_map(|end| pattern.strip_suffix(end));
    start.is_some_and(|start| start.starts_with('^') && !start.contains(['|', '\\', '[']))
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Anywhere { pattern, also } => write!(
                f,
                "the pattern {pattern:?} matches anywhere in a text, {also:?} too: begin it with ^"
            ),
            Doubt::LongerSegment { pattern, also } => write!(
                f,
                "the pattern {pattern:?} allows {also:?} too: end it with (/|$) where whole segments are meant"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str, name: &str) -> Vec<String> {
        let text = serde_json::json!({ "scopes": { "tunnels": { "connect": {
            "filters": { "name": { "regex": name }, "labels": { "regex": "a", "params": { "regex": name } } },
            "params": { "path": { "OR": [{ "regex": path }, "/text"] } },
        } } } });
        let json = crate::json::parse(text.to_string().as_bytes()).unwrap();
        super::super::parse(&json).unwrap();
        doubts(&json).iter().map(Doubt::to_string).collect()
    }

    #[test]
    fn a_pattern_that_matches_more_than_it_seems_to_is_doubted_and_its_neighbour_is_not() {
        let longer = |pattern: &str, also: &str| {
            format!(
                "the pattern {pattern:?} allows {also:?} too: end it with (/|$) where whole segments are meant"
            )
        };
        let anywhere = |pattern: &str, also: &str| {
            format!(
                "the pattern {pattern:?} matches anywhere in a text, {also:?} too: begin it with ^"
            )
        };
        for (pattern, also) in [
            ("^/api", "/apix"),
            ("^/(api|docs)", "/apix"),
            ("^/users/[0-9]+", "/users/0x"),
            ("^/a$|^/bb", ""),
            ("^/b|^/cc$", "/bx"),
            ("(?i)^/api", "/apix"),
        ] {
            let wanted = Vec::from_iter((!also.is_empty()).then(|| longer(pattern, also)));
            assert_eq!(said(pattern, "^web$"), wanted, "{pattern}");
        }
        for (pattern, also) in [
            ("/api", "x/api"),
            ("/api/", "x/api/"),
            ("a|^b$", "xa"),
            ("api$", "xapi"),
        ] {
            assert_eq!(said(pattern, "^web"), [anywhere(pattern, also)]);
        }
        for fine in [
            "^/",
            "^/api/",
            "^/api(/|$)",
            "^/api$",
            "^/users/[0-9]+(/|$)",
            ".*",
            "",
            "^/x/.*",
            "(^/a/|^/b/)",
        ] {
            assert_eq!(said(fine, "^web"), [""; 0], "{fine}");
        }
        // A name has no segments; it has a beginning, and so has a label that is called path.
        assert_eq!(
            said("^/", "prod"),
            [anywhere("prod", "xprod"), anywhere("prod", "xprod")]
        );
    }
}
