//! Four-bit floats E2M1 under block scales, ggml's bytes: MXFP4 (OCP Microscaling Formats 1.0) and NVFP4 (ggml-quants.c,
//! `quantize_row_mxfp4_ref`, `quantize_row_nvfp4_ref`).
//!
//! Codes 0–7 stand for 0, ½, 1, 1½, 2, 3, 4, 6, codes 8–15 for their negatives; the nearest is taken, of two the smaller, and a weight that
//! becomes zero always has code 0.
//!
//! | format | block | scale | bits a weight |
//! |---|---|---|---|
//! | `mxfp4` | 32 weights: scale byte, 16 bytes of codes | E8M0, 2^(e − 127) with e = ⌊log2 max‖w‖⌋ − 2 + 127, at least 0 | 4.25 |
//! | `nvfp4` | 64 weights: four scale bytes, 32 bytes of codes | UE4M3 of max‖w‖ / 6, one for 16 weights | 4.5 |
//!
//! Codes lie as [`nibbles`] says, in `nvfp4` within each 16. ggml's NVFP4 has no scale for the whole tensor, so the scales of ordinary
//! weights are UE4M3 subnormals, which costs accuracy (0.1031 against 0.0951 with two levels). Its rounding of scales is half up, and
//! what has exponent 8 or more becomes 448. ggml takes MXFP4's logarithm in f32; here it is exact, which may differ just below a power of two.

use super::blocks::BlockFormat;
use super::nibbles;
use super::scale::{Rounding, largest_magnitude};
use crate::kernel::Info;

/// The MXFP4 format.
pub struct Mxfp4;

/// The NVFP4 format as ggml has it.
pub struct Nvfp4;

impl BlockFormat<32, 17> for Mxfp4 {
    const INFO: Info = Info {
        id: "mxfp4",
        version: 1,
        summary: "4-bit floats with a power of two for 32 weights, ggml's bytes",
        source: "OCP Microscaling Formats 1.0; ggml, quantize_row_mxfp4_ref",
        lossless: false,
    };
    const LARGEST_CODE: f64 = 1.0;

    #[inline]
    fn pack(values: &[f32; 32], bytes: &mut [u8; 17]) -> Rounding {
        let exponent = e8m0(largest_magnitude(values));
        bytes[0] = exponent;
        nibbles::pack(&codes(values, half_of_e8m0(exponent)), &mut bytes[1..]);
        // A power of two is exact by definition, and every f32 has one.
        Rounding::default()
    }

    #[inline]
    fn unpack(bytes: &[u8; 17], values: &mut [f32; 32]) -> bool {
        let mut codes = [0; 32];
        nibbles::unpack(&bytes[1..], &mut codes);
        decode(&codes, half_of_e8m0(bytes[0]), values);
        bytes[0] <= LARGEST_E8M0
    }

    fn bounds(values: &[f32; 32]) -> [f32; 32] {
        let half = half_of_e8m0(e8m0(largest_magnitude(values)));
        values.map(|x| bound(x, half))
    }
}

impl BlockFormat<64, 36> for Nvfp4 {
    const INFO: Info = Info {
        id: "nvfp4",
        version: 1,
        summary: "4-bit floats with an 8-bit float for 16 weights, ggml's bytes",
        source: "ggml, quantize_row_nvfp4_ref",
        lossless: false,
    };
    // The codes are those of the rounded scale, so its rounding coarsens a block rather than moves it: half of it is too much.
    const LARGEST_CODE: f64 = 1.0;

    #[inline]
    fn pack(values: &[f32; 64], bytes: &mut [u8; 36]) -> Rounding {
        let (scales, packed) = bytes.split_at_mut(4);
        let runs = values.as_chunks::<16>().0.iter().zip(packed.as_chunks_mut::<8>().0);
        scales.iter_mut().zip(runs).fold(Rounding::default(), |rounding, (scale, (values, packed))| {
            let exact = largest_magnitude(values) / 6.0;
            *scale = ue4m3(exact);
            let half = half_of_ue4m3(*scale);
            nibbles::pack(&codes(values, half), packed);
            rounding.merge(Rounding::of(f64::from(exact), 2.0 * half))
        })
    }

