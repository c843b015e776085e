//! Scores: what a candidate's outputs say of it, beside the original's.
//!
//! Every score is a mean over examples, a function of one, or a quantile, in f64 and in the data's order. Standard errors:
//!
//! - A window's characters depend on each other, so the window, not the character, is the unit: the error of a mean is that of a
//!   mean over clusters, √(Σ(Sᵢ − nᵢ·mean)² · G/(G−1)) / N for G clusters with sums Sᵢ. For images each is its own cluster.
//! - Where two models are compared, the same examples go through both and the differences are what is averaged: the error is a paired one.
//! - Functions of a mean (perplexity) use the delta method, quantiles Woodruff's (1952): the error of the share below the quantile, carried
//!   over to values. A maximum has none.
//!
//! A candidate's row that holds NaN or an infinity counts as the worst answer: wrong, in disagreement, infinitely improbable. [`super::outputs()`]
//! refuses such rows; stored files may still hold them.

use std::f64::consts::LN_2;

use super::{EvaluateError, Outputs};
use crate::fixture::Task;

/// A metric's value and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Name of the metric.
    pub metric: &'static str,
    /// Its value.
    pub value: f64,
    /// Standard error, where there is one and it is finite.
    pub standard_error: Option<f64>,
}

/// Compares a candidate's outputs with the original's on the same data. The original with itself gives its own figures.
///
/// All tasks: `top1_accuracy` (percent), `accuracy_loss_percent` (original − candidate, percentage points of `top1_accuracy`),
/// `kl_divergence` (mean KL(original ‖ candidate), nats), `kl_divergence_p99`, `kl_divergence_max`, `same_top1` (percent). Text also:
/// `perplexity`, `perplexity_increase_percent` (relative to the original's) and `bits_per_char`.
pub fn score(task: Task, reference: &Outputs, candidate: &Outputs) -> Result<Vec<Score>, EvaluateError> {
    comparable(reference, candidate)?;
    let rows = (0..reference.examples()).map(|i| Row::new(reference.row(i), candidate.row(i), reference.targets[i])).collect::<Vec<_>>();
    let sample = |value: fn(&Row) -> f64| Sample::new(rows.iter().map(value).collect(), reference.window);
    let plain = |metric, sample: &Sample| Score::new(metric, sample.mean, sample.error);
    let kl = sample(|r| r.kl);
    let (p99, p99_error) = kl.quantile(0.99);
    let mut scores = vec![
        plain("top1_accuracy", &sample(|r| percent(r.right))),
        plain("accuracy_loss_percent", &sample(|r| percent(r.reference_right) - percent(r.right))),
        plain("kl_divergence", &kl),
        Score::new("kl_divergence_p99", p99, p99_error),
        Score::new("kl_divergence_max", kl.values.iter().copied().fold(0.0, f64::max), f64::NAN),
        plain("same_top1", &sample(|r| percent(r.same))),
    ];
    if task == Task::NextCharacter {
        let (surprise, increase) = (sample(|r| r.surprise), sample(|r| r.surprise - r.reference_surprise));
        let (perplexity, ratio) = (surprise.mean.exp(), increase.mean.exp());
        scores.push(Score::new("perplexity", perplexity, perplexity * surprise.error));
        scores.push(Score::new("perplexity_increase_percent", 100.0 * (ratio - 1.0), 100.0 * ratio * increase.error));
        scores.push(Score::new("bits_per_char", surprise.mean / LN_2, surprise.error / LN_2));
    }
    Ok(scores)
}

impl Score {
    fn new(metric: &'static str, value: f64, standard_error: f64) -> Self {
        Self { metric, value, standard_error: Some(standard_error).filter(|e| e.is_finite()) }
    }
}

fn comparable(reference: &Outputs, candidate: &Outputs) -> Result<(), EvaluateError> {
    let incomparable = |message: String| Err(EvaluateError::Incomparable { message });
    for (side, outputs) in [("reference", reference), ("candidate", candidate)] {
        if let Some(fault) = outputs.fault() {
            return incomparable(format!("the {side} has {fault}"));
        }
    }
    let size = |o: &Outputs| (o.examples(), o.classes, o.window);
    if size(reference) != size(candidate) {
        let message = format!("(examples, classes, window) are {:?} and {:?}", size(reference), size(candidate));
        return incomparable(message);
    }
    match reference.targets.iter().zip(&candidate.targets).position(|(a, b)| a != b) {
        Some(i) => incomparable(format!("example {i} has different targets")),
        None if reference.logits.iter().any(|x| !x.is_finite()) => incomparable("the reference has logits that are not finite".to_owned()),
        None => Ok(()),
    }
}

