//! ggml's Q2_K, Q4_K and Q5_K (ggml-quants.c, `quantize_row_q4_K_ref` and its neighbours): 256 weights under two f16, in runs that each have
//! a small integer scale and minimum.
//!
//! Decoded w = d · scale · code − dmin · minimum, with d = largest scale / n and dmin = largest minimum / n for n the largest integer. The
//! scale and minimum of a run come from the search `fit::offset`; codes are then the nearest under the rounded ones.
//!
//! | format | run | codes | search | n | block | bits a weight |
//! |---|---|---|---|---|---|---|
//! | `q2_k` | 16 | 0–3 | 16 candidates, Σ‖w‖·‖error‖ | 15 | 16 bytes (scale, minimum << 4), 64 bytes of pairs, d, dmin | 2.625 |
//! | `q4_k` | 32 | 0–15 | 21 candidates, Σ(rms + ‖w‖)·error² | 63 | d, dmin, 12 bytes of scales, 128 bytes of nibbles | 4.5 |
//! | `q5_k` | 32 | 0–31 | 16 candidates, as above | 63 | d, dmin, 12 bytes of scales, 32 bytes of planes, 128 bytes of nibbles | 5.5 |
//!
//! Codes lie as [`nibbles`] says, nibbles in runs of 64. Of the eight scales s and minima m of six bits, the 12 bytes hold: bytes 0–3 s₀–s₃
//! and the upper two bits of s₄–s₇, bytes 4–7 m₀–m₃ and the upper two bits of m₄–m₇, bytes 8–11 the lower four bits of s₄–s₇ and m₄–m₇.

use half::f16;

use super::blocks::BlockFormat;
use super::fit::{self, Candidates, Runs, guarded, half_error, nearest_within};
use super::nibbles;
use super::scale::{Rounding, largest_magnitude};
use crate::kernel::Info;

/// The Q2_K format.
pub struct Q2K;

/// The Q4_K format.
pub struct Q4K;

/// The Q5_K format.
pub struct Q5K;

impl BlockFormat<256, 84> for Q2K {
    const INFO: Info = Info {
        id: "q2_k",
        version: 1,
        summary: "2-bit codes with searched 4-bit scales and minima for 16 weights, ggml's layout",
        source: "ggml, quantize_row_q2_K_ref",
        lossless: false,
    };
    // The codes are those of the rounded scales, so rounding only clips: more than a quarter of the range is too much.
    const LARGEST_CODE: f64 = 2.0;

    #[inline]
    fn pack(values: &[f32; 256], bytes: &mut [u8; 84]) -> Rounding {
        guarded::<Self, _, _>(values, bytes, |bytes, search| {
            let (factor, back) = fit::power_of_two(largest_magnitude(values));
            let x: Runs<16, 16> = fit::runs(values, factor);
            let candidates = Candidates { levels: (-0.5, 0.1), count: 16, absolute: true };
            let fitted = fit::offset(&x, &x.map(|x| x.map(f32::abs)), 3.0, search.then_some(&candidates));
            let scales = Scales::of(fitted, 15.0, back);
            for (byte, (scale, min)) in bytes.iter_mut().zip(scales.scales.iter().zip(scales.mins)) {
                *byte = scale | min << 4;
            }
            if let Some(packed) = bytes[16..].first_chunk_mut() {
                nibbles::pack_pairs(&scales.codes::<16>(values, 3.0), packed);
            }
            bytes[80..].copy_from_slice(&scales.header());
            scales.rounding(3.0)
        })
    }

    #[inline]
    fn unpack(bytes: &[u8; 84], values: &mut [f32; 256]) -> bool {
        let mut codes = [0; 256];
        if let Some(packed) = bytes[16..].first_chunk() {
            nibbles::add_pairs(packed, 0, &mut codes);
        }
        let scales = std::array::from_fn(|k| bytes[k] & 15);
        let mins = std::array::from_fn(|k| bytes[k] >> 4);
        Scales::<16>::read(&bytes[80..], scales, mins).decode::<16>(&codes, values)
    }

