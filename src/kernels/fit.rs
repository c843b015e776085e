//! What ggml's k-quants and IQ4_NL share (ggml-quants.c, `make_qkx2_quants`, `make_qx_quants`, `make_q3_quants`): searches for the scale of
//! a run of weights by least squares over a few candidates.
//!
//! The runs of a block are searched side by side, one in each lane of `L`, and each sum runs over a run's weights in their order. So the
//! arithmetic is ggml's, compiled without fused multiply-adds, whatever the width of the processor's vectors.
//!
//! Two things differ from ggml. Blocks are first multiplied by a power of two that brings their largest magnitude to 1–2: the same bits at
//! ordinary scales, and no square under- or overflows at others. And a search optimises a sum over the run, so on odd runs it can leave
//! single weights far off; a block with a weight beyond the format's promise is encoded with plain scales instead, see [`guarded`].

use half::f16;

use super::blocks::BlockFormat;
use super::scale::{Rounding, larger};

/// Runs with a magnitude below this share of their block's largest are zeros.
const NOTHING: f32 = 1e-15;

/// Runs of `S` weights in lanes: weight i of run k is `[i][k]`.
pub type Runs<const L: usize, const S: usize> = [[f32; L]; S];

/// A power of two that brings `largest` to 1–2, and the one that brings it back; 1 and 1 for zero.
#[inline]
pub fn power_of_two(largest: f32) -> (f32, f32) {
    if largest == 0.0 {
        return (1.0, 1.0);
    }
    // From the exponent bits, kept where both powers are normal.
    let exponent = (largest.to_bits() >> 23).clamp(1, 253);
    (f32::from_bits((254 - exponent) << 23), f32::from_bits(exponent << 23))
}

/// A block times `factor`, run by run into lanes.
#[inline]
pub fn runs<const L: usize, const S: usize>(values: &[f32; 256], factor: f32) -> Runs<L, S> {
    const { assert!(L * S == 256) }
    std::array::from_fn(|i| std::array::from_fn(|k| values[k * S + i] * factor))
}

/// The nearest integer within `low` to `high`, ties to even; a NaN gives `low`.
#[inline]
pub fn nearest_within(x: f32, low: f32, high: f32) -> f32 {
    // As in `scale`: beyond 1.5 · 2²³ a unit in the last place is 1.
    const SHIFT: f32 = 12_582_912.0;
    let x = larger(x, low);
    let x = if x < high { x } else { high };
    (x + SHIFT) - SHIFT
}

/// Candidates of a search for scale and minimum.
pub struct Candidates {
    /// Levels that the first candidate adds to those of the format, and that each later one adds to the one before.
    pub levels: (f32, f32),
    /// Number of candidates.
    pub count: u8,
    /// Whether magnitudes of errors are summed, rather than squares.
    pub absolute: bool,
}

