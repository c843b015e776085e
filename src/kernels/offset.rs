//! ggml's Q4_1 and Q5_1 (ggml-quants.c, `quantize_row_q4_1_ref`, `quantize_row_q5_1_ref`): codes over a block's range, from its minimum.
//!
//! With n = 15 or 31 levels above the minimum m: step d = (max − m) / n, code = ⌊(w − m) · (1/d) + 0.5⌋, decoded code · d + m.
//!
//! | format | block of 32 | bits a weight |
//! |---|---|---|
//! | `q4_1` | d and m as f16, 16 bytes of codes | 5 |
//! | `q5_1` | d and m as f16, four bytes of fifth bits, 16 bytes of low halves | 6 |
//!
//! Codes lie as [`nibbles`] says.

use half::f16;

use super::blocks::BlockFormat;
use super::nibbles;
use super::scale::{Rounding, floor, larger, reciprocal, through_f16};
use crate::kernel::Info;

/// The Q4_1 format.
pub struct Q4_1;

/// The Q5_1 format.
pub struct Q5_1;

impl BlockFormat<32, 20> for Q4_1 {
    const INFO: Info = Info {
        id: "q4_1",
        version: 1,
        summary: "4-bit codes with an f16 scale and minimum for 32 weights, ggml's bytes",
        source: "ggml, quantize_row_q4_1_ref",
        lossless: false,
    };
    const LARGEST_CODE: f64 = 15.0;

    #[inline]
    fn pack(values: &[f32; 32], bytes: &mut [u8; 20]) -> Rounding {
        let range = Range::of(values);
        let codes = range.codes::<15>(values);
        let (header, low) = bytes.split_at_mut(4);
        header.copy_from_slice(&range.header::<15>());
        nibbles::pack(&codes, low);
        range.rounding::<15>()
    }

    #[inline]
    fn unpack(bytes: &[u8; 20], values: &mut [f32; 32]) -> bool {
        let (header, low) = bytes.split_at(4);
        let mut codes = [0; 32];
        nibbles::unpack(low, &mut codes);
        decode(header, &codes, values)
    }

    fn bounds(values: &[f32; 32]) -> [f32; 32] {
        [Range::of(values).bound::<15>(); 32]
    }
}

impl BlockFormat<32, 24> for Q5_1 {
    const INFO: Info = Info {
        id: "q5_1",
        version: 1,
        summary: "5-bit codes with an f16 scale and minimum for 32 weights, ggml's bytes",
        source: "ggml, quantize_row_q5_1_ref",
        lossless: false,
    };
    const LARGEST_CODE: f64 = 31.0;

    #[inline]
    fn pack(values: &[f32; 32], bytes: &mut [u8; 24]) -> Rounding {
        let range = Range::of(values);
        let codes = range.codes::<31>(values);
        bytes[..4].copy_from_slice(&range.header::<31>());
        bytes[4..8].copy_from_slice(&nibbles::fifth_bits(&codes));
        nibbles::pack(&codes, &mut bytes[8..]);
        range.rounding::<31>()
    }

    #[inline]
    fn unpack(bytes: &[u8; 24], values: &mut [f32; 32]) -> bool {
        let mut codes = [0; 32];
        nibbles::unpack(&bytes[8..], &mut codes);
        nibbles::add_fifth_bits([bytes[4], bytes[5], bytes[6], bytes[7]], &mut codes);
        decode(&bytes[..4], &codes, values)
    }

    fn bounds(values: &[f32; 32]) -> [f32; 32] {
        [Range::of(values).bound::<31>(); 32]
    }
}

/// Smallest and largest weight of a block.
struct Range {
    min: f32,
    max: f32,
}

impl Range {
    #[inline]
    fn of(values: &[f32; 32]) -> Self {
        let (mut highs, mut lows) = ([f32::MIN; 8], [f32::MIN; 8]);
        for group in values.as_chunks::<8>().0 {
            for ((high, low), &x) in highs.iter_mut().zip(&mut lows).zip(group) {
                *high = larger(x, *high);
                *low = larger(-x, *low);
            }
        }
        Self { min: -super::scale::largest_lane(lows), max: super::scale::largest_lane(highs) }
    }

    /// Step of N levels; infinite where the range overflows.
    #[inline]
    fn step<const N: u8>(&self) -> f32 {
        (self.max - self.min) / f32::from(N)
    }

    #[inline]
    fn codes<const N: u8>(&self, values: &[f32; 32]) -> [u8; 32] {
        let inverse = reciprocal(self.step::<N>());
        values.map(|x| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 31")]
            let code = floor((x - self.min) * inverse + 0.5).min(i32::from(N)) as u8;
            code
        })
    }

    #[inline]
    fn header<const N: u8>(&self) -> [u8; 4] {
        let ([a, b], [c, d]) = (f16::from_f32(self.step::<N>()).to_le_bytes(), f16::from_f32(self.min).to_le_bytes());
        [a, b, c, d]
    }

    /// The step's rounding, and the minimum's, which moves a weight once where the step's moves it N times.
    #[inline]
    fn rounding<const N: u8>(&self) -> Rounding {
        let levels = f64::from(N);
        let step = Rounding::of((f64::from(self.max) - f64::from(self.min)) / levels, through_f16(self.step::<N>()));
        step.merge(Rounding::of(f64::from(self.min) / levels, through_f16(self.min) / f32::from(N)))
    }

    /// Half a step, and what the roundings move the largest code.
    fn bound<const N: u8>(&self) -> f32 {
        let step = self.step::<N>();
        step / 2.0 + f32::from(N) * (through_f16(step) - step).abs() + (through_f16(self.min) - self.min).abs()
    }
}

#[inline]
fn decode(header: &[u8], codes: &[u8; 32], values: &mut [f32; 32]) -> bool {
    let half = |at: usize| f16::from_le_bytes([header[at], header[at + 1]]).to_f32();
    let (step, min) = (half(0), half(2));
    for (x, &code) in values.iter_mut().zip(codes) {
        *x = f32::from(code) * step + min;
    }
    step.is_finite() && min.is_finite()
}

#[cfg(test)]
mod tests {
    use crate::kernels::testing::{assert_golden, assert_refuses, assert_relative_error};

    #[test]
    fn golden_bytes_are_those_of_ggml() {
        assert_golden("q4_1", "05536ef670fb03b3");
        assert_golden("q5_1", "947fd68084aabcd6");
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("q4_1", 0.0782);
        assert_relative_error("q5_1", 0.0379);
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        for spec in ["q4_1", "q5_1"] {
            assert_refuses(spec, &[1e-30, 1e-6, 1e8]);
        }
    }
}
