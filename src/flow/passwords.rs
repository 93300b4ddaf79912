//! Two threads that verify passwords, and a short queue before them (S9).
//!
//! A password takes tens of milliseconds and tens of megabytes: neither the control thread nor a core has that to spare.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::limits::{PASSWORD_QUEUE_MAX, PASSWORD_THREADS};

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They end when it is dropped.
#[derive(Debug)]
pub(super) struct Passwords {
    jobs: SyncSender<Job>,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

impl Passwords {
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, queue) = sync_channel(PASSWORD_QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for index in 0..PASSWORD_THREADS {
            let queue = queue.clone();
            std::thread::Builder::new()
                .name(format!("adit-password-{index}"))
                .spawn(move || work(&queue))?;
        }
        Ok(Passwords { jobs })
    }

    /// Has one of the threads do this, when it comes to it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (sender, done) = oneshot::channel();
        let job: Job = Box::new(move || drop(sender.send(job())));
        self.jobs.try_send(job).map_err(|_| Busy)?;
        // It ends without an answer only if its thread has.
        done.await.map_err(|_| Busy)
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        // Held while waiting: the other thread then waits for this one to have got a job.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}
