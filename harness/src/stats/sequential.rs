//! Looking often without raising false alarms: boundaries of a group-sequential test at pre-set looks.
//!
//! K. K. G. Lan and D. L. DeMets, *Discrete sequential boundaries for clinical trials*, Biometrika 70 (1983): the error level is spent as a function of
//! the share of blocks that is in. The boundary of each look is found by the recursion of P. Armitage, C. K. McPherson and B. C. Rowe, *Repeated
//! significance tests on accumulating data*, JRSS A 132 (1969): the density of the statistic on those paths that have not crossed yet, carried from look
//! to look by Simpson's rule. As nominal levels the boundaries serve tests and intervals alike; the intervals are then the repeated confidence
//! intervals of C. Jennison and B. W. Turnbull, JRSS B 51 (1989): all of them hold the truth at once with probability 1 − level.
//!
//! The recursion takes the sums of successive looks to have independent increments. A part that stays the same at all looks, such as a drawn layout,
//! makes them more alike, and then less than the level is spent (D. Slepian 1962).

use super::distribution::{normal_cdf, normal_density, normal_upper_quantile};

/// Points of the density between the boundaries; odd, for Simpson's rule.
const POINTS: usize = 801;
/// Where an unbounded look is cut: nothing that counts lies beyond.
const EDGE: f64 = 8.5;

/// How the error level is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spending {
    /// 2 − 2Φ(z₁₋α⸝₂/√t) of each side's α: very little early, and nearly all of it at the last look.
    OBrienFleming,
    /// α·ln(1 + (e − 1)t): about the same boundary at each look.
    Pocock,
    /// α·tᵖ, between the two (K. Kim and D. L. DeMets, Biometrika 74 (1987)).
    Power(u8),
}

impl Spending {
    /// Error spent on one side when a share `t` of the blocks is in, of `side` in all.
    fn spent(self, t: f64, side: f64) -> f64 {
        match self {
            _ if t >= 1.0 => side,
            Self::OBrienFleming => 2.0 * normal_cdf(-normal_upper_quantile(0.5 * side) / t.sqrt()),
            Self::Pocock => side * libm::log1p((std::f64::consts::E - 1.0) * t),
            Self::Power(exponent) => side * t.powi(i32::from(exponent)),
        }
    }
}

/// Looks that cannot be planned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The looks are not at rising counts of blocks.
    #[error("looks at {looks:?} blocks do not rise from above zero; give each look a larger count than the one before")]
    Looks {
        /// What was given.
        looks: Vec<usize>,
    },
    /// The level is not a probability.
    #[error("error level '{level}' is not between 0 and 1; 0.05 is usual")]
    Level {
        /// What was given.
        level: f64,
    },
}

/// Two-sided boundaries, in standard errors, of looks after those counts of blocks; the last count is the most there will be.
///
/// `error_level` is what all looks together spend on both sides. The two sides are symmetrical.
pub fn boundaries(spending: Spending, looks: &[usize], error_level: f64) -> Result<Vec<f64>, PlanError> {
    let rising = looks.is_sorted_by(|a, b| a < b) && looks.first().is_some_and(|&first| first > 0);
    let Some(&most) = looks.last().filter(|_| rising) else {
        return Err(PlanError::Looks { looks: looks.to_vec() });
    };
    if !(error_level > 0.0 && error_level < 1.0) {
        return Err(PlanError::Level { level: error_level });
    }
    let side = 0.5 * error_level;
    let (mut boundaries, mut spent) = (Vec::with_capacity(looks.len()), 0.0);
    let mut going_on = Continuing::start();
    for &look in looks {
        let time = look as f64 / most as f64;
        let total = spending.spent(time, side);
        let boundary = going_on.boundary(time, total - spent);
        going_on = going_on.after(time, boundary);
        boundaries.push(boundary);
        spent = total;
    }
    Ok(boundaries)
}

/// The two-sided nominal error level of each look: what a test or an interval at that look alone is done at.
pub fn nominal_levels(spending: Spending, looks: &[usize], error_level: f64) -> Result<Vec<f64>, PlanError> {
    Ok(boundaries(spending, looks, error_level)?.into_iter().map(|z| 2.0 * normal_cdf(-z)).collect())
}

/// The density of the sum (a Wiener process at `time`, without an effect) on paths that have crossed no boundary yet.
struct Continuing {
    time: f64,
    points: Vec<f64>,
    /// Density times Simpson's weight.
    masses: Vec<f64>,
}

impl Continuing {
    fn start() -> Self {
        Self { time: 0.0, points: vec![0.0], masses: vec![1.0] }
    }

