//! Intervals of a share that was counted: false alarms in so many comparisons.
//!
//! C. J. Clopper and E. S. Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*, Biometrika 26 (1934): never
//! below its level, whatever the share.

use super::distribution::beta_quantile;
use super::hodges_lehmann::Interval;

/// The Clopper–Pearson interval of a probability of which `successes` of `trials` came up, both as counts.
///
/// `error_level` is that of both sides together (0.05 for 95 %). Where nothing was tried, it is all of 0 … 1. For a one-sided bound of 95 % give 0.1.
pub fn clopper_pearson(successes: usize, trials: usize, error_level: f64) -> Interval {
    let (k, n, tail) = (successes as f64, trials as f64, 0.5 * error_level);
    let lower = if successes == 0 { 0.0 } else { beta_quantile(tail, k, n - k + 1.0) };
    let upper = if successes >= trials { 1.0 } else { beta_quantile(1.0 - tail, k + 1.0, n - k) };
    Interval { lower, upper }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{assert_close, reference};
    use super::*;

    #[test]
    fn intervals_agree_with_scipy() {
        for row in &reference("binomial")["clopper_pearson"] {
            #[expect(clippy::cast_possible_truncation, reason = "counts")]
            let found = clopper_pearson(row[0] as usize, row[1] as usize, row[2]);
            assert_close(found.lower, row[3], 1e-8);
            assert_close(found.upper, row[4], 1e-8);
        }
    }

    #[test]
    fn the_rule_of_three_holds_and_nothing_tried_is_nothing_known() {
        assert_close(clopper_pearson(0, 113, 0.1).upper, 0.0262, 0.005);
        assert_eq!(clopper_pearson(0, 0, 0.05), Interval { lower: 0.0, upper: 1.0 });
    }
}
