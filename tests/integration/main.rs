//! The real proxy in this process, between raw clients and recording upstreams; one file for each promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

mod access;
mod bodies;
mod bypasses;
mod certificates;
mod client_address;
mod cores;
mod credentials;
mod deadlines;
mod error_pages;
mod eviction;
mod framing;
mod headers_out;
mod identity;
mod idle;
mod limits;
mod path_boundary;
mod pipelining;
mod redirect;
mod reload;
mod requests;
mod responses;
mod revocations;
mod routing;
mod seeing;
mod splits;
mod stage;
mod standing;
mod tls;
mod token;
mod upstreams;
mod websocket;
