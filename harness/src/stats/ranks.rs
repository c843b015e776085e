//! Mid-ranks: equal values share the mean of the ranks that they take up.

/// Twice the mid-rank of each value, which is a whole number: ties are then exact.
///
/// Values are ordered by `total_cmp`, with the two zeros taken as equal; NaN has no place in what is ranked.
pub fn doubled_mid_ranks(values: &[f64]) -> Vec<usize> {
    let mut order = (0..values.len()).collect::<Vec<_>>();
    // Adding zero makes −0 into +0.
    order.sort_by(|&a, &b| (values[a] + 0.0).total_cmp(&(values[b] + 0.0)));
    let mut ranks = vec![0; values.len()];
    let mut start = 0;
    for tie in order.chunk_by(|&a, &b| values[a] == values[b]) {
        // Ranks start + 1 … start + length; twice their mean is the sum of the first and the last.
        let doubled = 2 * start + 1 + tie.len();
        tie.iter().for_each(|&at| ranks[at] = doubled);
        start += tie.len();
    }
    ranks
}

/// The mid-rank of each value, from 1.
pub fn mid_ranks(values: &[f64]) -> Vec<f64> {
    doubled_mid_ranks(values).into_iter().map(|rank| rank as f64 / 2.0).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_values_share_a_rank() {
        assert_eq!(mid_ranks(&[3.0, 1.0, 3.0, 2.0, 3.0]), [4.0, 1.0, 4.0, 2.0, 4.0]);
        assert_eq!(mid_ranks(&[0.0, -0.0]), [1.5, 1.5]);
        assert_eq!(mid_ranks(&[]), [0.0; 0]);
    }

    proptest! {
        #[test]
        fn a_rank_counts_the_smaller_and_half_of_the_equal(values in prop::collection::vec(-4i8..4, 0..30)) {
            let values = values.into_iter().map(f64::from).collect::<Vec<_>>();
            for (rank, x) in mid_ranks(&values).into_iter().zip(&values) {
                let count = |f: &dyn Fn(f64) -> bool| values.iter().filter(|&&y| f(y)).count() as f64;
                prop_assert_eq!(rank, count(&|y| y < *x) + (count(&|y| y == *x) + 1.0) / 2.0);
            }
        }
    }
}
