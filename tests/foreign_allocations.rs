//! What C libraries allocate goes through Rust's global allocator, so that a harness which counts there counts everything.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use weighbridge::kernel::Context;
use weighbridge::registry::Registry;
use weighbridge::sample;
use weighbridge::weights::{Values, Weights};

/// The system's allocator, with the bytes held now and the most ever held.
struct Counting;

static CURRENT: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
#[expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = CURRENT.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CURRENT.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the pointer came from `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most bytes held during `run` beyond those held before it.
fn peak_of<R>(run: impl FnOnce() -> R) -> (usize, R) {
    let before = CURRENT.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = run();
    (PEAK.load(Ordering::Relaxed) - before, result)
}

// One test, because the counters belong to the process.
#[test]
fn the_context_of_zstd_is_counted() {
    let count = 4 * 65_536;
    let weights = Weights::new("w", vec![4, 65_536], Values::F32(sample::gaussian(count, 0.02, 1))).unwrap();
    let encode = |level: u32| {
        let kernel = Registry::default().parse(&format!("zstd:level={level}")).unwrap();
        let (peak, parts) = peak_of(|| kernel.encode(&weights, &Context::default()).unwrap());
        let (decode_peak, _) = peak_of(|| kernel.decode(&parts, weights.info(), &Context::default()).unwrap());
        (peak, decode_peak, parts.size_bytes())
    };
    let (fast, fast_decode, fast_bytes) = encode(1);
    let (slow, _, slow_bytes) = encode(19);
    // What the kernel itself holds: a plane, a frame's bound and the parts. The match tables of level 19 take megabytes beyond that.
    let own = |bytes: usize| bytes + 2 * count + (1 << 16);
    assert!(slow > own(slow_bytes) + (2 << 20), "{slow} of {}", own(slow_bytes));
    assert!(slow > fast + (1 << 20), "{slow} against {fast}");
    assert!(fast > fast_bytes, "{fast} of {fast_bytes}");
    // A decoding context is about 160 kB; values and one plane are the kernel's.
    assert!(fast_decode > 5 * count + (64 << 10), "{fast_decode}");
    assert_eq!(encode(19).0, slow, "the peak is exact");
}
