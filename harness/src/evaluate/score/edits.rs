//! Sequences that were written, beside the right ones: edits, and their share of all that was to be written.

use super::bootstrap;

/// Edits per symbol of a candidate and of the original, from the edits and the length of each item; items are drawn for the error.
#[expect(clippy::cast_precision_loss, reason = "a few thousand symbols")]
pub(super) fn error_rate(original: &[(usize, usize)], candidate: &[(usize, usize)]) -> bootstrap::Paired {
    let rate = |edits: &[(usize, usize)], items: &[usize]| {
        let (sum, length) = items.iter().map(|&i| edits[i]).fold((0, 0), |(s, l), (edits, length)| (s + edits, l + length));
        sum as f64 / length as f64
    };
    bootstrap::paired(original.len(), |items| [rate(candidate, items), rate(original, items)])
}

/// Insertions, deletions and replacements that turn one sequence into the other (Levenshtein 1966).
pub(super) fn edit_distance(a: &[u32], b: &[u32]) -> usize {
    let mut row = (0..=b.len()).collect::<Vec<_>>();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_as_published() {
        let text = |s: &str| s.bytes().map(u32::from).collect::<Vec<_>>();
        for (a, b, edits) in [("kitten", "sitting", 3), ("saturday", "sunday", 3), ("", "abc", 3), ("abc", "abc", 0), ("abc", "", 3)] {
            assert_eq!(edit_distance(&text(a), &text(b)), edits, "{a} {b}");
        }
    }

    #[test]
    fn a_rate_is_of_all_symbols_and_not_a_mean_of_rates() {
        let found = error_rate(&[(0, 1), (1, 9)], &[(1, 1), (1, 9)]);
        assert_eq!((found.value, found.difference), (0.2, 0.2 - 0.1));
        assert!(found.difference_error > 0.0);
        assert_eq!(error_rate(&[(0, 1), (1, 9)], &[(0, 1), (1, 9)]).difference_error, 0.0);
    }
}
