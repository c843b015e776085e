//! How far the candidate's choices and distributions are from the original's: all there is to say where nobody knows what is right.

use super::distribution::{Change, divergences};
use super::sample::Sample;
use super::{Score, percent};
use crate::evaluate::Outputs;

/// Scores over all rows.
pub(super) fn score(reference: &Outputs, candidate: &Outputs) -> Vec<Score> {
    let changes = (0..reference.rows()).map(|i| Change::new(reference.row(i), candidate.row(i))).collect::<Vec<_>>();
    of(&changes, &reference.groups)
}

/// The same, of rows that were compared before.
pub(super) fn of(changes: &[Change], groups: &[usize]) -> Vec<Score> {
    let same = Sample::new(changes.iter().map(|c| percent(c.same)).collect(), groups);
    let mut scores = vec![Score::new("same_top1", same.mean, same.error)];
    scores.extend(divergences(&Sample::new(changes.iter().map(|c| c.kl).collect(), groups)));
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_and_distributions_count_and_truth_does_not() {
        let outputs = |rows: &[[f32; 2]]| Outputs {
            width: 2,
            values: rows.concat(),
            groups: vec![1; rows.len()],
            sequences: vec![],
            data: String::new(),
        };
        let original = outputs(&[[1.0, 0.0], [0.0, 2.0]]);
        let names = |scores: &[Score]| scores.iter().map(|s| s.metric).collect::<Vec<_>>();
        let found = score(&original, &outputs(&[[0.0, 1.0], [0.0, 2.0]]));
        assert_eq!(names(&found)[..2], ["same_top1", "kl_divergence"]);
        assert_eq!(found[0].value, 50.0);
        // p = 1/(1 + 1/e) against 1 − p: (2p − 1)·1 nats, and 0 for the second row.
        let p = 1.0 / (1.0 + (-1f64).exp());
        assert!((found[1].value - (2.0 * p - 1.0) / 2.0).abs() < 1e-7, "{}", found[1].value);
        assert!(score(&original, &original).iter().skip(1).all(|s| s.value == 0.0));
        assert_eq!(score(&original, &outputs(&[[f32::NAN, 1.0], [0.0, 2.0]]))[1].value, f64::INFINITY);
    }
}
