//! How many repetitions to time at once, from what the clock can tell apart and how long one repetition takes.

/// What a batch should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// Resolution of the clock as a share of the batch's time.
    pub relative_resolution: f64,
    /// Least work of a batch, in nanoseconds.
    pub least_ns: f64,
    /// Most work of a batch, in nanoseconds, as far as one repetition and the resolution allow.
    pub most_ns: f64,
}

impl Default for Goal {
    /// A tenth of the 0.5 % that counts as a change, and 30 to 100 ms: long against a context switch, short against drift.
    fn default() -> Self {
        Self { relative_resolution: 0.0005, least_ns: 30e6, most_ns: 100e6 }
    }
}

/// Repetitions that are timed at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batch {
    /// How many; at least 1.
    pub repetitions: u32,
    /// Time they are expected to take, in nanoseconds.
    pub expected_ns: f64,
    /// Resolution of the clock as a share of that.
    pub relative_resolution: f64,
}

/// The batch that meets a goal with the fewest repetitions.
///
/// `resolution_ns` is that of the clock, `repetition_ns` a first estimate of one repetition; the resolution counts twice, as a batch has two ends. Where the
/// goal for the resolution needs more than `most_ns`, the resolution wins. None unless both are finite, the estimate is above zero and the resolution is not below it,
/// or where more than 2³²−1 repetitions would be needed: time a larger piece of work.
pub fn batch(resolution_ns: f64, repetition_ns: f64, goal: &Goal) -> Option<Batch> {
    let sound = resolution_ns.is_finite() && resolution_ns >= 0.0 && repetition_ns.is_finite() && repetition_ns > 0.0;
    if !sound {
        return None;
    }
    let resolved = 2.0 * resolution_ns / goal.relative_resolution;
    let repetitions_of = |work: f64| (work / repetition_ns).ceil().max(1.0);
    let longest = (goal.most_ns / repetition_ns).floor().max(1.0);
    let repetitions = repetitions_of(goal.least_ns).min(longest).max(repetitions_of(resolved));
    if repetitions > f64::from(u32::MAX) {
        return None;
    }
    let expected_ns = repetitions * repetition_ns;
    #[expect(clippy::cast_possible_truncation, reason = "a whole number from 1 to 2³² − 1")]
    let repetitions = repetitions as u32;
    Some(Batch { repetitions, expected_ns, relative_resolution: 2.0 * resolution_ns / expected_ns })
}

/// The resolution of a clock in its own unit, from readings taken one right after another: the median step between those that differ.
///
/// It holds the cost of a reading as well, where that is larger than a tick. None where no reading differs from the one before.
pub fn resolution(readings: &[u64]) -> Option<u64> {
    let mut steps = readings.windows(2).filter_map(|pair| pair[1].checked_sub(pair[0])).filter(|&step| step > 0).collect::<Vec<_>>();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_work_is_repeated_and_long_work_is_not() {
        let of = |resolution: f64, repetition: f64| batch(resolution, repetition, &Goal::default()).unwrap();
        assert_eq!(of(50.0, 1e6).repetitions, 30);
        assert_eq!(of(50.0, 7e6).repetitions, 5);
        assert_eq!(of(50.0, 40e6).repetitions, 1);
        assert_eq!(of(50.0, 3e9).repetitions, 1);
        // A clock that ticks a hundred times a second needs 40 s of work for 0.05 %.
        let coarse = of(10e6, 1e6);
        assert_eq!(coarse.repetitions, 40_000);
        assert!((coarse.relative_resolution - 0.0005).abs() < 1e-12 && (coarse.expected_ns - 40e9).abs() < 1.0);
    }

    #[test]
    fn the_most_work_holds_where_the_least_would_overshoot() {
        let goal = Goal { least_ns: 30e6, most_ns: 35e6, ..Goal::default() };
        assert_eq!(batch(1.0, 20e6, &goal).unwrap().repetitions, 1);
    }

    #[test]
    fn what_makes_no_sense_has_no_batch() {
        for (resolution, repetition) in [(50.0, 0.0), (50.0, f64::NAN), (-1.0, 1.0), (f64::INFINITY, 1.0), (1e9, 1e-9)] {
            assert_eq!(batch(resolution, repetition, &Goal::default()), None);
        }
    }

    #[test]
    fn resolution_is_the_usual_step() {
        assert_eq!(resolution(&[10, 10, 12, 12, 14, 90, 92]), Some(2));
        assert_eq!(resolution(&[10, 8, 8]), None);
        assert_eq!(resolution(&[]), None);
    }

    proptest! {
        #[test]
        fn the_goal_is_met(resolution in 0.0f64..1e5, repetition in 1.0f64..1e9) {
            let goal = Goal::default();
            let found = batch(resolution, repetition, &goal).unwrap();
            prop_assert!(found.relative_resolution <= goal.relative_resolution * (1.0 + 1e-12));
            prop_assert!(found.expected_ns >= goal.least_ns || found.expected_ns + repetition > goal.most_ns);
            let resolved = 2.0 * resolution / goal.relative_resolution;
            prop_assert!(found.repetitions == 1 || found.expected_ns <= goal.most_ns.max(resolved + repetition));
        }
    }
}
