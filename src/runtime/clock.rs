//! The only reader of clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::Now;

/// Reads the machine's clocks, moved forward by an offset that is zero outside of tests.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicU64>,
}

impl Clock {
    /// Reads both clocks.
    pub fn now(&self) -> Now {
        let offset = self.offset();
        #[allow(
            clippy::disallowed_methods,
            reason = "this is where the process reads the wall clock"
        )]
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            monotonic: monotonic() + offset,
            unix: unix + offset,
        }
    }

    /// Reads the monotonic clock alone.
    pub fn monotonic(&self) -> Duration {
        monotonic() + self.offset()
    }

    fn offset(&self) -> Duration {
        Duration::from_millis(self.offset_ms.load(Ordering::Relaxed))
    }

    /// Moves this clock and its clones forward; deadlines see it at the next sweep.
    pub fn advance(&self, by: Duration) {
        self.offset_ms
            .fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }
}

/// The CPU time that this thread has used so far, the kernel's work for it included.
pub fn thread_cpu_time() -> Duration {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn monotonic() -> Duration {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a local that lives through the call.
    let status = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(status, 0, "both clocks are always there on Linux");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
