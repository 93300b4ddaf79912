//! Which driver a core runs on, and why.
//!
//! io_uring with the default ring flags is slower than epoll, because completions then interrupt the thread that waits
//! for them. So the ladder is: `SINGLE_ISSUER | DEFER_TASKRUN` (Linux 6.1), `SINGLE_ISSUER | COOP_TASKRUN` (6.0), then
//! epoll. Containers often forbid io_uring altogether.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;

use monoio::time::TimeDriver;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

/// What the configuration asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Auto,
    IoUring,
    Epoll,
}

/// What a core got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub driver: Driver,
    /// Why not something better, or that it was asked for.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// io_uring with `SINGLE_ISSUER | DEFER_TASKRUN`.
    IoUringDefer,
    /// io_uring with `SINGLE_ISSUER | COOP_TASKRUN`.
    IoUringCoop,
    Epoll,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Driver::IoUringDefer => "io_uring (defer_taskrun)",
            Driver::IoUringCoop => "io_uring (coop_taskrun)",
            Driver::Epoll => "epoll",
        })
    }
}

type IoUringRuntime = monoio::Runtime<TimeDriver<IoUringDriver>>;
type EpollRuntime = monoio::Runtime<TimeDriver<LegacyDriver>>;

enum Built {
    IoUring(IoUringRuntime),
    Epoll(EpollRuntime),
}

thread_local! {
    static POLLS: Cell<bool> = const { Cell::new(false) };
}

/// Whether descriptors handed to this thread's runtime must be non-blocking: epoll needs it, and a ring would answer
/// "try again" instead of waiting.
pub(crate) fn wants_nonblocking() -> bool {
    POLLS.get()
}

/// Builds a runtime on this thread (a ring belongs to the thread that makes it) and runs `main` on it to its end.
///
/// Fails where the driver that was asked for cannot be had; with [`Wanted::Auto`] only where not even epoll can.
pub fn run<F, Fut>(wanted: Wanted, ring_entries: u32, main: F) -> io::Result<Fut::Output>
where
    F: FnOnce(Chosen) -> Fut,
    Fut: Future,
{
    let (built, chosen) = build(wanted, ring_entries)?;
    POLLS.set(chosen.driver == Driver::Epoll);
    Ok(match built {
        Built::IoUring(mut runtime) => runtime.block_on(main(chosen)),
        Built::Epoll(mut runtime) => runtime.block_on(main(chosen)),
    })
}

fn build(wanted: Wanted, ring_entries: u32) -> io::Result<(Built, Chosen)> {
    if wanted == Wanted::Epoll {
        return epoll("asked for in [cores] driver".to_owned());
    }
    let mut refusals = Vec::new();
    for driver in [Driver::IoUringDefer, Driver::IoUringCoop] {
        match io_uring(driver, ring_entries) {
            Ok(runtime) => {
                let reason = if refusals.is_empty() {
                    "best available".to_owned()
                } else {
                    refusals.join("; ")
                };
                return Ok((Built::IoUring(runtime), Chosen { driver, reason }));
            }
            Err(error) => refusals.push(format!("{driver}: {error}")),
        }
    }
    let refusals = format!("{} ({})", refusals.join("; "), cure());
    match wanted {
        Wanted::IoUring => Err(io::Error::other(format!(
            "io_uring was asked for and cannot be had: {refusals}"
        ))),
        Wanted::Auto | Wanted::Epoll => epoll(refusals),
    }
}

fn epoll(reason: String) -> io::Result<(Built, Chosen)> {
    let runtime = RuntimeBuilder::<LegacyDriver>::new()
        .enable_timer()
        .build()?;
    Ok((
        Built::Epoll(runtime),
        Chosen {
            driver: Driver::Epoll,
            reason,
        },
    ))
}

fn io_uring(driver: Driver, ring_entries: u32) -> io::Result<IoUringRuntime> {
    let mut ring = io_uring::IoUring::builder();
    ring.setup_single_issuer();
    match driver {
        Driver::IoUringDefer => ring.setup_defer_taskrun(),
        Driver::IoUringCoop | Driver::Epoll => ring.setup_coop_taskrun(),
    };
    RuntimeBuilder::<IoUringDriver>::new()
        .uring_builder(ring)
        .with_entries(ring_entries)
        .enable_timer()
        .build()
}

/// What an operator can do where io_uring is refused.
fn cure() -> String {
    match std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
        .as_deref()
        .map(str::trim)
    {
        Ok("0") => {
            "allowed by sysctl; a seccomp filter, RLIMIT_MEMLOCK or an old kernel stands in the way"
                .to_owned()
        }
        Ok(value) => format!("sysctl kernel.io_uring_disabled is {value}; set it to 0"),
        Err(_) => "this kernel is older than 6.0 or has no io_uring".to_owned(),
    }
}

/// Ties this thread to one CPU.
pub fn pin(cpu: usize) -> io::Result<()> {
    monoio::utils::bind_to_cpu_set([cpu])
        .map_err(|error| io::Error::other(format!("cannot pin to CPU {cpu}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoll_when_asked() {
        let chosen = run(Wanted::Epoll, 256, |chosen| async { chosen }).unwrap();
        assert_eq!(chosen.driver, Driver::Epoll);
    }
}
