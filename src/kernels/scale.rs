//! What the quantising kernels share: the step's rounding and the rule by which it refuses, magnitudes, rounding to integers, and the way
//! back to the tensor's dtype.
//!
//! A stored step is rounded, to f16 in the block formats and to f32 in `int8`. That is faithful while the rounding is small against the
//! step itself; it is not where an f16 overflows to infinity (weights × 1e8) or underflows to zero (weights × 1e-30), which the reference
//! encoders do without a word. See [`Rounding::check`] for the rule.

use half::{bf16, f16};

use crate::error::{DecodeError, Refusal};
use crate::weights::{Dtype, TensorInfo, Weights};

/// How far stored steps are from the exact ones, over any number of blocks. Merging is a maximum, so order does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rounding {
    /// Largest |stored − exact|; infinite where a step overflowed.
    worst: f64,
    /// Largest |exact|: the step of the coarsest block.
    coarsest: f64,
}

impl Rounding {
    /// The rounding of one block's step.
    pub fn of(exact: f64, stored: f32) -> Self {
        Self { worst: (f64::from(stored) - exact).abs(), coarsest: exact.abs() }
    }

    /// The rounding of both.
    pub fn merge(self, other: Self) -> Self {
        Self { worst: self.worst.max(other.worst), coarsest: self.coarsest.max(other.coarsest) }
    }

    /// Refuses where a rounded step moves some weight by more than half a step of the tensor's coarsest block.
    ///
    /// `largest_code` is the largest magnitude of a code, so `worst · largest_code` is the most that a weight moves. Measured against the
    /// coarsest block, a tiny block beside large ones may become zeros, because quantisation noise elsewhere in the tensor is larger than
    /// all it held; a tensor that is tiny as a whole may not.
    pub fn check(self, largest_code: f64) -> Result<(), Refusal> {
        if self.worst * largest_code <= 0.5 * self.coarsest {
            return Ok(());
        }
        let what = if self.worst.is_finite() { "is too small for" } else { "overflows" };
        Err(Refusal::new(format!("a scale of {:.3e} {what} the stored scale's type", self.coarsest)))
    }
}

/// A step rounded to f16, as f32: infinite where it overflows.
pub fn through_f16(step: f32) -> f32 {
    f16::from_f32(step).to_f32()
}

/// The larger of two values that are no NaN; unlike `f32::max` one instruction.
#[inline]
pub fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The largest of eight lanes, as a tree, because a chain of comparisons would take longer than the lanes did.
#[inline]
pub fn largest_lane(lanes: [f32; 8]) -> f32 {
    let four: [f32; 4] = std::array::from_fn(|i| larger(lanes[i], lanes[i + 4]));
    larger(larger(four[0], four[2]), larger(four[1], four[3]))
}

/// Largest magnitude; 0 for no values. Eight lanes, because the compiler may not reorder a maximum by itself.
#[inline]
pub fn largest_magnitude(values: &[f32]) -> f32 {
    let (groups, rest) = values.as_chunks::<8>();
    let mut lanes = [0f32; 8];
    for group in groups {
        for (lane, x) in lanes.iter_mut().zip(group) {
            *lane = larger(x.abs(), *lane);
        }
    }
    rest.iter().fold(largest_lane(lanes), |largest, x| larger(x.abs(), largest))
}

/// 1.5 · 2²³: from here on to 2²⁴ a unit in the last place is 1, so adding it rounds to an integer that stands in the low bits.
const SHIFT: f32 = 12_582_912.0;

/// The nearest integer, ties to even, and what is left, exactly. For |x| < 2²².
///
/// The `as` operator would also give an integer, but saturates, which takes more instructions than the rest of a quantiser.
#[inline]
fn nearest(x: f32) -> (i32, f32) {
    let shifted = x + SHIFT;
    let whole = shifted.to_bits().wrapping_sub(SHIFT.to_bits()).cast_signed();
    (whole, x - (shifted - SHIFT))
}

