//! The binary as a process, and what stands around it.

#[path = "../../integration/support/client_certificate.rs"]
#[allow(dead_code, reason = "the integration tests want more of it")]
pub mod client_certificate;
#[path = "../../config_support/countries.rs"]
pub mod countries;
pub mod folder;
pub mod http;
pub mod origin;
pub mod process;
#[path = "../../integration/support/program.rs"]
#[allow(dead_code, reason = "the integration tests want more of it")]
pub mod program;
pub mod websocket;

pub use client_certificate::{ClientAuthority, ClientCertificate};
pub use folder::{BASE_HOST, CONNECT, Folder, HOST, SECRET};
pub use origin::Origin;
pub use process::{Finished, Process, adit};
