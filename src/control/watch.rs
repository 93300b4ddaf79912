//! Tells when something happens in the folders that the configuration was read from.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A change is looked at when nothing more has happened for so long: files are written in several steps.
const QUIET: Duration = Duration::from_millis(200);
/// And at the latest after this, however much happens.
const QUIET_MAX: Duration = Duration::from_secs(2);

/// Watches folders, not files: a file that is exchanged is another one under the same name.
pub(super) struct Watch {
    /// `None`: the system grants none.
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    /// What comes out of the receiver means: something may have changed, and it is quiet now.
    pub(super) fn open() -> (Self, UnboundedReceiver<()>) {
        let (seen, events) = unbounded_channel();
        let (settled, changes) = unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.as_ref().is_ok_and(|event| !is_change(&event.kind)) {
                return;
            }
            // Without a receiver the process is ending. An error may hide a change.
            let _ = seen.send(());
        });
        let watcher = watcher.map_err(|error| warn(&error)).ok();
        tokio::spawn(settle(events, settled));
        let watch = Watch {
            watcher,
            folders: BTreeSet::new(),
        };
        (watch, changes)
    }

    /// From now on watches these folders alone.
    pub(super) fn follow(&mut self, folders: BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for gone in self.folders.difference(&folders) {
            // A folder that was deleted is not watched any more.
            let _ = watcher.unwatch(gone);
        }
        let mut failed = None;
        let mut watched = BTreeSet::new();
        for folder in folders {
            // A folder that is there again under its name is another one, so each is asked for anew.
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(folder);
                }
                Err(error) => failed = Some(error),
            }
        }
        self.folders = watched;
        if let Some(error) = failed {
            warn(&error);
        }
    }
}

fn warn(error: &notify::Error) {
    tracing::warn!(event = "watch_failed", %error, "changes of some files are not seen by themselves; send SIGHUP after a change");
}

/// Whether bytes or names may be other ones now. Reading is none: we read ourselves.
fn is_change(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(access) => *access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

/// Makes one message of a burst of events.
async fn settle(mut events: UnboundedReceiver<()>, settled: UnboundedSender<()>) {
    while events.recv().await.is_some() {
        let latest = tokio::time::Instant::now() + QUIET_MAX;
        loop {
            let quiet = (tokio::time::Instant::now() + QUIET).min(latest);
            match tokio::time::timeout_at(quiet, events.recv()).await {
                Ok(Some(())) => {}
                Ok(None) => return,
                Err(_) => break,
            }
        }
        if settled.send(()).is_err() {
            return;
        }
    }
}
