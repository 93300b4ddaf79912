//! A task's border: a panic inside ends the task and nothing else.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// The wrapped future panicked; the panic hook has already told where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Runs `future` and answers [`Panicked`] where it panicked.
pub fn catch_panic<F: Future>(future: F) -> CatchPanic<F> {
    CatchPanic { future }
}

/// See [`catch_panic`]. A struct of its own rather than an `async` block, which would store the future twice.
pub struct CatchPanic<F> {
    future: F,
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: `future` is never moved out of the pinned struct, and the struct has no `Drop` of its own.
        let future = unsafe { self.map_unchecked_mut(|task| &mut task.future) };
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}

/// Sees a future through from beside it.
pub trait Watcher {
    /// Before the future goes on, each time.
    fn look(&mut self);
    /// The future waits; whoever has its waker can have [`Watcher::look`] called.
    fn wait(&mut self, waker: &Waker);
}

/// Runs `future` to its end, with `watcher` beside it.
pub fn watched<F: Future, W: Watcher + Unpin>(future: F, watcher: W) -> Watched<F, W> {
    Watched { future, watcher }
}

/// See [`watched`].
pub struct Watched<F, W> {
    future: F,
    watcher: W,
}

impl<F: Future, W: Watcher + Unpin> Future for Watched<F, W> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: `future` is never moved out of the pinned struct, which has no `Drop` of its own; the watcher is not
        // pinned.
        let this = unsafe { self.get_unchecked_mut() };
        this.watcher.look();
        // SAFETY: `future` lies in the pinned struct and stays there.
        let future = unsafe { Pin::new_unchecked(&mut this.future) };
        let polled = future.poll(context);
        if polled.is_pending() {
            this.watcher.wait(context.waker());
        }
        polled
    }
}

/// Awaits two futures side by side, each to its own end: neither is ever dropped half way.
pub fn both<A: Future, B: Future>(first: A, second: B) -> Both<A, B> {
    Both {
        first,
        second,
        outputs: (None, None),
    }
}

/// See [`both`]. A struct of its own rather than an `async` function, which would store both futures twice.
pub struct Both<A: Future, B: Future> {
    first: A,
    second: B,
    outputs: (Option<A::Output>, Option<B::Output>),
}

impl<A: Future, B: Future> Future for Both<A, B> {
    type Output = (A::Output, B::Output);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the futures are never moved out of the pinned struct, which has no `Drop` of its own; outputs are plain
        // values and not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        if this.outputs.0.is_none() {
            // SAFETY: `first` lies in the pinned struct and stays there.
            let first = unsafe { Pin::new_unchecked(&mut this.first) };
            if let Poll::Ready(output) = first.poll(context) {
                this.outputs.0 = Some(output);
            }
        }
        if this.outputs.1.is_none() {
            // SAFETY: as above.
            let second = unsafe { Pin::new_unchecked(&mut this.second) };
            if let Poll::Ready(output) = second.poll(context) {
                this.outputs.1 = Some(output);
            }
        }
        match &mut this.outputs {
            (first @ Some(_), second @ Some(_)) => match first.take().zip(second.take()) {
                Some(outputs) => Poll::Ready(outputs),
                None => Poll::Pending,
            },
            _ => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn a_panic_stays_inside() {
        assert_eq!(block_on(catch_panic(async { 7 })), Ok(7));
        assert_eq!(
            block_on(catch_panic(async { panic!("stays") })),
            Err::<(), _>(Panicked)
        );
    }

    #[test]
    fn both_wait_for_the_slower() {
        let slow = async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            "slow"
        };
        assert_eq!(block_on(both(slow, async { "fast" })), ("slow", "fast"));
    }
}
