//! ggml's IQ4_NL (ggml-quants.c, `quantize_row_iq4_nl_impl` with seven candidates a side): 32 weights in 18 bytes, 4.5 bits a weight.
//!
//! Codes stand for the 16 values of `VALUES`, denser near zero, times a signed step d; the nearest is taken, of two the larger. A search
//! weighted by w² picks d: for i = −7 to 7 the weight of largest magnitude is put at i − 127, codes follow, and least squares give d. Codes
//! are then the nearest under d before it is rounded. A block is d as f16, then 16 bytes of codes as [`nibbles`] says.
//!
//! Sums run in eight lanes, so bytes may differ from ggml's where two candidates are equally good. A block that the search leaves with a
//! weight off by more than its promise is encoded without: see `fit::guarded`.

use super::blocks::BlockFormat;
use super::fit::{self, guarded, half_error};
use super::nibbles;
use super::scale::{Rounding, largest_magnitude, reciprocal};
use crate::kernel::Info;

/// What codes stand for, in steps.
const VALUES: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// The IQ4_NL format.
pub struct Iq4Nl;

impl BlockFormat<32, 18> for Iq4Nl {
    const INFO: Info = Info {
        id: "iq4_nl",
        version: 1,
        summary: "4-bit codes of uneven levels with a searched f16 scale for 32 weights, ggml's layout",
        source: "ggml, quantize_row_iq4_nl_impl",
        lossless: false,
    };
    // 127 in units of 16, the mean distance of levels.
    const LARGEST_CODE: f64 = 8.0;

    #[inline]
    fn pack(values: &[f32; 32], bytes: &mut [u8; 18]) -> Rounding {
        guarded::<Self, _, _>(values, bytes, |bytes, search| {
            let (factor, back) = fit::power_of_two(largest_magnitude(values));
            let x = values.map(|x| x * factor);
            let largest = x.iter().fold(0f32, |largest, &x| if x.abs() > largest.abs() { x } else { largest });
            let step = if search { searched_step(&x, largest) } else { largest / f32::from(VALUES[0]) };
            let inverse = reciprocal(step);
            let codes = x.map(|x| code(x * inverse));
            let (half, stored) = fit::half(step * back);
            bytes[..2].copy_from_slice(&half.to_le_bytes());
            nibbles::pack(&codes, &mut bytes[2..]);
            // Levels are 16 steps apart.
            Rounding::of(f64::from(step * back) * 16.0, stored * 16.0)
        })
    }

    #[inline]
    fn unpack(bytes: &[u8; 18], values: &mut [f32; 32]) -> bool {
        let step = half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
        let mut codes = [0; 32];
        nibbles::unpack(&bytes[2..], &mut codes);
        let levels = VALUES.map(|value| f32::from(value) * step);
        for (x, code) in values.iter_mut().zip(codes) {
            *x = levels[usize::from(code & 15)];
        }
        step.is_finite()
    }

    /// Twice what is lost at the plain step: at most 14 steps, from 113 to 127 on the side away from the largest weight.
    fn bounds(values: &[f32; 32]) -> [f32; 32] {
        let step = largest_magnitude(values) / 127.0;
        [28.0 * step + 127.0 * half_error(step); 32]
    }
}

/// Midpoints between neighbouring values.
const MIDDLES: [f32; 15] = {
    let mut middles = [0.0; 15];
    let mut i = 0;
    while i < 15 {
        middles[i] = (VALUES[i] as f32 + VALUES[i + 1] as f32) / 2.0;
        i += 1;
    }
    middles
};

/// Code of the value nearest to x.
#[inline]
fn code(x: f32) -> u8 {
    MIDDLES.iter().map(|&middle| u8::from(x >= middle)).sum()
}

/// The value nearest to x, without a table so that it vectorises.
#[inline]
fn nearest(x: f32) -> f32 {
    let mut value = f32::from(VALUES[0]);
    for (middle, pair) in MIDDLES.iter().zip(VALUES.windows(2)) {
        value = if x >= *middle { f32::from(pair[1]) } else { value };
    }
    value
}

/// The step of the best candidate; 0 where all weights are 0.
#[inline]
fn searched_step(x: &[f32; 32], largest: f32) -> f32 {
    if largest == 0.0 {
        return 0.0;
    }
    let sums = |inverse: f32| {
        let (mut sum_xq, mut sum_qq) = ([0f32; 8], [0f32; 8]);
        for x in x.as_chunks::<8>().0 {
            for k in 0..8 {
                let (w, q) = (x[k] * x[k], nearest(x[k] * inverse));
                sum_xq[k] += w * q * x[k];
                sum_qq[k] += w * q * q;
            }
        }
        (sum_xq.iter().sum::<f32>(), sum_qq.iter().sum::<f32>())
    };
    let first = f32::from(VALUES[0]);
    // The first candidate is mirrored: the largest weight stands beyond the last value.
    let (sum_xq, sum_qq) = sums(-first / largest);
    let mut step = sum_xq / sum_qq;
    let mut best = step * sum_xq;
    for candidate in -7i8..=7 {
        let (sum_xq, sum_qq) = sums((f32::from(candidate) + first) / largest);
        if sum_qq > 0.0 && sum_xq * sum_xq > best * sum_qq {
            step = sum_xq / sum_qq;
            best = step * sum_xq;
        }
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_golden, assert_keeps_bounds, assert_refuses, assert_relative_error};
    use proptest::prelude::*;

    /// Nobody published these: they hold every machine to the same bytes.
    #[test]
    fn golden_bytes_do_not_change() {
        assert_golden("iq4_nl", "13e99ff50c36af2f");
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("iq4_nl", 0.0761);
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        assert_refuses("iq4_nl", &[1e-30, 1e-6, 1e9]);
    }

    #[test]
    fn any_block_keeps_its_bounds() {
        assert_keeps_bounds::<Iq4Nl, 32, 18>();
    }

    proptest! {
        #[test]
        fn codes_are_the_nearest_values(x in -150f32..150.0) {
            let distance = |value: i8| (f32::from(value) - x).abs();
            let least = VALUES.into_iter().map(distance).fold(f32::INFINITY, f32::min);
            prop_assert_eq!(distance(VALUES[usize::from(code(x))]), least);
            prop_assert_eq!(nearest(x), f32::from(VALUES[usize::from(code(x))]));
        }
    }
}
