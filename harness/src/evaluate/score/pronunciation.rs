//! Words and their phonemes: what is written freely, and how far the distributions of each next phoneme are from the original's.
//!
//! A word is right if it is written as one of its pronunciations. Edits are counted to the pronunciation that needs the fewest (of those that
//! need as many, the shortest), and the error rate is all edits over all phonemes. The distributions are those along the first pronunciation,
//! whatever the model would have written, so that two models answer the same questions.

use super::edits::{edit_distance, error_rate};
use super::sample::Sample;
use super::{Score, agreement, percent};
use crate::evaluate::Outputs;

/// Scores against the accepted pronunciations of each word.
pub(super) fn score(accepted: &[Vec<Vec<u32>>], reference: &Outputs, candidate: &Outputs) -> Vec<Score> {
    let words = vec![1; accepted.len()];
    let right = |outputs: &Outputs| outputs.sequences.iter().zip(accepted).map(|(s, a)| percent(a.contains(s))).collect::<Vec<_>>();
    let (before, after) = (right(reference), right(candidate));
    let lost = before.iter().zip(&after).map(|(b, a)| b - a).collect();
    let same = reference.sequences.iter().zip(&candidate.sequences).map(|(a, b)| percent(a == b)).collect();
    let edits = |outputs: &Outputs| outputs.sequences.iter().zip(accepted).map(|(s, a)| fewest_edits(s, a)).collect::<Vec<_>>();
    let rate = error_rate(&edits(reference), &edits(candidate));
    let mean = |metric, sample: &Sample| Score::new(metric, sample.mean, sample.error);
    let mut scores = vec![
        mean("word_accuracy", &Sample::new(after, &words)),
        mean("accuracy_loss_percent", &Sample::new(lost, &words)),
        Score::new("phoneme_error_rate", 100.0 * rate.value, 100.0 * rate.error),
        Score::new("phoneme_error_increase", 100.0 * rate.difference, 100.0 * rate.difference_error),
        mean("same_word", &Sample::new(same, &words)),
    ];
    scores.extend(agreement::score(reference, candidate));
    scores
}

/// Fewest edits to a pronunciation, and the length of that one.
fn fewest_edits(written: &[u32], accepted: &[Vec<u32>]) -> (usize, usize) {
    accepted.iter().map(|a| (edit_distance(written, a), a.len())).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_pronunciation_counts() {
        assert_eq!(fewest_edits(&[1, 2, 3], &[vec![1, 7, 8, 9], vec![1, 2, 3, 4], vec![1, 2]]), (1, 2));
    }

    #[test]
    fn figures_agree_with_counts_by_hand() {
        let sequences = |a: &[u32], b: &[u32]| vec![a.to_vec(), b.to_vec()];
        let outputs = |sequences| Outputs { width: 2, values: vec![0.0; 6], groups: vec![1, 2], sequences, data: String::new() };
        let accepted = [vec![vec![1, 2, 3]], vec![vec![4, 5], vec![4]]];
        let (original, candidate) = (outputs(sequences(&[1, 2, 3], &[4])), outputs(sequences(&[1, 3], &[5, 4, 6])));
        let scores = score(&accepted, &original, &candidate);
        let value = |metric: &str| scores.iter().find(|s| s.metric == metric).unwrap().value;
        assert_eq!((value("word_accuracy"), value("accuracy_loss_percent"), value("same_word")), (0.0, 100.0, 0.0));
        // One edit of three phonemes, then two of one (to 'four', which is as near as 'four five' and shorter).
        assert!((value("phoneme_error_rate") - 75.0).abs() < 1e-12);
        assert!((value("phoneme_error_increase") - 75.0).abs() < 1e-12);
        assert_eq!((value("kl_divergence"), value("same_top1")), (0.0, 100.0));
    }
}
