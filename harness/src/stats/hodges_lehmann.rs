//! The Hodges–Lehmann estimate and its interval: the centre of paired differences that a few wild ones hardly move.
//!
//! J. L. Hodges and E. L. Lehmann, *Estimates of location based on rank tests*, Annals of Mathematical Statistics 34 (1963): the median of the Walsh
//! averages (xᵢ + xⱼ)/2, i ≤ j. The interval holds the centres that the signed-rank test does not reject, and its ends are Walsh averages
//! (J. W. Tukey 1949): [W₍ₖ₎, W₍M+1−k₎] where a signed-rank sum is below k with at most half the error level. Ties make the
//! interval too wide rather than too narrow. Its efficiency on Gaussian noise is 3/π = 0.955 of the mean's.

use super::distribution::{normal_cdf, normal_upper_quantile};
use super::wilcoxon::{EXACT_LIMIT, untied_null_cdf};

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end, in the unit of the differences.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

impl Interval {
    /// Upper minus lower end.
    pub fn width(&self) -> f64 {
        self.upper - self.lower
    }

    /// Whether all of it lies between −`margin` and `margin`.
    pub fn within(&self, margin: f64) -> bool {
        -margin <= self.lower && self.upper <= margin
    }

    /// The smallest interval that holds both.
    pub fn hull(&self, other: &Self) -> Self {
        Self { lower: self.lower.min(other.lower), upper: self.upper.max(other.upper) }
    }
}

/// Sorted Walsh averages of some differences, which estimate and intervals are read from.
#[derive(Debug, Clone, PartialEq)]
pub struct HodgesLehmann {
    /// Sorted; n(n + 1)/2 of them.
    averages: Vec<f64>,
    differences: usize,
}

impl HodgesLehmann {
    /// The averages of finite differences, in the unit of the differences. None without differences.
    pub fn new(differences: &[f64]) -> Option<Self> {
        if differences.is_empty() {
            return None;
        }
        let mut averages = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
        for (at, &x) in differences.iter().enumerate() {
            averages.extend(differences[at..].iter().map(|&y| 0.5 * (x + y)));
        }
        averages.sort_unstable_by(f64::total_cmp);
        Some(Self { averages, differences: differences.len() })
    }

    /// The estimate: the median of the averages.
    pub fn estimate(&self) -> f64 {
        let count = self.averages.len();
        0.5 * (self.averages[(count - 1) / 2] + self.averages[count / 2])
    }

    /// The interval that misses the true centre with a probability of at most `error_level` (0.05 for 95 %), counting both sides.
    ///
    /// None where that many differences cannot give such an interval: even all of them on one side of zero have probability 2¹⁻ⁿ.
    pub fn interval(&self, error_level: f64) -> Option<Interval> {
        Some(self.interval_from(self.rank_of_lower_end(error_level)?))
    }

    /// Standard error of the estimate, read from the width of its interval (Lehmann 1963) at the level nearest to 95 % that is really reached.
    ///
    /// None below four differences: an interval from fewer has less than 87 %.
    pub fn standard_error(&self) -> Option<f64> {
        let rank = self.rank_of_lower_end(0.05).or_else(|| self.rank_of_lower_end(0.13))?;
        Some(0.5 * self.interval_from(rank).width() / normal_upper_quantile(self.tail_below(rank)))
    }

    /// The interval from the k-th smallest to the k-th largest average.
    fn interval_from(&self, k: usize) -> Interval {
        Interval { lower: self.averages[k - 1], upper: self.averages[self.averages.len() - k] }
    }

    /// Largest k, from 1, for which a signed-rank sum is below k with at most half the error level.
    fn rank_of_lower_end(&self, error_level: f64) -> Option<usize> {
        let tail = 0.5 * error_level;
        let k = if self.differences <= EXACT_LIMIT {
            untied_null_cdf(self.differences).partition_point(|&p| p <= tail)
        } else {
            let (mean, deviation) = self.moments();
            let k = (mean + 0.5 - normal_upper_quantile(tail) * deviation).floor().max(0.0);
            #[expect(clippy::cast_possible_truncation, reason = "a whole number between 0 and half the number of averages")]
            let k = k as usize;
            k
        };
        // Levels near 1 may not let the ends cross.
        (k > 0).then(|| k.min(self.averages.len().div_ceil(2)))
    }

