//! Everything a user touches: the binary's commands, its output and its signals, the admin listener, the README.
//!
//! Each test starts the real binary as a process of its own, on ports the kernel picks, and asks what can be seen from
//! outside: exit codes, lines, answers, what an upstream got.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

mod admin;
mod browser;
mod canary;
mod certificates;
mod check;
mod demo;
mod descriptors;
mod drain;
mod entering;
mod explain;
mod help;
mod hostile;
mod identity;
mod key_sets;
mod live;
mod log;
mod memory;
mod metrics;
mod pages;
mod readme;
mod reload;
mod sign_in;
mod start;
mod status;
mod token;
mod upgrade;
mod user;