    fn bounds(values: &[f32; 256]) -> [f32; 256] {
        bounds::<16>(values, 3.0, 15.0)
    }
}

impl BlockFormat<256, 144> for Q4K {
    const INFO: Info = Info {
        id: "q4_k",
        version: 1,
        summary: "4-bit codes with searched 6-bit scales and minima for 32 weights, ggml's layout",
        source: "ggml, quantize_row_q4_K_ref",
        lossless: false,
    };
    // A quarter of the largest code: see Q2_K.
    const LARGEST_CODE: f64 = 4.0;

    #[inline]
    fn pack(values: &[f32; 256], bytes: &mut [u8; 144]) -> Rounding {
        guarded::<Self, _, _>(values, bytes, |bytes, search| {
            let candidates = Candidates { levels: (-1.0, 0.1), count: 21, absolute: false };
            let scales = six_bit_scales(values, 15.0, search.then_some(&candidates));
            bytes[..4].copy_from_slice(&scales.header());
            bytes[4..16].copy_from_slice(&pack_six_bits(&scales));
            pack_nibbles(&scales.codes::<32>(values, 15.0), &mut bytes[16..]);
            scales.rounding(15.0)
        })
    }

    #[inline]
    fn unpack(bytes: &[u8; 144], values: &mut [f32; 256]) -> bool {
        let codes = unpack_nibbles(&bytes[16..]);
        let (scales, mins) = unpack_six_bits(&bytes[4..16]);
        Scales::<8>::read(&bytes[..4], scales, mins).decode::<32>(&codes, values)
    }

    fn bounds(values: &[f32; 256]) -> [f32; 256] {
        bounds::<32>(values, 15.0, 63.0)
    }
}

impl BlockFormat<256, 176> for Q5K {
    const INFO: Info = Info {
        id: "q5_k",
        version: 1,
        summary: "5-bit codes with searched 6-bit scales and minima for 32 weights, ggml's layout",
        source: "ggml, quantize_row_q5_K_ref",
        lossless: false,
    };
    // A quarter of the largest code: see Q2_K.
    const LARGEST_CODE: f64 = 8.0;

    #[inline]
    fn pack(values: &[f32; 256], bytes: &mut [u8; 176]) -> Rounding {
        guarded::<Self, _, _>(values, bytes, |bytes, search| {
            let candidates = Candidates { levels: (-0.5, 0.1), count: 16, absolute: false };
            let scales = six_bit_scales(values, 31.0, search.then_some(&candidates));
            bytes[..4].copy_from_slice(&scales.header());
            bytes[4..16].copy_from_slice(&pack_six_bits(&scales));
            let codes = scales.codes::<32>(values, 31.0);
            if let Some(planes) = bytes[16..].first_chunk_mut() {
                nibbles::pack_planes(&codes.map(|code| code >> 4), planes);
            }
            pack_nibbles(&codes, &mut bytes[48..]);
            scales.rounding(31.0)
        })
    }

    #[inline]
    fn unpack(bytes: &[u8; 176], values: &mut [f32; 256]) -> bool {
        let mut codes = unpack_nibbles(&bytes[48..]);
        if let Some(planes) = bytes[16..].first_chunk() {
            nibbles::add_planes(planes, 4, &mut codes);
        }
        let (scales, mins) = unpack_six_bits(&bytes[4..16]);
        Scales::<8>::read(&bytes[..4], scales, mins).decode::<32>(&codes, values)
    }

    fn bounds(values: &[f32; 256]) -> [f32; 256] {
        bounds::<32>(values, 31.0, 63.0)
    }
}

/// Two f16 and the integers that they scale, one pair for each of `L` runs.
struct Scales<const L: usize> {
    d: f16,
    dmin: f16,
    scales: [u8; L],
    mins: [u8; L],
    /// Largest scale and minimum of a run before rounding, and the largest integer.
    exact: (f32, f32),
    top: f32,
}

