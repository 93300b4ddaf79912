//! Counts the heap allocations of any program that takes them from glibc, for scripts/bench.sh:
//!
//! ```sh
//! ALLOCATIONS_FILE=count LD_PRELOAD=liballocations.so haproxy ...
//! ```
//!
//! The count is the first eight bytes of that file, which must be there: a number in the machine's byte order that grows
//! while the program runs, its forks included. Giving back is not counted.
#![allow(
    unsafe_code,
    clippy::multiple_unsafe_ops_per_block,
    reason = "it stands in for the C library's allocator"
)]

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

unsafe extern "C" {
    fn __libc_malloc(bytes: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, bytes: usize) -> *mut c_void;
    fn __libc_realloc(old: *mut c_void, bytes: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, bytes: usize) -> *mut c_void;
}

/// In the mapped file; null until it is mapped.
static COUNT: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

fn count() {
    // SAFETY: null, or a mapping of eight aligned bytes that is never taken away.
    if let Some(count) = unsafe { COUNT.load(Relaxed).as_ref() } {
        count.fetch_add(1, Relaxed);
    }
}

/// Run by the loader before the program.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    // SAFETY: plain calls of the C library with strings that end in zero; each result is looked at before it is used.
    unsafe {
        let path = libc::getenv(c"ALLOCATIONS_FILE".as_ptr());
        if path.is_null() {
            return;
        }
        let file = libc::open(path, libc::O_RDWR);
        if file < 0 {
            return;
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let mapped = libc::mmap(ptr::null_mut(), 8, access, libc::MAP_SHARED, file, 0);
        if mapped != libc::MAP_FAILED {
            COUNT.store(mapped.cast(), Relaxed);
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn malloc(bytes: usize) -> *mut c_void {
    count();
    // SAFETY: passed on as it came, here and below.
    unsafe { __libc_malloc(bytes) }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(number: usize, bytes: usize) -> *mut c_void {
    count();
    // SAFETY: as above.
    unsafe { __libc_calloc(number, bytes) }
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(old: *mut c_void, bytes: usize) -> *mut c_void {
    count();
    // SAFETY: as above.
    unsafe { __libc_realloc(old, bytes) }
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void {
    count();
    // SAFETY: as above.
    unsafe { __libc_memalign(alignment, bytes) }
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(
    out: *mut *mut c_void,
    alignment: usize,
    bytes: usize,
) -> c_int {
    count();
    // SAFETY: as above; the caller's `out` is good for a pointer.
    unsafe {
        *out = __libc_memalign(alignment, bytes);
        if (*out).is_null() { libc::ENOMEM } else { 0 }
    }
}
