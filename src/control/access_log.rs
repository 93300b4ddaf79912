//! The thread that writes the access log: it takes finished lines out of the cores' queues.
//!
//! A log rotation renames the file and sends SIGHUP: what was queued before goes to the old file, then the name is opened
//! anew.
//!
//! A thread of its own, so that a reader of standard output who stops reading delays neither a signal nor a request;
//! lines that find no room in their queue meanwhile are dropped and counted by their core.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::config::settings::AccessLog;
use crate::telemetry::queue::LogReceiver;

/// Where lines go. `None`: there is no access log.
pub type Sink = Option<Box<dyn Write + Send>>;

/// How long a line may wait.
const INTERVAL: Duration = Duration::from_millis(20);

/// Opens what `[log] access` names. A file is appended to, and made readable for its owner and group only.
pub fn open(access: &AccessLog) -> io::Result<Sink> {
    Ok(match access {
        AccessLog::Off => None,
        AccessLog::Stdout => Some(Box::new(io::stdout())),
        AccessLog::File(path) => {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o640)
                .open(path);
            let file = file.map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
            Some(Box::new(file))
        }
    })
}

/// The writing thread; it ends when this is dropped and the last lines are written. Nobody waits for that: a reader that
/// has stopped could make it take for ever.
pub struct Writer {
    commands: SyncSender<SyncSender<()>>,
    reopen: Arc<AtomicBool>,
}

impl Writer {
    /// `access` is where `sink` came from, and is opened again by [`Writer::reopen`].
    pub fn start(
        sink: Box<dyn Write + Send>,
        access: AccessLog,
        queues: Vec<LogReceiver>,
    ) -> io::Result<Self> {
        let (commands, receiver) = sync_channel(1);
        let reopen = Arc::new(AtomicBool::new(false));
        let asked = reopen.clone();
        std::thread::Builder::new()
            .name("adit-log".to_owned())
            .spawn(move || write_lines(sink, &access, queues, &receiver, &asked))?;
        Ok(Writer { commands, reopen })
    }

    /// Has a log that is a file opened by its name again. Does not wait for it: `log_reopened` in the process log tells
    /// that every line from then on is in the new file.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Returns when every line that was queued before is written, or after a second.
    pub fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.commands.try_send(done).is_ok() {
            let _ = written.recv_timeout(Duration::from_secs(1));
        }
    }
}

/// The file as its name leads to it now; none where the log is no file. Where it cannot be opened the old one goes on.
fn open_again(access: &AccessLog) -> Sink {
    let AccessLog::File(path) = access else {
        return None;
    };
    let file = path.display();
    match open(access) {
        Ok(sink) => {
            tracing::info!(event = "log_reopened", %file, "the access log");
            sink
        }
        Err(error) => {
            tracing::error!(event = "log_reopen_failed", %file, %error, "the access log goes on in the old file");
            None
        }
    }
}

fn write_lines(
    mut sink: Box<dyn Write + Send>,
    access: &AccessLog,
    mut queues: Vec<LogReceiver>,
    commands: &Receiver<SyncSender<()>>,
    reopen: &AtomicBool,
) {
    let mut lines = Vec::new();
    loop {
        let command = commands.recv_timeout(INTERVAL);
        let reopens = reopen.swap(false, Ordering::Relaxed);
        lines.clear();
        for queue in &mut queues {
            queue.drain_into(&mut lines);
        }
        // A log that cannot be written must not stop the service; the next line is tried again.
        let _ = sink.write_all(&lines).and_then(|()| sink.flush());
        if reopens && let Some(opened) = open_again(access) {
            sink = opened;
        }
        match command {
            Ok(done) => drop(done.try_send(())),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
}