impl<const L: usize> Scales<L> {
    /// Rounds scales and minima, which `back` brings to the scale of the weights.
    #[inline]
    fn of((scales, mins): ([f32; L], [f32; L]), top: f32, back: f32) -> Self {
        let round = |values: [f32; L]| {
            let largest = values.iter().fold(0f32, |largest, &x| if x > largest { x } else { largest });
            let inverse = if largest > 0.0 { top / largest } else { 0.0 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 63")]
            let integers = values.map(|x| nearest_within(inverse * x, 0.0, top) as u8);
            (integers, largest)
        };
        let (scales, largest_scale) = round(scales);
        let (mins, largest_min) = round(mins.map(|min| -min));
        let half = |largest: f32| f16::from_f32(largest / top * back);
        Self { d: half(largest_scale), dmin: half(largest_min), scales, mins, exact: (largest_scale * back, largest_min * back), top }
    }

    #[inline]
    fn read(header: &[u8], scales: [u8; L], mins: [u8; L]) -> Self {
        let half = |at: usize| f16::from_le_bytes([header[at], header[at + 1]]);
        Self { d: half(0), dmin: half(2), scales, mins, exact: (0.0, 0.0), top: 0.0 }
    }

    #[inline]
    fn header(&self) -> [u8; 4] {
        let ([a, b], [c, d]) = (self.d.to_le_bytes(), self.dmin.to_le_bytes());
        [a, b, c, d]
    }

    /// What the f16s' rounding does to the coarsest run's step; a minimum moves a weight once, a step `levels` times.
    #[inline]
    fn rounding(&self, levels: f32) -> Rounding {
        let of = |exact: f32, half: f16, share: f32| Rounding::of(f64::from(exact / share), half.to_f32() * self.top / share);
        of(self.exact.0, self.d, 1.0).merge(of(self.exact.1, self.dmin, levels))
    }

    /// Nearest codes of runs of `S` weights; 0 where the run's step is 0.
    #[inline]
    fn codes<const S: usize>(&self, values: &[f32; 256], levels: f32) -> [u8; 256] {
        let (d, dmin) = (self.d.to_f32(), self.dmin.to_f32());
        let mut codes = [0; 256];
        let runs = codes.as_chunks_mut::<S>().0.iter_mut().zip(values.as_chunks::<S>().0);
        for ((codes, values), (&scale, &min)) in runs.zip(self.scales.iter().zip(&self.mins)) {
            let (step, min) = (d * f32::from(scale), dmin * f32::from(min));
            if step == 0.0 {
                continue;
            }
            for (code, x) in codes.iter_mut().zip(values) {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 31")]
                let nearest = nearest_within((x + min) / step, 0.0, levels) as u8;
                *code = nearest;
            }
        }
        codes
    }

    #[inline]
    fn decode<const S: usize>(&self, codes: &[u8; 256], values: &mut [f32; 256]) -> bool {
        let (d, dmin) = (self.d.to_f32(), self.dmin.to_f32());
        let runs = codes.as_chunks::<S>().0.iter().zip(values.as_chunks_mut::<S>().0);
        for ((codes, values), (&scale, &min)) in runs.zip(self.scales.iter().zip(&self.mins)) {
            let (step, min) = (d * f32::from(scale), dmin * f32::from(min));
            for (x, &code) in values.iter_mut().zip(codes) {
                *x = step * f32::from(code) - min;
            }
        }
        d.is_finite() && dmin.is_finite()
    }
}

/// Scales and minima of Q4_K and Q5_K: the search weighs an error by the weight's magnitude and its run's root mean square.
#[inline]
fn six_bit_scales(values: &[f32; 256], levels: f32, candidates: Option<&Candidates>) -> Scales<8> {
    let (factor, back) = fit::power_of_two(largest_magnitude(values));
    let x: Runs<8, 32> = fit::runs(values, factor);
    let mut squares = [0f32; 8];
    for x in &x {
        for (sum, x) in squares.iter_mut().zip(x) {
            *sum += x * x;
        }
    }
    let rms = squares.map(|sum| (sum / 32.0).sqrt());
    let weights = x.map(|x| std::array::from_fn(|k| rms[k] + x[k].abs()));
    Scales::of(fit::offset(&x, &weights, levels, candidates), 63.0, back)
}

#[inline]
fn pack_six_bits(Scales { scales: s, mins: m, .. }: &Scales<8>) -> [u8; 12] {
    let mut bytes = [0; 12];
    for k in 0..4 {
        bytes[k] = s[k] | s[k + 4] >> 4 << 6;
        bytes[k + 4] = m[k] | m[k + 4] >> 4 << 6;
        bytes[k + 8] = s[k + 4] & 15 | m[k + 4] << 4;
    }
    bytes
}

#[inline]
fn unpack_six_bits(bytes: &[u8]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut mins) = ([0; 8], [0; 8]);
    for k in 0..4 {
        (scales[k], scales[k + 4]) = (bytes[k] & 63, bytes[k + 8] & 15 | bytes[k] >> 6 << 4);
        (mins[k], mins[k + 4]) = (bytes[k + 4] & 63, bytes[k + 8] >> 4 | bytes[k + 4] >> 6 << 4);
    }
    (scales, mins)
}

