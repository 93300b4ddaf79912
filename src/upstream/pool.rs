//! Unused connections of one core, by origin; the last one given is the first one taken.

use std::cell::RefCell;
use std::time::Duration;

use super::Connection;
use crate::limits::POOL_IDLE_MAX;

/// All pools of one core.
#[derive(Default)]
pub struct Pools {
    by_origin: RefCell<Vec<Vec<Idle>>>,
}

struct Idle {
    connection: Connection,
    since: Duration,
}

impl Pools {
    /// A connection that was used before and on which nothing has happened since; the others found are closed.
    pub fn take(&self, origin: usize) -> Option<Connection> {
        loop {
            let mut connection = self
                .by_origin
                .borrow_mut()
                .get_mut(origin)?
                .pop()?
                .connection;
            if connection.is_quiet() {
                connection.reused = true;
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose last answer was complete. `now` is the time of the last sweep.
    pub fn give(&self, connection: Connection, now: Duration) {
        connection.deadline.clear();
        let origin = connection.origin;
        let mut pools = self.by_origin.borrow_mut();
        if pools.len() <= origin {
            pools.resize_with(origin + 1, Vec::new);
        }
        if let Some(pool) = pools.get_mut(origin)
            && pool.len() < POOL_IDLE_MAX
        {
            pool.push(Idle {
                connection,
                since: now,
            });
        }
    }

    /// Closes what has not been used for `keepalive`.
    pub fn sweep(&self, now: Duration, keepalive: Duration) {
        for pool in self.by_origin.borrow_mut().iter_mut() {
            // The list is in order of time: what is too old stands in front.
            let old = pool.partition_point(|idle| idle.since + keepalive <= now);
            pool.drain(..old);
        }
    }

    /// Connections that wait in all pools.
    pub fn len(&self) -> usize {
        self.by_origin.borrow().iter().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes everything.
    pub fn clear(&self) {
        self.by_origin.borrow_mut().clear();
    }
}
