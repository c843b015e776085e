//! Output distributions: how far the candidate's are from the original's.
//!
//! A row that holds NaN or an infinity counts as the worst answer: wrong, in disagreement, infinitely improbable. [`super::super::outputs()`]
//! refuses such rows; stored files may still hold them.

use super::Score;
use super::sample::Sample;

/// What became of one row of logits whose softmax is a distribution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// Whether the likeliest class is still the original's.
    pub same: bool,
    /// KL(original ‖ candidate) in nats.
    pub kl: f64,
}

impl Change {
    pub fn new(reference: &[f32], candidate: &[f32]) -> Self {
        Self::between(&Sides::new(reference, candidate), reference, candidate)
    }

    fn between(sides: &Sides, reference: &[f32], candidate: &[f32]) -> Self {
        let Some((other, total)) = sides.candidate else { return Self { same: false, kl: f64::INFINITY } };
        let log_p = |i: usize| f64::from(reference[i]) - sides.reference.1;
        let log_q = |i: usize| f64::from(candidate[i]) - total;
        let kl = (0..reference.len()).map(|i| log_p(i).exp() * (log_p(i) - log_q(i))).sum::<f64>();
        // Equal distributions may sum to a rounding error below zero.
        Self { same: other == sides.reference.0, kl: kl.max(0.0) }
    }
}

/// What one row of logits says where exactly one class is right.
pub(super) struct Row {
    pub change: Change,
    pub reference_right: bool,
    pub right: bool,
    /// −ln of the probability of the right class.
    pub reference_surprise: f64,
    pub surprise: f64,
}

impl Row {
    pub fn new(reference: &[f32], candidate: &[f32], target: u32) -> Self {
        let (target, sides) = (target as usize, Sides::new(reference, candidate));
        Self {
            change: Change::between(&sides, reference, candidate),
            reference_right: sides.reference.0 == target,
            right: sides.candidate.is_some_and(|(top, _)| top == target),
            reference_surprise: sides.reference.1 - f64::from(reference[target]),
            surprise: sides.candidate.map_or(f64::INFINITY, |(_, total)| total - f64::from(candidate[target])),
        }
    }
}

/// The likeliest class and ln Σ exp of a row of each model; none of the candidate's where a logit is not finite.
struct Sides {
    reference: (usize, f64),
    candidate: Option<(usize, f64)>,
}

impl Sides {
    fn new(reference: &[f32], candidate: &[f32]) -> Self {
        let side = |row: &[f32]| (argmax(row), log_sum(row));
        Self { reference: side(reference), candidate: candidate.iter().all(|x| x.is_finite()).then(|| side(candidate)) }
    }
}

/// KL(original ‖ candidate) in nats of a row of logits, each of which stands for a yes or no of its own: the sum over them.
pub(super) fn bernoulli_kl(reference: &[f32], candidate: &[f32]) -> f64 {
    if candidate.iter().any(|x| !x.is_finite()) {
        return f64::INFINITY;
    }
    // −ln of a yes is ln(1 + e^−x), that of a no is x more.
    let surprise = |x: f64| (-x).max(0.0) + (-x.abs()).exp().ln_1p();
    let term = |(&p, &q): (&f32, &f32)| {
        let (p, q) = (f64::from(p), f64::from(q));
        let (yes, other) = (surprise(p), surprise(q));
        // Differences first: equal logits then give 0 exactly.
        (-yes).exp() * (other - yes) + (-(yes + p)).exp() * ((other - yes) + (q - p))
    };
    reference.iter().zip(candidate).map(term).sum::<f64>().max(0.0)
}

/// Mean, median, tail and largest of the divergences.
pub(super) fn divergences(kl: &Sample) -> Vec<Score> {
    let quantile = |metric, share| {
        let (value, error) = kl.quantile(share);
        Score::new(metric, value, error)
    };
    vec![
        Score::new("kl_divergence", kl.mean, kl.error),
        quantile("kl_divergence_median", 0.5),
        quantile("kl_divergence_p99", 0.99),
        quantile("kl_divergence_p999", 0.999),
        Score::new("kl_divergence_max", kl.largest(), f64::NAN),
    ]
}

/// The first of the largest; values are finite.
pub(in crate::evaluate) fn argmax(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

/// ln Σ exp.
fn log_sum(row: &[f32]) -> f64 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let largest = f64::from(largest);
    largest + row.iter().map(|&x| (f64::from(x) - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_classes_are_one_yes_or_no() {
        for (p, q) in [(0.3f32, -1.2), (-4.0, 2.5), (30.0, 29.0), (-80.0, -81.0)] {
            let (one, two) = (bernoulli_kl(&[p], &[q]), Change::new(&[0.0, p], &[0.0, q]).kl);
            assert!((one - two).abs() <= 1e-12 + 1e-9 * two, "{p} {q}: {one} {two}");
        }
    }

    #[test]
    fn independent_answers_add_up() {
        let (p, q) = ([0.5f32, -2.0, 3.0], [0.1f32, -1.0, 3.0]);
        let each = (0..3).map(|i| bernoulli_kl(&p[i..=i], &q[i..=i])).sum::<f64>();
        assert!((bernoulli_kl(&p, &q) - each).abs() < 1e-15 && each > 0.0);
        for x in [p[0], 1e-3, 7.7, -3.3, 88.0] {
            assert_eq!(bernoulli_kl(&[x], &[x]), 0.0, "{x}");
        }
        assert_eq!(bernoulli_kl(&p, &[0.0, f32::NAN, 0.0]), f64::INFINITY);
    }
}
