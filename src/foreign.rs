//! Memory that kernels hold outside Rust's allocator, for harnesses that count heap.
//!
//! A counting `#[global_allocator]` does not see what a C library takes from malloc. A kernel that calls one says so with a [`Reserved`]
//! guard; a harness resets the peak before an encode or decode, reads it after, and adds it to its own. The sum is an upper bound of the
//! joint peak, because the two need not have peaked at one moment.

use std::sync::atomic::{AtomicUsize, Ordering};

static CURRENT: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Bytes held by a foreign library for as long as this guard lives.
#[derive(Debug)]
#[must_use = "the bytes count while the guard lives"]
pub struct Reserved {
    bytes: usize,
}

impl Reserved {
    /// Counts bytes that a foreign library holds.
    pub fn new(bytes: usize) -> Self {
        let now = CURRENT.fetch_add(bytes, Ordering::Relaxed) + bytes;
        PEAK.fetch_max(now, Ordering::Relaxed);
        Self { bytes }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        CURRENT.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes held now.
pub fn current_bytes() -> usize {
    CURRENT.load(Ordering::Relaxed)
}

/// Most bytes held at one moment since the last [`reset_peak`].
pub fn peak_bytes() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// Starts a new peak at what is held now. Meant for moments when no kernel runs.
pub fn reset_peak() {
    PEAK.store(current_bytes(), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Context;
    use crate::registry::Registry;
    use crate::weights::{Values, Weights};

    // One test, because the counters belong to the process; other tests run kernels beside it, so only coarse bounds hold.
    #[test]
    fn guards_add_up_and_kernels_use_them() {
        const LARGE: usize = 1 << 40;
        let first = Reserved::new(LARGE);
        let second = Reserved::new(LARGE);
        assert!(current_bytes() >= 2 * LARGE);
        drop((first, second));
        assert!(current_bytes() < LARGE);
        assert!(peak_bytes() >= 2 * LARGE);
        reset_peak();
        assert!(peak_bytes() < LARGE);

        let kernel = Registry::default().parse("zstd:level=19").unwrap();
        let weights = Weights::new("w", vec![4, 65_536], Values::F32(crate::sample::gaussian(4 * 65_536, 0.02, 1))).unwrap();
        kernel.encode(&weights, &Context::default()).unwrap();
        assert!(peak_bytes() > 1 << 20, "{}", peak_bytes());
    }
}
