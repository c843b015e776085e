//! Clocks and sampling inside a worker: passes are batched until a sample is long enough, warmed up, then taken until the budget ends.

use std::time::{Duration, Instant};

use super::protocol::{Samples, Sampling};
use crate::host::CpuClock;

/// Shortest sample: the clocks' resolution and the cost of reading them are far below it.
const MIN_SAMPLE: Duration = Duration::from_millis(2);
/// Share of the budget that warm-up may take.
const WARMUP_SHARE: u32 = 5;
/// A slow operation still gets this many samples.
const MIN_SAMPLES: usize = 3;

/// CPU time of the calling thread, or of the whole process.
fn cpu_ns(threads: usize) -> u64 {
    if threads == 1 { CpuClock::Thread.read_ns() } else { CpuClock::Process.read_ns() }
}

fn elapsed_ns(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What passes spend beside the operation: it is taken off.
#[derive(Debug, Default)]
pub struct Beside {
    threads: usize,
    wall_ns: u64,
    cpu_ns: u64,
}

impl Beside {
    /// Does work that is not part of the operation.
    pub fn spend<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (wall, cpu) = (Instant::now(), cpu_ns(self.threads));
        let result = work();
        self.cpu_ns += cpu_ns(self.threads) - cpu;
        self.wall_ns += elapsed_ns(wall);
        result
    }
}

/// Samples `pass`, which must run on the calling thread where `sampling.threads` is 1.
///
/// Both closures may do work beside the operation, such as reading its input. `first` is the same work with a digest of what came out beside
/// it. It begins the warm-up; where it alone takes longer than the budget it is the one sample, because the operation ran in this process
/// before, when its output was made.
pub fn sample<E>(
    sampling: Sampling,
    first: impl FnOnce(&mut Beside) -> Result<(), E>,
    mut pass: impl FnMut(&mut Beside) -> Result<(), E>,
) -> Result<Samples, E> {
    let budget = Duration::from_millis(sampling.budget_ms);
    let start = Instant::now();
    let nothing = || Beside { threads: sampling.threads, ..Beside::default() };
    let (mut beside, cpu) = (nothing(), cpu_ns(sampling.threads));
    first(&mut beside)?;
    let first_cpu_ns = (cpu_ns(sampling.threads) - cpu).saturating_sub(beside.cpu_ns);
    let mut fastest = elapsed_ns(start).saturating_sub(beside.wall_ns).max(1);
    if Duration::from_nanos(fastest) > budget {
        let (wall_ns, cpu_ns) = (vec![fastest], vec![first_cpu_ns]);
        return Ok(Samples { threads: sampling.threads, repetitions: 1, warmup: 0, wall_ns, cpu_ns });
    }
    let mut warmup = 1u64;
    while start.elapsed() < budget / WARMUP_SHARE && warmup < 1000 {
        let (mut beside, pass_start) = (nothing(), Instant::now());
        pass(&mut beside)?;
        fastest = fastest.min(elapsed_ns(pass_start).saturating_sub(beside.wall_ns).max(1));
        warmup += 1;
    }
    let min_sample = u64::try_from(MIN_SAMPLE.as_nanos()).unwrap_or(u64::MAX);
    let repetitions = min_sample.div_ceil(fastest).clamp(1, 100_000);
    let mut samples = Samples { threads: sampling.threads, repetitions, warmup, wall_ns: Vec::new(), cpu_ns: Vec::new() };
    let start = Instant::now();
    while samples.wall_ns.len() < sampling.max_samples.max(1) {
        let enough = samples.wall_ns.len() >= MIN_SAMPLES.min(sampling.max_samples);
        // Two passes that are over it together are enough, not three.
        let far_over = !samples.wall_ns.is_empty() && start.elapsed() > budget * 2;
        if (enough && start.elapsed() >= budget) || far_over {
            break;
        }
        let (mut beside, wall, cpu) = (nothing(), Instant::now(), cpu_ns(sampling.threads));
        for _ in 0..repetitions {
            pass(&mut beside)?;
        }
        samples.cpu_ns.push((cpu_ns(sampling.threads) - cpu).saturating_sub(beside.cpu_ns));
        samples.wall_ns.push(elapsed_ns(wall).saturating_sub(beside.wall_ns));
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_passes_are_batched_and_long_ones_are_not() {
        let sampling = Sampling { threads: 1, budget_ms: 20, max_samples: 5 };
        let samples = sample::<()>(sampling, |_| Ok(()), |_| Ok(())).unwrap();
        assert!(samples.repetitions > 100 && samples.wall_ns.len() == samples.cpu_ns.len() && !samples.wall_ns.is_empty());
        let slow = || {
            std::thread::sleep(Duration::from_millis(30));
            Ok::<_, ()>(())
        };
        let first = |beside: &mut Beside| {
            beside.spend(slow)?;
            slow()
        };
        let start = Instant::now();
        let samples = sample(sampling, first, |_| Err(())).unwrap();
        let all = elapsed_ns(start);
        assert_eq!((samples.repetitions, samples.warmup, samples.wall_ns.len()), (1, 0, 1));
        let taken_off = all - samples.wall_ns[0];
        assert!(samples.wall_ns[0] >= 30_000_000 && taken_off >= 30_000_000, "the work beside it is taken off: {all} {samples:?}");
        assert!(samples.cpu_ns.iter().sum::<u64>() < samples.wall_ns.iter().sum::<u64>());
    }

    #[test]
    fn a_failing_pass_ends_it() {
        let sampling = Sampling { threads: 1, budget_ms: 5, max_samples: 2 };
        assert_eq!(sample(sampling, |_| Err("first"), |_| Ok(())), Err("first"));
        assert_eq!(sample(sampling, |_| Ok(()), |_| Err("later")), Err("later"));
    }
}
