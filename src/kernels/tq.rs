//! ggml's TQ1_0 and TQ2_0 (ggml-quants.c, `quantize_row_tq1_0_ref`, `quantize_row_tq2_0_ref`): ternary weights under each block's largest.
//!
//! For a block of 256: d = max|w|; digit round(w · (1/d)), ties away from zero; decoded d · digit. The layouts are those of
//! [`ternary`](super::ternary), of 1.6875 and 2.0625 bits a weight.
//!
//! Made for weights that are ternary already. On others nearly all digits are 0: the relative error on Gaussian weights is 0.807, where
//! [`bitnet`](super::bitnet), which has the same packings under the tensor's mean magnitude, has 0.513.

use half::f16;

use super::blocks::BlockFormat;
use super::scale::{Rounding, largest_magnitude, reciprocal, through_f16};
use super::ternary::{from_tq1_0, from_tq2_0, tq1_0, tq2_0};
use crate::kernel::Info;

/// The TQ1_0 format.
pub struct Tq1_0;

/// The TQ2_0 format.
pub struct Tq2_0;

impl BlockFormat<256, 54> for Tq1_0 {
    const INFO: Info = Info {
        id: "tq1_0",
        version: 1,
        summary: "ternary weights, five a byte, under the largest of 256, ggml's bytes",
        source: "ggml, quantize_row_tq1_0_ref",
        lossless: false,
    };
    const LARGEST_CODE: f64 = 1.0;

    #[inline]
    fn pack(values: &[f32; 256], bytes: &mut [u8; 54]) -> Rounding {
        let scale = largest_magnitude(values);
        tq1_0(&digits(values, scale), f16::from_f32(scale).to_le_bytes(), bytes);
        Rounding::of(f64::from(scale), through_f16(scale))
    }

    #[inline]
    fn unpack(bytes: &[u8; 54], values: &mut [f32; 256]) -> bool {
        from_tq1_0(bytes, values)
    }

    fn bounds(values: &[f32; 256]) -> [f32; 256] {
        bounds(values)
    }
}

impl BlockFormat<256, 66> for Tq2_0 {
    const INFO: Info = Info {
        id: "tq2_0",
        version: 1,
        summary: "ternary weights, four a byte, under the largest of 256, ggml's bytes",
        source: "ggml, quantize_row_tq2_0_ref",
        lossless: false,
    };
    const LARGEST_CODE: f64 = 1.0;

    #[inline]
    fn pack(values: &[f32; 256], bytes: &mut [u8; 66]) -> Rounding {
        let scale = largest_magnitude(values);
        tq2_0(&digits(values, scale), f16::from_f32(scale).to_le_bytes(), bytes);
        Rounding::of(f64::from(scale), through_f16(scale))
    }

    #[inline]
    fn unpack(bytes: &[u8; 66], values: &mut [f32; 256]) -> bool {
        from_tq2_0(bytes, values)
    }

    fn bounds(values: &[f32; 256]) -> [f32; 256] {
        bounds(values)
    }
}

/// Digits 0, 1, 2 of the weights −1, 0, 1 that are nearest in units of `scale`.
#[inline]
fn digits(values: &[f32; 256], scale: f32) -> [u8; 256] {
    let inverse = reciprocal(scale);
    values.map(|x| {
        let x = x * inverse;
        1 + u8::from(x >= 0.5) - u8::from(x <= -0.5)
    })
}

/// To zero or to the scale, whichever is nearer, and the scale's rounding.
fn bounds(values: &[f32; 256]) -> [f32; 256] {
    let scale = largest_magnitude(values);
    let scale_error = (through_f16(scale) - scale).abs();
    values.map(|x| x.abs().min(scale - x.abs()) + scale_error)
}

#[cfg(test)]
mod tests {
    use crate::kernels::testing::{assert_golden, assert_refuses, assert_relative_error};

    #[test]
    fn golden_bytes_are_those_of_ggml() {
        assert_golden("tq1_0", "58ec1785b98b0c45");
        assert_golden("tq2_0", "be029711bffb523e");
    }

    #[test]
    fn gaussian_error() {
        for spec in ["tq1_0", "tq2_0"] {
            assert_relative_error(spec, 0.807);
        }
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        for spec in ["tq1_0", "tq2_0"] {
            assert_refuses(spec, &[1e-30, 1e-7, 1e8]);
        }
    }
}
