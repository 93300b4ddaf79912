//! Buffers that are lent to the kernel by value, and the free lists of a core.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use monoio::buf::{IoBuf, IoBufMut};

use crate::limits::{BUFFER_BYTES, LARGE_BUFFER_BYTES, LARGE_BUFFERS_LENT_MAX};

/// Bytes behind the capacity that only [`Buffer::append_tail`] uses: the end of a chunk and the end of all chunks.
const TAILROOM: usize = 8;

/// Heap bytes with a filled range: reads append behind it, writes take from its front.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// Where it is counted among the large ones that are lent.
    lent: Option<Lent>,
}

/// One more that is lent, until it is given back or dropped.
#[derive(Debug)]
struct Lent(Rc<Cell<usize>>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Buffer {
    pub fn with_capacity(bytes: usize) -> Self {
        Buffer {
            bytes: vec![0; bytes + TAILROOM].into_boxed_slice(),
            start: 0,
            end: 0,
            lent: None,
        }
    }

    /// The bytes that were read or appended and not yet consumed.
    pub fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub fn filled_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.end - self.start
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub fn capacity(&self) -> usize {
        self.bytes.len() - TAILROOM
    }

    /// Bytes that can be appended without moving anything.
    pub fn spare(&self) -> usize {
        self.capacity().saturating_sub(self.end)
    }

    /// Bytes before the filled range.
    pub fn headroom(&self) -> usize {
        self.start
    }

    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Empties the buffer and leaves `bytes` of headroom, for [`Buffer::prepend`].
    pub fn clear_with_headroom(&mut self, bytes: usize) {
        self.start = bytes.min(self.capacity());
        self.end = self.start;
    }

    /// Drops `count` bytes from the front; more than there are empties it.
    pub fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start.saturating_add(count));
        if self.start == self.end {
            self.clear();
        }
    }

    /// Keeps only the first `count` filled bytes.
    pub fn truncate(&mut self, count: usize) {
        self.end = self.end.min(self.start.saturating_add(count));
    }

    /// Moves the filled bytes to the front, so that all free room is spare.
    pub fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Appends all of `bytes`, or nothing and answers `false` where the room does not suffice.
    #[must_use]
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        bytes.len() <= self.spare() && self.append_tail(bytes)
    }

    /// As [`Buffer::append`], and may use the eight bytes behind the capacity too.
    #[must_use]
    pub fn append_tail(&mut self, bytes: &[u8]) -> bool {
        let Some(room) = self
            .bytes
            .get_mut(self.end..self.end.saturating_add(bytes.len()))
        else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.end += bytes.len();
        true
    }

    /// Puts `bytes` before the filled range, or nothing and answers `false` where the headroom does not suffice.
    #[must_use]
    pub fn prepend(&mut self, bytes: &[u8]) -> bool {
        let Some(start) = self.start.checked_sub(bytes.len()) else {
            return false;
        };
        let Some(room) = self.bytes.get_mut(start..self.start) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.start = start;
        true
    }

    /// The free room behind the filled range, to be written by the caller and then claimed with [`Buffer::claim`].
    pub fn spare_mut(&mut self) -> &mut [u8] {
        let capacity = self.capacity();
        self.bytes.get_mut(self.end..capacity).unwrap_or_default()
    }

    /// Counts `count` bytes of the spare room as filled.
    pub fn claim(&mut self, count: usize) {
        self.end = self.capacity().min(self.end.saturating_add(count));
    }

    /// Fills a buffer that was written out again with the `count` bytes that it began with, to send them once more.
    /// Only right when nothing was put into it since.
    pub fn restore(&mut self, count: usize) {
        self.start = 0;
        self.end = count.min(self.capacity());
    }
}

