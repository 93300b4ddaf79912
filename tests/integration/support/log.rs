//! Where the edge of a test writes its access log.

use std::io::{self, Write};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// Splits what the edge writes into lines.
pub struct Log {
    begun: Vec<u8>,
    lines: Sender<Value>,
    all: Arc<Mutex<Vec<u8>>>,
}

impl Log {
    /// Each line goes to `lines`, and every byte to `all`.
    pub fn new(lines: Sender<Value>, all: Arc<Mutex<Vec<u8>>>) -> Self {
        Log {
            begun: Vec::new(),
            lines,
            all,
        }
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.all.lock().unwrap().extend_from_slice(bytes);
        self.begun.extend_from_slice(bytes);
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let rest = self.begun.split_off(end + 1);
            let line = std::mem::replace(&mut self.begun, rest);
            // A test that asked for text reads `Edge::log_text`.
            if let Ok(line) = serde_json::from_slice(&line) {
                let _ = self.lines.send(line);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