    #[inline]
    fn unpack(bytes: &[u8; 36], values: &mut [f32; 64]) -> bool {
        let (scales, packed) = bytes.split_at(4);
        let runs = values.as_chunks_mut::<16>().0.iter_mut().zip(packed.as_chunks::<8>().0);
        for (&scale, (values, packed)) in scales.iter().zip(runs) {
            let mut codes = [0; 16];
            nibbles::unpack(packed, &mut codes);
            decode(&codes, half_of_ue4m3(scale), values);
        }
        scales.iter().all(|&scale| scale <= LARGEST_UE4M3)
    }

    fn bounds(values: &[f32; 64]) -> [f32; 64] {
        let mut bounds = [0.0; 64];
        for (bounds, values) in bounds.as_chunks_mut::<16>().0.iter_mut().zip(values.as_chunks::<16>().0) {
            let half = half_of_ue4m3(ue4m3(largest_magnitude(values) / 6.0));
            *bounds = values.map(|x| bound(x, half));
        }
        bounds
    }
}

/// Codes of weights under a scale, of which `half` is the half: half a scale times a small integer is exact where the scale is not.
#[inline]
fn codes<const N: usize>(values: &[f32; N], half: f32) -> [u8; N] {
    // Midpoints between neighbours in half scales, 0 1 2 3 4 6 8 12.
    let [a, b, c, d, e, f, g] = [0.5, 1.5, 2.5, 3.5, 5.0, 7.0, 10.0].map(|middle| middle * half);
    values.map(|x| {
        let above = |middle: f32| u8::from(x.abs() > middle);
        let magnitude = above(a) + above(b) + above(c) + above(d) + above(e) + above(f) + above(g);
        magnitude | u8::from(x < -a) << 3
    })
}

#[inline]
fn decode<const N: usize>(codes: &[u8; N], half: f32, values: &mut [f32; N]) {
    for (x, &code) in values.iter_mut().zip(codes) {
        let m = code & 7;
        // 0 1 2 3 4 6 8 12 without a table, so that it vectorises.
        let magnitude = m + m.saturating_sub(4) + 2 * m.saturating_sub(6);
        let sign = (code << 4).cast_signed() >> 7;
        *x = f32::from((magnitude.cast_signed() ^ sign) - sign) * half;
    }
}

/// The most that rounding to the nearest code moves a weight: half the gap, which is a quarter scale at first, later at most a fifth of the
/// weight, and what is beyond six scales.
fn bound(x: f32, half: f32) -> f32 {
    let (x, largest) = (x.abs(), 12.0 * half);
    if x > largest { x - largest } else { (half / 2.0).max(x / 5.0) }
}

/// The largest exponent with which all codes are finite in f32; the encoder never needs a larger one. 255 is no number in E8M0.
const LARGEST_E8M0: u8 = 252;

/// Exponent byte of a block with this largest magnitude.
#[inline]
fn e8m0(largest: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "8 bits of exponent: the sign is 0")]
    let biased = (largest.to_bits() >> 23) as u8;
    biased.saturating_sub(2)
}

/// Half of the scale, 2^(e − 128), which for 0 and 1 is subnormal.
#[inline]
fn half_of_e8m0(exponent: u8) -> f32 {
    let e = u32::from(exponent);
    f32::from_bits(if e < 2 { 0x0020_0000 << e } else { (e - 1) << 23 })
}

/// The largest scale of the encoder, 448.
const LARGEST_UE4M3: u8 = 0x7E;

