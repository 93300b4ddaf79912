//! Whether what is under way may go on (S5.7).
//!
//! A request is judged when its head is here. A body or a WebSocket goes on after that, so it is judged again, by the same
//! bytes, when the configuration or the list of sign-outs changes, and when what proved it ends. Where it would not be let
//! through now, both directions are cut off. An exchange that only waits for its answer is left alone until that comes.

use std::cell::RefCell;
use std::task::Waker;

use crate::clock::Now;
use crate::http::body::Framing;
use crate::policy::{Decision, Refusal};
use crate::runtime::task::Watcher;

use super::exchange::Exchange;
use super::snapshot::Snapshot;
use super::trace::Phase;

/// All exchanges of one core that wait for something.
#[derive(Default)]
pub struct Standing {
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<usize>>,
}

struct Slot {
    /// `None`: nobody has the slot, or its task has been woken.
    waker: Option<Waker>,
    /// When its proof ends, in seconds since the Unix epoch; `NEVER` where it does not.
    ends_at: u64,
    /// It must be judged again.
    due: bool,
}

const NEVER: u64 = u64::MAX;

impl Standing {
    /// Everything is judged by something else now.
    pub fn changed(&self) {
        for slot in self.slots.borrow_mut().iter_mut() {
            slot.wake();
        }
    }

    /// Has those judged whose proof has ended.
    pub fn sweep(&self, now_unix: u64) {
        let mut slots = self.slots.borrow_mut();
        for slot in slots.iter_mut().filter(|slot| slot.ends_at <= now_unix) {
            slot.wake();
        }
    }

    fn enter(&self, ends_at: u64) -> usize {
        let slot = Slot {
            waker: None,
            ends_at,
            due: false,
        };
        let mut slots = self.slots.borrow_mut();
        match self.free.borrow_mut().pop() {
            Some(index) => {
                if let Some(free) = slots.get_mut(index) {
                    *free = slot;
                }
                index
            }
            None => {
                slots.push(slot);
                slots.len() - 1
            }
        }
    }

    fn with<T>(&self, index: usize, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.slots.borrow_mut().get_mut(index).map(act)
    }
}

impl Slot {
    fn wake(&mut self) {
        self.due = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// A slot, given back when it is dropped.
struct Entered<'a> {
    standing: &'a Standing,
    index: usize,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.standing.with(self.index, |slot| {
            slot.waker = None;
            slot.ends_at = NEVER;
        });
        self.standing.free.borrow_mut().push(self.index);
    }
}

/// Looks whether an exchange under way may go on.
pub(super) struct Judged<'a> {
    exchange: &'a Exchange<'a>,
    /// The tunnel's host: in another configuration it has another index.
    hostname: &'a str,
    ends_at: u64,
    entered: Option<Entered<'a>>,
    /// Why it may not go on.
    lost: Option<&'static str>,
}

impl<'a> Judged<'a> {
    /// `tunnel` by the snapshot of the exchange; `ends_at`: when its proof ends, in seconds since the Unix epoch.
    pub(super) fn new(exchange: &'a Exchange<'a>, tunnel: usize, ends_at: Option<u64>) -> Self {
        let tunnel = exchange.place.snapshot.policy.tunnels.get(tunnel);
        Judged {
            exchange,
            hostname: tunnel.map_or("", |tunnel| &tunnel.hostname),
            ends_at: ends_at.unwrap_or(NEVER),
            entered: None,
            lost: None,
        }
    }

    fn judge(&mut self) {
        let place = self.exchange.place;
        let core = place.core;
        let (snapshot, now) = (core.snapshot(), core.now());
        let connection = place.client.facts().of(place.trace.client.address);
        let outlives = self.outlives_expiry(&snapshot);
        // By the wall clock of that time nothing has expired since.
        let judged_by = Now {
            unix: if outlives {
                self.exchange.judged_at.unix
            } else {
                now.unix
            },
            ..now
        };
        let decision = core.decide(&snapshot, connection, self.exchange.request, judged_by);
        // Its proof ended and did not: asked again in a second. Too busy to say: asked again at once.
        let mut next = now.unix_seconds() + 1;
        self.lost = match decision {
            Decision::Forward(permit) => {
                let tunnel = snapshot.policy.tunnels.get(permit.tunnel());
                let is_same = tunnel.is_some_and(|tunnel| tunnel.hostname == self.hostname);
                (!is_same).then_some(Refusal::UnknownHost.reason())
            }
            Decision::Refuse(refused) if refused.refusal == Refusal::TooManyVerifications => {
                next = 0;
                self.ends_at = 0;
                None
            }
            Decision::Refuse(refused) => Some(refused.refusal.reason()),
            Decision::NeedsKeys(needs) => Some(needs.otherwise.refusal.reason()),
            Decision::NeedsSignIn(_) => Some("sign_in"),
            Decision::NeedsChallenge(_) => Some("challenge"),
            Decision::Endpoint(_) => Some(Refusal::EdgePath.reason()),
        };
        if let Some(entered) = &self.entered {
            let ends_at = match self.ends_at {
                NEVER => NEVER,
                // Unless it is too busy to say.
                _ if outlives && next != 0 => NEVER,
                ends_at => ends_at.max(next),
            };
            entered
                .standing
                .with(entered.index, |slot| slot.ends_at = ends_at);
        }
    }

    /// Whether it is a WebSocket of a tunnel that lets them outlive what let them in.
    fn outlives_expiry(&self, snapshot: &Snapshot) -> bool {
        let policy = &snapshot.policy;
        let tunnel = policy.routes.find(&self.exchange.request.head.host);
        self.exchange.websocket.is_some()
            && tunnel
                .and_then(|tunnel| policy.tunnels.get(*tunnel))
                .is_some_and(|tunnel| tunnel.upgrades_outlive_expiry)
    }

    /// Whether a body or a WebSocket is on its way.
    fn carries_bytes(&self) -> bool {
        match self.exchange.place.trace.phase.get() {
            Phase::Body | Phase::Upgraded => true,
            Phase::Request => self.exchange.request.head.framing != Framing::None,
            Phase::Head | Phase::Decision | Phase::Connect | Phase::Answer | Phase::Done => false,
        }
    }
}

impl Watcher for Judged<'_> {
    fn look(&mut self) {
        let Some(entered) = &self.entered else { return };
        let (standing, index) = (entered.standing, entered.index);
        if standing.with(index, |slot| std::mem::take(&mut slot.due)) != Some(true) {
            return;
        }
        if self.lost.is_none() {
            self.judge();
        }
        let Some(why) = self.lost else { return };
        if self.carries_bytes() {
            self.exchange.place.trace.cut(why);
            self.exchange.place.client.abort();
        } else {
            // Looked at again with the next sweep: by then a short answer is over.
            standing.with(index, |slot| slot.ends_at = 0);
        }
    }

    fn wait(&mut self, waker: &Waker) {
        let standing = &self.exchange.place.core.standing;
        let ends_at = self.ends_at;
        let entered = self.entered.get_or_insert_with(|| Entered {
            standing,
            index: standing.enter(ends_at),
        });
        standing.with(entered.index, |slot| match &mut slot.waker {
            Some(known) => known.clone_from(waker),
            unknown @ None => *unknown = Some(waker.clone()),
        });
    }
}
