//! Questions of a core to the control thread: a task waits on its core for the answer, which comes as a message.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The open questions of one core.
#[derive(Debug)]
pub struct Asks<T> {
    next: Cell<u64>,
    open: RefCell<HashMap<u64, Open<T>>>,
}

#[derive(Debug)]
struct Open<T> {
    state: State<T>,
    /// On the monotonic clock: after this nobody waits any more.
    until: Duration,
}

#[derive(Debug)]
enum State<T> {
    Waiting(Option<Waker>),
    Answered(T),
    GivenUp,
}

/// One question: ready with its answer, or with nothing where none came in time.
#[derive(Debug)]
pub struct Ask<'a, T> {
    asks: &'a Asks<T>,
    ticket: u64,
}

impl<T> Default for Asks<T> {
    fn default() -> Self {
        Asks {
            next: Cell::new(0),
            open: RefCell::new(HashMap::new()),
        }
    }
}

impl<T> Asks<T> {
    /// Opens a question that is given up at `until`.
    pub fn begin(&self, until: Duration) -> Ask<'_, T> {
        let ticket = self.next.get();
        self.next.set(ticket.wrapping_add(1));
        let state = State::Waiting(None);
        self.open.borrow_mut().insert(ticket, Open { state, until });
        Ask { asks: self, ticket }
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Answers one; an answer that nobody waits for any more is dropped.
    pub fn answer(&self, ticket: u64, answer: T) {
        if let Some(open) = self.open.borrow_mut().get_mut(&ticket) {
            end(open, State::Answered(answer));
        }
    }

    /// Gives up those whose time is over.
    pub fn sweep(&self, now: Duration) {
        for open in self.open.borrow_mut().values_mut() {
            if open.until <= now {
                end(open, State::GivenUp);
            }
        }
    }
}

/// Ends the wait; only the first end counts. Waking only queues the task, so nothing of it runs in here.
fn end<T>(open: &mut Open<T>, state: State<T>) {
    if let State::Waiting(waker) = &mut open.state {
        let waker = waker.take();
        open.state = state;
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Ask<'_, T> {
    /// What the answer must be given for.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }
}

impl<T> Future for Ask<'_, T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut all = self.asks.open.borrow_mut();
        if let Some(open) = all.get_mut(&self.ticket)
            && let State::Waiting(waker) = &mut open.state
        {
            *waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(match all.remove(&self.ticket).map(|open| open.state) {
            Some(State::Answered(answer)) => Some(answer),
            Some(State::GivenUp | State::Waiting(_)) | None => None,
        })
    }
}

impl<T> Drop for Ask<'_, T> {
    fn drop(&mut self) {
        self.asks.open.borrow_mut().remove(&self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn poll<T>(ask: Pin<&mut Ask<'_, T>>) -> Poll<Option<T>> {
        ask.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn each_question_has_its_own_answer_and_the_first_counts() {
        let asks = Asks::default();
        let (mut one, mut two) = (pin!(asks.begin(SECOND)), pin!(asks.begin(SECOND)));
        assert_eq!(poll(one.as_mut()), Poll::Pending);
        let tickets = (one.ticket(), two.ticket());
        asks.answer(tickets.1, "second");
        asks.answer(tickets.1, "again");
        assert_eq!(poll(one.as_mut()), Poll::Pending);
        assert_eq!(poll(two.as_mut()), Poll::Ready(Some("second")));
        asks.answer(tickets.0, "first");
        asks.sweep(2 * SECOND);
        assert_eq!(poll(one.as_mut()), Poll::Ready(Some("first")));
        assert!(asks.is_empty());
    }

    #[test]
    fn a_question_without_an_answer_ends_and_one_that_is_dropped_is_forgotten() {
        let asks = Asks::<()>::default();
        let mut ask = pin!(asks.begin(SECOND));
        assert_eq!(poll(ask.as_mut()), Poll::Pending);
        asks.sweep(SECOND / 2);
        assert_eq!(poll(ask.as_mut()), Poll::Pending);
        asks.sweep(SECOND);
        assert_eq!(poll(ask.as_mut()), Poll::Ready(None));
        drop(asks.begin(SECOND));
        assert!(asks.is_empty());
        asks.answer(1, ());
    }
}
