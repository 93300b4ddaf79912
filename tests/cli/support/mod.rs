//! The binary as a process, and what stands around it.

pub mod folder;
pub mod http;
pub mod origin;
pub mod process;

pub use folder::{BASE_HOST, CONNECT, Folder, HOST, SECRET};
pub use origin::Origin;
pub use process::{Finished, Process, adit};
