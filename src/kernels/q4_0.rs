//! ggml's Q4_0 (ggml-quants.c, `quantize_row_q4_0_ref`): 32 weights in 18 bytes, 4.5 bits a weight.
//!
//! Step d = m / −8, where m is the weight of largest magnitude with its sign (the first of several), so m has the code −8 and the other side
//! is clipped at 7; code = min(15, ⌊w · (1/d) + 8.5⌋), which stands for code − 8. A block is d as f16, then 16 bytes: byte j holds weight j
//! in its low and weight j + 16 in its high nibble. One part, `blocks`, over the flattened tensor; the last block is padded with zeros. The
//! bytes are ggml's wherever ggml can encode the tensor at all, that is where columns are a multiple of 32.

use half::f16;

use super::blocks::BlockFormat;
use super::nibbles;
use super::scale::{Rounding, floor, larger, largest_lane, reciprocal, through_f16};
use crate::kernel::Info;

/// The Q4_0 format.
pub struct Q4_0;

impl BlockFormat<32, 18> for Q4_0 {
    const INFO: Info = Info {
        id: "q4_0",
        version: 1,
        summary: "4-bit codes with a signed f16 scale for 32 weights, ggml's bytes",
        source: "ggml, quantize_row_q4_0_ref",
        lossless: false,
    };
    const LARGEST_CODE: f64 = 8.0;

    #[inline]
    fn pack(values: &[f32; 32], bytes: &mut [u8; 18]) -> Rounding {
        let step = first_largest(values) / -8.0;
        let inverse = reciprocal(step);
        let stored = f16::from_f32(step);
        let codes = values.map(|x| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 15")]
            let code = floor(x * inverse + 8.5).min(15) as u8;
            code
        });
        bytes[..2].copy_from_slice(&stored.to_le_bytes());
        nibbles::pack(&codes, &mut bytes[2..]);
        Rounding::of(f64::from(step), stored.to_f32())
    }

    #[inline]
    fn unpack(bytes: &[u8; 18], values: &mut [f32; 32]) -> bool {
        let step = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
        let mut codes = [0; 32];
        nibbles::unpack(&bytes[2..], &mut codes);
        for (x, code) in values.iter_mut().zip(codes) {
            *x = f32::from(code.cast_signed() - 8) * step;
        }
        step.is_finite()
    }

    fn bounds(values: &[f32; 32]) -> [f32; 32] {
        let largest = first_largest(values);
        let step = largest.abs() / 8.0;
        let scale_error = 8.0 * (through_f16(step) - step).abs();
        // Half a step, except beyond code 7 on the side away from the largest weight.
        let clipped = |x: f32| if x * largest.signum() < 0.0 { x.abs() - 7.0 * step } else { 0.0 };
        values.map(|x| clipped(x).max(step / 2.0) + scale_error)
    }
}

/// The weight of largest magnitude, with its sign: the first of several; 0.0 where all are zero.
#[inline]
pub(super) fn first_largest(values: &[f32; 32]) -> f32 {
    let (groups, _) = values.as_chunks::<8>();
    // Magnitudes of the positive and of the negative weights.
    let (mut highs, mut lows) = ([0f32; 8], [0f32; 8]);
    for group in groups {
        for ((high, low), &x) in highs.iter_mut().zip(&mut lows).zip(group) {
            *high = larger(x, *high);
            *low = larger(-x, *low);
        }
    }
    let (high, low) = (largest_lane(highs), largest_lane(lows));
    if high == low {
        // Rare: both signs reach the largest magnitude, or all is zero.
        values.iter().copied().find(|x| x.abs() == high && high > 0.0).unwrap_or(0.0)
    } else if high > low {
        high
    } else {
        -low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_golden, assert_refuses, assert_relative_error};

    #[test]
    fn golden_bytes_are_those_of_ggml() {
        assert_golden("q4_0", "12c7db355549719b");
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("q4_0", 0.0860);
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        assert_refuses("q4_0", &[1e-30, 1e-6, 1e8]);
    }

    #[test]
    fn of_equal_magnitudes_the_first_gives_the_sign() {
        for (first, second) in [(1.0, -1.0), (-1.0, 1.0)] {
            let mut values = [0.25; 32];
            (values[3], values[20]) = (first, second);
            assert_eq!(first_largest(&values), first);
        }
        assert_eq!(first_largest(&[-0.0; 32]).to_bits(), 0);
    }
}
