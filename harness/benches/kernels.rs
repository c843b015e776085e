//! Encode and decode of every registered kernel with its defaults, in bytes of f32 input a second, on one thread.
//!
//! `cargo bench -p weighbridge-harness --bench kernels` takes a few minutes; `-- '^int4/'` runs one kernel, `-- decode` one direction, and
//! `-- --test` each once, in seconds. Sizes: 128 KiB of weights, which stay in the L2 cache with all that is made of them, and 4 MiB, which do not fit
//! the L2 of any processor this was run on. Encoders that search take seconds for 4 MiB and do not wait for memory: SeedLM's and VPTQ's are
//! timed on 16 KiB alone, their decoders on both.
//!
//! For work on a kernel, before and after on one machine. What a pull request is judged by are the harness's own metrics.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends in a panic")]

use std::cell::OnceCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use weighbridge::conformance::promise_kept;
use weighbridge::kernel::{AnyKernel, Context, Entry, Parts};
use weighbridge::kernels::seedlm::CellLists;
use weighbridge::registry::Registry;
use weighbridge::sample::gaussian;
use weighbridge::weights::{Values, Weights};

/// A tensor's size.
#[derive(Clone, Copy)]
struct Size {
    name: &'static str,
    rows: usize,
    columns: usize,
}

const SMALL: Size = Size { name: "16 KiB", rows: 16, columns: 256 };
const CACHED: Size = Size { name: "128 KiB", rows: 128, columns: 256 };
const UNCACHED: Size = Size { name: "4 MiB", rows: 1024, columns: 1024 };

/// Kernels whose encoders search: less than two million weights a second.
const SEARCHING: [&str; 2] = ["seedlm", "vptq"];

impl Size {
    fn weights(self) -> Weights {
        let values = gaussian(self.rows * self.columns, 0.02, 1);
        Weights::new("w", vec![self.rows, self.columns], Values::F32(values)).unwrap()
    }
}

/// Packed weights that come back as promised: no time of anything else is worth having.
fn packed(kernel: &dyn AnyKernel, weights: &Weights) -> Parts {
    let parts = kernel.encode(weights, &Context::default()).unwrap();
    let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
    promise_kept(&kernel.promise(weights), 1.0, weights, &decoded).unwrap();
    parts
}

fn bench_kernel(criterion: &mut Criterion, entry: &Entry, once: bool) {
    let kernel = entry.build(serde_json::Map::new()).unwrap();
    let searching = SEARCHING.contains(&entry.info.id);
    let mut group = criterion.benchmark_group(entry.info.id);
    group.sampling_mode(SamplingMode::Flat);
    let sizes: &[Size] = match (searching, once) {
        (true, true) => &[SMALL],
        (true, false) => &[SMALL, UNCACHED],
        (false, _) => &[CACHED, UNCACHED],
    };
    for size in sizes {
        // Made where the filter asks for it, and once for all samples.
        let (weights, parts) = (OnceCell::new(), OnceCell::new());
        let weights = || weights.get_or_init(|| size.weights());
        group.throughput(Throughput::Bytes((size.rows * size.columns * 4) as u64));
        if !searching || size.name == SMALL.name {
            group.bench_function(BenchmarkId::new("encode", size.name), |bencher| {
                let weights = weights();
                bencher.iter(|| kernel.encode(black_box(weights), &Context::default()).unwrap());
            });
        }
        group.bench_function(BenchmarkId::new("decode", size.name), |bencher| {
            let parts = parts.get_or_init(|| packed(kernel.as_ref(), weights()));
            bencher.iter(|| kernel.decode(black_box(parts), weights().info(), &Context::default()).unwrap());
        });
    }
    group.finish();
}

/// What cell lists do for `seedlm`, which the benches above search without.
fn bench_cell_lists(criterion: &mut Criterion, once: bool) {
    let kernel = Registry::default().parse("seedlm").unwrap();
    let mut group = criterion.benchmark_group("seedlm-lists");
    group.sampling_mode(SamplingMode::Flat);
    let lists = OnceCell::new();
    for size in if once { &[SMALL][..] } else { &[SMALL, UNCACHED] } {
        group.throughput(Throughput::Bytes((size.rows * size.columns * 4) as u64));
        group.bench_function(BenchmarkId::new("encode", size.name), |bencher| {
            let (weights, lists) = (size.weights(), lists.get_or_init(CellLists::build));
            let context = Context { seedlm_lists: Some(lists), ..Context::default() };
            bencher.iter(|| kernel.encode(black_box(&weights), &context).unwrap());
        });
    }
    group.finish();
}

fn main() {
    let once = std::env::args().any(|argument| argument == "--test");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    // All of it inside the pool: one thread means one thread, and no call pays for a change of threads.
    pool.install(|| {
        let mut criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(600))
            .nresamples(10_000)
            .configure_from_args();
        for entry in Registry::default().entries() {
            bench_kernel(&mut criterion, entry, once);
        }
        bench_cell_lists(&mut criterion, once);
        criterion.final_summary();
    });
}
