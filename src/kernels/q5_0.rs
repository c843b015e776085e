//! ggml's Q5_0 (ggml-quants.c, `quantize_row_q5_0_ref`): 32 weights in 22 bytes, 5.5 bits a weight.
//!
//! As [`q4_0`](super::q4_0) with a bit more: step d = m / −16, where m is the weight of largest magnitude with its sign (the first of
//! several); code = min(31, ⌊w · (1/d) + 16.5⌋), which stands for code − 16. A block is d as f16, the codes' fifth bits in four bytes, then
//! their low halves in 16 bytes, as [`nibbles`] says.

use half::f16;

use super::blocks::BlockFormat;
use super::nibbles;
use super::q4_0::first_largest;
use super::scale::{Rounding, floor, reciprocal, through_f16};
use crate::kernel::Info;

/// The Q5_0 format.
pub struct Q5_0;

impl BlockFormat<32, 22> for Q5_0 {
    const INFO: Info = Info {
        id: "q5_0",
        version: 1,
        summary: "5-bit codes with a signed f16 scale for 32 weights, ggml's bytes",
        source: "ggml, quantize_row_q5_0_ref",
        lossless: false,
    };
    const LARGEST_CODE: f64 = 16.0;

    #[inline]
    fn pack(values: &[f32; 32], bytes: &mut [u8; 22]) -> Rounding {
        let step = first_largest(values) / -16.0;
        let inverse = reciprocal(step);
        let stored = f16::from_f32(step);
        let codes = values.map(|x| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 31")]
            let code = floor(x * inverse + 16.5).min(31) as u8;
            code
        });
        bytes[..2].copy_from_slice(&stored.to_le_bytes());
        bytes[2..6].copy_from_slice(&nibbles::fifth_bits(&codes));
        nibbles::pack(&codes, &mut bytes[6..]);
        Rounding::of(f64::from(step), stored.to_f32())
    }

    #[inline]
    fn unpack(bytes: &[u8; 22], values: &mut [f32; 32]) -> bool {
        let step = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
        let mut codes = [0; 32];
        nibbles::unpack(&bytes[6..], &mut codes);
        nibbles::add_fifth_bits([bytes[2], bytes[3], bytes[4], bytes[5]], &mut codes);
        for (x, code) in values.iter_mut().zip(codes) {
            *x = f32::from(code.cast_signed() - 16) * step;
        }
        step.is_finite()
    }

    fn bounds(values: &[f32; 32]) -> [f32; 32] {
        let largest = first_largest(values);
        let step = largest.abs() / 16.0;
        let scale_error = 16.0 * (through_f16(step) - step).abs();
        // Half a step, except beyond code 15 on the side away from the largest weight.
        let clipped = |x: f32| if x * largest.signum() < 0.0 { x.abs() - 15.0 * step } else { 0.0 };
        values.map(|x| clipped(x).max(step / 2.0) + scale_error)
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::testing::{assert_golden, assert_refuses, assert_relative_error};

    #[test]
    fn golden_bytes_are_those_of_ggml() {
        assert_golden("q5_0", "e3513d7ec18c1434");
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("q5_0", 0.0427);
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        assert_refuses("q5_0", &[1e-30, 1e-6, 1e8]);
    }
}
