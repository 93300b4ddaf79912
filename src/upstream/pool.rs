//! What one core knows of the servers it forwards to: unused connections, the last one given the first one taken; whose
//! turn it is; and who rests.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::{Connection, Origin};
use crate::limits::POOL_IDLE_MAX;

/// All servers of one core. Found by their numbers in order: for a few servers that is cheaper than a hash.
#[derive(Default)]
pub struct Pools {
    servers: RefCell<BTreeMap<u64, Server>>,
    /// By the first server of a tunnel that has several: who was last.
    turns: RefCell<BTreeMap<u64, usize>>,
}

#[derive(Default)]
struct Server {
    idle: Vec<Idle>,
    rest: Option<Rest>,
}

struct Idle {
    connection: Connection,
    since: Duration,
}

/// A server that could not be connected to.
struct Rest {
    origin: Origin,
    until: Duration,
    /// Somebody tries whether it is back.
    probed: bool,
}

impl Pools {
    /// Where in a list of servers the next request begins to look: at each in turn.
    pub fn turn(&self, servers: &[Origin]) -> usize {
        let [first, _, ..] = servers else {
            return 0;
        };
        let mut turns = self.turns.borrow_mut();
        let turn = turns.entry(first.id).or_insert(servers.len() - 1);
        *turn = (*turn + 1) % servers.len();
        *turn
    }

    /// A connection that was used before and on which nothing has happened since; the others found are closed.
    pub fn take(&self, origin: u64) -> Option<Connection> {
        loop {
            let mut servers = self.servers.borrow_mut();
            let mut connection = servers.get_mut(&origin)?.idle.pop()?.connection;
            if connection.is_quiet() {
                connection.reused = true;
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose last answer was complete. `now` is the time of the last sweep.
    pub fn give(&self, connection: Connection, now: Duration) {
        connection.deadline.clear();
        connection.deadline.untie();
        let mut servers = self.servers.borrow_mut();
        let server = servers.entry(connection.origin).or_default();
        if server.idle.len() < POOL_IDLE_MAX && server.rest.is_none() {
            server.idle.push(Idle {
                connection,
                since: now,
            });
        }
    }

    /// A server could not be connected to: it gets no requests, and no connection to it is used, until it was probed.
    pub fn rest(&self, origin: &Origin, until: Duration) {
        let mut servers = self.servers.borrow_mut();
        let server = servers.entry(origin.id).or_default();
        server.idle.clear();
        server.rest = Some(Rest {
            origin: origin.clone(),
            until,
            probed: false,
        });
    }

    /// A server could be connected to.
    pub fn end_rest(&self, origin: u64) {
        if let Some(server) = self.servers.borrow_mut().get_mut(&origin) {
            server.rest = None;
        }
    }

    pub fn rests(&self, origin: u64) -> bool {
        let servers = self.servers.borrow();
        servers
            .get(&origin)
            .is_some_and(|server| server.rest.is_some())
    }

    /// How many servers rest.
    pub fn resting(&self) -> usize {
        let servers = self.servers.borrow();
        servers
            .values()
            .filter(|server| server.rest.is_some())
            .count()
    }

    /// The servers whose rest is over at `now`, each to be probed by the caller.
    pub fn due(&self, now: Duration) -> Vec<Origin> {
        let mut servers = self.servers.borrow_mut();
        servers
            .values_mut()
            .filter_map(|server| server.rest.as_mut())
            .filter(|rest| !rest.probed && rest.until <= now)
            .map(|rest| {
                rest.probed = true;
                rest.origin.clone()
            })
            .collect()
    }

    /// Closes what has not been used for `keepalive`.
    pub fn sweep(&self, now: Duration, keepalive: Duration) {
        for server in self.servers.borrow_mut().values_mut() {
            // The list is in order of time: what is too old stands in front.
            let old = server
                .idle
                .partition_point(|idle| idle.since + keepalive <= now);
            server.idle.drain(..old);
        }
    }

    /// Forgets all servers but these.
    pub fn retain(&self, origins: &HashSet<u64>) {
        self.servers
            .borrow_mut()
            .retain(|origin, _| origins.contains(origin));
        self.turns
            .borrow_mut()
            .retain(|origin, _| origins.contains(origin));
    }

    /// Connections that wait in all pools.
    pub fn len(&self) -> usize {
        let servers = self.servers.borrow();
        servers.values().map(|server| server.idle.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes all unused connections.
    pub fn clear(&self) {
        for server in self.servers.borrow_mut().values_mut() {
            server.idle.clear();
        }
    }
}
