//! The real provider of `tests/oidc`, for an edge on port 443.

pub const CLIENT_ID: &str = "edge";
pub const CLIENT_SECRET: &str = "canary-of-the-client-0123456789";
pub const REDIRECT_URI: &str = "https://edge.example/rstream/auth/oidc/callback";
pub const POST_LOGOUT_URI: &str = "https://edge.example/rstream/logout";

#[path = "../../oidc/support/node.rs"]
#[allow(dead_code, reason = "tests/oidc uses what is left")]
pub mod node;
