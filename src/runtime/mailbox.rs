//! Messages from the control thread to a core: a queue, and a socket pair that the core reads like any other descriptor.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use monoio::io::AsyncReadRent;

struct Queue<T>(Mutex<VecDeque<T>>);

impl<T> Queue<T> {
    fn push(&self, message: T) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(message);
    }

    fn pop(&self) -> Option<T> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}

/// The sending end; any thread may hold it.
pub struct Sender<T> {
    queue: Arc<Queue<T>>,
    bell: UnixStream,
}

impl<T> Sender<T> {
    /// Queues a message and wakes the core. A core that is gone never reads it.
    pub fn send(&self, message: T) {
        self.queue.push(message);
        // A full socket means that wake-ups are already waiting there; a closed one that the core is gone.
        let _ = (&self.bell).write(&[1]);
    }
}

/// The receiving end before its core has a runtime.
pub struct Unopened<T> {
    queue: Arc<Queue<T>>,
    bell: UnixStream,
}

/// The receiving end, on its core.
pub struct Receiver<T> {
    queue: Arc<Queue<T>>,
    bell: monoio::net::UnixStream,
}

/// Makes a mailbox.
pub fn mailbox<T: Send>() -> io::Result<(Sender<T>, Unopened<T>)> {
    let (near, far) = UnixStream::pair()?;
    near.set_nonblocking(true)?;
    let queue = Arc::new(Queue(Mutex::new(VecDeque::new())));
    Ok((
        Sender {
            queue: queue.clone(),
            bell: near,
        },
        Unopened { queue, bell: far },
    ))
}

impl<T> Unopened<T> {
    /// Registers the receiving end with the runtime of this thread.
    pub fn open(self) -> io::Result<Receiver<T>> {
        self.bell
            .set_nonblocking(super::driver::wants_nonblocking())?;
        Ok(Receiver {
            queue: self.queue,
            bell: monoio::net::UnixStream::from_std(self.bell)?,
        })
    }
}

impl<T> Receiver<T> {
    /// The next message; `None` when every sender is gone.
    pub async fn next(&mut self) -> Option<T> {
        let mut rings = vec![0u8; 64];
        loop {
            if let Some(message) = self.queue.pop() {
                return Some(message);
            }
            let (result, buffer) = self.bell.read(rings).await;
            rings = buffer;
            match result {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}