/// UE4M3 of a scale: four bits of exponent with bias 7, three of mantissa, no sign, halves rounded up.
#[inline]
fn ue4m3(scale: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "floats saturate, and 0x7E bounds the rest")]
    let byte = if scale < 1.0 / 64.0 {
        // Subnormal, in units of 2^-9.
        (scale * 512.0 + 0.5).min(7.0) as u8
    } else {
        // Exponent and three bits of mantissa, rounded on the fourth; 120 is the bias of f32 less that of UE4M3.
        let rounded = ((scale.to_bits() >> 19) + 1) >> 1;
        let byte = rounded - (120 << 3);
        if byte >= 15 << 3 { LARGEST_UE4M3 } else { byte as u8 }
    };
    byte
}

/// Half of the scale.
#[inline]
fn half_of_ue4m3(byte: u8) -> f32 {
    let (exponent, mantissa) = (u32::from(byte >> 3 & 15), u32::from(byte & 7));
    if exponent == 0 {
        f32::from(byte & 7) / 1024.0
    } else {
        // Bias 7 of UE4M3 to 127 of f32, less one for the half.
        f32::from_bits((exponent + 119) << 23 | mantissa << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_golden, assert_refuses, assert_relative_error};
    use proptest::prelude::*;

    const HALVES: [f32; 16] = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0];

    #[test]
    fn golden_bytes_are_those_of_ggml() {
        assert_golden("mxfp4", "b6c1aec6a126cf7c");
        assert_golden("nvfp4", "30031751f641eebc");
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("mxfp4", 0.1141);
        assert_relative_error("nvfp4", 0.1031);
    }

    #[test]
    fn nvfp4_refuses_what_its_scales_cannot_hold() {
        assert_refuses("nvfp4", &[1e-30, 0.05, 1e8]);
    }

    #[test]
    fn codes_stand_for_the_published_values() {
        let mut values = [0.0; 16];
        decode(&std::array::from_fn(|i| u8::try_from(i).unwrap()), 0.5, &mut values);
        assert_eq!(values, HALVES.map(|x| x / 2.0));
        assert!(values[8].is_sign_positive());
    }

    #[test]
    fn scales_are_the_published_ones() {
        for (e, scale) in [(0, 2f32.powi(-127)), (1, 2f32.powi(-126)), (2, 2f32.powi(-125)), (127, 1.0), (252, 2f32.powi(125))] {
            assert_eq!(half_of_e8m0(e) * 2.0, scale, "{e}");
        }
        for (byte, scale) in [(0, 0.0), (1, 1.0 / 512.0), (8, 1.0 / 64.0), (0x38, 1.0), (0x3C, 1.5), (0x77, 240.0), (0x7E, 448.0)] {
            assert_eq!(half_of_ue4m3(byte) * 2.0, scale, "{byte}");
            assert_eq!(ue4m3(scale), byte, "{scale}");
        }
        for (scale, byte) in
            [(0.0009, 0), (0.001, 1), (0.0155, 7), (1.0624, 0x38), (1.0625, 0x39), (1.97, 0x40), (250.0, 0x7E), (1e9, 0x7E)]
        {
            assert_eq!(ue4m3(scale), byte, "{scale}");
        }
    }

    proptest! {
        #[test]
        fn codes_are_those_of_a_search_over_all_sixteen(values in prop::array::uniform16(-20f32..20.0), scale in 1u8..=LARGEST_UE4M3, tie in 0usize..7) {
            let half = half_of_ue4m3(scale);
            let mut values = values.map(|x| x * half);
            values[3] = [0.5, 1.5, 2.5, 3.5, 5.0, 7.0, 10.0][tie] * half;
            values[4] = -values[3];
            for (x, code) in values.into_iter().zip(codes(&values, half)) {
                let error = |k: usize| (HALVES[k] * half - x).abs();
                let nearest = (1..16).fold(0, |best, k| if error(k) < error(best) { k } else { best });
                prop_assert_eq!(usize::from(code), nearest, "{}", x);
            }
        }
    }
}
