//! Prints how fast the searches of `seedlm` are at 4 bits, on one thread, in rounds that take turns:
//!
//! ```sh
//! cargo run --release --example seedlm_speed
//! ```
//!
//! The slow reference evaluates every seed for every block; the scan and the lists give the same bytes. Times are processor time of the
//! thread, so that other work on the machine counts little; it still takes its share of caches and memory, which the best round shows least
//! of. `WEIGHBRIDGE_SIMD=avx2` or `scalar` forces a lower level.

use std::error::Error;
use std::io::{BufReader, BufWriter, Write};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use weighbridge::kernel::{Context, Kernel, Parts};
use weighbridge::kernels::seedlm::{CellLists, Config, SeedLm, codec, reference};
use weighbridge::sample::gaussian;
use weighbridge::simd::Level;
use weighbridge::weights::{Values, Weights};

/// Rounds; each times every search once.
const ROUNDS: usize = 9;
/// Weights that each search is timed on.
const REFERENCE: usize = 1 << 12;
const SCAN: usize = 1 << 18;
const LISTS: usize = 1 << 20;

/// What a search did in a round: weights a second.
type Rates = Vec<f64>;

fn cpu_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// Adds the rate at which something goes over so many weights.
fn time<R>(weights: usize, rates: &mut Rates, run: impl FnOnce() -> R) -> R {
    let start = cpu_seconds();
    let result = run();
    rates.push(weights as f64 / (cpu_seconds() - start));
    result
}

fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{}, {cores} cores, {}, {os} {arch}", model.map_or("unknown processor", |(_, model)| model), Level::current().name())
}

/// Lists by way of a file, as a cache would hold them.
fn lists() -> Result<CellLists, Box<dyn Error>> {
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let built = CellLists::build();
    println!("lists: built in {:.2} s ({:.2} s of the processor)", wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let mut file = BufWriter::new(tempfile::tempfile()?);
    built.write(&mut file)?;
    file.flush()?;
    let mut file = file.into_inner()?;
    let bytes = std::io::Seek::stream_position(&mut file)?;
    std::io::Seek::rewind(&mut file)?;
    let wall = Instant::now();
    let read = CellLists::read(BufReader::new(file))?;
    println!(
        "lists: {:.1} MB of heap, {:.1} MB in a file, read in {:.2} s",
        read.size_bytes() as f64 * 1e-6,
        bytes as f64 * 1e-6,
        wall.elapsed().as_secs_f64()
    );
    Ok(read)
}

fn matrix(values: &[f32]) -> Result<Weights, Box<dyn Error>> {
    Ok(Weights::new("w", vec![1, values.len()], Values::F32(values.to_vec()))?)
}

fn compare() -> Result<(), Box<dyn Error>> {
    println!("{}", machine());
    let lists = lists()?;
    let kernel = SeedLm::new(Config::default())?;
    let encode = |weights: &Weights, seedlm_lists| kernel.encode(weights, &Context { seedlm_lists, ..Context::default() });
    let values = gaussian(LISTS, 0.02, 1);
    let (few, many) = (matrix(&values[..SCAN])?, matrix(&values)?);
    let blocks = codec::blocks::<8>(&values[..REFERENCE]);
    let lowest = codec::lowest_exponent(&codec::blocks::<8>(&values[..SCAN]));
    // The tables of the scan are made here, in no round.
    let expected: Parts = encode(&few, None)?;
    if encode(&few, Some(&lists))? != expected {
        return Err("lists do not give the bytes of the scan".into());
    }
    let names = ["reference", "scan", "lists"];
    let mut rates = [Rates::new(), Rates::new(), Rates::new()];
    for _ in 0..ROUNDS {
        let found = time(REFERENCE, &mut rates[0], || reference::search::<8, 3>(&blocks, lowest));
        let offsets: Vec<u8> = found.iter().flat_map(|found| found.offset.to_le_bytes()).collect();
        if !expected.get("seeds")?.starts_with(&offsets) {
            return Err("the scan does not give the seeds of the reference".into());
        }
        time(SCAN, &mut rates[1], || encode(&few, None))?;
        time(LISTS, &mut rates[2], || encode(&many, Some(&lists)))?;
    }
    let slowest = summary(&mut rates[0].clone()).0;
    println!("thousand weights/s, of {ROUNDS} rounds:");
    for (name, rates) in names.iter().zip(&mut rates) {
        let (median, best) = summary(rates);
        println!("  {name:<9}  median {:>7.1}  best {:>7.1}  {:>5.0} times the reference", median * 1e-3, best * 1e-3, median / slowest);
    }
    Ok(())
}

/// Median and best.
fn summary(rates: &mut Rates) -> (f64, f64) {
    rates.sort_by(f64::total_cmp);
    (rates[rates.len() / 2], rates[rates.len() - 1])
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    // Inside the pool: one thread means one thread, the one whose time is taken.
    pool.install(|| compare().map_err(|e| e.to_string()))?;
    Ok(())
}
