//! adit: a self-hosted edge for HTTP tunnels, which lets a request through only when it proves who it is.
//!
//! One promise: the request that was authorised is the request that is forwarded. There is one parse of a head
//! ([`http`]); judgement ([`policy::decide()`]), forwarding ([`forward`]) and the log read the same spans of it. Only
//! [`authz`] makes a [`authz::Permit`], and nothing reaches an upstream without one.
//!
//! ```text
//!                  config: TOML -> Settings -> Policy        control: start, signals, reload, drain
//!                                    |  one compiled copy for each core, by message
//!    - - - - - - - - - - - - - - - - v - - - one worker per core, nothing mutable shared - - - - - - - - -
//!    listener -> tls -> http -> [ route -> authn -> authz ] = policy::decide -> forward -> upstream
//!     socket    bytes   head      Route   Identity  Permit                       head,body   socket
//!                         |         |        |         |                            |          |
//!                         +---------+--------+---------+--> respond: the one place a refusal is written
//!    runtime: io_uring or epoll below      limits, clock, secret: the ground      telemetry: one record each
//! ```
//!
//! A core ([`worker`]) accepts, reads a head, asks `decide`, and forwards or refuses: `worker/connection.rs` is that in
//! order. The pure rooms (`http` to `respond`, without sockets, files, threads or clocks) can be tested without starting
//! anything; [`runtime`] alone talks to the kernel. `tests/tidy` keeps it so.

pub mod clock;
pub mod limits;
pub mod secret;

pub mod json;

pub mod runtime;

pub mod listener;

pub mod tls;

pub mod http;

pub mod route;

pub mod token;

pub mod boundary;

pub mod certificate;

pub mod network;

pub mod seal;

pub mod password;

pub mod authn;

pub mod authz;

pub mod handover;

pub mod assertion;

pub mod policy;

pub mod forward;

pub mod upstream;

pub mod respond;

pub mod pages;

pub mod telemetry;

pub mod worker;

pub mod config;

mod fetch;

pub mod oidc;

pub mod flow;

pub mod control;

pub mod cli;
