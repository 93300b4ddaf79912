//! Finished log lines on their way from a core to the thread that writes them.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::limits::LOG_QUEUE_BYTES;

/// The end of a core. It never waits.
pub struct LogSender(Producer<u8>);

/// The end of the writing thread.
pub struct LogReceiver(Consumer<u8>);

/// Makes the queue of one core.
pub fn log_queue() -> (LogSender, LogReceiver) {
    let (sender, receiver) = RingBuffer::new(LOG_QUEUE_BYTES);
    (LogSender(sender), LogReceiver(receiver))
}

impl LogSender {
    /// Queues a whole line, or nothing and answers `false`.
    #[must_use]
    pub fn send(&mut self, line: &[u8]) -> bool {
        self.0.push_entire_slice(line).is_ok()
    }
}

impl LogReceiver {
    /// Appends everything that waits to `out`.
    pub fn drain_into(&mut self, out: &mut Vec<u8>) {
        let Ok(chunk) = self.0.read_chunk(self.0.slots()) else {
            return;
        };
        let (first, second) = chunk.as_slices();
        out.extend_from_slice(first);
        out.extend_from_slice(second);
        chunk.commit_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_or_none() {
        let (mut sender, mut receiver) = log_queue();
        let line = vec![b'x'; LOG_QUEUE_BYTES / 2 + 1];
        assert!(sender.send(&line));
        assert!(!sender.send(&line));
        assert!(sender.send(b"short\n"));
        let mut out = Vec::new();
        receiver.drain_into(&mut out);
        assert_eq!(out.len(), line.len() + 6);
        assert!(out.ends_with(b"xshort\n"));
    }
}
