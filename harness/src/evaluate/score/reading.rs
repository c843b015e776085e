//! Lines of print: what is read, and how far the distributions of each column are from the original's.
//!
//! A row of output is a distribution over the characters and a blank, and what is read is the best path of connectionist temporal
//! classification (Graves et al. 2006): the likeliest class of each row, repetitions taken together, blanks dropped. Spaces at both ends are
//! dropped as well, because paper before and after a line says nothing. A line is right if every character is; the error rate is all edits over all characters.

use super::distribution::argmax;
use super::edits::{edit_distance, error_rate};
use super::sample::Sample;
use super::{Score, agreement, percent};
use crate::evaluate::Outputs;

/// The class that says nothing.
const BLANK: u32 = 0;

/// Scores against what each line says.
pub(super) fn score(lines: &[Vec<u32>], space: u32, reference: &Outputs, candidate: &Outputs) -> Vec<Score> {
    let items = vec![1; lines.len()];
    let (before, after) = (read(reference, space), read(candidate, space));
    let right = |found: &[Vec<u32>]| found.iter().zip(lines).map(|(f, l)| percent(f == l)).collect::<Vec<_>>();
    let edits = |found: &[Vec<u32>]| found.iter().zip(lines).map(|(f, l)| (edit_distance(f, l), l.len())).collect::<Vec<_>>();
    let lost = right(&before).iter().zip(right(&after)).map(|(b, a)| b - a).collect();
    let same = before.iter().zip(&after).map(|(b, a)| percent(b == a)).collect();
    let rate = error_rate(&edits(&before), &edits(&after));
    let mean = |metric, values| {
        let sample = Sample::new(values, &items);
        Score::new(metric, sample.mean, sample.error)
    };
    let mut scores = vec![
        mean("line_accuracy", right(&after)),
        mean("accuracy_loss_percent", lost),
        Score::new("character_error_rate", 100.0 * rate.value, 100.0 * rate.error),
        Score::new("character_error_increase", 100.0 * rate.difference, 100.0 * rate.difference_error),
        mean("same_line", same),
    ];
    scores.extend(agreement::score(reference, candidate));
    scores
}

/// What is read of each line.
fn read(outputs: &Outputs, space: u32) -> Vec<Vec<u32>> {
    let starts = outputs.starts();
    let line = |range: &[usize]| {
        let mut path = (range[0]..range[1]).filter_map(|row| u32::try_from(argmax(outputs.row(row))).ok()).collect::<Vec<_>>();
        path.dedup();
        path.retain(|&class| class != BLANK);
        let first = path.iter().position(|&class| class != space).unwrap_or(path.len());
        let end = path.iter().rposition(|&class| class != space).map_or(first, |last| last + 1);
        path[first..end].to_vec()
    };
    starts.windows(2).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose likeliest class of five is the one given.
    fn outputs(lines: &[&[usize]]) -> Outputs {
        let row = |&class: &usize| (0..5).map(move |i| if i == class { 3.0 } else { 0.0 });
        Outputs {
            width: 5,
            values: lines.iter().copied().flatten().flat_map(row).collect(),
            groups: lines.iter().map(|l| l.len()).collect(),
            sequences: vec![],
            data: String::new(),
        }
    }

    #[test]
    fn repetitions_blanks_and_spaces_at_the_ends_are_dropped() {
        let paths: [&[usize]; 4] = [&[4, 0, 1, 1, 0, 1, 4, 4, 2, 4], &[0, 0], &[4, 0, 4], &[2, 3, 3]];
        assert_eq!(read(&outputs(&paths), 4), [vec![1, 1, 4, 2], vec![], vec![], vec![2, 3]]);
    }

    #[test]
    fn figures_agree_with_counts_by_hand() {
        let original = outputs(&[&[1, 0, 2], &[3, 3, 0], &[1, 2, 3]]);
        let candidate = outputs(&[&[1, 0, 0], &[3, 0, 0], &[3, 2, 1]]);
        let scores = score(&[vec![1, 2], vec![3], vec![1, 2]], 4, &original, &candidate);
        let value = |metric: &str| scores.iter().find(|s| s.metric == metric).unwrap().value;
        assert!((value("line_accuracy") - 100.0 / 3.0).abs() < 1e-12);
        assert!((value("accuracy_loss_percent") - 100.0 / 3.0).abs() < 1e-12);
        assert!((value("same_line") - 100.0 / 3.0).abs() < 1e-12);
        // Edits 1, 0 and 2 of five characters, where the original has 0, 0 and 1.
        assert!((value("character_error_rate") - 60.0).abs() < 1e-12);
        assert!((value("character_error_increase") - 40.0).abs() < 1e-12);
        assert!((value("same_top1") - 500.0 / 9.0).abs() < 1e-12);
        let itself = score(&[vec![1, 2], vec![3], vec![1, 2]], 4, &original, &original);
        let lost = ["accuracy_loss_percent", "character_error_increase", "kl_divergence"];
        assert!(itself.iter().filter(|s| lost.contains(&s.metric)).all(|s| s.value == 0.0));
    }
}
