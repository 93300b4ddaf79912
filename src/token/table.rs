//! Values by the full bytes of their tokens, laid out for look-ups among many thousands.
//!
//! Owns: [`Table`]. A token comes in, its value goes out, or nothing: what is found was compared in full. A hit waits for memory
//! three times: for a place of the index, for the entry that this names, and for the entry's token and value, which come
//! together. It writes to the entry alone, and only to one that was not asked for lately; a list in order of use would be
//! written to in four places each time. Nothing is allocated at a hit.
//!
//! Which entry goes is chosen by second chance: a hand goes round and takes the first that nobody has asked for since it last
//! came by. It passes a bounded number, so that no insertion takes long.
//!
//! Tested in `table/tests.rs`, against a plain map.

use std::hash::{BuildHasher, RandomState};

#[cfg(test)]
mod tests;

/// So many entries that were asked for lately are passed before one goes all the same.
const PASSED_MAX: usize = 256;

/// A table of at most so many tokens.
#[derive(Debug)]
pub(super) struct Table<V> {
    index: Index,
    entries: Vec<Option<Entry<V>>>,
    entries_max: usize,
    /// The numbers of those that are empty.
    free: Vec<usize>,
    /// The number of the next that may go.
    hand: usize,
    hashes: RandomState,
}

/// Aligned so that none lies in two cache lines.
#[derive(Debug)]
#[repr(align(32))]
struct Entry<V> {
    token: Box<[u8]>,
    value: V,
    hash: u32,
    is_used: bool,
}

impl<V> Table<V> {
    /// Takes address space for all at once, so that it never moves; memory only as they come.
    pub(super) fn new(entries_max: usize) -> Self {
        Table {
            index: Index::new(entries_max),
            entries: Vec::with_capacity(entries_max),
            entries_max,
            free: Vec::new(),
            hand: 0,
            hashes: RandomState::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == self.entries_max
    }

    /// The value of a token.
    pub(super) fn get(&mut self, token: &[u8]) -> Option<&V> {
        let (_, number) = self.find(token)?;
        let entry = self.entries.get_mut(number)?.as_mut()?;
        if !entry.is_used {
            entry.is_used = true;
        }
        Some(&entry.value)
    }

    /// Adds a token that is not there, where there is room.
    pub(super) fn insert(&mut self, token: &[u8], value: V) {
        debug_assert!(!self.is_full() && self.find(token).is_none());
        let hash = self.hash(token);
        let entry = Some(Entry {
            token: token.into(),
            value,
            hash,
            is_used: false,
        });
        let number = self.free.pop().unwrap_or(self.entries.len());
        match self.entries.get_mut(number) {
            Some(empty) => *empty = entry,
            None => self.entries.push(entry),
        }
        self.index.insert(hash, number);
    }

    pub(super) fn remove(&mut self, token: &[u8]) -> Option<V> {
        let (place, number) = self.find(token)?;
        let entry = self.take(place, number)?;
        Some(entry.value)
    }

    /// Drops one; `None`: none is left.
    pub(super) fn evict(&mut self) -> Option<(Box<[u8]>, V)> {
        let mut passed = 0;
        while self.len() > 0 {
            let number = self.hand;
            self.hand = (number + 1) % self.entries.len();
            let Some(Some(entry)) = self.entries.get_mut(number) else {
                continue;
            };
            if entry.is_used && passed < PASSED_MAX {
                entry.is_used = false;
                passed += 1;
                continue;
            }
            let (place, _) = self.index.find(entry.hash, |found| found == number)?;
            let entry = self.take(place, number)?;
            return Some((entry.token, entry.value));
        }
        None
    }

    fn take(&mut self, place: usize, number: usize) -> Option<Entry<V>> {
        self.index.remove(place);
        self.free.push(number);
        self.entries.get_mut(number)?.take()
    }

    /// Where the index names an entry, and its number.
    fn find(&self, token: &[u8]) -> Option<(usize, usize)> {
        self.index.find(self.hash(token), |number| {
            let entry = self.entries.get(number).and_then(Option::as_ref);
            entry.is_some_and(|entry| *entry.token == *token)
        })
    }

    /// Keyed per process, and of the token's end: that is the signature, which differs where anything differs. Only tokens that
    /// verified are entered, so nobody can fill one place without a key to sign with.
    fn hash(&self, token: &[u8]) -> u32 {
        let hash = match token.last_chunk::<16>() {
            Some(end) => self.hashes.hash_one(u128::from_ne_bytes(*end)),
            None => self.hashes.hash_one(token),
        };
        hash as u32
    }
}

/// Numbers of entries by their hashes: open addressing with linear probing. At least half of the places are empty, so that a
/// search is short, and it ends; there are no marks of what was removed, so it stays short.
#[derive(Debug)]
struct Index {
    /// The hash in the upper half, in the lower one more than the number; 0: empty.
    places: Box<[u64]>,
}

impl Index {
    fn new(entries_max: usize) -> Self {
        Index {
            places: vec![0; (2 * entries_max).next_power_of_two()].into(),
        }
    }

    /// The first entry with this hash that `is_meant`: its place, and its number.
    fn find(&self, hash: u32, is_meant: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
        let mut place = self.home(hash);
        loop {
            let (found, number) = parts(self.at(place)?)?;
            if found == hash && is_meant(number) {
                return Some((place, number));
            }
            place = self.after(place);
        }
    }

    fn insert(&mut self, hash: u32, number: usize) {
        let mut place = self.home(hash);
        while self.at(place).is_some_and(|taken| taken != 0) {
            place = self.after(place);
        }
        self.set(place, u64::from(hash) << 32 | (number as u64 + 1));
    }

    /// Empties a place. What could not have the place that it wanted moves up, or a search would end before it.
    fn remove(&mut self, mut hole: usize) {
        let mut place = self.after(hole);
        while let Some(taken) = self.at(place)
            && let Some((hash, _)) = parts(taken)
        {
            if self.distance(self.home(hash), place) >= self.distance(hole, place) {
                self.set(hole, taken);
                hole = place;
            }
            place = self.after(place);
        }
        self.set(hole, 0);
    }

    fn at(&self, place: usize) -> Option<u64> {
        self.places.get(place).copied()
    }

    fn set(&mut self, place: usize, to: u64) {
        if let Some(place) = self.places.get_mut(place) {
            *place = to;
        }
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.places.len() - 1)
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.places.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.places.len() - 1)
    }
}

/// The hash and the number in a place; `None`: it is empty.
fn parts(taken: u64) -> Option<(u32, usize)> {
    let number = (taken as u32).checked_sub(1)?;
    Some(((taken >> 32) as u32, number as usize))
}
