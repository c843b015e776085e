//! Wilcoxon's signed-rank test: is the centre of symmetry of some paired differences zero?
//!
//! F. Wilcoxon, *Individual comparisons by ranking methods*, Biometrics Bulletin 1 (1945). Zeros by J. W. Pratt, *Remarks on zeros and ties in
//! the Wilcoxon signed rank procedures*, JASA 54 (1959): they take part in the ranking and are left out of the sums. Ties get mid-ranks. Both are
//! conditioned upon: the null distribution is that of random signs on the ranks at hand, exact up to [`EXACT_LIMIT`] differences and normal with
//! a continuity correction above; its variance Σ rank²/4 holds the usual corrections for ties and zeros.

use super::distribution::normal_cdf;
use super::ranks::doubled_mid_ranks;

/// Most differences other than zero whose null distribution is counted out. From here on the normal approximation is off by
/// less than 5 % of a p-value of 0.01.
pub const EXACT_LIMIT: usize = 50;

/// The outcome of a signed-rank test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRank {
    /// Sum of the ranks of the differences above zero (V, or W⁺).
    pub positive_sum: f64,
    /// Differences other than zero.
    pub nonzero: usize,
    /// Probability, without an effect, of a sum at least as large: small when the differences lie above zero.
    pub p_greater: f64,
    /// Probability, without an effect, of a sum at most as large: small when the differences lie below zero.
    pub p_less: f64,
}

impl SignedRank {
    /// The two-sided p-value: twice the smaller one, at most 1.
    pub fn p_two_sided(&self) -> f64 {
        (2.0 * self.p_greater.min(self.p_less)).min(1.0)
    }
}

/// Tests finite differences against zero. Without a difference other than zero, both p-values are 1.
pub fn signed_rank(differences: &[f64]) -> SignedRank {
    let magnitudes = differences.iter().map(|d| d.abs()).collect::<Vec<_>>();
    let ranks = doubled_mid_ranks(&magnitudes);
    let signed = ranks.iter().zip(differences).filter(|&(_, &d)| d != 0.0);
    let positive = signed.clone().filter(|&(_, &d)| d > 0.0).map(|(&rank, _)| rank).sum::<usize>();
    let counted = signed.map(|(&rank, _)| rank).collect::<Vec<_>>();
    let (p_greater, p_less) = match counted.len() {
        0 => (1.0, 1.0),
        1..=EXACT_LIMIT => exact(&counted, positive),
        _ => asymptotic(&counted, positive),
    };
    SignedRank { positive_sum: positive as f64 / 2.0, nonzero: counted.len(), p_greater, p_less }
}

/// Upper and lower p-value of a doubled sum, counted out.
fn exact(doubled_ranks: &[usize], doubled_sum: usize) -> (f64, f64) {
    let probabilities = null_probabilities(doubled_ranks);
    let total = |range: &[f64]| range.iter().sum::<f64>().min(1.0);
    (total(&probabilities[doubled_sum..]), total(&probabilities[..=doubled_sum]))
}

/// Upper and lower p-value of a doubled sum by the normal distribution.
fn asymptotic(doubled_ranks: &[usize], doubled_sum: usize) -> (f64, f64) {
    let mean = doubled_ranks.iter().sum::<usize>() as f64 / 4.0;
    let variance = doubled_ranks.iter().map(|&rank| (rank as f64 / 2.0).powi(2)).sum::<f64>() / 4.0;
    let (distance, deviation) = (doubled_sum as f64 / 2.0 - mean, variance.sqrt());
    (normal_cdf(-(distance - 0.5) / deviation), normal_cdf((distance + 0.5) / deviation))
}

/// Probability of each sum, from 0 up, of those weights that a fair coin picks each.
fn null_probabilities(weights: &[usize]) -> Vec<f64> {
    let mut probabilities = vec![0.0; weights.iter().sum::<usize>() + 1];
    probabilities[0] = 1.0;
    let mut reached = 0;
    for &weight in weights {
        reached += weight;
        for sum in (0..=reached).rev() {
            let picked = if sum >= weight { probabilities[sum - weight] } else { 0.0 };
            probabilities[sum] = 0.5 * (probabilities[sum] + picked);
        }
    }
    probabilities
}

