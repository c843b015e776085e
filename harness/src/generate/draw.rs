//! Random numbers of a tensor, each found by its place: a stream, a row, a position in it.
//!
//! Everything that decides a bit is an integer operation, or +, −, ×, ÷ and √, which IEEE 754 rounds the same everywhere, or the `libm` crate's
//! logarithm and exponential, which are made of those. The machine's own library is never asked.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::philox;

/// What numbers are for; each purpose has its own, so that a change to one leaves the others alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Properties of the tensor as a whole.
    Tensor = 0,
    /// Properties of columns.
    Columns = 1,
    /// Properties of a row.
    Row = 2,
    /// Cells of a row.
    Cells = 3,
    /// Coefficients of a row's low-rank part.
    Factors = 4,
    /// Outliers of a row.
    Outliers = 5,
}

/// The numbers of one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    key: [u64; 2],
}

impl Draw {
    /// Numbers that depend on seed, name and version only.
    pub fn new(version: u32, seed: u64, name: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"weighbridge generator\0");
        digest.update(version.to_le_bytes());
        digest.update(seed.to_le_bytes());
        digest.update(name.as_bytes());
        let bytes = digest.finalize();
        let word = |at: usize| bytes[at..at + 8].iter().rev().fold(0, |word, &byte| (word << 8) | u64::from(byte));
        Self { key: [word(0), word(8)] }
    }

    /// Four numbers.
    pub fn block(self, stream: Stream, row: usize, index: usize) -> [u64; 4] {
        philox::block([index as u64, row as u64, stream as u64, 0], self.key)
    }

    /// One number; four neighbours share a block.
    pub fn word(self, stream: Stream, row: usize, index: usize) -> u64 {
        self.block(stream, row, index / 4)[index % 4]
    }

    /// The numbers of a range of positions, in order.
    pub fn words(self, stream: Stream, row: usize, range: Range<usize>, mut take: impl FnMut(u64)) {
        let mut at = range.start;
        while at < range.end {
            let block = self.block(stream, row, at / 4);
            let end = range.end.min(at - at % 4 + 4);
            block[at % 4..][..end - at].iter().for_each(|&word| take(word));
            at = end;
        }
    }

    /// A standard normal number.
    pub fn normal(self, stream: Stream, row: usize, index: usize) -> f64 {
        f64::from(normal(high(self.word(stream, row, index))))
    }
}

/// The upper half of a number.
pub fn high(word: u64) -> u32 {
    u32::try_from(word >> 32).unwrap_or(u32::MAX)
}

/// A uniform number in the open interval (0, 1), from the upper 53 bits.
pub fn uniform(word: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let mantissa = (word >> 11) as f64;
    (mantissa + 0.5) / 9_007_199_254_740_992.0
}

/// A whole number below `bound`, by multiplication (Lemire 2019); its bias is below bound/2⁶⁴.
pub fn below(word: u64, bound: usize) -> usize {
    let product = u128::from(word) * bound as u128;
    usize::try_from(product >> 64).unwrap_or(0)
}

/// A number of the Poisson distribution, by inversion; for means far below 700, where exp(−mean) is no zero.
pub fn poisson(word: u64, mean: f64) -> usize {
    let target = uniform(word);
    let mut term = libm::exp(-mean);
    let (mut sum, mut count) = (term, 0usize);
    // Rounding may keep the sum below a target next to 1; by then the terms no longer change it.
    while target > sum && sum + term > sum {
        count += 1;
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let divisor = count as f64;
        term *= mean / divisor;
        sum += term;
    }
    count
}

/// A number of the exponential distribution with mean 1.
pub fn exponential(word: u64) -> f64 {
    -libm::log(uniform(word))
}

/// Where the central approximation ends: |u − ½| = 0.425, in units of 2⁻³².
const CENTRAL: u32 = 1_825_361_100;

/// A standard normal number: the inverse of its distribution at (bits + ½)/2³², by Wichura's PPND7 (algorithm AS 241, 1988).
///
/// Relative error below 2·10⁻⁷. The largest magnitude is 6.34, at both ends.
pub fn normal(bits: u32) -> f32 {
    let centred = (bits ^ (1 << 31)).cast_signed();
    if centred.unsigned_abs() <= CENTRAL { central(centred) } else { outer(centred) }
}

