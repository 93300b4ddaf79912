//! Whether a server that rested is back: the core finds out itself, so that no request waits for a dead one.

use std::rc::Rc;

use crate::upstream::Connection;

use super::core::Core;

/// Tries every server whose rest is over, each in a task of its own. A connection that could be made waits in the pool for
/// a request.
pub(super) fn probe(core: &Rc<Core>) {
    let now = core.deadlines.now();
    for origin in core.pools.due(now) {
        let core = core.clone();
        monoio::spawn(async move {
            let timeouts = core.snapshot().timeouts.clone();
            let within = timeouts.upstream_connect;
            let opened = Connection::open(&origin, &core.deadlines, &core.buffers, within).await;
            // A reload may have forgotten the server meanwhile; then it neither rests nor waits.
            if !core.pools.rests(origin.id) {
                return;
            }
            core.count(|counters| {
                counters.upstream_connects += 1;
                counters.upstream_connect_failures += u64::from(opened.is_err());
            });
            match opened {
                Ok(connection) => {
                    core.pools.end_rest(origin.id);
                    core.pools.give(connection, core.deadlines.now());
                }
                Err(_) => {
                    let until = core.deadlines.now() + timeouts.upstream_rest;
                    core.pools.rest(&origin, until);
                }
            }
        });
    }
}
