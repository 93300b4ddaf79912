//! Room for futures that are large and short-lived: an exchange runs in memory that the next exchange uses again, so an
//! idle connection does not carry it, and none of them costs an allocation.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

/// Free places of one size, which is that of the first future that came.
#[derive(Debug, Default)]
pub struct Stage {
    layout: Cell<Option<Layout>>,
    free: RefCell<Vec<NonNull<u8>>>,
}

/// Free places kept; more are given back to the allocator.
const PLACES_KEPT: usize = 1024;

impl Stage {
    /// Puts the future that `make` makes into a place; it is pinned there until it is dropped. Made by a function, it can
    /// come to be in its place, without a copy.
    pub fn enter<F: Future>(&self, make: impl FnOnce() -> F) -> Staged<'_, F> {
        let layout = Layout::new::<F>();
        debug_assert!(
            layout.size() > 0,
            "a future that waits for something has a size"
        );
        let place = self.take(layout).cast::<F>();
        // SAFETY: the place has the layout of `F`, and nobody else has it. Should `make` panic, the place is lost and
        // nothing else.
        unsafe { place.write(make()) };
        Staged { place, stage: self }
    }

    fn take(&self, layout: Layout) -> NonNull<u8> {
        if self.layout.get() == Some(layout)
            && let Some(place) = self.free.borrow_mut().pop()
        {
            return place;
        }
        // SAFETY: the layout is not of size zero (see `enter`).
        let place = unsafe { alloc(layout) };
        NonNull::new(place).unwrap_or_else(|| handle_alloc_error(layout))
    }

    fn give(&self, place: NonNull<u8>, layout: Layout) {
        if self.layout.get().is_none() {
            self.layout.set(Some(layout));
        }
        let mut free = self.free.borrow_mut();
        if self.layout.get() == Some(layout) && free.len() < PLACES_KEPT {
            free.push(place);
            return;
        }
        // SAFETY: the place was allocated with this layout and is not in the list.
        unsafe { dealloc(place.as_ptr(), layout) };
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let Some(layout) = self.layout.get() else {
            return;
        };
        for place in self.free.borrow_mut().drain(..) {
            // SAFETY: every place in the list was allocated with this layout, and none of them is in use.
            unsafe { dealloc(place.as_ptr(), layout) };
        }
    }
}

/// A future in its place.
#[derive(Debug)]
pub struct Staged<'s, F> {
    place: NonNull<F>,
    stage: &'s Stage,
}

impl<F: Future> Future for Staged<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut place = self.place;
        // SAFETY: the place holds the future until `self` is dropped, and only `self` reaches it.
        let future = unsafe { place.as_mut() };
        // SAFETY: the future is not moved out of its place before it is dropped there.
        unsafe { Pin::new_unchecked(future) }.poll(context)
    }
}

impl<F> Drop for Staged<'_, F> {
    fn drop(&mut self) {
        // SAFETY: the place holds a future that nobody uses any more; it is dropped once, here.
        unsafe { self.place.drop_in_place() };
        self.stage.give(self.place.cast(), Layout::new::<F>());
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    async fn count(kept: Rc<()>) -> usize {
        tokio::task::yield_now().await;
        Rc::strong_count(&kept)
    }

    #[test]
    fn a_place_is_used_again_and_what_was_in_it_is_dropped() {
        let stage = Stage::default();
        let kept = Rc::new(());
        assert_eq!(block_on(stage.enter(|| count(kept.clone()))), 2);
        let first = stage.free.borrow().clone();
        assert_eq!(first.len(), 1);
        let staged = stage.enter(|| count(kept.clone()));
        assert!(stage.free.borrow().is_empty());
        drop(staged);
        assert_eq!(*stage.free.borrow(), first);
        assert_eq!(Rc::strong_count(&kept), 1);
    }

    #[test]
    fn a_future_of_another_size_gets_a_place_of_its_own() {
        let stage = Stage::default();
        assert_eq!(block_on(stage.enter(|| count(Rc::new(())))), 1);
        let large = [7u8; 300];
        let sum = stage.enter(|| async move {
            tokio::task::yield_now().await;
            large.iter().map(|&byte| usize::from(byte)).sum::<usize>()
        });
        assert_eq!(block_on(sum), 2100);
        assert_eq!(stage.free.borrow().len(), 1);
    }
}
