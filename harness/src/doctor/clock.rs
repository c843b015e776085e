//! The clock of a thread's CPU time, which times are taken with.

use std::time::{Duration, Instant};

use super::Finding;
use crate::host::CpuClock;

/// Readings that the step is looked for in, and that the cost of one is taken from.
const READINGS: u32 = 20_000;
/// Parts of them, of which the cheapest counts: on a busy machine the others hold what else ran.
const PARTS: u32 = 20;
/// Shortest sample of a run, of which a step of the clock should be a small part.
const SAMPLE_NS: f64 = 2_000_000.0;
/// Share of a sample that a step, or two readings, may be: a tenth of the smallest change that counts, half a per cent.
const SHARE: f64 = 0.0005;
/// Longest wait for the clock to move.
const PATIENCE: Duration = Duration::from_secs(1);

/// The check: the smallest step seen between two readings, and what a reading costs.
pub fn resolution() -> Finding {
    let start = Instant::now();
    let (mut last, mut smallest, mut readings) = (CpuClock::Thread.read_ns(), None, 0);
    while readings < READINGS && start.elapsed() < PATIENCE {
        let now = CpuClock::Thread.read_ns();
        if now > last {
            smallest = smallest.map_or(Some(now - last), |s: u64| Some(s.min(now - last)));
        }
        (last, readings) = (now, readings + 1);
    }
    let cost_of_part = || {
        let start = CpuClock::Thread.read_ns();
        for _ in 0..READINGS / PARTS {
            std::hint::black_box(CpuClock::Thread.read_ns());
        }
        CpuClock::Thread.read_ns() - start
    };
    #[expect(clippy::cast_precision_loss, reason = "a thousand readings take far less than 2^53 ns")]
    let cheapest = (0..PARTS).map(|_| cost_of_part()).min().unwrap_or_default() as f64;
    judge(smallest, cheapest / f64::from(READINGS / PARTS))
}

fn judge(smallest: Option<u64>, cost_ns: f64) -> Finding {
    let Some(step) = smallest else {
        return Finding::stops("the clock of thread CPU time stands still", "use a system with a clock of CPU time for each thread");
    };
    #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^53 ns")]
    let step = step as f64;
    let found = format!("thread CPU time moves in steps of {step:.0} ns or less, and a reading takes {cost_ns:.0} ns");
    let finding = if step.max(2.0 * cost_ns) <= SHARE * SAMPLE_NS {
        Finding::good(found)
    } else {
        Finding::limited(
            found,
            "that is much beside samples of 2 ms: give '--time-per-case 500ms', and read changes below a per cent with care",
        )
    };
    finding.with("step-ns", step).with("reading-ns", cost_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_clock_is_judged_by_its_step_and_its_cost() {
        assert_eq!(judge(Some(40), 300.0).state, State::Good);
        assert_eq!(judge(Some(4_000_000), 300.0).state, State::Limited, "a clock of ticks");
        assert_eq!(judge(Some(40), 20_000.0).state, State::Limited);
        assert_eq!(judge(None, 300.0).state, State::Stops);
    }
}