/// The nearest integer, ties away from zero, as C's `roundf`. For |x| < 2²².
#[inline]
pub fn round_away(x: f32) -> i32 {
    let (whole, rest) = nearest(x);
    whole + i32::from(rest == 0.5 && x > 0.0) - i32::from(rest == -0.5 && x < 0.0)
}

/// The largest integer that is not above x. For |x| < 2²².
#[inline]
pub fn floor(x: f32) -> i32 {
    let (whole, rest) = nearest(x);
    whole - i32::from(rest < 0.0)
}

/// 1 / step, or 0 for a step below f32's normal range, whose reciprocal need not be finite and which no f16 scale can hold.
#[inline]
pub fn reciprocal(step: f32) -> f32 {
    if step.abs() < f32::MIN_POSITIVE { 0.0 } else { 1.0 / step }
}

/// Decoded values in the tensor's dtype; what a rounded step carried beyond a 16-bit dtype's largest value becomes that value.
pub fn into_dtype(info: &TensorInfo, mut values: Vec<f32>) -> Result<Weights, DecodeError> {
    let largest = match info.dtype {
        Dtype::F32 => f32::MAX,
        Dtype::F16 => f16::MAX.to_f32(),
        Dtype::Bf16 => bf16::MAX.to_f32(),
    };
    if info.dtype != Dtype::F32 {
        values.iter_mut().for_each(|x| *x = x.clamp(-largest, largest));
    }
    Ok(Weights::from_f32(info, values)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tiny_block_beside_a_large_one_is_faithful_and_a_tiny_tensor_is_not() {
        let block = |step: f32| Rounding::of(f64::from(step), through_f16(step));
        assert!(block(0.01).check(127.0).is_ok());
        assert!(block(0.01).merge(block(1e-30)).check(127.0).is_ok());
        assert!(block(0.0).check(127.0).is_ok());
        let reason = |step| block(step).check(8.0).unwrap_err().0;
        assert_eq!(reason(1e-30), "a scale of 1.000e-30 is too small for the stored scale's type");
        assert_eq!(reason(1e8), "a scale of 1.000e8 overflows the stored scale's type");
        assert!(block(0.01).merge(block(1e8)).check(8.0).is_err());
    }

    #[test]
    fn sixteen_bit_dtypes_saturate() {
        let info = TensorInfo { name: "w".into(), shape: vec![2], dtype: Dtype::F16 };
        let weights = into_dtype(&info, vec![65_532.0, -65_532.0]).unwrap();
        assert_eq!(weights.to_f32()[..], [65_504.0, -65_504.0]);
    }

    proptest! {
        #[test]
        fn rounding_is_that_of_the_standard_library(x in -300f32..300.0) {
            for x in [x, x.trunc(), x.trunc() + 0.5, x.trunc() - 0.5, (x.trunc() + 0.5).next_up(), (x.trunc() + 0.5).next_down()] {
                prop_assert_eq!(f64::from(round_away(x)), f64::from(x.round()));
                prop_assert_eq!(f64::from(floor(x)), f64::from(x.floor()));
            }
        }

        #[test]
        fn magnitude_is_the_naive_maximum(values in prop::collection::vec(-1e3f32..1e3, 0..70)) {
            prop_assert_eq!(largest_magnitude(&values), values.iter().fold(0f32, |a, x| a.max(x.abs())));
        }
    }

    #[test]
    fn ties_round_away_from_zero() {
        for (x, expected) in [(0.5, 1), (-0.5, -1), (1.5, 2), (2.5, 3), (0.499_999_97, 0), (-126.5, -127)] {
            assert_eq!(round_away(x), expected, "{x}");
        }
        assert_eq!((floor(16.5), floor(0.999_999_94), floor(8.0), floor(7.999_999_5)), (16, 0, 8, 7));
    }
}
