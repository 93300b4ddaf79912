//! Fetching one key set (S4.6).

use reqwest::header;

use crate::config::settings::KeySetUrl;
use crate::fetch::{self, FetchError, Reach};
use crate::limits::{KEY_SET_BYTES_MAX, KEY_SET_WITHIN};

/// The text of the set.
pub(super) async fn fetch(source: &KeySetUrl) -> Result<Vec<u8>, FetchError> {
    let client = fetch::client(&Reach {
        roots: source.roots.as_deref(),
        private_addresses: source.private_addresses,
        private_key: "jwks_private_addresses",
        within: KEY_SET_WITHIN,
    })?;
    let request = client
        .get(&source.url)
        .header(header::ACCEPT, "application/jwk-set+json, application/json");
    fetch::fetch(request, KEY_SET_BYTES_MAX).await
}
