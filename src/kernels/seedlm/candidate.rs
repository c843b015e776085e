//! What one seed makes of a block: coefficients, exponent and error, in the one order of floating-point operations that decides.
//!
//! Searches differ in the seeds they look at, never in how they judge one, so they agree bit for bit. Plain f64 multiplications and
//! additions only: a fused one would round differently where a processor has it.

use super::basis::Matrix;
use super::lfsr::UNIT;

/// Exponents that a block can store.
pub const EXPONENTS: i32 = 16;

/// The best found for a block so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate<const P: usize> {
    /// ‖w − U·q·2ᵉ‖².
    pub error: f64,
    /// Offset of the basis into the cycle.
    pub offset: u16,
    /// Exponent e.
    pub exponent: i32,
    /// Coefficients q, −8 to 7.
    pub coefficients: [i8; P],
}

impl<const P: usize> Candidate<P> {
    /// Zero coefficients, which every search starts from: no block ends with an error above its own norm.
    #[inline(always)]
    pub fn zero<const C: usize>(block: &[f64; C], lowest: i32) -> Self {
        Self { error: energy(block), offset: 0, exponent: lowest, coefficients: [0; P] }
    }

    /// Takes the other one if its error is smaller, or equal at a lower offset.
    #[inline(always)]
    pub fn improve(&mut self, other: Self) {
        if other.error < self.error || (other.error == self.error && other.offset < self.offset) {
            *self = other;
        }
    }
}

/// 2ᵉ for |e| ≤ 1022.
#[inline(always)]
pub fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(u64::from((exponent.clamp(-1022, 1023) + 1023).unsigned_abs()) << 52)
}

/// ⌈log₂ x⌉ of a positive normal x, from its bits as `frexp` would; some very low number for 0.
#[inline(always)]
pub fn ceil_log2(x: f64) -> i32 {
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i32 - 1023;
    exponent + i32::from(bits << 12 != 0)
}

/// Sum of squares in four lanes, the order of [`evaluate`]'s errors.
#[inline(always)]
pub fn energy<const C: usize>(block: &[f64; C]) -> f64 {
    let mut lanes = [0.0; 4];
    for (c, x) in block.iter().enumerate() {
        lanes[c % 4] += x * x;
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
}

/// The nearest integer, ties to even, within −8 to 7.
#[inline(always)]
fn round(x: f64) -> i32 {
    /// 1.5 · 2⁵²: adding it leaves the rounded integer in the low bits.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    let x = if x < -8.0 { -8.0 } else { x };
    let x = if x > 7.0 { 7.0 } else { x };
    #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits hold the integer")]
    let whole = (x + SHIFT).to_bits() as i32;
    whole
}

/// The candidate that the basis at `offset` gives: t = U⁺w, e = ⌈log₂(max|t| / 7.5)⌉ within the sixteen exponents from `lowest`, q = t / 2ᵉ
/// rounded. `states` are those of the cycle from `offset` on, `inverse` is U⁺ transposed.
#[inline(always)]
pub fn evaluate<const C: usize, const P: usize>(
    inverse: &Matrix<C, P>,
    states: &[i16],
    block: &[f64; C],
    offset: u16,
    lowest: i32,
) -> Candidate<P> {
    let mut t = [0.0; P];
    for (row, w) in inverse.iter().zip(block) {
        for (t, x) in t.iter_mut().zip(row) {
            *t += x * w;
        }
    }
    let largest = t.iter().fold(0.0, |m: f64, t| if t.abs() > m { t.abs() } else { m });
    let exponent = ceil_log2(largest / 7.5).clamp(lowest, lowest + EXPONENTS - 1);
    let scale = power_of_two(-exponent);
    let q: [i32; P] = std::array::from_fn(|p| round(t[p] * scale));
    let unit = power_of_two(exponent) / UNIT;
    let mut lanes = [0.0; 4];
    for (c, (states, w)) in states[..C * P].chunks_exact(P).zip(block).enumerate() {
        let sum: i32 = states.iter().zip(&q).map(|(&s, q)| i32::from(s) * q).sum();
        let difference = w - f64::from(sum) * unit;
        lanes[c % 4] += difference * difference;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within −8 to 7")]
    let coefficients = q.map(|q| q as i8);
    Candidate { error: (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]), offset, exponent, coefficients }
}

#[cfg(test)]
mod tests {
    use super::super::basis::{Factors, basis};
    use super::super::lfsr::cycle;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn logarithms_are_exact_at_powers_of_two() {
        for exponent in -1000..1000 {
            let x = power_of_two(exponent);
            assert_eq!(x, 2f64.powi(exponent));
            assert_eq!((ceil_log2(x), ceil_log2(x.next_up()), ceil_log2(x.next_down())), (exponent, exponent + 1, exponent));
        }
        assert!(ceil_log2(0.0) <= -1023);
    }

    #[test]
    fn ties_round_to_even_within_four_bits() {
        for (x, q) in [(0.5, 0), (1.5, 2), (-0.5, 0), (-2.5, -2), (7.5, 7), (-8.4, -8), (1e9, 7), (-1e9, -8), (3.49, 3)] {
            assert_eq!(round(x), q, "{x}");
        }
    }

    proptest! {
        #[test]
        fn an_evaluation_is_the_published_formula(offset in 0u16..65535, values in prop::array::uniform8(-1.0f32..1.0)) {
            let block = values.map(f64::from);
            let u = basis::<8, 3>(offset.into());
            let inverse = Factors::of(&u).pseudo_inverse();
            let found = evaluate(&inverse, &cycle()[offset.into()..], &block, offset, -14);
            let t: [f64; 3] = std::array::from_fn(|p| (0..8).map(|c| inverse[c][p] * block[c]).sum());
            let largest = t.iter().fold(0.0, |m: f64, t| m.max(t.abs()));
            let exponent = (largest / 7.5).log2().ceil().clamp(-14.0, 1.0);
            let q = t.map(|t| (t / exponent.exp2()).round_ties_even().clamp(-8.0, 7.0));
            let error: f64 = (0..8).map(|c| (block[c] - (0..3).map(|p| u[c][p] * q[p] * exponent.exp2()).sum::<f64>()).powi(2)).sum();
            prop_assert_eq!(f64::from(found.exponent), exponent);
            prop_assert_eq!(found.coefficients.map(f64::from), q);
            prop_assert!((found.error - error).abs() <= 1e-12 * (1.0 + error));
        }
    }
}
