//! Standard errors of statistics that are no means: rank correlations, areas, ratios of sums.
//!
//! The bootstrap of Efron (1979): units that are independent of each other are drawn with replacement, as many as there are, and the statistic's
//! standard deviation over many such draws is its standard error. Two models are compared on the *same* draws, so that the error of their
//! difference is a paired one. Draws come from a seeded counter: the same every time.

use weighbridge::sample::splitmix;

/// Number of draws: the error of a standard error is then about 1/√(2·1000), a fiftieth.
const DRAWS: usize = 1000;
/// Seed of the draws.
const SEED: u64 = 0x5EED;

/// A statistic of a candidate, how it differs from the original's, and the standard error of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Paired {
    /// The candidate's.
    pub value: f64,
    pub error: f64,
    /// The candidate's minus the original's.
    pub difference: f64,
    pub difference_error: f64,
}

/// `statistic` gives, for a choice of units (indices, with repetitions), the candidate's value and the original's.
#[expect(clippy::cast_possible_truncation, reason = "a remainder by a usize is one")]
pub(super) fn paired(units: usize, statistic: impl Fn(&[usize]) -> [f64; 2]) -> Paired {
    let all = (0..units).collect::<Vec<_>>();
    let [value, original] = statistic(&all);
    let (mut values, mut differences) = (Vec::with_capacity(DRAWS), Vec::with_capacity(DRAWS));
    for draw in 0..DRAWS {
        let unit = |i: usize| (splitmix(SEED, (draw * units + i) as u64) % units as u64) as usize;
        let [value, original] = statistic(&(0..units).map(unit).collect::<Vec<_>>());
        values.push(value);
        differences.push(value - original);
    }
    Paired { value, error: deviation(&values), difference: value - original, difference_error: deviation(&differences) }
}

/// Standard deviation; NaN where a value is.
#[expect(clippy::cast_precision_loss, reason = "a thousand")]
fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64], units: &[usize]) -> f64 {
        units.iter().map(|&u| values[u]).sum::<f64>() / units.len() as f64
    }

    #[test]
    fn the_error_of_a_mean_is_the_known_one() {
        let values = (0..400).map(|i| weighbridge::sample::uniform(7, i)).collect::<Vec<_>>();
        let found = paired(400, |units| [mean(&values, units), 0.0]);
        let exact = deviation(&values) / 20.0;
        assert!((found.error / exact - 1.0).abs() < 0.07, "{} against {exact}", found.error);
        assert_eq!(found.value, mean(&values, &(0..400).collect::<Vec<_>>()));
    }

    #[test]
    fn pairing_takes_out_what_both_share() {
        let original = (0..400).map(|i| weighbridge::sample::uniform(7, i)).collect::<Vec<_>>();
        let candidate = original.iter().enumerate().map(|(i, v)| v - if i % 50 == 0 { 0.1 } else { 0.0 }).collect::<Vec<_>>();
        let found = paired(400, |units| [mean(&candidate, units), mean(&original, units)]);
        assert!((found.difference + 0.002).abs() < 1e-12);
        assert!(found.difference_error < found.error / 10.0, "{found:?}");
        assert_eq!(paired(400, |units| [mean(&original, units); 2]).difference_error, 0.0);
    }
}
