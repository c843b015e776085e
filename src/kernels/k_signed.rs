//! ggml's Q3_K and Q6_K (ggml-quants.c, `quantize_row_q3_K_ref`, `quantize_row_q6_K_ref`): 256 weights under one f16, in runs of 16 that each
//! have a small signed integer scale.
//!
//! Decoded w = d · scale · code, with d = −largest scale / n, where the largest is that of largest magnitude with its sign, so it has the
//! integer −n. The scale of a run comes from a search weighted by w²; codes are then the nearest under the rounded one.
//!
//! | format | codes | search | n | block | bits a weight |
//! |---|---|---|---|---|---|
//! | `q3_k` | −4 to 3 | descent, code by code | 32 | 32 bytes of planes, 64 bytes of pairs, 12 bytes of scales, d | 3.4375 |
//! | `q6_k` | −32 to 31 | 19 candidates | 128 | 128 bytes of nibbles, 64 bytes of pairs, 16 scales as i8, d | 6.5625 |
//!
//! Codes are stored with 4 or 32 added and lie as [`nibbles`] says: `q3_k` has the upper bit in planes and the lower two in
//! pairs, `q6_k` the lower four in nibbles, in runs of 128, and the upper two in pairs. The scales of `q3_k`, s + 32, of six bits: bytes 0–7
//! hold the lower four bits of scale k in their low and of k + 8 in their high nibble, byte 8 + k mod 4 the upper two at bit 2 (k / 4).

use half::f16;

use super::blocks::BlockFormat;
use super::fit::{self, Runs, guarded, half_error, nearest_within};
use super::nibbles;
use super::scale::{Rounding, largest_magnitude};
use crate::kernel::Info;

/// The Q3_K format.
pub struct Q3K;

/// The Q6_K format.
pub struct Q6K;

impl BlockFormat<256, 110> for Q3K {
    const INFO: Info = Info {
        id: "q3_k",
        version: 1,
        summary: "3-bit codes with searched 6-bit scales for 16 weights, ggml's layout",
        source: "ggml, quantize_row_q3_K_ref",
        lossless: false,
    };
    // The codes are those of the rounded scales, so rounding only clips: more than a quarter of the range is too much.
    const LARGEST_CODE: f64 = 2.0;

    #[inline]
    fn pack(values: &[f32; 256], bytes: &mut [u8; 110]) -> Rounding {
        guarded::<Self, _, _>(values, bytes, |bytes, search| {
            let (factor, back) = fit::power_of_two(largest_magnitude(values));
            let x: Runs<16, 16> = fit::runs(values, factor);
            let fitted = if search { fit::signed_by_descent(&x, 4.0) } else { fit::signed(&x, 4.0, false) };
            let scales = Scales::of(fitted, 32.0, 31.0, back);
            let codes = scales.codes(values, 4.0);
            let (planes, rest) = bytes.split_at_mut(32);
            let (pairs, rest) = rest.split_at_mut(64);
            if let (Ok(planes), Ok(pairs)) = (planes.try_into(), pairs.try_into()) {
                nibbles::pack_planes(&codes.map(|code| code >> 2), planes);
                nibbles::pack_pairs(&codes, pairs);
            }
            rest[..12].copy_from_slice(&pack_six_bits(&scales.scales));
            rest[12..].copy_from_slice(&scales.d.to_le_bytes());
            scales.rounding
        })
    }

    #[inline]
    fn unpack(bytes: &[u8; 110], values: &mut [f32; 256]) -> bool {
        let mut codes = [0; 256];
        if let (Some(planes), Some(pairs)) = (bytes.first_chunk(), bytes[32..].first_chunk()) {
            nibbles::add_planes(planes, 2, &mut codes);
            nibbles::add_pairs(pairs, 0, &mut codes);
        }
        decode([bytes[108], bytes[109]], &unpack_six_bits(&bytes[96..108]), &codes, 4, values)
    }

    fn bounds(values: &[f32; 256]) -> [f32; 256] {
        bounds(values, 4.0, 32.0)
    }
}

impl BlockFormat<256, 210> for Q6K {
    const INFO: Info = Info {
        id: "q6_k",
        version: 1,
        summary: "6-bit codes with searched 8-bit scales for 16 weights, ggml's layout",
        source: "ggml, quantize_row_q6_K_ref",
        lossless: false,
    };
    // A quarter of the largest code: see Q3_K.
    const LARGEST_CODE: f64 = 8.0;

    #[inline]
    fn pack(values: &[f32; 256], bytes: &mut [u8; 210]) -> Rounding {
        guarded::<Self, _, _>(values, bytes, |bytes, search| {
            let (factor, back) = fit::power_of_two(largest_magnitude(values));
            let x: Runs<16, 16> = fit::runs(values, factor);
            let scales = Scales::of(fit::signed(&x, 32.0, search), 128.0, 127.0, back);
            let codes = scales.codes(values, 32.0);
            let (low, rest) = bytes.split_at_mut(128);
            for (codes, low) in codes.as_chunks::<128>().0.iter().zip(low.as_chunks_mut::<64>().0) {
                nibbles::pack(codes, low);
            }
            if let Some(pairs) = rest.first_chunk_mut() {
                nibbles::pack_pairs(&codes.map(|code| code >> 4), pairs);
            }
            for (byte, scale) in rest[64..80].iter_mut().zip(scales.scales) {
                *byte = scale.cast_unsigned();
            }
            rest[80..].copy_from_slice(&scales.d.to_le_bytes());
            scales.rounding
        })
    }

