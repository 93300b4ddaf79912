//! The provider that users sign in at: it outlives reloads that leave it as it is, with all that it knows.

use std::sync::{Arc, Mutex, PoisonError};

use crate::config::settings::{Oidc, Settings, SignInProvider};
use crate::control::start::StartError;
use crate::handover::{BASE_LOGOUT_PATH, PROVIDER_CALLBACK_PATH};
use crate::oidc::{Addresses, Provider};
use crate::runtime::clock::Clock;

/// The provider of the last settings that had one.
#[derive(Debug, Default)]
pub(super) struct KeptProvider(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    written: Oidc,
    redirect_uri: String,
    provider: Arc<Provider>,
}

impl KeptProvider {
    /// The provider of these settings. `None`: nobody signs in elsewhere.
    pub(super) fn of(
        &self,
        settings: &Settings,
        public_port: u16,
        clock: &Clock,
    ) -> Result<Option<Arc<Provider>>, StartError> {
        let provider = settings.sign_in.as_ref().map(|one| &one.provider);
        let Some(SignInProvider::Oidc(written)) = provider else {
            return Ok(None);
        };
        let port = match public_port {
            443 => String::new(),
            port => format!(":{port}"),
        };
        let origin = format!("https://{}{port}", settings.engine.host);
        let redirect_uri = format!("{origin}{PROVIDER_CALLBACK_PATH}");
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*kept
            && kept.written == *written
            && kept.redirect_uri == redirect_uri
        {
            return Ok(Some(kept.provider.clone()));
        }
        let addresses = Addresses {
            redirect_uri: redirect_uri.clone(),
            post_logout_uri: format!("{origin}{BASE_LOGOUT_PATH}"),
        };
        let provider = Provider::new(written.clone(), addresses, clock.clone());
        let provider = provider.map_err(|error| StartError::Flow(error.to_string()))?;
        let provider = Arc::new(provider);
        *kept = Some(Kept {
            written: written.clone(),
            redirect_uri,
            provider: provider.clone(),
        });
        Ok(Some(provider))
    }
}
