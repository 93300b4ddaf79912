//! The rules: each takes a [`Source`] and returns its complaints.

use crate::source::{Source, item_end, path_heads, words};

pub const FUNCTION_LINES_MAX: usize = 70;
pub const FILE_LINES_MAX: usize = 400;

/// Files of `src` that may be longer, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

const PURE: &[&str] = &[
    "json",
    "http",
    "route",
    "boundary",
    "token",
    "certificate",
    "network",
    "seal",
    "password",
    "authn",
    "authz",
    "handover",
    "policy",
    "assertion",
    "forward",
    "respond",
    "pages",
];
const GROUND: &[&str] = &["limits", "clock", "secret"];

/// What pure and ground rooms never name: sockets, files, threads, the current time. Those come in as arguments.
const IMPURE_WORDS: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "File",
    "monoio",
    "tokio",
    "thread",
    "Instant",
    "SystemTime",
];

/// Every room, and the rooms that it may import. A room that is not listed here does not exist.
fn imports_allowed(room: &str) -> Option<Vec<&'static str>> {
    let ground = |more: &[&'static str]| [GROUND, more].concat();
    Some(match room {
        "limits" | "clock" | "secret" | "network" => vec![],
        "json" | "http" => vec!["limits"],
        "route" => vec!["http"],
        "boundary" => vec!["http", "json", "limits"],
        "token" => ground(&["boundary", "json", "http"]),
        "certificate" => ground(&["token"]),
        "seal" | "password" => ground(&[]),
        "authn" => ground(&["token", "certificate", "http"]),
        "authz" => vec!["http", "boundary", "authn", "token", "certificate"],
        "handover" => ground(&["seal", "authn"]),
        "policy" => vec![
            "http",
            "route",
            "token",
            "certificate",
            "boundary",
            "authn",
            "authz",
            "clock",
            "limits",
            "seal",
            "handover",
            "network",
        ],
        "assertion" => vec!["http", "limits", "secret"],
        "forward" => vec![
            "http",
            "authn",
            "authz",
            "policy",
            "assertion",
            "clock",
            "limits",
        ],
        "respond" => vec![
            "http", "authn", "handover", "pages", "policy", "forward", "clock",
        ],
        "pages" => vec!["limits"],
        "runtime" => vec!["limits", "clock"],
        "listener" => vec!["runtime", "limits"],
        "tls" => ground(&["runtime", "http", "certificate"]),
        "upstream" => vec!["runtime", "tls", "http", "limits", "clock"],
        "telemetry" => vec![
            "http", "authn", "policy", "respond", "runtime", "clock", "limits",
        ],
        "worker" => [
            GROUND,
            PURE,
            &["runtime", "listener", "tls", "upstream", "telemetry"],
        ]
        .concat(),
        "fetch" => ground(&["config", "upstream"]),
        "oidc" => ground(&["json", "token", "runtime", "config", "fetch"]),
        "flow" => ground(&[
            "oidc", "http", "route", "seal", "password", "authn", "handover", "pages", "runtime",
        ]),
        "config" => ground(&[
            "json",
            "http",
            "route",
            "token",
            "certificate",
            "network",
            "boundary",
            "seal",
            "password",
            "pages",
            "authn",
            "authz",
            "policy",
            "tls",
            "runtime",
        ]),
        "control" => [
            GROUND,
            PURE,
            &[
                "fetch",
                "oidc",
                "flow",
                "config",
                "worker",
                "telemetry",
                "runtime",
                "listener",
                "tls",
                "upstream",
            ],
        ]
        .concat(),
        "cli" => [
            GROUND,
            PURE,
            &[
                "runtime",
                "listener",
                "tls",
                "upstream",
                "telemetry",
                "worker",
                "config",
                "control",
            ],
        ]
        .concat(),
        _ => return None,
    })
}

