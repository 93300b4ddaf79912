//! `adit` as a child process whose lines are read as they come.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;

use super::Folder;

/// Far longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a command that ends by itself came to.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs a command of the binary to its end, with an environment of its own.
pub fn adit(arguments: &[&str]) -> Finished {
    adit_reading(arguments, b"")
}

/// The same, with something on its standard input.
pub fn adit_reading(arguments: &[&str], input: &[u8]) -> Finished {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails early reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Finished {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adit"));
    command.args(arguments).env_clear();
    command
}

/// A running process. Killed when dropped.
pub struct Process {
    child: Child,
    pub out: Lines,
    pub err: Lines,
}

impl Process {
    /// `adit run` with the folder's configuration, once it is ready.
    pub fn run(folder: &Folder) -> Process {
        Process::run_with(folder, |_| ())
    }

    /// The same, with changes to how it is started.
    pub fn run_with(folder: &Folder, change: impl FnOnce(&mut Command)) -> Process {
        let mut process = Process::begin(folder, change);
        process.event("started");
        process
    }

    /// `adit run`, not waited for.
    pub fn begin(folder: &Folder, change: impl FnOnce(&mut Command)) -> Process {
        let file = folder.path("adit.toml");
        let mut command = command(&["run", "--config", file.to_str().unwrap()]);
        change(&mut command);
        Process::spawn(command)
    }

    /// `adit run` as a service manager starts it, with these sockets, each under a name; not waited for.
    pub fn activated(
        folder: &Folder,
        sockets: &[(&str, &TcpListener)],
        change: impl FnOnce(&mut Command),
    ) -> Process {
        // Numbers that the shell does not overwrite while it moves them to where they belong.
        let passed: Vec<TcpListener> = sockets.iter().map(|(_, socket)| high(socket)).collect();
        let moves: String = (3..)
            .zip(&passed)
            .map(|(to, socket)| format!("{to}<&{0} {0}<&- ", socket.as_raw_fd()))
            .collect();
        let script = format!("exec {moves}; export LISTEN_PID=$$; exec \"$0\" \"$@\"");
        let names: Vec<&str> = sockets.iter().map(|(name, _)| *name).collect();
        let mut command = Command::new("bash");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_adit"), "run", "--config"]);
        command.arg(folder.path("adit.toml")).env_clear();
        command.env("LISTEN_FDS", sockets.len().to_string());
        command.env("LISTEN_FDNAMES", names.join(":"));
        change(&mut command);
        Process::spawn(command)
    }

    pub fn spawn(mut command: Command) -> Process {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Process {
            child,
            out: Lines::of(out),
            err: Lines::of(err),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of the process log that tells of `event`.
    pub fn event(&mut self, event: &str) -> Value {
        self.event_saying(event, "")
    }

    /// The next one whose line contains `text`: a signal and a changed file may each tell of the same state.
    pub fn event_saying(&mut self, event: &str, text: &str) -> Value {
        let wanted = format!("\"event\":\"{event}\"");
        let is_it = |line: &str| line.contains(&wanted) && line.contains(text);
        let line = self.err.until(is_it, &format!("{event} {text}"));
        serde_json::from_str(&line).unwrap()
    }

    /// The real address of a listener, from the start log.
    pub fn address(&self, entry: &str) -> SocketAddr {
        self.listening(entry).parse().unwrap()
    }

    /// The same as it stands in the log.
    pub fn listening(&self, entry: &str) -> String {
        let wanted = format!("\"entry\":\"{entry}\"");
        let line = self.err.seen.iter().find(|line| line.contains(&wanted));
        let event: Value = serde_json::from_str(line.expect(entry)).unwrap();
        event["address"].as_str().unwrap().to_owned()
    }

    /// The access log line of the request to `path`.
    pub fn record(&mut self, path: &str) -> Value {
        let wanted = format!("\"path\":\"{path}\"");
        let line = self.out.find(|line| line.contains(&wanted), path);
        serde_json::from_str(&line).unwrap()
    }

    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Waits for its end; answers its exit code and everything it said.
    pub fn finish(mut self) -> Finished {
        let out = self.out.rest();
        let err = self.err.rest();
        let status: ExitStatus = self.child.wait().unwrap();
        Finished {
            code: status.code().expect("ended by a signal"),
            out,
            err,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same socket under a number of ten or more, which a child inherits.
fn high(socket: &TcpListener) -> TcpListener {
    let mut low = Vec::new();
    loop {
        let copy = socket.try_clone().unwrap();
        if copy.as_raw_fd() >= 10 {
            SockRef::from(&copy).set_cloexec(false).unwrap();
            return copy;
        }
        low.push(copy);
    }
}

/// Sends a signal to one process that a test started.
pub fn signal(id: u32, name: &str) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {id}")])
        .status()
        .unwrap();
    assert!(status.success(), "kill -{name} {id}");
}

/// Lines of one stream as they come.
pub struct Lines {
    receiver: Receiver<String>,
    pub seen: Vec<String>,
}

impl Lines {
    pub fn of(stream: impl Read + Send + 'static) -> Lines {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let seen = Vec::new();
        Lines { receiver, seen }
    }

    /// Reads on to the next line like this.
    pub fn until(&mut self, is_it: impl Fn(&str) -> bool, what: &str) -> String {
        match self.until_end(is_it) {
            Ok(line) => line,
            Err(error) => panic!("{what}: {error}; so far: {:#?}", self.seen),
        }
    }

    /// The same where there may be none before the end.
    pub fn until_end(&mut self, is_it: impl Fn(&str) -> bool) -> Result<String, RecvTimeoutError> {
        loop {
            let line = self.receiver.recv_timeout(PATIENCE)?;
            self.seen.push(line.clone());
            if is_it(&line) {
                return Ok(line);
            }
        }
    }

    /// A line like this, read before or still to come: the lines of two cores may change places.
    pub fn find(&mut self, is_it: impl Fn(&str) -> bool, what: &str) -> String {
        match self.seen.iter().find(|line| is_it(line)) {
            Some(line) => line.clone(),
            None => self.until(is_it, what),
        }
    }

    /// Reads to the end; answers all that was ever read.
    fn rest(&mut self) -> String {
        loop {
            match self.receiver.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("no end: {error}; so far: {:#?}", self.seen),
            }
        }
        self.seen.iter().map(|line| format!("{line}\n")).collect()
    }
}
