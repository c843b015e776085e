//! Correlations and the area under a receiver operating characteristic, from ranks; equal values share the mean of their ranks.

use crate::stats::ranks::mid_ranks;

/// Pearson's correlation; NaN where a side is constant.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: fn(f64, f64) -> f64| x.iter().zip(y).map(|(a, b)| f(a - mx, b - my)).sum::<f64>();
    sum(|a, b| a * b) / (sum(|a, _| a * a) * sum(|_, b| b * b)).sqrt()
}

/// Spearman's rank correlation.
pub(super) fn spearman(x: &[f64], y: &[f64]) -> f64 {
    pearson(&mid_ranks(x), &mid_ranks(y))
}

/// Probability that a positive scores above a negative, ties half (Mann and Whitney 1947); NaN where one kind is missing.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn auc(scores: &[f64], positive: &[bool]) -> f64 {
    let ranks = mid_ranks(scores);
    let positives = positive.iter().filter(|&&p| p).count() as f64;
    let negatives = positive.len() as f64 - positives;
    let sum = ranks.iter().zip(positive).filter(|(_, p)| **p).map(|(r, _)| r).sum::<f64>();
    (sum - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_agree_with_published_examples() {
        // Spearman's example with IQ and hours of television: 1 − 6·194/(10·99).
        let iq = [106.0, 100.0, 86.0, 101.0, 99.0, 103.0, 97.0, 113.0, 112.0, 110.0];
        let hours = [7.0, 27.0, 2.0, 50.0, 28.0, 29.0, 20.0, 12.0, 6.0, 17.0];
        assert!((spearman(&iq, &hours) - (1.0 - 6.0 * 194.0 / 990.0)).abs() < 1e-12);
        assert!((pearson(&iq, &hours) + 0.070_216_326).abs() < 1e-8, "{}", pearson(&iq, &hours));
        assert!(spearman(&iq, &[1.0; 10]).is_nan());
    }

    #[test]
    fn the_area_counts_pairs_in_order() {
        let positive = [true, false, true, false, true];
        // Of six pairs 0.9 wins two, 0.5 wins one, and 0.4 ties one.
        assert_eq!(auc(&[0.9, 0.6, 0.5, 0.4, 0.4], &positive), 3.5 / 6.0);
        assert_eq!(auc(&[3.0, 1.0, 3.0, 1.0, 2.0], &positive), 1.0);
        assert!(auc(&[1.0, 2.0], &[true, true]).is_nan());
    }
}
