//! A fixed loop timed beside itself, in turns: what a comparison of equal builds would see here in a second.

use super::Finding;
use crate::host::CpuClock;

/// CPU time of one pass of the loop, as of a batch in a comparison of builds.
const PASS_NS: u64 = 8_000_000;
/// Pairs of passes.
const PAIRS: usize = 64;
/// Half-width of the middle half of pairs from which on a change of 2 %, which a gate must see, takes many blocks: a normal spread of it is
/// 0.67 standard deviations, and 2 % is then within three of them.
const NOISY: f64 = 0.0045;

/// The check.
pub fn of_a_fixed_loop() -> Finding {
    let mut rounds = 1_000u64;
    // Twice the rounds until a pass is measurable, then as many as fill one.
    let mut took = pass(rounds);
    while took < PASS_NS / 8 && rounds < 1 << 40 {
        rounds *= 2;
        took = pass(rounds);
    }
    rounds = (rounds.saturating_mul(PASS_NS) / took.max(1)).max(1);
    let mut changes: Vec<f64> = (0..PAIRS)
        .filter_map(|i| {
            // A B, then B A, so that a drift falls on both.
            let (first, second) = (pass(rounds), pass(rounds));
            let (a, b) = if i % 2 == 0 { (first, second) } else { (second, first) };
            #[expect(clippy::cast_precision_loss, reason = "a pass takes far less than 2^53 ns")]
            (a > 0 && b > 0).then(|| (b as f64 / a as f64).ln())
        })
        .collect();
    judge(&mut changes)
}

fn judge(changes: &mut [f64]) -> Finding {
    if changes.len() < PAIRS / 2 {
        return Finding::stops("a loop that takes milliseconds has no CPU time", "use a system whose clock of CPU time works");
    }
    changes.sort_by(f64::total_cmp);
    let at = |quarter: usize| changes.get(quarter * (changes.len() - 1) / 4).copied().unwrap_or_default();
    let (half_width, middle) = ((at(3) - at(1)) / 2.0, at(2));
    let (percent, off) = (100.0 * half_width, 100.0 * middle);
    let found = format!("a fixed loop of 8 ms beside itself: half of {} pairs within ±{percent:.2} % of {off:+.2} %", changes.len());
    let finding = if half_width <= NOISY {
        Finding::good(found)
    } else {
        Finding::limited(
            found,
            "compare builds when less else runs, with a longer '--budget', or on a machine of its own; sizes, errors and memory are exact all the same",
        )
    };
    finding.with("interquartile-percent", 2.0 * percent).with("median-percent", off)
}

/// CPU time of so many rounds of integer work over a table that fits the first cache.
fn pass(rounds: u64) -> u64 {
    let mut table = [0u64; 512];
    let (start, mut x) = (CpuClock::Thread.read_ns(), 0x9e37_79b9_7f4a_7c15u64);
    for _ in 0..rounds {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        let slot = &mut table[usize::from((x & 511) as u16)];
        *slot = slot.wrapping_add(x);
    }
    std::hint::black_box(&table);
    CpuClock::Thread.read_ns() - start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn the_middle_half_decides() {
        let quiet = |i: usize| if i.is_multiple_of(8) { 0.5 } else { 0.001 * (i % 3) as f64 };
        let mut changes: Vec<_> = (0..PAIRS).map(quiet).collect();
        assert_eq!(judge(&mut changes).state, State::Good, "a few interrupted passes do not matter");
        let mut changes: Vec<_> = (0..PAIRS).map(|i| 0.03 * (i % 5) as f64 - 0.06).collect();
        let finding = judge(&mut changes);
        assert_eq!(finding.state, State::Limited);
        assert!((finding.figures["interquartile-percent"] - 6.0).abs() < 1e-9, "{finding:?}");
        assert_eq!(judge(&mut []).state, State::Stops);
    }
}
