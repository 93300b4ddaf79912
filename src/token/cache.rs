//! What one core remembers of tokens it has verified.

use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;

use lru::LruCache;

use super::table::Table;
use super::verify::{sha256, verify_with};
use super::{TokenError, TokenKeys, VerifiedToken};
use crate::boundary::{self, Boundary, BoundaryError};
use crate::json::Json;
use crate::limits::TOKEN_CACHE_BYTES_MAX;

/// Tokens of one core that are remembered for their patterns.
const UNCOMPILABLE_MAX: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// What the table and the allocator take for one entry beside its token and what was verified, about.
const ENTRY_OVERHEAD_BYTES: usize = 96;

/// Verified tokens by their full bytes. Exact: it answers as verifying anew with the same keys would, so it must be
/// cleared whenever those change.
#[derive(Debug)]
pub struct TokenCache {
    entries: Table<Rc<VerifiedToken>>,
    bytes: usize,
    bytes_max: usize,
    hits: u64,
    misses: u64,
    uncompilable: Uncompilable,
    compiled: Compiled,
}

/// Boundaries by the claims that they were compiled from: most tokens claim what many others do, and compiling the patterns of
/// one takes longer than all else about it. What comes of a claim depends on nothing else.
#[derive(Debug)]
struct Compiled {
    boundaries: LruCache<Json, Arc<Boundary>>,
    bytes: usize,
    compilations: u64,
}

/// Boundaries of one core that are remembered apart from their tokens, and the bytes that they may take.
const COMPILED_MAX: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
const COMPILED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Tokens whose patterns could not be compiled, by their SHA-256, and why: whoever may sign tokens must not stall a core
/// with the same one again and again (S9). All else about such a token is judged anew each time.
#[derive(Debug)]
struct Uncompilable {
    tokens: LruCache<[u8; 32], TokenError>,
    spared: u64,
}

impl TokenCache {
    /// Remembers at most this many; 0: none.
    pub fn new(entries: usize) -> Self {
        Self::bounded(entries, TOKEN_CACHE_BYTES_MAX)
    }

    pub(super) fn bounded(entries_max: usize, bytes_max: usize) -> Self {
        TokenCache {
            entries: Table::new(entries_max),
            bytes: 0,
            bytes_max,
            hits: 0,
            misses: 0,
            uncompilable: Uncompilable {
                tokens: LruCache::new(UNCOMPILABLE_MAX),
                spared: 0,
            },
            compiled: Compiled {
                boundaries: LruCache::new(COMPILED_MAX),
                bytes: 0,
                compilations: 0,
            },
        }
    }

    /// The verified token, from memory or by verifying now.
    pub fn verify(
        &mut self,
        token: &[u8],
        keys: &TokenKeys,
        now_unix: u64,
    ) -> Result<Rc<VerifiedToken>, TokenError> {
        match self.remembered(token, now_unix) {
            Some(known) => known,
            None => self.verify_anew(token, keys, now_unix),
        }
    }

    /// What is remembered of a token, if anything is.
    pub fn remembered(
        &mut self,
        token: &[u8],
        now_unix: u64,
    ) -> Option<Result<Rc<VerifiedToken>, TokenError>> {
        let known = Rc::clone(self.entries.get(token)?);
        self.hits += 1;
        Some(match known.check_time(now_unix) {
            Ok(()) => Ok(known),
            Err(error) => {
                self.remove(token);
                Err(error)
            }
        })
    }

    /// Verifies a token that is not remembered. Of failures, only those of patterns are.
    pub fn verify_anew(
        &mut self,
        token: &[u8],
        keys: &TokenKeys,
        now_unix: u64,
    ) -> Result<Rc<VerifiedToken>, TokenError> {
        self.misses += 1;
        let (uncompilable, compiled) = (&mut self.uncompilable, &mut self.compiled);
        let verified = verify_with(token, keys, now_unix, |claim| {
            uncompilable.boundary(token, claim, compiled)
        });
        let verified = Rc::new(verified?);
        self.insert(token, Rc::clone(&verified));
        Ok(verified)
    }

    /// Forgets what the keys have proved; that a pattern cannot be compiled depends on none of them.
    pub fn clear(&mut self) {
        while self.evict() {}
    }

    /// Forgets at most so many, rather those that were not used lately; says whether some are left. For a cache whose keys
    /// have been replaced: to drop all of a large one at once takes milliseconds.
    pub fn shed(&mut self, most: usize) -> bool {
        (0..most).all(|_| self.evict()) && !self.is_empty()
    }

    /// How often patterns were known that cannot be compiled.
    pub fn spared(&self) -> u64 {
        self.uncompilable.spared
    }

    /// How often a boundary was compiled, whatever came of it.
    pub fn compilations(&self) -> u64 {
        self.compiled.compilations
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the remembered tokens take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn hits(&self) -> u64 {
        self.hits
    }

    pub fn misses(&self) -> u64 {
        self.misses
    }

    fn insert(&mut self, token: &[u8], verified: Rc<VerifiedToken>) {
        let added = entry_bytes(token, &verified);
        if added > self.bytes_max {
            return;
        }
        while self.entries.is_full() || self.bytes + added > self.bytes_max {
            if !self.evict() {
                return;
            }
        }
        self.entries.insert(token, verified);
        self.bytes += added;
    }

    /// Forgets one; `false`: none is left.
    fn evict(&mut self) -> bool {
        let evicted = self.entries.evict();
        if let Some((token, verified)) = &evicted {
            self.bytes -= entry_bytes(token, verified);
        }
        evicted.is_some()
    }

    fn remove(&mut self, token: &[u8]) {
        if let Some(dropped) = self.entries.remove(token) {
            self.bytes -= entry_bytes(token, &dropped);
        }
    }
}

impl Uncompilable {
    /// The boundary of a claim of this token.
    fn boundary(
        &mut self,
        token: &[u8],
        claim: &Json,
        known: &mut Compiled,
    ) -> Result<Arc<Boundary>, TokenError> {
        if !self.tokens.is_empty()
            && let Some(error) = self.tokens.get(&sha256(token))
        {
            self.spared += 1;
            return Err(*error);
        }
        let compiled = known.of(claim).map_err(TokenError::from);
        if let Err(error @ TokenError::PatternTooLarge) = compiled {
            self.tokens.put(sha256(token), error);
        }
        compiled
    }
}

impl Compiled {
    /// The boundary of a claim.
    fn of(&mut self, claim: &Json) -> Result<Arc<Boundary>, BoundaryError> {
        if let Some(known) = self.boundaries.get(claim) {
            return Ok(Arc::clone(known));
        }
        self.compilations += 1;
        let boundary = Arc::new(boundary::parse(claim)?);
        let added = boundary.bytes();
        if added <= COMPILED_BYTES_MAX {
            while self.boundaries.len() >= COMPILED_MAX.get()
                || self.bytes + added > COMPILED_BYTES_MAX
            {
                let Some((_, dropped)) = self.boundaries.pop_lru() else {
                    break;
                };
                self.bytes -= dropped.bytes();
            }
            self.boundaries.put(claim.clone(), Arc::clone(&boundary));
            self.bytes += added;
        }
        Ok(boundary)
    }
}

fn entry_bytes(token: &[u8], verified: &VerifiedToken) -> usize {
    ENTRY_OVERHEAD_BYTES + token.len() + verified.bytes()
}
