//! The dynamic 8-bit code (arXiv 1511.04561, as in arXiv 2110.02861) that double quantisation stores block scales in (QLoRA,
//! arXiv 2305.14314, section 3), with the arithmetic of bitsandbytes 0.50.2 on a CPU.
//!
//! The scales of a tensor lose their mean, the offset. What is left is cut into groups of [`GROUP`], each divided by its largest
//! magnitude (the group's scale) and stored as the index of a nearby value of [`map`]. Layout: one byte a block, one f32 a group, one f32 offset.
//!
//! bitsandbytes finds the value through a table of 65,536 equal bins over −1 to 1, so 'nearby' is nearest to the bin's centre rather than to
//! the number itself; its bins are reproduced here. Its mean is summed in f32, in an order that depends on the processor; the offset here is
//! the mean in f64, rounded, which differs from it by at most the last bits.

use std::sync::LazyLock;

/// Blocks that share a scale.
pub const GROUP: usize = 256;
/// Largest distance of a number in −1 to 1 from the value it is stored as, over a group's scale: half the widest gap, half a bin, rounding.
pub const WORST: f32 = 0.0071;
/// Number of the last bin.
const LAST_BIN: f32 = 65_535.0;

/// Scales in the dynamic code.
#[derive(Debug, Clone, PartialEq)]
pub struct Nested {
    /// Index of a value of [`map`] for each block.
    pub codes: Vec<u8>,
    /// Largest magnitude of each group.
    pub scales: Vec<f32>,
    /// Mean of the scales.
    pub offset: f32,
}

/// The 256 values, ascending: 0, 1, and for each of seven decades up to 1 with 2⁰ to 2⁶ equal steps the centres of the steps and their
/// negatives. f32 as torch computes them: the edges with one rounding each, the centre and its decade's multiple with one more.
pub fn map() -> &'static [f32; 256] {
    static MAP: LazyLock<[f32; 256]> = LazyLock::new(|| {
        let mut values = vec![0.0, 1.0];
        for (steps, decade) in [1, 2, 4, 8, 16, 32, 64].into_iter().zip([1e-6f32, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]) {
            for i in 0..steps {
                let centre = f32::midpoint(edge(i, steps), edge(i + 1, steps)) * decade;
                values.extend([centre, -centre]);
            }
        }
        values.sort_by(f32::total_cmp);
        std::array::from_fn(|i| values[i])
    });
    &MAP
}

/// The i-th of the edges of equal steps from 0.1 to 1, counted from the nearer end.
fn edge(i: u16, steps: u16) -> f32 {
    let (start, end) = (0.1f32, 1f32);
    let step = f64::from((end - start) / f32::from(steps));
    let exact = if i < steps.div_ceil(2) { f64::from(start) + step * f64::from(i) } else { f64::from(end) - step * f64::from(steps - i) };
    #[expect(clippy::cast_possible_truncation, reason = "rounded to f32")]
    let edge = exact as f32;
    edge
}

/// Index of the value for a number in −1 to 1.
fn code(number: f32) -> u8 {
    let bin = ((number + 1.0) * 0.5 * LAST_BIN + 0.5).trunc();
    let centre = -1.0 + 2.0 * bin / LAST_BIN;
    let map = map();
    // The number of midpoints below the bin's centre.
    let (mut low, mut high) = (0u8, 255u8);
    while low < high {
        let middle = low.midpoint(high);
        let between = 0.5 * (map[usize::from(middle)] + map[usize::from(middle) + 1]);
        if between < centre { low = middle + 1 } else { high = middle }
    }
    low
}

/// Packs scales.
pub fn pack(scales: &[f32]) -> Nested {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a mean of f32 fits an f32; counts are below 2^53")]
    let offset = (scales.iter().copied().map(f64::from).sum::<f64>() / scales.len().max(1) as f64) as f32;
    let mut nested = Nested { codes: Vec::with_capacity(scales.len()), scales: Vec::with_capacity(scales.len().div_ceil(GROUP)), offset };
    for group in scales.chunks(GROUP) {
        let largest = group.iter().fold(0f32, |largest, scale| largest.max((scale - offset).abs()));
        nested.scales.push(largest);
        nested.codes.extend(group.iter().map(|scale| if largest == 0.0 { 0 } else { code(ratio(scale - offset, largest)) }));
    }
    nested
}

/// A number over the largest, by a reciprocal as bitsandbytes does, except where that is not finite.
fn ratio(number: f32, largest: f32) -> f32 {
    let inverse = 1.0 / largest;
    (if inverse.is_finite() { number * inverse } else { number / largest }).clamp(-1.0, 1.0)
}

/// Unpacks scales; `None` where a scale or the offset is not finite.
pub fn unpack(codes: &[u8], scales: &[f32], offset: f32) -> Option<Vec<f32>> {
    if !offset.is_finite() || scales.iter().any(|scale| !scale.is_finite()) {
        return None;
    }
    let map = map();
    let groups = codes.chunks(GROUP).zip(scales);
    // A sum close to the largest f32 may round beyond it.
    let scale = |code: &u8, scale: f32| (map[usize::from(*code)] * scale + offset).clamp(f32::MIN, f32::MAX);
    Some(groups.flat_map(|(codes, &group)| codes.iter().map(move |code| scale(code, group))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::sha256_prefix;
    use crate::sample;

    #[test]
    fn the_map_is_that_of_bitsandbytes() {
        assert_eq!(sha256_prefix(bytemuck::cast_slice(map())), "e732639a65f497b4");
        assert!(map().is_sorted());
    }

    #[test]
    fn codes_are_within_the_documented_distance() {
        let mut worst = 0f32;
        for i in 0..=40_000u16 {
            let number = f32::from(i) / 20_000.0 - 1.0;
            worst = worst.max((map()[usize::from(code(number))] - number).abs());
        }
        assert!(worst <= WORST && worst > 0.99 * 0.007_031_25, "{worst}");
    }

    #[test]
    fn scales_come_back_within_the_promise() {
        for factor in [1e-42, 1e-38, 1e-30, 1.0, 1e36] {
            let scales: Vec<f32> = sample::gaussian(1000, 1.0, 3).into_iter().map(|x| (x.abs() + 0.1) * factor).collect();
            let nested = pack(&scales);
            let unpacked = unpack(&nested.codes, &nested.scales, nested.offset).unwrap();
            for ((group, decoded), &largest) in scales.chunks(GROUP).zip(unpacked.chunks(GROUP)).zip(&nested.scales) {
                assert!(group.iter().zip(decoded).all(|(a, b)| (a - b).abs() <= WORST * largest + a * 1e-6 + 1e-44), "{factor}");
            }
        }
    }

    #[test]
    fn equal_scales_and_the_largest_ones_are_exact_or_finite() {
        for scales in [vec![0.0; 3], vec![0.25; 300], vec![f32::MAX; 2]] {
            let nested = pack(&scales);
            assert_eq!(unpack(&nested.codes, &nested.scales, nested.offset).unwrap(), scales);
        }
        let nested = pack(&[f32::MAX, f32::MAX / 3.0, f32::MAX.next_down()]);
        assert!(unpack(&nested.codes, &nested.scales, nested.offset).unwrap().iter().all(|scale| scale.is_finite()));
        assert_eq!(unpack(&[0], &[f32::NAN], 0.0), None);
        assert_eq!(unpack(&[0], &[1.0], f32::INFINITY), None);
    }
}