fn percent(condition: bool) -> f64 {
    if condition { 100.0 } else { 0.0 }
}

/// What one example says.
struct Row {
    reference_right: bool,
    right: bool,
    same: bool,
    /// KL(original ‖ candidate) in nats.
    kl: f64,
    /// −ln of the probability of the right class.
    reference_surprise: f64,
    surprise: f64,
}

impl Row {
    fn new(reference: &[f32], candidate: &[f32], target: u32) -> Self {
        let target = target as usize;
        let (top, total) = (argmax(reference), log_sum(reference));
        let log_p = |i: usize| f64::from(reference[i]) - total;
        let (reference_right, reference_surprise) = (top == target, -log_p(target));
        if candidate.iter().any(|x| !x.is_finite()) {
            let worst = f64::INFINITY;
            return Self { reference_right, right: false, same: false, kl: worst, reference_surprise, surprise: worst };
        }
        let (other, total) = (argmax(candidate), log_sum(candidate));
        let log_q = |i: usize| f64::from(candidate[i]) - total;
        let kl = (0..reference.len()).map(|i| log_p(i).exp() * (log_p(i) - log_q(i))).sum::<f64>();
        // Equal distributions may sum to a rounding error below zero.
        Self { reference_right, right: other == target, same: other == top, kl: kl.max(0.0), reference_surprise, surprise: -log_q(target) }
    }
}

/// The first of the largest; values are finite.
fn argmax(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

/// ln Σ exp.
fn log_sum(row: &[f32]) -> f64 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let largest = f64::from(largest);
    largest + row.iter().map(|&x| (f64::from(x) - largest).exp()).sum::<f64>().ln()
}

/// One value per example, in clusters of equal size.
struct Sample {
    values: Vec<f64>,
    cluster: usize,
    mean: f64,
    /// Standard error of the mean; NaN where there is but one cluster or the mean is infinite.
    error: f64,
}

