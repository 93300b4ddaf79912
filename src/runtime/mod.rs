//! The kernel below and monoio around it: the one room that may use `unsafe`.
//!
//! Owns: the choice of driver and its ring flags, lent buffers, sockets, deadlines, messages between threads, the
//! reading of clocks, and the few process-wide system calls. Comes in: file descriptors, buffers by value, durations.
//! Goes out: results together with the buffer that was lent.
//!
//! Invariants: an operation that was submitted is awaited to its end, never dropped (dropped reads swallow bytes,
//! dropped accepts leak descriptors); deadlines therefore end a connection with `shutdown`, and the operation in flight
//! completes by itself. Everything here but [`mailbox::Sender`] and [`clock::Clock`] stays on the core that made it.
#![allow(
    unsafe_code,
    reason = "this room alone talks to the kernel; every block says who keeps the memory alive"
)]

pub mod asks;
pub mod buffer;
pub mod clock;
pub mod deadline;
pub mod driver;
pub mod link;
pub mod mailbox;
pub mod passed;
pub mod process;
pub mod socket;
pub mod stage;
pub mod task;
pub mod terminal;