/// Scales and minima, w ≈ scale · code + minimum with codes 0 to `top` and minima at most 0. Without candidates the plain range.
#[inline]
pub fn offset<const L: usize, const S: usize>(
    x: &Runs<L, S>,
    weights: &Runs<L, S>,
    top: f32,
    candidates: Option<&Candidates>,
) -> ([f32; L], [f32; L]) {
    let (mut min, mut max) = (x[0], x[0]);
    let (mut sum_w, mut sum_x) = ([0f32; L], [0f32; L]);
    for (x, w) in x.iter().zip(weights) {
        for k in 0..L {
            min[k] = if x[k] < min[k] { x[k] } else { min[k] };
            max[k] = larger(x[k], max[k]);
            sum_w[k] += w[k];
            sum_x[k] += w[k] * x[k];
        }
    }
    let min0 = min.map(|min| if min > 0.0 { 0.0 } else { min });
    let mut min = min0;
    let mut scale: [f32; L] = std::array::from_fn(|k| 1.0 / (top / (max[k] - min[k])));
    let absolute = candidates.is_some_and(|c| c.absolute);
    let error = |codes: &Runs<L, S>, scale: &[f32; L], min: &[f32; L]| {
        let mut sum = [0f32; L];
        for ((codes, x), w) in codes.iter().zip(x).zip(weights) {
            for k in 0..L {
                let off = scale[k] * codes[k] + min[k] - x[k];
                sum[k] += w[k] * if absolute { off.abs() } else { off * off };
            }
        }
        sum
    };

    let mut codes = [[0f32; L]; S];
    for (codes, x) in codes.iter_mut().zip(x) {
        for k in 0..L {
            codes[k] = nearest_within(top / (max[k] - min[k]) * (x[k] - min[k]), 0.0, top);
        }
    }
    let mut best = error(&codes, &scale, &min);
    for candidate in 0..candidates.map_or(0, |c| c.count) {
        let levels = candidates.map_or(0.0, |c| c.levels.0 + c.levels.1 * f32::from(candidate)) + top;
        let inverse: [f32; L] = std::array::from_fn(|k| levels / (max[k] - min[k]));
        let (mut sum_l, mut sum_ll, mut sum_xl) = ([0f32; L], [0f32; L], [0f32; L]);
        for ((codes, x), w) in codes.iter_mut().zip(x).zip(weights) {
            for k in 0..L {
                codes[k] = nearest_within(inverse[k] * (x[k] - min[k]), 0.0, top);
                let weighted = w[k] * codes[k];
                sum_l[k] += weighted;
                sum_ll[k] += weighted * codes[k];
                sum_xl[k] += weighted * x[k];
            }
        }
        let (mut new_scale, mut new_min, mut determinant) = ([0f32; L], [0f32; L], [0f32; L]);
        for k in 0..L {
            determinant[k] = sum_w[k] * sum_ll[k] - sum_l[k] * sum_l[k];
            new_scale[k] = (sum_w[k] * sum_xl[k] - sum_x[k] * sum_l[k]) / determinant[k];
            new_min[k] = (sum_ll[k] * sum_x[k] - sum_l[k] * sum_xl[k]) / determinant[k];
            if new_min[k] > 0.0 {
                (new_min[k], new_scale[k]) = (0.0, sum_xl[k] / sum_ll[k]);
            }
        }
        let new_error = error(&codes, &new_scale, &new_min);
        for k in 0..L {
            if determinant[k] > 0.0 && new_error[k] < best[k] {
                (best[k], scale[k], min[k]) = (new_error[k], new_scale[k], new_min[k]);
            }
        }
    }
    for k in 0..L {
        if max[k] == min0[k] {
            (scale[k], min[k]) = (0.0, min0[k]);
        }
    }
    (scale, min)
}

/// The weight of largest magnitude of each run with its sign, the first of several; 0 for [`NOTHING`].
#[inline]
fn largest<const L: usize, const S: usize>(x: &Runs<L, S>) -> [f32; L] {
    let mut largest = [0f32; L];
    for x in x {
        for k in 0..L {
            largest[k] = if x[k].abs() > largest[k].abs() { x[k] } else { largest[k] };
        }
    }
    largest.map(|x| if x.abs() < NOTHING { 0.0 } else { x })
}