    #[inline]
    fn unpack(bytes: &[u8; 210], values: &mut [f32; 256]) -> bool {
        let mut codes = [0; 256];
        for (codes, low) in codes.as_chunks_mut::<128>().0.iter_mut().zip(bytes[..128].as_chunks::<64>().0) {
            nibbles::unpack(low, codes);
        }
        if let Some(pairs) = bytes[128..].first_chunk() {
            nibbles::add_pairs(pairs, 4, &mut codes);
        }
        let scales = std::array::from_fn(|k| bytes[192 + k].cast_signed());
        decode([bytes[208], bytes[209]], &scales, &codes, 32, values)
    }

    fn bounds(values: &[f32; 256]) -> [f32; 256] {
        bounds(values, 32.0, 128.0)
    }
}

/// An f16 and the integers that it scales, one for each run.
struct Scales {
    d: f16,
    scales: [i8; 16],
    /// What the f16's rounding does to the coarsest run's step.
    rounding: Rounding,
}

impl Scales {
    /// Rounds scales to integers −`top` to `high`; `back` brings them to the scale of the weights.
    #[inline]
    fn of(fitted: [f32; 16], top: f32, high: f32, back: f32) -> Self {
        let largest = fitted.iter().fold(0f32, |largest, &x| if x.abs() > largest.abs() { x } else { largest });
        if largest == 0.0 {
            return Self { d: f16::ZERO, scales: [0; 16], rounding: Rounding::default() };
        }
        let inverse = -top / largest;
        #[expect(clippy::cast_possible_truncation, reason = "within ±128")]
        let scales = fitted.map(|x| nearest_within(inverse * x, -top, high) as i8);
        let (d, stored) = fit::half(1.0 / inverse * back);
        Self { d, scales, rounding: Rounding::of(f64::from(largest * back), -top * stored) }
    }

    /// Nearest codes, `middle` added; that of 0 where the run's step is 0.
    #[inline]
    fn codes(&self, values: &[f32; 256], middle: f32) -> [u8; 256] {
        let d = self.d.to_f32();
        let mut codes = [0; 256];
        let runs = codes.as_chunks_mut::<16>().0.iter_mut().zip(values.as_chunks::<16>().0);
        for ((codes, values), &scale) in runs.zip(&self.scales) {
            let step = d * f32::from(scale);
            for (code, x) in codes.iter_mut().zip(values) {
                let nearest = if step == 0.0 { 0.0 } else { nearest_within(x / step, -middle, middle - 1.0) };
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 63")]
                let raised = (nearest + middle) as u8;
                *code = raised;
            }
        }
        codes
    }
}

#[inline]
fn decode(d: [u8; 2], scales: &[i8; 16], codes: &[u8; 256], middle: i8, values: &mut [f32; 256]) -> bool {
    let d = f16::from_le_bytes(d).to_f32();
    let runs = codes.as_chunks::<16>().0.iter().zip(values.as_chunks_mut::<16>().0);
    for ((codes, values), &scale) in runs.zip(scales) {
        let step = d * f32::from(scale);
        for (x, code) in values.iter_mut().zip(codes) {
            *x = step * f32::from(code.cast_signed() - middle);
        }
    }
    d.is_finite()
}

#[inline]
fn pack_six_bits(scales: &[i8; 16]) -> [u8; 12] {
    let mut bytes = [0; 12];
    for (k, scale) in scales.iter().enumerate() {
        let raised = (scale + 32).cast_unsigned();
        bytes[k % 8] |= (raised & 15) << (k / 8 * 4);
        bytes[8 + k % 4] |= raised >> 4 << (k / 4 * 2);
    }
    bytes
}

#[inline]
fn unpack_six_bits(bytes: &[u8]) -> [i8; 16] {
    std::array::from_fn(|k| {
        let raised = bytes[k % 8] >> (k / 8 * 4) & 15 | (bytes[8 + k % 4] >> (k / 4 * 2) & 3) << 4;
        raised.cast_signed() - 32
    })
}

/// Two plain steps of the run, and what rounding scales to integers and f16 may move a weight.
///
/// The plain scales, a run's largest magnitude over `levels`, keep within one step; that is what a block falls back to.
fn bounds(values: &[f32; 256], levels: f32, top: f32) -> [f32; 256] {
    let largest = largest_magnitude(values) / levels;
    let rounding = levels * (largest / top + top * half_error(largest / top));
    let mut bounds = [0.0; 256];
    for (bounds, run) in bounds.as_chunks_mut::<16>().0.iter_mut().zip(values.as_chunks::<16>().0) {
        bounds.fill(2.0 * largest_magnitude(run) / levels + rounding);
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_golden, assert_keeps_bounds, assert_refuses, assert_relative_error};
    use proptest::prelude::*;

    #[test]
    fn golden_bytes_are_those_of_ggml_without_fused_multiply_adds() {
        assert_golden("q6_k", "e27d0e5c");
    }

    /// Nobody published these: they hold every machine to the same bytes.
    #[test]
    fn golden_bytes_do_not_change() {
        assert_golden("q3_k", "789a6404cfbb4a41");
        assert_golden("q6_k", "e27d0e5ce8894b75");
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("q3_k", 0.151);
        assert_relative_error("q6_k", 0.01776);
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        for spec in ["q3_k", "q6_k"] {
            assert_refuses(spec, &[1e-30, 1e-6, 1e10]);
        }
    }

    proptest! {
        #[test]
        fn six_bit_scales_round_trip(scales in prop::array::uniform16(-32i8..32)) {
            prop_assert_eq!(unpack_six_bits(&pack_six_bits(&scales)), scales);
        }
    }

    #[test]
    fn any_block_keeps_its_bounds() {
        assert_keeps_bounds::<Q3K, 256, 110>();
        assert_keeps_bounds::<Q6K, 256, 210>();
    }
}