    /// Probability that a signed-rank sum is below k, without an effect.
    fn tail_below(&self, k: usize) -> f64 {
        if self.differences <= EXACT_LIMIT {
            return untied_null_cdf(self.differences)[k - 1];
        }
        let (mean, deviation) = self.moments();
        normal_cdf((k as f64 - 0.5 - mean) / deviation)
    }

    /// Mean and standard deviation of a signed-rank sum without an effect.
    fn moments(&self) -> (f64, f64) {
        let n = self.differences as f64;
        (n * (n + 1.0) / 4.0, (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt())
    }
}

/// Fewest differences from which an interval of that error level can be had, if all lie on one side: 2¹⁻ⁿ ≤ level.
pub fn fewest_differences(error_level: f64) -> usize {
    (1..).find(|&n| libm::exp2(1.0 - f64::from(n)) <= error_level).map_or(usize::MAX, |n: u16| usize::from(n))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{assert_close, reference};
    use super::super::wilcoxon::signed_rank;
    use super::*;

    #[test]
    fn estimates_and_intervals_agree_with_inverted_scipy_tests() {
        let table = reference("hodges_lehmann");
        for (case, differences) in table["differences"].iter().enumerate() {
            let found = HodgesLehmann::new(differences).unwrap();
            let [estimate, error_level, lower, upper] = table["expected"][case][..] else { panic!("a row of four") };
            assert_close(found.estimate(), estimate, 1e-12);
            let interval = found.interval(error_level).unwrap();
            assert_close(interval.lower, lower, 1e-9);
            assert_close(interval.upper, upper, 1e-9);
        }
    }

    #[test]
    fn too_few_differences_have_no_interval() {
        let five = HodgesLehmann::new(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(five.interval(0.05), None);
        assert_eq!(five.interval(0.0625), Some(Interval { lower: 1.0, upper: 5.0 }));
        assert_eq!((fewest_differences(0.05), fewest_differences(0.0625), fewest_differences(1e-6)), (6, 5, 21));
        assert_eq!(HodgesLehmann::new(&[]), None);
        assert!(five.standard_error().is_some());
        assert_eq!(HodgesLehmann::new(&[1.0, 2.0, 3.0]).unwrap().standard_error(), None);
    }

    #[test]
    fn the_standard_error_is_that_of_gaussian_noise() {
        let noise = weighbridge::sample::gaussian(8000, 1.0, 3).into_iter().map(f64::from).collect::<Vec<_>>();
        for n in [16, 400] {
            let errors = noise.chunks(n).map(|part| HodgesLehmann::new(part).unwrap().standard_error().unwrap());
            let mean = errors.sum::<f64>() / (8000 / n) as f64;
            // An interval of few differences is wider than its level asks for.
            assert_close(mean, 1.0 / (0.955 * n as f64).sqrt(), 0.1);
        }
    }

    proptest! {
        #[test]
        fn the_estimate_moves_with_shift_scale_and_sign(
            mut differences in prop::collection::vec(-1.0f64..1.0, 8..60), shift in -5.0f64..5.0, scale in 0.5f64..2.0,
        ) {
            let found = HodgesLehmann::new(&differences).unwrap();
            let (estimate, interval) = (found.estimate(), found.interval(0.05).unwrap());
            prop_assert!(interval.lower <= estimate && estimate <= interval.upper);
            prop_assert!(interval.hull(&found.interval(0.01).unwrap()) == found.interval(0.01).unwrap());
            differences.reverse();
            differences.iter_mut().for_each(|d| *d = shift - scale * *d);
            let moved = HodgesLehmann::new(&differences).unwrap();
            let other = moved.interval(0.05).unwrap();
            prop_assert!((moved.estimate() - (shift - scale * estimate)).abs() < 1e-12);
            prop_assert!((other.lower - (shift - scale * interval.upper)).abs() < 1e-12);
            prop_assert!((other.upper - (shift - scale * interval.lower)).abs() < 1e-12);
        }

        #[test]
        fn zero_lies_outside_exactly_when_the_test_rejects_it(differences in prop::collection::vec(-1.0f64..2.0, 8..50), error_level in 0.01f64..0.3) {
            let interval = HodgesLehmann::new(&differences).unwrap().interval(error_level).unwrap();
            let test = signed_rank(&differences);
            prop_assert_eq!(interval.lower > 0.0, test.p_greater <= 0.5 * error_level);
            prop_assert_eq!(interval.upper < 0.0, test.p_less <= 0.5 * error_level);
        }
    }
}