/// Scales, w ≈ scale · code with codes −`top` to `top` − 1, weighted by w². Without a search the largest weight has the code −`top`.
#[inline]
pub fn signed<const L: usize, const S: usize>(x: &Runs<L, S>, top: f32, search: bool) -> [f32; L] {
    let largest = largest(x);
    let plain: [f32; L] = std::array::from_fn(|k| if largest[k] == 0.0 { 0.0 } else { 1.0 / (-top / largest[k]) });
    if !search {
        return plain;
    }
    let sums = |levels: f32| {
        let (mut sum_xl, mut sum_ll) = ([0f32; L], [0f32; L]);
        let inverse = largest.map(|largest| -levels / largest);
        for x in x {
            for k in 0..L {
                let code = nearest_within(inverse[k] * x[k], -top, top - 1.0);
                let w = x[k] * x[k];
                sum_xl[k] += w * x[k] * code;
                sum_ll[k] += w * code * code;
            }
        }
        (sum_xl, sum_ll)
    };
    let (sum_xl, sum_ll) = sums(top);
    let mut scale: [f32; L] = std::array::from_fn(|k| if sum_ll[k] == 0.0 { 0.0 } else { sum_xl[k] / sum_ll[k] });
    let mut best: [f32; L] = std::array::from_fn(|k| scale[k] * sum_xl[k]);
    for candidate in (-9i8..=9).filter(|&c| c != 0) {
        let (sum_xl, sum_ll) = sums(top + 0.1 * f32::from(candidate));
        for k in 0..L {
            if sum_ll[k] > 0.0 && sum_xl[k] * sum_xl[k] > best[k] * sum_ll[k] {
                scale[k] = sum_xl[k] / sum_ll[k];
                best[k] = scale[k] * sum_xl[k];
            }
        }
    }
    std::array::from_fn(|k| if largest[k] == 0.0 { 0.0 } else { scale[k] })
}

/// As [`signed`], by changing one code at a time for the better instead of trying scales: five passes at most.
#[inline]
pub fn signed_by_descent<const L: usize, const S: usize>(x: &Runs<L, S>, top: f32) -> [f32; L] {
    let largest = largest(x);
    let mut codes = [[0f32; L]; S];
    let (mut sum_xl, mut sum_ll) = ([0f32; L], [0f32; L]);
    for (codes, x) in codes.iter_mut().zip(x) {
        for k in 0..L {
            codes[k] = nearest_within(-top / largest[k] * x[k], -top, top - 1.0);
            let w = x[k] * x[k];
            sum_xl[k] += w * x[k] * codes[k];
            sum_ll[k] += w * codes[k] * codes[k];
        }
    }
    // A pass that changes nothing in a lane changes nothing in it later, so all lanes may take all passes.
    for _ in 0..5 {
        for (codes, x) in codes.iter_mut().zip(x) {
            for k in 0..L {
                let w = x[k] * x[k];
                let (rest_xl, rest_ll) = (sum_xl[k] - w * x[k] * codes[k], sum_ll[k] - w * codes[k] * codes[k]);
                let code = nearest_within(x[k] * rest_ll / rest_xl, -top, top - 1.0);
                let (new_xl, new_ll) = (rest_xl + w * x[k] * code, rest_ll + w * code * code);
                let better = new_ll > 0.0 && new_xl * new_xl * sum_ll[k] > sum_xl[k] * sum_xl[k] * new_ll;
                if rest_xl > 0.0 && code != codes[k] && better {
                    (codes[k], sum_xl[k], sum_ll[k]) = (code, new_xl, new_ll);
                }
            }
        }
    }
    std::array::from_fn(|k| if largest[k] == 0.0 || sum_ll[k] <= 0.0 { 0.0 } else { sum_xl[k] / sum_ll[k] })
}

/// Encodes with the search and, where the block then breaks its format's bounds, without.
#[inline]
pub fn guarded<F: BlockFormat<N, B>, const N: usize, const B: usize>(
    values: &[f32; N],
    bytes: &mut [u8; B],
    encode: impl Fn(&mut [u8; B], bool) -> Rounding,
) -> Rounding {
    let rounding = encode(bytes, true);
    let mut decoded = [0.0; N];
    F::unpack(bytes, &mut decoded);
    let kept = decoded.iter().zip(values).zip(F::bounds(values)).all(|((y, x), bound)| (y - x).abs() <= bound);
    if kept { rounding } else { encode(bytes, false) }
}

/// The most that rounding a value of at most this magnitude to f16 changes it: 2⁻¹¹ of it, or half of the smallest subnormal.
pub fn half_error(magnitude: f32) -> f32 {
    (magnitude / 2048.0).max(2f32.powi(-25))
}

/// The f16 of a value, and the value that it stands for.
#[inline]
pub fn half(value: f32) -> (f16, f32) {
    let half = f16::from_f32(value);
    (half, half.to_f32())
}