impl Sample {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn new(values: Vec<f64>, cluster: usize) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let clusters = values.len() / cluster;
        let squares = values.chunks(cluster).map(|c| c.iter().map(|v| v - mean).sum::<f64>().powi(2)).sum::<f64>();
        let error = (squares * clusters as f64 / (clusters as f64 - 1.0)).sqrt() / count;
        Self { values, cluster, mean, error }
    }

    /// A quantile and its standard error.
    fn quantile(&self, share: f64) -> (f64, f64) {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let value = at(&sorted, share);
        let below = self.values.iter().map(|&v| if v <= value { 1.0 } else { 0.0 }).collect();
        let error = Self::new(below, self.cluster).error;
        (value, (at(&sorted, share + error) - at(&sorted, share - error)) / 2.0)
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

    fn value(scores: &[Score], metric: &str) -> (f64, Option<f64>) {
        let score = scores.iter().find(|s| s.metric == metric).unwrap();
        (score.value, score.standard_error)
    }

    fn outputs(rows: &[[f32; 2]], targets: &[u32], window: usize) -> Outputs {
        Outputs { classes: 2, logits: rows.concat(), targets: targets.to_vec(), window }
    }

    #[test]
    fn a_model_compared_with_itself_has_lost_nothing() {
        let original = outputs(&[[0.3, 0.1], [7.0, -2.0], [1e30, -1e30], [0.0, 5.0]], &[0, 1, 0, 1], 1);
        let scores = score(Task::NextCharacter, &original, &original).unwrap();
        for metric in ["accuracy_loss_percent", "kl_divergence", "kl_divergence_p99", "kl_divergence_max", "perplexity_increase_percent"] {
            assert_eq!(value(&scores, metric).0, 0.0, "{metric}");
        }
        assert_eq!(value(&scores, "same_top1"), (100.0, Some(0.0)));
        assert_eq!(value(&scores, "top1_accuracy").0, 75.0);
    }

    #[test]
    fn figures_agree_with_sums_by_hand() {
        // Probabilities 3/4, 1/4 against 1/2, 1/2, then the same in both.
        let ln3 = 3.0f32.ln();
        let original = outputs(&[[ln3, 0.0], [0.0, ln3]], &[0, 0], 1);
        let candidate = outputs(&[[1.0, 1.0], [0.0, ln3]], &[0, 0], 1);
        let scores = score(Task::NextCharacter, &original, &candidate).unwrap();
        let kl = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
        let close = |metric: &str, expected: f64| {
            let found = value(&scores, metric).0;
            assert!((found - expected).abs() < 1e-6, "{metric}: {found}, expected {expected}");
        };
        close("kl_divergence", kl / 2.0);
        close("kl_divergence_max", kl);
        close("top1_accuracy", 50.0);
        close("accuracy_loss_percent", 0.0);
        close("same_top1", 100.0);
        close("bits_per_char", 1.5);
        close("perplexity", 2f64.powf(1.5));
        close("perplexity_increase_percent", 100.0 * (1.5f64.sqrt() - 1.0));
    }

    #[test]
    fn errors_of_means_count_windows_not_examples() {
        let values = vec![1.0, 2.0, 4.0, 3.0, 9.0, 5.0, 2.0, 2.0];
        let doubled = values.iter().flat_map(|&v| [v, v]).collect::<Vec<_>>();
        let (single, double) = (Sample::new(values.clone(), 1), Sample::new(doubled, 2));
        let variance = values.iter().map(|v| (v - 3.5f64).powi(2)).sum::<f64>() / 7.0;
        assert_eq!(single.mean, 3.5);
        assert!((single.error - (variance / 8.0).sqrt()).abs() < 1e-12);
        assert!((double.error - single.error).abs() < 1e-12, "copies within a cluster tell nothing new");
    }

    #[test]
    fn paired_errors_are_smaller_than_the_spread_of_each() {
        let rows = (0..100u8).map(|i| [f32::from(i % 2), 0.5]).collect::<Vec<_>>();
        let original = outputs(&rows, &[0; 100], 1);
        let mut worse = original.clone();
        worse.logits[2 * 7] = -1.0;
        let scores = score(Task::Classification, &original, &worse).unwrap();
        let (loss, paired) = value(&scores, "accuracy_loss_percent");
        assert_eq!(loss, 1.0);
        assert!(paired.unwrap() < value(&scores, "top1_accuracy").1.unwrap() / 4.0);
    }

    #[test]
    fn a_row_that_is_not_finite_is_the_worst_answer() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let original = outputs(&[[1.0, 0.0], [1.0, 0.0]], &[0, 0], 1);
            let broken = outputs(&[[1.0, 0.0], [bad, 0.0]], &[0, 0], 1);
            let scores = score(Task::NextCharacter, &original, &broken).unwrap();
            assert_eq!(value(&scores, "accuracy_loss_percent").0, 50.0);
            assert_eq!(value(&scores, "same_top1").0, 50.0);
            for metric in ["kl_divergence", "kl_divergence_p99", "kl_divergence_max", "perplexity"] {
                assert_eq!(value(&scores, metric), (f64::INFINITY, None), "{metric}");
            }
            assert!(matches!(score(Task::Classification, &broken, &original), Err(EvaluateError::Incomparable { .. })));
        }
    }

    #[test]
    fn outputs_of_different_data_are_not_compared() {
        let original = outputs(&[[1.0, 0.0], [1.0, 0.0]], &[0, 0], 1);
        for other in [
            Outputs { targets: vec![0, 1], ..original.clone() },
            Outputs { window: 2, ..original.clone() },
            outputs(&[[1.0, 0.0]], &[0], 1),
            Outputs { targets: vec![0, 2], ..original.clone() },
        ] {
            assert!(matches!(score(Task::Classification, &original, &other), Err(EvaluateError::Incomparable { .. })));
        }
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sample = Sample::new((0..=100u8).rev().map(f64::from).collect(), 1);
        assert_eq!(sample.quantile(0.99).0, 99.0);
        assert!((sample.quantile(0.5).1 - 5.0).abs() < 0.1, "{}", sample.quantile(0.5).1);
        assert_eq!(Sample::new(vec![3.0], 1).quantile(0.99).0, 3.0);
    }
}
