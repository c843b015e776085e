//! A counting allocator: the system's, with the bytes in use, their peak and the number of allocations kept in atomics.
//!
//! The binary installs it as its global allocator. Counts are exact where one thread allocates; on several the peak depends on how they
//! interleave, so peaks are measured on one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static CURRENT: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// What a worker that went over its limit writes before it aborts; the client recognises it.
pub const LIMIT_MESSAGE: &str = "weighbridge worker: memory limit exceeded";

/// The system's allocator, counted.
#[derive(Debug, Clone, Copy)]
pub struct Counting;

impl Counting {
    fn grew(bytes: usize) {
        let now = CURRENT.fetch_add(bytes, Relaxed) + bytes;
        PEAK.fetch_max(now, Relaxed);
        if now > LIMIT.load(Relaxed) {
            let _ = rustix::io::write(rustix::stdio::stderr(), LIMIT_MESSAGE.as_bytes());
            std::process::abort();
        }
    }

    fn shrank(bytes: usize) {
        CURRENT.fetch_sub(bytes, Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator with the same arguments; the counters do not touch memory it hands out.
#[expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::grew(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::grew(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::shrank(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Both blocks may be alive while it copies, but the system usually extends in place: count the growth only.
        if new_size >= layout.size() {
            Self::grew(new_size - layout.size());
        } else {
            Self::shrank(layout.size() - new_size);
        }
        // SAFETY: the caller keeps the contract of `GlobalAlloc::realloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// Bytes in use.
pub fn current() -> usize {
    CURRENT.load(Relaxed)
}

/// Starts a new peak at the bytes in use now.
pub fn reset_peak() {
    PEAK.store(current(), Relaxed);
}

/// Largest number of bytes in use since the last reset.
pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

/// Aborts the process when more than this many bytes are in use.
pub fn set_limit(bytes: usize) {
    LIMIT.store(bytes, Relaxed);
}

/// Runs `work` and returns the largest heap in use above what was in use before it.
pub fn peak_above<R>(work: impl FnOnce() -> R) -> (R, u64) {
    reset_peak();
    let before = current();
    let result = work();
    (result, peak().saturating_sub(before) as u64)
}