#[inline]
fn pack_nibbles(codes: &[u8; 256], bytes: &mut [u8]) {
    for (codes, bytes) in codes.as_chunks::<64>().0.iter().zip(bytes.as_chunks_mut::<32>().0) {
        nibbles::pack(codes, bytes);
    }
}

#[inline]
fn unpack_nibbles(bytes: &[u8]) -> [u8; 256] {
    let mut codes = [0; 256];
    for (codes, bytes) in codes.as_chunks_mut::<64>().0.iter_mut().zip(bytes.as_chunks::<32>().0) {
        nibbles::unpack(bytes, codes);
    }
    codes
}

/// Two plain steps of the run, and what rounding scales and minima to integers and f16 may move a weight.
///
/// The plain scales, a run's range over `levels`, keep within half a step; that is what a block falls back to.
fn bounds<const S: usize>(values: &[f32; 256], levels: f32, top: f32) -> [f32; 256] {
    let range = |run: &[f32; S]| {
        let start = (run[0], run[0].min(0.0));
        run.iter().fold(start, |(high, low), &x| (x.max(high), x.min(low)))
    };
    let steps = values.as_chunks::<S>().0.iter().map(range).map(|(high, low)| (high - low) / levels);
    let largest_step = steps.clone().fold(0f32, f32::max);
    let largest_min = values.iter().fold(0f32, |m, x| m.max(-x));
    let error = |largest: f32| largest / (2.0 * top) + top * half_error(largest / top);
    let rounding = levels * error(largest_step) + error(largest_min);
    let mut bounds = [0.0; 256];
    for (bounds, step) in bounds.as_chunks_mut::<S>().0.iter_mut().zip(steps) {
        bounds.fill(2.0 * step + rounding);
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
        assert_golden("q4_k", "322eb5ce");
    }

    /// Nobody published these: they hold every machine to the same bytes.
    #[test]
    fn golden_bytes_do_not_change() {
        assert_golden("q2_k", "48542f5416eabd3b");
        assert_golden("q4_k", "322eb5cebff6919a");
        assert_golden("q5_k", "e5e19f9d6449e1f6");
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("q2_k", 0.297);
        assert_relative_error("q4_k", 0.0713);
        assert_relative_error("q5_k", 0.0361);
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        for spec in ["q2_k", "q4_k", "q5_k"] {
            assert_refuses(spec, &[1e-30, 1e-6, 1e10]);
        }
    }

    proptest! {
        #[test]
        fn six_bit_scales_round_trip(scales in prop::array::uniform8(0u8..64), mins in prop::array::uniform8(0u8..64)) {
            let packed = pack_six_bits(&Scales { d: f16::ONE, dmin: f16::ONE, scales, mins, exact: (0.0, 0.0), top: 0.0 });
            prop_assert_eq!(unpack_six_bits(&packed), (scales, mins));
        }
    }

    #[test]
    fn any_block_keeps_its_bounds() {
        assert_keeps_bounds::<Q2K, 256, 84>();
        assert_keeps_bounds::<Q4K, 256, 144>();
        assert_keeps_bounds::<Q5K, 256, 176>();
    }
}
