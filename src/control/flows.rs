//! Serves the flows of browsers on the control thread, and takes over the sign-outs of another process.

use std::os::unix::net::UnixListener;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::engine::Engine;
use crate::flow::{self, Flow, Sessions};
use crate::oidc::Provider;

/// How often it is looked whether another process has written sign-outs: a session ends within a second everywhere.
const LOOK: Duration = Duration::from_millis(250);

/// Serves until the process ends.
pub async fn serve(engine: Arc<Engine>) {
    let Some(mut inbox) = engine.flow_inbox() else {
        return;
    };
    let mut flow: Option<Arc<Flow>> = None;
    let mut kept = KeptNew::default();
    loop {
        tokio::select! {
            listener = inbox.recv() => match listener {
                Some(listener) => begin(&engine, &mut flow, listener),
                None => return,
            },
            () = tokio::time::sleep(LOOK), if flow.is_some() => {
                kept.follow(&engine);
                let engine = engine.clone();
                let looking = tokio::task::spawn_blocking(move || engine.look_for_sign_outs());
                if let Err(error) = looking.await {
                    tracing::error!(event = "sign_outs_refused", %error);
                }
            }
        }
    }
}

/// Keeps what is known of the provider elsewhere new.
#[derive(Default)]
struct KeptNew(Option<(Arc<Provider>, JoinHandle<()>)>);

impl KeptNew {
    /// Goes on with the provider of the rules in force, whichever it is now.
    fn follow(&mut self, engine: &Engine) {
        let rules = engine.flow_rules();
        let rules = rules.read().unwrap_or_else(PoisonError::into_inner).clone();
        let wanted = rules.provider();
        let running = self.0.as_ref().map(|(provider, _)| provider);
        let is_same = match (running, wanted) {
            (Some(running), Some(wanted)) => Arc::ptr_eq(running, wanted),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if is_same {
            return;
        }
        if let Some((_, task)) = self.0.take() {
            task.abort();
        }
        self.0 = wanted.map(|provider| {
            let running = provider.clone();
            let task = tokio::spawn(async move { running.run().await });
            (provider.clone(), task)
        });
    }
}

/// Serves on one more listener, with what was remembered so far.
fn begin(engine: &Arc<Engine>, flow: &mut Option<Arc<Flow>>, listener: UnixListener) {
    let begun = match flow {
        Some(flow) => Ok(flow.clone()),
        None => begin_flow(engine),
    };
    let listener = tokio::net::UnixListener::from_std(listener);
    match (begun, listener) {
        (Ok(begun), Ok(listener)) => {
            *flow = Some(begun.clone());
            tokio::spawn(async move {
                if let Err(error) = flow::serve(begun, listener).await {
                    tracing::error!(event = "flows_ended", %error, "nobody can sign in any more");
                }
            });
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(event = "flows_ended", %error, "nobody can sign in");
        }
    }
}

fn begin_flow(engine: &Arc<Engine>) -> std::io::Result<Arc<Flow>> {
    let teller = engine.clone();
    let sessions = Sessions {
        ended: engine.known_sign_outs(),
        end: Arc::new(move |what, before| teller.sign_out(what, before)),
    };
    let flow = Flow::new(engine.flow_rules(), engine.clock().clone(), sessions)?;
    Ok(Arc::new(flow))
}
