//! What is compared: one operation of one case, on the part of the model that a batch has time for.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::metric::as_f64;
use crate::model::record::Case;
use crate::stats::batch::{Goal, batch};
use crate::stats::warmup::end_of_warm_up;
use crate::worker::batch::Operation;

/// CPU time that a pass is to take at most, so that a batch has some; larger models are cut to an excerpt.
const PASS_NS: u64 = 1_500_000;
/// CPU time that encoding an artifact may take, once a side, for what decode is timed on.
const ARTIFACT_NS: u64 = 100_000_000;
/// CPU time for showing where warm-up ends.
const SHOWN_NS: u64 = 60_000_000;
/// Passes shown: fewer say nothing at all, more nothing new.
const FEWEST_SHOWN: u64 = 6;
const MOST_SHOWN: u64 = 50;
/// Warm-up where the passes shown do not tell.
const UNTOLD_WARM_UP: u64 = 2;
/// Smallest excerpt: 2⁻¹⁰ of the model.
const SMALLEST_HALVING: u32 = 10;

/// An operation of a case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Item {
    /// The case.
    pub case: Case,
    /// The operation.
    pub operation: Operation,
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.operation.word(), self.case)
    }
}

/// What is known of an item before it is compared: it passed its check, and a single run timed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The case.
    pub case: Case,
    /// What workers are told to use for its kernel.
    pub kernel: String,
    /// Its model.
    pub model: PathBuf,
    /// Statistics of the layers' inputs, for kernels that use them.
    pub calibration: Option<PathBuf>,
    /// Bytes of the model.
    pub input_bytes: u64,
    /// What of it is compared.
    pub operations: Vec<Operation>,
    /// CPU time of a pass of encode over the whole model.
    pub encode_ns: u64,
    /// CPU time of a pass of decode.
    pub decode_ns: u64,
}

/// Halvings of the model that leave a pass short enough: 0 is the whole model.
///
/// Powers of two, so that the cases of a fixture share a few excerpts.
pub fn halvings(operation: Operation, encode_ns: u64, decode_ns: u64) -> u32 {
    let fits = |k: &u32| match operation {
        Operation::Encode => encode_ns >> k <= PASS_NS,
        Operation::Decode => decode_ns >> k <= PASS_NS && encode_ns >> k <= ARTIFACT_NS,
    };
    (0..SMALLEST_HALVING).find(fits).unwrap_or(SMALLEST_HALVING)
}

/// Share of the model that so many halvings leave.
pub fn share(halvings: u32) -> f64 {
    f64::from(1 << halvings).recip()
}

/// Passes of a batch of about `batch_ns`, of passes that take `pass_ns` each, on a clock of that resolution; 1 where one pass is longer.
pub fn passes(pass_ns: u64, batch_ns: u64, resolution_ns: u64) -> u64 {
    let goal = Goal { least_ns: as_f64(batch_ns), most_ns: 4.0 * as_f64(batch_ns), ..Goal::default() };
    batch(as_f64(resolution_ns), as_f64(pass_ns.max(1)), &goal).map_or(1, |b| u64::from(b.repetitions))
}

/// Passes that show where warm-up ends, of passes that take about `pass_ns`: as many as that needs, or fewer where they are long.
pub fn shown_passes(pass_ns: u64) -> u64 {
    (SHOWN_NS / pass_ns.max(1)).clamp(FEWEST_SHOWN, MOST_SHOWN)
}

/// Passes before the clocks are read, from the times of a process's first passes: what is cut as warm-up, but no more than a batch has.
///
/// Where too few were shown for an answer, the first two: the first faults pages in, and the second is the first that does not.
pub fn warm_up(shown_ns: &[u64], passes: u64) -> u64 {
    let times: Vec<f64> = shown_ns.iter().map(|&ns| as_f64(ns)).collect();
    let end = end_of_warm_up(&times).map_or(UNTOLD_WARM_UP, |cut| cut as u64);
    end.clamp(1, passes.max(UNTOLD_WARM_UP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_passes_are_halved_until_they_fit() {
        assert_eq!(halvings(Operation::Encode, 1_500_000, 1), 0);
        assert_eq!(halvings(Operation::Encode, 1_500_002, 1), 1);
        assert_eq!(halvings(Operation::Encode, 6_665_000_000, 1), 10);
        assert_eq!(halvings(Operation::Decode, 100_000_000, 1_500_000), 0);
        assert_eq!(halvings(Operation::Decode, 6_665_000_000, 6_000_000), 7);
        assert_eq!((share(0), share(3)), (1.0, 0.125));
    }

    #[test]
    fn a_batch_is_long_for_its_clock() {
        assert_eq!(passes(1_000_000, 8_000_000, 30), 8);
        assert_eq!(passes(3_000_000, 8_000_000, 30), 3);
        assert_eq!(passes(100_000_000, 8_000_000, 30), 1);
        assert_eq!(passes(1_000_000, 8_000_000, 10_000), 40, "a clock of 10 µs wants 40 ms");
    }

    #[test]
    fn warm_up_is_what_the_first_passes_show() {
        assert_eq!([100, 2_000_000, 100_000_000].map(shown_passes), [50, 30, 6]);
        let slow_start: Vec<u64> = (0..50).map(|i| 1000 + if i < 10 { 500 } else { i % 3 }).collect();
        assert_eq!(warm_up(&slow_start, 100), 10);
        assert_eq!(warm_up(&slow_start, 4), 4, "no more than a batch has");
        assert_eq!(warm_up(&[1000; 50], 100), 1);
        assert_eq!(warm_up(&[5000, 1000, 1000, 1000, 1000, 1000], 1), 2, "too few to tell");
    }
}