// SAFETY: the pointer is into a boxed slice, which does not move when the `Buffer` value does, and `bytes_init` never
// reaches past what the box owns. The box is all initialised from the start.
unsafe impl IoBuf for Buffer {
    fn read_ptr(&self) -> *const u8 {
        self.filled().as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above; the kernel writes at most `bytes_total` bytes behind the filled range, all inside the box.
unsafe impl IoBufMut for Buffer {
    fn write_ptr(&mut self) -> *mut u8 {
        self.spare_mut().as_mut_ptr()
    }

    fn bytes_total(&mut self) -> usize {
        self.spare()
    }

    unsafe fn set_init(&mut self, count: usize) {
        self.claim(count);
    }
}

/// The free lists of one core. A buffer is taken for the length of an exchange and given back; an idle connection holds
/// none.
#[derive(Debug, Default)]
pub struct BufferPool {
    ordinary: RefCell<Vec<Buffer>>,
    large: RefCell<Vec<Buffer>>,
    /// Large buffers that are lent.
    large_lent: Rc<Cell<usize>>,
    /// The fewest large ones that were free at a time since [`BufferPool::trim`].
    large_spare: Cell<usize>,
    /// Buffers that wait with idle connections.
    waiting: Cell<usize>,
}

/// Free buffers of each size that a core keeps; more are given back to the allocator.
const ORDINARY_KEPT: usize = 256;
/// Large ones that it keeps however long nobody needs them. Beyond, free ones and lent ones together are no more than
/// [`LARGE_BUFFERS_LENT_MAX`].
const LARGE_KEPT_ALWAYS: usize = 16;

/// Buffers that may wait with idle connections at one time.
const WAITING_MAX: usize = 128;

impl BufferPool {
    /// An empty buffer of [`BUFFER_BYTES`].
    pub fn take(&self) -> Buffer {
        self.ordinary
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Buffer::with_capacity(BUFFER_BYTES))
    }

    /// An empty buffer of [`BUFFER_BYTES`] to wait with, if nobody else needs it now and few wait already: an idle
    /// connection shall cost no buffer. The caller says when it has stopped waiting.
    pub fn take_to_wait(&self) -> Option<Buffer> {
        if self.waiting.get() >= WAITING_MAX {
            return None;
        }
        let buffer = self.ordinary.borrow_mut().pop()?;
        self.waiting.set(self.waiting.get() + 1);
        Some(buffer)
    }

    /// A buffer of [`BufferPool::take_to_wait`] waits no more.
    pub fn stop_waiting(&self) {
        self.waiting.set(self.waiting.get().saturating_sub(1));
    }

    /// An empty buffer of [`LARGE_BUFFER_BYTES`].
    pub fn take_large(&self) -> Buffer {
        let mut list = self.large.borrow_mut();
        let free = list.pop();
        self.large_spare.set(self.large_spare.get().min(list.len()));
        drop(list);
        let mut buffer = free.unwrap_or_else(|| Buffer::with_capacity(LARGE_BUFFER_BYTES));
        self.large_lent.set(self.large_lent.get() + 1);
        buffer.lent = Some(Lent(self.large_lent.clone()));
        buffer
    }

    /// A large buffer for who can do without: `None` where many are lent, so that slow peers hold no more than this.
    pub fn take_large_if_free(&self) -> Option<Buffer> {
        (self.large_lent.get() < LARGE_BUFFERS_LENT_MAX).then(|| self.take_large())
    }

    /// Gives large buffers back to the allocator that nobody has needed since this was last called. What is in use again
    /// and again stays: the system clears a quarter of a megabyte for each new one, which costs more than what it is for.
    pub fn trim(&self) {
        let mut list = self.large.borrow_mut();
        let kept = list.len().saturating_sub(self.large_spare.get());
        list.truncate(kept.max(LARGE_KEPT_ALWAYS));
        self.large_spare.set(list.len());
    }

    /// Takes a buffer back, with whatever is in it.
    pub fn give(&self, mut buffer: Buffer) {
        buffer.clear();
        buffer.lent = None;
        let (list, kept) = match buffer.capacity() {
            BUFFER_BYTES => (&self.ordinary, ORDINARY_KEPT),
            LARGE_BUFFER_BYTES => {
                let unlent = LARGE_BUFFERS_LENT_MAX.saturating_sub(self.large_lent.get());
                (&self.large, unlent.max(LARGE_KEPT_ALWAYS))
            }
            _ => return,
        };
        let mut list = list.borrow_mut();
        if list.len() < kept {
            list.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_in_behind_and_out_in_front() {
        let mut buffer = Buffer::with_capacity(8);
        assert!(buffer.append(b"abcdef"));
        assert!(!buffer.append(b"ghi"));
        buffer.consume(4);
        assert_eq!(buffer.filled(), b"ef");
        assert!(buffer.prepend(b"wxyz"));
        assert!(!buffer.prepend(b"v"));
        buffer.consume(1);
        buffer.compact();
        assert_eq!((buffer.filled(), buffer.spare()), (&b"xyzef"[..], 3));
        buffer.consume(100);
        assert_eq!((buffer.len(), buffer.spare()), (0, 8));
        assert!(buffer.append(b"12345678") && !buffer.append(b"9"));
        assert!(buffer.append_tail(b"\r\n0\r\n\r\n") && !buffer.append_tail(b"xx"));
    }

    #[test]
    fn a_given_buffer_is_taken_again_empty() {
        let pool = BufferPool::default();
        let mut buffer = pool.take();
        assert!(buffer.append(b"secret"));
        pool.give(buffer);
        assert!(pool.take().is_empty());
        assert_eq!(pool.take_large().capacity(), LARGE_BUFFER_BYTES);
    }

    #[test]
    fn large_buffers_stay_while_they_are_needed() {
        let pool = BufferPool::default();
        let busy = |count: usize| {
            let lent: Vec<_> = (0..count).map(|_| pool.take_large()).collect();
            lent.into_iter().for_each(|buffer| pool.give(buffer));
        };
        let free = || pool.large.borrow().len();
        busy(40);
        pool.trim();
        assert_eq!(free(), 40);
        busy(30);
        pool.trim();
        assert_eq!(free(), 30);
        pool.trim();
        assert_eq!(free(), LARGE_KEPT_ALWAYS);
    }

    #[test]
    fn large_buffers_are_lent_up_to_a_bound_to_who_can_do_without() {
        let pool = BufferPool::default();
        let mut lent: Vec<_> = (0..LARGE_BUFFERS_LENT_MAX)
            .map(|_| pool.take_large_if_free().unwrap())
            .collect();
        assert!(pool.take_large_if_free().is_none());
        assert_eq!(pool.take_large().capacity(), LARGE_BUFFER_BYTES);
        // Given back or dropped, there is one to take again.
        pool.give(lent.pop().unwrap());
        lent.push(pool.take_large_if_free().unwrap());
        drop(lent.pop());
        lent.push(pool.take_large_if_free().unwrap());
        assert!(pool.take_large_if_free().is_none());
    }
}