pub fn imports(source: &Source) -> Vec<String> {
    let room = source.room();
    if room.is_empty() {
        return vec![];
    }
    let Some(allowed) = imports_allowed(room) else {
        return vec![source.complain(0, &format!("room `{room}` is not in the import table"))];
    };
    let refused = |name: &str| name != room && !allowed.contains(&name);
    let mut complaints = vec![];
    for at in words(&source.shipped, "crate") {
        for name in path_heads(&source.shipped[at + "crate".len()..]) {
            if refused(name) {
                let what = format!("`{room}` may not import `{name}`");
                complaints.push(source.complain(at, &what));
            }
        }
    }
    let to_root = "super::".repeat(source.depth());
    for (at, _) in source.shipped.match_indices(&to_root) {
        for name in path_heads(&source.shipped[at + to_root.len() - 2..]) {
            if imports_allowed(name).is_some() && refused(name) {
                let what = format!("`{room}` may not import `{name}`");
                complaints.push(source.complain(at, &what));
            }
        }
    }
    complaints
}

pub fn impurities(source: &Source) -> Vec<String> {
    if !PURE.contains(&source.room()) && !GROUND.contains(&source.room()) {
        return vec![];
    }
    let offsets = |word| words(&source.shipped, word).map(move |at| (at, word));
    IMPURE_WORDS
        .iter()
        .flat_map(|word| offsets(word))
        .map(|(at, word)| source.complain(at, &format!("a pure room names `{word}`")))
        .collect()
}

pub fn unsafe_code(source: &Source) -> Vec<String> {
    if source.room() == "runtime" {
        return vec![];
    }
    words(&source.code, "unsafe")
        .map(|at| source.complain(at, "unsafe lives below src/runtime only"))
        .collect()
}

pub fn long_functions(source: &Source) -> Vec<String> {
    let mut complaints = vec![];
    for at in words(&source.code, "fn") {
        let text = &source.code[at..];
        let named = text[2..].starts_with(' ');
        if let Some(end) = item_end(text).filter(|_| named) {
            let lines = text[..end].matches('\n').count() + 1;
            if lines > FUNCTION_LINES_MAX {
                let what = format!("a function of {lines} lines, over {FUNCTION_LINES_MAX}");
                complaints.push(source.complain(at, &what));
            }
        }
    }
    complaints
}

pub fn long_file(source: &Source) -> Vec<String> {
    let lines = source.raw.lines().count();
    let excused = LONG_FILES.iter().any(|(path, _)| *path == source.path);
    match (source.shipped.is_empty(), lines > FILE_LINES_MAX, excused) {
        (false, true, false) => {
            let what = format!("{lines} lines, over {FILE_LINES_MAX}: is it two rooms?");
            vec![source.complain(0, &what)]
        }
        (_, false, true) => vec![source.complain(0, "no longer long: strike it off LONG_FILES")],
        _ => vec![],
    }
}

pub fn missing_docs(source: &Source) -> Vec<String> {
    if source.shipped.is_empty() || source.raw.starts_with("//! ") {
        return vec![];
    }
    vec![source.complain(0, "does not open with what it owns (`//! `)")]
}

pub fn unfinished(source: &Source) -> Vec<String> {
    let mut complaints = vec![];
    for name in ["todo", "unimplemented", "dbg"] {
        for at in words(&source.code, name) {
            if source.code[at + name.len()..].starts_with('!') {
                complaints.push(source.complain(at, &format!("`{name}!`")));
            }
        }
    }
    for at in words(&source.code, "ignore") {
        if source.code[..at].ends_with("#[") {
            complaints.push(source.complain(at, "a test is switched off"));
        }
    }
    for at in words(&source.raw, concat!("FIX", "ME")) {
        complaints.push(source.complain(at, "unfinished: make it an issue"));
    }
    complaints
}

pub fn sleeps(source: &Source) -> Vec<String> {
    let in_tests_folder = source.path.starts_with("tests/");
    let mut complaints = vec![];
    for at in words(&source.code, "sleep") {
        let shipped = source.shipped[..].get(at..at + 1).is_some_and(|c| c != " ");
        if (in_tests_folder || !shipped) && source.code[at + "sleep".len()..].starts_with('(') {
            complaints.push(source.complain(at, "a test waits for the event, not for the clock"));
        }
    }
    complaints
}

pub fn machine_paths(source: &Source) -> Vec<String> {
    let folders = [
        concat!("/wo", "rk"),
        concat!("/ro", "ot"),
        concat!("/ho", "me"),
        concat!("../sh", "ared"),
    ];
    let mut complaints = vec![];
    for folder in folders {
        for at in words(&source.raw, folder) {
            let before = source.raw[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || "_-./{}*".contains(c)) {
                complaints.push(source.complain(at, &format!("names `{folder}`")));
            }
        }
    }
    complaints
}
