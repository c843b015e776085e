//! The pitch of a frame: 360 logits, one for each fifth of a semitone, each of which says yes or no for itself.
//!
//! The pitch is the mean of the nine steps around the likeliest one, weighted by their probabilities (Kim, Salamon, Li and Bello 2018). A frame is
//! right within 50 cents, half a semitone, as is usual for raw pitch accuracy.

use super::distribution::{argmax, bernoulli_kl, divergences};
use super::sample::Sample;
use super::{Score, percent};
use crate::evaluate::Outputs;

/// Cents between two steps.
const STEP: f64 = 20.0;
/// Cents above 10 Hz of the first step: 31.7 Hz.
const FIRST: f64 = 1_997.379_408_437_619;
/// Steps on each side of the likeliest.
const AROUND: usize = 4;
/// A frame that is further off is wrong.
const WITHIN: f64 = 50.0;

/// Scores against the true pitches, in cents above 10 Hz.
pub(super) fn score(truth: &[f64], reference: &Outputs, candidate: &Outputs) -> Vec<Score> {
    let right =
        |outputs: &Outputs| (0..truth.len()).map(|i| percent((cents(outputs.row(i)) - truth[i]).abs() <= WITHIN)).collect::<Vec<_>>();
    let (before, after) = (right(reference), right(candidate));
    let lost = before.iter().zip(&after).map(|(b, a)| b - a).collect();
    let same = (0..truth.len()).map(|i| percent(same_step(reference.row(i), candidate.row(i)))).collect();
    let kl = (0..truth.len()).map(|i| bernoulli_kl(reference.row(i), candidate.row(i))).collect();
    let mean = |metric, values| {
        let sample = Sample::new(values, &reference.groups);
        Score::new(metric, sample.mean, sample.error)
    };
    let mut scores = vec![mean("pitch_accuracy", after), mean("accuracy_loss_percent", lost), mean("same_top1", same)];
    scores.extend(divergences(&Sample::new(kl, &reference.groups)));
    scores
}

fn same_step(reference: &[f32], candidate: &[f32]) -> bool {
    candidate.iter().all(|x| x.is_finite()) && argmax(reference) == argmax(candidate)
}

/// Pitch in cents above 10 Hz; NaN, which is never right, where a logit is not finite.
#[expect(clippy::cast_precision_loss, reason = "360 steps")]
fn cents(logits: &[f32]) -> f64 {
    if logits.iter().any(|x| !x.is_finite()) {
        return f64::NAN;
    }
    let top = argmax(logits);
    let near = top.saturating_sub(AROUND)..logits.len().min(top + AROUND + 1);
    let weight = |i: usize| 1.0 / (1.0 + (-f64::from(logits[i])).exp());
    let total = near.clone().map(weight).sum::<f64>();
    near.map(|i| weight(i) * (FIRST + STEP * i as f64)).sum::<f64>() / total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peak(at: usize) -> Vec<f32> {
        (0..360usize).map(|i| 4.0 - 3.0 * i.abs_diff(at) as f32).collect()
    }

    #[test]
    fn a_symmetric_peak_is_at_its_middle() {
        for at in [4, 100, 355] {
            assert!((cents(&peak(at)) - (FIRST + STEP * at as f64)).abs() < 1e-9, "{at}");
        }
        assert!(cents(&peak(0)) > FIRST, "no steps below the first");
        assert!(cents(&[f32::NAN; 360]).is_nan());
    }

    #[test]
    fn half_a_semitone_is_right_and_more_is_not() {
        let at = |steps: &[usize]| Outputs {
            width: 360,
            values: steps.iter().flat_map(|&s| peak(s)).collect(),
            groups: vec![1; steps.len()],
            sequences: vec![],
            data: String::new(),
        };
        let truth = [100, 200, 300].map(|i| FIRST + STEP * f64::from(i));
        let scores = score(&truth, &at(&[100, 202, 300]), &at(&[100, 203, 298]));
        let value = |metric: &str| scores.iter().find(|s| s.metric == metric).unwrap().value;
        assert!((value("pitch_accuracy") - 200.0 / 3.0).abs() < 1e-9);
        assert!((value("accuracy_loss_percent") - 100.0 / 3.0).abs() < 1e-9);
        assert!((value("same_top1") - 100.0 / 3.0).abs() < 1e-9);
        assert!(value("kl_divergence") > 0.0);
    }
}
