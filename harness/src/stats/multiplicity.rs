//! Many comparisons at once: adjusted p-values, each of which is compared with the level of the whole family.
//!
//! S. Holm, *A simple sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6 (1979), holds the chance of any false
//! rejection, whatever the dependence. Y. Benjamini and Y. Hochberg, *Controlling the false discovery rate*, JRSS B 57 (1995), holds the expected
//! share of false ones among the rejections, for independent or positively dependent tests.

/// Holm's adjusted p-values, in the order of the given ones.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let count = p.len();
    let mut largest = 0.0f64;
    adjust(p, (0..count).map(|place| (count - place) as f64), false, |scaled| {
        largest = largest.max(scaled);
        largest
    })
}

/// Benjamini and Hochberg's adjusted p-values, in the order of the given ones.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let count = p.len();
    let mut smallest = 1.0f64;
    adjust(p, (0..count).rev().map(|place| count as f64 / (place + 1) as f64), true, |scaled| {
        smallest = smallest.min(scaled);
        smallest
    })
}

/// Walks the p-values by size, scales each by its factor and keeps what `step` makes of it, at most 1.
fn adjust(p: &[f64], factors: impl Iterator<Item = f64>, descending: bool, mut step: impl FnMut(f64) -> f64) -> Vec<f64> {
    let mut order = (0..p.len()).collect::<Vec<_>>();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    if descending {
        order.reverse();
    }
    let mut adjusted = vec![0.0; p.len()];
    for (at, factor) in order.into_iter().zip(factors) {
        adjusted[at] = step(p[at] * factor).min(1.0);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{assert_close, reference};
    use super::*;

    #[test]
    fn adjusted_values_agree_with_statsmodels() {
        let table = reference("multiplicity");
        for (case, p) in table["p"].iter().enumerate() {
            for (found, expected) in [(holm(p), &table["holm"][case]), (benjamini_hochberg(p), &table["benjamini_hochberg"][case])] {
                assert_eq!(found.len(), expected.len());
                found.into_iter().zip(expected).for_each(|(found, &expected)| assert_close(found, expected, 1e-12));
            }
        }
        assert_eq!((holm(&[]), benjamini_hochberg(&[])), (vec![], vec![]));
    }

    proptest! {
        #[test]
        fn adjusting_raises_keeps_order_and_holm_is_the_stricter(mut p in prop::collection::vec(0.0f64..=1.0, 1..30)) {
            p.sort_by(f64::total_cmp);
            let (holm, bh) = (holm(&p), benjamini_hochberg(&p));
            prop_assert!(holm.is_sorted() && bh.is_sorted());
            for at in 0..p.len() {
                prop_assert!(p[at] <= bh[at] + 1e-15 && bh[at] <= holm[at] + 1e-15 && holm[at] <= 1.0);
            }
        }
    }
}