/// Probability that the sum of `n` untied ranks is at most 0, 1, 2 and so on, without an effect.
pub(super) fn untied_null_cdf(n: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let ranks = (1..=n).collect::<Vec<_>>();
    null_probabilities(&ranks)
        .into_iter()
        .map(|p| {
            sum += p;
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{assert_close, reference};
    use super::*;

    #[test]
    fn p_values_agree_with_scipy() {
        let table = reference("wilcoxon");
        for (case, differences) in table["differences"].iter().enumerate() {
            let found = signed_rank(differences);
            let [sum, greater, less, two_sided] = table["expected"][case][..] else { panic!("a row of four") };
            assert_close(found.positive_sum, sum, 1e-15);
            assert_close(found.p_greater, greater, 1e-10);
            assert_close(found.p_less, less, 1e-10);
            assert_close(found.p_two_sided(), two_sided, 1e-10);
        }
    }

    #[test]
    fn the_textbook_example_comes_out() {
        // Depression scores of nine patients before and after, Hollander and Wolfe (1973), table 3.1; R prints V = 40, p = 0.01953.
        let before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
        #[expect(clippy::approx_constant, reason = "a score of 3.14")]
        let after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
        let differences = before.iter().zip(after).map(|(b, a)| b - a).collect::<Vec<_>>();
        let found = signed_rank(&differences);
        assert_eq!(found.positive_sum, 40.0);
        assert_close(found.p_greater, 10.0 / 512.0, 1e-12);
    }

    #[test]
    fn nothing_but_zeros_says_nothing() {
        assert_eq!(signed_rank(&[0.0, 0.0]).p_two_sided(), 1.0);
        assert_eq!(signed_rank(&[]).p_two_sided(), 1.0);
    }

    #[test]
    fn normal_and_exact_values_meet_at_the_limit() {
        let differences = (1..=EXACT_LIMIT).map(|i| i as f64 * if i % 3 == 0 { -1.0 } else { 1.0 }).collect::<Vec<_>>();
        let magnitudes = differences.iter().map(|d| d.abs()).collect::<Vec<_>>();
        let found = signed_rank(&differences);
        let (greater, less) = asymptotic(&doubled_mid_ranks(&magnitudes), 2 * 867);
        assert_eq!(found.positive_sum, 867.0);
        assert_close(found.p_greater, greater, 0.05);
        assert_close(found.p_less, less, 1e-3);
    }

    proptest! {
        #[test]
        fn exact_values_are_those_of_all_signs(values in prop::collection::vec(-5i8..=5, 1..10)) {
            let differences = values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
            let found = signed_rank(&differences);
            let magnitudes = differences.iter().map(|d| d.abs()).collect::<Vec<_>>();
            let ranks = doubled_mid_ranks(&magnitudes).into_iter().zip(&differences).filter(|&(_, &d)| d != 0.0).map(|(r, _)| r).collect::<Vec<_>>();
            let sums = (0..1u32 << ranks.len()).map(|signs| (0..ranks.len()).filter(|i| signs >> i & 1 == 1).map(|i| ranks[i]).sum::<usize>() as f64 / 2.0);
            let all = f64::from(1u32 << ranks.len());
            prop_assert!((found.p_greater - sums.clone().filter(|&s| s >= found.positive_sum).count() as f64 / all).abs() < 1e-12);
            prop_assert!((found.p_less - sums.filter(|&s| s <= found.positive_sum).count() as f64 / all).abs() < 1e-12);
        }

        #[test]
        fn order_and_scale_do_not_matter_and_signs_swap_the_sides(mut differences in prop::collection::vec(-1.0f64..1.0, 1..70), scale in 0.5f64..2.0) {
            let found = signed_rank(&differences);
            differences.reverse();
            differences.iter_mut().for_each(|d| *d *= -scale);
            let mirrored = signed_rank(&differences);
            prop_assert!((found.p_greater - mirrored.p_less).abs() < 1e-12 && (found.p_less - mirrored.p_greater).abs() < 1e-12);
        }
    }
}