    /// Probability that a path goes on to here and lies above `boundary` standard errors at `time`.
    fn crossing(&self, time: f64, boundary: f64) -> f64 {
        let (sum, step) = (boundary * time.sqrt(), (time - self.time).sqrt());
        self.points.iter().zip(&self.masses).map(|(x, mass)| mass * normal_cdf((x - sum) / step)).sum()
    }

    /// The boundary that `spend` of the paths cross at `time`, by bisection.
    fn boundary(&self, time: f64, spend: f64) -> f64 {
        let (mut low, mut high) = (0.0, EDGE);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.crossing(time, middle) > spend { low = middle } else { high = middle }
        }
        high
    }

    /// The density after a look that was not crossed on either side.
    fn after(&self, time: f64, boundary: f64) -> Self {
        let (end, step) = (boundary * time.sqrt(), (time - self.time).sqrt());
        let width = 2.0 * end / (POINTS - 1) as f64;
        let points = (0..POINTS).map(|at| -end + width * at as f64).collect::<Vec<_>>();
        let density =
            |x: f64| self.points.iter().zip(&self.masses).map(|(y, mass)| mass * normal_density((x - y) / step) / step).sum::<f64>();
        let simpson = |at: usize| if at == 0 || at == POINTS - 1 { 1.0 } else { 2.0 + 2.0 * (at % 2) as f64 };
        let masses = points.iter().enumerate().map(|(at, &x)| density(x) * simpson(at) * width / 3.0).collect();
        Self { time, points, masses }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{assert_close, reference};
    use super::*;

    #[track_caller]
    fn assert_boundaries(spending: Spending, looks: &[usize], error_level: f64, expected: &[f64], tolerance: f64) {
        let found = boundaries(spending, looks, error_level).unwrap();
        assert_eq!(found.len(), expected.len());
        for (z, want) in found.iter().zip(expected) {
            assert!((z - want).abs() < tolerance, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn published_boundaries_come_out() {
        // D. M. Reboussin, D. L. DeMets, K. Kim and K. K. G. Lan, Controlled Clinical Trials 21 (2000), and the R package ldbounds made from their
        // program: five equal looks, 5 % on both sides.
        let five = [1, 2, 3, 4, 5];
        assert_boundaries(Spending::OBrienFleming, &five, 0.05, &[4.8769, 3.3569, 2.6803, 2.2898, 2.0310], 2e-4);
        assert_boundaries(Spending::Pocock, &five, 0.05, &[2.4380, 2.4268, 2.4101, 2.3966, 2.3859], 2e-4);
        // The R package gsDesign, `sfLDOF`, k = 3 and 2, alpha = 0.025.
        assert_boundaries(Spending::OBrienFleming, &[1, 2, 3], 0.05, &[3.7103, 2.5114, 1.9930], 2e-4);
        assert_boundaries(Spending::OBrienFleming, &[1, 2], 0.05, &[2.9626, 1.9686], 2e-4);
    }

    #[test]
    fn boundaries_agree_with_multivariate_normal_probabilities() {
        let table = reference("sequential");
        for (name, spending) in [("obrien_fleming", Spending::OBrienFleming), ("pocock", Spending::Pocock)] {
            for rows in table[name].chunks(3) {
                #[expect(clippy::cast_possible_truncation, reason = "twentieths of the whole")]
                let looks = rows[1].iter().map(|t| (t * 20.0).round() as usize).collect::<Vec<_>>();
                assert_boundaries(spending, &looks, rows[0][0], &rows[2], 2e-3);
            }
        }
    }

    #[test]
    fn one_look_is_the_ordinary_test_and_nominal_levels_are_tails() {
        assert_boundaries(Spending::OBrienFleming, &[12], 0.05, &[1.959964], 1e-6);
        let levels = nominal_levels(Spending::OBrienFleming, &[8, 16, 24], 0.05).unwrap();
        assert!(levels.is_sorted() && levels.iter().sum::<f64>() > 0.05 && levels[2] < 0.05);
        assert_close(nominal_levels(Spending::Pocock, &[7], 0.01).unwrap()[0], 0.01, 1e-6);
    }

    #[test]
    fn looks_that_do_not_rise_and_levels_outside_are_refused() {
        for looks in [&[][..], &[0, 4], &[4, 4], &[8, 4]] {
            assert!(boundaries(Spending::Pocock, looks, 0.05).unwrap_err().to_string().contains("do not rise"));
        }
        assert!(boundaries(Spending::Pocock, &[4], 1.5).unwrap_err().to_string().contains("'1.5'"));
        assert!(boundaries(Spending::Pocock, &[4], f64::NAN).is_err());
    }
}
