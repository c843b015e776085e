//! ggml's Q8_0 (ggml-quants.c, `quantize_row_q8_0_ref`): 32 weights in 34 bytes, 8.5 bits a weight.
//!
//! Step d = max|w| / 127; code = round(w · (1/d)), ties away from zero. A block is d as f16, then 32 codes as i8. One part, `blocks`, over
//! the flattened tensor; the last block is padded with zeros. The bytes are ggml's wherever ggml can encode the tensor at all, that is where
//! columns are a multiple of 32.

use half::f16;

use super::blocks::BlockFormat;
use super::scale::{Rounding, largest_magnitude, reciprocal, round_away, through_f16};
use crate::kernel::Info;

/// The Q8_0 format.
pub struct Q8_0;

impl BlockFormat<32, 34> for Q8_0 {
    const INFO: Info = Info {
        id: "q8_0",
        version: 1,
        summary: "8-bit codes with an f16 scale for 32 weights, ggml's bytes",
        source: "ggml, quantize_row_q8_0_ref",
        lossless: false,
    };
    const LARGEST_CODE: f64 = 127.0;

    #[inline]
    fn pack(values: &[f32; 32], bytes: &mut [u8; 34]) -> Rounding {
        let step = largest_magnitude(values) / 127.0;
        let inverse = reciprocal(step);
        let stored = f16::from_f32(step);
        let (scale, codes) = bytes.split_at_mut(2);
        scale.copy_from_slice(&stored.to_le_bytes());
        for (code, x) in codes.iter_mut().zip(values) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within ±127; the byte holds two's complement")]
            let byte = round_away(x * inverse) as u8;
            *code = byte;
        }
        Rounding::of(f64::from(step), stored.to_f32())
    }

    #[inline]
    fn unpack(bytes: &[u8; 34], values: &mut [f32; 32]) -> bool {
        let step = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
        for (x, code) in values.iter_mut().zip(&bytes[2..]) {
            *x = f32::from(code.cast_signed()) * step;
        }
        step.is_finite()
    }

    /// Half a step, and what the scale's own rounding moves the largest code.
    fn bounds(values: &[f32; 32]) -> [f32; 32] {
        let step = largest_magnitude(values) / 127.0;
        [step / 2.0 + 127.0 * (through_f16(step) - step).abs(); 32]
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::testing::{assert_golden, assert_refuses, assert_relative_error};

    #[test]
    fn golden_bytes_are_those_of_ggml() {
        assert_golden("q8_0", "8a4f76d4d14710a9");
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("q8_0", 0.00535);
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        assert_refuses("q8_0", &[1e-30, 1e-6, 1e12]);
    }
}