/// Standard normal numbers for many bits at once; the same values as [`normal`].
pub fn normals(bits: &[u32], out: &mut [f32]) {
    // Most need the central formula only, which the compiler vectorises; one in seven is put right after.
    for (out, &bits) in out.iter_mut().zip(bits) {
        *out = central((bits ^ (1 << 31)).cast_signed());
    }
    for (out, &bits) in out.iter_mut().zip(bits) {
        let centred = (bits ^ (1 << 31)).cast_signed();
        if centred.unsigned_abs() > CENTRAL {
            *out = outer(centred);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "the formula is good to 24 bits")]
fn central(centred: i32) -> f32 {
    let q = (centred as f32 + 0.5) * (1.0 / 4_294_967_296.0);
    let r = 0.180_625 - q * q;
    let numerator = ((59.109_375 * r + 159.291_13) * r + 50.434_27) * r + 3.387_132_7;
    let denominator = ((67.187_56 * r + 78.757_76) * r + 17.895_17) * r + 1.0;
    q * numerator / denominator
}

#[expect(clippy::cast_precision_loss, reason = "the formula is good to 24 bits")]
fn outer(centred: i32) -> f32 {
    // Distance from the nearer end, exact before it is rounded to f32.
    let from_end = (1u32 << 31) - if centred < 0 { centred.unsigned_abs() } else { centred.unsigned_abs() + 1 };
    let u = (from_end as f32 + 0.5) * (1.0 / 4_294_967_296.0);
    let r = (-libm::logf(u)).sqrt() - 1.6;
    let numerator = ((0.170_238_21 * r + 1.306_728_5) * r + 2.756_815_4) * r + 1.423_437_2;
    let denominator = (0.120_211_33 * r + 0.737_001_6) * r + 1.0;
    let value = numerator / denominator;
    if centred < 0 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_inverted() {
        // SciPy's `ndtri` at (bits + ½)/2³².
        let cases = [
            (2_576_980_377, 0.253_347_103_075_534_5),
            (3_865_470_566, 1.281_551_565_677_269_1),
            (4_080_218_931, 1.644_853_627_628_728_2),
            (4_252_017_622, 2.326_347_869_323_451_6),
            (4_290_672_328, 3.090_232_292_061_434),
            (4_294_962_996, 4.753_211_142_516_163),
            (4_294_967_200, 5.472_110_842_060_342),
        ];
        for (bits, expected) in cases {
            let found = f64::from(normal(bits));
            assert!((found / expected - 1.0).abs() < 5e-7, "{bits}: {found} is not {expected}");
            assert_eq!(normal(!bits), -normal(bits));
        }
        assert!((normal(0) + 6.337_957_6).abs() < 1e-5, "{}", normal(0));
    }

    #[test]
    fn many_at_once_are_the_same_and_never_decrease() {
        let bits: Vec<u32> = (0..1 << 16).map(|i| i << 16 | (i & 0xffff)).collect();
        let mut many = vec![0.0; bits.len()];
        normals(&bits, &mut many);
        assert!(bits.iter().zip(&many).all(|(&b, v)| normal(b).to_bits() == v.to_bits()));
        assert!(many.is_sorted());
    }

    #[test]
    fn numbers_are_found_by_their_place() {
        let draw = Draw::new(1, 7, "w");
        let mut all = Vec::new();
        draw.words(Stream::Cells, 3, 0..23, |w| all.push(w));
        let mut part = Vec::new();
        draw.words(Stream::Cells, 3, 5..18, |w| part.push(w));
        assert_eq!(part, all[5..18]);
        assert!((0..23).all(|i| draw.word(Stream::Cells, 3, i) == all[i]));
        for other in [Draw::new(2, 7, "w"), Draw::new(1, 8, "w"), Draw::new(1, 7, "v")] {
            assert_ne!(other.word(Stream::Cells, 3, 0), all[0]);
        }
        assert_ne!(draw.word(Stream::Cells, 4, 0), all[0]);
        assert_ne!(draw.word(Stream::Factors, 3, 0), all[0]);
    }

    #[test]
    fn distributions_have_their_means() {
        let draw = Draw::new(1, 1, "moments");
        let n = 40_000;
        let mean = |f: &dyn Fn(u64) -> f64| (0..n).map(|i| f(draw.word(Stream::Cells, 0, i))).sum::<f64>() / 40_000.0;
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let count = |n: usize| n as f64;
        for expected in [0.01, 0.7, 12.0] {
            let found = mean(&|w| count(poisson(w, expected)));
            assert!((found - expected).abs() < 5.0 * (expected / 40_000.0f64).sqrt(), "{found} is not {expected}");
        }
        assert!((mean(&exponential) - 1.0).abs() < 0.025 && (mean(&uniform) - 0.5).abs() < 0.008);
        assert!((mean(&|w| count(below(w, 11))) - 5.0).abs() < 0.08);
    }
}
