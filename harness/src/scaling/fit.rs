//! A straight line through points on logarithmic axes, by least squares.

use crate::stats::distribution::t_upper_quantile;

/// Points that a fit needs: with two, a line goes through both and nothing is left to judge it by.
pub const LEAST_POINTS: usize = 3;

/// The power law a·xᵇ nearest to points (x, y), in squares of log y.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// b.
    pub exponent: f64,
    /// Half the width of its 95 % interval, by Student's t.
    pub half_width: f64,
    /// ln a.
    pub log_factor: f64,
    /// Points.
    pub points: usize,
}

/// Fits; `None` for fewer than three points, or where all have the same x. Points that are not positive have no logarithm and are left out.
pub fn fit(points: &[(f64, f64)]) -> Option<Fit> {
    let positive = |&&(x, y): &&(f64, f64)| x > 0.0 && y > 0.0 && x.is_finite() && y.is_finite();
    let logs: Vec<(f64, f64)> = points.iter().filter(positive).map(|&(x, y)| (x.ln(), y.ln())).collect();
    let degrees = u32::try_from(logs.len().checked_sub(2)?).ok()?;
    if logs.len() < LEAST_POINTS {
        return None;
    }
    let n = f64::from(degrees) + 2.0;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / n;
    let (mean_x, mean_y) = (mean(|p| p.0), mean(|p| p.1));
    let spread: f64 = logs.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let exponent = logs.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum::<f64>() / spread;
    let log_factor = mean_y - exponent * mean_x;
    let residuals: f64 = logs.iter().map(|p| (p.1 - log_factor - exponent * p.0).powi(2)).sum();
    let half_width = t_upper_quantile(0.025, f64::from(degrees)) * (residuals / f64::from(degrees) / spread).sqrt();
    Some(Fit { exponent, half_width, log_factor, points: logs.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_law_is_found_without_doubt() {
        let points: Vec<_> = [1e5, 1e6, 3e7, 1e9].iter().map(|&x: &f64| (x, 2.0 * x.powf(1.25))).collect();
        let found = fit(&points).unwrap();
        assert!(
            (found.exponent - 1.25).abs() < 1e-12 && (found.log_factor - 2f64.ln()).abs() < 1e-9 && found.half_width < 1e-9,
            "{found:?}"
        );
        assert_eq!(found.points, 4);
    }

    /// NumPy and SciPy: `scipy.stats.linregress(np.log(x), np.log(y))` with `scipy.stats.t.ppf(.975, n - 2)`.
    #[test]
    fn exponent_and_interval_are_those_of_another_implementation() {
        let points = [(77_578.0, 0.9), (535_818.0, 4.1), (819_712.0, 9.7), (4_190_976.0, 33.0), (22_713_216.0, 260.0)];
        let found = fit(&points).unwrap();
        let expected = [0.991_686_862_704_063_6, 0.188_935_740_003_654_4, -11.407_044_941_340_862];
        for (found, expected) in [found.exponent, found.half_width, found.log_factor].into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
    }

    #[test]
    fn what_has_no_slope_has_no_fit() {
        assert_eq!(fit(&[]), None);
        assert_eq!(fit(&[(1.0, 1.0), (2.0, 2.0)]), None);
        assert_eq!(fit(&[(2.0, 1.0), (2.0, 2.0), (2.0, 3.0)]), None);
        assert_eq!(fit(&[(1.0, 1.0), (2.0, 2.0), (3.0, 0.0)]), None, "nothing costs nothing");
    }
}
