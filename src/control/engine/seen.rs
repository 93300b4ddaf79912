//! What can be seen of a running process: what its cores counted and refused, and what it publishes.

use std::sync::mpsc::{Sender, channel};

use super::{Engine, collect};
use crate::authn::Authorization;
use crate::limits::RECENT_REFUSALS;
use crate::policy::{Mechanisms, Tunnel};
use crate::telemetry::counters::Counters;
use crate::telemetry::recent::Refused;
use crate::worker::Command;

/// One tunnel, as the status page shows it.
#[derive(Clone, Debug)]
pub struct Published {
    pub hostname: String,
    pub project: String,
    pub guards: Mechanisms,
    pub authorization: Authorization,
    /// Servers that its requests go to, in turn.
    pub servers: usize,
}

impl Published {
    fn of(tunnel: &Tunnel, servers: usize) -> Self {
        Published {
            hostname: tunnel.hostname.clone(),
            project: tunnel.project.clone(),
            guards: tunnel.mechanisms,
            authorization: tunnel.authorization,
            servers,
        }
    }
}

impl Engine {
    /// What every core has counted. A core that does not answer in time is missing.
    pub fn reports(&self) -> Vec<(usize, Counters)> {
        let mut reports = self.ask(|index, answer| {
            Command::Report(Box::new(move |counters| {
                drop(answer.send((index, counters)))
            }))
        });
        reports.sort_by_key(|(index, _)| *index);
        reports
    }

    /// The last refusals of all cores, the newest first. Those of a core that does not answer in time are missing.
    pub fn recent_refusals(&self) -> Vec<Refused> {
        let kept =
            self.ask(|_, answer| Command::Recent(Box::new(move |kept| drop(answer.send(kept)))));
        let mut refusals: Vec<Refused> = kept.into_iter().flatten().collect();
        refusals.sort_by_key(|refused| std::cmp::Reverse(refused.at));
        refusals.truncate(RECENT_REFUSALS);
        refusals
    }

    /// Asks every core, by its index and where the answer goes.
    fn ask<T>(&self, question: impl Fn(usize, Sender<T>) -> Command) -> Vec<T> {
        let (sender, answers) = channel();
        for (index, core) in self.cores.iter().enumerate() {
            core.commands.send(question(index, sender.clone()));
        }
        drop(sender);
        collect(&answers, self.cores.len())
    }

    /// The first `most` tunnels in the order written.
    pub fn published(&self, most: usize) -> Vec<Published> {
        let current = self.current();
        let Some(snapshot) = current.snapshots.first() else {
            return Vec::new();
        };
        let tunnels = snapshot.policy.tunnels.iter().zip(&snapshot.origins);
        tunnels
            .take(most)
            .map(|(tunnel, servers)| Published::of(tunnel, servers.len()))
            .collect()
    }
}
