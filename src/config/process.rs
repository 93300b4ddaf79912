//! `[engine]`, `[cores]` and `[log]`: what the process is called, on which CPUs it works, what it writes down.

use std::path::{Path, PathBuf};

use super::field::At;
use super::hostname;
use super::reader::Reader;
use super::settings::{AccessLog, Cores, Driver, Engine, Log, LogFormat, LogLevel, Workers};
use crate::limits::{RING_ENTRIES_MAX, RING_ENTRIES_MIN, WORKERS_MAX};

const STATE_DIR: &str = "/var/lib/adit";
const RING_ENTRIES: u64 = 4096;
const CPU_MAX: u64 = WORKERS_MAX - 1;

/// `[engine]`.
pub(super) fn engine(root: &Reader<'_>) -> Option<Engine> {
    let findings = root.findings;
    let table = root
        .table("engine", &["host", "name", "state_dir"])
        .required(findings, "[engine] with host = \"edge.example.com\"")?
        .value;
    let host = table
        .text("host")
        .then(|at| canonical_host(&table, at))
        .required(findings, "host = \"edge.example.com\"")
        .map(|at| at.value);
    let name = table.value("name", "1 to 253 of A-Z a-z 0-9 . _ -", |node| {
        node.text()
            .filter(|name| is_node_name(name))
            .map(str::to_owned)
    });
    let state_dir = table
        .absolute_path("state_dir")
        .or(PathBuf::from(STATE_DIR));
    let host = host?;
    Some(Engine {
        name: name.or(host.clone())?,
        host,
        state_dir: state_dir?,
    })
}

fn canonical_host(table: &Reader<'_>, at: &At<String>) -> Option<String> {
    hostname::canonical(&at.value)
        .map_err(|fault| {
            let found = super::written::quoted(&at.value);
            let message = format!("{found} is no host name: {}", fault.cure());
            table.findings.error(&at.spot, message);
        })
        .ok()
}

fn is_node_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=253).contains(&name.len()) && name.chars().all(allowed)
}

/// `[cores]`.
pub(super) fn cores(root: &Reader<'_>) -> Option<Cores> {
    let table = root.table_or_empty("cores", &["count", "cpus", "driver", "ring_entries"])?;
    let workers = workers(&table);
    let drivers = [
        ("auto", Driver::Auto),
        ("io_uring", Driver::IoUring),
        ("epoll", Driver::Epoll),
    ];
    let driver = table.word("driver", &drivers).or(Driver::Auto);
    let expected = format!("a power of two from {RING_ENTRIES_MIN} to {RING_ENTRIES_MAX}");
    let ring_entries = table.value("ring_entries", &expected, |node| {
        let entries = node.integer()?;
        let fits = (RING_ENTRIES_MIN..=RING_ENTRIES_MAX).contains(&entries);
        (fits && entries.is_power_of_two()).then_some(entries)
    });
    Some(Cores {
        workers: workers?,
        driver: driver?,
        ring_entries: u32::try_from(ring_entries.or(RING_ENTRIES)?).ok()?,
    })
}

fn workers(table: &Reader<'_>) -> Option<Workers> {
    let expected = format!("\"all\" or a whole number from 1 to {WORKERS_MAX}");
    let count = table.value("count", &expected, |node| {
        if node.text() == Some("all") {
            return Some(Workers::All);
        }
        let count = node
            .integer()
            .filter(|count| (1..=WORKERS_MAX).contains(count))?;
        Some(Workers::Count(usize::try_from(count).ok()?))
    });
    let expected = format!("a CPU's number from 0 to {CPU_MAX}");
    let cpus = table.list("cpus", &expected, |node| {
        let cpu = node.integer().filter(|cpu| *cpu <= CPU_MAX)?;
        usize::try_from(cpu).ok()
    });
    let cpus = cpus.then(|at| distinct(table, &at.value));
    let (count, cpus) = (count.optional(), cpus.optional());
    let (count, cpus) = (count?, cpus?);
    let cpus = cpus.map(|at| at.value).unwrap_or_default();
    match (count, cpus.is_empty()) {
        (Some(count), true) => Some(count.value),
        (None, true) => Some(Workers::All),
        (None, false) => Some(Workers::Cpus(cpus)),
        (Some(count), false) => {
            table.findings.error(
                &count.spot,
                "clashes with cpus, which has one worker for each CPU in it; remove one of the two",
            );
            None
        }
    }
}

fn distinct(table: &Reader<'_>, cpus: &[At<usize>]) -> Option<Vec<usize>> {
    let mut seen = Vec::new();
    for cpu in cpus {
        if seen.contains(&cpu.value) {
            let message = format!("CPU {} is named twice", cpu.value);
            table.findings.error(&cpu.spot, message);
            return None;
        }
        seen.push(cpu.value);
    }
    Some(seen)
}

/// `[log]`.
pub(super) fn log(root: &Reader<'_>) -> Option<Log> {
    let table = root.table_or_empty("log", &["level", "access", "format"])?;
    let levels = [
        ("debug", LogLevel::Debug),
        ("info", LogLevel::Info),
        ("warn", LogLevel::Warn),
        ("error", LogLevel::Error),
    ];
    let level = table.word("level", &levels).or(LogLevel::Info);
    let expected = "\"stdout\", \"off\" or a file's path that starts with \"/\"";
    let access = table.value("access", expected, |node| match node.text()? {
        "stdout" => Some(AccessLog::Stdout),
        "off" => Some(AccessLog::Off),
        path => {
            let path = Path::new(path);
            path.is_absolute()
                .then(|| AccessLog::File(path.to_path_buf()))
        }
    });
    let access = access.or(AccessLog::Stdout);
    let formats = [("json", LogFormat::Json), ("text", LogFormat::Text)];
    let format = table.word("format", &formats).or(LogFormat::Json);
    Some(Log {
        level: level?,
        access: access?,
        format: format?,
    })
}
