//! One value per row, and what can be said of all: mean, quantile, and how sure they are.
//!
//! Rows of one group (the characters of a window, the chunks of a clip) depend on each other, so the group is the unit: the error of a mean is
//! that of a mean over clusters, √(Σ(Sᵢ − nᵢ·mean)² · G/(G−1)) / N for G groups of nᵢ rows with sums Sᵢ (Cochran 1977, ratio to size). That
//! of a quantile is Woodruff's (1952): the error of the share below the quantile, carried over to values.

/// Values in groups.
pub(super) struct Sample<'a> {
    pub values: Vec<f64>,
    /// Rows of each group, in the order of the values.
    groups: &'a [usize],
    pub mean: f64,
    /// Standard error of the mean; NaN where there is but one group or the mean is infinite.
    pub error: f64,
}

impl<'a> Sample<'a> {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn new(values: Vec<f64>, groups: &'a [usize]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let (mut start, mut squares) = (0, 0.0);
        for &rows in groups {
            squares += values[start..start + rows].iter().map(|v| v - mean).sum::<f64>().powi(2);
            start += rows;
        }
        let clusters = groups.len() as f64;
        let error = (squares * clusters / (clusters - 1.0)).sqrt() / count;
        Self { values, groups, mean, error }
    }

    /// A quantile and its standard error.
    pub fn quantile(&self, share: f64) -> (f64, f64) {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let value = at(&sorted, share);
        let below = self.values.iter().map(|&v| if v <= value { 1.0 } else { 0.0 }).collect();
        let error = Self::new(below, self.groups).error;
        (value, (at(&sorted, share + error) - at(&sorted, share - error)) / 2.0)
    }

    /// The largest value, at least 0.
    pub fn largest(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f64::max)
    }
}

/// Value at a share of sorted values, linear between neighbours.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the slice")]
fn at(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    if low == high { low } else { low + (high - low) * place.fract() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_means_count_groups_not_rows() {
        let values = vec![1.0, 2.0, 4.0, 3.0, 9.0, 5.0, 2.0, 2.0];
        let doubled = values.iter().flat_map(|&v| [v, v]).collect::<Vec<_>>();
        let (single, double) = (Sample::new(values.clone(), &[1; 8]), Sample::new(doubled, &[2; 8]));
        let variance = values.iter().map(|v| (v - 3.5f64).powi(2)).sum::<f64>() / 7.0;
        assert_eq!(single.mean, 3.5);
        assert!((single.error - (variance / 8.0).sqrt()).abs() < 1e-12);
        assert!((double.error - single.error).abs() < 1e-12, "copies within a group tell nothing new");
    }

    #[test]
    fn groups_may_differ_in_length() {
        // Mean 2; the groups' sums of differences are -1, 0, 1.
        let sample = Sample::new(vec![1.0, 1.0, 3.0, 2.0, 3.0], &[1, 2, 2]);
        assert!((sample.error - (2.0f64 * 3.0 / 2.0).sqrt() / 5.0).abs() < 1e-12, "{}", sample.error);
        assert!(Sample::new(vec![1.0, 2.0], &[2]).error.is_nan());
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sample = Sample::new((0..=100u8).rev().map(f64::from).collect(), &[1; 101]);
        assert_eq!(sample.quantile(0.99).0, 99.0);
        assert!((sample.quantile(0.5).1 - 5.0).abs() < 0.1, "{}", sample.quantile(0.5).1);
        assert_eq!(Sample::new(vec![3.0], &[1]).quantile(0.99).0, 3.0);
    }
}
