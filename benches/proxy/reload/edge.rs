//! The running edge, and what the kernel says of it.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

pub struct Edge {
    child: Child,
    lines: Receiver<String>,
    pub http: SocketAddr,
    pub admin: SocketAddr,
}

/// What one reload took.
pub struct Reload {
    wall: Duration,
    cores: Duration,
    others: Duration,
}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [wall, cores, others] =
            [self.wall, self.cores, self.others].map(|time| time.as_secs_f64());
        write!(
            f,
            "in force after {wall:.2} s; CPU of other threads {others:.2} s, of the cores' threads {cores:.2} s"
        )
    }
}

impl Edge {
    pub fn start(adit: &Path, folder: &Path) -> Edge {
        let mut child = Command::new(adit)
            .args(["run", "--config"])
            .arg(folder.join("adit.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let any = SocketAddr::from(([0; 4], 0));
        let mut edge = Edge {
            child,
            lines,
            http: any,
            admin: any,
        };
        loop {
            let line = edge.line();
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            let address = event["address"].as_str().and_then(|text| text.parse().ok());
            match (event["event"].as_str(), event["entry"].as_str(), address) {
                (Some("listening"), Some("http"), Some(address)) => edge.http = address,
                (Some("listening"), Some("admin"), Some(address)) => edge.admin = address,
                (Some("started"), ..) => return edge,
                _ => {}
            }
        }
    }

    fn line(&self) -> String {
        let line = self.lines.recv_timeout(Duration::from_secs(120));
        line.expect("the edge says nothing more")
    }

    /// Reads everything again; returns when it is in force.
    pub fn reload(&mut self) -> Reload {
        let (cores, others) = self.cpu();
        let began = Instant::now();
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-HUP", &id])
                .status()
                .unwrap()
                .success()
        );
        loop {
            let line = self.line();
            assert!(!line.contains("config_refused"), "{line}");
            if line.contains("config_reloaded") {
                break;
            }
        }
        let wall = began.elapsed();
        let (cores_after, others_after) = self.cpu();
        Reload {
            wall,
            cores: cores_after - cores,
            others: others_after - others,
        }
    }

    /// Puts the cores' threads and the control thread before all others of the machine; what they start is not.
    pub fn urge_cores(&self) {
        for task in fs::read_dir(self.path("task"))
            .unwrap()
            .map_while(Result::ok)
        {
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            // The thread that writes the log and those that compile have other names.
            if name.starts_with("adit-core-") || name.trim() == "adit" {
                urge(&[], task.file_name().to_str().unwrap());
            }
        }
    }

    /// CPU time of the cores' threads, and of all others, so far. Threads that have ended count for neither.
    fn cpu(&self) -> (Duration, Duration) {
        let tasks = fs::read_dir(self.path("task")).unwrap();
        let (mut cores, mut others) = (Duration::ZERO, Duration::ZERO);
        for task in tasks.map_while(Result::ok) {
            let read = |file: &str| fs::read_to_string(task.path().join(file));
            let (Ok(name), Ok(times)) = (read("comm"), read("schedstat")) else {
                continue;
            };
            let ran = times.split(' ').next().and_then(|text| text.parse().ok());
            let ran = Duration::from_nanos(ran.unwrap_or(0));
            if name.starts_with("adit-core-") {
                cores += ran;
            } else {
                others += ran;
            }
        }
        (cores, others)
    }

    /// Resident memory now, and its peak.
    pub fn memory(&self) -> String {
        let status = fs::read_to_string(self.path("status")).unwrap();
        let mib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            kib / 1024
        };
        format!(
            "{} MiB resident, {} MiB at most",
            mib("VmRSS"),
            mib("VmHWM")
        )
    }

    /// From the metrics.
    pub fn connections_by_core(&self) -> Vec<String> {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let lines = text.lines();
        let lines = lines.filter(|line| line.starts_with("adit_connections{"));
        lines.map(str::to_owned).collect()
    }

    fn path(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.child.id())
    }

    pub fn end(mut self) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}

/// Needs root, or CAP_SYS_NICE.
pub fn urge(more: &[&str], id: &str) {
    let status = Command::new("chrt")
        .args(more)
        .args(["-R", "-f", "-p", "10", id])
        .status();
    assert!(status.unwrap().success(), "chrt is not allowed here");
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
